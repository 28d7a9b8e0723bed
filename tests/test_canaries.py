"""No secret slips out: random keys and passwords, used in a full run, are nowhere but where keys belong."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import gc
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cosemic.association.service_provider import ServerSettings
from cosemic.cli import main
from cosemic.client import BlockingMeter, Meter
from cosemic.client.recovery import NONE
from cosemic.client.trace import PcapTrace, TextTrace
from cosemic.codec import DataType
from cosemic.errors import CosemicError
from cosemic.head_end import Collector, MeterPoint
from cosemic.head_end import Store as ReadingStore
from cosemic.model.security_setup import SetupKeyId
from cosemic.security import SecurityMaterial, SecurityPolicy, security_suite
from cosemic.security.elliptic import SoftwareSigningKey
from cosemic.security.key_keeper import KeyState
from cosemic.server import Admission, LogicalDevice, MeterServer, data, managing, serve_in_thread
from cosemic.server.state import StateFile
from cosemic.simulator import Fleet, MeterPlan
from cosemic.simulator.security import MeterSecurity
from cosemic.store import FileCounterStore, known_meter
from cosemic.store.kept_keys import StoredKeys
from cosemic.store.key_files import make_key_file, read_key_file
from cosemic.store.key_store import KeyFile, KeyStore, NewRecord, Passphrase, RecordKind
from cosemic.store.meters import ReadableKeys
from cosemic.store.security_settings import SECRETS
from cosemic.values import ApplicationContext, AuthenticationMechanism, Obis, Secret
from tests.canaries import Canaries, reprs_of_live_objects, told_by
from tests.client.meters import CLIENT, World, serving
from tests.store.kept_keys import CHEAP

M = AuthenticationMechanism
MECHANISMS = {2: M.LLS, 3: M.HLS, 4: M.HLS_MD5, 5: M.HLS_SHA1, 1: M.HLS_GMAC, 7: M.HLS_SHA256}
"""By client SAP."""
NAME, SETUP, SERIAL = "TST0000000000001", Obis("0-0:43.0.0"), Obis("0-0:96.1.0")
OWN_TITLE, METER_TITLE = b"TST\0\0\0\0\1", b"TST\0\0\0\0\2"
GUEK, GBEK, GAK, KEK = SetupKeyId
NOW = dt.datetime(2026, 11, 20, 12, 5, tzinfo=dt.UTC)


class Run:
    """What was said, by where, and the files that are ours; ``holding``: those in which keys belong."""

    def __init__(self, folder: Path) -> None:
        self.canaries = Canaries()
        self.folder = folder
        self.said: list[tuple[str, str]] = []
        self.holding: set[Path] = set()
        self.failures: list[str] = []

    def failing(self, do: Callable[..., object], *arguments: Any, **named: Any) -> None:
        """Have something fail, and keep all that the error tells."""
        with pytest.raises(CosemicError) as caught:
            do(*arguments, **named)
        self.failures.append(type(caught.value).__name__)
        number = len(self.failures)
        self.said += [(f"failure {number}, {where}", text) for where, text in told_by(caught.value)]

    def look_around(self, when: str) -> None:
        """Take down what the objects that live at this moment say of themselves."""
        self.said += [(f"{when}: {kind}", text) for kind, text in set(reprs_of_live_objects())]

    def keys_file(self, name: str, **settings: Any) -> Path:
        path = self.folder / name
        if name.endswith(".json"):
            path.write_text(json.dumps(settings))
        else:
            path.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items()))
        path.chmod(0o600)
        self.holding.add(path)
        return path

    def leaks(self) -> list[str]:
        """Where which secrets were found."""
        first: dict[bytes, str] = {}
        for path in sorted(self.folder.rglob("*"), reverse=True):
            if path.is_file() and path not in self.holding:
                first[path.read_bytes()] = f"the file {path.name}"
        first |= {text.encode("utf-8", "surrogateescape"): where for where, text in reversed(self.said)}
        return [
            f"{name} in {first[text]}"
            for text in self.canaries.suspects(first)
            for name in self.canaries.found_in(text)
        ]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


class Parties:
    """Secrets that a server and its clients share."""

    def __init__(self, run: Run) -> None:
        draw = run.canaries
        self.folder = run.folder
        self.keys = {name: draw.key(name) for name in ("GUEK", "GAK", "GBEK", "KEK")}
        self.secrets = {
            sap: draw.text(f"secret of {each.label}") for sap, each in MECHANISMS.items() if each != M.HLS_GMAC
        }

    def material(self, **changed: bytes) -> SecurityMaterial:
        keys = {name: Secret(octets) for name, octets in (self.keys | changed).items()}
        return SecurityMaterial.of(keys["GUEK"], keys["GAK"], broadcast_key=keys["GBEK"], kek=keys["KEK"])

    def device(self) -> LogicalDevice:
        """A meter with a state file, which lets in a client by each mechanism."""
        device = LogicalDevice(NAME, now=lambda: NOW, state=StateFile(self.folder / "device.sqlite").of(NAME))
        device.add(data(SERIAL, DataType.OCTET_STRING, b"serial number"))
        counters = FileCounterStore(self.folder / "device.counters")
        for sap, mechanism in MECHANISMS.items():
            ciphered = mechanism is not M.LLS
            secret = None if mechanism is M.HLS_GMAC else Secret.password(self.secrets[sap])
            settings = ServerSettings(
                context_names=frozenset((ApplicationContext.of(short_names=False, ciphered=ciphered),)),
                mechanism=mechanism,
                secret=secret,
                material=self.material() if ciphered else None,
                counters=counters,
                system_title=METER_TITLE if ciphered else b"",
                policy=SecurityPolicy(1, 0x6C) if ciphered else SecurityPolicy(),
            )
            setup = SETUP if mechanism is M.HLS_GMAC else None
            device.admit(Admission(client_sap=sap, settings=settings, rights=managing(), security_setup=setup))
        return device

    def settings(self, sap: int, **changed: Any) -> dict[str, Any]:
        """Security settings of a client, as a file has them."""
        mechanism = MECHANISMS[sap]
        found: dict[str, Any] = {"mechanism": mechanism.label, "client_sap": sap, "counters": "client.counters"}
        if mechanism is not M.HLS_GMAC:
            found["password" if mechanism is M.LLS else "secret"] = self.secrets[sap]
        if mechanism is not M.LLS:
            found |= {
                "system_title": OWN_TITLE.hex(),
                "encryption_key": self.keys["GUEK"].hex(),
                "authentication_key": self.keys["GAK"].hex(),
                "broadcast_key": self.keys["GBEK"].hex(),
            }
        return found | changed


def read_by_each_mechanism(run: Run, parties: Parties, server: MeterServer) -> None:
    for sap, mechanism in MECHANISMS.items():
        file = run.keys_file(f"client-{sap}.toml", **parties.settings(sap, dedicated_key=sap == 3))
        with BlockingMeter.connect(server.url(client_sap=sap), file) as meter:
            assert meter.get(f"1/{SERIAL}:2").value() == b"serial number"
            context = meter.session.settings.context
            run.said.append((mechanism.label, f"{meter!r} {meter.session.settings!r} {context!r}"))
            run.look_around(f"while {mechanism.label} stands")


def collect_dedicated_keys(run: Run) -> None:
    """The dedicated keys that live in this process are secrets, too."""
    for each in gc.get_objects():
        if isinstance(each, SecurityMaterial) and each.dedicated_key is not None:
            run.canaries.add(f"dedicated key {each.dedicated_key.identity.hex()}", each.dedicated_key.reveal())


def dedicated(run: Run, parties: Parties, server: MeterServer) -> None:
    file = run.keys_file("dedicated.json", **parties.settings(1, dedicated_key=True))
    trace = run.folder / "trace.pcap"
    with ExitStack() as held:
        text = held.enter_context((run.folder / "trace.txt").open("w"))
        pcap = held.enter_context(PcapTrace(trace))
        for shown in (pcap, TextTrace(text, plaintext=True)):
            with BlockingMeter.connect(server.url(client_sap=1), file, trace=shown) as meter:
                meter.get(f"1/{SERIAL}:2")
                collect_dedicated_keys(run)
                run.look_around("under a dedicated key")
    assert any("dedicated" in name for name in run.canaries.known)


def change_keys(run: Run, parties: Parties, server: MeterServer) -> None:
    """Keys come from a key store, are changed, and are recovered."""
    passphrase = run.canaries.text("passphrase of the key store", 24)
    unlock, path = KeyFile.make(run.folder / "unlock.key"), run.folder / "meters.keys"
    run.holding.add(unlock.path)
    run.canaries.add("key file", bytes.fromhex(unlock.path.read_text()))
    kinds = (RecordKind.ENCRYPTION_KEY, RecordKind.AUTHENTICATION_KEY, RecordKind.KEK)
    records = [
        NewRecord(kind, Secret(parties.keys[name])) for kind, name in zip(kinds, ("GUEK", "GAK", "KEK"), strict=True)
    ]
    with KeyStore.create(path, Passphrase(passphrase, derivation=CHEAP), unlock) as store:
        with store.change("test") as change:
            change.add_meter("m1", system_title=METER_TITLE, records=records)
        keeper = StoredKeys(store, "m1")
        file = run.keys_file("gmac.toml", **parties.settings(1))
        with BlockingMeter.connect(server.url(client_sap=1), file, keeper=keeper) as meter:
            assert meter.security.change_keys(keeper).made
            for key_id, secret in keeper.keys(KeyState.CURRENT).items():
                if key_id is not KEK:
                    run.canaries.add(f"new {key_id.name}", secret.reveal())
            meter.get(f"1/{SERIAL}:2")
            run.look_around("after a key change")
        run.said.append(("key store", f"{store!r} {keeper!r} {store.meters()!r}"))
        for name, key_id in (("GUEK", GUEK), ("GAK", GAK)):
            parties.keys[name] = keeper.keys(KeyState.CURRENT)[key_id].reveal()
    run.failing(KeyStore, path, Passphrase(run.canaries.text("wrong passphrase", 20)))


def fail_in_every_way(run: Run, parties: Parties, server: MeterServer) -> None:
    def open_with(sap: int, **changed: Any) -> None:
        file = run.keys_file("wrong.toml", **parties.settings(sap, **changed))
        with BlockingMeter.connect(f"{server.url(client_sap=sap)}&timeout=0.3", file, recovery=NONE) as meter:
            meter.get(f"1/{SERIAL}:2")

    draw = run.canaries
    for sap in (2, 3, 4, 5, 7):
        name = "password" if sap == 2 else "secret"
        run.failing(open_with, sap, **{name: draw.text(f"wrong secret of {sap}")})
    for sap in (1, 7):
        run.failing(open_with, sap, authentication_key=draw.key(f"wrong GAK of {sap}").hex())
        run.failing(open_with, sap, encryption_key=draw.key(f"wrong GUEK of {sap}").hex())


def meet_a_wrong_tag(run: Run, parties: Parties) -> None:
    """A meter whose answers are altered on their way."""
    device = parties.device()
    admitted = device.client(1)
    assert admitted is not None
    counters = FileCounterStore(run.folder / "altered.counters")
    world = World({CLIENT: replace(admitted.settings, counters=counters, system_title=b"TST\0\0\0\0\3")})
    file = run.keys_file("altered.toml", **parties.settings(1, counters="altering.counters"))

    def altered(end: Any, answer: bytes, number: int) -> bytes | None:
        if number < 3:
            return None
        end.link.send(answer[:-1] + bytes((answer[-1] ^ 1,)), source=1, destination=CLIENT)
        return bytes(end.link.octets_to_send())

    world.fault = altered

    def read(port: int) -> None:
        with BlockingMeter.connect(f"tcp://127.0.0.1:{port}?client=1&timeout=0.5", file, recovery=NONE) as meter:
            meter.get("3/1-0:1.8.0:2")

    with serving(world) as port:
        run.failing(read, port)


def held_as_secrets(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings as a program holds them that cares: what it passes as text stands in its own variables, too."""
    keys = {
        name: Secret.from_hex(value) for name, value in settings.items() if name.endswith("_key") and name in SECRETS
    }
    return {**settings, **keys, "secret": Secret.password(settings["secret"])}


def read_wrong_files(run: Run, parties: Parties) -> None:
    right = parties.settings(7)

    def connect(path: object) -> None:
        with BlockingMeter.connect("tcp://127.0.0.1:1?client=1", path, recovery=NONE):
            pass

    wrong = {
        "encryption_key": [right["encryption_key"][:-2], right["encryption_key"] + "zz", 7],
        "authentication_key": [right["authentication_key"] + "00"],
        "mechanism": [right["secret"]],
        "protection": ["nothing"],
        "client_sap": ["many"],
        "dedicated_key": [right["secret"]],
        "suite": [1.5],
        "system_title": ["no title"],
    }
    number = 0
    for name, values in wrong.items():
        for value in values:
            for suffix in ("toml", "json"):
                number += 1
                file = run.keys_file(f"wrong-{number}.{suffix}", **(right | {name: value}))
                run.failing(connect, file)
    held = held_as_secrets(right)
    run.failing(connect, held | {"protection": "nothing"})
    run.failing(connect, held | {"password": held["secret"]})
    scalar = run.canaries.key("private key that is too short", 31).hex()
    run.failing(connect, run.keys_file("scalar.toml", **right, suite=1, signing_key=scalar))
    for name in ("broken.toml", "broken.json"):
        file = run.keys_file(name, **right)
        file.write_text(file.read_text()[:-3] + "= [")
        run.failing(connect, file)
        assert main(["keys", str(file)]) == 2
        assert main(["read", "tcp://127.0.0.1:1", "1-0:1.8.0", "--security", str(file)]) == 2
        assert main(["decode", "c401", "--keys", str(file)]) == 2


def sign_with_key_files(run: Run) -> None:
    passphrase = run.canaries.text("passphrase of a private key")
    path = run.folder / "client.key"
    key = make_key_file(path, security_suite(1), Secret.password(passphrase))
    run.canaries.add("private key", key.to_secret().reveal())
    assert isinstance(read_key_file(path, Secret.password(passphrase)), SoftwareSigningKey)
    run.said.append(("private key", repr(key)))
    run.failing(read_key_file, path, Secret.password(run.canaries.text("wrong passphrase of a private key")))


def know_meters(run: Run, parties: Parties, server: MeterServer) -> Path:
    path = run.folder / "meters.toml"
    settings = "".join(f"{name} = {json.dumps(value)}\n" for name, value in parties.settings(7).items())
    url = server.url(client_sap=7)
    path.write_text(f'[meters.kitchen]\nurl = "{url}"\n[meters.kitchen.security]\n{settings}')
    path.chmod(0o644)
    run.holding.add(path)
    with pytest.warns(ReadableKeys) as warned:
        run.said.append(("known meter", repr(known_meter("kitchen", path))))
    run.said += [("warning", str(each.message)) for each in warned]
    path.chmod(0o600)
    with BlockingMeter.connect("kitchen", meters=path) as meter:
        meter.get(f"1/{SERIAL}:2")
    broken = run.folder / "broken-meters.toml"
    broken.write_text(path.read_text() + "encryption = 7\n")
    run.holding.add(broken)
    run.failing(BlockingMeter.connect, "kitchen", meters=broken)
    run.failing(BlockingMeter.connect, "attic", meters=path)
    return path


def use_the_command_line(run: Run, parties: Parties, server: MeterServer, meters: Path) -> None:
    url, file = server.url(client_sap=7), str(run.keys_file("cli.toml", **parties.settings(7)))
    low, low_url = str(run.keys_file("lls.toml", **parties.settings(2))), server.url(client_sap=2)
    wrong = str(run.keys_file("cli-wrong.toml", **parties.settings(7, secret=run.canaries.text("wrong secret, CLI"))))
    target, folder = f"1/{SERIAL}", run.folder
    assert main(["read", url, target, "--security", file, "--json", "--trace", "-", "--trace-plain"]) == 0
    assert main(["read", url, target, "--security", file, "--trace", str(folder / "cli.pcap")]) == 0
    assert main(["read", low_url, target, "--security", low, "--trace", "-", "--json"]) == 0
    assert main(["read", low_url, target, "--security", low, "--trace", str(folder / "lls.pcap")]) == 0
    assert main(["read", "kitchen", target, "--meters", str(meters), "--trace", "-"]) == 0
    assert main(["objects", url, "--security", file, "--json", "--trace", "-"]) == 0
    assert main(["read", url, target, "--security", wrong, "--trace", "-", "--trace-plain"]) == 1
    for name in ("cli.toml", "lls.toml", "cli-wrong.toml"):
        assert main(["keys", str(folder / name)]) == 0
        assert main(["keys", str(folder / name), "--json"]) == 0
    assert main(["decode", "cb123000000001" + "00" * 20, "--keys", file]) in (0, 1)
    assert main(["decode", parties.keys["GUEK"].hex()[:2] * 3, "--keys", file, "--json"]) in (0, 1)


async def collect(run: Run) -> None:
    """The collector of the head-end, from simulated meters with keys that are not those of the simulator."""
    draw = run.canaries

    def security(kind: str, number: int) -> MeterSecurity:
        password = Secret.password(draw.text(f"password of simulated meter {number}"))
        keys = [Secret(draw.key(f"{name} of simulated meter {number}")) for name in ("GUEK", "GAK")]
        return MeterSecurity(kind, password, *keys)

    plans = [MeterPlan(serial=7 + n, security=security(kind, n)) for n, kind in enumerate(("lls", "hls-gmac"))]
    fleet = Fleet(plans, now=lambda: NOW, state=run.folder / "fleet.sqlite")
    async with fleet:
        run.said.append(("fleet", f"{fleet.endpoints!r} {plans!r} {[point.security for point in fleet.endpoints]!r}"))
        points = []
        for one in fleet.endpoints:
            settings = {
                name: value.reveal().decode() if name == "password" else value.reveal().hex()
                for name, value in one.security.items()
                if isinstance(value, Secret)
            }
            everything = {**one.security, **settings, "counters": str(run.folder / "head-end.counters")}
            points.append(MeterPoint(name=str(one.serial), url=one.url, security=everything))
        wrong = {**points[1].security, "authentication_key": draw.key("wrong GAK, head-end").hex()}  # type: ignore[dict-item]
        points.append(MeterPoint(name="wrong", url=points[1].url, security=wrong))
        with ReadingStore(run.folder / "head-end.sqlite") as store:
            collector = Collector(store, report=lambda progress: run.said.append(("progress", repr(progress))))
            outcomes = await collector.collect(points, NOW - dt.timedelta(hours=3), NOW)
            run.said.append(("collector", f"{collector!r} {points!r} {outcomes!r}"))
            run.look_around("while a head-end collects")
        assert [outcome.done for outcome in outcomes] == [True, True, False]
        assert outcomes[2].error is not None
        run.said += [(f"head-end, {where}", text) for where, text in told_by(outcomes[2].error)]
        async with Meter.connect(points[1].url, points[1].security) as meter:
            run.said.append(("meter", repr(meter)))
            run.look_around("with an asynchronous client")


@contextmanager
def everything_logged(
    run: Run, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], told: str = "serial number"
) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        yield
    run.said += [("warning", str(each.message)) for each in warned]
    for record in caplog.records:
        run.said.append((f"log of {record.name}", f"{record.getMessage()} {record.args!r}"))
        if record.exc_info and record.exc_info[1] is not None:
            run.said += [(f"log of {record.name}, {where}", text) for where, text in told_by(record.exc_info[1])]
    run.said.append(("logs as formatted", caplog.text))
    out, err = capfd.readouterr()
    assert told in out
    run.said += [("standard output", out), ("standard error", err)]


@pytest.mark.slow
def test_no_secret_of_a_full_run_is_found_where_it_does_not_belong(
    run: Run, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COSEMIC_STATE", str(run.folder / "state"))
    monkeypatch.chdir(run.folder)
    parties = Parties(run)
    with everything_logged(run, caplog, capfd):
        with serve_in_thread(parties.device()) as server:
            read_by_each_mechanism(run, parties, server)
            dedicated(run, parties, server)
            use_the_command_line(run, parties, server, know_meters(run, parties, server))
            fail_in_every_way(run, parties, server)
            change_keys(run, parties, server)
            run.look_around("while a meter is served")
        meet_a_wrong_tag(run, parties)
        read_wrong_files(run, parties)
        sign_with_key_files(run)
        asyncio.run(collect(run), debug=True)
        run.look_around("in the end")
    assert len(run.canaries.known) > 30
    assert len(run.failures) > 30
    print(run.failures)
    assert {"AssociationRejected", "AuthenticationFailed", "DecipheringError", "ConfigurationError"} <= set(
        run.failures
    )
    assert not run.leaks()


# That a leak is seen

KEY = "0011deadbeef5566778899aabbccddee"


class Leaking:
    """An object that belongs to cosemic for the test's sake."""

    __module__ = "cosemic.leaking"

    def __repr__(self) -> str:
        return f"Leaking({bytes.fromhex(KEY)!r})"


SHAPES: dict[str, Callable[[bytes], bytes | str]] = {
    "raw": lambda key: b"before" + key + b"after",
    "hexadecimal": lambda key: key.hex(),
    "capitals": lambda key: key.hex().upper(),
    "separated": lambda key: key.hex(":"),
    "in groups": lambda key: key.hex(" ", 4).upper(),
    "C": lambda key: ", ".join(f"0x{one:02X}" for one in key),
    "escapes": lambda key: "".join(f"\\x{one:02x}" for one in key),
    "numbers": lambda key: str(list(key)),
    "as Python shows it": lambda key: repr({"key": key}),
    "base64": lambda key: base64.b64encode(key),
    "base64 behind one octet": lambda key: base64.b64encode(b"a" + key + b"bc"),
    "base64 behind two": lambda key: base64.b64encode(b"ab" + key + b"c"),
    "base64 for URLs": lambda key: base64.urlsafe_b64encode(b"\xff" + key + b"\xff\xff"),
    "first half": lambda key: key[:8].hex(),
    "last half": lambda key: b"x" + key[8:],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_secret_is_seen_in_every_shape(shape: str) -> None:
    for key in (bytes.fromhex(KEY), *(bytes((seed * 7 + n * 31) % 256 for n in range(16)) for seed in range(60))):
        canaries = Canaries()
        canaries.add("key", key)
        assert canaries.found_in(SHAPES[shape](key)) == ["key"]
        assert not canaries.found_in(SHAPES[shape](key[::-1]))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_text_with_a_secret_in_any_shape_is_suspected(shape: str) -> None:
    canaries = Canaries()
    canaries.add("key", bytes.fromhex(KEY))
    canaries.note("constant", bytes(range(16)))
    said = SHAPES[shape](bytes.fromhex(KEY))
    octets = said.encode("utf-8", "surrogateescape") if isinstance(said, str) else said
    far = bytes(1 << 18) + octets + bytes(9)
    assert canaries.suspects([b"", octets, b"short", far, repr(bytes(range(16))).encode()]) == [octets, far]
    assert list(canaries.known) == ["key"]


def test_a_password_is_seen_as_text_and_as_octets() -> None:
    canaries = Canaries()
    password = canaries.text("password")
    for said in (f"password={password}!", password.encode().hex(), base64.b64encode(f"user:{password}".encode())):
        assert canaries.found_in(said) == ["password"]


def test_a_leak_is_seen_wherever_it_is(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    run.canaries.add("key", bytes.fromhex(KEY))
    leaking = Leaking()
    run.look_around("now")
    assert run.leaks() == ["key in now: cosemic.leaking.Leaking"]
    run.said.clear()
    (run.folder / "state").write_bytes(b"state" + bytes.fromhex(KEY))
    run.keys_file("keys.toml", key=KEY)
    assert run.leaks() == ["key in the file state"]
    (run.folder / "state").unlink()
    caplog.set_level(logging.DEBUG)
    logging.getLogger("cosemic").debug("key %s", KEY)
    run.said.append(("log", caplog.text))
    assert run.leaks() == ["key in log"]
    del leaking


def test_a_local_variable_of_ours_in_a_traceback_is_seen(run: Run) -> None:
    run.canaries.add("key", bytes.fromhex(KEY))
    run.failing(lambda: Secret.password("\xe9"))
    assert run.leaks() == []
    run.failing(lambda: Secret.from_hex(KEY[:-1]))  # what is passed as bare text stands in a variable
    assert run.leaks()
