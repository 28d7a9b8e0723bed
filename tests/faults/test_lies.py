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
from cosemic.apdu import DataNotification
from cosemic.association.control import State
from cosemic.association.notifications import NotificationRefused, Notified
from cosemic.association.notifying import Delivered, Undelivered
from cosemic.association.requests import Accessed, Completed, Failed, Get, Open, Release, Set
from cosemic.client.recovery import NONE
from cosemic.errors import CosemicError, DecodeError, ResponseTimeout
from cosemic.faults import Driver
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
from cosemic.values import ServiceClass
from tests.faults.lied_to import (
    CLIENT_SAP,
    EIGHT,
    ENERGY,
    HELD,
    LONG,
    NUMBER,
    PUSHED,
    REGISTER,
    SERVER_SAP,
    Pushes,
    Scenery,
    held,
    session,
)

OPENINGS = (Moment.CONNECTING, Moment.OPENING, Moment.PROVING)


def told_by(role: Role, *, pushing: bool = False) -> list[Any]:
    """The lies of a role, in associations or outside."""
    told = [lie for lie in LIES if role in lie.roles and (lie.moment is Moment.PUSHING) is pushing]
    return [pytest.param(lie, id=lie.name) for lie in told]


CONFIRM = b"\x10"
PATIENCE = 60.0
"""Seconds after which all that a liar held back has come."""


def attempt(scenery: Scenery, client: ClientStation, moment: Moment) -> Any:
    """Ask; return the error, or the result."""
    try:
        return client.ask(scenery.request_of(moment), limit=100.0)
    except CosemicError as error:
        return error


def reads_rightly(scenery: Scenery, client: ClientStation) -> bool:
    return scenery.right(Moment.READING, attempt(scenery, client, Moment.READING))


def up_to(scenery: Scenery, client: ClientStation, lie: Lie) -> None:
    """Let pass what comes before the lie."""
    if lie.moment not in OPENINGS:
        client.ask(Open())
    if lie.moment is Moment.READING:
        for _ in range(lie.passing):
            assert reads_rightly(scenery, client)


def goes_on(scenery: Scenery, client: ClientStation, then: Then) -> None:
    """The honest side is in the state that the table says."""
    if then is Then.CONNECT_AGAIN:
        outcome = attempt(scenery, client, Moment.OPENING if not client.stack.association.opened else Moment.READING)
        assert isinstance(outcome, CosemicError)
        return
    if then is Then.OPEN_AGAIN:
        if client.stack.association.state is State.ASSOCIATED:
            client.ask(Release())
        client.ask(Open())
    assert reads_rightly(scenery, client)
    assert not client.ended


def results_of(outcome: Any) -> Any:
    """The data-access-result of a request, or of each entry of ACCESS; none of them has a value."""
    if isinstance(outcome, Accessed):
        assert {data.octets for _, data in outcome.results} == {b"\0"}
        return tuple(result for result, _ in outcome.results)
    return outcome[0] if isinstance(outcome, tuple) and len(outcome) == 1 else outcome


def told_of(driver: Driver) -> int:
    """How many notifications it was told of."""
    return sum(isinstance(event, Notified) for _, event in driver.events)


def each_ends_once(client: ClientStation) -> bool:
    """No request has ended twice: nothing that a liar sent was taken for an answer besides."""
    ended = [id(event.request) for _, event in client.events if isinstance(event, Completed | Failed)]
    return len(ended) == len({*ended})


def lets_in(scenery: Scenery) -> None:
    """The meter serves an honest client on a connection of its own."""
    fresh = scenery.honest()
    fresh.ask(Open())
    assert reads_rightly(scenery, fresh)
    fresh.ask(Release())


@pytest.mark.parametrize("lie", told_by(Role.SERVER))
def test_a_client_that_is_lied_to_ends_as_declared(lie: Lie) -> None:
    scenery = Scenery(lie.setting, hdlc=lie.family is Family.HDLC)
    client, link = scenery.told_by_server(lie)
    before, begun = held(client.stack), scenery.time.now
    ending = lie.server
    assert ending is not None
    up_to(scenery, client, lie)
    outcome = attempt(scenery, client, lie.moment)
    assert scenery.time.now - begun <= scenery.deadline
    if isinstance(ending, Fails):
        if ending.at is not None:
            assert scenery.right(lie.moment, outcome)
            outcome = attempt(scenery, client, ending.at)
        if not isinstance(outcome, CosemicError):
            # What nothing in the APDU betrays is found out when the value is read as its attribute is declared.
            with pytest.raises(CosemicError) as caught:
                scenery.right(lie.moment, outcome)
            outcome = caught.value
        assert type(outcome) is ending.error, outcome
        assert str(outcome)
    elif isinstance(ending, Gets):
        assert results_of(outcome) == ending.result
    else:
        assert scenery.right(lie.moment, outcome), outcome
    assert link.scene.told >= 1
    goes_on(scenery, client, ending.then)
    assert client.peak - before <= HELD
    assert each_ends_once(client)
    assert lie.notifications in (None, told_of(client))
    if not lie.ahead:
        lets_in(scenery)


@pytest.mark.parametrize("lie", told_by(Role.CLIENT))
def test_a_server_that_is_lied_to_does_what_is_declared(lie: Lie) -> None:
    scenery = Scenery(lie.setting, hdlc=lie.family is Family.HDLC)
    client, link, meter = scenery.told_by_client(lie)
    before = held(meter.session)
    ending = lie.client
    assert ending is not None
    up_to(scenery, client, lie)
    outcome = attempt(scenery, client, lie.moment)
    scenery.time.run_for(PATIENCE)
    answers = link.scene.answers
    assert link.scene.told >= 1
    assert meter.session.ended is isinstance(ending, Closes)
    if isinstance(ending, Right):
        assert scenery.right(lie.moment, outcome), outcome
    elif isinstance(ending, Says):
        assert any(map(ending.fits, answers)), [answer.hex() for answer in answers]
        assert scenery.untouched()
    else:
        assert all(answer[:1] == b"\xd8" for answer in answers)
        assert isinstance(ending, Closes) or answers == []
        assert scenery.untouched()
    assert meter.peak - before <= HELD
    goes_on(scenery, client, ending.then)
    if not lie.ahead:
        lets_in(scenery)


@pytest.mark.parametrize("lie", told_by(Role.SERVER, pushing=True))
def test_a_notification_that_is_a_lie_is_refused(lie: Lie) -> None:
    pushes = Pushes(lie)
    before = held(pushes.client)
    for _ in range(lie.passing):
        assert [type(event) for event in pushes.push()] == [Notified]
    events = pushes.push()
    assert pushes.lying.scene.told == 1
    ending = lie.server
    assert isinstance(ending, Fails)
    refused = [event.error for event in events if isinstance(event, NotificationRefused)]
    assert ending.error in [type(error) for error in refused]
    assert all(map(str, refused))
    assert sum(isinstance(event, Notified) for event in events) == lie.notifications
    confirmations = [answer for answer in pushes.lying.scene.answers if answer[:1] == CONFIRM]
    assert len(confirmations) == lie.notifications
    assert pushes.honest.peak - before <= HELD
    (notified,) = pushes.push()
    assert isinstance(notified, Notified)
    assert isinstance(notified.apdu, DataNotification)
    assert notified.apdu.notification_body == PUSHED


@pytest.mark.parametrize("lie", told_by(Role.CLIENT, pushing=True))
def test_a_confirmation_that_is_a_lie_confirms_nothing(lie: Lie) -> None:
    pushes = Pushes(lie)
    before = held(pushes.meter)
    for _ in range(lie.passing):
        assert [type(event) for event in pushes.push()] == [Delivered]
    (event,) = pushes.push()
    assert pushes.lying.scene.told == 1
    if isinstance(lie.client, Fails):
        assert isinstance(event, Undelivered)
        assert type(event.error) is lie.client.error, event.error
        assert str(event.error)
    else:
        assert isinstance(event, Delivered)
    assert pushes.honest.peak - before <= HELD
    assert [type(event) for event in pushes.push()] == [Delivered]


def test_what_is_said_to_an_unconfirmed_request_answers_no_other_one() -> None:
    scenery = Scenery(Setting.PLAIN)
    client, link = scenery.told_by_server(BY_NAME["unconfirmed-answered"])
    client.ask(Open())
    assert client.ask(Set(NUMBER, EIGHT, service_class=ServiceClass.UNCONFIRMED)) is None
    client.ask(Get(LONG))  # the lie answers with the invoke-id of the one before
    assert reads_rightly(scenery, client)
    assert link.scene.told == 1
    assert each_ends_once(client)


# ---- no lie ---------------------------------------------------------------------------------------------------------

SILENCE = Lie("silence", "nothing", "no clause", family=Family.SERVICES, tell=lambda said, scene: None, times=None)


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
    moments = session(setting)
    for moment in moments:
        assert scenery.right(moment, client.ask(scenery.request_of(moment))), moment
    assert link.scene.told == 0
    assert len(scenery.blocks) == sum(moment in (Moment.INVOKING, Moment.BLOCK_INVOKING) for moment in moments)


@pytest.mark.parametrize("setting", [Setting.PLAIN, Setting.CIPHERED])
@pytest.mark.parametrize("role", Role)
def test_notifications_without_a_lie_are_delivered(role: Role, setting: Setting) -> None:
    roles: dict[str, Any] = {role.value: Right()}
    pushes = Pushes(replace(SILENCE, setting=setting, moment=Moment.PUSHING, **roles))
    for _ in range(3):
        assert [type(event) for event in pushes.push()] == [Notified if role is Role.SERVER else Delivered]


# ---- the table ------------------------------------------------------------------------------------------------------


def test_there_are_three_hundred_lies_and_more_than_six_in_every_family() -> None:
    assert len(BY_NAME) == len(LIES) >= 300
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
