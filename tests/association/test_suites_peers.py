"""Suites 1 and 2 against pydlms-client: its client with our server, our client with its meter."""

from __future__ import annotations

from typing import Any

import pytest

from cosemic.association.client import ClientAssociation
from cosemic.association.requests import Completed, Failed, Get, Open, Release, Request, Set
from cosemic.dialect import STANDARD, CipheredForm
from cosemic.errors import AuthenticationFailed
from cosemic.security.envelopes import open_envelope
from cosemic.values import DataAccessResult
from tests.association.pydlms_link import pydlms_link
from tests.association.samples import (
    AK,
    CLIENT_TITLE,
    CLOCK,
    ECHO,
    EK,
    LONG_AK,
    LONG_EK,
    REGISTER,
    SERVER_TITLE,
    SIGNING,
    VALUE,
    M,
    Talk,
    octets,
    settings,
)

signing = pytest.mark.parametrize("suite", [1, 2])
KEYS = {1: (EK, AK), 2: (LONG_EK, LONG_AK)}
FORMS = {
    "glo": {"protection": "glo"},
    "general-glo": {"protection": "general-glo"},
    "ded": {"protection": "glo", "use_dedicated_key": True},
    "general-ded": {"protection": "general-glo", "use_dedicated_key": True},
}


def associated(talk: Talk, mechanism: M, suite: int, **options: Any) -> Any:
    """Its client, associated with our server."""
    from pydlms.association import Association, AssociationSettings
    from pydlms.security.context import SecurityContext
    from pydlms.security.hls import Mechanism

    keys = SecurityContext(*KEYS[suite], client_system_title=CLIENT_TITLE, suite=suite)
    if mechanism is M.HLS_ECDSA:
        options["signing_key"] = SIGNING[suite][CLIENT_TITLE].to_cryptography()
        options["server_public_key"] = SIGNING[suite][SERVER_TITLE].public.to_cryptography()
    peer = Association(
        pydlms_link(talk), AssociationSettings(mechanism=Mechanism(int(mechanism)), security=keys, **options)
    )
    peer.associate()
    return peer


@signing
@pytest.mark.parametrize("mechanism", [M.LOWEST, M.HLS_GMAC, M.HLS_ECDSA], ids=lambda each: each.label)
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_pydlms_reads_and_writes_our_server(pydlms: Any, mechanism: M, suite: int, form: dict[str, Any]) -> None:
    from pydlms.apdu import xdlms
    from pydlms.cosem.data import DlmsData
    from pydlms.obis import ObisCode

    talk = Talk(*settings(mechanism, ciphered=True, suite=suite))
    peer = associated(talk, mechanism, suite, **form)
    names = [ObisCode.from_bytes(bytes(one.instance_id)) for one in (REGISTER, CLOCK, ECHO)]

    def ask(request: Any) -> Any:
        return xdlms.decode_apdu(peer.request(request.to_bytes()))

    register, clock = xdlms.AttributeDescriptor(3, names[0], 2), xdlms.AttributeDescriptor(8, names[1], 2)
    assert ask(xdlms.GetRequestNormal(peer.next_invoke_id(), register)).result.data.value == VALUE.value()
    written = bytes(range(200))
    ask(xdlms.SetRequestNormal(peer.next_invoke_id(), clock, DlmsData.octet_string(written)))
    assert talk.shelf.values[CLOCK.encode()].value() == written
    assert ask(xdlms.GetRequestNormal(peer.next_invoke_id(), clock)).result.data.value == written
    echo = xdlms.MethodDescriptor(9, names[2], 1)
    assert peer.action_raw(echo, DlmsData.octet_string(written)).value == written
    seen = {open_envelope(apdu).content[0] for apdu in talk.requests[1:] + talk.answers[1:]}
    assert seen == {0x30 | suite}


def meter_of(suite: int, mechanism: M) -> Any:
    """Its meter; its constructor knows suite 0 alone."""
    from pydlms.apdu.xdlms import Conformance
    from pydlms.cosem.data import DlmsData
    from pydlms.security.context import SecurityContext
    from pydlms.security.hls import Mechanism
    from pydlms.simulator import ClientProfile, MeterSimulator

    meter = MeterSimulator(SERVER_TITLE, conformance=Conformance(0xFFFFFF))
    meter.encryption_key, meter.authentication_key = KEYS[suite]
    meter.security = SecurityContext(*KEYS[suite], client_system_title=SERVER_TITLE, suite=suite)
    client = SIGNING[suite][CLIENT_TITLE].public.to_cryptography()
    meter.clients[16] = ClientProfile(Mechanism(int(mechanism)), None, True, client_public_key=client)
    meter.signing_key = SIGNING[suite][SERVER_TITLE].to_cryptography()
    meter.add_object(3, "1.0.1.8.0.255", {2: DlmsData.uint32(12345678)})
    meter.add_object(8, "0.0.1.0.0.255", {2: DlmsData.octet_string(bytes(range(250)))})
    return meter


class Asked:
    """Our client with its meter."""

    def __init__(self, meter: Any, client: ClientAssociation) -> None:
        from pydlms.simulator import _Session

        self.meter, self.client, self.session = meter, client, _Session()
        self.asked: list[bytes] = []

    def ask(self, request: Request) -> Any:
        self.client.send(request)
        self.client.tick(1.0)
        while True:
            apdu = self.client.octets_to_send()
            assert apdu
            self.asked.append(apdu)
            answer = self.meter.handle(apdu, self.session)
            assert answer is not None
            for event in self.client.receive(answer, 1.0):
                if isinstance(event, Failed):
                    raise event.error
                if isinstance(event, Completed):
                    return event.result


@signing
@pytest.mark.parametrize("mechanism", [M.LOWEST, M.HLS_ECDSA], ids=lambda each: each.label)
@pytest.mark.parametrize("general", [False, True], ids=["specific", "general"])
@pytest.mark.parametrize("dedicated", [False, True], ids=["global", "dedicated"])
def test_we_read_and_write_the_meter_of_pydlms(
    pydlms: Any, mechanism: M, suite: int, general: bool, dedicated: bool
) -> None:
    form = CipheredForm.GENERAL if general else CipheredForm.SERVICE_SPECIFIC
    dialect = STANDARD.but(ciphered_form=form)
    ours, _ = settings(mechanism, ciphered=True, suite=suite, dialect=dialect, client={"dedicated_key": dedicated})
    asked = Asked(meter_of(suite, mechanism), ClientAssociation(ours))
    asked.ask(Open())
    assert asked.ask(Get(REGISTER)) == VALUE
    assert asked.ask(Get(CLOCK)).value() == bytes(range(250))
    assert asked.ask(Set(CLOCK, octets(100))) is DataAccessResult.SUCCESS
    assert asked.ask(Get(CLOCK)) == octets(100)
    asked.ask(Release())
    assert {open_envelope(apdu).content[0] for apdu in asked.asked[1:-1]} == {0x30 | suite}


@signing
def test_the_meter_of_pydlms_speaks_hls_5_with_bare_10(pydlms: Any, suite: int) -> None:
    """A difference of it: the standard has 11 and 12; with the dialect's switch both sides come together."""
    ours, _ = settings(M.HLS_GMAC, ciphered=True, suite=suite)
    with pytest.raises(AuthenticationFailed):
        Asked(meter_of(suite, M.HLS_GMAC), ClientAssociation(ours)).ask(Open())
    bare = STANDARD.but(gmac_control_without_suite=True)
    ours, _ = settings(M.HLS_GMAC, ciphered=True, suite=suite, dialect=bare)
    asked = Asked(meter_of(suite, M.HLS_GMAC), ClientAssociation(ours))
    asked.ask(Open())
    assert asked.ask(Get(REGISTER)) == VALUE
