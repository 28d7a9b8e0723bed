"""The certificates that an entity holds: import, export, removal, and its own key pairs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cosemic.dialect import CertificateSerial, Dialect
from cosemic.errors import CertificateError, ConfigurationError
from cosemic.model.security_setup import (
    CertificateByEntity,
    CertificateBySerial,
    CertificateEntity,
    CertificateIdentification,
    CertificateIdentificationType,
    CertificateType,
)
from cosemic.security.certificates import (
    Certificate,
    CertificateAuthority,
    CertificateRequest,
    CertificateStore,
    MemoryRegister,
    OwnKeyPair,
    RevocationLists,
    TrustedSigners,
    software_key_pair,
)
from cosemic.security.certificates.certificate_store import serial_numbers
from cosemic.security.certified_keys import CertifiedSigningKey
from cosemic.security.elliptic import SoftwareAgreementKey
from cosemic.security.signers import PeerCertificates
from tests.effort import examples
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
    issued,
    new_key,
    new_root,
)

ROOT = new_root()
SUB = below(ROOT)
THIRD = bytes.fromhex("5450590000000009")
SERVER, OPPOSITE = CertificateEntity.SERVER, CertificateEntity.CLIENT
CA, OTHER = CertificateEntity.CERTIFICATION_AUTHORITY, CertificateEntity.OTHER


def store(**options: object) -> CertificateStore:
    given: dict[str, object] = {"anchors": [ROOT.certificate], "third_parties": [THIRD]} | options
    return CertificateStore(METER, SUITE_1, **given)  # type: ignore[arg-type]


def by_serial(certificate: Certificate) -> CertificateBySerial:
    return CertificateBySerial(certificate.serial_octets, certificate.issuer)


def own(ours: CertificateStore, use: CertificateType, authority: CertificateAuthority = ROOT) -> Certificate:
    """The way of a meter: generate, request, have it issued, import."""
    ours.generate_key_pair(use)
    request = CertificateRequest.of(ours.certificate_request(use))
    made = authority.issue_for(request, not_before=AT, not_after=AT + YEAR, system_title=METER)
    return ours.import_certificate(made.octets, AT)


@pytest.mark.parametrize("use", USES)
def test_a_key_pair_serves_once_its_certificate_was_imported(use: CertificateType) -> None:
    ours = store()
    with pytest.raises(CertificateError, match="generate one first"):
        ours.certificate_request(use)
    public = ours.generate_key_pair(use)
    with pytest.raises(CertificateError, match="no certificate of our own"):
        ours.signing_key(use)
    made = ROOT.issue_for(CertificateRequest.of(ours.certificate_request(use)), not_before=AT)
    ours.import_certificate(made.octets, AT)
    assert ours.own_certificate(use) == ours.trusted(METER, use, AT) == made
    assert ours.signing_key(use).public == public == made.public_key
    if use is AGREEMENT:
        peer = SoftwareAgreementKey.generate(SUITE_1)
        assert ours.agreement_key().exchange(peer.public) == peer.exchange(public)


def test_the_old_pair_serves_until_the_certificate_of_the_new_one_is_there() -> None:
    ours = store()
    old = own(ours, SIGNATURE)
    new = ours.generate_key_pair(SIGNATURE)
    assert ours.signing_key().public == old.public_key
    made = ROOT.issue_for(CertificateRequest.of(ours.certificate_request(SIGNATURE)), not_before=AT)
    ours.import_certificate(made.octets, AT)
    assert ours.signing_key().public == new
    assert [one.type for one in ours.certificates] == [CertificateType.OTHER, SIGNATURE]
    with pytest.raises(CertificateError, match="not for a key pair of ours"):
        ours.import_certificate(old.octets, AT)
    assert ours.own_certificate(SIGNATURE) == made


def test_a_new_certificate_for_the_pair_that_serves_takes_the_place_of_the_old_one() -> None:
    ours = store()
    old = own(ours, SIGNATURE)
    made = ROOT.issue_for(CertificateRequest.of(ours.certificate_request(SIGNATURE)), not_before=AT)
    ours.import_certificate(made.octets, AT)
    assert (ours.own_certificate(SIGNATURE), ours.signing_key().public) == (made, old.public_key)


def test_a_certificate_of_our_title_for_another_key_is_refused() -> None:
    ours = store()
    mine = own(ours, SIGNATURE)
    ours.generate_key_pair(AGREEMENT)
    for use in USES:
        with pytest.raises(CertificateError, match="not for a key pair of ours"):
            ours.import_certificate(issued(ROOT, METER, use).octets, AT)
    assert ours.certificates == (ROOT.certificate, mine)


def test_removing_our_certificate_gives_its_key_pair_up() -> None:
    destroyed: list[str] = []

    def make(use: CertificateType, suite: object) -> OwnKeyPair:
        number = str(next(numbers))
        return OwnKeyPair(new_key(), destroy=lambda: destroyed.append(number))

    numbers = iter(range(9))
    ours = store(make_key_pair=make)
    ours.generate_key_pair(SIGNATURE)
    first = own(ours, SIGNATURE)
    assert destroyed == ["0"]
    own(ours, SIGNATURE)
    assert destroyed == ["0", "1"]
    ours.generate_key_pair(SIGNATURE)
    removed = ours.remove_certificate(CertificateByEntity(SERVER, SIGNATURE, METER))
    assert destroyed == ["0", "1", "2"]
    assert removed != first
    with pytest.raises(CertificateError, match="no certificate of our own"):
        ours.signing_key()
    with pytest.raises(CertificateError, match="not for a key pair of ours"):
        ours.import_certificate(removed.octets, AT)
    ours.certificate_request(SIGNATURE)


def test_a_certificate_without_its_key_pair_does_not_serve() -> None:
    ours = store()
    own(ours, SIGNATURE)
    ours.take_up(replace(ours.holdings, active={}))
    for use in (ours.signing_key, lambda: CertifiedSigningKey(ours).public):
        with pytest.raises(CertificateError, match="not here"):
            use()


def test_trust_anchors_are_exported_and_neither_imported_nor_removed() -> None:
    ours, anchor = store(), ROOT.certificate
    assert ours.export_certificate(by_serial(anchor)) == anchor.octets
    for change in (
        lambda: ours.remove_certificate(by_serial(anchor)),
        lambda: ours.import_certificate(anchor.octets, AT),
        lambda: ours.import_certificate(new_root().certificate.octets, AT),
    ):
        with pytest.raises(CertificateError, match="trust anchor"):
            change()
    assert ours.certificates == (anchor,)
    with pytest.raises(ConfigurationError, match="a trust anchor is the certificate of a CA"):
        store(anchors=[issued(ROOT)])


def test_what_does_not_lead_to_an_anchor_is_not_imported() -> None:
    ours, stranger = store(), new_root()
    for certificate, at, reason in (
        (issued(stranger, CLIENT), AT, "CA is missing"),
        (issued(SUB, CLIENT), AT, "CA is missing"),
        (below(stranger).certificate, AT, "CA is missing"),
        (issued(ROOT, CLIENT), AT + 3 * YEAR, "has expired"),
    ):
        with pytest.raises(CertificateError, match=reason):
            ours.import_certificate(certificate.octets, at)
    strong = new_root(2)
    suite_2 = issued(strong, CLIENT, suite=2)
    with pytest.raises(CertificateError, match="security suite 1 needs P-256"):
        store(anchors=[strong.certificate]).import_certificate(suite_2.octets, AT)
    CertificateStore(METER, SUITE_2, anchors=[strong.certificate]).import_certificate(suite_2.octets, AT)
    assert ours.certificates == (ROOT.certificate,)


def test_what_leads_over_a_sub_authority_is_trusted_while_that_is_there() -> None:
    ours, leaf = store(), issued(SUB, CLIENT)
    ours.import_certificate(SUB.certificate.octets, AT)
    ours.import_certificate(leaf.octets, AT)
    assert ours.trusted(CLIENT, SIGNATURE, AT) == leaf
    with pytest.raises(CertificateError, match="has expired"):
        ours.trusted(CLIENT, SIGNATURE, AT + 2 * YEAR)
    ours.remove_certificate(by_serial(SUB.certificate))
    with pytest.raises(CertificateError, match="CA is missing"):
        ours.trusted(CLIENT, SIGNATURE, AT)
    ours.import_certificate(SUB.certificate.octets, AT)
    assert ours.trusted(CLIENT, SIGNATURE, AT) == leaf


def test_revocation_counts_where_lists_are_handed_in() -> None:
    root = new_root()
    leaf = issued(root, CLIENT)
    lists = RevocationLists()
    ours = store(anchors=[root.certificate], revocation=lists)
    lists.add(root.revocation_list(AT, AT + YEAR), root.certificate)
    ours.import_certificate(leaf.octets, AT)
    ours.trusted(CLIENT, SIGNATURE, AT)
    root.revoke(leaf.serial_number, AT)
    lists.add(root.revocation_list(AT, AT + YEAR), root.certificate)
    with pytest.raises(CertificateError, match="was revoked"):
        ours.trusted(CLIENT, SIGNATURE, AT)


def test_certificates_are_found_by_entity_type_and_title() -> None:
    ours = store()
    mine, theirs, third = own(ours, TLS), issued(ROOT, CLIENT, AGREEMENT), issued(ROOT, THIRD)
    for each in (theirs, third):
        ours.import_certificate(each.octets, AT)
    for entity, use, title, expected in (
        (SERVER, TLS, METER, mine),
        (OPPOSITE, AGREEMENT, CLIENT, theirs),
        (OTHER, SIGNATURE, THIRD, third),
        (CA, CertificateType.OTHER, b"", ROOT.certificate),
        (SERVER, SIGNATURE, METER, None),
        (OPPOSITE, TLS, METER, None),
        (SERVER, AGREEMENT, CLIENT, None),
        (OPPOSITE, AGREEMENT, THIRD, None),
        (OPPOSITE, AGREEMENT, b"", None),
    ):
        named = CertificateByEntity(entity, use, title)
        whole = CertificateIdentification(CertificateIdentificationType.BY_ENTITY, named)
        if expected is None:
            with pytest.raises(CertificateError, match="no such certificate"):
                ours.export_certificate(whole)
        else:
            assert ours.find(named) == ours.find(whole) == expected
    ours.import_certificate(SUB.certificate.octets, AT)
    with pytest.raises(CertificateError, match="name it by serial number and issuer"):
        ours.find(CertificateByEntity(CA, CertificateType.OTHER, b""))


def test_a_client_sees_the_others_as_servers() -> None:
    ours = CertificateStore(CLIENT, SUITE_1, entity=CertificateEntity.CLIENT, anchors=[ROOT.certificate])
    meter = ours.import_certificate(issued(ROOT, METER).octets, AT)
    assert ours.find(CertificateByEntity(SERVER, SIGNATURE, METER)) == meter


def test_serial_numbers_are_compared_as_numbers_in_both_forms() -> None:
    ours, leaf = store(), issued(ROOT, CLIENT)
    ours.import_certificate(leaf.octets, AT)
    magnitude = leaf.serial_number.to_bytes(16, "big")
    for octets in (leaf.serial_octets, magnitude, b"\0" + magnitude):
        assert ours.find(CertificateBySerial(octets, leaf.issuer)) == leaf
    for octets in (b"", magnitude[:-1], magnitude + b"\0", bytes(40), leaf.serial_octets + b"\0"):
        with pytest.raises(CertificateError, match="no such certificate"):
            ours.find(CertificateBySerial(octets, leaf.issuer))
    with pytest.raises(CertificateError, match="no such certificate"):
        ours.find(CertificateBySerial(magnitude, leaf.subject))
    assert serial_numbers(bytes.fromhex("020105")) == {0x020105, 5}
    assert serial_numbers(bytes.fromhex("02020005")) == {0x02020005}


def test_rows_say_whose_the_certificates_are_and_name_them() -> None:
    ours, plain = store(), store(dialect=Dialect(certificate_serial=CertificateSerial.MAGNITUDE))
    leaf = issued(ROOT, CLIENT, AGREEMENT)
    for each in (ours, plain):
        each.import_certificate(leaf.octets, AT)
    first, second = ours.rows()
    assert (first.certificate_entity, first.certificate_type, first.subject) == (CA, 3, ROOT.certificate.subject)
    assert (second.certificate_entity, second.certificate_type) == (OPPOSITE, AGREEMENT)
    assert (second.serial_number, second.issuer, second.subject) == (leaf.serial_octets, leaf.issuer, leaf.subject)
    assert second.serial_number[:2] == b"\x02\x10"
    assert plain.rows()[1].serial_number == leaf.serial_number.to_bytes(16, "big")
    for row, certificate in zip(ours.rows(), ours.certificates, strict=True):
        assert ours.find(CertificateBySerial(row.serial_number, row.issuer)) == certificate
    second_only = [row.subject_alt_name for row in ours.rows()]
    assert second_only == [b"", b""]


def test_signers_are_those_of_imported_or_presented_certificates() -> None:
    ours, now = store(), [AT]
    signers: PeerCertificates = TrustedSigners(ours, lambda: now[0])
    with pytest.raises(CertificateError, match="there is no certificate of 4D4D4D0000000001"):
        signers.signer(CLIENT)
    imported = ours.import_certificate(issued(ROOT, CLIENT).octets, AT)
    assert signers.signer(CLIENT) == imported.public_key
    fresh = issued(ROOT, CLIENT)
    assert signers.signer(CLIENT, fresh.octets) == fresh.public_key
    assert signers.signer(CLIENT) == imported.public_key
    for other, reason in (
        (issued(ROOT, THIRD).octets, "not that of 4D4D4D0000000001"),
        (issued(ROOT, CLIENT, AGREEMENT).octets, "not for digital-signature"),
        (issued(new_root(), CLIENT).octets, "CA is missing"),
        (issued(new_root(2), CLIENT, suite=2).octets, "needs P-256"),
        (b"", "no DER"),
    ):
        with pytest.raises(CertificateError, match=reason):
            signers.signer(CLIENT, other)
    pinned = TrustedSigners(ours, lambda: AT, take_presented=False)
    assert pinned.signer(CLIENT, fresh.octets) == imported.public_key
    now[0] = AT + 2 * YEAR
    for presented in (None, fresh.octets):
        with pytest.raises(CertificateError, match="has expired"):
            signers.signer(CLIENT, presented)
    with pytest.raises(ConfigurationError, match="a server, a client or a third party"):
        store(entity=CA)


def test_a_magnitude_has_no_sign() -> None:
    read = Certificate.of(by_hand((USAGE, True), serial=0x80FF))
    assert store().serial_octets(read) == bytes.fromhex("02030080FF")
    plain = store(dialect=Dialect(certificate_serial=CertificateSerial.MAGNITUDE))
    assert plain.serial_octets(read) == bytes.fromhex("80FF")


def test_an_authority_that_gives_a_serial_number_twice_is_not_followed() -> None:
    key = new_key()
    root = CertificateAuthority.root(key, "Root", MemoryRegister(), not_before=AT - YEAR)
    again = (CertificateAuthority(key, root.certificate, MemoryRegister(), random=bytes) for _ in range(2))
    one, two = (issued(authority, title) for authority, title in zip(again, (CLIENT, THIRD), strict=True))
    ours = store(anchors=[root.certificate])
    ours.import_certificate(one.octets, AT)
    with pytest.raises(CertificateError, match="issuer and serial number of another one"):
        ours.import_certificate(two.octets, AT)


def test_a_store_is_bounded_and_what_is_there_can_come_again() -> None:
    ours = store(limit=2)
    leaf = ours.import_certificate(issued(ROOT, CLIENT).octets, AT)
    assert ours.import_certificate(leaf.octets, AT) == leaf
    renewed = ours.import_certificate(issued(ROOT, CLIENT).octets, AT)
    assert ours.certificates == (ROOT.certificate, renewed)
    for other in (issued(ROOT, THIRD), issued(ROOT, CLIENT, TLS), SUB.certificate):
        with pytest.raises(CertificateError, match="there are 2 certificates already"):
            ours.import_certificate(other.octets, AT)


def test_a_maker_installs_pair_and_certificate_together() -> None:
    ours, pair = store(), software_key_pair(AGREEMENT, SUITE_1)
    made = ROOT.issue(pair.public, METER, AGREEMENT, not_before=AT)
    assert ours.install(pair, made.octets, AT) == ours.install(pair, made.octets, AT) == made
    assert ours.agreement_key() is pair.agreement
    waiting = ours.generate_key_pair(AGREEMENT)
    for other in (issued(ROOT, METER, AGREEMENT), ROOT.issue(pair.public, CLIENT, AGREEMENT, not_before=AT)):
        with pytest.raises(CertificateError, match="is not ours, or not for this key pair"):
            ours.install(pair, other.octets, AT)
    assert CertificateRequest.of(ours.certificate_request(AGREEMENT)).public_key == waiting
    assert ours.certificates == (ROOT.certificate, made)


def test_only_pairs_for_the_three_uses_are_made() -> None:
    with pytest.raises(ConfigurationError, match="not for other"):
        store().generate_key_pair(CertificateType.OTHER)
    pair = OwnKeyPair(new_key())
    ours = store(make_key_pair=lambda *_: pair)
    own(ours, AGREEMENT)
    with pytest.raises(CertificateError, match="does not agree on keys"):
        ours.agreement_key()


TITLES = (METER, CLIENT, THIRD)
POOL = {
    (title, use): [issued(authority, title, use) for authority in (ROOT, SUB)]
    for title in TITLES[1:]
    for use in (SIGNATURE, AGREEMENT)
}


class StoreModel(RuleBasedStateMachine):
    """A store against a dictionary: whatever is done, it holds what the dictionary says."""

    def __init__(self) -> None:
        super().__init__()
        self.store = store()
        self.model: dict[object, Certificate] = {}

    @rule(title=st.sampled_from(TITLES[1:]), use=st.sampled_from([SIGNATURE, AGREEMENT]), which=st.integers(0, 1))
    def import_one(self, title: bytes, use: CertificateType, which: int) -> None:
        certificate = POOL[title, use][which]
        if which and "sub" not in self.model and self.model.get((title, use)) != certificate:
            with pytest.raises(CertificateError):
                self.store.import_certificate(certificate.octets, AT)
        else:
            self.store.import_certificate(certificate.octets, AT)
            self.model[title, use] = certificate

    @rule()
    def import_sub(self) -> None:
        self.store.import_certificate(SUB.certificate.octets, AT)
        self.model["sub"] = SUB.certificate

    @rule(use=st.sampled_from([SIGNATURE, AGREEMENT]))
    def renew_own(self, use: CertificateType) -> None:
        self.model[METER, use] = own(self.store, use)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def remove_one(self, data: st.DataObject) -> None:
        place = data.draw(st.sampled_from(sorted(self.model, key=repr)))
        assert self.store.remove_certificate(by_serial(self.model[place])) == self.model.pop(place)

    @invariant()
    def it_holds_what_was_imported(self) -> None:
        assert set(self.store.certificates) == {ROOT.certificate, *self.model.values()}

    @invariant()
    def it_trusts_what_leads_to_the_anchor(self) -> None:
        for title in TITLES:
            for use in (SIGNATURE, AGREEMENT):
                held = self.model.get((title, use))
                leads = held is not None and (held.issuer == ROOT.certificate.subject or "sub" in self.model)
                if leads:
                    assert self.store.trusted(title, use, AT) == held
                else:
                    with pytest.raises(CertificateError):
                        self.store.trusted(title, use, AT)


TestStoreModel = StoreModel.TestCase
TestStoreModel.settings = examples(30, stateful_step_count=15, deadline=None)
