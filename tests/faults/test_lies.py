"""Each lie, told in each role: what comes of it is what the table says, in time, in bounded memory, and no wrong value.

After each lie the honest side is what the table says it is, and the meter lets an honest client in and answers it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from cosemic import Meter
from cosemic.association.control import State
from cosemic.association.requests import Completed, Failed, Open, Release
from cosemic.client.recovery import NONE
from cosemic.errors import CosemicError, DecodeError, ResponseTimeout
from cosemic.faults.lies import (
    BY_NAME,
    LIES,
    Closes,
    Fails,
    Family,
    Gets,
    Lie,
    LyingMeterServer,
    Moment,
    Right,
    Role,
    Says,
    Setting,
    Then,
)
from cosemic.faults.lies.lie import Pace
from cosemic.faults.sessions import ClientStation
from tests.faults.lied_to import (
    CLIENT_SAP,
    ENERGY,
    HELD,
    REGISTER,
    SERVER_SAP,
    TIME_OUT,
    Scenery,
    held,
    request_of,
    right,
)

OPENINGS = (Moment.CONNECTING, Moment.OPENING, Moment.PROVING)
BY_SERVERS = [pytest.param(lie, id=lie.name) for lie in LIES if Role.SERVER in lie.roles]
BY_CLIENTS = [pytest.param(lie, id=lie.name) for lie in LIES if Role.CLIENT in lie.roles]
PATIENCE = 60.0
"""Seconds after which all that a liar held back has come."""


def attempt(client: ClientStation, moment: Moment) -> Any:
    """Ask; return the error, or the result."""
    try:
        return client.ask(request_of(moment), limit=100.0)
    except CosemicError as error:
        return error


def reads_rightly(client: ClientStation) -> bool:
    return right(Moment.READING, attempt(client, Moment.READING))


def up_to(client: ClientStation, lie: Lie) -> None:
    """Let pass what comes before the lie."""
    if lie.moment not in OPENINGS:
        client.ask(Open())
    if lie.moment is Moment.READING:
        for _ in range(lie.passing):
            assert reads_rightly(client)


def goes_on(client: ClientStation, then: Then) -> None:
    """The honest side is in the state that the table says."""
    if then is Then.CONNECT_AGAIN:
        outcome = attempt(client, Moment.OPENING if not client.stack.association.opened else Moment.READING)
        assert isinstance(outcome, CosemicError)
        return
    if then is Then.OPEN_AGAIN:
        if client.stack.association.state is State.ASSOCIATED:
            client.ask(Release())
        client.ask(Open())
    assert reads_rightly(client)
    assert not client.ended


def each_ends_once(client: ClientStation) -> bool:
    """No request has ended twice: nothing that a liar sent was taken for an answer besides."""
    ended = [id(event.request) for _, event in client.events if isinstance(event, Completed | Failed)]
    return len(ended) == len({*ended})


def lets_in(scenery: Scenery) -> None:
    """The meter serves an honest client on a connection of its own."""
    fresh = scenery.honest()
    fresh.ask(Open())
    assert reads_rightly(fresh)
    fresh.ask(Release())


@pytest.mark.parametrize("lie", BY_SERVERS)
def test_a_client_that_is_lied_to_ends_as_declared(lie: Lie) -> None:
    scenery = Scenery(lie.setting, hdlc=lie.family is Family.HDLC)
    client, link = scenery.told_by_server(lie)
    before, begun = held(client.stack), scenery.time.now
    ending = lie.server
    assert ending is not None
    up_to(client, lie)
    outcome = attempt(client, lie.moment)
    assert scenery.time.now - begun <= TIME_OUT
    if isinstance(ending, Fails):
        if ending.at is not None:
            assert right(lie.moment, outcome)
            outcome = attempt(client, ending.at)
        if not isinstance(outcome, CosemicError):
            # What nothing in the APDU betrays is found out when the value is read as its attribute is declared.
            with pytest.raises(CosemicError) as caught:
                right(lie.moment, outcome)
            outcome = caught.value
        assert type(outcome) is ending.error, outcome
        assert str(outcome)
    elif isinstance(ending, Gets):
        assert outcome is ending.result
    else:
        assert right(lie.moment, outcome), outcome
    assert link.scene.told >= 1
    assert client.peak - before <= HELD
    goes_on(client, ending.then)
    assert each_ends_once(client)
    if not lie.ahead:
        lets_in(scenery)


@pytest.mark.parametrize("lie", BY_CLIENTS)
def test_a_server_that_is_lied_to_does_what_is_declared(lie: Lie) -> None:
    scenery = Scenery(lie.setting, hdlc=lie.family is Family.HDLC)
    client, link, meter = scenery.told_by_client(lie)
    before = held(meter.session)
    ending = lie.client
    assert ending is not None
    up_to(client, lie)
    outcome = attempt(client, lie.moment)
    scenery.time.run_for(PATIENCE)
    answers = link.scene.answers
    assert link.scene.told >= 1
    assert meter.session.ended is isinstance(ending, Closes)
    if isinstance(ending, Right):
        assert right(lie.moment, outcome), outcome
    elif isinstance(ending, Says):
        assert any(map(ending.fits, answers)), [answer.hex() for answer in answers]
        assert scenery.untouched()
    else:
        assert all(answer[:1] == b"\xd8" for answer in answers)
        assert isinstance(ending, Closes) or answers == []
        assert scenery.untouched()
    assert meter.peak - before <= HELD
    goes_on(client, ending.then)
    if not lie.ahead:
        lets_in(scenery)


# ---- no lie ---------------------------------------------------------------------------------------------------------

SILENCE = Lie("silence", "nothing", "no clause", family=Family.SERVICES, tell=lambda said, scene: None, times=None)
SESSION = tuple(moment for moment in Moment if moment not in (Moment.CONNECTING, Moment.PROVING))


@pytest.mark.parametrize("hdlc", [False, True], ids=["wrapper", "hdlc"])
@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("setting", Setting)
def test_a_liar_without_its_lie_is_honest(setting: Setting, role: Role, hdlc: bool) -> None:
    scenery = Scenery(setting, hdlc=hdlc)
    client: ClientStation
    if role is Role.SERVER:
        client, link = scenery.told_by_server(SILENCE)
    else:
        client, link, _ = scenery.told_by_client(SILENCE)
    for moment in SESSION:
        assert right(moment, client.ask(request_of(moment))), moment
    assert link.scene.told == 0
    assert len(scenery.blocks) == 2


# ---- the table ------------------------------------------------------------------------------------------------------


def test_there_are_sixty_lies_and_more_in_every_family() -> None:
    assert len(BY_NAME) == len(LIES) >= 60
    families = Counter(lie.family for lie in LIES)
    assert {*families} == {*Family}
    assert min(families.values()) >= 7
    assert {lie.setting for lie in LIES} == {*Setting}
    assert {lie.moment for lie in LIES} == {*Moment}


@pytest.mark.parametrize("lie", [pytest.param(lie, id=lie.name) for lie in LIES])
def test_a_lie_says_who_tells_it_how_and_what_the_standard_says(lie: Lie) -> None:
    assert lie.roles
    assert [lie.tell, lie.reframe, lie.pace].count(None) == 2
    assert lie.does
    assert lie.standard
    assert lie.name == lie.name.lower().replace(" ", "-")


def test_what_a_peer_holds_is_counted_wherever_it_is_kept() -> None:
    def keeping() -> Iterator[None]:
        kept = bytes(5000)
        yield
        assert kept

    generator = keeping()
    next(generator)
    assert held([generator]) >= 5000
    assert 1000 <= held({"a": [bytearray(1000)]}) < 2000


# ---- on a real connection -------------------------------------------------------------------------------------------


def pieces(*seconds: float) -> Pace:
    """The first five octets and the others, so many seconds apart: a second is late here."""
    return lambda octets: [(seconds[0], octets[:5]), (seconds[1], octets[5:])]


@pytest.mark.parametrize(
    ("lie", "error"),
    [
        (replace(BY_NAME["notification-first"], times=None), None),
        (replace(BY_NAME["in-halves"], pace=pieces(0.0, 0.02), times=None), None),
        (replace(BY_NAME["late"], pace=pieces(0.0, 1.0), times=None), ResponseTimeout),
        (replace(BY_NAME["data-cut"], times=None), DecodeError),
    ],
    ids=["notification-first", "in-halves", "late", "data-cut"],
)
def test_a_liar_on_a_real_connection(lie: Lie, error: type[CosemicError] | None) -> None:
    device = Scenery(Setting.PLAIN).device

    async def session() -> Any:
        async with LyingMeterServer(lie, device) as server:
            url = f"{server.url(CLIENT_SAP, SERVER_SAP)}&timeout=0.2"
            async with Meter.connect(url, recovery=NONE) as meter:
                return await meter.read(REGISTER.instance_id)

    if error is None:
        assert asyncio.run(session()).value == ENERGY
    else:
        with pytest.raises(error):
            asyncio.run(session())
