"""What a liar knows of the protection of the APDUs of a session: enough to take it off, and to put on another.

It learns what the openings that pass tell: both system titles, and the dedicated key. Unlike a security context it
checks nothing, and puts on what it is told to: any counter, title, key, security control and tag.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from cosemic import apdu as a
from cosemic.codec import encode_length
from cosemic.errors import CosemicError
from cosemic.faults.lies.lie import Role
from cosemic.security import Envelope, Key, SecurityMaterial
from cosemic.security.envelopes import DED_TAGS, GENERAL_GLO, GLO_TAGS, open_envelope
from cosemic.security.protection import protect, unprotect
from cosemic.security.suite import CONTROLS
from cosemic.values import Secret

NO_TITLE: Final = bytes(8)
_BOTH: Final = 0x30
"""Security control: authenticated and encrypted, without the suite."""
_AHEAD: Final = 1000
"""Counters that APDUs have used which are not seen one by one."""


@dataclass(frozen=True, slots=True)
class Seal:
    """How one APDU is protected.

    tag: first octet of the envelope. title: of the originator, as it goes into the nonce. named: the title that a
    general envelope names, None in a service-specific one. control, counter: of the security header.
    """

    tag: int
    title: bytes
    named: bytes | None
    control: int
    counter: int
    key: Key
    authentication_key: Key | None

    def around(self, plain: bytes) -> bytes:
        """Return an APDU in this protection, whatever APDU the tag stands for."""
        control = CONTROLS[self.control]
        content = protect(control, self.key, self.authentication_key, self.title, self.counter, plain)
        named = b"" if self.named is None else encode_length(len(self.named)) + self.named
        return bytes((self.tag,)) + named + encode_length(len(content)) + content

    def fitting(self, plain: bytes) -> Seal:
        """Return the seal with the tag that stands for an APDU, where there is one."""
        tags = DED_TAGS if self.tag in DED_TAGS.values() else GLO_TAGS
        if self.named is not None or not plain:
            return self
        return replace(self, tag=tags.get(plain[0], self.tag))

    @property
    def dedicated(self) -> bool:
        """Whether the envelope is one of the dedicated key."""
        return Envelope.of(bytes((self.tag,))) in (Envelope.DED, Envelope.GENERAL_DED)


class Seals:
    """The keys and titles of a session, as the side ``role`` knows them; material: None where nothing is ciphered."""

    def __init__(self, role: Role, material: SecurityMaterial | None) -> None:
        self.material = material
        self._role = role
        self._titles = {Role.CLIENT: NO_TITLE, Role.SERVER: NO_TITLE}
        self._dedicated: Key | None = None
        self._next = {False: 0, True: 0}

    @property
    def own_title(self) -> bytes:
        """The system title of the liar."""
        return self._titles[self._role]

    @property
    def peer_title(self) -> bytes:
        """The system title of whom it lies to."""
        return self._titles[Role.CLIENT if self._role is Role.SERVER else Role.SERVER]

    @property
    def dedicated_key(self) -> Key | None:
        """The dedicated key of the association."""
        return self._dedicated

    def know(self, server_title: bytes | None, client_title: bytes | None = None) -> None:
        """Know the server, and the client, before they have told their system titles."""
        self._titles[Role.SERVER] = server_title or NO_TITLE
        self._titles[Role.CLIENT] = client_title or self._titles[Role.CLIENT]

    def learn(self, apdu: bytes) -> None:
        """Take from an AARQ or AARE what it tells."""
        try:
            if apdu[:1] == b"\x60":
                aarq = a.AARQ.decode(apdu)
                self._titles[Role.CLIENT] = aarq.calling_ap_title or NO_TITLE
                opened = self._open(aarq.user_information or b"", self._titles[Role.CLIENT])
                key = None if opened is None else a.InitiateRequest.decode(opened[0]).dedicated_key
                self._dedicated = None if key is None else Key(Secret(key, "dedicated key"))
                self._next[True] = 0
            elif apdu[:1] == b"\x61":
                self._titles[Role.SERVER] = a.AARE.decode(apdu).responding_ap_title or self._titles[Role.SERVER]
        except CosemicError:
            return  # an opening that nobody can read tells nothing

    def own(self, apdu: bytes) -> tuple[bytes, Seal | None]:
        """Take the protection off an APDU of the liar's own; an APDU without any comes back as it is."""
        return self._open(apdu, self.own_title) or (apdu, None)

    def of_peer(self, apdu: bytes) -> bytes:
        """Return an APDU of the peer without its protection; as it came where that cannot be."""
        opened = self._open(apdu, self.peer_title)
        return apdu if opened is None else opened[0]

    def fresh(self, seal: Seal) -> Seal:
        """Return the seal with a counter that was not used yet: its own, or the next one after a lie has gone ahead."""
        counter = max(seal.counter, self._next[seal.dedicated])
        self._next[seal.dedicated] = counter + 1
        return replace(seal, counter=counter)

    def general(self, plain: bytes) -> bytes:
        """Return an APDU in general-glo-ciphering, authenticated and encrypted, under a counter far ahead."""
        assert self.material is not None
        keys = self.material.encryption_key, self.material.authentication_key
        control = _BOTH | self.material.suite.id
        seal = Seal(GENERAL_GLO, self.own_title, self.own_title, control, self._next[False] + _AHEAD, *keys)
        self.gone_ahead(seal)
        return seal.around(plain)

    def gone_ahead(self, seal: Seal) -> None:
        """Go on behind the counter of a seal that was made by hand."""
        self._next[seal.dedicated] = max(seal.counter + 1, self._next[seal.dedicated])

    def _open(self, apdu: bytes, title: bytes) -> tuple[bytes, Seal] | None:
        envelope = Envelope.of(apdu)
        if self.material is None or envelope is None:
            return None
        key = self._dedicated if envelope.dedicated else self.material.encryption_key
        if key is None:
            return None
        try:
            named, content = open_envelope(apdu)
            opened = unprotect(content, key, self.material.authentication_key, title)
        except CosemicError:
            return None
        counter = opened.invocation_counter or 0
        control = int(opened.security_control)
        seal = Seal(apdu[0], title, named, control, counter, key, self.material.authentication_key)
        return opened.plaintext, seal
