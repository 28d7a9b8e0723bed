"""Every meter of a fleet holds the broadcast key: what comes under it proves nobody to a client."""

from __future__ import annotations

import pytest

from cosemic.association.requests import Get
from cosemic.dialect import STANDARD
from cosemic.errors import DecipheringError
from cosemic.security.general import Layer, LayerPlan, read_header
from tests.association.general_samples import ALL, CLIENT_TITLE, SERVER_TITLE, K, ciphered, layered, material, state_of
from tests.association.samples import REGISTER, VALUE


@pytest.mark.parametrize("recipient", [CLIENT_TITLE, b""], ids=["for the client", "for everybody"])
def test_an_answer_under_the_broadcast_key_is_not_believed(recipient: bytes) -> None:
    infos = {"key_infos": ALL | {K.GLOBAL_BROADCAST}}
    talk = layered(1, ciphered(), ours=infos, theirs=infos)
    server = talk.server.settings
    assert server.parties is not None
    another_meter = server.parties.protection(
        SERVER_TITLE,
        CLIENT_TITLE,
        material(1),
        server.counters,
        dialect=STANDARD,
        encryption_alone=False,
        expand_to=0xFFFF,
    )
    answer = b"\xc4\x01\xc1\x00" + VALUE.octets

    def forged(_: bytes) -> bytes:
        asked = read_header(talk.requests[-1])[0].transaction_id
        layer = Layer(recipient=recipient, key_info=K.GLOBAL_BROADCAST, transaction_id=asked)
        return another_meter.protect(answer, LayerPlan((layer,)))

    genuine = talk.ask(Get(REGISTER))
    talk.to_client = forged
    before = state_of(talk.client)
    with pytest.raises(DecipheringError):
        talk.ask(Get(REGISTER))
    assert state_of(talk.client)[:2] == before[:2]  # type: ignore[index]
    assert genuine == VALUE
