"""What a client association is opened with (parameters of COSEM-OPEN.request, IEC 62056-5-3)."""

from __future__ import annotations

from dataclasses import dataclass

from cosemic.codec import DEFAULT_LIMITS, Limits
from cosemic.dialect import STANDARD, CipheredForm, Dialect
from cosemic.errors import ConfigurationError
from cosemic.security import (
    PROCESS_COUNTERS,
    CounterStore,
    HlsCredentials,
    Protection,
    SecurityContext,
    SecurityMaterial,
    aes_128_ecb,
)
from cosemic.security.hls import Transformation
from cosemic.values import ApplicationContext, AuthenticationMechanism, Conformance, Obis, Secret

LOW_LEVEL = (AuthenticationMechanism.LOWEST, AuthenticationMechanism.LLS)
BOTH = Protection.AUTHENTICATED | Protection.ENCRYPTED
LEAST_PDU_SIZE = 12
"""The smallest max-receive-pdu-size that can be negotiated, in octets; 0 means no limit."""
SYSTEM_TITLE_LENGTH = 8
LARGEST_USER_ID = 255
"""calling-AE-invocation-id, so far as it names a user."""
INVOCATION_COUNTER = Obis(bytes((0, 0, 43, 1, 0, 255)))
"""Counter object of the first Security setup."""


def check_keys(material: SecurityMaterial, protection: Protection) -> None:
    """Raise ConfigurationError where the keys do not suffice for a protection."""
    if protection & Protection.SIGNED:
        raise ConfigurationError("digital signatures are asked for, which security suite 0 does not have")
    if protection & Protection.AUTHENTICATED and material.authentication_key is None:
        raise ConfigurationError("authentication needs the authentication key beside the encryption key")


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
class ClientSettings:
    """How one association is opened.

    mechanism: authentication. secret: password (mechanism 1) or HLS secret (2, 3, 4, 6). ciphered: application context
    with ciphering. material: the keys, for ciphering and mechanism 5. counters: where invocation counters are kept;
    shared by all that use the same keys. system_title: the client's own, 8 octets. server_title: the title that the
    server must have; None takes the one of the AARE. protection: of what is sent in a ciphered context; require: least
    protection of what is accepted. dedicated_key: draw one for the association. user_id: calling-AE-invocation-id, 0 to
    255. max_pdu_size: largest APDU that is taken, in octets, 12 to 65535, or 0. conformance: what is proposed at most.
    response_timeout: in seconds. transformation: f of mechanism 2. invocation_counter: the object from which the public
    client may read the counter of these keys.

    Raises ConfigurationError for what does not fit together.
    """

    mechanism: AuthenticationMechanism = AuthenticationMechanism.LOWEST
    secret: Secret | None = None
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
    transformation: Transformation = aes_128_ecb
    invocation_counter: Obis = INVOCATION_COUNTER
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
        if self.ciphered and self.material is not None:
            wanted = self.protection if self.require is None else self.protection | self.require
            check_keys(self.material, wanted)
        if self.mechanism not in LOW_LEVEL:
            self.credentials(self.context())
        elif self.ciphered:
            self.context()

    @property
    def uses_counters(self) -> bool:
        """Whether invocation counters are drawn: by ciphering, and by mechanism 5."""
        return self.ciphered or self.mechanism is AuthenticationMechanism.HLS_GMAC

    @property
    def application_context(self) -> ApplicationContext:
        """The application context name that is proposed."""
        return ApplicationContext.LN_CIPHERED if self.ciphered else ApplicationContext.LN

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
            require=require if self.ciphered else none,
            dialect=self.dialect,
            gmac_offered=self.mechanism is AuthenticationMechanism.HLS_GMAC,
        )

    def credentials(self, context: SecurityContext | None) -> HlsCredentials:
        """Return what high level security works with. Raises ConfigurationError for what is missing."""
        return HlsCredentials(
            mechanism=self.mechanism,
            secret=self.secret,
            context=context,
            own_title=self.system_title,
            transformation=self.transformation,
        )
