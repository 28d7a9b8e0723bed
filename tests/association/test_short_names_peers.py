"""Short names with other implementations, APDU by APDU: pydlms-client in both roles, the octets of gurux-dlms."""

from __future__ import annotations

from typing import Any

import pytest

from cosemic.association.client import ClientAssociation
from cosemic.association.requests import Completed, Failed, Open, Read, Release, Request, Write
from cosemic.codec import DataType, EncodedData
from cosemic.dialect import STANDARD, LongReadContent
from cosemic.values import DataAccessResult
from tests.association.pydlms_link import pydlms_link
from tests.association.samples import (
    AK,
    CLIENT_TITLE,
    CLOCK,
    ECHO,
    EK,
    PASSWORD,
    REGISTER,
    SERVER_TITLE,
    VALUE,
    M,
    Talk,
    octets,
)
from tests.association.short_name_samples import (
    CLOCK_SN,
    ECHO_SN,
    REGISTER_SN,
    UNKNOWN,
    decoded,
    selected,
    sn_settings,
    sn_talk,
)

MECHANISMS = [M.LOWEST, M.LLS, M.HLS_SHA1, M.HLS_GMAC, M.HLS_SHA256]


def associated(talk: Talk, mechanism: M, ciphered: bool) -> Any:
    """Its client, associated with our server."""
    from pydlms.association import Association, AssociationSettings
    from pydlms.security.context import SecurityContext
    from pydlms.security.hls import Mechanism

    keys = SecurityContext(EK, AK, client_system_title=CLIENT_TITLE) if ciphered or mechanism is M.HLS_GMAC else None
    secret = None if mechanism in (M.LOWEST, M.HLS_GMAC) else PASSWORD
    peer = Association(
        pydlms_link(talk),
        AssociationSettings(
            mechanism=Mechanism(int(mechanism)),
            secret=secret,
            logical_names=False,
            security=keys,
            ciphered_context=ciphered,
            client_system_title=CLIENT_TITLE,
            max_receive_pdu_size=90,
        ),
    )
    peer.associate()
    return peer


@pytest.mark.parametrize("ciphered", [False, True], ids=["plain", "ciphered"])
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_pydlms_reads_and_writes_our_server(pydlms: Any, mechanism: M, ciphered: bool) -> None:
    from pydlms.apdu import sn
    from pydlms.cosem.data import DlmsData

    # It takes the blocks of a long answer for bare Data.
    dialect = STANDARD.but(long_read_content=LongReadContent.DATA)
    talk = sn_talk(mechanism, opened=False, ciphered=ciphered, server={"max_pdu_size": 90}, dialect=dialect)
    peer = associated(talk, mechanism, ciphered)

    def read(name: int) -> Any:
        return peer.sn_read_value(peer.sn_request(sn.ReadRequest([sn.VariableName(name)])), "a variable")

    assert read(REGISTER_SN).value == VALUE.value()
    written = bytes(range(200))
    answer = peer.sn_request(sn.WriteRequest([sn.VariableName(CLOCK_SN)], [DlmsData.octet_string(written)]))
    assert answer.results == [0]
    assert talk.shelf.values[CLOCK.encode()].value() == written
    assert read(CLOCK_SN).value == written
    assert peer.sn_action_raw(ECHO_SN, DlmsData.octet_string(written)).value == written
    assert talk.shelf.calls[-1] == ("action", (ECHO, EncodedData.of(DataType.OCTET_STRING, written)))
    both = peer.sn_request(sn.ReadRequest([sn.VariableName(REGISTER_SN), sn.VariableName(UNKNOWN)]))
    assert [(one.data and one.data.value, one.error) for one in both.results] == [(VALUE.value(), None), (None, 4)]
    assert all(len(apdu) <= 90 for apdu in talk.requests[1:] + talk.answers[1:])
    assert len(talk.requests) > 12


@pytest.mark.parametrize("ciphered", [False, True], ids=["plain", "ciphered"])
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_we_read_and_write_the_server_of_pydlms(pydlms: Any, mechanism: M, ciphered: bool) -> None:
    from pydlms.apdu.xdlms import Conformance
    from pydlms.cosem.data import DlmsData
    from pydlms.security.hls import Mechanism
    from pydlms.simulator import ClientProfile, MeterSimulator, _Session

    keys = (EK, AK) if ciphered or mechanism is M.HLS_GMAC else (None, None)
    meter = MeterSimulator(SERVER_TITLE, *keys, max_pdu=90, conformance=Conformance(0xFFFFFF))
    secret = None if mechanism in (M.LOWEST, M.HLS_GMAC) else PASSWORD
    meter.clients[16] = ClientProfile(Mechanism(int(mechanism)), secret, ciphered)
    long = bytes(range(250))
    meter.add_object(3, "1.0.1.8.0.255", {2: DlmsData.uint32(12345678)}, base_name=0x0100)
    meter.add_object(1, "1.0.96.1.0.255", {2: DlmsData.octet_string(long)}, base_name=0x1000)
    session = _Session()
    # Its blocks have up to its own largest APDU less 32 octets, and it counts nothing for their protection.
    client = ClientAssociation(sn_settings(mechanism, ciphered=ciphered, client={"max_pdu_size": 300})[0])

    def ask(request: Request) -> Any:
        client.send(request)
        client.tick(1.0)
        while True:
            apdu = client.octets_to_send()
            assert apdu
            answer = meter.handle(apdu, session)
            assert answer is not None
            for event in client.receive(answer, 1.0):
                assert not isinstance(event, Failed), event
                if isinstance(event, Completed):
                    return event.result

    ask(Open())
    register, data = 0x0108, 0x1008
    assert ask(Read((register,))) == (VALUE,)
    assert ask(Read((data,)))[0].value() == long
    assert ask(Read((register, UNKNOWN))) == (VALUE, DataAccessResult.OBJECT_UNDEFINED)
    assert ask(Write((data,), (octets(200),))) == (DataAccessResult.SUCCESS,)
    assert ask(Read((data,))) == (octets(200),)
    ask(Release())


# ---- the octets of gurux-dlms ---------------------------------------------------------------------------------------


@pytest.fixture
def gurux() -> Any:
    return pytest.importorskip("gurux_dlms", reason="gurux-dlms is not installed (dependency group peers)")


def test_the_xml_of_gurux_says_what_we_ask_and_answer(gurux: Any) -> None:
    """Its translator turns the octets into XML, and that into the same octets.

    Read only: of the others it leaves octets out, puts octets in (it counts the Data of a WriteRequest twice), or fails
    (AttributeError, ParseError).
    """
    talk = sn_talk(client={"max_pdu_size": 60}, server={"max_pdu_size": 60})
    talk.shelf.put(CLOCK, octets(100))
    talk.ask(Read((REGISTER_SN,)))
    talk.ask(Read((selected(REGISTER_SN, 2, VALUE),)))
    talk.ask(Read((CLOCK_SN,)))
    talk.ask(Read((UNKNOWN,)))
    asked = talk.requests[1:] + [apdu for apdu in talk.answers[1:] if apdu[2] != 2]
    translator = gurux.GXDLMSTranslator()
    assert len(asked) > 7
    for apdu in asked:
        back = translator.xmlToHexPdu(translator.pduToXml(apdu.hex())).replace(" ", "").lower()
        assert back == apdu.hex(), decoded([apdu])


def test_the_client_of_gurux_asks_with_octets_that_are_served(gurux: Any) -> None:
    from gurux_dlms import GXDLMSClient
    from gurux_dlms.enums import InterfaceType
    from gurux_dlms.objects import GXDLMSRegister

    peer = GXDLMSClient(False, interfaceType=InterfaceType.PDU)
    register = GXDLMSRegister("1.0.1.8.0.255", 0x0100)
    (request,) = peer.read(register, 2)
    assert bytes(request).hex() == "0501020108"
    talk = sn_talk()
    assert talk.shelf.values[REGISTER.encode()] == VALUE
    talk.server.receive(bytes(request), talk.now)
    assert talk.server.octets_to_send().hex() == "0c01000600bc614e"
