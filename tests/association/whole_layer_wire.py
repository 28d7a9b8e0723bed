"""What passes between client and server, looked at octet by octet: nothing too long, nothing that was not agreed upon,
no invocation counter twice, and no block twice where none is lost."""

from __future__ import annotations

from cosemic import apdu as a
from cosemic.stack import Layer
from cosemic.values import Conformance
from tests.association.whole_layer_terms import Terms

C = Conformance
SENT, CAME = True, False
_ACSE = {0x60: a.AARQ, 0x61: a.AARE, 0x62: a.RLRQ, 0x63: a.RLRE}
_ERRORS = frozenset((0xD8, 0x0E))
_GLO = frozenset((*range(0x21, 0x40), *range(0xC8, 0xD0)))
_DED = frozenset((*range(0x41, 0x60), *range(0xD0, 0xD8)))
_BLOCKS = {
    0xC0: (C.GET, C.BLOCK_TRANSFER_WITH_GET_OR_READ, (2,), (3,)),
    0xC4: (C.GET, C.BLOCK_TRANSFER_WITH_GET_OR_READ, (2,), (3,)),
    0xC1: (C.SET, C.BLOCK_TRANSFER_WITH_SET_OR_WRITE, (2, 3, 5), (4, 5)),
    0xC5: (C.SET, C.BLOCK_TRANSFER_WITH_SET_OR_WRITE, (2, 3, 4), (4, 5)),
    0xC3: (C.ACTION, C.BLOCK_TRANSFER_WITH_ACTION, (2, 4, 5, 6), (3, 5)),
    0xC7: (C.ACTION, C.BLOCK_TRANSFER_WITH_ACTION, (2, 4), (3,)),
}
"""Bits of the service, of its blocks and which of its kinds are blocks, and which are lists."""
_ALONE = {
    0xD9: C.ACCESS,
    0xDA: C.ACCESS,
    0x05: C.READ,
    0x0C: C.READ,
    0x06: C.WRITE,
    0x0D: C.WRITE,
    0x16: C.UNCONFIRMED_WRITE,
    0x0F: C.DATA_NOTIFICATION,
    0x10: C.DATA_NOTIFICATION,
    0x18: C.INFORMATION_REPORT,
    0xC2: C.EVENT_NOTIFICATION,
}
_NUMBERED = frozenset((0xC0, 0xC1, 0xC3, 0xC4, 0xC5, 0xC7))
_HIGH = 0x80
_SPECIFICATIONS = {
    4: C.PARAMETERIZED_ACCESS,
    5: C.BLOCK_TRANSFER_WITH_GET_OR_READ,
    6: C.BLOCK_TRANSFER_WITH_GET_OR_READ,
    7: C.BLOCK_TRANSFER_WITH_SET_OR_WRITE,
}


def needed_by(plain: bytes) -> Conformance:
    """The conformance bits that a plain APDU needs, read from its first octets."""
    tag, kind = plain[0], plain[1]
    if tag in _NUMBERED:
        bits, blocks, of_blocks, of_lists = _BLOCKS[tag]
        bits |= blocks if kind in of_blocks else C(0)
        bits |= C.MULTIPLE_REFERENCES if kind in of_lists else C(0)
        return bits | (C.PRIORITY_MGMT_SUPPORTED if plain[2] & _HIGH else C(0))
    bits = _ALONE[tag]
    if tag in (0xD9, 0xDA) and kind & _HIGH:
        bits |= C.PRIORITY_MGMT_SUPPORTED
    if tag in (0x05, 0x06, 0x16):
        bits |= C.MULTIPLE_REFERENCES if kind > 1 else C(0)
        bits |= _SPECIFICATIONS.get(plain[2], C(0))
    return bits


class Wire:
    """Sees every APDU, as trace of the client's stack."""

    plaintext = True

    def __init__(self) -> None:
        self.terms = Terms()
        self.standing = False
        """Whether the association is open for services."""
        self.careless = False
        """The client does not look at what was agreed."""
        self.log: list[str] = []
        self.apdus = 0
        self._counters: set[tuple[bool, str, bool, int]] = set()
        self._joining: dict[tuple[bool, bool], list[bytes]] = {}
        self._seen: dict[bool, set[int]] = {SENT: set(), CAME: set()}

    def connected(self, peer: str) -> None:
        """Nothing to see."""

    def begin(self, terms: Terms) -> None:
        """Another association is opened."""
        self.terms, self.standing = terms, False
        self._counters = {one for one in self._counters if one[1] == "glo"}
        self.again()

    def again(self) -> None:
        """Another request begins."""
        self._joining.clear()
        self._seen = {SENT: set(), CAME: set()}
        self.log.clear()

    def octets(self, layer: Layer, sent: bool, octets: bytes) -> None:
        if layer is Layer.APDU:
            self._saw(sent, octets)
        elif layer is Layer.PLAIN:
            self._saw_plain(sent, octets)

    def _saw(self, sent: bool, apdu: bytes) -> None:
        self.apdus += 1
        self.log.append(f"{'->' if sent else '<-'} {apdu[:40].hex()} ({len(apdu)})")
        kind = _ACSE.get(apdu[0])
        if kind is not None:
            information = kind.decode(apdu).user_information
            if information is not None:
                self._count(sent, information)
            return
        size = (self.terms.server if sent else self.terms.client).size or 0xFFFF
        assert len(apdu) <= size, f"an APDU of {len(apdu)} octets to one that takes {size}"
        whole: bytes | None = apdu
        if apdu[0] == 0xE0:
            self._need(sent, C.GENERAL_BLOCK_TRANSFER)
            whole = self._block(sent, a.GeneralBlockTransfer.decode(apdu))
        if whole is None:
            return
        self._count(sent, whole)
        if whole[0] in (0xDB, 0xDC):
            self._need(sent, C.GENERAL_PROTECTION)
        elif whole[0] not in _GLO | _DED | _ERRORS:
            assert not self.terms.ciphered, f"in clear: {whole[:20].hex()}"
            self._saw_plain(sent, whole)

    def _block(self, sent: bool, block: a.GeneralBlockTransfer) -> bytes | None:
        """Join blocks, none of which is lost."""
        control, number = block.block_control, block.block_number
        alone = control.window == 0 and block.block_number_ack == 0
        assert number or not block.block_data, "aborted"
        if not alone:
            if number == 1 and sent and not self.standing:  # opening may take several requests
                self._seen = {SENT: set(), CAME: set()}
            assert number not in self._seen[sent], f"block {number} twice"
            self._seen[sent].add(number)
        parts = self._joining.setdefault((sent, alone), [])
        if not block.block_data:
            return None
        parts.append(block.block_data)
        if not control.last_block:
            return None
        whole = b"".join(parts)
        parts.clear()
        return whole

    def _count(self, sent: bool, apdu: bytes) -> None:
        """Note the invocation counter of a protected APDU."""
        tag = apdu[0]
        if tag in (0xDB, 0xDC):
            at = 2 + apdu[1]
        elif tag in _GLO | _DED:
            at = 1
        else:
            return
        at += 1 if apdu[at] < 0x80 else 1 + (apdu[at] & 0x7F)
        key = "ded" if tag == 0xDC or tag in _DED else "glo"
        # Suites 0 and 1 have the same key here, suite 2 has another one.
        used = sent, key, apdu[at] & 0x0F == 2, int.from_bytes(apdu[at + 1 : at + 5])
        assert used not in self._counters, f"invocation counter used twice: {used}"
        self._counters.add(used)

    def _saw_plain(self, sent: bool, plain: bytes) -> None:
        if self.standing and plain[0] not in _ERRORS and plain[0] not in (0x01, 0x08):
            self._need(sent, needed_by(plain))

    def _need(self, sent: bool, bits: Conformance) -> None:
        missing = bits & ~self.terms.agreed
        if self.careless and not sent:  # an answer has the priority of its request, whatever that is
            missing &= ~C.PRIORITY_MGMT_SUPPORTED
        assert not (self.standing and missing) or (sent and self.careless), f"not agreed upon: {missing.names()}"

    def idle(self) -> bool:
        """Whether no request or answer was left in the middle; a notification may come later."""
        return not any(parts for (_, alone), parts in self._joining.items() if not alone)
