"""A counter that the meter refuses: resynchronised once, upwards, within bounds, and kept when it proved right."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from typing import Any

import pytest

from cosemic import apdu as a
from cosemic.association.service_provider import ServerSettings
from cosemic.client.blocking import BlockingDriver
from cosemic.client.recovery import NONE, Rule
from cosemic.client.session import Session
from cosemic.client.timepiece import machine_time
from cosemic.codec import DataType, EncodedData
from cosemic.dialect import STANDARD
from cosemic.errors import (
    AssociationRejected,
    ConnectionLost,
    CosemicError,
    ExceptionReceived,
    InvocationCounterError,
    OutcomeUnknown,
    ProtocolError,
)
from cosemic.security import (
    Envelope,
    MemoryCounterStore,
    Protection,
    SecurityContext,
    SecurityMaterial,
    open_envelope,
)
from cosemic.server import PhysicalDevice
from cosemic.server.meter_server import MeterConnection
from cosemic.simulator import HouseholdMeter
from cosemic.stack import ClientStack
from cosemic.store.security_settings import load_security
from cosemic.transport.memory import BlockingMemoryConnection
from cosemic.values import Secret
from tests.association.samples import CLIENT_TITLE, SERVER_TITLE, M, material, settings
from tests.client.meters import CLIENT, COUNTER, MeterEnd
from tests.client.test_counter import REGISTER, Secured, counters_of
from tests.server.support import NOW

WRITTEN = "1/0-0:96.1.0:2"


class Ahead(Secured):
    """A client that is associated, and whose meter then accepts counters from another one only."""

    def __init__(self, by: int = 5000, mechanism: M = M.HLS_GMAC, *, dedicated: bool = False) -> None:
        super().__init__(0, None, mechanism)
        self.driver = self.open()
        self.jump(by)

    def jump(self, by: int) -> int:
        last = counters_of(self.world.received)[-1]
        store = self.world.clients[CLIENT].counters
        store.accept(material().encryption_key.identity, CLIENT_TITLE, last + by)
        return last + by + 1

    def run(self, what: Callable[[Any], Any]) -> Any:
        return self.driver.run(what(self.session))

    @property
    def changes(self) -> int:
        return sum(kind in ("set", "action") for kind, _ in self.world.shelf.calls)


def reading(session: Any) -> Any:
    return session.get(REGISTER)


def writing(session: Any) -> Any:
    return session.write(WRITTEN, EncodedData.of(DataType.OCTET_STRING, b"new"))


def test_reading_goes_on_with_the_counter_that_the_meter_expects(caplog: pytest.LogCaptureFixture) -> None:
    meter = Ahead()
    expected = meter.jump(6000)
    with caplog.at_level(logging.WARNING, "cosemic.client"):
        assert meter.run(reading).value() == 12345678
    assert counters_of(meter.world.received)[-1] == expected
    assert [str(expected) in record.getMessage() for record in caplog.records] == [True]
    assert not meter.counter.trying  # the answer has confirmed it
    assert meter.run(reading).value() == 12345678
    assert meter.counter.next() > expected
    sent = counters_of(meter.world.received)
    assert sent == sorted(set(sent))
    meter.driver.close()


def test_it_is_done_once_in_an_association() -> None:
    meter = Ahead()
    meter.run(reading)
    meter.jump(7000)
    with pytest.raises(ExceptionReceived) as caught:
        meter.run(reading)
    assert any("raised before in this association" in note for note in caught.value.__notes__)
    assert meter.changes == 0


def test_a_counter_below_ours_is_not_what_was_refused() -> None:
    meter = Ahead()
    state = meter.counter
    for value, says in ((1, "it is not what was refused: look at the keys"), ((1 << 32) - 1, "install a new key")):
        with pytest.raises(InvocationCounterError, match=says):
            state.propose(value, 1 << 20)
    assert not state.trying


def test_a_counter_that_is_too_far_away_is_not_taken() -> None:
    meter = Ahead((1 << 20) + 5000)
    before = counters_of(meter.world.received)[-1]
    with pytest.raises(ExceptionReceived) as caught:
        meter.run(reading)
    assert any("max_counter_jump" in note for note in caught.value.__notes__)
    assert meter.counter.next() < before + 100


def test_the_largest_step_is_that_of_the_dialect() -> None:
    for limit, works in ((3000, False), (8000, True)):
        meter = Secured(0, None)
        ours = settings(M.HLS_GMAC, ciphered=True, client={"dialect": STANDARD.but(max_counter_jump=limit)})[0]
        meter.client = type(meter.client)(ours, CLIENT)
        driver = meter.open()
        store = meter.world.clients[CLIENT].counters
        store.accept(material().encryption_key.identity, CLIENT_TITLE, counters_of(meter.world.received)[-1] + 5000)
        assert meter.session is not None
        if works:
            driver.run(meter.session.get(REGISTER))
        else:
            with pytest.raises(ExceptionReceived):
                driver.run(meter.session.get(REGISTER))


@pytest.mark.parametrize("hint", [0, 1, 0xFFFFFFFF, 0xFFFFFFFE, 1 << 30])
def test_forged_hints_do_not_spoil_the_own_counter(hint: int) -> None:
    """conformance.md CL-14: forged D8 01 06 with FFFFFFFF, with a huge jump, repeated."""
    meter = Secured(0, None)
    driver = meter.open()
    forging = True

    def forge(end: MeterEnd, answer: bytes, number: int) -> bytes | None:
        octets = bytes.fromhex("d80106") + hint.to_bytes(4)
        head = bytes.fromhex("000100010001") + len(octets).to_bytes(2)
        return head + octets if forging else None

    meter.world.fault = forge
    assert meter.session is not None
    before = counters_of(meter.world.received)[-1]
    for _ in range(3):
        with pytest.raises(ExceptionReceived):
            driver.run(meter.session.get(REGISTER))
    forging = False
    assert driver.run(meter.session.get(REGISTER)).value() == 12345678
    assert counters_of(meter.world.received)[-1] <= before + 10


def test_a_forged_hint_within_bounds_is_tried_and_given_up() -> None:
    meter = Secured(0, None)
    driver = meter.open()

    def forge(end: MeterEnd, answer: bytes, number: int) -> bytes | None:
        return bytes.fromhex("0001000100010007d80106") + (90000).to_bytes(4)

    meter.world.fault = forge
    assert meter.session is not None
    with pytest.raises(ExceptionReceived):
        driver.run(meter.session.get(REGISTER))
    meter.world.fault = lambda end, answer, number: None
    # What was sent under the hint has reached the meter, which counts from there; nothing that is known proves it.
    assert not meter.counter.trying
    assert meter.counter.next() < 1000


def test_a_change_is_not_repeated_for_a_refusal_in_clear_and_the_next_request_is_served() -> None:
    meter = Ahead()
    expected = meter.jump(6000)
    with pytest.raises(OutcomeUnknown, match="read back"):
        meter.run(writing)
    assert meter.changes == 0
    sets = [one for one in meter.world.received if one[0] == 0xC9]
    assert len(sets) == 1
    assert counters_of(meter.world.received)[-1] == expected  # the reading that has proved the counter
    assert not meter.counter.trying
    meter.run(writing)  # asked for again by the user, who has read back
    assert meter.changes == 1


@pytest.mark.parametrize("ending", ["lost", "garbage"])
def test_a_change_refused_in_clear_is_not_repeated_when_the_reading_behind_it_fails(ending: str) -> None:
    """The refusal was forged: the change was made, and the rules of reading would have it made again."""
    meter = Ahead()
    meter.run(reading)
    meter.driver.close()
    meter.driver = meter.open()
    assert meter.session is not None
    at_once = Rule((0.0,), reconnect=True)
    meter.session.recovery = NONE.but(reading={ConnectionLost: at_once, ProtocolError: at_once}, reopen=True)
    forged = bytes.fromhex("0001000100010007d80106") + (meter.counter.next() + 50).to_bytes(4)
    answers: list[bytes] = []

    def fault(end: MeterEnd, answer: bytes, number: int) -> bytes | None:
        answers.append(answer)
        if len(answers) == 1:
            end.send(forged)
            if ending == "lost":
                end.connection.close()
            return b""
        return b"\xff" * 16 if len(answers) == 2 and ending == "garbage" else None

    meter.world.fault = fault
    with pytest.raises(OutcomeUnknown, match="read back"):
        meter.run(writing)
    assert meter.changes == 1
    assert not meter.counter.trying


def test_with_short_names_the_association_is_opened_anew_with_the_counter_that_the_meter_expects() -> None:
    """Such a meter answers confirmedServiceError, which names no counter."""
    device = HouseholdMeter(7, security="hls-gmac", referencing="sn", now=lambda: NOW)
    security = load_security({**device.security.client_settings(), "counters": MemoryCounterStore()}, short_names=True)
    sap, client = device.security.client_sap, security.client
    assert client.material is not None
    session = Session(security, lambda: ClientStack(client, sap, 1), dt.UTC)
    physical = PhysicalDevice(device)
    driver = BlockingDriver(
        session, lambda: BlockingMemoryConnection(lambda end: MeterConnection(physical, end)), machine_time
    )
    zone = "8/0-0:1.0.0:time_zone"
    before = driver.run(session.read(zone))
    key = client.material.encryption_key.identity, client.system_title
    own, admission = client.counters.transmit_counter(*key), device.client(sap)
    assert admission is not None

    def jump() -> None:
        admission.settings.counters.accept(*key, own.next() + 5000)

    jump()
    assert driver.run(session.read(zone)) == before
    jump()
    with pytest.raises(OutcomeUnknown, match="read back"):
        driver.run(session.write(zone, -90))
    assert driver.run(session.read(zone)) == before
    driver.run(session.write(zone, -90))
    assert driver.run(session.read(zone)) == -90
    assert not own.trying


def test_a_change_is_repeated_where_the_refusal_is_authenticated() -> None:
    """An exception-response in general-glo-ciphering says for sure that the change was not taken."""
    meter = Ahead()
    expected = meter.jump(6000)
    served: ServerSettings = meter.world.clients[CLIENT]
    sealing = SecurityContext(SERVER_TITLE, CLIENT_TITLE, material(), served.counters)

    def protect(end: MeterEnd, answer: bytes, number: int) -> bytes | None:
        if answer[0] != 0xD8:
            return None
        both = Protection.AUTHENTICATED | Protection.ENCRYPTED
        octets = sealing.protect_apdu(answer, Envelope.GENERAL_GLO, protection=both)
        return bytes.fromhex("000100010001") + len(octets).to_bytes(2) + octets

    meter.world.fault = protect
    meter.run(writing)
    assert meter.changes == 1
    sets = [one for one in meter.world.received if one[0] == 0xC9]
    assert int.from_bytes(open_envelope(sets[1]).content[1:5]) == expected


# ---- at the opening -------------------------------------------------------------------------------------------------


def test_an_opening_that_is_refused_for_the_counter_is_made_again_after_the_public_client_has_read_it() -> None:
    """A server may say no more than deciphering-error: 0E 01 00 06."""
    meter = Ahead()
    meter.driver.close()
    expected = meter.jump(9000)
    meter.world.shelf.put(COUNTER, EncodedData.of(DataType.DOUBLE_LONG_UNSIGNED, expected))
    driver = meter.open()
    assert meter.session is not None
    assert driver.run(meter.session.get(REGISTER)).value() == 12345678
    assert not meter.counter.trying
    assert meter.counter.next() > expected


@pytest.mark.parametrize("shown", [None, 3, 1 << 30])
def test_where_the_public_client_does_not_help_the_refusal_stands_and_the_counter_too(shown: int | None) -> None:
    meter = Ahead()
    meter.driver.close()
    meter.jump(9000)
    if shown is not None:
        meter.world.shelf.put(COUNTER, EncodedData.of(DataType.DOUBLE_LONG_UNSIGNED, shown))
    with pytest.raises(AssociationRejected, match="deciphering-error"):
        meter.open()
    assert not meter.counter.trying
    assert meter.counter.next() < 9000


def test_an_aarq_that_is_answered_with_the_counter_is_sent_again() -> None:
    meter = Ahead()
    meter.driver.close()
    expected = meter.jump(9000)

    def tell(end: MeterEnd, answer: bytes, number: int) -> bytes | None:
        refused = answer[0] == 0x61 and a.AARE.decode(answer).result == 1
        return bytes.fromhex("0001000100010007d80106") + expected.to_bytes(4) if refused else None

    meter.world.fault = tell
    driver = meter.open()
    assert meter.session is not None
    assert driver.run(meter.session.get(REGISTER)).value() == 12345678
    assert counters_of(meter.world.received)[-3] == expected


def test_wrong_keys_do_not_move_the_counter() -> None:
    meter = Ahead()
    meter.driver.close()
    other = settings(M.HLS_GMAC, ciphered=True)[1]
    wrong = SecurityMaterial.of(Secret(bytes(16)), Secret(bytes(16)))
    meter.world.clients[CLIENT] = type(other)(
        context_names=other.context_names, mechanism=other.mechanism, material=wrong, policy=other.policy,
        system_title=SERVER_TITLE,
    )  # fmt: skip
    meter.world.shelf.put(COUNTER, EncodedData.of(DataType.DOUBLE_LONG_UNSIGNED, 5000))
    before = counters_of(meter.world.received)[-1]
    for _ in range(2):
        with pytest.raises(CosemicError):
            meter.open()
    assert not meter.counter.trying
    assert before < meter.counter.next() < before + 2000
