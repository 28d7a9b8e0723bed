"""Which APDUs are compressed before they are protected (reference, security 16.6).

The length of what is compressed tells something of its content, to whoever can place text beside a secret in one APDU.
So APDUs that carry keys or passwords are never compressed. It is decided by the octets of the APDU itself, which is
handed in whole at the one place where it is sealed, and by a list of what may be compressed: whatever is not in it goes
as it is, which every receiver takes. That leaves out

- InitiateRequest and -Response (dedicated key), with them the user-information of a release
- SET and ACTION of all objects but a few that hold no secret and have long values: so Security setup (keys), the
  associations (secrets of LLS and HLS, reply_to_HLS_authentication), M-Bus client, modems, Data protection; scripts and
  Data, because anything may be in them; later blocks and lists, because their first octets do not name all objects
- ACCESS, and all writing with short names: these do not name the class
- ACTION responses, and answers too short to shrink

What a meter gives out holds no keys and passwords: they can be written, not read.
"""

from __future__ import annotations

from typing import Final

COMPRESSIBLE_TAGS: Final = frozenset(
    {
        0x0C,  # readResponse
        0x0F,  # data-notification
        0x18,  # informationReportRequest
        0xC0,  # get-request
        0xC2,  # event-notification-request
        0xC4,  # get-response
        0xDA,  # access-response
    }
)
"""Tags of APDUs that are compressed whatever they hold: what is asked for by reading, and what is given out."""
COMPRESSIBLE_CLASSES: Final = frozenset(
    {
        7,  # Profile generic
        11,  # Special days table
        18,  # Image transfer
        20,  # Activity calendar
    }
)
"""Classes of which the SET and ACTION requests are compressed."""
_NAMED: Final = (b"\xc1\x01", b"\xc3\x01")
"""set-request-normal and action-request-normal; the class_id stands behind invoke-id-and-priority."""


def is_compressible(apdu: bytes) -> bool:
    """Tell whether an APDU may be compressed: whether its own octets show that it carries no key and no password."""
    if apdu[:1] and apdu[0] in COMPRESSIBLE_TAGS:
        return True
    return apdu[:2] in _NAMED and len(apdu) > 5 and apdu[3] << 8 | apdu[4] in COMPRESSIBLE_CLASSES
