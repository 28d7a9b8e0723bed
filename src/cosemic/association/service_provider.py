"""What a server association asks of the logical device behind it, and how it is set up."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from cosemic.apdu import (
    ActionResponseWithOptionalData,
    CosemAttributeDescriptor,
    CosemMethodDescriptor,
    SelectiveAccessDescriptor,
)
from cosemic.association.parties import GeneralParties, check_parties
from cosemic.association.recognised import ANYTHING, Recognised
from cosemic.association.settings import (
    BLOCK_WINDOW,
    BOTH,
    LARGEST_USER_ID,
    LEAST_PDU_SIZE,
    LOW_LEVEL,
    SYSTEM_TITLE_LENGTH,
    PreEstablished,
    check_blocks,
    check_certificate,
    check_keys,
)
from cosemic.codec import DEFAULT_LIMITS, EncodedData, Limits
from cosemic.dialect import STANDARD, Dialect
from cosemic.errors import CertificateError, ConfigurationError
from cosemic.security import (
    PROCESS_COUNTERS,
    CounterStore,
    HlsCredentials,
    PeerCertificates,
    Protection,
    SecurityContext,
    SecurityMaterial,
    SecurityPolicy,
    SigningKey,
    aes_128_ecb,
    usable,
)
from cosemic.security.hls import Transformation
from cosemic.values import (
    ActionResult,
    ApplicationContext,
    AuthenticationMechanism,
    Conformance,
    DataAccessResult,
    Secret,
)

NO_POLICY = SecurityPolicy()


@dataclass(frozen=True, slots=True)
class Agreement:
    """What was agreed upon when an association was opened.

    max_receive_pdu_size, max_send_pdu_size: of the server, in octets, 0 for no limit. client_title: system title of the
    client, where it gave one. user_id: calling-AE-invocation-id, where it named a user. pre_established: it was
    beforehand.
    """

    application_context: ApplicationContext
    conformance: Conformance
    max_receive_pdu_size: int
    max_send_pdu_size: int
    client_title: bytes | None = None
    user_id: int | None = None
    pre_established: bool = False


class Access:
    """How the request at hand is protected, and what its answer needs.

    applied: the protection of the request. agreement: that of the association in which it came. third_party: title of
    the third party whose request it is; empty: it is that of the client. signable: the answer can be signed, or there
    is none.
    """

    __slots__ = ("agreement", "applied", "response", "signable", "third_party")

    def __init__(
        self,
        applied: Protection,
        agreement: Agreement | None = None,
        third_party: bytes = b"",
        *,
        signable: bool = True,
    ) -> None:
        self.applied = applied
        self.agreement = agreement
        self.third_party = third_party
        self.signable = signable
        self.response = Protection.NONE

    def require_response(self, protection: Protection) -> None:
        """Let the answer be protected at least like this (access rights of the attribute or method)."""
        self.response |= protection

    def ahead(self) -> Access:
        """Return the same protection to ask about rights with, before anything is answered."""
        return Access(self.applied, self.agreement, self.third_party, signable=self.signable)


class ServiceProvider(Protocol):
    """The logical device as one client sees it: rights are checked here, nothing is raised.

    Attribute 0 stands for all attributes (:mod:`cosemic.association.attribute_0`).
    """

    def get(
        self, attribute: CosemAttributeDescriptor, selection: SelectiveAccessDescriptor | None, access: Access
    ) -> EncodedData | DataAccessResult:
        """Read an attribute or a part of it."""

    def set(
        self,
        attribute: CosemAttributeDescriptor,
        selection: SelectiveAccessDescriptor | None,
        value: EncodedData,
        access: Access,
    ) -> DataAccessResult:
        """Write an attribute or a part of it."""

    def action(
        self, method: CosemMethodDescriptor, parameters: EncodedData | None, access: Access
    ) -> ActionResponseWithOptionalData:
        """Invoke a method."""


@runtime_checkable
class ShortNames(Protocol):
    """A provider whose objects have short names too; without it an association with these has no objects."""

    def resolve(self, short_name: int) -> CosemAttributeDescriptor | CosemMethodDescriptor | None:
        """Return the attribute or method with that short name, 0 to 0xFFFF; None where the client sees none."""


@runtime_checkable
class RightsChecker(Protocol):
    """A provider that can tell what it would refuse whatever the value is; a long request is refused by it at once."""

    def may_set(self, attribute: CosemAttributeDescriptor, access: Access) -> DataAccessResult:
        """Return why a SET would be refused; success where that depends on its value. Nothing is changed."""

    def may_act(self, method: CosemMethodDescriptor, access: Access) -> ActionResult:
        """Return why an ACTION would be refused; success where that depends on its parameters. Nothing is changed."""


@runtime_checkable
class Timekeeper(Protocol):
    """A provider with a clock."""

    def date_time(self) -> bytes:
        """Return what the clock shows as date-time, 12 octets; none where there is no clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """How one association of a logical device may be opened.

    context_names: application contexts that are accepted. mechanism, secret: as for the client. material, counters,
    system_title: keys and own title (8 octets) for ciphering and mechanisms 5 to 7. client_title: the only client that
    is let in; None for any. users: user ids that the client may name, 0 to 255 (client user identification); none lets
    it in whoever it names. policy: security policy. conformance: what is offered at most. max_pdu_size: largest APDU
    taken, 12 to 65535, or 0 for no limit. max_transfer: octets of a request that comes in blocks, and of the answers to
    a list before its other items are refused. keep_answers: a request that comes again is answered from what was kept
    and executed once, for clients over UDP that count their invoke-ids (:mod:`cosemic.association.kept_answers`).
    block_window: general blocks taken at a time, 1 to 63. block_timeout: seconds of silence after which a block that is
    missing is asked for; block_retries: how often in a row to no avail, before all are dropped.
    pre_established: the association of the client stands without AARQ, in the one application context that is named;
    with ciphering client_title says who that is. signing_key, signers: of mechanism 7, the own private key and where
    the public keys of clients are found; certificate: the own one, DER, sent in the AARE. recognised: what an AARQ may
    carry in its other names. parties: who protects what by general-ciphering and general-signing, third parties among
    them; None: nothing is taken in these.

    Raises ConfigurationError for what does not fit together.
    """

    context_names: frozenset[ApplicationContext] = frozenset((ApplicationContext.LN,))
    mechanism: AuthenticationMechanism = AuthenticationMechanism.LOWEST
    secret: Secret | None = None
    material: SecurityMaterial | None = None
    counters: CounterStore = PROCESS_COUNTERS
    system_title: bytes = b""
    client_title: bytes | None = None
    users: frozenset[int] = frozenset()
    policy: SecurityPolicy = NO_POLICY
    conformance: Conformance | None = None
    max_pdu_size: int = 0xFFFF
    max_transfer: int = 1 << 20
    keep_answers: bool = False
    block_window: int = BLOCK_WINDOW
    block_timeout: float = 10.0
    block_retries: int = 10
    pre_established: PreEstablished | None = None
    recognised: Recognised = ANYTHING
    transformation: Transformation = aes_128_ecb
    signing_key: SigningKey | None = None
    signers: PeerCertificates | None = None
    certificate: bytes | None = None
    parties: GeneralParties | None = None
    dialect: Dialect = STANDARD
    limits: Limits = DEFAULT_LIMITS

    def __post_init__(self) -> None:
        if self.max_transfer < 1:
            raise ConfigurationError(f"max_transfer is at least 1 octet, not {self.max_transfer}")
        check_blocks(self.block_window, self.block_retries)
        check_certificate(self.certificate, self.mechanism)
        if not self.block_timeout > 0:
            raise ConfigurationError(f"block_timeout is in seconds and above 0, not {self.block_timeout}")
        if self._ciphered and self.material is None:
            raise ConfigurationError("a ciphered association needs encryption key and authentication key")
        requires = self.policy.requires
        if requires.request | requires.response and not all(name.ciphered for name in self.context_names):
            raise ConfigurationError("a security policy needs an application context with ciphering")
        if self.mechanism is AuthenticationMechanism.LLS and self.secret is None:
            raise ConfigurationError("low level security needs a password")
        if self.max_pdu_size and not LEAST_PDU_SIZE <= self.max_pdu_size <= 0xFFFF:
            raise ConfigurationError(f"max_pdu_size is 0 or 12 to 65535 octets, not {self.max_pdu_size}")
        if any(not 0 <= user_id <= LARGEST_USER_ID for user_id in self.users):
            raise ConfigurationError(f"a user id is 0 to {LARGEST_USER_ID}, not {sorted(self.users)}")
        if len(self.system_title) not in (0, SYSTEM_TITLE_LENGTH):
            raise ConfigurationError(f"the own system title has {len(self.system_title)} octets, not 8")
        if self.client_title is not None and self.client_title == self.system_title:
            raise ConfigurationError("the system title of the client is our own: one of them is set wrongly")
        if self.material is not None:
            layered = self.parties is not None
            check_keys(self.material, requires.request | requires.response, layered=layered)
        if self.parties is not None:
            self._check_parties(self.parties)
        if self.pre_established is not None:
            self._check_pre_established(self.pre_established)
        if self.mechanism not in LOW_LEVEL:
            with suppress(CertificateError):  # until our own key has a certificate, nobody is let in
                self.credentials(self.security_context(None, False))
        elif self._ciphered:
            self.security_context(None, True)

    @property
    def _ciphered(self) -> bool:
        """Whether a context with ciphering is accepted."""
        return any(name.ciphered for name in self.context_names)

    def _check_parties(self, parties: GeneralParties) -> None:
        if self.material is None or not self._ciphered:
            raise ConfigurationError("parties need an application context with ciphering")
        if self.policy.requires.response & Protection.SIGNED and usable(parties.signing_key) is None:
            raise ConfigurationError("the policy asks for signed answers, and there is no key to sign them with")
        if self.keep_answers and parties.third_parties:
            raise ConfigurationError("answers are kept by the invoke-ids of one client: third parties have their own")
        check_parties(parties, self.system_title, self.material, self.dialect)

    def _check_pre_established(self, agreed: PreEstablished) -> None:
        if len(self.context_names) != 1:
            raise ConfigurationError("a pre-established association has one application context: name that alone")
        agreed.check(self.mechanism, self._ciphered, self.client_title)
        if self.keep_answers:
            # A client begins anew with the invoke-ids of the last one, and nothing tells the two apart.
            raise ConfigurationError("answers are kept from opening to release, which a pre-established one lacks")

    def security_context(self, client_title: bytes | None, ciphered: bool) -> SecurityContext | None:
        """Return a fresh security context for one opening, or None where there are no keys.

        Raises DecipheringError for a client title that is our own, or not of 8 octets.
        """
        if self.material is None:
            return None
        requires = self.policy.requires
        return SecurityContext(
            self.system_title,
            client_title,
            self.material.with_dedicated_key(None),
            self.counters,
            send=requires.response & BOTH if ciphered else Protection.NONE,
            require=requires.request & BOTH if ciphered else Protection.NONE,
            dialect=self.dialect,
            gmac_offered=self.mechanism is AuthenticationMechanism.HLS_GMAC,
            expand_to=self.max_pdu_size,
        )

    @property
    def largest_joined(self) -> int:
        """Octets of the longest request that comes in blocks."""
        return min(self.max_transfer, self.limits.octets)

    def credentials(self, context: SecurityContext | None) -> HlsCredentials:
        """Return what high level security works with. Raises ConfigurationError for what is missing."""
        return HlsCredentials(
            mechanism=self.mechanism,
            secret=self.secret,
            context=context,
            own_title=self.system_title,
            transformation=self.transformation,
            signing_key=self.signing_key,
            signers=self.signers,
        )
