"""The methods of Security setup with pydlms-client: its client asks our meter, and ours its functions.

Its simulator has no Security setup: behind the methods of one stand here the functions that its library has for them,
as a meter would call them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding
from pydlms import DlmsData, ObisCode
from pydlms.security import ec, keyagreement
from pydlms.security.certificates import CertificateSelector
from pydlms.security.keywrap import unwrap_key
from pydlms.simulator import MeterSimulator

from cosemic.dialect import STANDARD
from cosemic.model.security_setup import CertificateByEntity, CertificateEntity, CertificateType, SetupKeyId
from cosemic.security import SecurityPolicy
from cosemic.values import Secret
from interop.secure import facts, ours, pydlms_peer
from interop.secure.authority import Authority
from interop.secure.cases import GMAC, Case
from interop.secure.ours import expect
from interop.secure.outcomes import Outcome, tried

_SETUP: Final = ObisCode.from_bytes(facts.SETUP)
_FIELDS: Final = {0: "encryption_key", 1: "broadcast_key", 2: "authentication_key", 3: "master_key"}
_NO_MASTER: Final = "it derives no master key: it has no AlgorithmID for one, and refuses key_id 3"
_NO_REQUEST: Final = "it makes no certificate requests: that is for meters, and its meter has no Security setup"
_KINDS: Final = {"signature": CertificateType.DIGITAL_SIGNATURE, "key-agreement": CertificateType.KEY_AGREEMENT}


def _case(suite: int) -> Case:
    return Case(suite, GMAC, "glo", "ae", policy="ae")


def _opened(case: Case, port: int, **changed: Any) -> Any:
    reading = pydlms_peer.client(case, port, **changed)
    reading.connect()
    return reading


def _read_under(case: Case, port: int, keys: Mapping[int, bytes]) -> None:
    """Open an association of its client with new keys, and use it."""
    pydlms_peer.run(case, port, **{_FIELDS[key_id]: key for key_id, key in keys.items()})


# ---- its client, our meter ------------------------------------------------------------------------------------------


def _transferred(suite: int) -> None:
    case, fresh = _case(suite), {key_id: facts.fresh(suite, key_id) for key_id in range(4)}
    with ours.serve(case) as (port, device):
        reading = _opened(case, port)
        reading.transfer_keys(fresh)
        reading.close()
        expect("keys", ours.keys_of(device), fresh)
        _read_under(case, port, fresh)


def _agreed(suite: int) -> None:
    case = _case(suite)
    with ours.serve(case) as (port, device):
        reading = _opened(case, port, server_system_title=facts.METER_TITLE)
        keys = {int(key_id): key for key_id, key in reading.agree_keys((0, 1, 2)).items()}
        reading.close()
        expect("keys", ours.keys_of(device), keys | {3: facts.master(suite)})
        _read_under(case, port, keys)


def _activated(suite: int) -> None:
    case = Case(suite, GMAC, "glo", "ae")
    policy = 0x6C if suite else 3
    with ours.serve(case) as (port, device):
        reading = _opened(case, port)
        reading.security_activate(policy)
        pydlms_peer.use(reading)
        reading.close()
        expect("policy", ours.policy_in_force(device), policy)


def _certified(suite: int, kind: str) -> None:
    case, authority, use = _case(suite), Authority(suite), int(_KINDS[kind])
    with ours.serve(case, certificates=authority.store()) as (port, _):
        reading = _opened(case, port)
        reading.generate_key_pair(use)
        request = reading.certificate_request(use)
        certificate = authority.certified(request.public_bytes(Encoding.DER))
        reading.import_certificate(certificate.octets)
        named = CertificateSelector.by_entity_type(int(CertificateEntity.SERVER), use, facts.METER_TITLE)
        exported = reading.export_certificate(named)
        expect("by entity", exported.certificate.public_bytes(Encoding.DER), certificate.octets)
        rows = [[one.value for one in row.value] for row in reading.get(_SETUP, 64, 6).value]
        serial = next(row for row in rows if bytes(row[4]) == certificate.subject)
        named = CertificateSelector.by_serial_issuer(bytes(serial[2]), bytes(serial[3]))
        exported = reading.export_certificate(named)
        expect("by serial", exported.certificate.public_bytes(Encoding.DER), certificate.octets)
        reading.remove_certificate(named)
        expect("left", [row for row in reading.get(_SETUP, 64, 6).value if row.value[4] == serial[4]], [])
        reading.close()


# ---- our client, its functions --------------------------------------------------------------------------------------


class _Setup:
    """A Security setup of its meter; new keys hold from the next association on."""

    def __init__(self, sim: MeterSimulator, case: Case, certificate: bytes = b"") -> None:
        self._sim, self._case, self._certificate = sim, case, certificate
        self.keys: dict[int, bytes] = {}
        version = 1 if case.suite else 0
        policy = DlmsData.enum(0x6C if version else 3)
        titles = {4: DlmsData.octet_string(facts.CLIENT_TITLE), 5: DlmsData.octet_string(facts.METER_TITLE)}
        attributes = {2: policy, 3: DlmsData.enum(case.suite), **titles, 6: DlmsData.array([])}
        sim.add_object(64, _SETUP, attributes, version=version)
        for method, act in ((1, self._activate), (2, self._transfer), (3, self._agree), (7, self._export)):
            sim.add_method(64, _SETUP, method, act)
        opening: Any = sim._aarq

        def opened(*arguments: Any) -> Any:
            if self.keys:
                changed = {_FIELDS[key_id]: key for key_id, key in self.keys.items()}
                sim.security = pydlms_peer.context(case, facts.METER_TITLE, facts.CLIENT_TITLE, **changed)
                sim.encryption_key = sim.security.encryption_key
                sim.authentication_key = sim.security.authentication_key
            return opening(*arguments)

        vars(sim)["_aarq"] = opened

    def _activate(self, sim: MeterSimulator, parameters: Any) -> None:
        sim.objects[64, _SETUP][2] = parameters

    def _transfer(self, _: MeterSimulator, parameters: Any) -> None:
        for entry in parameters.value:
            key_id, wrapped = entry.value
            self.keys[key_id.value] = unwrap_key(facts.master(self._case.suite), bytes(wrapped.value))

    def _agree(self, _: MeterSimulator, parameters: Any) -> Any:
        suite = self._case.suite
        offers: dict[int, bytes] = {}
        signer = facts.public(facts.CLIENT_TITLE, facts.SIGNATURE, suite)
        own = facts.private(facts.METER_TITLE, facts.SIGNATURE, suite)
        for key_id, offered in keyagreement.parse_key_agreement_data(parameters).items():
            peer = keyagreement.open_offer(signer, suite, key_id, offered)
            ephemeral, offers[key_id] = keyagreement.make_offer(own, suite, key_id)
            z = ec.ecdh_shared_secret(ephemeral, peer)
            self.keys[int(key_id)] = keyagreement.derive_key(suite, key_id, z, facts.CLIENT_TITLE, facts.METER_TITLE)
        return keyagreement.key_agreement_data(offers)

    def _export(self, _: MeterSimulator, parameters: Any) -> Any:
        named = CertificateSelector.from_data(parameters)
        expect("asked for", (named.by_serial, named.system_title), (False, facts.METER_TITLE))
        return DlmsData.octet_string(self._certificate)


def _with_setup(suite: int, act: Callable[[Any, _Setup], None], certificate: bytes = b"") -> None:
    case = _case(suite)
    dialect = STANDARD.but(gmac_control_without_suite=bool(suite))
    with pydlms_peer.serve(case) as (port, sim):
        setup = _Setup(sim, case, certificate)
        with ours.connected(case, port, dialect) as opened:
            act(opened, setup)


def _transfer(suite: int) -> None:
    fresh = {key_id: facts.fresh(suite, key_id) for key_id in range(4)}

    def act(opened: Any, setup: _Setup) -> None:
        keys = {SetupKeyId(key_id): Secret(key) for key_id, key in fresh.items()}
        opened.security.transfer_keys(keys, Secret(facts.master(suite)))
        expect("keys", setup.keys, fresh)
        ours.use(opened)

    _with_setup(suite, act)


def _agree(suite: int) -> None:
    def act(opened: Any, setup: _Setup) -> None:
        keys = opened.security.agree_keys([SetupKeyId(key_id) for key_id in range(3)])
        expect("keys", setup.keys, {int(key_id): key.reveal() for key_id, key in keys.items()})
        ours.use(opened)

    _with_setup(suite, act)


def _activate(suite: int) -> None:
    def act(opened: Any, setup: _Setup) -> None:
        policy = SecurityPolicy(1, 0x6C) if suite else SecurityPolicy(0, 3)
        opened.security.activate(policy)
        expect("policy", int(opened.security.state().policy.value), policy.value)

    _with_setup(suite, act)


def _export(suite: int) -> None:
    certificate = Authority(suite).issued(facts.METER_TITLE)

    def act(opened: Any, _: _Setup) -> None:
        named = CertificateByEntity(CertificateEntity.SERVER, CertificateType.DIGITAL_SIGNATURE, facts.METER_TITLE)
        expect("certificate", opened.security.export_certificate(named).octets, certificate.octets)

    _with_setup(suite, act, certificate.octets)


def outcomes() -> Iterator[Outcome]:
    """One after the other."""
    for suite in range(3):
        at = f"suite-{suite}/setup"
        for role, transferred, activated in (("client", _transferred, _activated), ("server", _transfer, _activate)):
            why = "its library's functions" if role == "server" else "the meter has them, and is read under them"
            yield tried(role, f"{at}/key-transfer", partial(transferred, suite), why)
            yield tried(role, f"{at}/security-activate", partial(activated, suite), "in force")
        if not suite:
            continue
        yield tried("client", f"{at}/key-agreement", partial(_agreed, suite), "both have the same keys")
        yield tried("server", f"{at}/key-agreement", partial(_agree, suite), "both have the same keys")
        yield Outcome("client", f"{at}/key-agreement/master-key", None, _NO_MASTER)
        for kind in _KINDS:
            why = "key pair, request, import, export by entity and by serial, removal"
            yield tried("client", f"{at}/certificates/{kind}", partial(_certified, suite, kind), why)
        yield tried("server", f"{at}/export-certificate", partial(_export, suite), "as it was")
        yield Outcome("server", f"{at}/certificate-request", None, _NO_REQUEST)
