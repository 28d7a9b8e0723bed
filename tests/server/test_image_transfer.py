"""Image transfer: what each method does in each state, and that nothing that has come is lost."""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import random
import subprocess
import sys
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.association.service_provider import ServerSettings
from cosemic.client import BlockingMeter
from cosemic.codec import EncodedData
from cosemic.errors import ConfigurationError
from cosemic.model import ImageTransfer
from cosemic.model.image_transfer import (
    ImageBlock,
    ImageToActivateInfo,
    ImageTransferInitiate,
    ImageTransferStatus,
)
from cosemic.server import (
    Admission,
    Image,
    ImageTransferObject,
    LogicalDevice,
    crc32_at_end,
    managing,
    sha256_at_end,
)
from cosemic.server.image_transfer import LONGEST_IDENTIFIER
from cosemic.server.state import StateFile
from cosemic.values import ActionResult, DataAccessResult, Obis
from tests.effort import examples
from tests.server.support import NOW, View

S = ImageTransferStatus
R = ActionResult
NAME = "0-0:44.0.0"
IDENTIFIER = b"CSM firmware 2.0"
CONTENT = bytes(random.Random(3).randbytes(1050))
BLOCK = 100
BLOCKS = 11
VERIFYING, ACTIVATING = dt.timedelta(seconds=30), dt.timedelta(seconds=60)


class Bench:
    """A device with an image transfer, its time, and a client at it."""

    def __init__(self, state: Any = None, **parameters: Any) -> None:
        self.now = NOW
        self.activated: list[tuple[bytes, bytes, dt.datetime]] = []
        self.works = True
        self.device = LogicalDevice("TST", now=lambda: self.now, state=state)
        self.device.admit(Admission(client_sap=16, settings=ServerSettings(), rights=managing()))
        self.told: list[tuple[str, dt.datetime, dict[str, Any]]] = []
        self.device.listeners.append(
            lambda one: (
                self.told.append((one.name, one.at, dict(one.details))) if one.name != "parameter-written" else None
            )
        )
        chosen = {"block_size": BLOCK, "activate": self.activate} | parameters
        self.object = self.device.add(ImageTransferObject(self.device, **chosen))
        self.view = View(self.device)

    def activate(self, image: Image, at: dt.datetime) -> bool:
        if self.works:
            self.activated.append((image.identifier, image.content, at))
        return self.works

    def call(self, name: str, parameter: Any = 0) -> ActionResult:
        declared = ImageTransfer.method_named(name)
        octets = EncodedData.from_typed(declared.parameter.encode(parameter))
        result = self.view.act(18, NAME, declared.index, octets).result
        assert isinstance(result, ActionResult)
        return result

    def initiate(self, size: int = len(CONTENT), identifier: bytes = IDENTIFIER) -> ActionResult:
        return self.call("image_transfer_initiate", ImageTransferInitiate(identifier, size))

    def send(self, *numbers: int, content: bytes = CONTENT) -> list[ActionResult]:
        return [self.call("image_block_transfer", ImageBlock(n, content[n * BLOCK : (n + 1) * BLOCK])) for n in numbers]

    def verify(self) -> ActionResult:
        return self.call("image_verify")

    def activation(self) -> ActionResult:
        return self.call("image_activate")

    def transfer(self) -> Bench:
        assert self.initiate() is R.SUCCESS
        assert {*self.send(*range(BLOCKS))} == {R.SUCCESS}
        return self

    def get(self, name: str) -> Any:
        declared = ImageTransfer.attribute_named(name)
        found = self.view.get(18, NAME, declared.index)
        return declared.decode(found.typed()) if isinstance(found, EncodedData) else found

    @property
    def status(self) -> ImageTransferStatus:
        found: ImageTransferStatus = self.get("image_transfer_status")
        assert found is self.object.status
        return found

    @property
    def names(self) -> list[str]:
        return [name for name, _, _ in self.told]

    def everything(self) -> list[Any]:
        return [self.get(one.name) for one in ImageTransfer.attributes.values()]


def bits(*numbers: int, count: int = BLOCKS) -> str:
    return "".join("1" if number in numbers else "0" for number in range(count))


def test_before_a_transfer_nothing_is_there() -> None:
    bench = Bench()
    assert bench.everything() == [Obis(NAME), BLOCK, "", 0, True, S.NOT_INITIATED, ()]
    assert bench.send(0) == [R.OTHER_REASON]
    assert (bench.verify(), bench.activation()) == (R.OTHER_REASON, R.OTHER_REASON)
    assert bench.status is S.NOT_INITIATED


def test_an_image_comes_in_blocks_is_verified_and_activated() -> None:
    bench = Bench()
    assert bench.initiate() is R.SUCCESS
    assert bench.status is S.INITIATED
    assert bench.get("image_transferred_blocks_status") == bits()
    bench.send(0, 1, 3)
    assert bench.get("image_transferred_blocks_status") == bits(0, 1, 3)
    assert bench.get("image_first_not_transferred_block_number") == 2
    bench.send(2, *range(4, BLOCKS))
    assert bench.get("image_transferred_blocks_status") == bits(*range(BLOCKS))
    assert bench.get("image_first_not_transferred_block_number") == BLOCKS
    assert bench.get("image_to_activate_info") == ()
    assert bench.verify() is R.SUCCESS
    assert bench.status is S.VERIFICATION_SUCCESSFUL
    assert bench.get("image_to_activate_info") == (ImageToActivateInfo(len(CONTENT), IDENTIFIER, b""),)
    assert bench.activated == []
    assert bench.activation() is R.SUCCESS
    assert bench.status is S.ACTIVATION_SUCCESSFUL
    assert bench.activated == [(IDENTIFIER, CONTENT, NOW)]
    assert bench.get("image_transferred_blocks_status") == bits(*range(BLOCKS))
    assert bench.get("image_first_not_transferred_block_number") == BLOCKS
    assert bench.get("image_to_activate_info") == ()
    obis = Obis(NAME)
    assert bench.told == [
        ("image-initiated", NOW, {"obis": obis, "identification": IDENTIFIER, "size": len(CONTENT)}),
        ("image-verified", NOW, {"obis": obis, "identification": IDENTIFIER}),
        ("image-activated", NOW, {"obis": obis, "identification": IDENTIFIER, "images": [IDENTIFIER]}),
    ]


@given(
    order=st.permutations(range(BLOCKS)).flatmap(
        lambda order: st.lists(st.sampled_from(order), max_size=5).map(lambda again: [*order, *again])
    ),
    size=st.integers(1, BLOCK * BLOCKS),
)
@examples(50)
def test_blocks_may_come_in_any_order_and_again(order: list[int], size: int) -> None:
    bench, content = Bench(), CONTENT.ljust(BLOCK * BLOCKS, b"\0")[:size]
    count = -(-size // BLOCK)
    bench.initiate(size)
    come: set[int] = set()
    for number in order:
        taken = number < count
        assert bench.send(number, content=content) == [R.SUCCESS if taken else R.OTHER_REASON]
        come |= {number} if taken else set()
        missing = [number for number in range(count) if number not in come]
        assert bench.get("image_transferred_blocks_status") == bits(*come, count=count)
        assert bench.get("image_first_not_transferred_block_number") == min(missing, default=count)
    assert bench.verify() is R.SUCCESS
    assert bench.activation() is R.SUCCESS
    assert bench.activated == [(IDENTIFIER, content, NOW)]


def test_a_block_that_comes_again_takes_the_place_of_the_first() -> None:
    bench = Bench().transfer()
    assert bench.send(4, content=bytes(len(CONTENT))) == [R.SUCCESS]
    bench.activation()
    assert bench.activated[0][1] == CONTENT[:400] + bytes(100) + CONTENT[500:]


@pytest.mark.parametrize(
    ("number", "octets"),
    [
        (BLOCKS, bytes(BLOCK)),
        (BLOCKS, b""),
        (0xFFFFFFFF, bytes(BLOCK)),
        (0, bytes(BLOCK - 1)),
        (0, bytes(BLOCK + 1)),
        (0, b""),
        (BLOCKS - 1, bytes(BLOCK)),
        (BLOCKS - 1, bytes(49)),
        (BLOCKS - 1, bytes(51)),
    ],
)
def test_a_block_beyond_the_last_or_of_another_size_is_refused_and_changes_nothing(number: int, octets: bytes) -> None:
    bench = Bench()
    bench.initiate()
    bench.send(1)
    before = bench.everything()
    assert bench.call("image_block_transfer", ImageBlock(number, octets)) is R.OTHER_REASON
    assert bench.everything() == before


def test_behind_an_image_of_whole_blocks_there_is_no_empty_one() -> None:
    bench = Bench()
    bench.initiate(2 * BLOCK)
    assert bench.call("image_block_transfer", ImageBlock(2, b"")) is R.OTHER_REASON
    assert bench.get("image_transferred_blocks_status") == "00"


@pytest.mark.parametrize(
    ("size", "identifier"), [(0, b"x"), (1101, b"x"), (0xFFFFFFFF, b"x"), (100, bytes(LONGEST_IDENTIFIER + 1))]
)
def test_an_image_that_is_empty_or_too_large_is_refused_and_changes_nothing(size: int, identifier: bytes) -> None:
    bench = Bench(largest=1100)
    bench.initiate()
    bench.send(0)
    before = bench.everything()
    assert bench.initiate(size, identifier) is R.OTHER_REASON
    assert bench.everything() == before
    assert bench.initiate(1100, bytes(LONGEST_IDENTIFIER)) is R.SUCCESS


def test_a_transfer_that_is_initiated_again_begins_anew() -> None:
    bench = Bench().transfer()
    bench.verify()
    assert bench.initiate(250, b"another") is R.SUCCESS
    assert bench.everything()[2:] == ["000", 0, True, S.INITIATED, ()]
    assert bench.verify() is R.OTHER_REASON
    bench.initiate(250, b"another")
    other = bytes(range(250))
    bench.send(0, 1, 2, content=other)
    assert bench.activation() is R.SUCCESS
    assert bench.activated == [(b"another", other, NOW)]


def test_while_it_is_disabled_nothing_is_done() -> None:
    bench = Bench(enabled=False)
    octets = EncodedData.from_typed(ImageTransfer.image_transfer_enabled.type.encode(True))
    assert bench.initiate() is R.OTHER_REASON
    assert bench.view.set(18, NAME, 5, octets) is DataAccessResult.SUCCESS
    bench.transfer()
    octets = EncodedData.from_typed(ImageTransfer.image_transfer_enabled.type.encode(False))
    assert bench.view.set(18, NAME, 5, octets) is DataAccessResult.SUCCESS
    before = bench.everything()
    results = [bench.initiate(), *bench.send(0), bench.verify(), bench.activation()]
    assert results == [R.OTHER_REASON] * 4
    assert bench.everything() == before
    assert bench.names == ["image-initiated"]


def test_an_image_that_has_not_come_whole_fails_and_can_be_completed() -> None:
    bench = Bench()
    bench.initiate()
    bench.send(*range(1, BLOCKS))
    for again in range(2):
        assert bench.verify() is R.OTHER_REASON
        assert bench.status is S.VERIFICATION_FAILED
        assert bench.activation() is R.OTHER_REASON
        assert bench.names.count("image-verification-failed") == 1, again
    assert bench.send(0) == [R.SUCCESS]
    assert bench.status is S.INITIATED
    assert bench.verify() is R.SUCCESS


def test_activating_an_image_that_has_not_come_whole_fails_its_verification() -> None:
    bench = Bench()
    bench.initiate()
    assert bench.activation() is R.OTHER_REASON
    assert bench.status is S.VERIFICATION_FAILED
    assert bench.activated == []


def test_a_verified_image_takes_no_more_blocks() -> None:
    bench = Bench().transfer()
    bench.verify()
    assert bench.send(0) == [R.OTHER_REASON]
    assert bench.verify() is R.SUCCESS
    assert bench.names.count("image-verified") == 1
    bench.activation()
    assert bench.send(0) == [R.OTHER_REASON]
    assert bench.verify() is R.OTHER_REASON
    assert bench.status is S.ACTIVATION_SUCCESSFUL


def test_a_repeated_activation_activates_nothing_twice() -> None:
    bench = Bench().transfer()
    assert [bench.activation() for _ in range(3)] == [R.SUCCESS] * 3
    assert len(bench.activated) == 1


def test_an_activation_that_fails_can_be_tried_again_after_another_verification() -> None:
    bench = Bench().transfer()
    bench.works = False
    assert bench.activation() is R.OTHER_REASON
    assert bench.status is S.ACTIVATION_FAILED
    assert bench.send(0) == [R.OTHER_REASON]
    assert bench.activation() is R.OTHER_REASON
    bench.works = True
    assert bench.activation() is R.OTHER_REASON
    assert bench.verify() is R.SUCCESS
    assert bench.activation() is R.SUCCESS
    assert bench.activated == [(IDENTIFIER, CONTENT, NOW)]
    assert bench.names == ["image-initiated", "image-verified", "image-verified", "image-activated"]


# ---- what takes time -------------------------------------------------------------------------------------------------


def test_verification_and_activation_answer_temporary_failure_until_they_are_done() -> None:
    bench = Bench(verification_time=VERIFYING, activation_time=ACTIVATING).transfer()
    for _ in range(2):
        assert bench.verify() is R.TEMPORARY_FAILURE
        assert bench.status is S.VERIFICATION_INITIATED
    assert bench.send(0) == [R.TEMPORARY_FAILURE]
    assert bench.activation() is R.TEMPORARY_FAILURE
    bench.now += VERIFYING - dt.timedelta(microseconds=1)
    assert bench.verify() is R.TEMPORARY_FAILURE
    bench.now += dt.timedelta(microseconds=1)
    assert bench.verify() is R.SUCCESS
    assert bench.status is S.VERIFICATION_SUCCESSFUL
    begun = bench.now
    assert bench.activation() is R.TEMPORARY_FAILURE
    assert bench.status is S.ACTIVATION_INITIATED
    results = [bench.initiate(), *bench.send(0), bench.verify(), bench.activation()]
    assert results == [R.TEMPORARY_FAILURE] * 4
    assert bench.activated == []
    bench.now += dt.timedelta(days=1)
    assert bench.status is S.ACTIVATION_SUCCESSFUL
    assert bench.activation() is R.SUCCESS
    assert bench.activated == [(IDENTIFIER, CONTENT, begun + ACTIVATING)]
    assert [(name, at) for name, at, _ in bench.told[1:]] == [
        ("image-verified", NOW + VERIFYING),
        ("image-activated", begun + ACTIVATING),
    ]


def test_activation_verifies_an_image_first_that_was_not() -> None:
    bench = Bench(verification_time=VERIFYING, activation_time=ACTIVATING).transfer()
    assert bench.activation() is R.TEMPORARY_FAILURE
    assert bench.status is S.VERIFICATION_INITIATED
    bench.now += VERIFYING
    assert bench.status is S.ACTIVATION_INITIATED
    bench.now += ACTIVATING
    assert bench.status is S.ACTIVATION_SUCCESSFUL
    assert bench.activated == [(IDENTIFIER, CONTENT, NOW + VERIFYING + ACTIVATING)]


def test_a_verification_alone_activates_nothing_even_after_an_activation_that_failed() -> None:
    bench = Bench(verification_time=VERIFYING).transfer()
    bench.works = False
    bench.activation()
    bench.now += VERIFYING
    assert bench.activation() is R.OTHER_REASON
    assert bench.status is S.ACTIVATION_FAILED
    bench.works = True
    assert bench.verify() is R.TEMPORARY_FAILURE
    bench.now += VERIFYING
    assert bench.status is S.VERIFICATION_SUCCESSFUL
    assert bench.activated == []


def test_who_asks_again_is_told_that_a_verification_failed() -> None:
    bench = Bench(verification_time=VERIFYING, check=lambda image: ()).transfer()
    assert bench.verify() is R.TEMPORARY_FAILURE
    bench.now += VERIFYING
    assert [bench.verify() for _ in range(2)] == [R.OTHER_REASON] * 2
    assert bench.status is S.VERIFICATION_FAILED
    assert bench.names == ["image-initiated", "image-verification-failed"]


def test_a_transfer_that_begins_anew_ends_the_verification_that_runs() -> None:
    bench = Bench(verification_time=VERIFYING).transfer()
    bench.activation()
    assert bench.initiate(100) is R.SUCCESS
    bench.now += VERIFYING
    assert bench.status is S.INITIATED
    assert bench.activated == []


# ---- what an image is ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("check", "proof"),
    [
        (crc32_at_end, lambda content: zlib.crc32(content).to_bytes(4, "big")),
        (sha256_at_end, lambda content: hashlib.sha256(content).digest()),
    ],
    ids=["crc32", "sha256"],
)
def test_an_image_with_a_proof_at_its_end_is_taken_only_if_it_is_right(
    check: Callable[[Image], Sequence[ImageToActivateInfo]], proof: Callable[[bytes], bytes]
) -> None:
    content = CONTENT + proof(CONTENT)
    count = -(-len(content) // BLOCK)
    bench = Bench(check=check)
    bench.initiate(len(content))
    bench.send(*range(count), content=content)
    flipped = bytearray(content)
    flipped[777] ^= 1
    bench.send(7, content=bytes(flipped))
    assert bench.verify() is R.OTHER_REASON
    assert bench.send(7, content=content) == [R.SUCCESS]
    assert bench.verify() is R.SUCCESS
    info = ImageToActivateInfo(len(content), IDENTIFIER, proof(CONTENT))
    assert bench.get("image_to_activate_info") == (info,)
    for octet in range(len(CONTENT), len(content)):
        changed = content[:octet] + bytes((content[octet] ^ 0x80,)) + content[octet + 1 :]
        assert check(Image(b"changed", changed)) == ()
    for short in (b"", b"x", content[:3], content[:31], proof(b"")):
        assert check(Image(b"short", short)) == ()


def test_known_proofs_are_those_of_the_algorithms() -> None:
    # CRC-32 of "123456789" is CBF43926 (check value of the algorithm); SHA-256 of "abc" stands in FIPS 180-4.
    assert crc32_at_end(Image(b"", b"123456789" + bytes.fromhex("cbf43926")))
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_at_end(Image(b"", b"abc" + bytes.fromhex(digest)))


def test_one_transfer_may_bring_several_images() -> None:
    def parts(image: Image) -> list[ImageToActivateInfo]:
        half = len(image.content) // 2
        return [ImageToActivateInfo(half, b"meter", b"1"), ImageToActivateInfo(half, b"modem", b"2")]

    bench = Bench(check=parts).transfer()
    bench.verify()
    infos = bench.get("image_to_activate_info")
    assert [info.image_to_activate_identification for info in infos] == [b"meter", b"modem"]
    bench.activation()
    assert bench.told[-1][2]["images"] == [b"meter", b"modem"]


def test_several_image_transfers_stand_side_by_side() -> None:
    bench = Bench()
    second = bench.device.add(ImageTransferObject(bench.device, "0-0:44.0.1", block_size=64))
    bench.transfer()
    assert second.status is S.NOT_INITIATED
    assert bench.status is S.INITIATED
    for method, parameter in (
        (1, ImageTransferInitiate(b"small", 1)),
        (2, ImageBlock(0, b"x")),
    ):
        declared = ImageTransfer.methods[method].parameter
        bench.device.invoke(
            18, Obis("0-0:44.0.1"), method, EncodedData.from_typed(declared.encode(parameter)), bench.now
        )
    bench.device.invoke(18, Obis("0-0:44.0.1"), 4, None, bench.now)
    assert second.status is S.ACTIVATION_SUCCESSFUL
    assert bench.status is S.INITIATED


def test_another_object_of_the_device_activates_an_image() -> None:
    bench = Bench().transfer()
    bench.device.invoke(18, Obis(NAME), 4, None, NOW)
    assert bench.status is S.ACTIVATION_SUCCESSFUL


def test_sizes_that_make_no_sense_are_refused() -> None:
    for parameters in ({"block_size": 0}, {"largest": 0}):
        with pytest.raises(ConfigurationError):
            Bench(**parameters)


# ---- what outlives the process ---------------------------------------------------------------------------------------


class Lives:
    """One device, of which each process begins with what the one before has kept."""

    def __init__(self, path: Path, **parameters: Any) -> None:
        self.path = path
        self.parameters = parameters
        self.bench = self.next()

    def next(self, **changed: Any) -> Bench:
        now = getattr(self, "bench", Bench()).now
        self.bench = Bench(StateFile(self.path).of("TST"), **(self.parameters | changed))
        self.bench.now = now
        return self.bench


@given(cuts=st.sets(st.integers(0, BLOCKS + 2)), seed=st.integers(0, 1000))
@examples(15)
def test_a_transfer_goes_on_wherever_the_process_has_ended(
    tmp_path_factory: pytest.TempPathFactory, cuts: set[int], seed: int
) -> None:
    lives = Lives(tmp_path_factory.mktemp("image") / "state")
    order = random.Random(seed).sample(range(BLOCKS), BLOCKS)
    steps: list[Callable[[Bench], Any]] = [lambda bench: bench.initiate()]
    steps += [lambda bench, number=number: bench.send(number)[0] for number in order]
    steps += [lambda bench: bench.verify()]
    for number, step in enumerate(steps):
        assert step(lives.bench) is R.SUCCESS
        if number in cuts:
            before = lives.bench.everything()
            assert lives.next().everything() == before
    assert lives.bench.activation() is R.SUCCESS
    assert lives.bench.activated == [(IDENTIFIER, CONTENT, NOW)]
    assert lives.next().everything()[2:] == [bits(*range(BLOCKS)), BLOCKS, True, S.ACTIVATION_SUCCESSFUL, ()]
    assert lives.bench.activation() is R.SUCCESS
    assert lives.bench.activated == []


def test_what_runs_when_the_process_ends_is_done_in_the_next(tmp_path: Path) -> None:
    lives = Lives(tmp_path / "state", verification_time=VERIFYING, activation_time=ACTIVATING)
    lives.bench.transfer()
    lives.bench.activation()
    assert lives.next().status is S.VERIFICATION_INITIATED
    lives.bench.now += VERIFYING
    assert lives.bench.status is S.ACTIVATION_INITIATED
    lives.bench.now += ACTIVATING
    assert lives.next().status is S.ACTIVATION_SUCCESSFUL
    assert lives.bench.activated == [(IDENTIFIER, CONTENT, NOW + VERIFYING + ACTIVATING)]


def test_a_verified_image_is_ready_after_a_restart_with_what_it_brings(tmp_path: Path) -> None:
    lives = Lives(tmp_path / "state", check=lambda image: [ImageToActivateInfo(5, b"part", b"\x00\xff")])
    lives.bench.transfer()
    lives.bench.verify()
    assert lives.next().get("image_to_activate_info") == (ImageToActivateInfo(5, b"part", b"\x00\xff"),)
    assert lives.bench.activation() is R.SUCCESS
    assert lives.bench.activated == [(IDENTIFIER, CONTENT, NOW)]


def test_whether_it_is_enabled_outlives_the_process(tmp_path: Path) -> None:
    lives = Lives(tmp_path / "state")
    octets = EncodedData.from_typed(ImageTransfer.image_transfer_enabled.type.encode(False))
    lives.bench.view.set(18, NAME, 5, octets)
    assert lives.next().get("image_transfer_enabled") is False
    assert lives.bench.initiate() is R.OTHER_REASON


def kept_blocks(path: Path) -> int:
    file = StateFile(path)
    ((count,),) = file.connection.execute("SELECT COUNT(*) FROM state WHERE name LIKE '%block%'").fetchall()
    return int(count)


def test_blocks_that_are_needed_no_more_are_not_kept(tmp_path: Path) -> None:
    lives = Lives(tmp_path / "state")
    lives.bench.transfer()
    assert kept_blocks(lives.path) == BLOCKS
    lives.bench.initiate(250)
    assert kept_blocks(lives.path) == 0
    lives.next().transfer()
    lives.bench.activation()
    assert kept_blocks(lives.path) == 0


def test_with_blocks_of_another_size_a_transfer_begins_anew(tmp_path: Path) -> None:
    lives = Lives(tmp_path / "state")
    lives.bench.transfer()
    assert lives.next(block_size=64).everything()[1:] == [64, "", 0, True, S.NOT_INITIATED, ()]
    lives.bench.view.set(1, "9-9:9.9.9", 2, EncodedData.from_typed(ImageTransfer.image_block_size.type.encode(1)))
    assert kept_blocks(lives.path) == 0
    assert lives.next().transfer().activation() is R.SUCCESS


SERVE = """
import sys
from cosemic.association.service_provider import ServerSettings
from cosemic.server import Admission, ImageTransferObject, LogicalDevice, managing, serve_in_thread
from cosemic.server.state import StateFile

device = LogicalDevice("TST", state=StateFile(sys.argv[1]).of("TST"))
device.admit(Admission(client_sap=16, settings=ServerSettings(), rights=managing()))
device.add(ImageTransferObject(device, block_size=100))
with serve_in_thread(device) as server:
    print(server.url(16), flush=True)
    sys.stdin.read()
"""


@pytest.mark.slow
def test_a_transfer_goes_on_after_the_process_was_killed_in_the_middle_of_it(tmp_path: Path) -> None:
    transfer = ImageTransfer(NAME)
    blocks = itertools.count()
    for stop in (4, BLOCKS):
        child = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(tmp_path / "state")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        try:
            meter = BlockingMeter.connect(child.stdout.readline().decode().strip())
            meter.open()
            if stop < BLOCKS:
                meter.call(transfer.image_transfer_initiate, ImageTransferInitiate(IDENTIFIER, len(CONTENT)))
            else:
                assert meter.read(transfer.image_first_not_transferred_block_number) == 4
                assert meter.read(transfer.image_transferred_blocks_status) == bits(0, 1, 2, 3)
            for number in itertools.islice(blocks, stop - 4 if stop == BLOCKS else stop):
                part = CONTENT[number * BLOCK : (number + 1) * BLOCK]
                meter.call(transfer.image_block_transfer, ImageBlock(number, part))
            if stop == BLOCKS:
                meter.call(transfer.image_verify, 0)
                assert meter.read(transfer.image_transfer_status) is S.VERIFICATION_SUCCESSFUL
        finally:
            child.kill()
            child.communicate()
            meter.close()
