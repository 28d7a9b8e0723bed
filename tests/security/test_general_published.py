"""General protection against octets that others published (security.md 10, items 5, 8 and 9) or that are recorded."""

from __future__ import annotations

import pytest

from cosemic.dialect import STANDARD, GeneralSigningTbs
from cosemic.errors import DecipheringError, DecodeError, SignatureInvalid
from cosemic.security import (
    MemoryCounterStore,
    PublicKey,
    SecurityControl,
    one_pass_recipient,
    security_suite,
    unwrap_key,
)
from cosemic.security.general import (
    GeneralHeader,
    GeneralProtection,
    KeyEstablishment,
    KeyInfo,
    Layer,
    LayerPlan,
    MemoryTransactionStore,
    OwnParty,
    Party,
    open_ciphering,
    seal_ciphering,
    split_ciphering,
    split_signing,
    verify_signing,
)
from cosemic.security.keys import NO_AUTHENTICATION_KEY
from cosemic.security.unverified import decipher_unverified
from tests import vectors
from tests.security.curves import (
    CLIENT_SIGNING,
    ONE_PASS_Q,
    ONE_PASS_SIGNATURE,
    ONE_PASS_U,
    SIGNED_BY,
    SIGNED_PART,
    SIGNED_SIGNATURE,
    STATIC_V,
    SUITE_1,
)
from tests.security.samples import AK, CLIENT, EK, SERVER, key, material

HEADER = GeneralHeader(bytes.fromhex("0102030405060708"), SERVER, CLIENT)
PUBLISHED_TAG = "9836002aea6e7012d2adfaa7"
UK_SERVER = bytes.fromhex("00DB1234567890A0")
UK = bytes.fromhex(
    "DD000000000000401100000000DF090200000000000003EB0800DB1234567890A00890B3D51F30010000000200210CDA200003EB0000010001"
    "020000F4E3A029790221B3B6549478"
)
UK_EK = bytes.fromhex("913BAAEA0A6789652EB42D236EFBB2F4")


def test_one_pass_example_is_deciphered_by_the_key_that_its_key_info_stands_for() -> None:
    record = vectors.record("general-ciphering-access-request")
    parts = split_ciphering(vectors.octets(record))
    assert parts.header == HEADER
    assert parts.meta == HEADER.encode()
    assert parts.key_info == (KeyEstablishment.ONE_PASS, ONE_PASS_Q + ONE_PASS_SIGNATURE)
    signer = CLIENT_SIGNING.public
    agreed = one_pass_recipient(STATIC_V, signer, parts.key_info.data, SERVER, CLIENT, suite=SUITE_1)
    assert agreed.reveal() == vectors.keys(record)["ek"]
    apdu = decipher_unverified(parts.content, agreed, SERVER)
    assert (len(apdu), apdu[0]) == (record["expected"]["apdu"]["plaintext_length"], 0xD9)


def test_the_tag_of_the_one_pass_example_is_the_one_published_value_that_is_not_reproduced() -> None:
    parts = split_ciphering(vectors.octets(vectors.record("general-ciphering-access-request")))
    agreed = key(bytes.fromhex("59A71FD81C929A86A99438DA17A66C05"))
    plain = decipher_unverified(parts.content, agreed, SERVER)
    made = seal_ciphering(SecurityControl(0x31), agreed, key(AK), HEADER, parts.key_info, 0, plain)
    published = vectors.octets(vectors.record("general-ciphering-access-request"))
    assert made[:-12] == published[:-12]
    assert published[-12:].hex() == PUBLISHED_TAG != made[-12:].hex()
    with pytest.raises(DecipheringError):
        open_ciphering(parts, agreed, key(AK), SERVER)
    assert open_ciphering(split_ciphering(made), agreed, key(AK), SERVER).plaintext == plain


def test_one_pass_example_is_made_by_a_side_with_the_published_keys_up_to_its_tag() -> None:
    published = vectors.octets(vectors.record("general-ciphering-access-request"))
    parts = split_ciphering(published)
    plain = decipher_unverified(parts.content, key(bytes.fromhex("59A71FD81C929A86A99438DA17A66C05")), SERVER)
    recipient = Party(
        title=CLIENT,
        key_infos=frozenset({KeyEstablishment.ONE_PASS}),
        authentication_key=key(AK),
        agreement=STATIC_V.public,
    )
    side = GeneralProtection(
        OwnParty(title=SERVER, signing_key=CLIENT_SIGNING),
        [recipient],
        suite=SUITE_1,
        counters=MemoryCounterStore(),
        transactions=MemoryTransactionStore(),
        make_ephemeral=lambda suite: ONE_PASS_U,
    )
    made = side.protect(plain, LayerPlan((Layer(recipient=CLIENT),)), transaction_id=HEADER.transaction_id)
    theirs = len(published) - len(parts.content) - len(ONE_PASS_SIGNATURE) - 2
    assert made[:theirs] == published[:theirs]
    assert split_ciphering(made).content[:-12] == parts.content[:-12]


def test_authentication_alone_without_authentication_key_around_general_signing() -> None:
    parts = split_ciphering(UK)
    assert parts.meta == bytes(5)
    opened = open_ciphering(parts, key(UK_EK), NO_AUTHENTICATION_KEY, UK_SERVER)
    assert (opened.authenticated, opened.encrypted, opened.security_control) == (True, False, 0x11)
    inside = split_signing(opened.plaintext)
    assert inside.header == (
        bytes.fromhex("0200000000000003EB"),
        UK_SERVER,
        bytes.fromhex("90B3D51F30010000"),
        b"",
        bytes.fromhex("0021"),
    )
    assert inside.content == bytes.fromhex("DA200003EB00000100010200")
    assert inside.signature == b""
    info, control = KeyInfo(KeyEstablishment.ABSENT), SecurityControl(0x11)
    assert parts.key_info == info
    header = GeneralHeader(originator=UK_SERVER)
    made = seal_ciphering(control, key(UK_EK), NO_AUTHENTICATION_KEY, header, info, 0, opened.plaintext, STANDARD)
    assert split_ciphering(made).content[:-12] == parts.content[:-12]


def test_every_bit_of_what_the_example_without_authentication_key_authenticates() -> None:
    for place in range(8 * len(UK)):
        octets = bytearray(UK)
        octets[place // 8] ^= 0x80 >> place % 8
        with pytest.raises((DecodeError, DecipheringError)):
            open_ciphering(split_ciphering(bytes(octets)), key(UK_EK), NO_AUTHENTICATION_KEY, UK_SERVER)


def test_a_signature_is_over_all_fields_with_the_length_of_the_content() -> None:
    apdu = b"\xdf" + SIGNED_PART + b"\x40" + SIGNED_SIGNATURE
    parts = split_signing(apdu)
    assert parts.meta + parts.sized_content == SIGNED_PART
    signer = PublicKey.of(SIGNED_BY, SUITE_1)
    verify_signing(parts, signer)
    without = STANDARD.but(general_signing_tbs=GeneralSigningTbs.WITHOUT_CONTENT_LENGTH)
    with pytest.raises(SignatureInvalid):
        verify_signing(parts, signer, without)


@vectors.each_record("apdu", where=lambda each: each["hex"].startswith("dd"))
def test_recorded_general_ciphering(record: vectors.Record) -> None:
    given, expected = vectors.keys(record), record["expected"]["apdu"]
    parts = split_ciphering(vectors.octets(record))
    assert [each.hex() or None for each in parts.header] == [
        expected[name] for name in ("transaction_id", "originator", "recipient", "date_time", "other_information")
    ]
    if expected["tag_ok"] is None:
        return
    suite = security_suite(expected["security_control"] & 15)
    secret = given["ek"] if "ek" in given else unwrap_key(key(given["kek"]), parts.key_info.data, suite).reveal()
    title = parts.header.originator or given["system_title"]
    opened = open_ciphering(parts, key(secret), key(given["ak"]), title)
    assert len(opened.plaintext) == expected["plaintext_length"]
    assert (opened.security_control, opened.invocation_counter) == (
        expected["security_control"],
        expected["invocation_counter"],
    )


def test_an_identified_key_makes_the_recorded_octets() -> None:
    record = vectors.octets(vectors.record("ref-general-ciphering-identified"))
    peer = Party(title=CLIENT, key_infos=frozenset({KeyEstablishment.GLOBAL_UNICAST}), material=material())
    counters = MemoryCounterStore()
    counters.transmit_counter(key(EK).identity, SERVER).raise_to(1)
    side = GeneralProtection(
        OwnParty(title=SERVER),
        [peer],
        suite=security_suite(0),
        counters=counters,
        transactions=MemoryTransactionStore(),
    )
    plain = bytes.fromhex("C001C100080000010000FF0200")
    made = side.protect(plain, LayerPlan((Layer(recipient=CLIENT),)), transaction_id=HEADER.transaction_id)
    assert made == record
    assert counters.transmit_counter(key(EK).identity, SERVER).next() == 2
