"""What one side proves itself with in high level security (Green Book 9.2.7.4; reference, security 6).

The formulas are those of :mod:`cosemic.security.hls`; here stands what goes into them, by mechanism: a secret, the keys
of a security context, or a private key and whoever knows that of the other side.
"""

from __future__ import annotations

from dataclasses import dataclass
from hmac import compare_digest
from typing import Final

from cosemic.errors import AuthenticationFailed, ConfigurationError
from cosemic.security import hls
from cosemic.security.context import SecurityContext
from cosemic.security.elliptic import PublicKey, SigningKey
from cosemic.security.keys import Key
from cosemic.security.signers import PeerCertificates
from cosemic.security.suite import SYSTEM_TITLE_LENGTH, SecurityControl
from cosemic.values.enumerations import AuthenticationMechanism
from cosemic.values.secret import Secret

SERVED_MECHANISMS: Final = frozenset(
    {
        AuthenticationMechanism.HLS,
        AuthenticationMechanism.HLS_MD5,
        AuthenticationMechanism.HLS_SHA1,
        AuthenticationMechanism.HLS_GMAC,
        AuthenticationMechanism.HLS_SHA256,
        AuthenticationMechanism.HLS_ECDSA,
    }
)
"""High level mechanisms that :class:`HlsClient` and :class:`HlsServer` speak."""
TITLED_MECHANISMS: Final = frozenset(
    {AuthenticationMechanism.HLS_GMAC, AuthenticationMechanism.HLS_SHA256, AuthenticationMechanism.HLS_ECDSA}
)
"""Those that need both system titles, in ciphered and plain application contexts alike."""
WITHOUT_SECRET: Final = frozenset({AuthenticationMechanism.HLS_GMAC, AuthenticationMechanism.HLS_ECDSA})
"""Those that work with keys, where the others have a secret."""
Shared = Secret | Key | PublicKey
"""By what challenges are told apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HlsCredentials:
    """What one side proves itself with.

    mechanism: one of :data:`SERVED_MECHANISMS`. secret: of mechanisms 2, 3, 4 and 6, not empty. context: of mechanism
    5, in plain application contexts too: its keys, titles, counters and dialect. own_title: 8 octets, of mechanisms 6
    and 7 (that of the context otherwise). transformation: f of mechanism 2. signing_key, signers: of mechanism 7, the
    own private key and where the public key of the other side is found; with a context, on the curve of its suite.

    Raises ConfigurationError for what is missing.
    """

    mechanism: AuthenticationMechanism
    secret: Secret | None = None
    context: SecurityContext | None = None
    own_title: bytes = b""
    transformation: hls.Transformation = hls.aes_128_ecb
    signing_key: SigningKey | None = None
    signers: PeerCertificates | None = None

    def __post_init__(self) -> None:
        if self.mechanism not in SERVED_MECHANISMS:
            raise ConfigurationError(f"mechanism {self.mechanism.label} has no challenges that can be answered here")
        if self.mechanism is AuthenticationMechanism.HLS_GMAC:
            if self.context is None or self.context.material.authentication_key is None:
                raise ConfigurationError("mechanism hls-gmac needs encryption key and authentication key")
        elif self.mechanism is AuthenticationMechanism.HLS_ECDSA:
            self._check_signing_key()
        elif self.secret is None or not self.secret.reveal():
            raise ConfigurationError(f"mechanism {self.mechanism.label} needs a secret that is not empty")
        if self.mechanism in TITLED_MECHANISMS and len(self.title) != SYSTEM_TITLE_LENGTH:
            raise ConfigurationError(f"mechanism {self.mechanism.label} needs the own system title of 8 octets")

    def _check_signing_key(self) -> None:
        if self.signing_key is None or self.signers is None:
            raise ConfigurationError(
                "mechanism hls-ecdsa needs the own private key for signatures, and public key or trust anchors for the "
                "other side"
            )
        suite = None if self.context is None else self.context.material.suite
        curve = self.signing_key.public.suite_curve
        if suite is not None and suite.curve != curve:
            needs = f"a private key on {suite.curve}, not on {curve}" if suite.curve else "security suite 1 or 2"
            raise ConfigurationError(f"mechanism hls-ecdsa beside keys of security suite {suite.id} needs {needs}")

    @property
    def challenge_length(self) -> int:
        """Octets of the own challenge unless told otherwise."""
        signed = self.mechanism is AuthenticationMechanism.HLS_ECDSA
        return hls.SHORTEST_SIGNED_CHALLENGE if signed else hls.CHALLENGE_LENGTH

    @property
    def shortest_challenge(self) -> int:
        """Octets of the shortest challenge of the mechanism."""
        signed = self.mechanism is AuthenticationMechanism.HLS_ECDSA
        return hls.SHORTEST_SIGNED_CHALLENGE if signed else hls.SHORTEST_CHALLENGE

    @property
    def title(self) -> bytes:
        """The own system title; empty where there is none."""
        return self.own_title or (self.context.own_title if self.context else b"")

    @property
    def shared(self) -> Shared:
        """What both sides know, to tell challenges under different secrets apart; in mechanism 7 our public key."""
        if self.mechanism is AuthenticationMechanism.HLS_ECDSA:
            assert self.signing_key is not None
            return self.signing_key.public
        if self.secret is not None and self.mechanism is not AuthenticationMechanism.HLS_GMAC:
            return self.secret
        assert self.context is not None
        return self.context.material.encryption_key

    def signer(self, title: bytes, presented: bytes | None) -> PublicKey:
        """Return the public key of the other side, in mechanism 7.

        Raises CertificateError where none is believed to be that title's; AuthenticationFailed for our own key, and for
        one on another curve than ours.
        """
        assert self.signing_key is not None
        assert self.signers is not None
        found, own = self.signers.signer(title, presented), self.signing_key.public
        if found == own:
            raise AuthenticationFailed("the peer's public key is our own: a certificate or a key is set wrongly")
        if found.curve is not own.curve:
            raise AuthenticationFailed(
                f"the peer signs on {found.suite_curve}, and we on {own.suite_curve}: check the security suites"
            )
        return found

    def prove(self, answered: bytes, own: bytes, peer_title: bytes) -> bytes:
        """Return f of the peer's challenge. Mechanism 5 draws a counter. Raises what the formulas raise."""
        if self.mechanism is AuthenticationMechanism.HLS_ECDSA:
            assert self.signing_key is not None
            return hls.ecdsa(answered, own, self.title, peer_title, self.signing_key)
        if self.mechanism is not AuthenticationMechanism.HLS_GMAC:
            return self._value(answered, own, self.title, peer_title)
        context, authentication_key = self._gmac_keys()
        return hls.gmac(
            answered,
            context.material.encryption_key,
            authentication_key,
            context.own_title,
            context.transmit.next(),
            self._gmac_control(context),
        )

    def check(
        self, value: bytes, answered: bytes, own: bytes, peer_title: bytes, peer_key: PublicKey | None = None
    ) -> None:
        """Raise AuthenticationFailed unless ``value`` is the peer's f of ``answered``, the challenge sent to it.

        peer_key: of mechanism 7, from :meth:`signer`.
        """
        if self.mechanism is AuthenticationMechanism.HLS_ECDSA:
            assert peer_key is not None
            hls.verify_ecdsa(value, answered, own, peer_title, self.title, peer_key)
            return
        if self.mechanism is not AuthenticationMechanism.HLS_GMAC:
            if not compare_digest(self._value(answered, own, peer_title, self.title), value):
                raise AuthenticationFailed(hls.FAILED)
            return
        context, authentication_key = self._gmac_keys()
        counter = hls.verify_gmac(
            value,
            answered,
            context.material.encryption_key,
            authentication_key,
            peer_title,
            self._gmac_control(context),
        )
        # The APDU around the value was enciphered after it, with a higher counter: it need not be fresh, only noted,
        # so that the same counter is not accepted with this tag on an APDU.
        context.receive.observe(counter)

    def _value(self, answered: bytes, own: bytes, answering_title: bytes, asking_title: bytes) -> bytes:
        assert self.secret is not None
        match self.mechanism:
            case AuthenticationMechanism.HLS_MD5:
                return hls.md5(answered, self.secret)
            case AuthenticationMechanism.HLS_SHA1:
                return hls.sha1(answered, self.secret)
            case AuthenticationMechanism.HLS_SHA256:
                return hls.sha256(answered, own, answering_title, asking_title, self.secret)
            case _:
                return self.transformation(answered, self.secret)

    def _gmac_keys(self) -> tuple[SecurityContext, Key]:
        assert self.context is not None
        assert self.context.material.authentication_key is not None
        return self.context, self.context.material.authentication_key

    @staticmethod
    def _gmac_control(context: SecurityContext) -> SecurityControl:
        return hls.gmac_control(context.material.suite.id, without_suite=context.dialect.gmac_control_without_suite)
