"""The release of a ciphered association is authenticated (reference, application layer 5.3)."""

from __future__ import annotations

from typing import Any

import pytest

from cosemic import apdu as a
from cosemic.association.control import State
from cosemic.association.requests import Get, Release
from cosemic.dialect import STANDARD
from cosemic.errors import ExceptionReceived, PolicyViolation, SecurityError
from cosemic.security import Protection, is_ciphered
from tests.association.samples import REGISTER, VALUE, Talk, secure, talk

BARE = {"dialect": STANDARD.but(protect_release=False)}
DEMANDING = {"dialect": STANDARD.but(require_protected_release=True)}


def in_rlre(conversation: Talk) -> bytes | None:
    return a.RLRE.decode(conversation.answers[-1]).user_information


def test_a_protected_release_is_answered_with_a_protected_one() -> None:
    for more in ({}, DEMANDING):
        conversation = secure(client=more, server=more)
        conversation.ask(Release())
        information = in_rlre(conversation)
        assert information is not None
        assert information[0] == 0x28  # glo-initiate-response
        assert conversation.server.state is conversation.client.state is State.IDLE
        conversation.open()
        assert conversation.ask(Get(REGISTER)) == VALUE


def test_a_server_that_demands_it_does_not_release_on_a_bare_rlrq() -> None:
    conversation = secure(client=BARE, server=DEMANDING)
    with pytest.raises(ExceptionReceived, match="operation-not-possible"):
        conversation.ask(Release())
    assert conversation.server.state is State.ASSOCIATED
    released = secure(client=BARE)
    released.ask(Release())
    assert in_rlre(released) is None
    assert released.server.state is State.IDLE


def test_where_nothing_is_ciphered_a_bare_release_is_all_there_is() -> None:
    conversation = talk(client=DEMANDING, server=DEMANDING)
    conversation.ask(Release())
    assert conversation.answers[-1] == bytes.fromhex("6303800100")


def test_a_client_that_demands_it_takes_no_bare_rlre() -> None:
    conversation = secure(client=DEMANDING, server=BARE)
    with pytest.raises(PolicyViolation, match="did not protect"):
        conversation.ask(Release())
    assert conversation.client.state is State.IDLE
    secure(server=BARE).ask(Release())


@pytest.mark.parametrize("spoilt", ["tag", "replayed", "request"])
def test_a_release_that_is_not_what_it_says_releases_nothing(spoilt: str) -> None:
    conversation = secure()
    recorded = a.AARQ.decode(conversation.requests[0]).user_information or b""

    def spoil(apdu: bytes) -> bytes:
        made = a.RLRQ.decode(apdu)
        information = made.user_information or b""
        made.user_information = {
            "tag": information[:-1] + bytes((information[-1] ^ 1,)),
            "replayed": recorded,
            "request": conversation.requests[1],  # pass 3, under the same key
        }[spoilt]
        return made.encode()

    conversation.to_server = spoil
    with pytest.raises(ExceptionReceived) as caught:
        conversation.ask(Release())
    assert caught.value.service_error == {"tag": "deciphering-error"}.get(spoilt, "invocation-counter-error")
    assert conversation.server.state is State.ASSOCIATED


@pytest.mark.parametrize("more", [{}, DEMANDING])
def test_an_rlre_that_is_forged_is_not_believed(more: dict[str, Any]) -> None:
    conversation = secure(client=more)

    def spoil(apdu: bytes) -> bytes:
        made = a.RLRE.decode(apdu)
        made.user_information = (made.user_information or b"")[:-1] + b"\0"
        return made.encode()

    conversation.to_client = spoil
    with pytest.raises(SecurityError):
        conversation.ask(Release())


def test_the_rlre_is_protected_like_the_rlrq_and_at_least_as_the_policy_demands() -> None:
    conversation = secure()
    conversation.ask(Release())
    for octets in (a.RLRQ.decode(conversation.requests[-1]).user_information, in_rlre(conversation)):
        assert octets is not None
        assert is_ciphered(octets)
        assert octets[2] == 0x30
        assert Protection(octets[2] >> 4) == Protection.AUTHENTICATED | Protection.ENCRYPTED
