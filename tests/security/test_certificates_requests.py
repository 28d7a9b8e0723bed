"""Certification requests, the authority that answers them, and keys that only sign."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import CertificateError, ConfigurationError
from cosemic.security.certificates import (
    CertificateAuthority,
    CertificateRequest,
    MemoryRegister,
    make_request,
    verify_end_entity,
)
from cosemic.security.certificates.pem import REQUEST, to_pem
from cosemic.security.elliptic import PublicKey
from cosemic.security.suite import security_suite
from tests.security.laboratory import (
    AGREEMENT,
    AT,
    CLIENT,
    METER,
    SIGNATURE,
    TLS,
    USES,
    YEAR,
    Token,
    common_name,
    issued,
    needs_openssl,
    new_key,
    new_root,
    openssl,
)

ROOT = new_root()
KEY = new_key()
CSR = make_request(KEY, METER, SIGNATURE)


@pytest.mark.parametrize("suite", [1, 2])
@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("hardware_type", [None, "1.2.3.4"])
def test_a_request_says_whose_key_it_is_and_what_for(suite: int, use: object, hardware_type: str | None) -> None:
    token = Token(new_key(suite))
    octets = make_request(token, METER, use, hardware_type=hardware_type)  # type: ignore[arg-type]
    read = CertificateRequest.of(octets)
    assert (read.public_key, read.system_title, read.type) == (token.public, METER, use)
    library = x509.load_der_x509_csr(octets)
    assert library.is_signature_valid
    assert token.signed == [library.tbs_certrequest_bytes]
    assert bool(list(library.subject)) == (hardware_type is None)
    root = new_root(suite)
    made = root.issue_for(read, not_before=AT)
    assert (made.subject, made.public_key) == (library.subject.public_bytes(), token.public)
    assert bool(made.subject_alt_name) == (hardware_type is not None)
    verify_end_entity(
        made,
        use,  # type: ignore[arg-type]
        suite=security_suite(suite),
        system_title=METER,
        anchors=[root.certificate],
        at=AT,
    )


def test_every_signature_can_come_from_a_token() -> None:
    token = Token(new_key(2))
    root = CertificateAuthority.root(token, "Root", MemoryRegister(), not_before=AT)
    leaf = issued(root, suite=2, begins=AT)
    root.revoke(leaf.serial_number, AT)
    made = root.revocation_list(AT, AT + YEAR)
    made.check(root.certificate, AT)
    leaf.check_issuer(root.certificate)
    root.certificate.check_issuer(root.certificate)
    assert token.signed == [root.certificate.to_be_signed, leaf.to_be_signed, made.to_be_signed]


@pytest.mark.parametrize("answer", [b"", bytes(64), bytes(63), b"\xff" * 64])
def test_a_token_that_does_not_sign_makes_no_request(answer: bytes) -> None:
    class Broken(Token):
        def sign(self, data: bytes) -> bytes:
            return answer

    with pytest.raises(ConfigurationError, match="check the token"):
        make_request(Broken(KEY), METER, SIGNATURE)


def test_a_request_that_is_not_signed_by_its_key_is_refused() -> None:
    other = new_key().public

    class Thief(Token):
        @property
        def public(self) -> PublicKey:
            return other

    with pytest.raises(CertificateError, match="not signed by the key that it brings"):
        CertificateRequest.of(make_request(Thief(KEY), METER, SIGNATURE))


def test_every_flipped_bit_of_a_request_is_refused() -> None:
    for bit in range(8 * len(CSR)):
        octets = bytearray(CSR)
        octets[bit >> 3] ^= 1 << (bit & 7)
        with pytest.raises(CertificateError):
            CertificateRequest.of(bytes(octets))


@given(st.binary(max_size=200))
def test_any_octets_are_a_request_or_one_error(octets: bytes) -> None:
    with pytest.raises(CertificateError):
        CertificateRequest.of(octets)


def by_library(*extensions: x509.ExtensionType, subject: x509.Name | None = None) -> CertificateRequest:
    builder = x509.CertificateSigningRequestBuilder(common_name(METER.hex()) if subject is None else subject)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    made = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return CertificateRequest.of(made.public_bytes(Encoding.DER))


def test_the_authority_decides_what_a_silent_request_is_for() -> None:
    silent = by_library()
    with pytest.raises(CertificateError, match="does not say what the key is for"):
        ROOT.issue_for(silent, not_before=AT)
    for use in USES:
        assert ROOT.issue_for(silent, use, not_before=AT).type is use


def test_a_request_gets_the_use_and_title_that_it_names_or_nothing() -> None:
    request = CertificateRequest.of(CSR)
    before = len(ROOT._register.issued)  # type: ignore[attr-defined]
    for use in (AGREEMENT, TLS):
        with pytest.raises(CertificateError, match="the request is for digital-signature"):
            ROOT.issue_for(request, use, not_before=AT)
    with pytest.raises(CertificateError, match="names 4D4D4D0000BC614E, not 4D4D4D0000000001"):
        ROOT.issue_for(request, not_before=AT, system_title=CLIENT)
    with pytest.raises(CertificateError, match="names no system title"):
        ROOT.issue_for(by_library(subject=common_name("meter")), SIGNATURE, not_before=AT)
    assert len(ROOT._register.issued) == before  # type: ignore[attr-defined]
    assert ROOT.issue_for(request, SIGNATURE, not_before=AT, system_title=METER).system_title == METER


def test_nobody_becomes_an_authority_by_asking() -> None:
    asked = by_library(x509.BasicConstraints(True, None), subject=common_name(METER.hex()))
    with pytest.raises(CertificateError, match="the request is for a CA"):
        ROOT.issue_for(asked, SIGNATURE, not_before=AT)
    extra = by_library(x509.SubjectAlternativeName([x509.DNSName("bank.example")]))
    assert ROOT.issue_for(extra, SIGNATURE, not_before=AT).subject_alt_name == b""


def test_what_cannot_be_asked_for_is_a_wrong_call() -> None:
    for title, use, hardware_type, reason in (
        (METER[:7], SIGNATURE, None, "8 octets, not 7"),
        (METER, USES[0].__class__.OTHER, None, "not for other"),
        (METER, SIGNATURE, "meter", "no object identifier"),
    ):
        with pytest.raises(ConfigurationError, match=reason):
            make_request(KEY, title, use, hardware_type=hardware_type)


def test_a_serial_number_is_entered_before_it_is_used_and_never_twice() -> None:
    register = MemoryRegister()
    drawn = iter([b"\x11" * 16, b"\x11" * 16, b"\x22" * 16])
    token = Token(new_key())
    root = CertificateAuthority.root(token, "Root", register, not_before=AT, random=lambda _: next(drawn))
    assert issued(root, begins=AT).serial_number == int("62" + "22" * 15, 16)

    class Failing(MemoryRegister):
        def reserve_serial(self, serial_number: int) -> bool:
            raise OSError("disk full")

    broken = CertificateAuthority(token, root.certificate, Failing())
    signed = len(token.signed)
    with pytest.raises(OSError, match="disk full"):
        issued(broken)
    assert len(token.signed) == signed
    stuck = CertificateAuthority(token, root.certificate, register, random=bytes)
    issued(stuck)
    with pytest.raises(CertificateError, match="repeats itself"):
        issued(stuck)


def test_an_authority_needs_its_own_key_a_name_and_a_validity() -> None:
    with pytest.raises(ConfigurationError, match="not that of a CA with this key"):
        CertificateAuthority(new_key(), ROOT.certificate, MemoryRegister())
    with pytest.raises(ConfigurationError, match="not that of a CA with this key"):
        CertificateAuthority(KEY, issued(ROOT), MemoryRegister())
    for name in ("", "x" * 65, "a\nb"):
        with pytest.raises(ConfigurationError, match="1 to 64 characters"):
            new_root(name=name)
    with pytest.raises(ConfigurationError, match="ends after it begins"):
        issued(ROOT, begins=AT, ends=AT)
    with pytest.raises(ConfigurationError, match="before 1950"):
        issued(ROOT, begins=dt.datetime(1949, 1, 1, tzinfo=dt.UTC))
    with pytest.raises(ConfigurationError, match="time zone"):
        issued(ROOT, begins=AT.replace(tzinfo=None))
    with pytest.raises(ConfigurationError, match="server, the client or both"):
        ROOT.issue(KEY.public, METER, TLS, not_before=AT, tls_server=False, tls_client=False)


def test_only_what_was_issued_is_revoked_and_for_good() -> None:
    root = new_root()
    leaf = issued(root)
    for serial in (5, root.certificate.serial_number):
        with pytest.raises(CertificateError, match="has not issued"):
            root.revoke(serial, AT)
    with pytest.raises(ConfigurationError, match="cannot be undone"):
        root.revoke(leaf.serial_number, AT, x509.ReasonFlags.remove_from_crl)
    root.revoke(leaf.serial_number, AT)
    root.revoke(leaf.serial_number, AT + YEAR, x509.ReasonFlags.superseded)
    made = root.revocation_list(AT, AT + YEAR)
    assert made.revoked == {leaf.serial_number: (AT, x509.ReasonFlags.unspecified)}
    with pytest.raises(ConfigurationError, match="later instant"):
        root.revocation_list(AT, AT)


@needs_openssl
@pytest.mark.parametrize("suite", [1, 2])
@pytest.mark.parametrize("hardware_type", [None, "1.2.3.4"])
def test_openssl_verifies_our_requests(suite: int, hardware_type: str | None, tmp_path: Path) -> None:
    file = tmp_path / "csr"
    for use in USES:
        file.write_bytes(to_pem(make_request(new_key(suite), METER, use, hardware_type=hardware_type), REQUEST))
        said = openssl("req", "-verify", "-noout", "-in", file)
        assert "verify OK" in said, said


@needs_openssl
def test_we_verify_requests_of_openssl(tmp_path: Path) -> None:
    for curve, suite in (("prime256v1", 1), ("secp384r1", 2)):
        key, made = tmp_path / "key", tmp_path / "csr"
        openssl("ecparam", "-name", curve, "-genkey", "-noout", "-out", key)
        said = openssl(
            "req", "-new", "-key", key, "-subj", f"/CN={METER.hex().upper()}", f"-sha{256 if suite == 1 else 384}",
            "-outform", "DER", "-out", made,
        )  # fmt: skip
        assert made.exists(), said
        request = CertificateRequest.of(made.read_bytes())
        assert (request.system_title, request.type) == (METER, None)
        assert request.public_key.suite_curve == security_suite(suite).curve
