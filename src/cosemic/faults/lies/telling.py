"""The ways in which lies are told, as functions that make :attr:`Lie.tell` and :attr:`Lie.reframe` of little changes.

=====================  ============================================================================================
plain(change)          another plain APDU, in the protection of the honest one
wire(change)           other octets, whatever protects them
seal(change)           the same APDU in another protection
opening(**fields)      an AARQ or AARE with other fields
initiate(**fields)     an AARQ or AARE whose Initiate (plain or ciphered) has other fields
instead("..")          these octets in place of the APDU; ``II`` stands for the invoke-id and priority of the request,
                       ``LLLLLLLL`` for the long ones
before("..")           these octets in an APDU of its own before the honest one
after("..")            and behind it
wpdu(change)           another WPDU: its header and its APDU
=====================  ============================================================================================

A change that gives None says that this is not the place, and the honest APDU is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from struct import Struct
from typing import Any, Final

from cosemic import apdu as a
from cosemic.faults.lies.lie import Reframe, Tell
from cosemic.faults.lies.scene import Said, Scene
from cosemic.faults.lies.seals import Seal
from cosemic.link.wrapper import HEADER_LENGTH, VERSION

HEADER = Struct(">HHHH")
"""Version, source, destination, length of a WPDU."""
EITHER: Final = {
    "title": ("calling_ap_title", "responding_ap_title"),
    "authentication_value": ("calling_authentication_value", "responding_authentication_value"),
    "dlms_version": ("proposed_dlms_version_number", "negotiated_dlms_version_number"),
    "conformance": ("proposed_conformance", "negotiated_conformance"),
    "max_receive_pdu_size": ("client_max_receive_pdu_size", "server_max_receive_pdu_size"),
}
"""One name for what is a field of the AARQ and a field of the AARE."""


def plain(change: Callable[[bytes, Scene], bytes | None]) -> Tell:
    """Change the plain APDU."""

    def tell(said: Said, scene: Scene) -> Sequence[bytes] | None:
        changed = change(said.plain, scene)
        return None if changed is None else [scene.sealed(changed, said)]

    return tell


def wire(change: Callable[[bytes, Scene], Sequence[bytes] | None]) -> Tell:
    """Send other APDUs, as they are, for the APDU as it would be sent."""
    return lambda said, scene: change(said.apdu, scene)


def seal(change: Callable[[Seal, Scene], Seal]) -> Tell:
    """Put the same APDU into another protection; an APDU without protection is let pass."""

    def tell(said: Said, scene: Scene) -> Sequence[bytes] | None:
        if said.seal is None:
            return None
        changed = change(said.seal, scene)
        scene.seals.gone_ahead(changed)
        return [changed.around(said.plain)]

    return tell


def control(number: int) -> Tell:
    """Put the same APDU into the protection that bits 7 to 4 of a security control byte name; the suite stays."""
    return seal(lambda kept, scene: replace(kept, control=number & 0xF0 | kept.control & 0x0F))


def another_suite() -> Tell:
    """Name another security suite than that of the association; protection and keys stay."""
    return seal(lambda kept, scene: replace(kept, control=kept.control & 0xF0 | (0 if kept.control & 0x0F else 1)))


def opening(**fields: Any) -> Tell:
    """Change fields of the AARQ or AARE, by the names of :data:`EITHER` or their own; functions get the scene."""

    def tell(said: Said, scene: Scene) -> Sequence[bytes]:
        message = copy(acse(said.apdu))
        for name, value in _named(fields, said).items():
            setattr(message, name, value(scene) if callable(value) else value)
        return [message.encode()]

    return tell


def initiate(**fields: Any) -> Tell:
    """Change fields of the InitiateRequest or -Response of an AARQ or AARE, by the same names."""

    def tell(said: Said, scene: Scene) -> Sequence[bytes]:
        message = acse(said.apdu)
        octets, kept = scene.seals.own(message.user_information or b"")
        kind = a.InitiateRequest if octets[:1] == b"\x01" else a.InitiateResponse
        inside = kind.decode(octets)
        values = {name: getattr(inside, name) for name in kind.__match_args__} | _named(fields, said)
        changed = kind(**values).encode()
        message.user_information = changed if kept is None else kept.around(changed)
        return [message.encode()]

    return tell


def _named(fields: dict[str, Any], said: Said) -> dict[str, Any]:
    """Fields by the names that they have in this APDU."""
    answer = said.apdu[:1] != b"\x60"
    return {EITHER[name][answer] if name in EITHER else name: value for name, value in fields.items()}


def acse(octets: bytes) -> Any:
    """Return an AARQ or AARE as its declared type."""
    return (a.AARQ if octets[:1] == b"\x60" else a.AARE).decode(octets)


def written(octets: str, scene: Scene) -> bytes:
    """Return octets that are written in hexadecimal, the invoke-id and priority of the request as ``II``, long ones as
    ``LLLLLLLL``."""
    return bytes.fromhex(octets.replace("II", f"{scene.invoke:02x}").replace("LLLLLLLL", scene.long_invoke.hex()))


def instead(octets: str) -> Tell:
    """Send these octets, in the protection of the honest APDU."""
    return plain(lambda _, scene: written(octets, scene))


def bare(octets: str) -> Tell:
    """Send these octets, without protection."""
    return wire(lambda _, scene: [written(octets, scene)])


def before(octets: str, count: int = 1) -> Tell:
    """Send these octets so many times, each in an APDU of its own, before the honest APDU."""

    def tell(said: Said, scene: Scene) -> Sequence[bytes]:
        extra = written(octets, scene)
        more = [scene.another(extra, said) for _ in range(count - 1)]
        return [scene.sealed(extra, said), *more, scene.another(said.plain, said)]

    return tell


def after(octets: str, count: int = 1) -> Tell:
    """Send these octets so many times, each in an APDU of its own, behind the honest APDU."""

    def tell(said: Said, scene: Scene) -> Sequence[bytes]:
        extra = written(octets, scene)
        return [said.apdu, *(scene.another(extra, said) for _ in range(count))]

    return tell


def wpdu(change: Callable[[int, int, int, int, bytes], bytes]) -> Reframe:
    """Change a WPDU: version, source, destination, length and APDU in, octets out."""

    def reframe(octets: bytes, scene: Scene) -> bytes:
        version, source, destination, length = HEADER.unpack_from(octets)
        return change(version, source, destination, length, octets[HEADER_LENGTH:])

    return reframe


def header(
    *, version: int = VERSION, source: int | None = None, destination: int | None = None, longer: int = 0
) -> Reframe:
    """Change fields of the header of a WPDU; longer: octets by which the length field lies."""

    def change(_: int, own: int, peer: int, length: int, apdu: bytes) -> bytes:
        sender = own if source is None else source
        receiver = peer if destination is None else destination
        return HEADER.pack(version, sender, receiver, length + longer) + apdu

    return wpdu(change)
