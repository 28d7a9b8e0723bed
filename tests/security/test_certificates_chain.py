"""Chains to trust anchors, and what openssl and the library say of the same certificates."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import verification

from cosemic.errors import CertificateError, ConfigurationError
from cosemic.security.certificates import Certificate, chain, verify_chain, verify_end_entity
from cosemic.security.certificates.certificate import signed_by
from cosemic.security.elliptic import PublicKey
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
    YEAR,
    below,
    by_hand,
    common_name,
    issued,
    needs_openssl,
    new_root,
    openssl,
    pem_file,
)

ROOT = new_root()
SUB = below(ROOT, path_length=0)
LEAF = issued(SUB)
DAY = dt.timedelta(days=1)


def refused(leaf: Certificate, reason: str, **arguments: object) -> None:
    given = {"anchors": [ROOT.certificate], "intermediates": [SUB.certificate], "at": AT} | arguments
    with pytest.raises(CertificateError, match=reason):
        verify_chain(leaf, **given)  # type: ignore[arg-type]


def test_a_chain_leads_over_sub_authorities_to_an_anchor() -> None:
    assert verify_chain(LEAF, anchors=[ROOT.certificate], intermediates=[SUB.certificate], at=AT) == (
        LEAF,
        SUB.certificate,
        ROOT.certificate,
    )
    assert verify_chain(LEAF, anchors=[SUB.certificate], at=AT) == (LEAF, SUB.certificate)
    assert verify_chain(ROOT.certificate, anchors=[ROOT.certificate], at=AT) == (ROOT.certificate,)


def test_without_a_way_to_an_anchor_nothing_is_trusted() -> None:
    refused(LEAF, "the certificate of its CA is missing", intermediates=[])
    refused(LEAF, "the certificate of its CA is missing", anchors=[new_root(name="Other").certificate])
    refused(LEAF, "the certificate of its CA is missing", anchors=[])
    refused(LEAF, "the certificate of its CA is missing", anchors=[LEAF], intermediates=[])
    refused(ROOT.certificate, "was not signed by|CA is missing", anchors=[new_root().certificate])


def test_every_certificate_of_a_chain_has_to_be_valid_at_that_instant() -> None:
    early = below(ROOT, ends=AT + DAY)
    leaf = issued(early)
    verify_chain(leaf, anchors=[ROOT.certificate], intermediates=[early.certificate], at=AT + DAY)
    between = {"intermediates": [early.certificate]}
    refused(leaf, "of CN=Sub has expired", at=AT + DAY + dt.timedelta(seconds=1), **between)
    refused(leaf, "of CN=4D4D4D0000BC614E has expired", at=AT + 2 * YEAR, **between)
    refused(leaf, "not valid yet", at=AT - 2 * DAY, **between)
    late = issued(ROOT, ends=AT + 40 * YEAR)
    refused(late, "of CN=Root has expired", at=AT + 30 * YEAR)
    with pytest.raises(ConfigurationError, match="time zone"):
        verify_chain(LEAF, anchors=[ROOT.certificate], at=AT.replace(tzinfo=None))


def test_a_signature_of_another_with_the_same_name_does_not_count() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    forged = Certificate.of(by_hand((USAGE, True), issuer="Sub", signer=key))
    refused(forged, "was not signed by the certificate")
    renamed = by_hand(
        (x509.KeyUsage(False, False, False, False, False, True, True, False, False), True),
        (x509.BasicConstraints(True, None), True),
        subject=common_name("Renamed"),
        key=SUB.certificate.public_key.to_cryptography(),
    )
    with pytest.raises(CertificateError, match="is not the issuer of"):
        LEAF.check_issuer(Certificate.of(renamed))
    identified = issued(below(new_root(), name="Sub"))
    refused(identified, "the certificate of its CA is missing")


def test_the_signature_has_the_hash_of_the_curve_of_its_key() -> None:
    other = new_root(2, name="Sub").certificate
    assert not signed_by(SUB.certificate.public_key, other.signing_curve, LEAF.to_be_signed, LEAF.signature)
    key = ec.generate_private_key(ec.SECP256R1())
    public = PublicKey.from_cryptography(key.public_key())
    sha_384 = Certificate.of(by_hand((USAGE, True), signer=key, digest=hashes.SHA384()))
    assert not signed_by(public, sha_384.signing_curve, sha_384.to_be_signed, sha_384.signature)
    assert signed_by(SUB.certificate.public_key, LEAF.signing_curve, LEAF.to_be_signed, LEAF.signature)


def test_an_end_entity_vouches_for_nobody() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    title = METER.hex().upper()
    middle = Certificate.of(by_hand((USAGE, True), issuer="Root", key=key.public_key()))
    child = Certificate.of(by_hand((USAGE, True), issuer=title, signer=key))
    with pytest.raises(CertificateError, match="is not that of a CA: it vouches for nobody"):
        child.check_issuer(middle)
    refused(child, "the certificate of its CA is missing", intermediates=[middle])


def test_a_key_on_p_384_needs_an_authority_on_p_384() -> None:
    with pytest.raises(CertificateError, match="needs a CA on P-384"):
        ROOT.issue(issued(new_root(2), suite=2).public_key, METER, SIGNATURE, not_before=AT)
    key = ec.generate_private_key(ec.SECP256R1())
    authority = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    weak = by_hand(
        (authority, True),
        (x509.BasicConstraints(True, None), True),
        subject=common_name("Weak"),
        key=key.public_key(),
    )
    p384 = ec.generate_private_key(ec.SECP384R1()).public_key()
    leaf = Certificate.of(by_hand((USAGE, True), issuer="Weak", key=p384, signer=key))
    with pytest.raises(CertificateError, match="a CA on P-256 cannot vouch for it"):
        leaf.check_issuer(Certificate.of(weak))
    strong = new_root(2)
    verify_chain(issued(strong), anchors=[strong.certificate], at=AT)


def test_the_path_length_bounds_the_authorities_below() -> None:
    with pytest.raises(CertificateError, match="may have 0 CAs below it"):
        below(SUB)
    root = new_root()
    one = below(root, name="One")
    two = below(one, name="Two")
    limited = Certificate.of(
        by_hand(
            (x509.KeyUsage(False, False, False, False, False, True, True, False, False), True),
            (x509.BasicConstraints(True, 0), True),
            subject=common_name("One"),
            key=one.certificate.public_key.to_cryptography(),
            signer=root._key.to_cryptography(),  # type: ignore[attr-defined]
        )
    )
    leaf = issued(two)
    between = [one.certificate, two.certificate]
    assert len(verify_chain(leaf, anchors=[root.certificate], intermediates=between, at=AT)) == 4
    refused(leaf, "may have 0 CAs below it, and has 1", anchors=[root.certificate], intermediates=[limited, between[1]])
    refused(between[1], "may have 0 CAs below", anchors=[root.certificate], intermediates=[limited])
    verify_chain(issued(one), anchors=[root.certificate], intermediates=[limited], at=AT)


def test_a_chain_has_a_bounded_number_of_authorities() -> None:
    chain_ = [new_root(name="CA 0")]
    for number in range(1, 4):
        chain_.append(below(chain_[-1], name=f"CA {number}"))
    certificates = [each.certificate for each in chain_]
    leaf = issued(chain_[-1])
    assert len(verify_chain(leaf, anchors=certificates[:1], intermediates=certificates[1:], at=AT)) == 5
    refused(leaf, "more than 3 CAs", anchors=certificates[:1], intermediates=certificates[1:], depth=3)


def test_authorities_that_vouch_for_each_other_lead_nowhere() -> None:
    one, two = new_root(name="One"), new_root(name="Two")
    crossed = [
        one.issue_authority(two.certificate.public_key, "Two", not_before=AT),
        two.issue_authority(one.certificate.public_key, "One", not_before=AT),
    ]
    refused(issued(one), "CA is missing|more than 4 CAs", intermediates=crossed)


def test_a_root_that_is_not_trusted_is_looked_at_once() -> None:
    stranger = new_root(name="Stranger")
    refused(issued(stranger), "the certificate of its CA is missing", intermediates=[stranger.certificate])


def test_the_search_checks_few_signatures_whatever_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    authority = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    many = [
        Certificate.of(
            by_hand((authority, True), (x509.BasicConstraints(True, None), True), subject=common_name("Sub"), serial=n)
        )
        for n in range(1, 100)
    ]
    calls = []

    def counted(self: Certificate, issuer: Certificate) -> None:
        calls.append(issuer)
        check(self, issuer)

    check = Certificate.check_issuer
    monkeypatch.setattr(Certificate, "check_issuer", counted)
    forged = Certificate.of(by_hand((USAGE, True), issuer="Sub"))
    refused(forged, "was not signed by", intermediates=many)
    assert len(calls) == chain.MOST_CHECKS


@pytest.mark.parametrize("use", USES)
def test_an_end_entity_is_verified_with_use_suite_and_title(use: object) -> None:
    leaf = issued(SUB, use=use)  # type: ignore[arg-type]
    given = {"anchors": [SUB.certificate], "at": AT}
    verify_end_entity(leaf, use, suite=SUITE_1, system_title=METER, **given)  # type: ignore[arg-type]
    verify_end_entity(leaf, use, suite=SUITE_1, system_title=None, **given)  # type: ignore[arg-type]
    for other, suite, title in (
        (SIGNATURE if use is not SIGNATURE else AGREEMENT, SUITE_1, METER),
        (use, SUITE_2, METER),
        (use, SUITE_1, CLIENT),
    ):
        with pytest.raises(CertificateError):
            verify_end_entity(leaf, other, suite=suite, system_title=title, **given)  # type: ignore[arg-type]
    with pytest.raises(CertificateError, match="CA is missing"):
        verify_end_entity(leaf, use, suite=SUITE_1, system_title=METER, anchors=[], at=AT)  # type: ignore[arg-type]


def stamp(at: dt.datetime) -> str:
    return str(int(at.timestamp()))


@needs_openssl
@pytest.mark.parametrize("suite", [1, 2])
def test_openssl_verifies_the_same_chains(suite: int, tmp_path: Path) -> None:
    root = new_root(suite, path_length=1)
    sub = below(root, suite)
    anchors, between = pem_file(tmp_path / "root", root.certificate), pem_file(tmp_path / "sub", sub.certificate)
    other = pem_file(tmp_path / "other", new_root(suite).certificate)
    for use in USES:
        leaf = issued(sub, use=use, suite=suite)
        file = pem_file(tmp_path / "leaf", leaf)
        for at, trusted in ((AT, anchors), (AT + 2 * YEAR, anchors), (AT, other)):
            said = openssl(
                "verify", "-x509_strict", "-check_ss_sig", "-attime", stamp(at), "-CAfile", trusted, "-untrusted",
                between, file,
            )  # fmt: skip
            anchor = root.certificate if trusted is anchors else new_root(suite).certificate
            try:
                verify_chain(leaf, anchors=[anchor], intermediates=[sub.certificate], at=at)
                ours = True
            except CertificateError:
                ours = False
            assert ours == said.startswith(f"{file}: OK") == (at == AT and trusted is anchors), said


@pytest.mark.skipif(not hasattr(verification, "ExtensionPolicy"), reason="the library has no such policies yet")
def test_the_library_verifies_the_same_chains() -> None:
    policy = verification.ExtensionPolicy.permit_all()
    of_authority = policy.require_present(x509.BasicConstraints, verification.Criticality.CRITICAL, None)
    for suite in (1, 2):
        root = new_root(suite)
        sub = below(root, suite)
        leaf, between, anchor = (
            x509.load_der_x509_certificate(each.octets)
            for each in (issued(sub, use=TLS, suite=suite), sub.certificate, root.certificate)
        )
        for at in (AT, AT + 2 * YEAR):
            builder = verification.PolicyBuilder().store(verification.Store([anchor])).time(at)
            builder = builder.extension_policies(ca_policy=of_authority, ee_policy=policy)
            verifier = builder.build_client_verifier()
            if at == AT:
                assert len(verifier.verify(leaf, [between]).chain) == 3
            else:
                with pytest.raises(verification.VerificationError):
                    verifier.verify(leaf, [between])
