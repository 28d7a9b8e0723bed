"""Both sides of high level security, one object for each opening (Green Book 9.2.7.4; reference, security 6).

::

    side     state        event                         next          what happens
    client   challenged   answer(StoC)                  answered      StoC checked, f(StoC) returned
    client   answered     verify(f(CtoS))               proved        the association counts as open
    server   challenged   verify(f(StoC))               answered      the only attempt
    server   answered     answer()                      proved        f(CtoS) returned, once
    any      any          anything else, or a failure   finished      AuthenticationFailed; close the association

What the formulas alone do not give: a client refuses a StoC that is a challenge it has itself outstanding under the
same secret in *any* association of the process, or it would answer itself; neither side talks to its own system title;
the client is satisfied by nothing but a right f(CtoS); a server judges one attempt for each challenge.
"""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from dataclasses import dataclass
from enum import Enum, auto
from hmac import compare_digest
from typing import Final

from cosemic.errors import AuthenticationFailed, ConfigurationError
from cosemic.security import hls
from cosemic.security.context import REFLECTED, SecurityContext
from cosemic.security.keys import Key
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
    }
)
"""High level mechanisms that :class:`HlsClient` and :class:`HlsServer` speak."""
TITLED_MECHANISMS: Final = frozenset({AuthenticationMechanism.HLS_GMAC, AuthenticationMechanism.HLS_SHA256})
"""Those that need both system titles, in ciphered and plain application contexts alike."""


class OutstandingChallenges:
    """The challenges that clients of this process have sent and that are not answered yet, by secret."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._challenges: Counter[tuple[Secret | Key, bytes]] = Counter()

    def add(self, secret: Secret | Key, challenge: bytes) -> None:
        """Remember a challenge that is about to be sent."""
        with self._lock:
            self._challenges[secret, challenge] += 1

    def remove(self, secret: Secret | Key, challenge: bytes) -> None:
        """Forget it once: it was answered, or its association is gone."""
        with self._lock:
            if self._challenges[secret, challenge] <= 1:
                del self._challenges[secret, challenge]
            else:
                self._challenges[secret, challenge] -= 1

    def __contains__(self, pair: tuple[Secret | Key, bytes]) -> bool:
        with self._lock:
            return pair in self._challenges

    def __len__(self) -> int:
        return self._challenges.total()


OUTSTANDING: Final = OutstandingChallenges()


@dataclass(frozen=True, slots=True, kw_only=True)
class HlsCredentials:
    """What one side proves itself with.

    mechanism: one of :data:`SERVED_MECHANISMS`. secret: of mechanisms 2, 3, 4 and 6, not empty. context: of mechanism
    5, in plain application contexts too: its keys, titles, counters and dialect. own_title: 8 octets, of mechanism 6
    (that of the context otherwise). transformation: f of mechanism 2. Raises ConfigurationError for what is missing.
    """

    mechanism: AuthenticationMechanism
    secret: Secret | None = None
    context: SecurityContext | None = None
    own_title: bytes = b""
    transformation: hls.Transformation = hls.aes_128_ecb

    def __post_init__(self) -> None:
        if self.mechanism not in SERVED_MECHANISMS:
            raise ConfigurationError(f"mechanism {self.mechanism.label} has no challenges that can be answered here")
        if self.mechanism is AuthenticationMechanism.HLS_GMAC:
            if self.context is None or self.context.material.authentication_key is None:
                raise ConfigurationError("mechanism hls-gmac needs encryption key and authentication key")
        elif self.secret is None or not self.secret.reveal():
            raise ConfigurationError(f"mechanism {self.mechanism.label} needs a secret that is not empty")
        if self.mechanism in TITLED_MECHANISMS and len(self.title) != SYSTEM_TITLE_LENGTH:
            raise ConfigurationError(f"mechanism {self.mechanism.label} needs the own system title of 8 octets")

    @property
    def title(self) -> bytes:
        """The own system title; empty where there is none."""
        return self.own_title or (self.context.own_title if self.context else b"")

    @property
    def shared(self) -> Secret | Key:
        """What both sides know, to tell challenges under different secrets apart."""
        if self.secret is not None and self.mechanism is not AuthenticationMechanism.HLS_GMAC:
            return self.secret
        assert self.context is not None
        return self.context.material.encryption_key

    def prove(self, answered: bytes, own: bytes, peer_title: bytes) -> bytes:
        """Return f of the peer's challenge. Mechanism 5 draws a counter. Raises what the formulas raise."""
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

    def check(self, value: bytes, answered: bytes, own: bytes, peer_title: bytes) -> None:
        """Raise AuthenticationFailed unless ``value`` is the peer's f of ``answered``, the challenge sent to it."""
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


class _State(Enum):
    CHALLENGED = auto()
    ANSWERED = auto()
    PROVED = auto()
    FINISHED = auto()


class _Side:
    """What both sides share: the own challenge, the state, and that any failure ends it."""

    def __init__(self, credentials: HlsCredentials, length: int, randomness: hls.Randomness) -> None:
        self.credentials = credentials
        self.challenge: Final = hls.make_challenge(length, randomness)
        """The own challenge: CtoS of a client, StoC of a server."""
        self._state = _State.CHALLENGED
        self._theirs = b""
        self._peer_title = b""

    @property
    def proved(self) -> bool:
        """Both sides have proved themselves."""
        return self._state is _State.PROVED

    def _step(self, expected: _State) -> None:
        """Leave the state, into a dead end until the step has succeeded."""
        if self._state is not expected:
            self.close()
            raise AuthenticationFailed("a pass of high level security came out of turn, or twice: open anew")
        self._state = _State.FINISHED

    def _check_peer(self, challenge: bytes, title: bytes | None) -> None:
        if not hls.SHORTEST_CHALLENGE <= len(challenge) <= hls.LONGEST_CHALLENGE:
            raise AuthenticationFailed(f"the challenge of the peer has {len(challenge)} octets, not 8 to 64")
        if title and title == self.credentials.title:
            raise AuthenticationFailed(REFLECTED)
        if self.credentials.mechanism in TITLED_MECHANISMS:
            if title is None or len(title) != SYSTEM_TITLE_LENGTH:
                raise AuthenticationFailed(
                    f"mechanism {self.credentials.mechanism.label} needs the peer's system title of 8 octets"
                )
            if self.credentials.context is not None:
                self.credentials.context.set_peer_title(title)
        self._theirs = challenge
        self._peer_title = title or b""

    def close(self) -> None:
        """End the exchange: the association is gone."""
        self._state = _State.FINISHED


class HlsClient(_Side):
    """The client's side of one opening; ``challenge`` is CtoS.

    length: octets of the challenge, 8 to 64. outstanding: where challenges of this process are known. Close it when the
    association is gone before :meth:`verify`.
    """

    def __init__(
        self,
        credentials: HlsCredentials,
        *,
        length: int = hls.CHALLENGE_LENGTH,
        randomness: hls.Randomness = secrets.token_bytes,
        outstanding: OutstandingChallenges = OUTSTANDING,
    ) -> None:
        super().__init__(credentials, length, randomness)
        self._outstanding = outstanding
        self._registered = True
        outstanding.add(credentials.shared, self.challenge)

    def answer(self, server_challenge: bytes, responding_title: bytes | None) -> bytes:
        """Return f(StoC) for what the AARE brought.

        Raises AuthenticationFailed for a challenge of another length or one of our own, and for our own title; the
        exchange is over then. DecipheringError when the title is not the one agreed.
        """
        self._step(_State.CHALLENGED)
        try:
            if (self.credentials.shared, server_challenge) in self._outstanding:
                raise AuthenticationFailed("the server sent back a challenge of ours: it does not know the secret")
            self._check_peer(server_challenge, responding_title)
            value = self.credentials.prove(server_challenge, self.challenge, self._peer_title)
            self._state = _State.ANSWERED
        finally:
            if self._state is not _State.ANSWERED:
                self.close()
        return value

    def verify(self, value: bytes | None) -> None:
        """Take f(CtoS), the data of the answer to pass 3; None when it brought none, success or not.

        Raises AuthenticationFailed unless it is right: then, and only then, the association is not open.
        """
        self._step(_State.ANSWERED)
        try:
            if value is None:
                raise AuthenticationFailed("the server answered pass 3 without proving itself")
            self.credentials.check(value, self.challenge, self._theirs, self._peer_title)
        finally:
            self.close()
        self._state = _State.PROVED

    def close(self) -> None:
        """End the exchange, and forget the challenge."""
        super().close()
        if self._registered:
            self._registered = False
            self._outstanding.remove(self.credentials.shared, self.challenge)


class HlsServer(_Side):
    """The server's side of one opening; ``challenge`` is StoC.

    client_challenge: CtoS of the AARQ. calling_title: of the AARQ, None where it had none. length: octets of the own
    challenge. Raises AuthenticationFailed for a challenge that is too short or too long, our own title, or a missing
    title: reject the AARQ.
    """

    def __init__(
        self,
        credentials: HlsCredentials,
        client_challenge: bytes,
        calling_title: bytes | None,
        *,
        length: int = hls.CHALLENGE_LENGTH,
        randomness: hls.Randomness = secrets.token_bytes,
    ) -> None:
        super().__init__(credentials, length, randomness)
        if self.challenge == client_challenge:
            raise AuthenticationFailed("both challenges are the same")
        self._check_peer(client_challenge, calling_title)

    def verify(self, value: bytes) -> None:
        """Judge f(StoC): the one attempt. Raises AuthenticationFailed: close the association."""
        self._step(_State.CHALLENGED)
        self.credentials.check(value, self.challenge, self._theirs, self._peer_title)
        self._state = _State.ANSWERED

    def answer(self) -> bytes:
        """Return f(CtoS), once, after :meth:`verify` has succeeded. Raises AuthenticationFailed otherwise."""
        self._step(_State.ANSWERED)
        value = self.credentials.prove(self._theirs, self.challenge, self._peer_title)
        self._state = _State.PROVED
        return value
