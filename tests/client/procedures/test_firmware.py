"""Firmware updates: whatever breaks on the way, the meter gets the image it was meant to get, or the user hears why."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.association.requests import Open
from cosemic.client import BlockingMeter, Meter
from cosemic.client.procedures.firmware import FirmwareProcedures, FirmwareProgress, FirmwareUpdate
from cosemic.client.recovery import NONE, STANDARD, Recovery
from cosemic.codec import DataType, EncodedData
from cosemic.errors import (
    ActionFailed,
    AssociationRejected,
    ChangeWithheld,
    ConfigurationError,
    ConnectionFailed,
    DataAccessError,
    OutcomeUnknown,
    ProtocolError,
    ResponseTimeout,
    ServiceFailed,
    TransportError,
)
from cosemic.model import ImageTransferStatus
from cosemic.server.meter_server import serve_in_thread
from cosemic.server.objects import data
from cosemic.values import BitString, Date, Obis, Time
from tests.client.procedures.bench import Bench, Fault, both_faces
from tests.client.procedures.image_meter import OLD, ImageMeter, schedule
from tests.effort import examples
from tests.server.support import NOW, device_with

S = ImageTransferStatus
IMAGE = bytes(range(60))
BLOCKS = 8


def update(bench: Bench, image: Any = IMAGE, identifier: str | bytes = "fw1", **options: Any) -> FirmwareUpdate:
    return bench.run(FirmwareProcedures(bench.session).update(image, identifier, **options))


@pytest.fixture
def meter() -> ImageMeter:
    return ImageMeter(good=IMAGE)


@pytest.fixture
def bench(meter: ImageMeter) -> Bench:
    return Bench(*meter.objects)


# ---- the way it goes -------------------------------------------------------------------------------------------------


def test_an_image_is_transferred_verified_and_activated(meter: ImageMeter, bench: Bench) -> None:
    seen: list[FirmwareProgress] = []
    done = update(bench, progress=seen.append)
    assert meter.activations == [IMAGE]
    assert meter.identifier == b"fw1"
    assert meter.received == list(range(BLOCKS))
    assert [len(meter.blocks[number]) for number in range(BLOCKS)] == [8] * 7 + [4]
    assert (meter.initiated, meter.verified, meter.activated) == (1, 1, 1)
    assert (done.status, done.blocks, done.blocks_sent, done.resumed_at) == (S.ACTIVATION_SUCCESSFUL, 8, 8, None)
    assert (done.size, done.block_size, done.identifier, done.reconnections) == (60, 8, b"fw1", 0)
    assert (done.active_before, done.active_after) == (OLD, IMAGE)
    assert done.info[0].image_to_activate_signature == hashlib.sha256(IMAGE).digest()
    assert bench.waited == 0
    assert [(one.status, one.blocks) for one in seen] == [
        (S.NOT_INITIATED, 0),
        *((S.INITIATED, number) for number in range(BLOCKS + 1)),
        (S.VERIFICATION_SUCCESSFUL, 8),
        (S.ACTIVATION_SUCCESSFUL, 8),
    ]
    assert {one.of_blocks for one in seen} == {BLOCKS}


def test_the_state_is_read(meter: ImageMeter, bench: Bench) -> None:
    meter.initiated, meter.size, meter.status = 1, 60, S.INITIATED
    meter.blocks = {0: b"x" * 8, 2: b"x" * 8}
    state = bench.run(FirmwareProcedures(bench.session).state())
    assert (state.image_block_size, state.image_first_not_transferred_block_number) == (8, 1)
    assert (state.image_transfer_enabled, state.image_transfer_status) == (True, S.INITIATED)
    assert state.image_to_activate_info == ()


def test_a_file_is_transferred(meter: ImageMeter, bench: Bench) -> None:
    update(bench, io.BytesIO(IMAGE), b"\x00\xffname")
    assert (meter.active, meter.identifier) == (IMAGE, b"\x00\xffname")


def test_a_verified_image_can_wait_and_be_activated_by_the_same_call(meter: ImageMeter, bench: Bench) -> None:
    done = update(bench, activate="not")
    assert (done.status, done.active_before, done.active_after) == (S.VERIFICATION_SUCCESSFUL, None, None)
    assert meter.activated == 0
    again = update(bench)
    assert meter.activations == [IMAGE]
    assert (again.blocks_sent, again.resumed_at) == (0, BLOCKS)


def test_a_meter_that_verifies_and_activates_slowly_is_asked_again(meter: ImageMeter, bench: Bench) -> None:
    meter.verifying, meter.activating = 5, 7
    done = update(bench, interval=3.0)
    assert meter.activations == [IMAGE]
    assert (meter.verified, meter.activated) == (1, 1)
    assert done.status is S.ACTIVATION_SUCCESSFUL
    # Of the looks at each status the first is news, the second is followed up at once, the last ends it.
    assert bench.waited == 3.0 * ((5 - 3) + (7 - 3))


# ---- whatever breaks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("number", range(1, 22))
def test_a_break_at_any_request_is_got_over(number: int, fault: Fault) -> None:
    meter = ImageMeter(good=IMAGE)
    bench = Bench(*meter.objects)
    bench.faults = {number: fault}
    done = update(bench)
    assert meter.activations == [IMAGE]
    assert done.status is S.ACTIVATION_SUCCESSFUL
    assert meter.initiated <= 2
    assert len(meter.received) <= BLOCKS + 1
    assert done.blocks_sent >= BLOCKS


faults = st.dictionaries(st.integers(1, 60), st.sampled_from(Fault), max_size=25)


@examples(60, deadline=None)
@given(
    faults=faults,
    size=st.integers(1, 100),
    block_size=st.integers(1, 40),
    slow=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    forgets=st.booleans(),
    nothing_repeated=st.booleans(),
)
def test_however_it_breaks_the_image_comes_whole_or_the_same_call_goes_on(
    faults: dict[int, Fault],
    size: int,
    block_size: int,
    slow: tuple[int, int],
    forgets: bool,
    nothing_repeated: bool,
) -> None:
    image = bytes(number * 7 % 251 for number in range(size))
    meter = ImageMeter(block_size, good=image)
    meter.verifying, meter.activating = slow
    meter.forgets = forgets
    bench = Bench(*meter.objects, **({"recovery": NONE} if nothing_repeated else {}))
    bench.faults = dict(faults)
    calls = 0
    while True:
        calls += 1
        try:
            done = update(bench, image, patience=20.0)
        except (TransportError, OutcomeUnknown):
            assert calls < 5
            bench.fresh()
            if meter.active == image:
                break  # that was unknown to the client
        else:
            assert done.status in (S.ACTIVATION_SUCCESSFUL, S.NOT_INITIATED)
            break
    assert meter.active == image
    assert set(meter.activations) == {image}


@pytest.mark.parametrize("fault", [Fault.LOST_BEFORE, Fault.MUTE_AFTER])
def test_a_meter_that_never_answers_again_ends_in_an_error_that_says_how_far_it_is(
    meter: ImageMeter, bench: Bench, fault: Fault
) -> None:
    bench.faults = dict.fromkeys(range(8, 1000), fault)
    with pytest.raises(TransportError) as caught:
        update(bench, patience=50.0, interval=5.0)
    notes = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
    assert "3 of 8 blocks" in notes
    assert "same call goes on" in notes
    assert meter.activated == 0
    bench.fresh()
    done = update(bench)
    assert meter.activations == [IMAGE]
    assert done.resumed_at is not None
    assert done.blocks_sent == BLOCKS - done.resumed_at


def test_a_meter_that_cannot_be_reached_for_a_while_is_called_again(meter: ImageMeter, bench: Bench) -> None:
    bench.faults = {7: Fault.LOST_AFTER}

    def vanish(step: FirmwareProgress) -> None:
        if step.blocks == 2:
            bench.unreachable = 9

    done = update(bench, progress=vanish)
    assert meter.activations == [IMAGE]
    assert done.reconnections == 1
    assert bench.unreachable == 0


def test_what_a_killed_client_has_sent_is_not_sent_again(meter: ImageMeter, bench: Bench) -> None:
    def killed(step: FirmwareProgress) -> None:
        if step.blocks == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        update(bench, progress=killed)
    another = Bench(device=bench.device)
    done = update(another)
    assert (done.resumed_at, done.blocks_sent) == (5, 3)
    assert meter.received == list(range(BLOCKS))
    assert meter.initiated == 1
    assert meter.activations == [IMAGE]


def test_a_transfer_is_begun_anew_where_that_is_wanted(meter: ImageMeter, bench: Bench) -> None:
    update(bench, activate="not")
    done = update(bench, resume=False)
    assert (done.resumed_at, done.blocks_sent, meter.initiated) == (None, BLOCKS, 2)


def test_a_transfer_with_another_number_of_blocks_is_not_taken_over(meter: ImageMeter, bench: Bench) -> None:
    meter.size, meter.status, meter.blocks = 80, S.INITIATED, {0: bytes(8)}
    done = update(bench)
    assert (done.resumed_at, done.blocks_sent) == (None, BLOCKS)


def test_blocks_of_another_image_are_found_by_verification_and_all_is_sent_once_more(
    meter: ImageMeter, bench: Bench
) -> None:
    meter.size, meter.status, meter.blocks = 60, S.INITIATED, {0: bytes(8), 3: bytes(8)}
    seen: list[FirmwareProgress] = []
    done = update(bench, progress=seen.append)
    assert meter.activations == [IMAGE]
    blocks = [one.blocks for one in seen if one.status is S.INITIATED]
    assert blocks == [0, 2, *range(3, BLOCKS + 1), *range(BLOCKS + 1)]
    assert (meter.initiated, done.resumed_at, done.blocks_sent) == (1, None, 6 + BLOCKS)


def test_a_transfer_that_turns_out_to_be_of_another_identifier_is_begun_anew(meter: ImageMeter, bench: Bench) -> None:
    meter.identifier, meter.size, meter.status, meter.blocks = b"other", 60, S.INITIATED, {0: IMAGE[:8]}
    done = update(bench)
    assert (meter.initiated, meter.identifier, done.resumed_at) == (1, b"fw1", None)
    assert meter.activations == [IMAGE]


def test_a_verified_image_of_another_identifier_is_replaced(meter: ImageMeter, bench: Bench) -> None:
    update(bench, identifier="other", activate="not")
    done = update(bench)
    assert (done.resumed_at, meter.identifier) == (None, b"fw1")
    assert meter.initiated == 2


def test_an_activation_of_another_image_is_left_alone(meter: ImageMeter, bench: Bench) -> None:
    meter.status, meter.activating, meter.identifier = S.ACTIVATION_INITIATED, 99, b"other"
    with pytest.raises(ServiceFailed, match="another image is being activated") as caught:
        update(bench)
    assert (caught.value.code, caught.value.label) == (5, "activation-initiated")
    assert meter.initiated == 0


# ---- blocks ----------------------------------------------------------------------------------------------------------


def test_only_missing_blocks_are_sent_again(meter: ImageMeter, bench: Bench) -> None:
    meter.drops = [2, 5, 7]
    done = update(bench)
    assert meter.received == [*range(BLOCKS), 2, 5, 7]
    assert done.blocks_sent == BLOCKS + 3
    assert meter.activations == [IMAGE]


def test_passes_that_leave_fewer_and_fewer_blocks_missing_go_on(meter: ImageMeter, bench: Bench) -> None:
    meter.drops = [3, 4, 5, 6, 7, 4, 5, 6, 7, 5, 6, 7, 6, 7, 7]
    done = update(bench)
    assert meter.activations == [IMAGE]
    assert done.blocks_sent == BLOCKS + 5 + 4 + 3 + 2 + 1


def test_a_bitmap_that_is_too_short_says_that_the_rest_is_missing(meter: ImageMeter, bench: Bench) -> None:
    whole = meter.bitmap
    meter.bitmap = lambda: BitString(whole()[:5]) if len(meter.blocks) < BLOCKS else whole()  # type: ignore[method-assign]  # a double for one test
    update(bench)
    assert meter.received == list(range(BLOCKS))
    assert meter.activations == [IMAGE]


def test_blocks_that_never_stay_are_not_sent_for_ever(meter: ImageMeter, bench: Bench) -> None:
    meter.drops = [4] * 1000
    with pytest.raises(ProtocolError, match="acknowledges the blocks that it misses, 4"):
        update(bench)
    assert len(meter.received) < BLOCKS + 10


def test_only_passes_in_which_all_was_acknowledged_count_as_futile(meter: ImageMeter, bench: Bench) -> None:
    meter.drops = [4, 4]

    def busy(step: FirmwareProgress) -> None:
        if len(meter.received) == BLOCKS + 1:
            meter.busy_blocks.setdefault(4, 6)

    update(bench, progress=busy)
    assert meter.received == [*range(BLOCKS), 4, 4]
    assert meter.activations == [IMAGE]


def test_a_meter_that_stays_busy_with_a_lost_block_is_left_after_a_while(meter: ImageMeter, bench: Bench) -> None:
    meter.drops = [4]

    def busy(step: FirmwareProgress) -> None:
        if len(meter.received) == BLOCKS:
            meter.busy_blocks = {4: 10_000}

    with pytest.raises(ResponseTimeout, match="7 of 8 blocks"):
        update(bench, progress=busy, patience=50.0)


def test_a_busy_meter_is_given_time(meter: ImageMeter, bench: Bench) -> None:
    meter.busy_blocks = {3: 4}
    update(bench, interval=2.0)
    assert meter.received == list(range(BLOCKS))
    assert bench.waited == 2.0 * (4 - 2)  # blocks had come before the first, and the second is followed up at once


def test_a_block_that_is_refused_once_is_tried_again_and_twice_is_an_error(meter: ImageMeter, bench: Bench) -> None:
    meter.refused_blocks = {3: 1, 5: 2}
    with pytest.raises(ActionFailed, match="image_block_transfer") as caught:
        update(bench)
    assert caught.value.label == "other-reason"
    assert meter.received == [0, 1, 2, 3, 4]


def test_a_meter_that_shows_no_bitmap_is_asked_for_the_first_missing_block(meter: ImageMeter) -> None:
    meter.transfer._readers.pop(3)
    bench = Bench(*meter.objects)
    meter.drops = [6]
    update(bench)
    assert meter.received == [*range(BLOCKS), 6, 7]
    assert meter.activations == [IMAGE]


def test_a_block_size_of_nothing_is_refused(meter: ImageMeter, bench: Bench) -> None:
    meter.block_size = 0
    with pytest.raises(ProtocolError, match=r"image_block_size\) is 0"):
        update(bench)
    assert meter.initiated == 0


def test_a_block_size_that_changes_in_the_middle_is_refused(meter: ImageMeter, bench: Bench) -> None:
    def change(step: FirmwareProgress) -> None:
        if step.blocks == BLOCKS:
            meter.block_size = 16

    with pytest.raises(ProtocolError, match="changed in the middle"):
        update(bench, progress=change)
    assert meter.activated == 0


# ---- verification and what the meter says of the image ---------------------------------------------------------------


@pytest.mark.parametrize("slow", [0, 3])
def test_an_image_that_the_meter_finds_wrong_is_not_activated(slow: int) -> None:
    meter = ImageMeter(good=b"another image")
    meter.verifying = slow
    bench = Bench(*meter.objects)
    with pytest.raises(ServiceFailed, match="check the file") as caught:
        update(bench)
    assert (caught.value.code, caught.value.label) == (4, "verification-failed")
    assert (meter.initiated, meter.activated) == (1, 0)


def test_a_meter_that_never_finishes_verifying_is_left_after_a_while(meter: ImageMeter, bench: Bench) -> None:
    meter.verifying = 10_000
    with pytest.raises(ResponseTimeout, match="all blocks came: the same call goes on"):
        update(bench, patience=100.0, interval=10.0)
    assert bench.waited == 100.0 - 10.0
    assert meter.activated == 0


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"shown_size": 61}, "image_to_activate_size is 61, not 60"),
        ({"shown_identifier": b"other"}, "image_to_activate_identification is b'other'"),
    ],
)
def test_an_image_that_is_shown_otherwise_is_not_activated(
    meter: ImageMeter, bench: Bench, wrong: dict[str, Any], named: str
) -> None:
    vars(meter).update(wrong)
    with pytest.raises(ServiceFailed, match=named):
        update(bench)
    assert meter.activated == 0
    update(bench, check=False)
    assert meter.activations == [IMAGE]


def test_the_signature_is_compared_where_it_is_given(meter: ImageMeter, bench: Bench) -> None:
    with pytest.raises(ServiceFailed, match="image_to_activate_signature is"):
        update(bench, signature=b"wrong")
    assert meter.activated == 0
    update(bench, signature=hashlib.sha256(IMAGE).digest())
    assert meter.activations == [IMAGE]


def test_a_meter_that_shows_nothing_of_the_image_is_trusted(meter: ImageMeter) -> None:
    meter.transfer._readers.pop(7)
    bench = Bench(*meter.objects)
    assert update(bench).info == ()
    assert meter.activations == [IMAGE]


# ---- activation ------------------------------------------------------------------------------------------------------


def test_a_meter_that_hangs_up_and_restarts_while_activating_is_asked_afterwards(
    meter: ImageMeter, bench: Bench
) -> None:
    meter.activating = 3

    def restart() -> None:
        bench.hanging_up = True
        bench.unreachable = 12

    meter.on_activate = restart
    done = update(bench)
    assert meter.activated == 1
    assert done.status is S.ACTIVATION_SUCCESSFUL
    assert (done.active_after, bench.unreachable) == (IMAGE, 0)


def test_an_activation_that_was_accepted_is_not_asked_for_again(meter: ImageMeter, bench: Bench) -> None:
    meter.quiet = 4
    update(bench)
    assert (meter.activated, meter.activations) == (1, [IMAGE])


def test_what_was_shown_of_the_image_is_kept_where_the_meter_forgets_it(meter: ImageMeter, bench: Bench) -> None:
    meter.keeps_info = False
    (info,) = update(bench).info
    assert (info.image_to_activate_identification, info.image_to_activate_size) == (b"fw1", 60)


def test_a_failed_activation_is_an_error(meter: ImageMeter, bench: Bench) -> None:
    meter.fails_activation = True
    with pytest.raises(ServiceFailed, match="keeps its firmware") as caught:
        update(bench)
    assert (caught.value.code, caught.value.label) == (7, "activation-failed")
    assert meter.active == OLD


def test_a_meter_that_forgets_the_transfer_in_its_restart_is_known_by_its_firmware(
    meter: ImageMeter, bench: Bench
) -> None:
    meter.forgets, meter.activating = True, 2
    done = update(bench)
    assert (done.status, done.active_after) == (S.NOT_INITIATED, IMAGE)
    assert meter.initiated == 1


def test_a_restart_that_shows_the_old_firmware_leaves_the_outcome_unknown(meter: ImageMeter, bench: Bench) -> None:
    meter.forgets = True

    def nothing() -> None:
        meter.status, meter.blocks = S.NOT_INITIATED, {}

    meter.take_over = nothing  # type: ignore[method-assign]  # a double for one test
    with pytest.raises(OutcomeUnknown, match="forgotten the image transfer"):
        update(bench)
    assert (meter.initiated, meter.activated) == (1, 1)


def test_without_an_active_firmware_identifier_a_forgotten_transfer_leaves_the_outcome_unknown(
    meter: ImageMeter,
) -> None:
    meter.forgets = True
    bench = Bench(meter.transfer)
    with pytest.raises(OutcomeUnknown):
        update(bench)


def test_the_abstract_firmware_identifier_counts_where_the_other_is_not_there(meter: ImageMeter) -> None:
    meter.forgets = True
    bench = Bench(meter.transfer, data("0-0:0.2.0", DataType.OCTET_STRING, lambda now: meter.active))
    assert update(bench).active_after == IMAGE


def test_an_activation_that_never_ends_leaves_the_outcome_unknown(meter: ImageMeter, bench: Bench) -> None:
    meter.activating = 10_000
    with pytest.raises(OutcomeUnknown, match="whether the image is active is not known"):
        update(bench, patience=50.0)
    assert meter.activated == 1


def test_a_meter_that_stays_away_after_activation_leaves_the_outcome_unknown(meter: ImageMeter, bench: Bench) -> None:
    def gone() -> None:
        bench.hanging_up = True
        bench.unreachable = 10_000

    meter.on_activate = gone
    with pytest.raises(OutcomeUnknown) as caught:
        update(bench, patience=50.0)
    assert isinstance(caught.value.__cause__, ConnectionFailed)


# ---- at a time -------------------------------------------------------------------------------------------------------

LATER = dt.datetime(2026, 11, 21, 3, 30, 15, tzinfo=dt.UTC)
ZONE = dt.timezone(dt.timedelta(hours=1))


@pytest.mark.parametrize(
    ("when", "zone", "hour"), [(LATER, dt.UTC, 3), (LATER, ZONE, 4), (LATER.replace(tzinfo=None), ZONE, 3)]
)
def test_activation_at_a_time_is_handed_to_the_schedule(
    meter: ImageMeter, when: dt.datetime, zone: dt.timezone, hour: int
) -> None:
    planned = schedule()
    bench = Bench(*meter.objects, planned, zone=zone)
    done = update(bench, activate=when)
    assert (done.status, meter.activated) == (S.VERIFICATION_SUCCESSFUL, 0)
    assert done.activation is not None
    assert done.activation.utcoffset() == zone.utcoffset(None)
    (entry,) = bench.run(bench.session.read("22/0-0:15.0.2:4"))
    assert (entry.time, entry.date) == (
        Time.of(hour=hour, minute=30, second=15, hundredths=0),
        Date.of(year=2026, month=11, day_of_month=21, day_of_week=6),
    )


@pytest.mark.parametrize("recovery", [STANDARD, NONE], ids=["standard", "none"])
@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("number", range(15, 20))
def test_breaks_around_the_schedule_are_got_over(number: int, fault: Fault, recovery: Recovery) -> None:
    meter = ImageMeter(good=IMAGE)
    bench = Bench(*meter.objects, schedule(), recovery=recovery)
    bench.faults = {number: fault}
    assert update(bench, activate=LATER).status is S.VERIFICATION_SUCCESSFUL
    bench.fresh()
    bench.run(bench.session.open())
    assert len(bench.run(bench.session.read("22/0-0:15.0.2:4"))) == 1


def test_a_schedule_that_runs_something_else_is_not_used(meter: ImageMeter) -> None:
    bench = Bench(*meter.objects, schedule("0-0:10.0.106"))
    with pytest.raises(ServiceFailed, match="activates no image"):
        update(bench, activate=LATER)
    assert bench.run(bench.session.read("22/0-0:15.0.2:4")) == ()


def test_another_schedule_can_be_named(meter: ImageMeter) -> None:
    bench = Bench(*meter.objects, schedule(instance="0-3:15.0.2"))
    update(bench, activate=LATER, schedule="0-3:15.0.2")
    assert len(bench.run(bench.session.read("22/0-3:15.0.2:4"))) == 1


def test_a_meter_without_schedule_says_so(meter: ImageMeter, bench: Bench) -> None:
    with pytest.raises(DataAccessError, match="object-undefined"):
        update(bench, activate=LATER)
    assert meter.status is S.VERIFICATION_SUCCESSFUL


# ---- what cannot work ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "options"),
    [
        (b"", {}),
        (io.StringIO("text"), {}),
        ("firmware.bin", {}),
        (io.BytesIO(b""), {}),
        (IMAGE, {"activate": "later"}),
        (IMAGE, {"activate": NOW}),
        (IMAGE, {"activate": NOW.replace(tzinfo=None) - dt.timedelta(hours=1)}),
        (IMAGE, {"interval": 0.0}),
        (IMAGE, {"patience": float("inf")}),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_sent(bench: Bench, image: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        update(bench, image, **options)
    assert bench.requests == 0


def test_a_transfer_that_is_not_enabled_is_enabled_where_that_is_wanted(meter: ImageMeter, bench: Bench) -> None:
    meter.enabled = False
    with pytest.raises(ServiceFailed, match="enable=True") as caught:
        update(bench)
    assert caught.value.label == "image-transfer-not-enabled"
    update(bench, enable=True)
    assert meter.enabled
    assert meter.activations == [IMAGE]


def test_a_status_that_is_not_listed_is_refused(meter: ImageMeter, bench: Bench) -> None:
    meter.transfer._readers.pop(6)
    meter.transfer.put("image_transfer_status", EncodedData.of(DataType.ENUM, 9))
    with pytest.raises(ProtocolError, match="is 9"):
        update(bench)


def test_another_instance_is_named(meter: ImageMeter) -> None:
    with pytest.raises(DataAccessError, match="0-1:44"):
        update(Bench(*meter.objects), obis=Obis("0-1:44.0.0"))


def test_both_faces_update() -> None:
    meter = ImageMeter()
    meter.verifying = 1
    with both_faces(device_with(*meter.objects)) as run:
        one, other = run(lambda m: m.firmware.update(IMAGE, "fw1", interval=0.001))
        states = run(lambda m: m.firmware.state())
    assert one.status is other.status is S.ACTIVATION_SUCCESSFUL
    assert states[0] == states[1]
    assert meter.activations == [IMAGE, IMAGE]


def test_both_faces_get_over_a_meter_that_hangs_up() -> None:
    meter = ImageMeter()
    with serve_in_thread(device_with(*meter.objects)) as server:

        def hang_up() -> None:
            for connection in list(server._server.connections):
                connection.close()

        meter.on_block = lambda number: hang_up() if len(meter.received) in (4, 6) else None
        meter.on_activate = hang_up
        with BlockingMeter.connect(server.url(16)) as blocking:
            one = blocking.firmware.update(IMAGE, "fw1", interval=0.001)
        meter.received.clear()

        async def scenario() -> FirmwareUpdate:
            async with Meter.connect(server.url(16)) as asynchronous:
                return await asynchronous.firmware.update(IMAGE, "fw1", interval=0.001)

        other = asyncio.run(scenario())
    assert meter.activations == [IMAGE, IMAGE]
    assert meter.received == list(range(BLOCKS))
    assert one.reconnections == other.reconnections == 3
    assert one.blocks_sent == other.blocks_sent == BLOCKS


class Refusing(Bench):
    """Refuses associations that are opened anew, as often as it has results to give."""

    results: list[str]

    def _perform(self, step: Any) -> Any:
        if isinstance(step, Open) and self.connections > 1 and self.results:
            raise AssociationRejected("refused", self.results.pop(0), "no-reason-given")
        return super()._perform(step)


@pytest.mark.parametrize("number", range(1, 21))
def test_a_meter_that_opens_no_association_for_the_moment_is_asked_again(number: int) -> None:
    meter = ImageMeter(good=IMAGE)
    bench = Refusing(*meter.objects)
    bench.results = ["rejected-transient"] * 7
    bench.faults = {number: Fault.LOST_BEFORE}
    update(bench)
    assert (meter.activations, bench.results) == ([IMAGE], [])


@pytest.mark.parametrize("number", range(2, 19))
def test_a_meter_that_refuses_the_client_for_good_is_not_asked_again(number: int) -> None:
    meter = ImageMeter(good=IMAGE)
    bench = Refusing(*meter.objects)
    bench.results = ["rejected-permanent"] * 3
    bench.faults = {number: Fault.LOST_BEFORE}
    with pytest.raises((AssociationRejected, OutcomeUnknown)) as ended:
        update(bench)
    assert len(bench.results) == 2
    assert isinstance(ended.value, OutcomeUnknown) == (number == 18)  # which asks for activation


def test_a_meter_that_loses_again_what_it_has_kept_is_not_sent_blocks_for_ever(meter: ImageMeter, bench: Bench) -> None:
    looks = 0
    whole = meter.bitmap

    def losing() -> BitString:
        nonlocal looks
        if meter.status is S.INITIATED and len(meter.blocks) == BLOCKS:
            looks += 1
            for number in range(1 + looks % 2):
                del meter.blocks[number]
        return whole()

    meter.bitmap = losing  # type: ignore[method-assign]  # a whim of this meter
    with pytest.raises(ResponseTimeout, match="has not moved"):
        update(bench, patience=60.0, interval=5.0)
    assert len(meter.received) < 4 * BLOCKS
    assert meter.activated == 0


def test_a_time_that_is_over_once_the_image_is_verified_is_not_handed_over(meter: ImageMeter) -> None:
    clock = NOW
    handed = schedule()
    bench = Bench(*meter.objects, handed)
    bench._now = lambda: clock

    def later(number: int) -> None:
        nonlocal clock
        clock += dt.timedelta(hours=1)

    meter.on_block = later
    with pytest.raises(ChangeWithheld, match="is over"):
        update(bench, activate=NOW + dt.timedelta(hours=2))
    assert bench.run(bench.session.read("22/0-0:15.0.2:execution_time")) == ()
    assert meter.status is S.VERIFICATION_SUCCESSFUL
