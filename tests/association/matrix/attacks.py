"""What an attacker makes of a protected APDU: each attack gives APDUs that have to be refused.

An attacker here is as strong as can be: whatever keys the wrong APDU needs, he has; it is wrong in one thing alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.keywrap import aes_key_wrap, aes_key_wrap_with_padding

from tests.association.general_samples import THIRD_TITLE, material
from tests.association.matrix.by_hand import FIELDS, ORDERS, SIZES, Hand, fresh_id, point, private, sign
from tests.association.samples import OTHER_TITLE

Bad = Iterator[tuple[str, bytes]]
Attack = Callable[[Hand, bytes], Bad]


def ciphers(hand: Hand) -> bool:
    return any(name != "signing" for name in hand.layers)


def has_header(hand: Hand) -> bool:
    """Whether the outermost layer names originator and recipient."""
    return hand.layers[0] not in ("glo", "ded", "general-glo", "general-ded")


def other_suites(hand: Hand, plain: bytes) -> Bad:
    """A right tag, under a security control that names another suite; reserved ones among them."""
    if ciphers(hand) and hand.bits:
        for suite in range(16):
            if suite != hand.suite:
                yield f"suite {suite}", hand.but(more_control=hand.suite ^ suite).sealed(plain)


def broadcast_and_compression(hand: Hand, plain: bytes) -> Bad:
    """A right tag, under a security control with a bit that may not be there."""
    if ciphers(hand) and hand.bits:
        for more in (0x40, 0x80, 0xC0):
            yield f"control {more:02X}", hand.but(more_control=more).sealed(plain)


def stripped(hand: Hand, plain: bytes) -> Bad:
    """Protection taken away from what is protected: the tag cut off, and the security control changed to fit."""
    if not ciphers(hand) or not hand.bits:
        return

    def control(mask: int, cut: int) -> Callable[[bytes], bytes]:
        return lambda content: bytes((content[0] & mask,)) + content[1 : len(content) - cut]

    if hand.bits == "AE":
        yield "tag cut off, encryption alone", hand.but(content_as=control(0xEF, 12)).sealed(plain)
        yield "encryption alone, tag left", hand.but(content_as=control(0xEF, 0)).sealed(plain)
        yield "authentication alone", hand.but(content_as=control(0xDF, 0)).sealed(plain)
    yield "no protection", hand.but(content_as=control(0xCF, 12)).sealed(plain)
    yield (
        "no protection, no counter",
        hand.but(content_as=lambda content: bytes((content[0] & 0xCF,)) + content[5:-12]).sealed(plain),
    )


def tags(hand: Hand, plain: bytes) -> Bad:
    """Tags that are shorter or longer than 12 octets, and wrong ones, with lengths that fit."""
    if not ciphers(hand) or "A" not in hand.bits:
        return
    for left in range(12):
        yield (
            f"tag of {left} octets",
            hand.but(content_as=lambda content, n=left: content[: len(content) - 12 + n]).sealed(plain),
        )
    for more in (1, 4, 12):
        yield (
            f"tag of {12 + more} octets",
            hand.but(content_as=lambda content, n=more: content + bytes(n)).sealed(plain),
        )
    yield "tag of zeros", hand.but(content_as=lambda content: content[:-12] + bytes(12)).sealed(plain)
    yield "two tags", hand.but(content_as=lambda content: content + content[-12:]).sealed(plain)
    for length in range(6):
        yield f"content of {length} octets", hand.but(content_as=lambda content, n=length: content[:n]).sealed(plain)


def titles(hand: Hand, plain: bytes) -> Bad:
    """Other parties than those that are known, with keys of their own; and titles that are none."""
    yield "a stranger", hand.but(originator=OTHER_TITLE).sealed(plain)
    yield "the recipient itself", hand.but(originator=hand.recipient, recipient=hand.originator).sealed(plain)
    if not has_header(hand) and "general" not in hand.layers[0]:
        return
    for name, title in (
        ("a stranger", OTHER_TITLE),
        ("the recipient", hand.recipient),
        ("nobody", b""),
        ("seven octets", hand.originator[:7]),
        ("nine octets", hand.originator + b"\0"),
    ):
        if title or has_header(hand):  # in general-glo-ciphering the title may be left out
            yield f"originator: {name}", hand.but(names=(title, hand.recipient)).sealed(plain)
    if not has_header(hand):
        return
    for name, title in (
        ("a stranger", OTHER_TITLE),
        ("the originator", hand.originator),
        ("nobody", b""),
        ("seven octets", hand.recipient[:7]),
        ("nine octets", hand.recipient + b"\0"),
    ):
        yield f"recipient: {name}", hand.but(names=(hand.originator, title)).sealed(plain)
    yield "for another meter", hand.but(recipient=OTHER_TITLE).sealed(plain)
    yield "to itself", hand.but(recipient=hand.originator).sealed(plain)


def signers(hand: Hand, plain: bytes) -> Bad:
    """Right signatures of somebody else, or of another private key of the originator."""
    if "signing" not in hand.layers:
        return
    others: list[tuple[str, Any]] = [
        ("a third party", private(THIRD_TITLE, hand.suite)[0]),
        ("a stranger", private(OTHER_TITLE, hand.suite)[0]),
        ("the recipient", private(hand.recipient, hand.suite)[0]),
        ("the key for key agreement", private(hand.originator, hand.suite)[1]),
    ]
    for name, key in others:
        if hand.originator != THIRD_TITLE or name != "a third party":
            yield f"signed by {name}", hand.but(signer=key).sealed(plain)


def wrong_signatures(hand: Hand, plain: bytes) -> Bad:
    """Signatures that are out of range, cut, lengthened, or of another form (9)."""
    if "signing" in hand.layers:
        for name, change in signature_changes(hand.suite):
            yield name, hand.but(signature_as=change).sealed(plain)


def signature_changes(suite: int) -> list[tuple[str, Callable[[bytes], bytes]]]:
    size, order = SIZES[suite], ORDERS[suite]

    def numbers(signature: bytes) -> tuple[int, int]:
        return int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")

    def made(r: int, s: int) -> bytes:
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    highest = 2 ** (8 * size) - 1
    changes: list[tuple[str, Callable[[bytes], bytes]]] = []
    for value in (0, 1, order - 1, order, order + 1, highest):
        changes.append((f"r = {value:X}"[:8], lambda signature, v=value: made(v, numbers(signature)[1])))
        changes.append((f"s = {value:X}"[:8], lambda signature, v=value: made(numbers(signature)[0], v)))
        changes.append((f"r = s = {value:X}"[:12], lambda signature, v=value: made(v, v)))
    changes += [
        ("r and s exchanged", lambda signature: signature[size:] + signature[:size]),
        ("n - r", lambda signature: made(order - numbers(signature)[0], numbers(signature)[1])),
        ("none", lambda signature: b""),
        ("all zeros", lambda signature: bytes(2 * size)),
        ("one octet less", lambda signature: signature[:-1]),
        ("one octet more", lambda signature: signature + b"\0"),
        ("a zero in front", lambda signature: b"\0" + signature),
        ("r alone", lambda signature: signature[:size]),
        ("twice", lambda signature: signature * 2),
        ("of the other suite's length", lambda signature: signature[: 2 * (80 - size)].ljust(2 * (80 - size), b"\0")),
        ("as DER", lambda signature: encode_dss_signature(*numbers(signature))),
    ]
    return changes


def other_s(suite: int) -> Callable[[bytes], bytes]:
    """s exchanged for n - s, which makes a signature that holds as well (9)."""
    size, order = SIZES[suite], ORDERS[suite]
    return lambda signature: signature[:size] + (order - int.from_bytes(signature[size:], "big")).to_bytes(size, "big")


@cache
def wrong_points(suite: int) -> list[tuple[str, bytes]]:
    """Octets that are no public key on the curve of a suite (8.2)."""
    size, p = SIZES[suite], FIELDS[suite]
    right = point(private(THIRD_TITLE, suite)[1].public_key(), size)
    x, y = int.from_bytes(right[:size], "big"), int.from_bytes(right[size:], "big")

    def made(a: int, b: int) -> bytes:
        return a.to_bytes(size, "big") + b.to_bytes(size, "big")

    other = ec.generate_private_key(ec.SECP384R1() if size == 32 else ec.SECP256R1()).public_key()
    highest = 2 ** (8 * size) - 1
    found = [
        ("infinity, as zeros", bytes(2 * size)),
        ("infinity, as its one octet", b"\0"),
        ("x = 0", made(0, y)),
        ("y = 0, of order two on another curve", made(x, 0)),
        ("(0, 1), of a small order on another curve", made(0, 1)),
        ("(1, 0)", made(1, 0)),
        ("off the curve by one", made(x, y ^ 1)),
        ("off the curve by one in x", made(x ^ 1, y)),
        ("x = p", made(p, y)),
        ("y = p", made(x, p)),
        ("all ones", made(highest, highest)),
        ("on the other curve", point(other, 80 - size)),
        ("on the other curve, cut to size", point(other, 80 - size).ljust(2 * size, b"\0")[: 2 * size]),
        ("uncompressed, with 04", b"\4" + right),
        ("compressed", bytes((2 | y & 1,)) + right[:size]),
        ("one octet less", right[:-1]),
        ("none", b""),
    ]
    if x + p <= highest:
        found.append(("x + p, which is on the curve modulo p", made(x + p, y)))
    return found


def points(hand: Hand, plain: bytes) -> Bad:
    """Ephemeral keys that are none, each signed by the originator as it should be."""
    if "one-pass" in hand.layers:
        key = private(hand.originator, hand.suite)[0]
        for name, q in wrong_points(hand.suite):
            yield f"Q: {name}", hand.but(data_as=lambda data, q=q: q + sign(key, hand.suite, q)).sealed(plain)


def ephemeral_signatures(hand: Hand, plain: bytes) -> Bad:
    """Ephemeral keys that the originator has not signed."""
    if "one-pass" not in hand.layers:
        return
    both = 2 * SIZES[hand.suite]
    for name, change in signature_changes(hand.suite):
        yield (
            f"signature of Q: {name}",
            hand.but(data_as=lambda data, f=change: data[:both] + f(data[both:])).sealed(plain),
        )
    for name, title, use in (
        ("a third party", THIRD_TITLE, 0),
        ("a stranger", OTHER_TITLE, 0),
        ("the recipient", hand.recipient, 0),
        ("the key for key agreement", hand.originator, 1),
    ):
        if title != hand.originator or use:
            key = private(title, hand.suite)[use]
            yield (
                f"Q signed by {name}",
                hand.but(data_as=lambda data, key=key: data[:both] + sign(key, hand.suite, data[:both])).sealed(plain),
            )
    key = private(hand.originator, hand.suite)[0]
    yield (
        "01 | Q signed, as in key_agreement",
        hand.but(data_as=lambda data: data[:both] + sign(key, hand.suite, b"\1" + data[:both])).sealed(plain),
    )


def wrapped_keys(hand: Hand, plain: bytes) -> Bad:
    """Keys that were wrapped otherwise (7)."""
    if "wrapped" not in hand.layers:
        return
    kek = material(hand.suite).kek
    assert kek is not None
    fresh = bytes(range(len(kek)))
    stranger = bytes(len(kek))
    for name, data in (
        ("under another master key", aes_key_wrap(stranger, fresh)),
        ("with padding", aes_key_wrap_with_padding(kek.reveal(), fresh)),
        ("of 24 octets", aes_key_wrap(kek.reveal(), bytes(24))),
        ("of the other length", aes_key_wrap(kek.reveal(), bytes(48 - len(kek)))),
        ("nothing", b""),
        ("the key itself", fresh),
    ):
        yield f"wrapped key: {name}", hand.but(data_as=lambda _, data=data: data).sealed(plain)
    yield "wrapped key: cut", hand.but(data_as=lambda data: data[:-8]).sealed(plain)
    yield "wrapped key: longer", hand.but(data_as=lambda data: data + bytes(8)).sealed(plain)


def counters(hand: Hand, plain: bytes) -> Bad:
    """Counters that were used, and the one that is never used."""
    if ciphers(hand) and hand.bits and not {"wrapped", "one-pass", "static"} & set(hand.layers):
        yield "counter 0", hand.but(counter=lambda: 0).sealed(plain)
        yield "counter FFFFFFFF", hand.but(counter=lambda: 0xFFFFFFFF).sealed(plain)


def other_forms(hand: Hand, plain: bytes) -> Bad:
    """Right by the formulas of another dialect (18): exactly one form is taken."""
    layered = {"absent", "unicast", "wrapped", "one-pass", "static"} & set(hand.layers)
    if layered and "A" in hand.bits:
        yield "SC | AK authenticated, META not", hand.but(other_form="SC | AK").sealed(plain)
    if "signing" in hand.layers:
        yield "content signed without its length", hand.but(other_form="without content length").sealed(plain)
    if "static" in hand.layers and hand.bits:
        yield "AlgorithmID with arc 06", hand.but(other_form="arc 06").sealed(plain)


def transaction_ids(hand: Hand, plain: bytes) -> Bad:
    """None, and one that is longer than any."""
    fresh = set(hand.layers) & {"signing", "wrapped", "one-pass", "static"}
    if fresh and hand.layers[0] not in ("glo", "ded", "general-glo", "general-ded"):
        yield "no transaction-id", hand.but(transaction_id=b"").sealed(plain)
        yield "a transaction-id of 33 octets", hand.but(transaction_id=fresh_id() + bytes(25)).sealed(plain)


def shapes(hand: Hand, plain: bytes) -> Bad:
    """Octets cut off, and octets behind."""
    good = hand.sealed(plain)
    for left in {0, 1, 2, len(good) // 2, len(good) - 1}:
        if left:
            yield f"cut to {left} octets", good[:left]
    yield "an octet behind", good + b"\0"
    yield "twice", good + good


ATTACKS: dict[str, Attack] = {
    each.__name__: each
    for each in (
        other_suites,
        broadcast_and_compression,
        stripped,
        tags,
        titles,
        signers,
        wrong_signatures,
        points,
        ephemeral_signatures,
        wrapped_keys,
        counters,
        other_forms,
        transaction_ids,
        shapes,
    )
}
