"""Certificate revocation lists: read, checked, kept, and held against openssl."""

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
from cosemic.security.certificates import RevocationList, RevocationLists, verify_chain
from cosemic.security.certificates import revocation as revocation_module
from cosemic.security.certificates.authority import REASONS
from cosemic.security.certificates.pem import REVOCATION_LIST, to_pem
from tests.security.laboratory import AT, below, common_name, issued, needs_openssl, new_root, openssl, pem_file

DAY = dt.timedelta(days=1)
ROOT = new_root()
LEAF, OTHER = issued(ROOT), issued(ROOT)
ROOT.revoke(LEAF.serial_number, AT, x509.ReasonFlags.key_compromise)
LIST = ROOT.revocation_list(AT, AT + 30 * DAY)


def test_what_stands_in_a_list_is_read() -> None:
    read = RevocationList.of(LIST.octets)
    assert read.revoked == {LEAF.serial_number: (AT, x509.ReasonFlags.key_compromise)}
    assert (read.issuer, read.this_update, read.next_update) == (ROOT.certificate.subject, AT, AT + 30 * DAY)
    read.check(ROOT.certificate, AT)


def test_numbers_grow_from_list_to_list() -> None:
    root = new_root()
    assert [root.revocation_list(AT, AT + DAY).number for _ in range(3)] == [1, 2, 3]


def test_a_list_serves_while_it_is_current_and_from_its_issuer_alone() -> None:
    LIST.check(ROOT.certificate, AT + 30 * DAY)
    for issuer, at, reason in (
        (ROOT, AT - dt.timedelta(seconds=1), "of the future"),
        (ROOT, AT + 30 * DAY + dt.timedelta(seconds=1), "out of date since 2026-12-20 12:00:00 UTC"),
        (new_root(name="Other"), AT, "is not that of"),
        (new_root(), AT, "is not that of"),
    ):
        with pytest.raises(CertificateError, match=reason):
            LIST.check(issuer.certificate, at)
    with pytest.raises(CertificateError, match="is not that of"):
        LIST.check(LEAF, AT)
    with pytest.raises(ConfigurationError, match="time zone"):
        LIST.check(ROOT.certificate, AT.replace(tzinfo=None))


def by_library(
    *extensions: tuple[x509.ExtensionType, bool], entry: tuple[x509.ExtensionType, bool] | None = None
) -> bytes:
    """A list of Root by a key that nobody knows, made by the library alone."""
    revoked = x509.RevokedCertificateBuilder().serial_number(5).revocation_date(AT)
    if entry is not None:
        revoked = revoked.add_extension(*entry)
    builder = x509.CertificateRevocationListBuilder().issuer_name(common_name("Root"))
    builder = builder.last_update(AT).next_update(AT + DAY).add_revoked_certificate(revoked.build())
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    return builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(Encoding.DER)


NUMBER = (x509.CRLNumber(7), False)


def test_a_list_that_another_has_signed_is_refused() -> None:
    forged = RevocationList.of(by_library(NUMBER))
    with pytest.raises(CertificateError, match="was not signed by"):
        forged.check(ROOT.certificate, AT)
    with pytest.raises(CertificateError, match="was not signed by"):
        RevocationLists().add(forged, ROOT.certificate)


@pytest.mark.parametrize(
    ("extensions", "entry", "reason"),
    [
        ((), None, "has no number"),
        ((NUMBER, (x509.DeltaCRLIndicator(3), True)), None, "critical extension"),
        ((NUMBER, (x509.DeltaCRLIndicator(3), False)), None, "one of parts"),
        (
            (NUMBER, (x509.IssuingDistributionPoint(None, None, True, False, None, False, False), True)),
            None,
            "critical extension",
        ),
        ((NUMBER,), (x509.CertificateIssuer([x509.DNSName("x")]), True), "critical extension"),
    ],
)
def test_lists_of_parts_are_refused(extensions: tuple, entry: object, reason: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(CertificateError, match=reason):
        RevocationList.of(by_library(*extensions, entry=entry))  # type: ignore[arg-type]


def test_a_list_says_when_the_next_one_comes() -> None:
    next_update = b"\x17\x0d261220120000Z"
    assert LIST.octets.count(next_update) == 1
    with pytest.raises(CertificateError, match="cut short"):
        RevocationList.of(LIST.octets.replace(next_update, b""))
    with pytest.raises(CertificateError, match="when the next one comes"):
        RevocationList.of(LIST.octets.replace(next_update, b"\x17\x0d261120120000Z"))


def test_a_revoked_certificate_leads_nowhere() -> None:
    lists = RevocationLists()
    lists.add(LIST, ROOT.certificate)
    given = {"anchors": [ROOT.certificate], "revocation": lists}
    verify_chain(OTHER, at=AT, **given)  # type: ignore[arg-type]
    with pytest.raises(CertificateError, match=r"was revoked on 2026-11-20 12:00:00 UTC \(keyCompromise\)"):
        verify_chain(LEAF, at=AT, **given)  # type: ignore[arg-type]
    with pytest.raises(CertificateError, match="out of date"):
        verify_chain(OTHER, at=AT + 31 * DAY, **given)  # type: ignore[arg-type]
    verify_chain(LEAF, anchors=[ROOT.certificate], at=AT)


def test_a_revoked_sub_authority_takes_all_below_it_along() -> None:
    root = new_root()
    sub = below(root)
    leaf = issued(sub)
    lists = RevocationLists()
    lists.add(root.revocation_list(AT, AT + DAY), root.certificate)
    given = {"anchors": [root.certificate], "intermediates": [sub.certificate], "at": AT, "revocation": lists}
    with pytest.raises(CertificateError, match=r"there is no revocation list of .* CN=Sub"):
        verify_chain(leaf, **given)  # type: ignore[arg-type]
    lists.add(sub.revocation_list(AT, AT + DAY), sub.certificate)
    verify_chain(leaf, **given)  # type: ignore[arg-type]
    root.revoke(sub.certificate.serial_number, AT)
    lists.add(root.revocation_list(AT, AT + DAY), root.certificate)
    with pytest.raises(CertificateError, match="of CN=Sub was revoked"):
        verify_chain(leaf, **given)  # type: ignore[arg-type]


def test_lists_that_are_not_required_still_refuse_what_stands_in_them() -> None:
    lists = RevocationLists(required=False)
    given = {"anchors": [ROOT.certificate], "revocation": lists}
    verify_chain(LEAF, at=AT, **given)  # type: ignore[arg-type]
    lists.add(LIST, ROOT.certificate)
    verify_chain(OTHER, at=AT + 31 * DAY, **given)  # type: ignore[arg-type]
    with pytest.raises(CertificateError, match="was revoked"):
        verify_chain(LEAF, at=AT + 31 * DAY, **given)  # type: ignore[arg-type]


def test_an_older_list_does_not_take_the_place_of_a_newer_one() -> None:
    root = new_root()
    leaf = issued(root)
    old = root.revocation_list(AT, AT + DAY)
    root.revoke(leaf.serial_number, AT)
    lists = RevocationLists()
    lists.add(root.revocation_list(AT, AT + DAY), root.certificate)
    with pytest.raises(CertificateError, match="is older than number 2"):
        lists.add(old, root.certificate)
    with pytest.raises(CertificateError, match="was revoked"):
        verify_chain(leaf, anchors=[root.certificate], at=AT, revocation=lists)


def test_kept_lists_and_octets_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocation_module, "MOST_LISTS", 1)
    lists, other = RevocationLists(), new_root(name="Other")
    lists.add(LIST, ROOT.certificate)
    lists.add(LIST, ROOT.certificate)
    with pytest.raises(CertificateError, match="1 revocation lists already"):
        lists.add(other.revocation_list(AT, AT + DAY), other.certificate)
    with pytest.raises(CertificateError, match="at most 1048576 octets"):
        RevocationList.of(bytes(revocation_module.LONGEST_LIST + 1))


@given(st.binary(max_size=200))
def test_any_octets_are_a_list_or_one_error(octets: bytes) -> None:
    with pytest.raises(CertificateError):
        RevocationList.of(octets)


def test_every_flipped_bit_is_refused_when_it_is_read_or_by_its_issuer() -> None:
    for bit in range(8 * len(LIST.octets)):
        octets = bytearray(LIST.octets)
        octets[bit >> 3] ^= 1 << (bit & 7)
        with pytest.raises(CertificateError):
            RevocationList.of(bytes(octets)).check_signature(ROOT.certificate)


@needs_openssl
@pytest.mark.parametrize("suite", [1, 2])
def test_openssl_reads_the_lists_and_refuses_the_same(suite: int, tmp_path: Path) -> None:
    root = new_root(suite)
    good, bad = (issued(root, suite=suite) for _ in range(2))
    root.revoke(bad.serial_number, AT, REASONS["superseded"])
    made = tmp_path / "crl"
    made.write_bytes(to_pem(root.revocation_list(AT, AT + DAY).octets, REVOCATION_LIST))
    anchors = pem_file(tmp_path / "root", root.certificate)
    assert "verify OK" in openssl("crl", "-in", made, "-CAfile", anchors, "-noout")
    assert "Superseded" in openssl("crl", "-in", made, "-text", "-noout")
    for leaf, answer in ((good, "OK"), (bad, "certificate revoked")):
        file = pem_file(tmp_path / "leaf", leaf)
        said = openssl(
            "verify", "-x509_strict", "-crl_check", "-attime", str(int(AT.timestamp())), "-CRLfile", made, "-CAfile",
            anchors, file,
        )  # fmt: skip
        assert answer in said, said
