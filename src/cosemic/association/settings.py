"""What a client association is opened with (parameters of COSEM-OPEN.request, IEC 62056-5-3).

A pre-established association stands as soon as APDUs can be carried, without AARQ (reference, application layer 18):
:class:`PreEstablished` is what both sides know of it beforehand, in place of InitiateRequest and InitiateResponse.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from cosemic.association.known_rights import KnownRights
from cosemic.association.parties import GeneralParties, check_parties
from cosemic.codec import DEFAULT_LIMITS, Limits
from cosemic.dialect import STANDARD, CipheredForm, Dialect, Quirk
from cosemic.errors import ConfigurationError
from cosemic.security import (
    PROCESS_COUNTERS,
    CounterStore,
    HlsCredentials,
    PeerCertificates,
    Protection,
    SecurityContext,
    SecurityMaterial,
    SigningKey,
    aes_128_ecb,
)
from cosemic.security.general import LayerPlan, read_header
from cosemic.security.hls import Transformation
from cosemic.values import ApplicationContext, AuthenticationMechanism, Conformance, Obis, Secret

LOW_LEVEL = (AuthenticationMechanism.LOWEST, AuthenticationMechanism.LLS)
BOTH = Protection.AUTHENTICATED | Protection.ENCRYPTED
LEAST_PDU_SIZE = 12
"""The smallest max-receive-pdu-size that can be negotiated, in octets; 0 means no limit."""
SYSTEM_TITLE_LENGTH = 8
LARGEST_WINDOW: Final = 63
"""Blocks of a general block transfer that can be taken at a time."""
BLOCK_WINDOW: Final = 8
"""Blocks that are taken at a time unless told."""
LARGEST_USER_ID = 255
"""calling-AE-invocation-id, so far as it names a user."""
INVOCATION_COUNTER = Obis(bytes((0, 0, 43, 1, 0, 255)))
"""Counter object of the first Security setup."""
DLMS_VERSION: Final = 6
SERVICES_OF_ITS_OWN: Final = (
    Conformance.GET
    | Conformance.SET
    | Conformance.ACTION
    | Conformance.ACCESS
    | Conformance.READ
    | Conformance.WRITE
    | Conformance.UNCONFIRMED_WRITE
)
"""Conformance bits of the services without one of which an association is of no use."""
AGREED_BEFOREHAND: Final = (
    Conformance.GET
    | Conformance.SET
    | Conformance.ACTION
    | Conformance.SELECTIVE_ACCESS
    | Conformance.BLOCK_TRANSFER_WITH_GET_OR_READ
    | Conformance.BLOCK_TRANSFER_WITH_SET_OR_WRITE
    | Conformance.BLOCK_TRANSFER_WITH_ACTION
    | Conformance.GENERAL_PROTECTION
    | Conformance.READ
    | Conformance.WRITE
    | Conformance.UNCONFIRMED_WRITE
    | Conformance.PARAMETERIZED_ACCESS
)
"""What a meter does as a rule, with logical or with short names; without lists, since asking singly always does."""


def check_blocks(window: int, retries: int) -> None:
    """Raise ConfigurationError where general blocks cannot be sent so."""
    if not 1 <= window <= LARGEST_WINDOW:
        raise ConfigurationError(f"block_window is 1 to {LARGEST_WINDOW} blocks, not {window}")
    if retries < 0:
        raise ConfigurationError(f"block_retries is 0 or more, not {retries}")


def check_keys(material: SecurityMaterial, protection: Protection, *, layered: bool = False) -> None:
    """Raise ConfigurationError where the keys do not suffice for a protection. layered: general-signing is set up."""
    if protection & Protection.SIGNED and not layered:
        raise ConfigurationError("digital signatures are asked for, and nothing says who signs: give parties")
    if protection & Protection.AUTHENTICATED and material.authentication_key is None:
        raise ConfigurationError("authentication needs the authentication key beside the encryption key")


def check_certificate(certificate: bytes | None, mechanism: AuthenticationMechanism) -> None:
    """Raise ConfigurationError for a certificate that would not be sent, and for one of no octets."""
    if certificate is not None and (mechanism is not AuthenticationMechanism.HLS_ECDSA or not certificate):
        raise ConfigurationError("a certificate is sent with mechanism hls-ecdsa alone: leave it out, or name that")


def plain_room(max_pdu_size: int, *, protected: bool, general: bool) -> int:
    """Return the octets of the longest plain APDU that fits, protected, into one of ``max_pdu_size`` (0: no limit).

    Less than 1 where none does. general: in general-glo-ciphering or general-ded-ciphering, with the system title.
    """
    size = max_pdu_size or 0xFFFF
    if not protected:
        return size
    content = size - 2 - (1 + SYSTEM_TITLE_LENGTH if general else 0)
    if content > 127:  # the length of the content takes two octets, or three
        content -= 1 if content <= 256 else 2
    return content - 17  # security control, invocation counter and authentication tag


@dataclass(frozen=True, slots=True, kw_only=True)
class PreEstablished:
    """What is agreed beforehand of an association that stands without AARQ; on top of it stand the settings of the side
    that has it: whether it is ciphered, keys and titles of both, the largest APDU that it takes itself.

    conformance: the services, so far as the side knows them. max_pdu_size: largest APDU that the other side takes, in
    octets, 12 to 65535, or 0 for no limit. confirmed: False where unconfirmed services are served only, as by all
    stations. replaceable:
    (server) an AARQ opens an association in its place, until that is released; otherwise it is refused. dlms_version:
    6, the only one.

    Raises ConfigurationError for what cannot be.
    """

    conformance: Conformance = AGREED_BEFOREHAND
    max_pdu_size: int = 0xFFFF
    confirmed: bool = True
    replaceable: bool = False
    dlms_version: int = DLMS_VERSION

    def __post_init__(self) -> None:
        if self.max_pdu_size and not LEAST_PDU_SIZE <= self.max_pdu_size <= 0xFFFF:
            raise ConfigurationError(f"max_pdu_size is 0 or 12 to 65535 octets, not {self.max_pdu_size}")
        if not self.conformance & SERVICES_OF_ITS_OWN:
            raise ConfigurationError("a pre-established association has a service: GET, SET, ACTION, Read ...")
        if self.dlms_version != DLMS_VERSION:
            raise ConfigurationError(f"dlms version {self.dlms_version} is not spoken, only {DLMS_VERSION}")

    def check(
        self, mechanism: AuthenticationMechanism, ciphered: bool, peer_title: bytes | None, *, sends_only: bool = False
    ) -> None:
        """Raise ConfigurationError where it cannot stand: nobody is asked to prove anything, or to name a title.

        sends_only: nothing comes from the other side.
        """
        if mechanism is not AuthenticationMechanism.LOWEST and not self.replaceable:
            raise ConfigurationError("a pre-established association knows no authentication: leave the mechanism out")
        if ciphered and peer_title is None and not sends_only:
            raise ConfigurationError("a pre-established association with ciphering needs the titles of both sides")
        if ciphered and plain_room(self.max_pdu_size, protected=True, general=True) < LEAST_PDU_SIZE:
            raise ConfigurationError(f"nothing that is ciphered fits into {self.max_pdu_size} octets")


def to_all_stations(settings: ClientSettings) -> ClientSettings:
    """Return settings for what is sent to all stations: pre-established, not confirmed, and with ciphering under the
    broadcast key. Raises ConfigurationError where that is missing, and where what is sent has to be signed."""
    if settings.layers is not None and any(layer.signing for layer in settings.layers.layers):
        raise ConfigurationError("what is sent to all stations is not signed: its layers would be for one of them")
    return replace(
        settings,
        mechanism=AuthenticationMechanism.LOWEST,
        secret=None,
        certificate=None,
        user_id=None,
        dedicated_key=False,
        response_allowed=True,
        repetitions=0,
        pre_established=replace(settings.pre_established or PreEstablished(), confirmed=False),
        broadcast=settings.ciphered,
        layers=None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """How one association is opened.

    mechanism: authentication. secret: password (mechanism 1) or HLS secret (2, 3, 4, 6). short_names: application
    context with short-name referencing. ciphered: with ciphering. material: the keys, for ciphering and mechanism 5.
    counters: where invocation counters are kept; shared by all that use the same keys. system_title: the client's own,
    8 octets. server_title: the title that the server must have; None takes the one of the AARE. protection: of what is
    sent in a ciphered context; require: least protection of what is accepted. dedicated_key: draw one for the
    association. user_id: calling-AE-invocation-id, 0 to 255. max_pdu_size: largest APDU that is taken, in octets, 12 to
    65535, or 0. conformance: what is proposed at most. response_timeout: in seconds. transformation: f of mechanism 2.
    invocation_counter: the object from which the public client may read the counter of these keys. pre_established:
    what is agreed of an association that is neither opened nor released; it has no authentication, no dedicated key,
    and names no user. response_allowed: False opens without an answer: what is proposed is taken for agreed, and only
    unconfirmed services can be asked for; no high level security. signing_key, signers: of mechanism 7, the own private
    key and where the public key of the server is found; certificate: the own one, DER, sent in the AARQ. broadcast:
    what is sent goes to many, in a pre-established association without confirmed services; with ciphering under the
    broadcast key.

    general_blocks: what does not fit into one APDU goes in general blocks, both ways, where the server agrees to them;
    else, and unless told, in the blocks of each service. block_window: how many of them are taken at a time, 1 to 63.
    block_retries: how often in a row one is asked for, or sent, to no avail, once the server has sent one.

    parties: who protects what by general-ciphering and general-signing; with ciphering, and needs server_title. layers:
    those of every service that names none of its own, in place of the ciphered form that the dialect has; None: that
    form, under the keys of ``material``. What is asked in layers has to be answered in layers, as protected as
    ``require`` says, or as the request where that is None. sealed_inside: what stands in layers has the ciphered form
    too, as where an APDU is ciphered first and then signed around. rights: the protection that attributes and methods
    need, so far as it is known.

    For media that lose what is sent, such as UDP (:mod:`cosemic.association.repeating`): repetitions: how often what is
    not answered within response_timeout is sent again, in the same association; 0 on all others. repeat_changes: SET
    and ACTION too, because the server is known to keep its answers and to execute them once. datagram_lifetime: seconds
    that a request and its answer may be under way.

    Raises ConfigurationError for what does not fit together.
    """

    mechanism: AuthenticationMechanism = AuthenticationMechanism.LOWEST
    secret: Secret | None = None
    short_names: bool = False
    ciphered: bool = False
    material: SecurityMaterial | None = None
    counters: CounterStore = PROCESS_COUNTERS
    system_title: bytes = b""
    server_title: bytes | None = None
    protection: Protection = BOTH
    require: Protection | None = None
    dedicated_key: bool = False
    user_id: int | None = None
    max_pdu_size: int = 0xFFFF
    conformance: Conformance | None = None
    response_timeout: float = 10.0
    repetitions: int = 0
    repeat_changes: bool = False
    datagram_lifetime: float = 1.0
    transformation: Transformation = aes_128_ecb
    signing_key: SigningKey | None = None
    signers: PeerCertificates | None = None
    certificate: bytes | None = None
    invocation_counter: Obis = INVOCATION_COUNTER
    pre_established: PreEstablished | None = None
    response_allowed: bool = True
    broadcast: bool = False
    parties: GeneralParties | None = None
    layers: LayerPlan | None = None
    sealed_inside: bool = False
    rights: KnownRights | None = None
    general_blocks: bool = False
    block_window: int = BLOCK_WINDOW
    block_retries: int = 3
    dialect: Dialect = STANDARD
    limits: Limits = DEFAULT_LIMITS

    def __post_init__(self) -> None:
        if self.ciphered and self.material is None:
            raise ConfigurationError("a ciphered association needs encryption key and authentication key")
        if self.dedicated_key and not (self.ciphered and self.protection == BOTH):
            raise ConfigurationError("a dedicated key travels only in an authenticated and encrypted association")
        if self.mechanism is AuthenticationMechanism.LLS and self.secret is None:
            raise ConfigurationError("low level security needs a password")
        if self.mechanism is AuthenticationMechanism.LLS and self.ciphered and not self.dialect.lls_in_ciphered_context:
            raise ConfigurationError("the dialect forbids sending a password in clear in a ciphered association")
        if self.mechanism is AuthenticationMechanism.LLS and self.secret is not None and not self.secret.reveal():
            raise ConfigurationError("the password is empty")
        if len(self.system_title) not in (0, SYSTEM_TITLE_LENGTH):
            raise ConfigurationError(f"the own system title has {len(self.system_title)} octets, not 8")
        if self.server_title is not None and len(self.server_title) != SYSTEM_TITLE_LENGTH:
            raise ConfigurationError(f"the system title of the meter has {len(self.server_title)} octets, not 8")
        if self.server_title is not None and self.server_title == self.system_title:
            raise ConfigurationError("the system title of the meter is our own: one of them is set wrongly")
        if self.user_id is not None and not 0 <= self.user_id <= LARGEST_USER_ID:
            raise ConfigurationError(f"a user id is 0 to {LARGEST_USER_ID}, not {self.user_id}")
        if self.max_pdu_size and not LEAST_PDU_SIZE <= self.max_pdu_size <= 0xFFFF:
            raise ConfigurationError(f"max_pdu_size is 0 or 12 to 65535 octets, not {self.max_pdu_size}")
        if not self.response_timeout > 0:
            raise ConfigurationError(f"response_timeout is in seconds and above 0, not {self.response_timeout}")
        if self.repetitions < 0 or not 0 <= self.datagram_lifetime < math.inf:
            raise ConfigurationError("repetitions and datagram_lifetime are 0 or more")
        if self.repetitions and self.short_names:
            raise ConfigurationError("nothing is repeated with short names: no invoke-id tells the answers apart")
        check_blocks(self.block_window, self.block_retries)
        check_certificate(self.certificate, self.mechanism)
        if self.ciphered and self.material is not None:
            check_keys(self.material, self.protection)
            check_keys(self.material, self.require or self.protection, layered=self.parties is not None)
        if self.pre_established is not None:
            self._check_pre_established(self.pre_established)
        if self.broadcast and (self.pre_established is None or self.pre_established.confirmed):
            raise ConfigurationError("what is sent to many needs a pre-established association, not confirmed")
        if self.parties is not None:
            self._check_parties(self.parties)
        elif self.layers is not None:
            raise ConfigurationError("layers need parties: say who protects what is exchanged")
        if self.general and not self._general_protection:
            raise ConfigurationError(
                "the dialect sends everything in general envelopes, and general-protection is not agreed: add it to "
                "the conformance, or take the service-specific ciphered form"
            )
        if not self.response_allowed and (self.pre_established is not None or self.mechanism not in LOW_LEVEL):
            raise ConfigurationError(
                "an association that is opened without an answer is not pre-established, and has no high level security"
            )
        if self.mechanism not in LOW_LEVEL:
            self.credentials(self.context())
        elif self.ciphered:
            self.context()

    def _check_pre_established(self, agreed: PreEstablished) -> None:
        agreed.check(self.mechanism, self.ciphered, self.server_title, sends_only=not agreed.confirmed)
        if agreed.replaceable or self.dedicated_key or self.user_id is not None:
            raise ConfigurationError("only an AARQ brings a dedicated key or a user, or replaces an association")

    def _check_parties(self, parties: GeneralParties) -> None:
        if not self.ciphered or self.material is None or not self._general_protection:
            raise ConfigurationError("parties need a ciphered association with general-protection")
        if self.server_title is None:
            raise ConfigurationError("parties need the system title of the meter: whose keys they are (server_title)")
        check_parties(parties, self.system_title, self.material, self.dialect)
        self.check_plan(self.layers)

    def check_plan(self, plan: LayerPlan | None) -> None:
        """Raise ConfigurationError for layers that cannot be put around what is sent in this association."""
        if plan is None:
            return
        if self.parties is None:
            raise ConfigurationError("layers need parties: say who protects what is exchanged")
        if not plan.layers or any(layer.recipient not in (self.server_title, b"") for layer in plan.layers):
            raise ConfigurationError("the layers of an association are for the meter: name server_title as recipient")

    def originator_of(self, apdu: bytes) -> bytes:
        """Return the system title of the third party that has protected an APDU for the server.

        Raises ConfigurationError where it is none of ``brokers_for``, DecodeError for what has no layers.
        """
        title = read_header(apdu)[0].originator
        if self.parties is None or title not in self.parties.brokers_for:
            raise ConfigurationError("this third party is not among those whose APDUs are handed on (brokers_for)")
        return title

    @property
    def _general_protection(self) -> bool:
        """Whether general-protection is proposed, and part of what is agreed beforehand."""
        able = ~self.dialect.differences.reserved
        if self.conformance is not None:
            able &= self.conformance
        if self.pre_established is not None:
            able &= self.pre_established.conformance
        return bool(able & Conformance.GENERAL_PROTECTION)

    @property
    def confirmed(self) -> bool:
        """Whether confirmed services can be asked for."""
        return self.response_allowed and (self.pre_established is None or self.pre_established.confirmed)

    @property
    def uses_counters(self) -> bool:
        """Whether invocation counters are drawn: by ciphering, and by mechanism 5."""
        return self.ciphered or self.mechanism is AuthenticationMechanism.HLS_GMAC

    @property
    def application_context(self) -> ApplicationContext:
        """The application context name that is proposed."""
        return ApplicationContext.of(short_names=self.short_names, ciphered=self.ciphered)

    @property
    def general(self) -> bool:
        """Whether ciphered services travel in general-glo-ciphering and general-ded-ciphering."""
        return self.ciphered and self.dialect.ciphered_form is CipheredForm.GENERAL

    def context(self) -> SecurityContext | None:
        """Return a fresh security context for one opening, or None where no keys are given."""
        if self.material is None:
            return None
        none = Protection.NONE
        require = self.protection if self.require is None else self.require
        return SecurityContext(
            self.system_title,
            self.server_title,
            self.material.with_dedicated_key(None),
            self.counters,
            send=self.protection if self.ciphered else none,
            require=require & BOTH if self.ciphered else none,
            dialect=self.dialect,
            gmac_offered=self.mechanism is AuthenticationMechanism.HLS_GMAC,
            broadcast=self.broadcast,
            expand_to=0 if Quirk.LONG_ANSWERS in self.dialect.quirks else self.max_pdu_size,
        )

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
