"""Pushes in layers: what push_protection_parameters ask for beyond one layer under a global key."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cosemic import apdu as a
from cosemic.association.notifications import NotifyData
from cosemic.association.notifying import Delivered, NotificationSender
from cosemic.association.parties import GeneralParties
from cosemic.errors import SecurityError
from cosemic.model.protection import ProtectionParametersElement
from cosemic.security import MemoryCounterStore, Protection, security_suite
from cosemic.security.data_parameters import asking
from cosemic.security.general import GeneralProtection, KeyEstablishment, Layer, LayerPlan, MemoryTransactionStore
from cosemic.security.general.party_keys import NO_PARTY_KEYS, KnownPartyKeys, PartyKeys
from cosemic.server.push.layers import LayeredSettings
from cosemic.values import DataAccessResult
from tests.security.parties import own, party
from tests.server.push_support import FAILED, SENT, Pushing
from tests.server.security_support import CLIENT_TITLE, SERVER_TITLE, material, server_settings
from tests.server.support import BOTH
from tests.server.test_push_setup import CONFIRM, START

K = KeyEstablishment
A, E, S = Protection.AUTHENTICATED, Protection.ENCRYPTED, Protection.SIGNED
KINDS = (K.GLOBAL_UNICAST, K.WRAPPED, K.ONE_PASS, K.STATIC)


def element(protection: Protection = BOTH, kind: KeyEstablishment = K.WRAPPED, **more: Any) -> Any:
    layer = Layer(recipient=CLIENT_TITLE, protection=protection, key_info=None if protection is S else kind, **more)
    return asking(layer)


def protecting(title: bytes, other: bytes, suite: int, **changed: Any) -> GeneralProtection:
    return GeneralProtection(
        own(title, suite),
        [party(other, suite, **({"material": material(suite)} | changed))],
        suite=security_suite(suite),
        counters=MemoryCounterStore(),
        transactions=MemoryTransactionStore(),
    )


def pushing(suite: int, *elements: ProtectionParametersElement, policy: int = 0, **options: Any) -> Pushing:
    known = party(CLIENT_TITLE, suite)
    keys: PartyKeys = NO_PARTY_KEYS
    if known.signing and known.agreement:
        keys = KnownPartyKeys({CLIENT_TITLE: known.signing}, {CLIENT_TITLE: known.agreement})
    parties = GeneralParties(
        transactions=MemoryTransactionStore(),
        key_infos=frozenset(KINDS) if suite else frozenset({K.GLOBAL_UNICAST, K.WRAPPED}),
        signing_key=own(SERVER_TITLE, suite).signing_key,
        agreement_key=own(SERVER_TITLE, suite).agreement_key,
        keys=keys,
    )
    settings = server_settings(1, suite, policy, client_title=CLIENT_TITLE, parties=parties)
    given: dict[str, Any] = {"push_protection_parameters": elements} | options
    return Pushing(START, settings=settings, **given)


def sent(device: Pushing) -> tuple[NotificationSender, bytes]:
    """What leaves the device, and its sender."""
    device.setup.push(START)
    ((_, outgoing),) = device.go(START)
    sender = NotificationSender(outgoing.settings)
    sender.send(outgoing.notification)
    octets = sender.octets_to_send()
    device.device.outbox.finish(outgoing, SENT)
    return sender, octets


@pytest.mark.parametrize("suite", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_signed_and_enciphered_pushes_are_opened_by_their_client_and_once(suite: int, kind: KeyEstablishment) -> None:
    device = pushing(suite, element(S), element(BOTH, kind))
    _, octets = sent(device)
    client = protecting(CLIENT_TITLE, SERVER_TITLE, suite)
    found = client.unprotect(octets)
    assert [layer.protection for layer in found.layers] == [BOTH, S]
    assert a.DataNotification.decode(found.apdu).notification_body.value() == (7,)
    with pytest.raises(SecurityError):
        client.unprotect(octets)
    assert client.unprotect(sent(device)[1]).apdu != found.apdu  # a fresh one each time


def test_a_wrapped_key_in_suite_0() -> None:
    _, octets = sent(pushing(0, element(A, other_information=b"\xcc")))
    found = protecting(CLIENT_TITLE, SERVER_TITLE, 0).unprotect(octets)
    assert (found.layers[0].protection, found.layers[0].header.other_information) == (A, b"\xcc")


@pytest.mark.parametrize(("policy", "elements", "inside"), [(0x60, [S], BOTH), (0x60, [S, BOTH], 0), (0x20, [E], A)])
def test_what_the_policy_asks_for_beyond_is_inside(policy: int, elements: list[Protection], inside: int) -> None:
    device = pushing(1, *(element(one) for one in elements), policy=policy)
    _, octets = sent(device)
    client = protecting(CLIENT_TITLE, SERVER_TITLE, 1, encryption_alone=True)
    found = client.unprotect(octets)
    assert (found.apdu[0] == 0xDB) is bool(inside)
    if inside:
        assert found.apdu[10] >> 4 == int(inside) or found.apdu[11] >> 4 == int(inside)


def test_a_policy_that_asks_for_signatures_needs_an_element_for_them() -> None:
    device = pushing(1, policy=0x80)
    assert device.set(10, (element(BOTH),)) is DataAccessResult.OTHER_REASON
    assert "asks for a digital signature" in device.told[-1].details["reason"]
    assert device.set(10, (element(S), element(BOTH))) is DataAccessResult.SUCCESS


@pytest.mark.parametrize(
    ("suite", "elements", "why"),
    [
        (1, [element(transaction_id=b"1")], "leave it empty"),
        (1, [asking(Layer(recipient=SERVER_TITLE, protection=S))], "not that of the push client"),
        (1, [asking(Layer(recipient=CLIENT_TITLE, protection=S), originator=CLIENT_TITLE)], "originator_system_title"),
        (0, [element(BOTH, K.ONE_PASS)], "one_pass is not permitted"),
        (0, [element(S)], "no key for digital signatures"),
    ],
)
def test_what_cannot_be_applied_is_refused_by_name(suite: int, elements: list[Any], why: str) -> None:
    device = pushing(suite)
    assert device.set(10, elements) is DataAccessResult.OTHER_REASON
    assert why in device.told[-1].details["reason"]


def test_without_general_protection_layers_are_refused() -> None:
    device = pushing(1, general=lambda client: None)
    assert device.set(10, (element(S),)) is DataAccessResult.OTHER_REASON


def test_each_attempt_is_protected_anew() -> None:
    device = pushing(1, element(BOTH, K.STATIC), number_of_retries=1)
    device.setup.push(START)
    (_, first), (_, second) = device.go(START, FAILED)
    made = []
    for outgoing in (first, second):
        sender = NotificationSender(outgoing.settings)
        sender.send(outgoing.notification)
        made.append(sender.octets_to_send())
    client = protecting(CLIENT_TITLE, SERVER_TITLE, 1)
    assert len({client.unprotect(one).layers[0].header.transaction_id for one in made}) == 2


# ---- confirmations ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("elements", "layers", "counts"),
    [
        ([S, BOTH], [S, BOTH], True),
        ([S, BOTH], [BOTH], False),
        ([S], [S], True),
        ([BOTH], [BOTH], True),
        ([BOTH], [A], False),
        ([BOTH], [S], False),
        ([S], [], False),
        ([BOTH], [], False),
    ],
)
def test_a_confirmation_counts_in_layers_like_those_of_the_push(
    elements: list[Protection], layers: list[Protection], counts: bool
) -> None:
    device = pushing(1, *(element(one) for one in elements), push_operation_method=CONFIRM)
    sender, octets = sent(device)
    client = protecting(CLIENT_TITLE, SERVER_TITLE, 1)
    request = a.DataNotification.decode(client.unprotect(octets).apdu)
    confirmation = a.DataNotificationConfirm(request.long_invoke_id_and_priority, b"").encode()
    plan = LayerPlan(
        tuple(
            Layer(recipient=SERVER_TITLE, protection=one, key_info=None if one is S else K.WRAPPED)
            for one in reversed(layers)
        )
    )
    sender.tick(0.0)
    answer = client.protect(confirmation, plan) if layers else confirmation
    assert [type(event) for event in sender.receive(answer, 1.0)] == ([Delivered] if counts else [])
    if counts:
        settings = sender.settings
        assert isinstance(settings, LayeredSettings)
        with pytest.raises(SecurityError):
            settings.layered.unprotect(answer)  # it has counted, once


def test_a_changed_confirmation_does_not_count() -> None:
    sender, octets = sent(pushing(1, element(BOTH), push_operation_method=CONFIRM))
    client = protecting(CLIENT_TITLE, SERVER_TITLE, 1)
    request = a.DataNotification.decode(client.unprotect(octets).apdu)
    confirmation = a.DataNotificationConfirm(request.long_invoke_id_and_priority, b"").encode()
    answer = client.protect(confirmation, LayerPlan((Layer(recipient=SERVER_TITLE, key_info=K.WRAPPED),)))
    sender.tick(0.0)
    assert not sender.receive(answer[:-1] + bytes((answer[-1] ^ 1,)), 1.0)
    assert sender.receive(answer, 1.0)


def test_settings_say_what_is_applied() -> None:
    device = pushing(1, element(S), element(BOTH))
    device.setup.push(START)
    ((_, outgoing),) = device.go(START)
    assert isinstance(outgoing.settings, LayeredSettings)
    assert isinstance(outgoing.notification, NotifyData)
    assert replace(outgoing.settings, material=None).context() is None
