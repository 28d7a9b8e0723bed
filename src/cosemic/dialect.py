"""Every choice where editions, makers or countries differ, as one frozen set of named switches.

A *variant* is unambiguous and always accepted; a *switch* is a choice between forms of which exactly one is used; a
*quirk* is ambiguous or unsafe, and off unless the dialect names it. The dialect is handed down as an argument; it has
no behaviour of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum


class Quirk(Enum):
    """What real devices do against the standard; each is off unless the dialect names it."""

    ACTION_RESPONSE_BARE_RESULT = "action-response-bare-result"
    """After the invoke-id octet of an action-response-normal stands a Get-Data-Result alone (EnergyICT Z3)."""
    ACSE_SHORT_LENGTHS = "acse-short-lengths"
    """Outer length and both lengths of user-information are one too small; the contents reach to the end."""
    HDLC_LENGTH_MISMATCH = "hdlc-length-mismatch"
    """The length field of the frame format is wrong while the frame check sequence is right."""


class CipheredForm(Enum):
    """Which envelope the client puts around its services in a ciphered context (reference, security 5)."""

    SERVICE_SPECIFIC = "service-specific"
    """glo-get-request ... ded-action-request: the default of IEC 62056-5-3 meters in the field."""
    GENERAL = "general"
    """general-glo-ciphering and general-ded-ciphering (needs the general-protection conformance bit)."""


class ResponseForm(Enum):
    """Which envelope the server puts around its answers."""

    MIRRORED = "mirrored"
    """The form in which the request came."""
    SERVICE_SPECIFIC = "service-specific"
    GENERAL = "general"


class ActionPblockContent(Enum):
    """What the raw data of an action-response-with-pblock joins to (reference, application layer 10: unsure)."""

    GET_DATA_RESULT = "get-data-result"
    DATA = "data"


class LongGetAbort(Enum):
    """Result with which a server answers a get-request-next of the wrong number (reference, application layer 15)."""

    LONG_GET_ABORTED = "long-get-aborted"
    DATA_BLOCK_NUMBER_INVALID = "data-block-number-invalid"


class DeviationSign(Enum):
    """Sign of the deviation field of a date-time."""

    STANDARD = "standard"
    """UTC = local time + deviation: Central European winter time is -60."""
    INVERTED = "inverted"
    """Central European winter time is +60."""


class MeasuredSide(Enum):
    """On which side of the measuring transformers the values of a meter are."""

    PRIMARY = "primary"
    """As in the network: the meter has multiplied by the transformer ratios."""
    SECONDARY = "secondary"
    """As at its terminals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """The switches for one meter; :data:`STANDARD` is the standard's reading of each.

    ciphered_form: envelope of the client's ciphered services.
    response_form: envelope of the server's ciphered answers.
    action_pblock_content: contents of a long ACTION answer as *sent*; both are read.
    long_get_abort: answer to a get-next of the wrong number, as *sent*; both are read.
    repeat_last_block: the server sends the last block again when a get-next repeats the number before (needed where a
        lower layer repeats requests, such as UDP; the strict text aborts the transfer).
    deviation_sign: sign of the deviation field of date-time values.
    deviation_in_ranges: bounds of a range of a profile carry the deviation; False: they are bare local times.
    measured_side: side of the values of a meter that has transformer ratios (1-b:0.4.2 ..., IEC 62056-6-1); the codes
        do not tell it.
    release_request: send RLRQ before the lower layer is disconnected (mandatory on TCP-UDP/IP, IEC 62056-9-7, 9.2).
    release_unanswered_is_released: a server that never answers RLRQ is taken as released after the response time-out.
    protect_release: the RLRQ of a ciphered context carries a ciphered InitiateRequest.
    gmac_control_without_suite: HLS 5 values carry security control 10 even in suites 1 and 2.
    max_counter_jump: largest step by which an unauthenticated proposal may raise an invocation counter.
    lls_in_ciphered_context: LLS passwords may be sent in a ciphered context (they are sent in clear).
    quirks: deviations of this meter that are tolerated.
    """

    ciphered_form: CipheredForm = CipheredForm.SERVICE_SPECIFIC
    response_form: ResponseForm = ResponseForm.MIRRORED
    action_pblock_content: ActionPblockContent = ActionPblockContent.GET_DATA_RESULT
    long_get_abort: LongGetAbort = LongGetAbort.LONG_GET_ABORTED
    repeat_last_block: bool = False
    deviation_sign: DeviationSign = DeviationSign.STANDARD
    deviation_in_ranges: bool = True
    measured_side: MeasuredSide = MeasuredSide.SECONDARY
    release_request: bool = True
    release_unanswered_is_released: bool = True
    protect_release: bool = True
    gmac_control_without_suite: bool = False
    max_counter_jump: int = 1 << 20
    lls_in_ciphered_context: bool = True
    quirks: frozenset[Quirk] = frozenset()

    def but(self, **switches: object) -> Dialect:
        """Return a copy with the given switches set."""
        return replace(self, **switches)  # type: ignore[arg-type]  # names are checked by replace itself


STANDARD = Dialect()
