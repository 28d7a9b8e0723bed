"""One APDU with all that is inside it: read, opened with the keys at hand, and marked by how far it is to be trusted.

::

    Message      apdu, octets, protection, content
    content      of a ciphered or signed APDU, or of user-information: a Message, or Unreadable, or None (no key);
                 of a ciphered or signed one a P1Telegram where the octets begin with a solidus

The protection of ciphered APDUs is described in IEC 62056-5-3 (security 3-5). Their content is shown as far as it
can be deciphered, verified or not: ``tag_ok`` says which. This is the only place of the library that does so, because
it acts on nothing that it reads.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from cosemic import apdu
from cosemic.codec import Limits, read_length
from cosemic.dialect import Quirk
from cosemic.errors import DecipheringError, DecodeError, SignatureInvalid
from cosemic.inspector.agreed import agreed_key
from cosemic.inspector.arguments import Keys
from cosemic.security.compression import decompress
from cosemic.security.general import split_signing, verify_signing
from cosemic.security.key_wrap import unwrap_key
from cosemic.security.keys import Key
from cosemic.security.protection import HEADER_LENGTH, TWO_PASS_LIMIT, verify_in_context, verify_in_two_passes
from cosemic.security.suite import SUITES, SYSTEM_TITLE_LENGTH, TAG_LENGTH, SecurityControl
from cosemic.security.unverified import decipher_unverified
from cosemic.telegram import P1Telegram, read_p1
from cosemic.values import KeyId

MAX_LAYERS: Final = 8
"""How many protections may lie in one another (reference, security 5.5 asks for four)."""
_ACSE: Final = (apdu.AARQ, apdu.AARE, apdu.RLRQ, apdu.RLRE)
_ACSE_TAGS: Final = frozenset((0x60, 0x61, 0x62, 0x63))
_CIPHERED: Final = (
    apdu.ServiceSpecificCiphering,
    apdu.GeneralGloCiphering,
    apdu.GeneralDedCiphering,
    apdu.GeneralCiphering,
)
_META_FIELDS: Final = 5


@dataclass(frozen=True, slots=True)
class Protection:
    """The security header of a ciphered APDU, and what came of checking it.

    tag_ok: None where the tag was not checked: there is none, or a key or the title is missing.
    plaintext: the octets inside, verified only where ``tag_ok`` is true; None without the key.
    """

    control: SecurityControl
    invocation_counter: int
    tag_ok: bool | None
    plaintext: bytes | None

    def __repr__(self) -> str:
        return f"Protection({self.control!r}, invocation_counter={self.invocation_counter}, tag_ok={self.tag_ok})"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Octets inside a protected APDU that are no APDU, and why not."""

    octets: bytes = field(repr=False)
    error: str


@dataclass(frozen=True, slots=True)
class Message:
    """An APDU and what is inside it; ``octets`` are those it was read from.

    signature_ok: of a general-signing: whether its signature is that of the key given; None without key or signature.
    """

    apdu: Any
    octets: bytes = field(repr=False)
    protection: Protection | None = None
    content: Content | None = None
    signature_ok: bool | None = None


Content: TypeAlias = Message | Unreadable | P1Telegram


@dataclass(frozen=True, slots=True)
class MessageReader:
    """Reads APDUs and opens what is protected in them, with one set of keys, quirks and limits.

    expand: what is compressed (ITU-T V.44) is expanded, to as many octets as the limits allow.
    """

    keys: Keys
    quirks: frozenset[Quirk]
    limits: Limits
    expand: bool = False

    def read(self, octets: bytes, title: bytes = b"", depth: int = 0) -> Message:
        """Read one APDU. Raises DecodeError; what is wrong further inside a protected APDU is ``Unreadable`` instead.

        title: the AP-title of the AARQ or AARE around it. depth: number of APDUs around it.
        """
        if Quirk.ACSE_SHORT_LENGTHS in self.quirks and octets[:1] and octets[0] in _ACSE_TAGS:
            octets = apdu.lengthen(octets)
        pdu = self._decode(octets)
        if isinstance(pdu, _ACSE):
            return self._with_user_information(pdu, octets, depth)
        if isinstance(pdu, _CIPHERED):
            return self._opened(pdu, octets, title, depth)
        if isinstance(pdu, apdu.GeneralSigning):
            return Message(pdu, octets, None, self._inside(pdu.content, title, depth), self._signature_ok(octets))
        if isinstance(pdu, apdu.GatewayRequest | apdu.GatewayResponse):
            raise DecodeError("an APDU: a gateway prefix can only stand outermost", 0)
        return Message(pdu, octets)

    def _signature_ok(self, octets: bytes) -> bool | None:
        parts = split_signing(octets)
        if self.keys.public_key is None or not parts.signature:
            return None
        if self.keys.public_key_of not in (b"", parts.header.originator):
            return None
        try:
            verify_signing(parts, self.keys.public_key)
        except SignatureInvalid:
            return False
        return True

    def _decode(self, octets: bytes) -> Any:
        if Quirk.ACTION_RESPONSE_BARE_RESULT in self.quirks and octets[:2] == b"\xc7\x01":
            try:
                # A meter of this kind always leaves the result out, so its form goes first where both fit.
                return apdu.BareActionResponse.decode(octets[2:], self.limits)
            except DecodeError:
                return apdu.decode(octets, self.limits)
        return apdu.decode(octets, self.limits)

    def _with_user_information(self, pdu: Any, octets: bytes, depth: int) -> Message:
        information = pdu.user_information
        if not information:
            return Message(pdu, octets)
        path = f"{type(pdu).__name__.lower()}.user_information"
        offset = max(0, octets.rfind(information))
        if information[0] in _ACSE_TAGS:
            raise DecodeError("an xDLMS APDU, not one of ACSE", offset, path)
        title = b""
        if isinstance(pdu, apdu.AARQ):
            title = pdu.calling_ap_title or b""
        elif isinstance(pdu, apdu.AARE):
            title = pdu.responding_ap_title or b""
        try:
            return Message(pdu, octets, None, self.read(information, title, depth + 1))
        except DecodeError as error:
            raise error.within(path, offset) from None

    def _inside(self, octets: bytes, title: bytes, depth: int) -> Content:
        if depth >= MAX_LAYERS:
            return Unreadable(octets, f"no more than {MAX_LAYERS} protections are looked into")
        try:
            return read_p1(octets) if octets[:1] == b"/" else self.read(octets, title, depth + 1)
        except DecodeError as error:
            return Unreadable(octets, str(error))

    def _opened(self, pdu: Any, octets: bytes, title: bytes, depth: int) -> Message:
        body: bytes = pdu.ciphered_content
        control = SecurityControl(body[0]) if body else SecurityControl(0)
        needed = HEADER_LENGTH + (TAG_LENGTH if control.authenticated else 0)
        if len(body) < needed:
            what = "security control, invocation counter and tag" if control.authenticated else "a security header"
            raise DecodeError(f"{needed} octets or more of ciphered content ({what}), not {len(body)}", len(octets))
        carried, extra = _originator(pdu, octets)
        title = carried or self.keys.system_title or title
        protection = _open(control, body, self._key(pdu, control), self.keys.ak, title, extra)
        plaintext = protection.plaintext
        if plaintext is None:
            return Message(pdu, octets, protection)
        if control.compressed and self.expand:
            try:
                plaintext = decompress(plaintext, self.limits.octets)
            except DecodeError as error:
                return Message(pdu, octets, protection, Unreadable(plaintext, f"compressed (ITU-T V.44): {error}"))
        elif control.compressed:
            return Message(pdu, octets, protection, Unreadable(plaintext, "compressed (ITU-T V.44), and so not read"))
        return Message(pdu, octets, protection, self._inside(plaintext, title, depth))

    def _key(self, pdu: Any, control: SecurityControl) -> Key | None:
        keys = self.keys
        if isinstance(pdu, apdu.GeneralDedCiphering) or getattr(pdu, "tag", None) in apdu.DEDICATED:
            return keys.dk
        info = getattr(pdu, "key_info", None)
        if isinstance(info, apdu.WrappedKey):
            return _unwrapped(keys.kek, info.key_ciphered_data)
        if isinstance(info, apdu.AgreedKey) and keys.agreement_key is not None:  # else ek may be the agreed one
            return agreed_key(pdu, info, keys.agreement_key, keys.agreement_public_key)
        broadcast = isinstance(info, apdu.IdentifiedKey) and info.key_id == KeyId.GLOBAL_BROADCAST_ENCRYPTION_KEY
        return keys.gbek if broadcast or control.broadcast else keys.ek


def _originator(pdu: Any, octets: bytes) -> tuple[bytes, bytes]:
    """Return the title that the APDU carries, empty where there is none, and META: its header fields as they came."""
    if isinstance(pdu, apdu.GeneralCiphering):
        end = 1
        for _ in range(_META_FIELDS):
            length, start = read_length(octets, end)
            end = start + length
        return pdu.originator_system_title, octets[1:end]
    if isinstance(pdu, apdu.ServiceSpecificCiphering):
        return b"", b""
    return pdu.system_title, b""


def _unwrapped(kek: Key | None, wrapped: bytes) -> Key | None:
    """Return the key that came wrapped; None where ``kek`` is missing or does not fit."""
    if kek is None:
        return None
    suite = next(suite for suite in SUITES.values() if suite.key_length == len(kek))
    try:
        return Key(unwrap_key(kek, wrapped, suite))
    except DecipheringError:
        return None


def _open(
    control: SecurityControl, body: bytes, key: Key | None, ak: Key | None, title: bytes, extra: bytes
) -> Protection:
    """Decipher ``SC IC contents [T]``, and check the tag where all that it needs is at hand."""
    counter = int.from_bytes(body[1:HEADER_LENGTH], "big")
    usable = key if len(title) == SYSTEM_TITLE_LENGTH else None
    tag_ok = None
    if control.authenticated and usable is not None and ak is not None:
        # Whether the tag is right is asked here, not whether the APDU may be accepted: the primitive that also looks at
        # the counter refuses FFFFFFFF without checking the tag.
        contents, tag = body[HEADER_LENGTH:-TAG_LENGTH], body[-TAG_LENGTH:]
        verify = verify_in_two_passes if len(contents) <= TWO_PASS_LIMIT else verify_in_context
        aad = ak.authenticated_data(control) + extra
        try:
            plaintext = verify(usable, title + body[1:HEADER_LENGTH], aad, contents, tag, control.encrypted)
            return Protection(control, counter, True, plaintext)
        except DecipheringError:
            tag_ok = False
    if control.encrypted and usable is None:
        return Protection(control, counter, tag_ok, None)
    return Protection(control, counter, tag_ok, decipher_unverified(body, usable, title))
