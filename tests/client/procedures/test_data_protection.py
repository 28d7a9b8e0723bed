"""The data protection of a meter by its client procedures, against the server's."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from cosemic.client import BlockingMeter, Meter
from cosemic.client.procedures.data_protection import DataProtectionProcedures, asked_of, body_of
from cosemic.client.procedures.data_protection import buffer_content as content_of
from cosemic.codec import DataType, EncodedData
from cosemic.errors import (
    ActionFailed,
    ConfigurationError,
    DataAccessError,
    DecipheringError,
    DecodeError,
    OutcomeUnknown,
    PolicyViolation,
)
from cosemic.model import ProtectedAttributes, Register, SecuritySetup
from cosemic.model.security_setup import KeyPair
from cosemic.security import MemoryCounterStore
from cosemic.security.data_parameters import asking
from cosemic.security.data_protection import DataProtector, ProtectedData
from cosemic.security.general import KeyEstablishment
from cosemic.server import serve_in_thread
from cosemic.store.security_settings import SecuritySettings
from cosemic.values import AuthenticationMechanism, Obis
from tests.client.procedures.bench import Fault
from tests.client.procedures.key_bench import KeyBench
from tests.security.parties import STRANGER, party
from tests.server.protection_support import (
    ANSWERING,
    COUNTER,
    NAME_PLATE,
    SECRET,
    VALUE,
    A,
    K,
    Protecting,
    S,
    listed,
    protector,
    to_device,
)
from tests.server.security_support import CLIENT_TITLE, MANAGER, SERVER_TITLE, client_settings, material
from tests.server.support import BOTH

KINDS: dict[int, tuple[KeyEstablishment, ...]] = {0: (K.GLOBAL_UNICAST, K.WRAPPED)}
KINDS[1] = KINDS[2] = (*KINDS[0], K.ONE_PASS, K.STATIC)
EACH = [(suite, kind) for suite in KINDS for kind in KINDS[suite]]
TARGETS = [f"1/{VALUE}*255:value", f"1/{NAME_PLATE}*255:value"]


class ProtectedBench(KeyBench):
    """The management client of a device with a data protection; data and APDUs share one counter store."""

    def __init__(self, suite: int = 1, required: int = 0, **options: Any) -> None:
        self.protecting = Protecting(suite, required, options=options)
        counters = MemoryCounterStore()
        super().__init__(self.protecting.device, suite, counters=counters, mechanism=AuthenticationMechanism.LOWEST)
        self.protection = DataProtectionProcedures(self.session)
        meter = party(SERVER_TITLE, suite, material=material(suite))
        self.protector = protector(CLIENT_TITLE, suite, meter, counters=counters)


@pytest.mark.parametrize(("suite", "kind"), EACH)
def test_attributes_are_read_and_written_protected(suite: int, kind: KeyEstablishment) -> None:
    bench = ProtectedBench(suite)
    layers = [to_device(BOTH, kind)]
    assert bench.run(bench.protection.get(bench.protector, TARGETS, layers)) == [7, b"plate"]
    new = [(TARGETS[0], (DataType.LONG_UNSIGNED, 9)), (TARGETS[1], (DataType.OCTET_STRING, b"new"))]
    bench.run(bench.protection.set(bench.protector, new, layers))
    assert bench.run(bench.protection.get(bench.protector, TARGETS, layers)) == [9, b"new"]


@pytest.mark.parametrize(("suite", "kind"), EACH)
def test_methods_are_invoked_protected(suite: int, kind: KeyEstablishment) -> None:
    bench = ProtectedBench(suite)
    layers = [to_device(BOTH, kind)]
    method = SecuritySetup(ANSWERING).generate_certificate_request
    found = bench.run(bench.protection.invoke(bench.protector, method, KeyPair.DIGITAL_SIGNATURE, layers))
    assert found == b"request"
    assert bench.run(bench.protection.invoke(bench.protector, Register(COUNTER).reset, 0, layers)) is None
    assert bench.protecting.invoked == [KeyPair.DIGITAL_SIGNATURE, 0]


def test_an_answer_counts_once() -> None:
    bench = ProtectedBench()
    kept: list[ProtectedAttributes] = []

    def keep(found: ProtectedAttributes) -> ProtectedAttributes:
        kept.append(found)
        return found

    answering(bench, keep)
    bench.run(bench.protection.get(bench.protector, TARGETS, [to_device()]))
    with pytest.raises(DecipheringError):
        bench.protector.unprotect(ProtectedData(kept[0].protection_parameters, kept[0].protected_attributes))


@pytest.mark.parametrize("suite", [1, 2])
def test_signed_and_enciphered_both_ways(suite: int) -> None:
    bits = S | BOTH
    bench = ProtectedBench(suite, int(bits) << 2 | int(bits) << 5)
    layers = [to_device(S), to_device(BOTH, K.ONE_PASS)]
    assert bench.run(bench.protection.get(bench.protector, TARGETS, layers)) == [7, b"plate"]
    with pytest.raises(ActionFailed, match="read-write-denied"):
        bench.run(bench.protection.get(bench.protector, TARGETS, layers[1:]))
    bench.run(bench.protection.invoke(bench.protector, Register(COUNTER).reset, 0, layers))


def test_what_the_meter_refuses_is_refused() -> None:
    bench = ProtectedBench()
    with pytest.raises(ActionFailed, match="object-undefined"):
        bench.run(bench.protection.get(bench.protector, listed(SECRET), [to_device()]))
    stranger = replace(to_device(), recipient=STRANGER)
    with pytest.raises(ConfigurationError, match="nothing is known"):
        bench.run(bench.protection.get(bench.protector, TARGETS, [stranger]))
    bench.faults[bench.requests + 1] = Fault.MUTE_AFTER
    with pytest.raises(OutcomeUnknown):
        bench.run(bench.protection.set(bench.protector, [(TARGETS[0], (DataType.LONG_UNSIGNED, 9))], [to_device()]))
    assert bench.protecting.values()[0] == 9


# ---- answers that are not what was asked for -------------------------------------------------------------------------


def answering(bench: ProtectedBench, change: Any) -> None:
    """Have the meter answer get_protected_attributes with something else."""
    served = bench.protecting.object
    before = served._methods[1]
    served._methods[1] = lambda request, situation: change(before(request, situation))


def test_an_answer_with_less_protection_is_not_used() -> None:
    bench = ProtectedBench()
    weaker = bench.protecting.get(listed(VALUE), [asking(replace(to_device(A), recipient=CLIENT_TITLE))])
    tid = weaker.parameters[0].protection_options.transaction_id
    answering(bench, lambda _: ProtectedAttributes(weaker.parameters, weaker.octets))
    layers = [to_device(BOTH, transaction_id=tid)]
    with pytest.raises(PolicyViolation, match="not encrypted"):
        bench.run(bench.protection.get(bench.protector, listed(VALUE), layers))
    assert bench.run(bench.protection.get(bench.protector, listed(VALUE), [to_device(A, transaction_id=tid)])) == [7]


def test_an_answer_to_another_request_is_not_used() -> None:
    bench = ProtectedBench()
    other = bench.protecting.get(listed(VALUE), [asking(replace(to_device(), recipient=CLIENT_TITLE))])
    answering(bench, lambda _: ProtectedAttributes(other.parameters, other.octets))
    with pytest.raises(DecipheringError):
        bench.run(bench.protection.get(bench.protector, listed(VALUE), [to_device()]))
    assert not bench.protector.transactions._known  # type: ignore[attr-defined]  # a store in memory


def test_changed_answers_are_not_used() -> None:
    bench = ProtectedBench()

    def flipped(found: ProtectedAttributes) -> ProtectedAttributes:
        octets = bytearray(found.protected_attributes)
        octets[-1] ^= 1
        return ProtectedAttributes(found.protection_parameters, bytes(octets))

    answering(bench, flipped)
    with pytest.raises(DecipheringError):
        bench.run(bench.protection.get(bench.protector, listed(VALUE), [to_device()]))


def test_an_answer_with_another_number_of_values_is_an_error() -> None:
    bench = ProtectedBench()
    found = bench.run(bench.protection.get(bench.protector, listed(VALUE, NAME_PLATE), [to_device()]))
    assert found == [7, b"plate"]
    served = bench.protecting.object
    before = served._methods[1]
    served._methods[1] = lambda request, situation: before(replace(request, object_list=listed(VALUE)), situation)
    with pytest.raises(DecodeError, match="2 values"):
        bench.run(bench.protection.get(bench.protector, listed(VALUE, NAME_PLATE), [to_device()]))


# ---- brokers, and the buffer -----------------------------------------------------------------------------------------


def test_a_broker_carries_what_a_third_party_protects_and_reads_nothing_of_it() -> None:
    bench = ProtectedBench()
    third = bench.protecting.third
    layers = [to_device(S), to_device(BOTH, K.ONE_PASS)]
    asked = asked_of(third, layers, third.new_transaction_id())
    given = bench.run(bench.protection.get_protected(TARGETS, asked))
    with pytest.raises(DecipheringError):
        bench.protector.unprotect(given)
    opened = third.unprotect(given)
    assert opened.data == body_of(
        [EncodedData.of(DataType.LONG_UNSIGNED, 7), EncodedData.of(DataType.OCTET_STRING, b"plate")]
    )
    protected = third.protect(body_of([EncodedData.of(DataType.LONG_UNSIGNED, 9)]), layers)
    bench.run(bench.protection.set_protected(TARGETS[:1], protected))
    assert bench.protecting.values()[0] == 9
    with pytest.raises(ActionFailed, match="other-reason"):
        bench.run(bench.protection.set_protected(TARGETS[:1], protected))
    parameter = third.protect(EncodedData.of(DataType.INTEGER, 0).octets, layers)
    answer = bench.run(bench.protection.invoke_protected(Register(COUNTER).reset, parameter))
    assert third.unprotect(answer).applied == BOTH | S


BUFFERED: dict[str, Any] = {
    "protection_object_list": listed(VALUE, NAME_PLATE),
    "protection_parameters_get": [asking(replace(to_device(), recipient=CLIENT_TITLE))],
    "protection_parameters_set": [asking(to_device())],
}


def test_the_buffer_is_read_and_written() -> None:
    bench = ProtectedBench(**BUFFERED)
    found = bench.run(bench.protection.read_buffer(bench.protector, BOTH))
    assert [(entry.logical_name, value) for entry, value in found] == [(Obis(VALUE), 7), (Obis(NAME_PLATE), b"plate")]
    with pytest.raises(PolicyViolation):
        bench.run(bench.protection.read_buffer(bench.protector, S))
    values = [EncodedData.of(DataType.LONG_UNSIGNED, 9), EncodedData.of(DataType.OCTET_STRING, b"new")]
    bench.run(bench.protection.write_buffer(bench.protector, values, [to_device()]))
    assert bench.protecting.values()[:2] == [9, b"new"]
    with pytest.raises(DataAccessError):
        bench.run(bench.protection.write_buffer(bench.protector, values, [to_device(A)]))
    state = bench.run(bench.protection.state())
    assert state.protection_object_list == BUFFERED["protection_object_list"]
    assert state.required_protection == 0


def test_the_buffer_of_another_meter_is_not_taken_for_that_of_this_one() -> None:
    """A head-end has one protector for several meters; what one has protected for it fits no other."""
    bench = ProtectedBench(**BUFFERED)
    other_meter = party(STRANGER, 1, material=material(1))
    own = bench.protector.own
    known = DataProtector(
        own,
        [*bench.protector.parties.values(), other_meter],
        suite=bench.protector.suite,
        counters=bench.protector.counters,
        transactions=bench.protector.transactions,
    )
    stranger = protector(STRANGER, 1, party(CLIENT_TITLE, 1, material=material(1)))
    values = [EncodedData.of(DataType.LONG_UNSIGNED, 666), EncodedData.of(DataType.OCTET_STRING, b"other")]
    theirs = stranger.protect(body_of(values), [replace(to_device(), recipient=CLIENT_TITLE)])
    content = ProtectedAttributes.encode(ProtectedAttributes(theirs.parameters, theirs.octets))
    octets = EncodedData.of(DataType.OCTET_STRING, EncodedData.from_typed(content).octets)
    served = bench.protecting.object
    served.read = lambda *asked: octets if asked[0] == 2 else type(served).read(served, *asked)  # type: ignore[method-assign]
    with pytest.raises(DecipheringError):
        bench.run(bench.protection.read_buffer(known, BOTH))
    del served.read
    assert [value for _, value in bench.run(bench.protection.read_buffer(known, BOTH))] == [7, b"plate"]


def test_a_buffer_that_is_none_is_an_error() -> None:
    for octets in (b"", b"\x00", b"\x02\x01\x01\x00"):
        with pytest.raises(DecodeError):
            content_of(octets)
    assert isinstance(content_of(bytes.fromhex("020201000900")), ProtectedData)


def test_both_faces_have_it() -> None:
    bench = ProtectedBench()
    settings = client_settings(1, counters=bench.protector.counters, mechanism=AuthenticationMechanism.LOWEST)
    with serve_in_thread(bench.protecting.device) as server:
        url = server.url(MANAGER)
        with BlockingMeter.connect(url, SecuritySettings(settings)) as meter:
            assert meter.data_protection.get(bench.protector, TARGETS, [to_device()]) == [7, b"plate"]

        async def read() -> list[Any]:
            async with Meter.connect(url, SecuritySettings(settings)) as other:
                return await other.data_protection.get(bench.protector, TARGETS, [to_device(BOTH, K.STATIC)])

        assert asyncio.run(read()) == [7, b"plate"]
