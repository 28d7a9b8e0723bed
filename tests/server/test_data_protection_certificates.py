"""The data protection of a device whose keys have certificates: they come later, run out, and are removed."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from cosemic.association.parties import GeneralParties
from cosemic.errors import DecipheringError
from cosemic.model.security_setup import CertificateByEntity, CertificateEntity, CertificateType
from cosemic.security import MemoryCounterStore, security_suite
from cosemic.security.certificates import CertificateStore, OwnKeyPair, TrustedSigners, software_key_pair
from cosemic.security.certified_keys import CertifiedKeys
from cosemic.security.data_parameters import asking
from cosemic.security.data_protection import DataProtector
from cosemic.security.general import MemoryTransactionStore, OwnParty
from cosemic.security.general.party_keys import TrustedPartyKeys
from cosemic.server import DataProtectionObject
from tests.security.laboratory import new_root
from tests.security.parties import own, party
from tests.server.protection_support import VALUE, K, Protecting, S, T, body, listed, protector, to_device
from tests.server.security_support import CLIENT_TITLE, SERVER_TITLE
from tests.server.support import BOTH, NOW

SIGNATURE, AGREEMENT = CertificateType.DIGITAL_SIGNATURE, CertificateType.KEY_AGREEMENT
SUITE = security_suite(1)
DAY = dt.timedelta(days=1)
NUMBER = (T.LONG_UNSIGNED, 9)
SIGNED = int(S) << 2
"""required_protection: what comes in is signed."""


class Trust:
    """What the device believes, at an instant that can be moved."""

    def __init__(self) -> None:
        self.root = new_root(1)
        self.store = CertificateStore(SERVER_TITLE, SUITE, anchors=(self.root.certificate,))
        self.at = NOW
        key = own(CLIENT_TITLE, 1).signing_key
        assert key is not None
        self.client = self.root.issue(
            key.public, CLIENT_TITLE, SIGNATURE, not_before=NOW - DAY, not_after=NOW + 10 * DAY
        )
        self.store.import_certificate(self.client.octets, NOW)

    def settings(self, by_parties: bool) -> dict[str, Any]:
        if by_parties:
            keys = TrustedPartyKeys(self.store, lambda: self.at)
            return {"parties": GeneralParties(transactions=MemoryTransactionStore(), keys=keys)}
        return {"signers": TrustedSigners(self.store, lambda: self.at)}


@pytest.mark.parametrize("by_parties", [False, True], ids=["signers", "parties"])
def test_a_signature_counts_as_long_as_the_certificate_does(by_parties: bool) -> None:
    trust = Trust()
    device = Protecting(bare=True, settings=trust.settings(by_parties), required=SIGNED)

    def signed() -> str:
        return device.set(listed(VALUE), device.client.protect(body(NUMBER), [to_device(S)]))

    assert signed() == "success"
    trust.at = NOW + 11 * DAY
    assert signed() == "other-reason"
    trust.at = NOW
    assert signed() == "success"
    trust.store.remove_certificate(CertificateByEntity(CertificateEntity.CLIENT, SIGNATURE, CLIENT_TITLE))
    assert signed() == "other-reason"
    assert device.set(listed(VALUE), device.client.protect(body(NUMBER), [to_device(BOTH)])) == "read-write-denied"


def test_a_device_without_certificates_protects_under_global_keys_and_signs_once_it_has_one() -> None:
    trust = Trust()
    keys = CertifiedKeys(trust.store, lambda: NOW)
    device = Protecting(bare=True, settings={"signing_key": keys.signing_key, "signers": keys.signers})
    for kind in (K.GLOBAL_UNICAST, K.WRAPPED):
        assert device.set(listed(VALUE), device.client.protect(body(NUMBER), [to_device(BOTH, kind)])) == "success"
    DataProtectionObject(
        device.device,
        device.clock,
        OwnParty(title=SERVER_TITLE, signing_key=keys.signing_key, agreement_key=keys.agreement_key),
        suite=SUITE,
        transactions=MemoryTransactionStore(),
        instance_id="0-0:43.2.1",
    )
    asked = [asking(replace(to_device(S), recipient=CLIENT_TITLE))]
    assert device.get(listed(VALUE), asked) == "other-reason"
    pair = own(SERVER_TITLE, 1).signing_key
    assert pair is not None
    made = trust.root.issue(pair.public, SERVER_TITLE, SIGNATURE, not_before=NOW - DAY)
    trust.store.install(OwnKeyPair(pair), made.octets, NOW)
    assert device.client.unprotect(device.get(listed(VALUE), asked)).applied == S


def test_without_the_own_certificate_there_is_one_error_and_always_the_same() -> None:
    trust = Trust()
    pair = software_key_pair(AGREEMENT, SUITE)
    made = trust.root.issue(pair.public, SERVER_TITLE, AGREEMENT, not_before=NOW - DAY)
    trust.store.install(pair, made.octets, NOW)
    keys = CertifiedKeys(trust.store, lambda: NOW)
    of_device = DataProtector(
        OwnParty(title=SERVER_TITLE, agreement_key=keys.agreement_key),
        [party(CLIENT_TITLE, 1)],
        suite=SUITE,
        counters=MemoryCounterStore(),
        transactions=MemoryTransactionStore(),
    )
    of_client = protector(CLIENT_TITLE, 1, party(SERVER_TITLE, 1, agreement=pair.public))
    one, other = (of_client.protect(b"\0", [to_device(BOTH, K.ONE_PASS)]) for _ in range(2))
    assert of_device.unprotect(one).data == b"\0"
    trust.store.remove_certificate(CertificateByEntity(CertificateEntity.SERVER, AGREEMENT, SERVER_TITLE))
    with pytest.raises(DecipheringError, match="do not fit what is known"):
        of_device.open(other.octets, other.parameters)
