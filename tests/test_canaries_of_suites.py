"""No secret of suites 1 and 2 slips out: every key of a full run, given, drawn, derived, wrapped or agreed on."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
import secrets
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cosemic.cli import main
from cosemic.client import BlockingMeter
from cosemic.client.recovery import NONE
from cosemic.client.trace import PcapTrace, TextTrace
from cosemic.errors import CosemicError
from cosemic.head_end import Collector, MeterPoint
from cosemic.head_end import Store as ReadingStore
from cosemic.model.security_setup import KeyPair
from cosemic.security import SecurityMaterial, SoftwareAgreementKey, SoftwareSigningKey, security_suite
from cosemic.security.certificates import pkcs8 as pkcs8_module
from cosemic.security.general import KeyEstablishment
from cosemic.security.key_keeper import KeyState
from cosemic.simulator import Fleet, MeterPlan
from cosemic.simulator.security import MeterSecurity
from cosemic.simulator.settings_file import write_settings
from cosemic.store.kept_keys import StoredKeys
from cosemic.store.key_files import read_key_file
from cosemic.store.key_store import KeyFile, KeyStore, NewRecord, Passphrase, RecordKind
from cosemic.values import Secret
from tests.canaries import note_all_keys
from tests.client.procedures.key_bench import KeyBench
from tests.client.procedures.test_security import Works
from tests.security.test_data_protection import DATA, client, server, to_server
from tests.server.security_support import GAK, GUEK, KEK, NAME, device_of, server_settings
from tests.simulator.clients import beside
from tests.simulator.support import NOW
from tests.store.kept_keys import CHEAP
from tests.test_canaries import Run, everything_logged

SERIAL, ENERGY = 7, "1-0:1.8.0"
LAYERS = ("cipher", "cipher:one-pass", "cipher:static", "sign+cipher:one-pass", "cipher:static+sign")
K = KeyEstablishment


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("COSEMIC_STATE", str(tmp_path / "counters"))
    monkeypatch.chdir(tmp_path)
    for name, value in (("SCRYPT_N", 2), ("SCRYPT_P", 1)):
        monkeypatch.setattr(pkcs8_module, name, value)
    made = Run(tmp_path)
    note_all_keys(made.canaries, monkeypatch)
    return made


class Meter:
    """A simulated meter whose keys are drawn anew for each run, and the settings files of its clients."""

    def __init__(self, run: Run, suite: int, name: str) -> None:
        self.run = run
        self.suite = suite
        seed = secrets.randbits(64)
        self.security = MeterSecurity.of("hls-ecdsa", SERIAL, seed, suite, third_party=True)
        plan = MeterPlan(serial=SERIAL, security=self.security, profile_days=1)
        self.fleet = Fleet((plan,), now=lambda: NOW, state=run.folder / f"{name}.sqlite")
        self.settings = self.file(f"{name}.toml")
        self.third = run.folder / f"{name}-third.toml"
        write_settings(self.security.third_party_settings(), self.third)
        run.holding.add(self.third)

    def file(self, name: str, **changed: Any) -> str:
        """A settings file in which keys belong."""
        path = self.run.folder / name
        settings = {**self.security.client_settings(), **changed}
        write_settings({name: value for name, value in settings.items() if value is not None}, path)
        self.run.holding.add(path)
        return str(path)

    def wrong_keys(self) -> dict[str, dict[str, Any]]:
        suite = security_suite(self.suite)
        key = lambda: Secret(secrets.token_bytes(suite.key_length))  # noqa: E731
        return {
            "encryption": {"encryption_key": key()},
            "authentication": {"authentication_key": key()},
            "signing": {"signing_key": SoftwareSigningKey.generate(suite).to_secret()},
            "agreement": {"agreement_key": SoftwareAgreementKey.generate(suite).to_secret(), "layers": "cipher:static"},
        }


def read_in_layers(run: Run, meter: Meter, url: str) -> None:
    """By HLS mechanism 7 and in every form of layers, traced with what was inside."""
    with ExitStack() as held:
        text = held.enter_context((run.folder / "trace.txt").open("w"))
        pcap = held.enter_context(PcapTrace(run.folder / "trace.pcap"))
        for number, layers in enumerate(LAYERS):
            shown: Any = TextTrace(text, plaintext=True) if number % 2 else pcap
            with BlockingMeter.connect(url, meter.settings, trace=shown) as opened:
                assert opened.read(ENERGY, layers=layers).unit is not None
                opened.breaker.disconnect()
                if number in (1, 3):
                    run.look_around(f"after {layers}")
                    run.said.append(("settings", f"{opened!r} {opened.session.settings!r}"))


def use_the_command_line(run: Run, meter: Meter, url: str) -> None:
    third, folder = str(meter.third), run.folder
    by = ["--security", meter.settings]
    assert main(["read", url, ENERGY, *by, "--layers", "sign+cipher:static", "--trace", "-", "--trace-plain"]) == 0
    assert (
        main(["read", url, ENERGY, *by, "--third-party", third, "--trace", str(folder / "third.pcap"), "--json"]) == 0
    )
    assert main(["objects", url, *by, "--json", "--trace", "-"]) == 0
    for name in (meter.settings, third):
        assert main(["keys", name, "--json"]) == 0
    for name, changed in meter.wrong_keys().items():
        assert main(["read", url, ENERGY, "--security", meter.file(f"cli-{name}.toml", **changed), "--trace", "-"]) == 1
    assert main(["decode", "dd" + "00" * 20, "--keys", meter.settings]) in (0, 1)


def fail_with_wrong_keys(run: Run, meter: Meter, url: str) -> None:
    def read(file: Any) -> None:
        with BlockingMeter.connect(f"{url}&timeout=0.3", file, recovery=NONE) as opened:
            opened.read(ENERGY)

    for name, changed in meter.wrong_keys().items():
        run.failing(read, meter.file(f"wrong-{name}.toml", **changed))
        run.failing(read, {**meter.security.client_settings(), **changed})
    short = Secret(secrets.token_bytes(31))
    for name in ("signing_key", "agreement_key", "encryption_key"):
        run.failing(read, meter.file("short.toml", **{name: short}))


def agree_and_change_keys(run: Run, meter: Meter, url: str) -> None:
    """Keys of a key store that a passphrase opens are agreed on, changed, and recovered from a change in doubt."""
    passphrase, path = run.canaries.text("passphrase of the key store", 24), run.folder / "meters.keys"
    known, unlock = meter.security, KeyFile.make(run.folder / "unlock.key")
    run.holding.add(unlock.path)
    kinds = (RecordKind.ENCRYPTION_KEY, RecordKind.AUTHENTICATION_KEY, RecordKind.KEK)
    secrets_of = (known.encryption_key, known.authentication_key, known.master_key)
    records = [NewRecord(kind, secret) for kind, secret in zip(kinds, secrets_of, strict=True) if secret is not None]
    typed = Passphrase(passphrase, derivation=CHEAP)
    with KeyStore.create(path, typed, unlock) as store:
        with store.change("test") as change:
            change.add_meter("m1", suite=meter.suite, system_title=known.system_title, records=records)
        keeper = StoredKeys(store, "m1")
        with BlockingMeter.connect(url, meter.settings, keeper=keeper) as opened:
            assert KEK in opened.security.agree_keys((KEK,), keeper=keeper)
            assert opened.security.change_keys(keeper, (GUEK, GAK)).made
            keeper.propose({GUEK: Secret(secrets.token_bytes(security_suite(meter.suite).key_length))})
            assert not opened.security.recover_keys(keeper).made
            run.look_around("after keys were agreed on")
        assert not keeper.keys(KeyState.PENDING)
        store.rotate(typed, unlock, purpose="test", data_keys=True)
        run.said.append(("key store", f"{store!r} {keeper!r} {store.meters()!r} {list(store.meters())!r}"))
    run.failing(KeyStore, path, Passphrase(run.canaries.text("wrong passphrase", 20)))
    with KeyStore(path, unlock) as store:
        run.failing(store.material, "m2", purpose="test")
        run.look_around("with a key store")
    in_store = {"key_store": path.name, "meter": "m1", "key_store_key_file": unlock.path.name}
    named = meter.file("in-store.toml", encryption_key=None, authentication_key=None, suite=None, **in_store)
    assert main(["keys", "change", url, "--security", named]) == 0
    unlock.path.chmod(0o644)
    run.failing(KeyStore, path, unlock)
    unlock.path.chmod(0o600)
    run.failing(KeyFile.make, unlock.path)
    assert main(["keys", "store", "show", str(path), "m1", "--key-file", str(unlock.path), "--json"]) == 0
    assert main(["keys", "store", "audit", str(path), "--key-file", str(unlock.path)]) == 0


def make_certificates(run: Run, suite: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """An authority, key files and requests by commands; key pairs and certificates in a meter with a state file."""
    passphrase = run.canaries.text("passphrase of private keys", 20)
    monkeypatch.setenv("COSEMIC_PASSPHRASE", passphrase)
    title = "4D4D4D0000BC614E"
    assert main(["keys", "ca", "create", "lab", "--name", "Lab", "--suite", str(suite)]) == 0
    for use in ("signature", "key-agreement"):
        key = [
            "keys",
            "csr",
            f"{use}.key",
            "--suite",
            str(suite),
            "--title",
            title,
            "--for",
            use,
            "--out",
            f"{use}.csr",
        ]
        assert main(key) == 0
        assert main(["keys", "issue", "lab", f"{use}.csr", "--out", f"{use}.pem"]) == 0
        assert main(["keys", "show", f"{use}.pem", f"{use}.csr", f"{use}.key", "lab", "--json"]) in (0, 1, 2)
    read_key_file(Path("signature.key"), Secret.password(passphrase))
    run.failing(read_key_file, Path("signature.key"), Secret.password(run.canaries.text("wrong passphrase of a key")))
    monkeypatch.setenv("COSEMIC_PASSPHRASE", run.canaries.text("another wrong passphrase"))
    assert main(["keys", "issue", "lab", "signature.csr"]) == 2
    drawn = [Secret(secrets.token_bytes(security_suite(suite).key_length)) for _ in range(4)]
    material = SecurityMaterial.of(*drawn[:2], suite=suite, broadcast_key=drawn[2], kek=drawn[3])
    works = Works(suite, run.folder, material=material)
    bench = KeyBench(works.device, suite, material=material)
    for use in (KeyPair.DIGITAL_SIGNATURE, KeyPair.KEY_AGREEMENT):
        works.certify(bench, use)
    run.said.append(("certificates", f"{works.store!r} {works.device!r} {works.root!r} {material!r}"))
    run.look_around("with key pairs in a meter")
    assert works.file is not None
    works.file.commit()
    with_another = server_settings(1, suite, material=replace(material, kek=material.encryption_key))
    run.failing(device_of, with_another, state=works.file.of(NAME), certificates=works.store)


def protect_data(run: Run, suite: int) -> None:
    """Class 30: data in every form, and what cannot be opened."""
    kinds = (K.GLOBAL_UNICAST, K.GLOBAL_BROADCAST, K.WRAPPED, K.ONE_PASS, K.STATIC)
    ours, theirs, deaf = client(suite), server(suite), client(suite)
    for kind in kinds:
        sealed = ours.protector.protect(DATA, (to_server(kind=kind),))
        assert theirs.protector.unprotect(sealed).data == DATA
        run.said.append(("protected data", f"{sealed!r} {sealed.parameters!r}"))
        run.failing(theirs.protector.unprotect, sealed)
        run.failing(deaf.protector.unprotect, replace(sealed, octets=sealed.octets[:-1]))
    run.look_around("after data were protected")


def look_into(run: Run) -> None:
    """What vars, pickle and copy make of an object of every kind of ours that is alive."""
    kinds: dict[type, Any] = {}
    for each in gc.get_objects():
        module = type(each).__module__
        if isinstance(module, str) and module.startswith(("cosemic.security", "cosemic.store", "cosemic.values")):
            kinds.setdefault(type(each), each)
    assert {SecurityMaterial, SoftwareSigningKey} <= kinds.keys()
    for kind, each in kinds.items():
        shown = []
        for what in (vars, pickle.dumps, copy.copy, copy.deepcopy):
            try:
                shown.append(what(each))  # type: ignore[operator]
            except Exception as error:  # most cannot be pickled, and say so
                shown.append(f"{error!r} {error.__dict__!r}")
        run.said.append((f"inside of {kind.__name__}", f"{shown!r} {shown!s}"))


async def collect(run: Run, meter: Meter) -> None:
    """The collector of the head-end, in suites 1 and 2, and with a wrong private key."""
    async with meter.fleet:
        (endpoint,) = meter.fleet.endpoints
        settings = dict(endpoint.security) | {"counters": str(run.folder / "head-end.counters")}
        points = [MeterPoint(name="right", url=endpoint.url, security=settings)]
        points.append(replace(points[0], name="wrong", security={**settings, **meter.wrong_keys()["signing"]}))
        with ReadingStore(run.folder / "head-end.sqlite") as store:
            collector = Collector(store, report=lambda progress: run.said.append(("progress", repr(progress))))
            outcomes = await collector.collect(points, NOW.replace(hour=0), NOW)
            run.said.append(("collector", f"{collector!r} {points!r} {outcomes!r}"))
        assert [outcome.done for outcome in outcomes] == [True, False]
        assert isinstance(outcomes[1].error, CosemicError)
        run.failing(_raise, outcomes[1].error)


def _raise(error: CosemicError) -> None:
    raise error


@pytest.mark.slow
@pytest.mark.parametrize("suite", [1, 2])
def test_no_key_of_a_full_run_is_found_where_it_does_not_belong(
    run: Run,
    suite: int,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with everything_logged(run, caplog, capfd, told=ENERGY):
        meter = Meter(run, suite, "meter")

        def work() -> None:
            url = meter.fleet.endpoints[0].url
            read_in_layers(run, meter, url)
            use_the_command_line(run, meter, url)
            fail_with_wrong_keys(run, meter, url)
            agree_and_change_keys(run, meter, url)

        beside(meter.fleet, work)
        make_certificates(run, suite, monkeypatch)
        protect_data(run, suite)
        asyncio.run(collect(run, Meter(run, suite, "collected")), debug=True)
        look_into(run)
        run.look_around("in the end")
    kinds = {name.rpartition(" ")[0] for name in run.canaries.known}
    assert {"Z", "key of a cipher", "private key", "agreed key"} <= kinds
    assert len(run.canaries.known) > 60
    assert len(run.failures) > 20
    assert {"AssociationRejected", "AuthenticationFailed", "DecipheringError", "ConfigurationError"} <= set(
        run.failures
    )
    assert not run.leaks()
