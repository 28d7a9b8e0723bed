"""What an attacker can cost us: work and memory are bounded before anything is worked out or believed.

Work is counted and memory is traced; nothing here measures time.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509

from cosemic.association.notifications import NotificationRefused
from cosemic.codec import encode_length
from cosemic.errors import CertificateError, ConfigurationError, DecipheringError, DecodeError
from cosemic.security import SoftwareAgreementKey, elliptic, key_wrap
from cosemic.security.certificates import (
    Certificate,
    CertificateRequest,
    CertificateStore,
    RevocationList,
    TrustedSigners,
    der,
    pkcs8,
)
from cosemic.security.certificates.pem import ENCRYPTED_KEY, LONGEST_FILE, from_pem, to_pem
from cosemic.security.certificates.revocation import LONGEST_LIST
from cosemic.security.general import split_ciphering, split_signing
from cosemic.store.key_store.shipments import markup, parse_mapping, reading, shipped_meters
from cosemic.store.key_store.shipments.markup import parse_xml
from cosemic.values import ActionResult, Secret
from tests.association.notification_samples import receiver
from tests.security.laboratory import AT, SUITE_1, YEAR, by_hand, issued, new_root
from tests.security.parties import STRANGER, server
from tests.security.samples import CLIENT, SERVER
from tests.server.protection_support import BOTH, VALUE, Protecting, S, T, body, listed, to_device
from tests.server.security_support import GUEK, device_of, invoke, keys_of, octets, server_settings, transfer, wrapped

MEBIBYTE = 1 << 20
PASSPHRASE = Secret(b"correct horse battery")
FAR = 1 << 40
"""A length that nothing has."""


@contextmanager
def at_most(size: int) -> Iterator[None]:
    """Have the block take no more memory at a time than so many octets."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < size
    finally:
        tracemalloc.stop()


def never(*_: Any, **__: Any) -> Any:
    """Stand in for what must not be reached."""
    raise AssertionError("it was reached")


# ---- key files ------------------------------------------------------------------------------------------------------

AES_256_CBC = der.tlv(der.SEQUENCE, bytes.fromhex("060960864801650304012a"), der.tlv(der.OCTET_STRING, bytes(16)))
HMAC_SHA_256 = bytes.fromhex("300c06082a864886f70d02090500")


def encrypted_key(scheme: bytes) -> bytes:
    return der.tlv(der.SEQUENCE, scheme, der.tlv(der.OCTET_STRING, bytes(160)))


def pbes_2(derivation: str, *parameters: bytes) -> bytes:
    salt = der.tlv(der.OCTET_STRING, bytes(16))
    named = der.tlv(der.SEQUENCE, bytes.fromhex(derivation), der.tlv(der.SEQUENCE, salt, *parameters))
    scheme = der.tlv(der.SEQUENCE, bytes.fromhex("06092a864886f70d01050d"), der.tlv(der.SEQUENCE, named, AES_256_CBC))
    return encrypted_key(scheme)


def scrypt(*numbers: int) -> bytes:
    return pbes_2("06092b06010401da47040b", *map(der.integer, numbers))


def pbkdf_2(rounds: int) -> bytes:
    return pbes_2("06092a864886f70d01050c", der.integer(rounds), HMAC_SHA_256)


def pbes_1(rounds: int) -> bytes:
    parameters = der.tlv(der.SEQUENCE, der.tlv(der.OCTET_STRING, bytes(8)), der.integer(rounds))
    return encrypted_key(der.tlv(der.SEQUENCE, bytes.fromhex("060a2a864886f70d010c0103"), parameters))


COSTLY = {
    "scrypt with gigabytes": scrypt(1 << 24, 8, 1),
    "scrypt with many passes": scrypt(1 << 14, 8, 1 << 12),
    "scrypt with wide blocks": scrypt(1 << 14, 1 << 12, 1),
    "scrypt without its numbers": scrypt(1 << 14),
    "PBKDF2 with 2^31 rounds": pbkdf_2((1 << 31) - 1),
    "a scheme of before with 2^31 rounds": pbes_1((1 << 31) - 1),
}


@pytest.mark.parametrize("form", ["DER", "PEM"])
@pytest.mark.parametrize("which", list(COSTLY))
def test_a_key_file_cannot_ask_for_gigabytes_or_hours(which: str, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pkcs8, "load_der_private_key", never)
    monkeypatch.setattr(pkcs8, "load_pem_private_key", lambda *_, **__: never())
    octets = COSTLY[which] if form == "DER" else to_pem(COSTLY[which], ENCRYPTED_KEY)
    with pytest.raises(ConfigurationError, match="too much memory or time"):
        pkcs8.decrypt_key(octets, PASSPHRASE)


@pytest.mark.parametrize("octets", [scrypt(1 << 17, 8, 1), scrypt(1 << 14, 8, 8), pbkdf_2(1_000_000), pbes_1(2048)])
def test_what_key_files_usually_ask_for_is_worked_out(octets: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pkcs8, "load_der_private_key", never)
    with pytest.raises(AssertionError, match="reached"):
        pkcs8.decrypt_key(octets, PASSPHRASE)


def test_a_key_file_that_is_nested_without_end_is_no_key() -> None:
    octets = b""
    while len(octets) < 4000:
        octets = der.tlv(der.SEQUENCE, octets)
    with pytest.raises(ConfigurationError, match="it is no key"):
        pkcs8.decrypt_key(encrypted_key(octets), PASSPHRASE)


def test_the_primes_of_an_rsa_key_are_not_looked_at() -> None:
    # Its "primes" are none, which the library finds out by minutes of work where they are long ones.
    p, q, e = 0xF << 508 | 1, (0xF << 500 | 3), 65537
    numbers = [0, p * q, e, 5, p, q, 7, 9, 11]
    key = der.tlv(der.OCTET_STRING, der.tlv(der.SEQUENCE, *map(der.integer, numbers)))
    algorithm = bytes.fromhex("300d06092a864886f70d0101010500")
    with pytest.raises(ConfigurationError, match="not on P-256 or P-384"):
        pkcs8.decrypt_key(der.tlv(der.SEQUENCE, der.integer(0), algorithm, key), None)


# ---- certificates, requests, lists ----------------------------------------------------------------------------------


@pytest.mark.parametrize("read", [Certificate.of, CertificateRequest.of, RevocationList.of])
def test_what_is_too_long_to_be_one_is_not_taken_apart(
    read: Callable[[bytes], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(der, "_read", never)
    for name in ("load_der_x509_certificate", "load_der_x509_csr", "load_der_x509_crl"):
        monkeypatch.setattr(x509, name, never)
    longer = bytes(LONGEST_LIST + 1)
    with at_most(MEBIBYTE // 4), pytest.raises(CertificateError, match="at most"):
        read(longer)


def revoking(number: int) -> bytes:
    """A list of so many certificates; its signature is that of another list."""
    made = new_root().revocation_list(AT, AT + YEAR).octets
    signed, algorithm, signature = der.elements(der.whole(made, "list").contents, "list")
    fields = [each.whole for each in der.elements(signed.contents, "list")]
    entry = der.tlv(der.SEQUENCE, der.integer(7), der.tlv(0x17, b"261120120000Z"))
    fields[5:5] = [der.tlv(der.SEQUENCE, entry * number)]
    return der.tlv(der.SEQUENCE, der.tlv(der.SEQUENCE, *fields), algorithm.whole, signature.whole)


@pytest.mark.slow
def test_a_revocation_list_of_a_million_certificates_is_refused_and_the_longest_one_takes_little() -> None:
    million = revoking(1_000_000)
    with at_most(MEBIBYTE), pytest.raises(CertificateError, match="at most"):
        RevocationList.of(million)
    longest = revoking((LONGEST_LIST - 500) // 20)
    with at_most(32 * MEBIBYTE):
        assert len(RevocationList.of(longest).revoked) == 1


def test_a_certificate_with_hundreds_of_extensions_or_names_is_refused() -> None:
    many = [x509.UnrecognizedExtension(x509.ObjectIdentifier(f"1.2.3.{number}"), b"") for number in range(300)]
    names = x509.SubjectAlternativeName([x509.DNSName(f"a{number}") for number in range(900)])
    for certificate in (by_hand(*[(each, False) for each in many]), by_hand((names, False))):
        assert len(certificate) < 8192
        with pytest.raises(CertificateError):
            Certificate.of(certificate)


def test_who_presents_a_pile_of_certificates_has_presented_none(monkeypatch: pytest.MonkeyPatch) -> None:
    root = new_root()
    store = CertificateStore(SERVER, SUITE_1, anchors=[root.certificate])
    pile = b"".join(issued(root, CLIENT).octets for _ in range(20))
    monkeypatch.setattr(x509, "load_der_x509_certificate", never)
    for presented in (pile, pile[:4000]):
        with pytest.raises(CertificateError):
            TrustedSigners(store, lambda: AT).signer(CLIENT, presented)


@pytest.mark.parametrize(
    "octets",
    [
        b"-----BEGIN CERTIFICATE-----\n" + bytes(0x41 for _ in range(LONGEST_FILE - 40)),
        b"-----BEGIN CERTIFICATE-----\nAAAA\n" * (LONGEST_FILE // 34),
        b"-----BEGIN " * (LONGEST_FILE // 12),
        b"-----BEGIN CERTIFICATE-----\n" + b" \n" * (LONGEST_FILE // 2 - 20),
        bytes(LONGEST_FILE + 1),
    ],
    ids=["without an end", "many beginnings", "many dashes", "blank", "too long"],
)
def test_a_file_of_certificates_is_looked_through_once(octets: bytes) -> None:
    with at_most(MEBIBYTE), pytest.raises(CertificateError):
        from_pem(octets)


# ---- shipments of keys ----------------------------------------------------------------------------------------------


def mapping(kind: str) -> Any:
    return parse_mapping({"format": kind, "columns": {"name": "n"}, "keys": {"kek": "k"}})


@pytest.mark.parametrize("octets", [b"[" * 3_000_000, b"[" + b"[]," * 1_500_000 + b"0]", b"{}," * 3_000_000])
def test_json_of_millions_of_values_is_refused_before_it_is_read(
    octets: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading.json, "loads", never)
    with at_most(MEBIBYTE), pytest.raises(ConfigurationError, match="values: split it"):
        list(shipped_meters(octets, mapping("json")))


def test_json_that_nests_or_counts_without_end_is_no_json() -> None:
    for text in (b"[" * 1_000_000, b'[{"n":' + b"9" * 1_000_000 + b"}]", b'{"n":' * 1_000_000):
        with pytest.raises(ConfigurationError, match="is no JSON"):
            list(shipped_meters(text, mapping("json")))


def test_xml_of_many_elements_is_refused_while_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert markup.MOST_ELEMENTS <= 2_000_000
    monkeypatch.setattr(markup, "MOST_ELEMENTS", 1000)
    with at_most(2 * MEBIBYTE), pytest.raises(ConfigurationError, match="more than 1000 elements"):
        parse_xml(b"<r>" + b"<a/>" * 100_000)


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><r>&b;</r>',
        '<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><r>&a;</r>',
        '<!DOCTYPE r SYSTEM "http://192.0.2.1/r.dtd"><r/>',
        "<!DOCTYPE r [<!ENTITY % p \"<!ENTITY a SYSTEM 'file:///etc/passwd'>\">%p;]><r/>",
        "<r>&unknown;</r>",
    ],
)
def test_xml_grows_by_no_entity_and_reads_nothing_from_outside(text: str) -> None:
    with at_most(MEBIBYTE), pytest.raises(ConfigurationError, match=r"document type or entities|is no XML"):
        parse_xml(text.encode())


@pytest.mark.parametrize("kind", ["csv", "json", "xml"])
def test_a_shipment_has_a_bounded_number_of_meters(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert reading.MOST_METERS <= 500_000
    monkeypatch.setattr(reading, "MOST_METERS", 10)
    of_11 = {
        "csv": b"n,k\n" + b"a,\n" * 11,
        "json": b"[" + b"{}," * 10 + b"{}]",
        "xml": b"<r>" + b"<a/>" * 11 + b"</r>",
    }
    with pytest.raises(ConfigurationError, match="more than 10 meters: split it"):
        list(shipped_meters(of_11[kind], mapping(kind)))


def test_a_cell_of_a_megabyte_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="is no CSV"):
        list(shipped_meters(b"n,k\n" + b"a" * MEBIBYTE, mapping("csv")))


# ---- APDUs ----------------------------------------------------------------------------------------------------------


def test_a_length_that_nothing_has_is_an_error_of_a_few_octets() -> None:
    field = b"\x08" + bytes(8)
    for number in range(7):
        octets = field * number + encode_length(FAR)
        for tag, split in ((b"\xdd", split_ciphering), (b"\xdf", split_signing)):
            with at_most(MEBIBYTE // 16), pytest.raises(DecodeError):
                split(tag + octets)
    with pytest.raises(DecodeError):  # key-ciphered-data
        split_ciphering(b"\xdd" + field * 5 + b"\x01\x01\x00" + encode_length(FAR))


def test_forged_layers_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    meter = server()
    before = meter.state
    monkeypatch.setattr(SoftwareAgreementKey, "exchange", never)
    monkeypatch.setattr(elliptic.PublicKey, "to_cryptography", never)
    octets = bytearray(bytes.fromhex("dd08") + bytes(8) + b"\x08" + CLIENT + b"\x08" + SERVER + bytes(3))
    octets += encode_length(40) + b"\x31" + bytes(39)
    for number in range(2000):
        octets[2:10] = number.to_bytes(8, "big")
        for title in (CLIENT, STRANGER):
            octets[11:19] = title
            with pytest.raises(DecipheringError):
                meter.protection.unprotect(bytes(octets))
    assert meter.state == before
    assert meter.transactions._known == {}
    assert len(meter.protection._receiving.received) == 1


def test_senders_that_nobody_knows_leave_nothing_behind() -> None:
    machine = receiver(keys=lambda title: None)
    for number in range(500):
        octets = b"\xdb\x08" + number.to_bytes(8, "big") + b"\x20\x30" + bytes(31)
        (event,) = machine.receive(octets, float(number))
        assert isinstance(event, NotificationRefused)
    assert not machine._originators._known
    assert machine._originators.held == 0


def test_protection_parameters_of_a_thousand_layers_cost_no_deciphering(monkeypatch: pytest.MonkeyPatch) -> None:
    device = Protecting()
    genuine = device.client.protect(body((T.LONG_UNSIGNED, 9)), [to_device(BOTH), to_device(S)])
    monkeypatch.setattr(key_wrap, "aes_key_unwrap", never)
    monkeypatch.setattr(elliptic.PublicKey, "to_cryptography", never)
    for times in (3, 500):
        many = replace(genuine, parameters=genuine.parameters * times)
        assert device.set(listed(VALUE), many) == "other-reason"


def test_a_transfer_of_a_thousand_keys_costs_no_unwrapping(monkeypatch: pytest.MonkeyPatch) -> None:
    device = device_of(server_settings())
    before = keys_of(device)
    entries = [(GUEK, wrapped(octets(0x33)))] * 1000
    monkeypatch.setattr(key_wrap, "aes_key_unwrap", never)
    assert invoke(device, 2, transfer(1, entries)).result is not ActionResult.SUCCESS
    assert keys_of(device) == before
