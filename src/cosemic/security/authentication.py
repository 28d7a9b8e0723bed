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
the client is satisfied by nothing but a right f(CtoS); a server judges one attempt for each challenge. In mechanism 7
the key of the other side is found, and its certificate verified, before anything is signed or judged.
"""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from enum import Enum, auto
from typing import Final

from cosemic.errors import AuthenticationFailed
from cosemic.security import hls
from cosemic.security.context import REFLECTED
from cosemic.security.credentials import TITLED_MECHANISMS, HlsCredentials, Shared
from cosemic.security.elliptic import PublicKey
from cosemic.security.suite import SYSTEM_TITLE_LENGTH
from cosemic.values.enumerations import AuthenticationMechanism


class OutstandingChallenges:
    """The challenges that clients of this process have sent and that are not answered yet, by secret."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._challenges: Counter[tuple[Shared, bytes]] = Counter()

    def add(self, secret: Shared, challenge: bytes) -> None:
        """Remember a challenge that is about to be sent."""
        with self._lock:
            self._challenges[secret, challenge] += 1

    def remove(self, secret: Shared, challenge: bytes) -> None:
        """Forget it once: it was answered, or its association is gone."""
        with self._lock:
            if self._challenges[secret, challenge] <= 1:
                del self._challenges[secret, challenge]
            else:
                self._challenges[secret, challenge] -= 1

    def __contains__(self, pair: tuple[Shared, bytes]) -> bool:
        with self._lock:
            return pair in self._challenges

    def __len__(self) -> int:
        return self._challenges.total()


OUTSTANDING: Final = OutstandingChallenges()


class _State(Enum):
    CHALLENGED = auto()
    ANSWERED = auto()
    PROVED = auto()
    FINISHED = auto()


class _Side:
    """What both sides share: the own challenge, the state, and that any failure ends it."""

    def __init__(self, credentials: HlsCredentials, length: int | None, randomness: hls.Randomness) -> None:
        self.credentials = credentials
        if length is None:
            length = credentials.challenge_length
        self.challenge: Final = hls.make_challenge(length, randomness, shortest=credentials.shortest_challenge)
        """The own challenge: CtoS of a client, StoC of a server."""
        self._state = _State.CHALLENGED
        self._theirs = b""
        self._peer_title = b""
        self._peer_key: PublicKey | None = None

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

    def _check_peer(self, challenge: bytes, title: bytes | None, certificate: bytes | None) -> None:
        shortest = self.credentials.shortest_challenge
        if not shortest <= len(challenge) <= hls.LONGEST_CHALLENGE:
            raise AuthenticationFailed(f"the challenge of the peer has {len(challenge)} octets, not {shortest} to 64")
        if title and title == self.credentials.title:
            raise AuthenticationFailed(REFLECTED)
        if self.credentials.mechanism in TITLED_MECHANISMS:
            if title is None or len(title) != SYSTEM_TITLE_LENGTH:
                raise AuthenticationFailed(
                    f"mechanism {self.credentials.mechanism.label} needs the peer's system title of 8 octets"
                )
            if self.credentials.context is not None:
                self.credentials.context.set_peer_title(title)
            if self.credentials.mechanism is AuthenticationMechanism.HLS_ECDSA:
                self._peer_key = self.credentials.signer(title, certificate)
        self._theirs = challenge
        self._peer_title = title or b""

    def close(self) -> None:
        """End the exchange: the association is gone."""
        self._state = _State.FINISHED


class HlsClient(_Side):
    """The client's side of one opening; ``challenge`` is CtoS.

    length: octets of the challenge, 8 to 64; None: 16, in mechanism 7 32, which is the least there. outstanding: where
    challenges of this process are known. Close it when the association is gone before :meth:`verify`.
    """

    def __init__(
        self,
        credentials: HlsCredentials,
        *,
        length: int | None = None,
        randomness: hls.Randomness = secrets.token_bytes,
        outstanding: OutstandingChallenges = OUTSTANDING,
    ) -> None:
        super().__init__(credentials, length, randomness)
        self._outstanding = outstanding
        self._registered = True
        outstanding.add(credentials.shared, self.challenge)

    def answer(
        self, server_challenge: bytes, responding_title: bytes | None, certificate: bytes | None = None
    ) -> bytes:
        """Return f(StoC) for what the AARE brought; certificate: its responding-AE-qualifier, looked at in mechanism 7.

        Raises AuthenticationFailed for a challenge of another length or one of our own, and for our own title or key;
        CertificateError where no key is believed to be the server's; DecipheringError when the title is not the one
        agreed. The exchange is over then.
        """
        self._step(_State.CHALLENGED)
        try:
            if (self.credentials.shared, server_challenge) in self._outstanding:
                raise AuthenticationFailed("the server sent back a challenge of ours: it does not know the secret")
            self._check_peer(server_challenge, responding_title, certificate)
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
            self.credentials.check(value, self.challenge, self._theirs, self._peer_title, self._peer_key)
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

    client_challenge: CtoS of the AARQ. calling_title: of the AARQ, None where it had none. certificate: its
    calling-AE-qualifier, looked at in mechanism 7. length: octets of the own challenge. Raises AuthenticationFailed for
    a challenge that is too short or too long, our own title or key, or a missing title; CertificateError where no key
    is believed to be the client's: reject the AARQ.
    """

    def __init__(
        self,
        credentials: HlsCredentials,
        client_challenge: bytes,
        calling_title: bytes | None,
        certificate: bytes | None = None,
        *,
        length: int | None = None,
        randomness: hls.Randomness = secrets.token_bytes,
    ) -> None:
        super().__init__(credentials, length, randomness)
        if self.challenge == client_challenge:
            raise AuthenticationFailed("both challenges are the same")
        self._check_peer(client_challenge, calling_title, certificate)

    def verify(self, value: bytes) -> None:
        """Judge f(StoC): the one attempt. Raises AuthenticationFailed: close the association."""
        self._step(_State.CHALLENGED)
        self.credentials.check(value, self.challenge, self._theirs, self._peer_title, self._peer_key)
        self._state = _State.ANSWERED

    def answer(self) -> bytes:
        """Return f(CtoS), once, after :meth:`verify` has succeeded. Raises AuthenticationFailed otherwise."""
        self._step(_State.ANSWERED)
        value = self.credentials.prove(self._theirs, self.challenge, self._peer_title)
        self._state = _State.PROVED
        return value
