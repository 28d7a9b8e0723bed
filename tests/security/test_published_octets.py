"""Octets that others published or computed: Green Book examples and recorded vectors."""

from __future__ import annotations

import pytest

from cosemic.security import (
    Envelope,
    Protection,
    SecurityControl,
    protect,
    security_suite,
    unprotect,
    unwrap_key,
    wrap_key,
)
from cosemic.security.envelopes import seal_envelope
from cosemic.security.hls import gmac, gmac_control, md5, sha1, sha256, verify_gmac
from cosemic.values.secret import Secret
from tests import vectors
from tests.security.samples import (
    AK,
    CLIENT,
    COUNTER,
    CTOS,
    EK,
    GET,
    INITIATE,
    SERVER,
    STOC,
    key,
    server,
)

EK2 = bytes(range(0x20))
AK2 = bytes(range(0xD0, 0xF0))
SECRET = Secret(b"SECRET0123456789")

EXAMPLES = {
    "authentication": (0x10, GET, "C81E1001234567C0010000080000010000FF020006725D910F9221D263877516"),
    "encryption": (0x20, GET, "C8122001234567411312FF935A47566827C467BC"),
    "both": (0x30, GET, "C81E3001234567411312FF935A47566827C467BC7D825C3BE4A77C3FCC056B6B"),
    "initiate": (
        0x30,
        INITIATE,
        "21303001234567801302FF8A7874133D414CED25B42534D28DB0047720606B175BD52211BE6841DB204D39EE6FDB8E356855",
    ),
}


@pytest.mark.parametrize(("control", "plain", "octets"), EXAMPLES.values(), ids=EXAMPLES)
def test_published_apdu_is_made_and_read(control: int, plain: bytes, octets: str) -> None:
    apdu = bytes.fromhex(octets)
    protected = protect(SecurityControl(control), key(EK), key(AK), SERVER, COUNTER, plain)
    assert seal_envelope(Envelope.GLO, plain[0], SERVER, protected) == apdu
    result = unprotect(apdu[2:], key(EK), key(AK), SERVER)
    assert result == (plain, control != 0x20, control != 0x10, control, COUNTER)


def test_context_that_stands_at_the_published_counter_makes_the_published_apdu() -> None:
    context = server()
    context.transmit.raise_to(COUNTER)
    assert context.protect_apdu(GET) == bytes.fromhex(EXAMPLES["both"][2])
    authenticated = context.protect_apdu(GET, protection=Protection.AUTHENTICATED)
    assert authenticated[:7] == bytes.fromhex("C81E1001234568")


def test_suite_2_uses_keys_of_32_octets() -> None:
    protected = protect(SecurityControl(0x32), key(EK2), key(AK2), SERVER, COUNTER, GET)
    expected = "3201234567E82B2AD3EE8C12A6FB27038F08442193498C6A53DE55EEB9D2"
    assert protected == bytes.fromhex(expected)
    assert unprotect(protected, key(EK2), key(AK2), SERVER).plaintext == GET


GMAC_EXAMPLES = {
    "f(StoC)": (0, EK, AK, CLIENT, STOC, 1, "10000000011A52FE7DD3E72748973C1E28"),
    "f(CtoS)": (0, EK, AK, SERVER, CTOS, COUNTER, "1001234567FE1466AFB3DBCD4F9389E2B7"),
    "suite 1": (1, EK, AK, CLIENT, STOC, 1, "11000000010B8F049790968272E11DD693"),
    "suite 2": (2, EK2, AK2, CLIENT, STOC, 1, "120000000169A6C6DE81EF37CAD845F338"),
}


@pytest.mark.parametrize(
    ("suite", "ek", "ak", "title", "challenge", "counter", "value"), GMAC_EXAMPLES.values(), ids=GMAC_EXAMPLES
)
def test_gmac_of_mechanism_5(
    suite: int, ek: bytes, ak: bytes, title: bytes, challenge: bytes, counter: int, value: str
) -> None:
    control = gmac_control(suite)
    assert gmac(challenge, key(ek), key(ak), title, counter, control) == bytes.fromhex(value)
    assert verify_gmac(bytes.fromhex(value), challenge, key(ek), key(ak), title, control) == counter


def test_hashes_of_mechanisms_3_4_and_6() -> None:
    assert md5(STOC, SECRET).hex() == "c78a9ccd26097cc87f9f1728f5c269e8"
    assert md5(CTOS, SECRET).hex() == "fac4eb870b03edcc72666ff541017820"
    assert sha1(STOC, SECRET).hex() == "a6e533c3e9db3b91bbed097e719f9268dc691b62"
    assert sha1(CTOS, SECRET).hex() == "634009f1038e99cdb5ef951c907f1878f48d2f09"
    of_client = sha256(STOC, CTOS, CLIENT, SERVER, SECRET)
    assert of_client.hex() == "a14c7cd1a1a20b82f351f63b9547addfe0b785fdf7241371633a6447730da0c9"
    of_server = sha256(CTOS, STOC, SERVER, CLIENT, SECRET)
    assert of_server.hex() == "7c3b0a7ed588fc5e430e3229e1700673615bd0264fb2577769bd935bd5e2c39f"


def test_key_wrap_example() -> None:
    kek = key(bytes.fromhex("00112233445566778899AABBCCDDEEFF"))
    wrapped = wrap_key(kek, Secret(EK), security_suite(0))
    assert wrapped.hex() == "26de33ddf46bb04f7762e931bd7590faee90b48687571982"
    assert unwrap_key(kek, wrapped, security_suite(0)) == Secret(EK)


@vectors.each_record("hls")
def test_recorded_hls_value(record: vectors.Record) -> None:
    given = vectors.keys(record)
    control = SecurityControl(given["security_control"][0])
    counter = int.from_bytes(given["invocation_counter"], "big")
    value = gmac(vectors.octets(record), key(given["ek"]), key(given["ak"]), given["system_title"], counter, control)
    assert value.hex() == record["expected"]["f"]


@vectors.each_record("keywrap")
def test_recorded_key_wrap(record: vectors.Record) -> None:
    secret = vectors.octets(record)
    suite = security_suite(0 if len(secret) == 16 else 2)
    kek = key(vectors.keys(record)["kek"])
    assert wrap_key(kek, Secret(secret), suite).hex() == record["expected"]["wrapped"]
    assert unwrap_key(kek, bytes.fromhex(record["expected"]["wrapped"]), suite).reveal() == secret
