"""``cosemic keys change`` against a simulated meter whose keys are in a key store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from cosemic.cli import main
from cosemic.cli._key_change import KEYS
from cosemic.errors import OutcomeUnknown
from cosemic.model.security_setup import SetupKeyId
from cosemic.security.key_keeper import KeyState
from cosemic.server import serve_in_thread
from cosemic.simulator import MeterPlan, SimulatedMeter
from cosemic.simulator.settings_file import write_settings
from cosemic.store.kept_keys import kept_keys
from cosemic.store.key_store import KeyFile, KeyStore, NewRecord, RecordKind
from cosemic.values import Secret
from tests.simulator.support import NOW

BOTH = ("encryption-key", "authentication-key")


@dataclass
class Place:
    """A meter that is served, and what a user has of it."""

    url: str
    meter: SimulatedMeter
    settings: Path
    store: Path
    key_file: KeyFile

    def run(self, *words: str) -> int:
        return main(["keys", "change", self.url, "--security", str(self.settings), *words])

    def current(self) -> dict[SetupKeyId, Secret]:
        with kept_keys(str(self.settings)) as keeper:
            return dict(keeper.keys(KeyState.CURRENT))

    def of_meter(self, client: int = 1) -> bytes:
        (found,) = [one for one in self.meter.clients if one.client_sap == client]
        assert found.settings.material is not None
        return found.settings.material.encryption_key.reveal()


@pytest.fixture(
    params=[pytest.param(0, marks=pytest.mark.slow), 1, pytest.param(2, marks=pytest.mark.slow)],
    ids=["suite 0", "suite 1", "suite 2"],
)
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    yield from _place(request.param, tmp_path, monkeypatch)


@pytest.fixture
def in_suite_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    yield from _place(1, tmp_path, monkeypatch)


def _place(suite: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("COSEMIC_STATE", str(folder / "state"))
    meter = SimulatedMeter(MeterPlan(serial=9, security="hls-gmac", suite=suite, profile_days=1), now=lambda: NOW)
    known = meter.security
    key_file = KeyFile.make(folder / "unlock.key")
    records = [
        NewRecord(RecordKind.ENCRYPTION_KEY, known.encryption_key),
        NewRecord(RecordKind.AUTHENTICATION_KEY, known.authentication_key),
        NewRecord(RecordKind.KEK, known.master_key),
    ]
    with KeyStore.create(folder / "meters.keys", key_file) as store, store.change("test") as change:
        change.add_meter("kitchen", suite=suite, system_title=meter.system_title, records=records)
    settings = {
        name: value
        for name, value in known.client_settings().items()
        if name not in ("encryption_key", "authentication_key", "suite")
    }
    settings |= {"key_store": "meters.keys", "meter": "kitchen", "key_store_key_file": "unlock.key"}
    write_settings(settings, folder / "meter.toml")
    with serve_in_thread(meter) as server:
        yield Place(server.url(client_sap=1), meter, folder / "meter.toml", folder / "meters.keys", key_file)


def test_keys_are_changed_proved_and_kept(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    before = place.current()
    assert place.run() == 0
    assert capsys.readouterr().out == "changed, proved and kept: encryption-key, authentication-key\n"
    after = place.current()
    for name in BOTH:
        assert after[KEYS[name]] != before[KEYS[name]]
    assert after[KEYS["kek"]] == before[KEYS["kek"]]
    assert place.of_meter() == after[KEYS["encryption-key"]].reveal()
    assert main(["read", place.url, "1-0:1.8.0", "--security", str(place.settings)]) == 0


def test_each_key_by_its_name_and_json(in_suite_1: Place, capsys: pytest.CaptureFixture[str]) -> None:
    before = in_suite_1.current()
    words = [word for name in ("encryption-key", "broadcast-key", "kek") for word in ("--key", name)]
    assert in_suite_1.run(*words, "--json") == 0
    done = json.loads(capsys.readouterr().out)
    assert done["changed"] == ["encryption-key", "broadcast-key", "kek"]
    assert (done["agreed"], done["recovered"], done["meter"]) == ([], None, in_suite_1.url)
    after = in_suite_1.current()
    assert after[KEYS["kek"]] != before[KEYS["kek"]]
    assert after[KEYS["authentication-key"]] == before[KEYS["authentication-key"]]
    assert KEYS["broadcast-key"] in after
    assert in_suite_1.run() == 0  # under the new master key


def test_a_master_key_is_agreed_on_first(in_suite_1: Place, capsys: pytest.CaptureFixture[str]) -> None:
    before = in_suite_1.current()
    assert in_suite_1.run("--agree") == 0
    shown = capsys.readouterr().out
    assert shown.splitlines() == [
        "agreed on, and kept: kek",
        "changed, proved and kept: encryption-key, authentication-key",
    ]
    after = in_suite_1.current()
    assert all(after[KEYS[name]] != before[KEYS[name]] for name in (*BOTH, "kek"))
    assert not any(secret.reveal().hex() in shown for secret in (*before.values(), *after.values()))


@pytest.mark.parametrize("arrived", [True, False])
def test_a_key_in_doubt_is_recovered(in_suite_1: Place, arrived: bool, capsys: pytest.CaptureFixture[str]) -> None:
    place, fresh = in_suite_1, Secret(bytes(range(16)))
    with kept_keys(str(place.settings)) as keeper:
        keeper.propose({KEYS["encryption-key"]: fresh})
    if arrived:
        (client,) = [one for one in place.meter.clients if one.client_sap == 1]
        from dataclasses import replace

        from cosemic.security import Key

        material = client.settings.material
        assert material is not None
        client.settings = replace(client.settings, material=replace(material, encryption_key=Key(fresh)))
        assert main(["read", place.url, "1-0:1.8.0", "--security", str(place.settings)]) == 1
        says = capsys.readouterr().err
        assert "a change of keys was interrupted, and is not settled yet (encryption-key)" in says
        assert says.endswith(f"cosemic keys change '{place.url}' --recover --security {place.settings}\n")
    assert place.run("--recover") == 0
    which = "new" if arrived else "old"
    assert capsys.readouterr().out == f"was in doubt: encryption-key; the meter has proved that it has the {which}\n"
    assert (place.current()[KEYS["encryption-key"]] == fresh) is arrived
    assert place.run("--recover") == 0
    assert capsys.readouterr().out == "no key was in doubt\n"


def test_refused_keys_are_no_doubt_where_none_are_pending(
    in_suite_1: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    with KeyStore(in_suite_1.store, in_suite_1.key_file) as store, store.change("test") as change:
        change.add("kitchen", [NewRecord(RecordKind.ENCRYPTION_KEY, Secret(bytes(range(16))))])
    assert main(["read", in_suite_1.url, "1-0:1.8.0", "--security", str(in_suite_1.settings)]) == 1
    says = capsys.readouterr().err
    assert "check encryption key" in says
    assert "interrupted" not in says


def test_a_change_whose_outcome_is_unknown_names_the_command_that_settles_it(
    in_suite_1: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @contextmanager
    def lost(arguments: object, keeper: object) -> Iterator[None]:
        raise OutcomeUnknown("which keys the meter has is not known")
        yield

    monkeypatch.setattr("cosemic.cli._key_change.meter_of", lost)
    assert in_suite_1.run() == 3
    again = f"cosemic keys change '{in_suite_1.url}' --recover --security {in_suite_1.settings}\n"
    assert capsys.readouterr().err.endswith(f"to find out which keys the meter has: {again}")


def test_a_meter_that_refuses_keeps_its_keys(in_suite_1: Place, capsys: pytest.CaptureFixture[str]) -> None:
    with KeyStore(in_suite_1.store, in_suite_1.key_file) as store, store.change("test") as change:
        change.add("kitchen", [NewRecord(RecordKind.KEK, Secret(bytes(range(16))))])
    before = in_suite_1.current()
    assert in_suite_1.run() == 1
    assert "other-reason" in capsys.readouterr().err
    assert in_suite_1.current() == before
    assert main(["read", in_suite_1.url, "1-0:1.8.0", "--security", str(in_suite_1.settings)]) == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--recover", "--agree"), "--recover changes no keys"),
        (("--key", "broadcast-key"), "add the unicast encryption key"),
        (("--layers", "sign+cipher:one-pass"), "keys are not changed in layers whose key is that of one message"),
        (("--third-party", "third.toml"), "a third party changes no keys"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_sent(
    in_suite_1: Place, words: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = in_suite_1.current()
    assert in_suite_1.run(*words) == 2
    assert says in capsys.readouterr().err
    assert in_suite_1.current() == before


@pytest.mark.slow
@pytest.mark.parametrize("layers", ["cipher", "sign+cipher:global-unicast", "cipher:static+cipher:global-unicast"])
def test_keys_are_changed_in_layers_under_the_global_key(
    in_suite_1: Place, layers: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert in_suite_1.run("--layers", layers) == 0, capsys.readouterr()
    assert in_suite_1.of_meter() == in_suite_1.current()[KEYS["encryption-key"]].reveal()


def test_settings_without_a_key_store_are_refused(
    in_suite_1: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_settings(in_suite_1.meter.security.client_settings(), tmp_path / "plain.toml")
    assert main(["keys", "change", in_suite_1.url, "--security", str(tmp_path / "plain.toml")]) == 2
    assert "say key_store and meter in the security settings" in capsys.readouterr().err
