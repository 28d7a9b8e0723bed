"""Certificates against the X.509 profile: what is read, and what is refused."""

from __future__ import annotations

import datetime as dt
import pickle
import warnings

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import CertificateError, ConfigurationError
from cosemic.security.certificates import INDEFINITE, Certificate
from cosemic.security.certificates import der as der_module
from cosemic.security.certificates.certificate import LONGEST_CERTIFICATE
from cosemic.security.certificates.titles import HARDWARE_MODULE_NAME
from cosemic.security.suite import security_suite
from tests.security.laboratory import (
    AGREEMENT,
    AT,
    CLIENT,
    METER,
    SIGNATURE,
    SUITE_1,
    SUITE_2,
    TLS,
    USAGE,
    USES,
    Extension,
    below,
    by_hand,
    common_name,
    issued,
    new_key,
    new_root,
)

ROOT = new_root()
LEAF = issued(ROOT)


def usage(*bits: str) -> x509.KeyUsage:
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(*(name in bits for name in names))


AUTHORITY = usage("key_cert_sign", "crl_sign")
SIDES = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")


@pytest.mark.parametrize("suite", [1, 2])
@pytest.mark.parametrize("hardware_type", [None, "1.2.3.4"])
@pytest.mark.parametrize("use", USES)
def test_what_stands_in_a_certificate_is_read(suite: int, hardware_type: str | None, use: object) -> None:
    root, key = new_root(suite), new_key(suite)
    made = root.issue(key.public, METER, use, not_before=AT, hardware_type=hardware_type)  # type: ignore[arg-type]
    read = Certificate.of(made.octets)
    assert (read.type, read.system_title, read.public_key) == (use, METER, key.public)
    assert (read.not_before, read.not_after) == (AT, INDEFINITE)
    assert read.issuer == root.certificate.subject
    assert not read.is_authority
    assert (read.tls_server, read.tls_client) == ((use is TLS,) * 2)
    library = x509.load_der_x509_certificate(made.octets)
    assert read.serial_number == library.serial_number
    assert read.subject == library.subject.public_bytes()
    assert read.to_be_signed == library.tbs_certificate_bytes
    assert read.signature == library.signature
    assert library.signature_hash_algorithm is not None
    assert library.signature_hash_algorithm.name == security_suite(suite).hash_name
    if hardware_type:
        assert read.subject == b"\x30\x00"
        assert (
            read.subject_alt_name
            == library.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.public_bytes()
        )
        assert METER in read.subject_alt_name
    else:
        assert read.subject_alt_name == b""
        assert b"4D4D4D0000BC614E" in read.subject


def test_an_authority_has_no_title_and_perhaps_a_path_length() -> None:
    root = new_root(path_length=2)
    assert (root.certificate.is_authority, root.certificate.is_self_issued) == (True, True)
    assert (root.certificate.system_title, root.certificate.path_length) == (None, 2)
    sub = below(root, name=METER.hex()).certificate
    assert (sub.is_authority, sub.is_self_issued, sub.path_length, sub.system_title) == (True, False, 1, None)


def test_a_validity_without_end_is_the_last_second_that_can_be_written() -> None:
    octets = ROOT.issue(new_key().public, METER, SIGNATURE, not_before=AT).octets
    assert b"\x17\x0d261120120000Z\x18\x0f99991231235959Z" in octets


@pytest.mark.parametrize(("year", "tag"), [(2049, b"\x17\x0d49"), (2050, b"\x18\x0f2050")])
def test_years_from_2050_on_are_written_with_four_digits(year: int, tag: bytes) -> None:
    ends = dt.datetime(year, 6, 1, tzinfo=dt.UTC)
    made = ROOT.issue(new_key().public, METER, SIGNATURE, not_before=AT, not_after=ends)
    assert tag in made.octets
    assert made.not_after == ends


GOOD: dict[str, tuple[Extension, ...]] = {
    "signature": ((USAGE, True),),
    "agreement": ((usage("key_agreement"), True),),
    "tls": ((usage("digital_signature", "key_agreement"), True), (SIDES, False)),
    "authority": ((AUTHORITY, True), (x509.BasicConstraints(True, None), True)),
    "unknown, not critical": ((USAGE, True), (UNKNOWN, False)),
}
BAD: dict[str, tuple[tuple[Extension, ...], str]] = {
    "no KeyUsage": (((SIDES, False),), "no critical KeyUsage"),
    "KeyUsage is not critical": (((USAGE, False),), "no critical KeyUsage"),
    "unknown critical extension": (((USAGE, True), (UNKNOWN, True)), "not of the profile: 1.2.3.4"),
    "name constraints": (
        ((USAGE, True), (x509.NameConstraints([x509.DNSName("x")], None), True)),
        "not of the profile: 2.5.29.30",
    ),
    "non-repudiation": (((usage("digital_signature", "content_commitment"), True),), "not of the profile"),
    "encipher only": (((usage("key_agreement", "encipher_only"), True),), "not of the profile"),
    "an end entity that signs certificates": (((usage("key_cert_sign"), True),), "not of the profile"),
    "BasicConstraints of an end entity": (((USAGE, True), (x509.BasicConstraints(False, None), True)), "BasicConstr"),
    "BasicConstraints that are not critical": (
        ((AUTHORITY, True), (x509.BasicConstraints(True, None), False)),
        "BasicConstraints",
    ),
    "a CA that signs no lists": (
        ((usage("key_cert_sign"), True), (x509.BasicConstraints(True, None), True)),
        "a CA with the key usage key cert sign",
    ),
    "a CA that signs data": (((USAGE, True), (x509.BasicConstraints(True, None), True)), "a CA with the key usage"),
    "sides of TLS for a signature": (((USAGE, True), (SIDES, False)), "ExtendedKeyUsage"),
    "code signing": (
        ((USAGE, True), (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), False)),
        "ExtendedKeyUsage",
    ),
    "TLS without sides": (((usage("digital_signature", "key_agreement"), True),), "ExtendedKeyUsage"),
}


@pytest.mark.parametrize("extensions", GOOD.values(), ids=GOOD)
def test_what_the_profile_allows_is_read(extensions: tuple[Extension, ...]) -> None:
    Certificate.of(by_hand(*extensions))


@pytest.mark.parametrize(("extensions", "reason"), BAD.values(), ids=BAD)
def test_what_the_profile_does_not_allow_is_refused(extensions: tuple[Extension, ...], reason: str) -> None:
    with pytest.raises(CertificateError, match=reason):
        Certificate.of(by_hand(*extensions))


def named_in_extension(title: bytes, critical: bool = True) -> Extension:
    name = bytes.fromhex("300F06032A03040408") + title
    return x509.SubjectAlternativeName([x509.OtherName(HARDWARE_MODULE_NAME, name)]), critical


def test_a_certificate_names_one_system_title() -> None:
    for subject, more, reason in (
        (common_name("meter.example"), (), "no system title"),
        (common_name(METER.hex(), CLIENT.hex()), (), "several system titles"),
        (None, (named_in_extension(CLIENT),), "several system titles"),
        (x509.Name([]), (named_in_extension(METER, critical=False),), "neither a subject nor a critical"),
        (x509.Name([]), (), "neither a subject nor a critical"),
    ):
        with pytest.raises(CertificateError, match=reason):
            Certificate.of(by_hand((USAGE, True), *more, subject=subject))
    both = by_hand((USAGE, True), named_in_extension(METER))
    assert Certificate.of(both).system_title == METER


def test_keys_and_signatures_are_those_of_the_suites() -> None:
    p521, p256 = ec.generate_private_key(ec.SECP521R1()), ec.generate_private_key(ec.SECP256R1())
    brainpool = ec.generate_private_key(ec.BrainpoolP256R1()).public_key()
    for key in (p521.public_key(), brainpool, rsa.generate_private_key(65537, 1024).public_key()):
        with pytest.raises(CertificateError, match="no public key on P-256 or P-384"):
            Certificate.of(by_hand((USAGE, True), key=key))
    for digest in (hashes.SHA512(), hashes.SHA224()):
        with pytest.raises(CertificateError, match="neither with ecdsa-with-SHA256"):
            Certificate.of(by_hand((USAGE, True), signer=p256, digest=digest))


def test_a_key_that_is_no_point_or_is_compressed_is_refused() -> None:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    octets = by_hand((USAGE, True), key=key)
    point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    assert octets.count(point) == 1
    off = point[:-1] + bytes((point[-1] ^ 1,))
    with pytest.raises(CertificateError, match="no valid public key: a point of the curve P-256"):
        Certificate.of(octets.replace(point, off))
    with pytest.raises(CertificateError, match="without compression"):
        Certificate.of(octets.replace(point, b"\x02" + point[1:]))


def rebuilt(octets: bytes, index: int, value: bytes | None) -> bytes:
    """A certificate with one field of what is signed exchanged, or left out."""
    outer = der_module.elements(der_module.whole(octets, "x").contents, "x")
    fields = [field.whole for field in der_module.elements(outer[0].contents, "x")]
    fields[index : index + 1] = [] if value is None else [value]
    return der_module.tlv(0x30, der_module.tlv(0x30, *fields), outer[1].whole, outer[2].whole)


@pytest.mark.parametrize(
    ("index", "value", "reason"),
    [
        (0, None, "two signature algorithms"),
        (0, "A003020101", "version 3"),
        (1, "020100", "serial number"),
        (1, "0201FF", "serial number"),
        (1, "02020001", "fewest octets"),
        (1, "0200", "serial number"),
        (1, "0215" + "01" * 21, "serial number"),
        (2, "300A06082A8648CE3D040303", "two signature algorithms"),
        (4, None, "fields of the profile"),
        (7, None, "fields of the profile"),
        (7, "8100", "fields of the profile"),
    ],
)
def test_fields_are_looked_at_one_by_one(index: int, value: str | None, reason: str) -> None:
    octets = rebuilt(LEAF.octets, index, None if value is None else bytes.fromhex(value))
    with pytest.raises(CertificateError, match=reason):
        Certificate.of(octets)


def test_the_serial_number_of_an_issuer_is_one_too() -> None:
    issuer = x509.AuthorityKeyIdentifier(b"x", [x509.DirectoryName(common_name("Root"))], 5)
    octets = by_hand((USAGE, True), (issuer, False))
    Certificate.of(octets)
    assert octets.count(b"\x82\x01\x05") == 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(CertificateError, match="a serial number is a positive number"):
            Certificate.of(octets.replace(b"\x82\x01\x05", b"\x82\x01\x85"))


@pytest.mark.parametrize("octets", ["3081020500", "308200020500", "3080", "30", "3F0100", "30840000000105", "300205"])
def test_lengths_are_written_with_the_fewest_octets(octets: str) -> None:
    with pytest.raises(CertificateError, match="cut short"):
        der_module.whole(bytes.fromhex(octets), "test")
    with pytest.raises(CertificateError, match="cut short"):
        der_module.whole(b"\x30\x82\x00\x80" + bytes(128), "test")
    assert der_module.whole(bytes.fromhex("30020500"), "test").contents == b"\5\0"
    long = b"\x30\x81\x80" + bytes(128)
    assert der_module.whole(long, "test").whole == long == der_module.tlv(0x30, bytes(128))


def test_serial_numbers_of_twenty_octets_are_read() -> None:
    octets = rebuilt(LEAF.octets, 1, b"\x02\x14\x7f" + bytes(19))
    assert Certificate.of(octets).serial_number == 0x7F << 152


def test_more_or_fewer_octets_than_one_certificate_are_refused() -> None:
    for octets in (b"", LEAF.octets[:-1], LEAF.octets + b"\0", b"\x30\x80" + LEAF.octets[4:] + b"\0\0"):
        with pytest.raises(CertificateError):
            Certificate.of(octets)
    with pytest.raises(CertificateError, match="at most 8192 octets"):
        Certificate.of(bytes(LONGEST_CERTIFICATE + 1))


def test_a_certificate_that_ends_before_it_begins_is_refused() -> None:
    times = b"\x17\x0d261119120000Z\x17\x0d271120120000Z"
    assert times in LEAF.octets
    changed = LEAF.octets.replace(times, b"\x17\x0d271119120000Z\x17\x0d261120120000Z")
    with pytest.raises(CertificateError, match="ends before it begins"):
        Certificate.of(changed)


def test_validity_includes_both_ends() -> None:
    begins, ends = LEAF.not_before, LEAF.not_after
    second = dt.timedelta(seconds=1)
    for at in (begins, ends, begins.astimezone(dt.timezone(dt.timedelta(hours=5)))):
        LEAF.check_validity(at)
    with pytest.raises(CertificateError, match="not valid yet: it begins 2026-11-19 12:00:00 UTC"):
        LEAF.check_validity(begins - second)
    with pytest.raises(CertificateError, match="has expired: it ended 2027-11-20 12:00:00 UTC"):
        LEAF.check_validity(ends + second)
    with pytest.raises(ConfigurationError, match="time zone"):
        LEAF.check_validity(AT.replace(tzinfo=None))


def test_a_certificate_serves_for_its_use_suite_and_title_alone() -> None:
    LEAF.check_use(SIGNATURE, SUITE_1, METER)
    for arguments, reason in (
        ((AGREEMENT,), "not for key-agreement: it is for digital-signature"),
        ((SIGNATURE, SUITE_2), "security suite 2 needs P-384"),
        ((SIGNATURE, security_suite(0)), "security suite 0 needs None"),
        ((SIGNATURE, SUITE_1, CLIENT), "not that of 4D4D4D0000000001"),
    ):
        with pytest.raises(CertificateError, match=reason):
            LEAF.check_use(*arguments)
    with pytest.raises(CertificateError, match="it is of a CA"):
        ROOT.certificate.check_use(ROOT.certificate.type)


def test_names_do_not_command_the_terminal() -> None:
    names = [x509.NameAttribute(NameOID.COMMON_NAME, METER.hex()), x509.NameAttribute(NameOID.TITLE, "a\x1b[2Jb" * 9)]
    read = Certificate.of(by_hand((USAGE, True), subject=x509.Name(names)))
    assert "\x1b" not in f"{read} {read!r} {read.subject_text}"
    assert len(read.subject_text) <= 120


def test_certificates_compare_by_octets_and_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(LEAF)) == LEAF == Certificate.of(LEAF.octets)
    assert len({LEAF, Certificate.of(LEAF.octets), ROOT.certificate}) == 2
    assert LEAF.octets != LEAF


@given(st.binary(max_size=300))
def test_any_octets_are_a_certificate_or_one_error(octets: bytes) -> None:
    with pytest.raises(CertificateError):
        Certificate.of(octets)


@given(st.data())
def test_a_certificate_that_is_cut_or_changed_anywhere_is_read_or_refused_with_one_error(data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from([LEAF.octets, ROOT.certificate.octets]))
    place = data.draw(st.integers(0, len(whole) - 1))
    for octets in (whole[:place], whole[:place] + data.draw(st.binary(min_size=1, max_size=3)) + whole[place + 1 :]):
        try:
            read = Certificate.of(octets)
        except CertificateError:
            continue
        str(read)


def test_every_flipped_bit_is_refused_when_it_is_read_or_by_its_issuer() -> None:
    for bit in range(8 * len(LEAF.octets)):
        octets = bytearray(LEAF.octets)
        octets[bit >> 3] ^= 1 << (bit & 7)
        with pytest.raises(CertificateError):
            Certificate.of(bytes(octets)).check_issuer(ROOT.certificate)
