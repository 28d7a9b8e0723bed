"""The public keys that settings believe, where certificates were renewed and authorities have changed their keys."""

from __future__ import annotations

import datetime as dt
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from cosemic.errors import CertificateError
from cosemic.security.certificates import Certificate, CertificateAuthority
from cosemic.security.certificates.pem import REVOCATION_LIST, to_pem
from cosemic.store.public_keys import Believed, StoredCertificates, believed
from tests.security.laboratory import CLIENT, METER, SUITE_1, YEAR, issued, new_root, pem_file

NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)
ROOT = new_root()
EXPIRED = issued(ROOT, begins=NOW - YEAR, ends=NOW - DAY)
BEFORE = issued(ROOT, begins=NOW - 9 * DAY, ends=NOW + YEAR)
NEWEST = issued(ROOT, begins=NOW - DAY, ends=NOW + YEAR)
FUTURE = issued(ROOT, begins=NOW + DAY, ends=NOW + YEAR)


def of_meter(**given: Any) -> Believed:
    found = believed(given, None, SUITE_1, CLIENT, METER)
    assert found is not None
    return found


@pytest.mark.parametrize("anchored", [False, True], ids=["kept", "anchored"])
def test_of_renewed_certificates_the_newest_counts_in_any_order(anchored: bool, tmp_path: Path) -> None:
    anchors = {"trust_anchors": [str(pem_file(tmp_path / "root.pem", ROOT.certificate))]} if anchored else {}
    for several in permutations((EXPIRED, BEFORE, NEWEST)):
        found = of_meter(certificates=StoredCertificates(several), **anchors)
        assert found.signers.signer(METER) == found.keys.signing_key_of(METER) == NEWEST.public_key


@pytest.mark.parametrize(
    "several", [(EXPIRED,), (FUTURE,), (BEFORE, FUTURE)], ids=["expired", "future", "renewed early"]
)
def test_what_is_not_valid_now_is_not_believed(several: tuple[Certificate, ...]) -> None:
    found = of_meter(certificates=StoredCertificates(several))
    if BEFORE in several:
        assert found.signers.signer(METER) == BEFORE.public_key
        return
    with pytest.raises(CertificateError, match=r"expired|not valid yet"):
        found.signers.signer(METER)


def test_lists_of_an_authority_that_has_changed_its_key(tmp_path: Path) -> None:
    old, new = new_root(), new_root()  # of one name
    anchors = [str(pem_file(tmp_path / "roots.pem", old.certificate, new.certificate))]
    meter = issued(new, begins=NOW - DAY, ends=NOW + YEAR)
    given = {"trust_anchors": anchors, "certificates": [str(pem_file(tmp_path / "meter.pem", meter))]}
    lists = [_list(old, tmp_path / "old.crl"), _list(new, tmp_path / "new.crl")]
    assert of_meter(revocation_lists=lists, **given).signers.signer(METER) == meter.public_key
    new.revoke(meter.serial_number, NOW)
    for revoking in (lists[:1], [lists[0], _list(new, tmp_path / "new.crl")]):
        with pytest.raises(CertificateError, match=r"no revocation list|revoked"):
            of_meter(revocation_lists=revoking, **given)
    with pytest.raises(CertificateError, match="is not that of"):
        of_meter(revocation_lists=[_list(new_root(), tmp_path / "other.crl")], **given)


def _list(authority: CertificateAuthority, path: Path) -> str:
    made = authority.revocation_list(NOW - DAY, NOW + DAY)
    path.write_bytes(to_pem(made.octets, REVOCATION_LIST))
    return str(path)
