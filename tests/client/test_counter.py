"""The invocation counter: learnt through the public client, kept only when it was right, never used twice."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import Any

import pytest

from cosemic import apdu as a
from cosemic.association.service_provider import ServerSettings
from cosemic.client import BlockingMeter
from cosemic.client.blocking import BlockingDriver
from cosemic.client.recovery import NONE
from cosemic.client.session import Session
from cosemic.client.timepiece import machine_time
from cosemic.codec import DataType, EncodedData
from cosemic.errors import AssociationRejected, CosemicError
from cosemic.security import MemoryCounterStore, open_envelope
from cosemic.security.counting import FIRST_CONTACT_LIMIT, TransmitCounter
from cosemic.stack import ClientStack
from cosemic.store.counters import FileCounterStore
from cosemic.store.security_settings import SecuritySettings, load_security
from cosemic.transport.memory import BlockingMemoryConnection
from tests.association.samples import AK, CLIENT_TITLE, EK, SERVER_TITLE, M, material, settings
from tests.client.meters import CLIENT, COUNTER, ENERGY, PUBLIC, MeterEnd, World, serving

REGISTER = f"3/{ENERGY}:2"


class Secured:
    """A meter with a public client and one under HLS GMAC, that has seen counters up to ``seen``."""

    def __init__(self, seen: int, shown: int | None, mechanism: M = M.HLS_GMAC, ciphered: bool = True) -> None:
        ours, theirs = settings(mechanism, ciphered=ciphered)
        identity = material().encryption_key.identity
        if seen:
            theirs.counters.accept(identity, CLIENT_TITLE, seen)
        self.client = SecuritySettings(ours, CLIENT)
        self.world = World({PUBLIC: ServerSettings(), CLIENT: theirs})
        if shown is not None:
            self.world.shelf.put(COUNTER, EncodedData.of(DataType.DOUBLE_LONG_UNSIGNED, shown))
        self.counter: TransmitCounter = ours.counters.transmit_counter(identity, CLIENT_TITLE)
        self.session: Session | None = None

    def open(self) -> BlockingDriver:
        """A fresh connection and the association on it."""
        session = self.session = Session(self.client, lambda: ClientStack(self.client.client, CLIENT, 1), dt.UTC, NONE)
        driver = BlockingDriver(session, lambda: BlockingMemoryConnection(self.world.receiver), machine_time)
        try:
            driver.run(session.open())
        except CosemicError:
            driver.close()
            raise
        return driver

    @property
    def public_aarqs(self) -> int:
        return sum(end.associations.get((PUBLIC, 1)) is not None for end in self.world.ends)


@pytest.mark.parametrize(("seen", "shown"), [(0, 0), (7000, 7000), (7000, 7001), (7000, 9000)])
@pytest.mark.parametrize("ciphered", [True, False], ids=["ciphered", "plain"])
def test_an_unknown_counter_is_read_through_the_public_client_once(seen: int, shown: int, ciphered: bool) -> None:
    meter = Secured(seen, shown, ciphered=ciphered)
    driver = meter.open()
    assert meter.session is not None
    assert driver.run(meter.session.get(REGISTER)).value() == 12345678
    driver.close()
    assert meter.public_aarqs == 1
    assert meter.counter.known
    assert meter.counter.next() > shown
    for _ in range(3):
        meter.open().close()
    assert meter.public_aarqs == 1


def test_a_wrong_value_is_not_kept_and_does_not_keep_us_from_the_right_one() -> None:
    meter = Secured(7000, 100)
    for _ in range(2):
        with pytest.raises(AssociationRejected):
            meter.open()
        assert not meter.counter.known
    meter.world.shelf.put(COUNTER, EncodedData.of(DataType.DOUBLE_LONG_UNSIGNED, FIRST_CONTACT_LIMIT))
    with pytest.raises(AssociationRejected) as caught:
        meter.open()
    assert any("was not used" in note for note in caught.value.__notes__)
    meter.world.shelf.put(COUNTER, EncodedData.of(DataType.DOUBLE_LONG_UNSIGNED, 9000))
    meter.open().close()
    assert meter.counter.known
    assert meter.counter.next() > 9000


def test_an_operator_sets_a_counter_that_nobody_shows() -> None:
    meter = Secured(7000, None)
    with pytest.raises(AssociationRejected):
        meter.open()
    meter.counter.raise_to(7002)
    meter.open().close()


def test_a_forged_value_does_not_lock_out_a_client_whose_own_value_is_right() -> None:
    """The first contact is with a liar, whose high value nobody confirms; then the own value, 0, is right."""
    meter = Secured(0, 1_000_000)
    meter.world.fault = lambda end, answer, number: (
        b"" if answer[0] == 0x61 and (CLIENT, 1) in end.associations else None
    )
    with pytest.raises(CosemicError):
        meter.open()
    honest = Secured(0, 0)
    meter.world = honest.world
    driver = meter.open()
    driver.close()
    assert meter.counter.known
    assert meter.counter.next() < 1_000_000


@pytest.mark.parametrize("shown", [0xFFFFFFFF, 0xFFFFFFFE, None])
def test_values_that_cannot_be_one_leave_the_own_value(shown: int | None) -> None:
    meter = Secured(0, shown)
    meter.open().close()
    assert meter.counter.next() < 1000


@pytest.mark.parametrize(
    "value",
    [
        EncodedData.of(DataType.OCTET_STRING, b"1234"),
        EncodedData.of(DataType.NULL_DATA),
        EncodedData.of(DataType.BOOLEAN, True),
        EncodedData.of(DataType.INTEGER, -5),
        EncodedData.of(DataType.FLOAT32, 5.0),
    ],
)
def test_something_else_than_a_number_leaves_the_own_value(value: EncodedData) -> None:
    meter = Secured(0, None)
    meter.world.shelf.put(COUNTER, value)
    driver = meter.open()
    assert meter.session.opened is not None
    driver.close()


def test_a_meter_without_public_client_is_opened_with_the_own_value() -> None:
    for fault in ("unknown SAP", "refused", "error"):
        meter = Secured(0, None)
        if fault == "unknown SAP":
            del meter.world.clients[PUBLIC]
        elif fault == "refused":
            meter.world.clients[PUBLIC] = settings(M.LLS)[1]
        else:
            meter.world.fault = lambda end, answer, number: (
                bytes.fromhex("0001000100100003d80101") if answer[0] == 0xC4 else None
            )
        meter.open().close()
        assert meter.counter.known


def test_where_no_counter_is_drawn_none_is_read() -> None:
    for mechanism in (M.LOWEST, M.LLS, M.HLS_MD5, M.HLS_SHA256):
        meter = Secured(0, 5, mechanism, ciphered=False)
        meter.open().close()
        assert meter.public_aarqs == 0


def test_the_value_is_kept_only_after_an_authenticated_answer() -> None:
    """Each step of the opening in turn is not answered: until the last one nothing is kept."""
    for step in (1, 2):
        meter = Secured(500, 500)
        count = 0

        def fault(end: MeterEnd, answer: bytes, number: int, step: int = step) -> bytes | None:
            nonlocal count
            if end.world.received[-1][0] != 0xC0 and (CLIENT, 1) in end.associations:
                count += 1
                return b"" if count == step else None
            return None

        meter.world.fault = fault
        with pytest.raises(CosemicError):
            meter.open()
        assert not meter.counter.known
        assert count == step


def counters_of(apdus: list[bytes]) -> list[int]:
    """Counters of all APDUs under the encryption key, those in AARQ and RLRQ included."""
    found = []
    for apdu in apdus:
        kind = {0x60: a.AARQ, 0x62: a.RLRQ}.get(apdu[0])
        octets_ = apdu if kind is None else kind.decode(apdu).user_information or b""
        if octets_[:1] in (b"\x21", b"\xc8", b"\xcb"):
            found.append(int.from_bytes(open_envelope(octets_).content[1:5]))
    return found


def test_a_restart_with_a_file_never_repeats_a_counter(tmp_path: Path) -> None:
    path = tmp_path / "counters"
    meter = Secured(300, 300)
    seen: list[int] = []
    for _ in range(6):
        kept = {"counters": FileCounterStore(path)}
        meter.client = SecuritySettings(settings(M.HLS_GMAC, ciphered=True, client=kept)[0], CLIENT)
        meter.world.received.clear()
        driver = meter.open()
        assert meter.session is not None
        driver.run(meter.session.get(REGISTER))
        driver.close()
        seen += counters_of(meter.world.received)
    assert len(seen) >= 18
    assert seen == sorted(set(seen))
    assert seen[0] == 301
    assert meter.public_aarqs == 1


def test_a_settings_file_is_all_that_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "meter.toml"
    path.write_text(
        f'encryption_key = "{EK.hex()}"\nauthentication_key = "{AK.hex()}"\n'
        f'system_title = "{CLIENT_TITLE.hex()}"\nserver_title = "{SERVER_TITLE.hex()}"\nclient_sap = {CLIENT}\n'
    )
    meter = Secured(40, 40)
    with serving(meter.world) as port:
        for _ in range(2):
            with BlockingMeter.connect(f"tcp://127.0.0.1:{port}", path) as opened:
                assert opened.get(REGISTER).value() == 12345678
    assert (Path(os.environ["COSEMIC_STATE"]) / "counters").exists()
    assert meter.public_aarqs == 1
    assert load_security(path).client.counters is not None


def test_two_clients_with_the_same_keys_draw_from_one_store() -> None:
    meter = Secured(0, 0)
    shared: Any = MemoryCounterStore()
    meter.client = SecuritySettings(settings(M.HLS_GMAC, ciphered=True, client={"counters": shared})[0], CLIENT)
    one, other = meter.open(), None
    first = meter.session
    other = meter.open()
    assert first is not None
    assert meter.session is not None
    other.run(meter.session.get(REGISTER))
    one.close()
    other.close()
    sent = counters_of(meter.world.received)
    assert len(set(sent)) == len(sent)
