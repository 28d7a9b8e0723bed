"""Every choice where editions, makers or countries differ, as one frozen set of named switches.

A *variant* is unambiguous and always accepted; a *switch* is a choice between forms of which exactly one is used; a
*quirk* is ambiguous or unsafe, and off unless the dialect names it. The dialect is handed down as an argument; it has
no behaviour of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType

from cosemic.values import Conformance


class Edition(Enum):
    """Editions of IEC 62056-5-3, by those of the Green Book that they follow; what differs is in :data:`EDITIONS`."""

    GREEN_BOOK_7 = "7"
    GREEN_BOOK_8 = "8"
    GREEN_BOOK_9 = "9"
    GREEN_BOOK_10 = "10"
    GREEN_BOOK_11 = "11"


_NOTHING = Conformance(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """In what an edition differs (reference, application layer 2, 6.3, 12, 15).

    reserved: conformance bits that it reserves: the services behind them are neither proposed nor offered.
    event_time_without_length: the time of an event-notification is twelve octets without their length, as *sent*; both
        are read. data_notification_confirm: a data-notification can be confirmed; otherwise it is never answered.
    pdu_too_long: what does not fit, and cannot be cut, is answered with exception-response pdu-too-long; otherwise an
        answer with data-access-result other-reason, and a request with exception-response other-reason.
    """

    reserved: Conformance = _NOTHING
    event_time_without_length: bool = False
    data_notification_confirm: bool = True
    pdu_too_long: bool = True


_DELTA = Conformance.DELTA_VALUE_ENCODING
_NEWER = (
    Conformance.GENERAL_PROTECTION
    | Conformance.GENERAL_BLOCK_TRANSFER
    | Conformance.DATA_NOTIFICATION
    | Conformance.ACCESS
    | _DELTA
)
EDITIONS: Mapping[Edition, Differences] = MappingProxyType(
    {
        Edition.GREEN_BOOK_7: Differences(
            reserved=_NEWER, event_time_without_length=True, data_notification_confirm=False, pdu_too_long=False
        ),
        Edition.GREEN_BOOK_8: Differences(reserved=_DELTA, data_notification_confirm=False, pdu_too_long=False),
        Edition.GREEN_BOOK_9: Differences(reserved=_DELTA, pdu_too_long=False),
        Edition.GREEN_BOOK_10: Differences(),
        Edition.GREEN_BOOK_11: Differences(),
    }
)
"""What differs. The confirmation came with 9; from which edition on the others hold is not sure."""


class Quirk(Enum):
    """What real devices do against the standard; each is off unless the dialect names it."""

    ACTION_RESPONSE_BARE_RESULT = "action-response-bare-result"
    """After the invoke-id octet of an action-response-normal stands a Get-Data-Result alone (EnergyICT Z3)."""
    ACSE_SHORT_LENGTHS = "acse-short-lengths"
    """Outer length and both lengths of user-information are one too small; the contents reach to the end."""
    HDLC_LENGTH_MISMATCH = "hdlc-length-mismatch"
    """The length field of the frame format is wrong while the frame check sequence is right."""
    LONG_ANSWERS = "long-answers"
    """Answers are longer than client-max-receive-pdu-size, of which the protection is not counted, or nothing is."""
    CIPHERED_BLOCKS = "ciphered-blocks"
    """Each general-block-transfer APDU travels in an envelope of its own, and what the blocks join to is plain."""
    NO_TRANSACTION_IDS = "no-transaction-ids"
    """The transaction-ids of general protection are empty (Gurux, pydlms): the key of a single message, or its
    signature, is remembered in the place of one, and an answer without one belongs to what was asked last."""


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


class LongReadContent(Enum):
    """What the raw data of a long answer with short names joins to (reference, application layer 13: both occur)."""

    RESULTS = "results"
    """The body of the ReadResponse: its results with their count."""
    DATA = "data"
    """The Data alone, one after the other (Gurux, pydlms)."""


class LongGetAbort(Enum):
    """Result with which a server answers a get-request-next of the wrong number (reference, application layer 15)."""

    LONG_GET_ABORTED = "long-get-aborted"
    DATA_BLOCK_NUMBER_INVALID = "data-block-number-invalid"


class AccessTime(Enum):
    """When the server gives the date-time of an ACCESS.response (reference, application layer 11: unsure)."""

    MIRRORED = "mirrored"
    """Where the request brings one."""
    ALWAYS = "always"
    NEVER = "never"


class GeneralCipheringAad(Enum):
    """What general-ciphering authenticates beside the content (reference, security 4)."""

    META = "meta"
    """SC || AK || transaction-id ... other-information, each with its length octets."""
    SC_AK = "sc-ak"
    """SC || AK alone (Gurux)."""


class GeneralSigningTbs(Enum):
    """What the signature of general-signing goes over: transaction-id to content (reference, security 5.4)."""

    WITH_CONTENT_LENGTH = "with-content-length"
    WITHOUT_CONTENT_LENGTH = "without-content-length"
    """The content without its length octets (Gurux)."""


class DataProtectionMeta(Enum):
    """What is authenticated and signed of the parameters of protected data (reference, security 15: unsure)."""

    WITHOUT_DATE_TIME = "without-date-time"
    """transaction-id, both system titles and other-information: what protection_options has."""
    EMPTY_DATE_TIME = "empty-date-time"
    """The five fields of general-ciphering and -signing, date-time being empty."""


class DataProtectionSignature(Enum):
    """How data and their digital signature make the protected data (reference, security 15: unsure)."""

    OCTET_STRINGS = "octet-strings"
    """Both with their length in front, as content and signature of general-signing."""
    APPENDED = "appended"
    """The signature behind the data, as the tag stands behind the ciphertext."""


class TransactionIds(Enum):
    """How repeated transaction-ids of an originator are known (reference, security 5.3; the rule is not printed)."""

    REMEMBERED = "remembered"
    """Each one that was accepted is kept as long as the keys live: any order, any value."""
    RISING = "rising"
    """They are numbers that rise: only the highest is kept, and a lower one that comes late is refused."""


class EphemeralSignature(Enum):
    """What the signature of the ephemeral key of the one-pass scheme goes over (reference, security 8.3)."""

    Q = "q"
    """The public key alone."""
    KEY_ID_AND_Q = "key-id-and-q"
    """``01`` and the public key (Gurux): the octets that a key agreement for key 1 signs too."""


class EphemeralCounter(Enum):
    """The invocation counter of what is *sent* under a key of its own: wrapped or agreed (reference, security 5.3)."""

    ZERO = "zero"
    """It begins anew with each key."""
    RISING = "rising"
    """It rises from message to message (needed by pydlms, which takes none twice)."""


class CertificateSerial(Enum):
    """How a serial number of a certificate stands in an octet-string (reference, security 12: unsure)."""

    DER = "der"
    """As in the certificate: DER INTEGER with tag and length."""
    MAGNITUDE = "magnitude"
    """The octets of the number alone."""


class BlockRecovery(Enum):
    """How a receiver asks for a lost block of a general block transfer (reference, application layer 16)."""

    GO_BACK = "go-back"
    """All from the lost one on, a window at a time."""
    SINGLE_FETCH = "single-fetch"
    """The lost one alone, with window 1."""


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

    edition: of IEC 62056-5-3; what it changes is in :data:`EDITIONS`.
    ciphered_form: envelope of the client's ciphered services.
    response_form: envelope of the server's ciphered answers.
    action_pblock_content: contents of a long ACTION answer as *sent*; both are read.
    long_read_content: contents of a long answer to a Read as *sent*; both are read.
    long_get_abort: answer to a get-next of the wrong number, as *sent*; both are read.
    repeat_last_block: the server sends the last block again when a get-next repeats the number before (needed where a
        lower layer repeats requests, such as UDP; the strict text aborts the transfer).
    access_time: date-time of an ACCESS.response, as *sent*; with and without are read.
    answer_general_access: the server answers an ACCESS.request of service-class 0 that came in a general envelope
        (a national companion has it so; the standard answers none).
    block_recovery: how a lost block of a general block transfer is asked for; whatever is asked for is sent.
    block_requests: where general blocks are agreed upon, short requests travel in one too, so that the server knows the
        window from the beginning: a long answer takes one round trip less, a short one comes in a block.
    deviation_sign: sign of the deviation field of date-time values.
    deviation_in_ranges: bounds of a range of a profile carry the deviation; False: they are bare local times.
    measured_side: side of the values of a meter that has transformer ratios (1-b:0.4.2 ..., IEC 62056-6-1); the codes
        do not tell it.
    release_request: send RLRQ before the lower layer is disconnected (mandatory on TCP-UDP/IP, IEC 62056-9-7, 9.2).
    release_unanswered_is_released: a server that never answers RLRQ is taken as released after the response time-out.
    protect_release: the RLRQ of a ciphered context carries a ciphered InitiateRequest, and the RLRE that answers such a
        one a ciphered InitiateResponse, as *sent*.
    require_protected_release: in a ciphered context a server releases on no bare RLRQ, and a client takes no bare RLRE.
    gmac_control_without_suite: HLS 5 values carry security control 10 even in suites 1 and 2.
    kdf_algorithm_arc: 5 or 6, in the AlgorithmID of key derivation: 60 85 74 05 08 03 0n, or 60 85 74 06 08 03 0n
        (a print of edition 8, UK profile).
    general_ciphering_aad: what general-ciphering authenticates; so do data that are protected (class 30).
    general_signing_tbs: what general-signing signs; so do data that are protected (class 30).
    data_protection_meta: what of the protection parameters is authenticated and signed with protected data (class 30).
    data_protection_signature: how signed data are put together (class 30).
    ephemeral_signature: what the originator of the one-pass key agreement signs.
    ephemeral_counter: invocation counter of general-ciphering under the key of a single message, as *sent*; any is
        read, since the transaction-id protects against replay.
    transaction_ids: how a repeated transaction-id is known, where no invocation counter protects against replay.
    counter_without_protection: a layer of general-ciphering without any protection carries an invocation counter all
        the same (unsure).
    certificate_serial: serial numbers in the Security setup's rows and requests, as *sent*; both are read.
    compression: APDUs that shrink are sent compressed (ITU-T V.44), and compressed ones are accepted; in suites 1 and
        2, in general envelopes, with authentication; otherwise compressed ones are refused (parameters: unsure).
    max_counter_jump: largest step by which an unauthenticated proposal may raise an invocation counter.
    lls_in_ciphered_context: LLS passwords may be sent in a ciphered context (they are sent in clear).
    unconfirmed_last_block_streaming: the last block of an unconfirmed general block transfer has the streaming bit too,
        as *sent* (Landis+Gyr; unsure); both are read.
    intervals_stamped_at_end: a pushed "last complete day" (data_index of a profile buffer) takes the entry stamped
        00:00 at its end, not the one at its beginning (unsure).
    quirks: deviations of this meter that are tolerated.
    """

    edition: Edition = Edition.GREEN_BOOK_11
    ciphered_form: CipheredForm = CipheredForm.SERVICE_SPECIFIC
    response_form: ResponseForm = ResponseForm.MIRRORED
    action_pblock_content: ActionPblockContent = ActionPblockContent.GET_DATA_RESULT
    long_read_content: LongReadContent = LongReadContent.RESULTS
    long_get_abort: LongGetAbort = LongGetAbort.LONG_GET_ABORTED
    repeat_last_block: bool = False
    access_time: AccessTime = AccessTime.MIRRORED
    answer_general_access: bool = False
    block_recovery: BlockRecovery = BlockRecovery.GO_BACK
    block_requests: bool = False
    deviation_sign: DeviationSign = DeviationSign.STANDARD
    deviation_in_ranges: bool = True
    measured_side: MeasuredSide = MeasuredSide.SECONDARY
    release_request: bool = True
    release_unanswered_is_released: bool = True
    protect_release: bool = True
    require_protected_release: bool = False
    gmac_control_without_suite: bool = False
    kdf_algorithm_arc: int = 5
    general_ciphering_aad: GeneralCipheringAad = GeneralCipheringAad.META
    general_signing_tbs: GeneralSigningTbs = GeneralSigningTbs.WITH_CONTENT_LENGTH
    data_protection_meta: DataProtectionMeta = DataProtectionMeta.WITHOUT_DATE_TIME
    data_protection_signature: DataProtectionSignature = DataProtectionSignature.OCTET_STRINGS
    ephemeral_signature: EphemeralSignature = EphemeralSignature.Q
    ephemeral_counter: EphemeralCounter = EphemeralCounter.ZERO
    transaction_ids: TransactionIds = TransactionIds.REMEMBERED
    counter_without_protection: bool = False
    certificate_serial: CertificateSerial = CertificateSerial.DER
    compression: bool = False
    max_counter_jump: int = 1 << 20
    lls_in_ciphered_context: bool = True
    unconfirmed_last_block_streaming: bool = False
    intervals_stamped_at_end: bool = True
    quirks: frozenset[Quirk] = frozenset()

    @property
    def differences(self) -> Differences:
        """In what the edition differs."""
        return EDITIONS[self.edition]

    def but(self, **switches: object) -> Dialect:
        """Return a copy with the given switches set."""
        return replace(self, **switches)  # type: ignore[arg-type]  # names are checked by replace itself


STANDARD = Dialect()
