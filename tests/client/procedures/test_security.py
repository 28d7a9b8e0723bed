"""The Security setup by its client procedures: policy, keys agreed on, certificates; against the server's."""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cosemic.association.parties import BOTH, GeneralParties
from cosemic.client import BlockingMeter, Meter
from cosemic.client.procedures.key_change import use_fresh, with_keys
from cosemic.client.procedures.security import SecurityState, by_serial
from cosemic.client.recovery import NONE, STANDARD
from cosemic.codec import DataType, EncodedData
from cosemic.errors import (
    ActionFailed,
    AssociationRejected,
    AuthenticationFailed,
    CertificateError,
    ChangeNotMade,
    ConfigurationError,
    CosemicError,
    DataAccessError,
    OutcomeUnknown,
    SignatureInvalid,
    StoreError,
)
from cosemic.link.hdlc import HdlcSecondaryLink
from cosemic.model import SecuritySetup
from cosemic.model.security_setup import (
    CertificateByEntity,
    CertificateBySerial,
    CertificateEntity,
    CertificateType,
    KeyPair,
)
from cosemic.security import KnownSigners, MemoryCounterStore, Protection, SecurityPolicy, security_suite
from cosemic.security.certificates import CertificateAuthority, CertificateStore, TrustedSigners, software_key_pair
from cosemic.security.certificates.request import make_request
from cosemic.security.certified_keys import CertifiedKeys
from cosemic.security.general import MemoryTransactionStore, OwnParty, layers_of
from cosemic.security.general.party_keys import KnownPartyKeys
from cosemic.security.key_keeper import KeyState, MemoryKeyKeeper
from cosemic.server import Admission, LogicalDevice, PhysicalDevice, managing, serve_in_thread
from cosemic.server.meter_server import MeterConnection
from cosemic.server.state import StateFile
from cosemic.simulator import HouseholdMeter, MeterSecurity
from cosemic.store.security_settings import SecuritySettings
from cosemic.transport.tcp import TcpConnection, TcpServer
from cosemic.values import ApplicationContext, AuthenticationMechanism
from tests.client.procedures.bench import Fault
from tests.client.procedures.key_bench import KeyBench, keeper_of, meter
from tests.security.laboratory import new_root
from tests.server.security_support import (
    CLIENT_TITLE,
    GAK,
    GUEK,
    KEK,
    KINDS,
    MANAGER,
    NAME,
    SERVER_TITLE,
    SETUP,
    client_settings,
    device_of,
    keys_of,
    octets,
    server_settings,
    settings_of,
    signs,
)
from tests.server.support import NOW, Local

SIGNATURE, AGREEMENT = CertificateType.DIGITAL_SIGNATURE, CertificateType.KEY_AGREEMENT
BEGINS = NOW - dt.timedelta(days=1)


@pytest.mark.parametrize(("version", "suite"), KINDS)
def test_the_state_comes_as_typed_values(version: int, suite: int) -> None:
    bench = KeyBench(meter(version, suite), suite)
    state = bench.run(bench.security.state())
    assert state == SecurityState(SecurityPolicy(version, 0), security_suite(suite), CLIENT_TITLE, SERVER_TITLE)


@pytest.mark.parametrize(("version", "value"), [(0, 1), (0, 3), (1, 0x6C), (1, 0x24)])
def test_a_policy_is_activated_and_holds(version: int, value: int) -> None:
    device = meter(version)
    bench = KeyBench(device)
    bench.run(bench.security.activate(SecurityPolicy(version, value)))
    assert bench.run(bench.security.state()).policy.value == value
    with pytest.raises(ActionFailed):
        bench.run(bench.security.activate(SecurityPolicy(version, 0)))
    assert settings_of(device).policy.value == value


def test_a_policy_that_asks_for_signatures_is_sent_by_who_signs() -> None:
    keys = signs(1)

    def parties(ours: str, peer: str, title: bytes) -> GeneralParties:
        of_others = KnownPartyKeys({title: keys[peer].public})
        return GeneralParties(transactions=MemoryTransactionStore(), signing_key=keys[ours], keys=of_others)

    device = meter(1, 1, parties=parties("s", "c", CLIENT_TITLE), policy=0x6C)
    given: dict[str, Any] = {"parties": parties("c", "s", SERVER_TITLE), "require": BOTH}
    unsigned = KeyBench(device, 1, **given)
    with pytest.raises(ConfigurationError, match="not protected"):
        unsigned.run(unsigned.security.activate(SecurityPolicy(1, 0xFC)))
    bench = KeyBench(device, 1, layers=layers_of("sign+cipher", SERVER_TITLE), **given)
    bench.run(bench.security.activate(SecurityPolicy(1, 0xFC)))
    assert settings_of(device).policy.value == 0xFC
    assert bench.run(bench.security.state()).policy.value == 0xFC


def test_a_policy_whose_answers_we_could_not_read_is_not_sent() -> None:
    signed, keys = SecurityPolicy(1, 0xEC), signs(1)

    def parties(ours: str, known: dict[bytes, Any]) -> GeneralParties:
        return GeneralParties(transactions=MemoryTransactionStore(), signing_key=keys[ours], keys=KnownPartyKeys(known))

    device = meter(1, 1, parties=parties("s", {CLIENT_TITLE: keys["c"].public}), policy=0x6C)
    layers = layers_of("cipher", SERVER_TITLE)
    for given in ({}, {"parties": parties("c", {}), "layers": layers}):
        bench = KeyBench(device, 1, require=BOTH, **given)
        with pytest.raises(ConfigurationError, match="cannot be read here"):
            bench.run(bench.security.activate(signed))
    known = parties("c", {SERVER_TITLE: keys["s"].public})
    bench = KeyBench(device, 1, require=BOTH, parties=known, layers=layers)
    bench.run(bench.security.activate(signed))
    assert bench.run(bench.security.state()).policy == signed
    lowest, plain = AuthenticationMechanism.LOWEST, frozenset((ApplicationContext.LN, ApplicationContext.LN_CIPHERED))
    device = meter(1, 1, mechanism=lowest, context_names=plain)
    bench = KeyBench(device, 1, mechanism=lowest, ciphered=False, material=None)
    with pytest.raises(ConfigurationError, match="with ciphering"):
        bench.run(bench.security.activate(SecurityPolicy(1, 0x20)))
    assert settings_of(device).policy.value == 0


@pytest.mark.parametrize("fault", list(Fault))
def test_a_policy_whose_answer_is_lost_is_read_back(fault: Fault) -> None:
    device = meter()
    bench = KeyBench(device)
    bench.run(bench.security.state())
    bench.fresh()
    bench.faults = {1: fault}
    if fault in (Fault.LOST_BEFORE, Fault.MUTE_BEFORE):
        with pytest.raises(ChangeNotMade):
            bench.run(bench.security.activate(SecurityPolicy(1, 0x6C)))
    else:
        bench.run(bench.security.activate(SecurityPolicy(1, 0x6C)))
    assert settings_of(device).policy.value == (0x6C if "AFTER" in fault.name else 0)


@pytest.mark.parametrize("policy", [SecurityPolicy(0, 3), SecurityPolicy(1, 0x08), SecurityPolicy(1, 0x10)])
def test_a_policy_that_would_shut_us_out_is_not_sent(policy: SecurityPolicy) -> None:
    lowest = AuthenticationMechanism.LOWEST
    device = meter(mechanism=lowest)
    bench = KeyBench(device, mechanism=lowest, protection=Protection.AUTHENTICATED)
    with pytest.raises(ConfigurationError, match=r"version 1|not protected"):
        bench.run(bench.security.activate(policy))
    assert settings_of(device).policy.value == 0


# ---- keys agreed on -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", [1, 2])
def test_a_master_key_is_agreed_on_and_used(suite: int) -> None:
    device, keeper = meter(1, suite), keeper_of(suite)
    bench = KeyBench(device, suite)
    agreed = bench.run(bench.security.agree_keys())
    assert {key_id: key.reveal() for key_id, key in agreed.items()} == {KEK: keys_of(device)[KEK]}
    keeper.propose(agreed)
    keeper.promote()
    assert bench.run(bench.security.change_keys(keeper)).made
    assert keeper.keys(KeyState.CURRENT)[GUEK].reveal() == keys_of(device)[GUEK]


@pytest.mark.parametrize("suite", [1, 2])
def test_keys_of_the_association_are_agreed_on_and_it_goes_on(suite: int) -> None:
    device = meter(1, suite)
    bench = KeyBench(device, suite)
    agreed = bench.run(bench.security.agree_keys((GUEK, GAK)))
    assert {key_id: key.reveal() for key_id, key in agreed.items()}.items() <= keys_of(device).items()
    assert bench.run(bench.security.state()).suite.id == suite


def test_an_agreement_with_another_meter_is_noticed() -> None:
    device = meter(1, 1)
    bench = KeyBench(
        device, 1, signers=KnownSigners({SERVER_TITLE: software_key_pair(SIGNATURE, security_suite(1)).public})
    )
    with pytest.raises(SignatureInvalid) as noticed:
        bench.run(bench.security.agree_keys())
    assert "agree on them again" in noticed.value.__notes__[0]


def test_an_agreement_whose_answer_is_lost_is_not_taken_for_made() -> None:
    device = meter(1, 1)
    bench = KeyBench(device, 1)
    bench.run(bench.session.open())
    bench.fresh()
    bench.faults = {1: Fault.LOST_AFTER}
    with pytest.raises(OutcomeUnknown):
        bench.run(bench.security.agree_keys())
    assert bench.run(bench.security.agree_keys())[KEK].reveal() == keys_of(device)[KEK]


@pytest.mark.parametrize("suite", [1, 2])
def test_agreed_keys_are_kept(suite: int) -> None:
    device, keeper = meter(1, suite), keeper_of(suite)
    bench = KeyBench(device, suite)
    agreed = bench.run(bench.security.agree_keys((GUEK, KEK), keeper=keeper))
    current = keeper.keys(KeyState.CURRENT)
    assert {key_id: current[key_id] for key_id in agreed} == agreed
    assert {key_id: key.reveal() for key_id, key in current.items()}.items() <= keys_of(device).items()
    assert not keeper.keys(KeyState.PENDING)
    assert bench.run(bench.security.change_keys(keeper)).made


def test_agreed_keys_are_kept_before_they_are_used() -> None:
    device, keeper = meter(1, 1), keeper_of(1)
    bench = KeyBench(device, 1, recovery=NONE)
    bench.run(bench.session.open())
    bench.fresh()
    bench.faults = {2: Fault.LOST_AFTER}  # the association under the new key
    with pytest.raises(CosemicError):
        bench.run(bench.security.agree_keys((GUEK,), keeper=keeper))
    assert keeper.keys(KeyState.PENDING)[GUEK].reveal() == keys_of(device)[GUEK]
    again = KeyBench(device, 1)
    again.run(again.security.open_with(keeper))
    assert keeper.keys(KeyState.CURRENT)[GUEK].reveal() == keys_of(device)[GUEK]


def test_agreed_keys_that_nobody_keeps_are_returned_though_the_association_is_lost() -> None:
    device = meter(1, 1)
    bench = KeyBench(device, 1, recovery=NONE)
    bench.run(bench.session.open())
    bench.fresh()
    bench.faults = {2: Fault.LOST_AFTER}  # the association under the new key
    agreed = bench.run(bench.security.agree_keys((GUEK,)))
    assert agreed[GUEK].reveal() == keys_of(device)[GUEK]
    bench.session.recovery = STANDARD
    assert bench.run(bench.security.state()).suite.id == 1  # what is asked next opens it, under the new key


def test_agreed_keys_that_cannot_be_kept_are_said_to_be_lost() -> None:
    class Broken(MemoryKeyKeeper):
        def propose(self, keys: Any) -> None:
            raise StoreError("no room")

    bench = KeyBench(meter(1, 1), 1)
    with pytest.raises(StoreError) as broken:
        bench.run(bench.security.agree_keys((GUEK,), keeper=Broken(keeper_of(1).keys(KeyState.CURRENT))))
    assert "agree on them again" in broken.value.__notes__[0]


@pytest.mark.parametrize(("key_ids", "known"), [((KEK,), False), ((GUEK, KEK), True)])
def test_only_the_counter_of_a_fresh_key_is_known_without_an_answer(key_ids: Any, known: bool) -> None:
    bench = KeyBench(meter(1, 1), 1)
    bench.run(bench.session.open())
    material = bench.session.settings.material
    assert material is not None
    unused = replace(bench.session.settings, counters=MemoryCounterStore())
    bench.session.settings = unused
    use_fresh(bench.session, with_keys(material, {key_id: octets(0x61 + key_id, 1) for key_id in key_ids}))
    context = bench.session.settings.context()
    assert context is not None
    assert context.transmit.known is known


def test_without_signing_key_nothing_is_agreed() -> None:
    bench = KeyBench(meter(1, 1), 1, signing_key=None)
    with pytest.raises(ConfigurationError, match="signing_key"):
        bench.run(bench.security.agree_keys())


@pytest.mark.parametrize("version", [0, 1])
def test_transferred_keys_are_used_at_once(version: int) -> None:
    device = meter(version)
    bench = KeyBench(device)
    bench.run(bench.security.transfer_keys({GUEK: octets(0x33), GAK: octets(0x44)}, octets(0x80)))
    assert keys_of(device)[GUEK] == octets(0x33).reveal()
    assert bench.run(bench.security.state())
    with pytest.raises(ActionFailed):
        bench.run(bench.security.transfer_keys({GUEK: octets(0x55)}, octets(0x81)))
    with pytest.raises(ConfigurationError):
        bench.run(bench.security.transfer_keys({GUEK: octets(0x55, 2)}, octets(0x80)))
    assert bench.run(bench.security.state())


# ---- certificates ---------------------------------------------------------------------------------------------------


class Works:
    """A certificate authority, and a device with a store that trusts it."""

    def __init__(self, suite: int, folder: Path | None = None, **changed: Any) -> None:
        self.suite = suite
        self.root: CertificateAuthority = changed.pop("root", None) or new_root(suite)
        self.file = StateFile(folder / "state") if folder else None
        self.changed = changed
        self.start()

    def start(self) -> None:
        anchors = (self.root.certificate,)
        self.store = CertificateStore(SERVER_TITLE, security_suite(self.suite), anchors=anchors)
        given = {"mechanism": AuthenticationMechanism.HLS_GMAC, **self.changed}
        self.device: LogicalDevice = device_of(
            server_settings(1, self.suite, **given),
            state=None if self.file is None else self.file.of(NAME),
            certificates=self.store,
        )

    def certify(self, bench: KeyBench, use: KeyPair = KeyPair.DIGITAL_SIGNATURE) -> Any:
        """Have the meter make a key pair, and give it the certificate for it."""
        bench.run(bench.security.generate_key_pair(use))
        request = bench.run(bench.security.certificate_request(use))
        assert request.system_title == SERVER_TITLE
        certificate = self.root.issue_for(request, CertificateType(use.value), not_before=BEGINS)
        bench.run(bench.security.import_certificate(certificate))
        return certificate

    def of_client(self, root: CertificateAuthority | None = None) -> Any:
        key = signs(self.suite)["c"]
        return (root or self.root).issue(key.public, CLIENT_TITLE, SIGNATURE, not_before=BEGINS)


@pytest.mark.parametrize("suite", [1, 2])
def test_a_meter_gets_its_certificates(suite: int) -> None:
    works = Works(suite)
    bench = KeyBench(works.device, suite)
    assert len(bench.run(bench.security.certificates())) == 1  # the trust anchor
    made = [works.certify(bench, use) for use in KeyPair]
    rows = bench.run(bench.security.certificates())
    assert [row.certificate_type for row in rows[1:]] == [0, 1, 2]
    assert {row.certificate_entity for row in rows[1:]} == {CertificateEntity.SERVER}
    for row, certificate in zip(rows[1:], made, strict=True):
        assert bench.run(bench.security.export_certificate(by_serial(row))) == certificate
        named = CertificateByEntity(CertificateEntity.SERVER, certificate.type, SERVER_TITLE)
        assert bench.run(bench.security.export_certificate(named)) == certificate
    assert works.store.signing_key().public == made[0].public_key
    assert works.store.agreement_key().public == made[1].public_key


@pytest.mark.parametrize("suite", [1, 2])
def test_keys_are_agreed_on_with_certificates(suite: int) -> None:
    works = Works(suite)
    bench = KeyBench(works.device, suite)
    signing = works.certify(bench)
    bench.session.settings = replace(bench.session.settings, signers=KnownSigners({SERVER_TITLE: signing.public_key}))
    with pytest.raises(ActionFailed):  # the meter has no certificate of ours yet
        bench.run(bench.security.agree_keys())
    ours = works.of_client()
    bench.run(bench.security.import_certificate(ours))
    assert bench.run(bench.security.agree_keys())[KEK].reveal() == keys_of(works.device)[KEK]
    bench.run(bench.security.remove_certificate(CertificateByEntity(CertificateEntity.CLIENT, SIGNATURE, CLIENT_TITLE)))
    with pytest.raises(ActionFailed):
        bench.run(bench.security.agree_keys())


def lying(works: Works, method: str, answer: bytes) -> KeyBench:
    """A meter that answers a method with other octets than it should."""
    served = works.device.object(64, SETUP)
    assert served is not None
    served._methods[served.interface.method_named(method).index] = lambda parameter, situation: answer
    return KeyBench(works.device, works.suite)


def test_a_request_in_the_name_of_somebody_else_is_not_handed_on() -> None:
    works, key, use = Works(1), signs(1)["s"], KeyPair.DIGITAL_SIGNATURE
    for octets_, wrong in (
        (make_request(key, CLIENT_TITLE, SIGNATURE), CLIENT_TITLE.hex().upper()),
        (make_request(key, SERVER_TITLE, AGREEMENT), "key-agreement"),
        (make_request(key, SERVER_TITLE, SIGNATURE)[:-1] + b"\0", "signed"),
    ):
        bench = lying(works, "generate_certificate_request", octets_)
        with pytest.raises(CertificateError, match=wrong):
            bench.run(bench.security.certificate_request(use))
    bench = lying(works, "generate_certificate_request", make_request(key, SERVER_TITLE, SIGNATURE))
    assert bench.run(bench.security.certificate_request(use)).system_title == SERVER_TITLE


def test_another_certificate_than_the_one_that_was_named_is_not_taken() -> None:
    works = Works(1)
    ours, root = works.of_client(), works.root.certificate
    other = works.root.issue(signs(1)["s"].public, SERVER_TITLE, SIGNATURE, not_before=BEGINS)
    names = {
        CertificateBySerial(ours.serial_octets, ours.issuer): ours,
        CertificateBySerial(ours.serial_octets[2:], ours.issuer): ours,
        CertificateByEntity(CertificateEntity.CLIENT, SIGNATURE, CLIENT_TITLE): ours,
        CertificateByEntity(CertificateEntity.CERTIFICATION_AUTHORITY, CertificateType.OTHER, b""): root,
    }
    for which, right in names.items():
        bench = lying(works, "export_certificate", right.octets)
        assert bench.run(bench.security.export_certificate(which)) == right
        bench = lying(works, "export_certificate", other.octets)
        with pytest.raises(CertificateError, match="not the one that was named"):
            bench.run(bench.security.export_certificate(which))


def test_what_the_meter_cannot_trust_is_refused_and_changes_nothing() -> None:
    works, stranger = Works(1), new_root(1, name="Stranger")
    bench = KeyBench(works.device, 1)
    works.certify(bench)
    before = works.store.holdings
    other_key = software_key_pair(SIGNATURE, security_suite(1)).public
    expired = works.root.issue(
        other_key, CLIENT_TITLE, SIGNATURE, not_before=BEGINS - dt.timedelta(days=9), not_after=BEGINS
    )
    of_another_key = works.root.issue(other_key, SERVER_TITLE, SIGNATURE, not_before=BEGINS)
    for refused in (works.of_client(stranger), expired, of_another_key, stranger.certificate, works.root.certificate):
        with pytest.raises(ActionFailed):
            bench.run(bench.security.import_certificate(refused))
    anchor = bench.run(bench.security.certificates())[0]
    with pytest.raises(ActionFailed):
        bench.run(bench.security.remove_certificate(by_serial(anchor)))
    nobody = CertificateByEntity(CertificateEntity.OTHER, SIGNATURE, b"NOBODY!!")
    for ask in (bench.security.export_certificate, bench.security.remove_certificate):
        with pytest.raises(ActionFailed):
            bench.run(ask(nobody))
    with pytest.raises(ActionFailed):  # there is no key pair for it
        bench.run(bench.security.certificate_request(KeyPair.TLS))
    assert works.store.holdings == before


def test_a_key_pair_serves_when_its_certificate_is_there() -> None:
    works = Works(1)
    bench = KeyBench(works.device, 1)
    first = works.certify(bench)
    bench.run(bench.security.generate_key_pair(KeyPair.DIGITAL_SIGNATURE))
    assert works.store.signing_key().public == first.public_key
    request = bench.run(bench.security.certificate_request(KeyPair.DIGITAL_SIGNATURE))
    assert request.public_key != first.public_key
    second = works.root.issue_for(request, not_before=BEGINS, use=SIGNATURE)
    bench.run(bench.security.import_certificate(second))
    assert works.store.signing_key().public == second.public_key == request.public_key
    bench.run(bench.security.remove_certificate(CertificateByEntity(CertificateEntity.SERVER, SIGNATURE, SERVER_TITLE)))
    with pytest.raises(CertificateError):
        works.store.signing_key()
    with pytest.raises(ActionFailed):  # the private key went with the certificate
        bench.run(bench.security.import_certificate(second))


def test_certificates_and_private_keys_outlive_the_process_and_are_in_no_file(tmp_path: Path) -> None:
    works = Works(1, tmp_path)
    bench = KeyBench(works.device, 1)
    signing, agreeing = (works.certify(bench, use) for use in (KeyPair.DIGITAL_SIGNATURE, KeyPair.KEY_AGREEMENT))
    ours = works.of_client()
    bench.run(bench.security.import_certificate(ours))
    bench.run(bench.security.generate_key_pair(KeyPair.TLS))
    pending = bench.run(bench.security.certificate_request(KeyPair.TLS)).public_key
    scalars = [
        pair.signing.to_secret().reveal()  # type: ignore[attr-defined]  # they are in software
        for pair in (*works.store.holdings.active.values(), *works.store.holdings.pending.values())
    ]
    assert len(scalars) == 3
    works.start()  # another process, with the same configuration
    assert works.store.signing_key().public == signing.public_key
    assert works.store.agreement_key().public == agreeing.public_key
    assert works.store.trusted(CLIENT_TITLE, SIGNATURE, NOW) == ours
    bench = KeyBench(works.device, 1)
    assert bench.run(bench.security.certificate_request(KeyPair.TLS)).public_key == pending
    held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for scalar in scalars:
        assert scalar[:16] not in held
        assert scalar.hex().encode()[:32] not in held
    assert works.file is not None
    works.file.close()


def test_a_meter_without_key_pairs_lets_signers_in_once_it_has_its_certificate() -> None:
    works, ecdsa = Works(1), AuthenticationMechanism.HLS_ECDSA
    keys = CertifiedKeys(works.store, lambda: NOW)
    parties = GeneralParties(
        transactions=MemoryTransactionStore(),
        signing_key=keys.signing_key,
        agreement_key=keys.agreement_key,
        keys=keys.of_others,
    )
    given = server_settings(
        1,
        1,
        mechanism=AuthenticationMechanism.HLS_GMAC,
        signing_key=keys.signing_key,
        signers=keys.signers,
        parties=parties,
    )
    works.device = device_of(given, certificates=works.store)
    signed = replace(given, mechanism=ecdsa)
    works.device.admit(Admission(client_sap=3, settings=signed, rights=managing(), security_setup=SETUP))
    counters = MemoryCounterStore()
    bench = KeyBench(works.device, 1, counters=counters)
    bench.run(bench.session.open())  # without signatures

    def opened() -> Local:
        found = works.store.holdings.ends
        known = KnownSigners({SERVER_TITLE: found[-1].public_key if found else signs(1)["s"].public})
        return Local(works.device, 3, client_settings(1, mechanism=ecdsa, signers=known, counters=counters)).open()

    with pytest.raises(AssociationRejected, match="no-reason-given"):
        opened()
    assert parties.own(SERVER_TITLE) == OwnParty(title=SERVER_TITLE)
    bench.run(bench.security.import_certificate(works.of_client()))
    agreeing, signing = works.certify(bench, KeyPair.KEY_AGREEMENT), works.certify(bench)
    assert keys.signing_key.public == signing.public_key
    assert keys.agreement_key.public == agreeing.public_key
    assert parties.own(SERVER_TITLE).agreement_key is keys.agreement_key
    opened()
    renewed = works.certify(bench)
    assert keys.signing_key.public == renewed.public_key != signing.public_key
    bench.run(bench.security.remove_certificate(CertificateByEntity(CertificateEntity.SERVER, SIGNATURE, SERVER_TITLE)))
    with pytest.raises(CertificateError):
        keys.signing_key.sign(b"")


def test_mechanism_7_goes_on_with_the_key_that_is_certified() -> None:
    ecdsa = AuthenticationMechanism.HLS_ECDSA
    works = Works(1, mechanism=ecdsa)
    first = software_key_pair(SIGNATURE, security_suite(1))
    issued = works.root.issue(first.public, SERVER_TITLE, SIGNATURE, not_before=BEGINS)
    works.store.install(first, issued.octets, NOW)

    def bench_with(public: Any) -> KeyBench:
        signers = KnownSigners({SERVER_TITLE: public})
        return KeyBench(works.device, 1, mechanism=ecdsa, signers=signers, counters=counters)

    counters = MemoryCounterStore()
    bench = bench_with(first.public)
    second = works.certify(bench)
    bench.run(bench.session.release())
    again = bench_with(second.public_key)
    again.run(again.session.open())
    old = bench_with(first.public)
    with pytest.raises(AuthenticationFailed):
        old.run(old.session.open())
    named = CertificateByEntity(CertificateEntity.SERVER, SIGNATURE, SERVER_TITLE)
    again.run(again.security.remove_certificate(named))
    lost = bench_with(second.public_key)
    with pytest.raises(CosemicError):  # the private key is gone
        lost.run(lost.session.open())


def test_the_certificate_in_the_aare_is_the_one_that_serves() -> None:
    ecdsa, suite = AuthenticationMechanism.HLS_ECDSA, security_suite(1)
    root, first = new_root(1), software_key_pair(SIGNATURE, suite)
    issued = root.issue(first.public, SERVER_TITLE, SIGNATURE, not_before=BEGINS)
    works = Works(1, mechanism=ecdsa, certificate=issued.octets, signing_key=first.signing, root=root)
    works.store.install(first, issued.octets, NOW)
    trusting = TrustedSigners(CertificateStore(CLIENT_TITLE, suite, anchors=(root.certificate,)), lambda: NOW)
    bench = KeyBench(works.device, 1, mechanism=ecdsa, signers=trusting)
    second = works.certify(bench)
    assert settings_of(works.device).certificate == second.octets
    bench.run(bench.session.open())  # what is presented belongs to the key that signs


def test_trusted_signers_of_a_client_take_what_the_meter_exports() -> None:
    works = Works(1)
    bench = KeyBench(works.device, 1)
    signing = works.certify(bench)
    own = CertificateStore(
        CLIENT_TITLE, security_suite(1), entity=CertificateEntity.CLIENT, anchors=(works.root.certificate,)
    )
    exported = bench.run(bench.security.export_certificate(by_serial(bench.run(bench.security.certificates())[1])))
    own.import_certificate(exported.octets, NOW)
    assert TrustedSigners(own, lambda: NOW).signer(SERVER_TITLE) == signing.public_key


@pytest.mark.parametrize("fault", [Fault.LOST_AFTER, Fault.MUTE_AFTER, Fault.LOST_BEFORE])
def test_an_import_whose_answer_is_lost_is_read_back(fault: Fault) -> None:
    works = Works(1)
    bench = KeyBench(works.device, 1)
    bench.run(bench.session.open())
    bench.fresh()
    bench.faults = {1: fault}
    if fault is Fault.LOST_BEFORE:
        with pytest.raises(ChangeNotMade):
            bench.run(bench.security.import_certificate(works.of_client()))
    else:
        bench.run(bench.security.import_certificate(works.of_client()))
        assert len(works.store.certificates) == 2


def test_version_0_has_no_certificates() -> None:
    bench = KeyBench(meter(0))
    with pytest.raises(DataAccessError):
        bench.run(bench.security.certificates())
    with pytest.raises(ActionFailed):
        bench.run(bench.security.generate_key_pair(KeyPair.TLS))


def test_a_store_of_another_suite_or_title_is_refused() -> None:
    for store in (
        CertificateStore(SERVER_TITLE, security_suite(2)),
        CertificateStore(CLIENT_TITLE, security_suite(1)),
    ):
        with pytest.raises(ConfigurationError, match="another security suite"):
            device_of(server_settings(1, 1), certificates=store)


# ---- over TCP, with a keeper ----------------------------------------------------------------------------------------


def test_a_meter_is_connected_with_its_keeper_and_recovered() -> None:
    device, keeper = meter(), keeper_of()
    security = SecuritySettings(client_settings(), client_sap=MANAGER, server_sap=1)
    with serve_in_thread(device) as server:
        url = server.url(MANAGER)
        with BlockingMeter.connect(url, security, keeper=keeper) as connected:
            assert connected.security.change_keys(keeper).made
            assert connected.security.state().policy.value == 0
        with BlockingMeter.connect(url, security, keeper=keeper) as connected:  # not with the keys of the settings
            assert connected.security.state().suite.id == 0
        keeper.propose({GUEK: octets(0x77)})  # a change that was interrupted before anything was sent
        with BlockingMeter.connect(url, security, keeper=keeper) as connected:
            assert not keeper.keys(KeyState.PENDING)
        with pytest.raises(AssociationRejected, match="decipher"), BlockingMeter.connect(url, security):
            pass


def test_short_names_change_keys_as_well() -> None:
    names = frozenset((ApplicationContext.SN_CIPHERED,))
    device, keeper = meter(context_names=names), keeper_of()
    bench = KeyBench(device, short_names=True)
    assert bench.run(bench.security.change_keys(keeper)).made
    assert keeper.keys(KeyState.CURRENT)[GUEK].reveal() == keys_of(device)[GUEK]
    assert bench.run(bench.security.state()).suite.id == 0


def test_without_high_level_security_keys_are_proved_too() -> None:
    lowest = AuthenticationMechanism.LOWEST
    device, keeper = meter(mechanism=lowest), keeper_of()
    bench = KeyBench(device, mechanism=lowest)
    assert bench.run(bench.security.change_keys(keeper)).made
    assert keeper.keys(KeyState.CURRENT)[GUEK].reveal() == keys_of(device)[GUEK]


def test_a_meter_is_recovered_with_a_dedicated_key_too() -> None:
    device, keeper = meter(), keeper_of()
    keeper.propose({GUEK: octets(0x61)})
    bench = KeyBench(device, dedicated_key=True)
    bench.run(bench.security.open_with(keeper))
    assert not keeper.keys(KeyState.PENDING)
    assert bench.run(bench.security.state()).suite.id == 0


@pytest.mark.parametrize(("kind", "entity"), [(0, False), (1, True), (2, True)])
def test_a_certificate_that_is_named_in_another_way_than_said_is_refused(kind: int, entity: bool) -> None:
    works = Works(1)
    bench = KeyBench(works.device, 1)
    made = works.certify(bench)
    text, number = DataType.OCTET_STRING, DataType.ENUM
    by_entity = [(number, 0), (number, 0), (text, SERVER_TITLE)]
    by_number = [(text, made.serial_octets), (text, made.issuer)]
    options = (DataType.STRUCTURE, by_entity if entity else by_number)
    named = EncodedData.of(DataType.STRUCTURE, [(number, kind), options])
    for method in (SecuritySetup(SETUP).export_certificate, SecuritySetup(SETUP).remove_certificate):
        with pytest.raises(ActionFailed):
            bench.run(bench.session.call(method, named))
    assert made in works.store.certificates


def test_keys_are_changed_over_hdlc_on_asyncio() -> None:
    device, keeper = meter(), keeper_of()
    physical = PhysicalDevice(device)
    security = SecuritySettings(client_settings(), client_sap=MANAGER, server_sap=1)

    async def body() -> None:
        def answering(connection: TcpConnection) -> MeterConnection:
            return MeterConnection(physical, connection, link=HdlcSecondaryLink(17))

        async with TcpServer(answering, "127.0.0.1", 0) as listening:
            url = f"hdlc+tcp://127.0.0.1:{listening.port}?client=1&station=17"
            async with Meter.connect(url, security, keeper=keeper) as connected:
                assert (await connected.security.change_keys(keeper)).made
                assert (await connected.security.state()).policy.value == 0

    asyncio.run(body())
    assert keeper.keys(KeyState.CURRENT)[GUEK].reveal() == keys_of(device)[GUEK]


@pytest.mark.parametrize("suite", [0, 1, 2])
def test_the_keys_of_a_simulated_meter_are_changed(suite: int) -> None:
    simulated = HouseholdMeter(1, profile_days=1, security=MeterSecurity.of("hls-gmac", 1, 0, suite))
    security = simulated.security
    assert security.master_key is not None
    keeper = MemoryKeyKeeper({KEK: security.master_key})
    with serve_in_thread(simulated) as server:
        url = server.url(security.client_sap)
        settings = {**security.client_settings(), "counters": MemoryCounterStore()}
        with BlockingMeter.connect(url, settings, keeper=keeper) as connected:
            assert connected.security.change_keys(keeper, (GUEK, GAK, KEK)).made
            assert connected.security.state().policy == SecurityPolicy(int(suite > 0), 0x6C if suite else 3)
        with BlockingMeter.connect(url, settings, keeper=keeper) as connected:
            assert connected.read("1-0:1.8.0")
