"""The data protection of a device (class 30): what it gives, takes and invokes, for whom, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.association.attribute_0 import split
from cosemic.association.parties import GeneralParties, ThirdParty
from cosemic.codec import EncodedData
from cosemic.errors import ConfigurationError
from cosemic.model import Data, DataProtection, InvokeProtectedMethodRequest, MethodDefinition
from cosemic.security import Protection, security_suite
from cosemic.security.data_parameters import asking
from cosemic.security.data_protection import ProtectedData
from cosemic.security.general import KeyEstablishment, Layer, MemoryTransactionStore
from cosemic.security.general.party_keys import KnownPartyKeys
from cosemic.server import AccessRefused, CosemObject, DataProtectionObject, PushSetupObject, Situation
from cosemic.server.state import StateFile
from cosemic.values import AuthenticationMechanism, Obis
from tests.effort import examples
from tests.security.parties import STRANGER, own, party
from tests.server.protection_support import (
    ANSWER_GUARDED,
    ANSWERING,
    COUNTER,
    GUARDED,
    NAME_PLATE,
    PROTECTION,
    SECRET,
    STUBBORN,
    THIRD_TITLE,
    UNTOUCHABLE,
    VALUE,
    A,
    E,
    K,
    Protecting,
    S,
    T,
    body,
    listed,
    protector,
    to_device,
)
from tests.server.push_support import body_of, tcp
from tests.server.push_support import listed as pushed_list
from tests.server.security_support import CLIENT_TITLE, NAME, SERVER_TITLE, material
from tests.server.support import BOTH, NOW

KINDS: dict[int, tuple[KeyEstablishment, ...]] = {0: (K.GLOBAL_UNICAST, K.WRAPPED)}
KINDS[1] = KINDS[2] = (*KINDS[0], K.ONE_PASS, K.STATIC)
DENIED, OTHER, UNMATCHED = "read-write-denied", "other-reason", "type-unmatched"
BITS = {A: 1, E: 2, S: 4, BOTH: 3}
NUMBER = (T.LONG_UNSIGNED, 9)


ZERO = EncodedData.of(T.INTEGER, 0).octets
KEY_PAIR = EncodedData.of(T.ENUM, 0).octets


def request_bits(protection: Protection) -> int:
    return int(protection) << 2


def response_bits(protection: Protection) -> int:
    return int(protection) << 5


def asked(*layers: Layer, title: bytes = CLIENT_TITLE) -> list[Any]:
    """The parameters that ask the device to protect for a title."""
    return [asking(replace(layer, recipient=title)) for layer in layers]


BUFFERED = {
    "protection_object_list": listed(VALUE, NAME_PLATE),
    "protection_parameters_get": asked(to_device(BOTH, K.WRAPPED)),
    "protection_parameters_set": [asking(to_device(BOTH, K.WRAPPED))],
}


def values_of(opened: Any) -> list[Any]:
    return [one.value() for one in split(EncodedData(opened.data))]


# ---- what is given ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("suite", "kind"), [(suite, kind) for suite in KINDS for kind in KINDS[suite]])
@pytest.mark.parametrize("protection", [A, BOTH])
def test_attributes_are_given_protected(suite: int, kind: KeyEstablishment, protection: Protection) -> None:
    device = Protecting(suite)
    found = device.get(listed(VALUE, NAME_PLATE), asked(to_device(protection, kind)))
    opened = device.client.unprotect(found)
    assert values_of(opened) == [7, b"plate"]
    assert (opened.applied, opened.layers[0].header.originator) == (protection, SERVER_TITLE)


@pytest.mark.parametrize("suite", [1, 2])
def test_signed_and_enciphered_attributes_for_a_third_party_pass_the_client_unread(suite: int) -> None:
    device = Protecting(suite)
    layers = asked(to_device(S), to_device(BOTH, K.ONE_PASS), title=THIRD_TITLE)
    found = device.get(listed(VALUE), layers)
    with pytest.raises(Exception, match="do not fit"):
        device.client.unprotect(found)
    opened = device.third.unprotect(found)
    assert (values_of(opened), opened.applied) == ([7], BOTH | S)


def test_the_recipient_is_the_client_unless_another_one_is_named() -> None:
    device = Protecting()
    element = asking(to_device())
    options = replace(element.protection_options, recipient_system_title=b"")
    found = device.get(listed(VALUE), [replace(element, protection_options=options)])
    assert found.parameters[0].protection_options.recipient_system_title == CLIENT_TITLE
    assert values_of(device.client.unprotect(found)) == [7]


def test_a_transaction_id_that_is_given_comes_back() -> None:
    device = Protecting()
    found = device.get(listed(VALUE), [asking(to_device(), transaction_id=b"12345678")])
    assert found == OTHER  # for itself
    found = device.get(listed(VALUE), [asking(replace(to_device(), recipient=CLIENT_TITLE), b"", b"12345678")])
    assert found.parameters[0].protection_options.transaction_id == b"12345678"


def test_the_same_transaction_id_makes_no_key_of_static_keys_twice() -> None:
    device = Protecting()
    wanted = [asking(replace(to_device(BOTH, K.STATIC), recipient=CLIENT_TITLE), b"", b"12345678")]
    assert isinstance(device.get(listed(VALUE), wanted), ProtectedData)
    assert device.get(listed(VALUE), wanted) == OTHER


@pytest.mark.parametrize(
    ("required", "layers", "fine"),
    [
        (A, [to_device(A)], True),
        (A, [to_device(BOTH)], True),
        (A, [to_device(E)], False),
        (E, [to_device(E)], True),
        (E, [to_device(A)], False),
        (BOTH, [to_device(A)], False),
        (BOTH, [to_device(A), to_device(E, K.GLOBAL_UNICAST)], True),
        (S, [to_device(BOTH)], False),
        (S | BOTH, [to_device(S), to_device(BOTH)], True),
        (S | BOTH, [to_device(S), to_device(A)], False),
    ],
)
def test_what_is_given_has_the_required_protection(required: Protection, layers: list[Layer], fine: bool) -> None:
    device = Protecting(required=response_bits(required))
    found = device.get(listed(VALUE), asked(*layers))
    assert isinstance(found, ProtectedData) if fine else found == DENIED


@pytest.mark.parametrize(
    ("objects", "result"),
    [
        (listed(SECRET), "object-undefined"),
        (listed(VALUE, SECRET), "object-undefined"),
        (listed(VALUE, class_id=3), "object-class-inconsistent"),
        (listed(VALUE, attribute=3), DENIED),
        (listed(PROTECTION, class_id=30), OTHER),
        ((), OTHER),
        (listed(*[VALUE] * 256), OTHER),
        (listed(VALUE, data_index=0x1005), OTHER),
    ],
)
def test_all_that_is_listed_is_given_or_nothing(objects: Any, result: str) -> None:
    device = Protecting()
    assert device.get(objects, asked(to_device())) == result


@pytest.mark.parametrize("applied", [Protection.NONE, A, E, BOTH])
def test_rights_are_those_of_the_client_under_the_protection_of_its_request(applied: Protection) -> None:
    device = Protecting()
    found = device.get(listed(VALUE, GUARDED), asked(to_device()), applied=applied)
    if applied != BOTH:
        assert found == DENIED
        return
    assert values_of(device.client.unprotect(found)) == [7, b"guarded"]
    assert device.response == BOTH  # of the answer around


def test_other_objects_of_the_device_reach_nothing_through_it() -> None:
    device = Protecting(options=BUFFERED)
    with pytest.raises(AccessRefused, match=DENIED):
        device.device.read(30, Obis(PROTECTION), 2, NOW)
    with pytest.raises(AccessRefused, match=DENIED):
        device.object.read(2, None, Situation(NOW, client_sap=1))
    protected = device.client.protect(ZERO, [to_device()])
    method = DataProtection(PROTECTION).invoke_protected_method
    named = MethodDefinition(3, Obis(COUNTER), 1)
    request = InvokeProtectedMethodRequest(named, protected.parameters, protected.octets)
    with pytest.raises(AccessRefused, match=DENIED):
        device.device.invoke(30, Obis(PROTECTION), 3, EncodedData.from_typed(method.encode(request)), NOW)
    assert not device.invoked


def test_elements_and_whole_objects_are_given() -> None:
    device = Protecting()
    found = device.get(listed(VALUE, attribute=0) + listed(COUNTER, class_id=3), asked(to_device()))
    assert values_of(device.client.unprotect(found)) == [(Obis(VALUE).octets, 7), 12345]
    assert device.get(listed(COUNTER, class_id=3, attribute=0), asked(to_device())) == DENIED  # it has no scaler


# ---- what is taken ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("suite", "kind"), [(suite, kind) for suite in KINDS for kind in KINDS[suite]])
def test_attributes_are_taken_protected_and_only_once(suite: int, kind: KeyEstablishment) -> None:
    device = Protecting(suite)
    protected = device.client.protect(body(NUMBER, (T.OCTET_STRING, b"new")), [to_device(BOTH, kind)])
    assert device.set(listed(VALUE, NAME_PLATE), protected) == "success"
    assert device.values()[:2] == [9, b"new"]
    again = device.client.protect(body((T.LONG_UNSIGNED, 1)), [to_device(BOTH, kind)])
    assert device.set(listed(VALUE), again) == "success"
    assert device.set(listed(VALUE, NAME_PLATE), protected) == OTHER
    assert device.values()[0] == 1


@pytest.mark.parametrize("suite", [1, 2])
def test_a_third_party_writes_through_the_client(suite: int) -> None:
    device = Protecting(suite, required=request_bits(S))
    protected = device.third.protect(body(NUMBER), [to_device(S), to_device(BOTH, K.STATIC)])
    assert device.set(listed(VALUE), protected) == "success"
    assert device.values()[0] == 9
    assert device.set(listed(VALUE), protected) == OTHER


@pytest.mark.parametrize("required", [A, E, BOTH, S, S | BOTH])
@pytest.mark.parametrize("layers", [[A], [BOTH], [S], [S, A], [S, BOTH], [E]])
def test_what_is_taken_has_the_required_protection(required: Protection, layers: list[Protection]) -> None:
    device = Protecting(required=request_bits(required))
    protected = device.client.protect(body(NUMBER), [to_device(one) for one in layers])
    applied = Protection.NONE
    for one in layers:
        applied |= one
    if applied == E and required != E:
        assert device.set(listed(VALUE), protected) == OTHER
    else:
        assert device.set(listed(VALUE), protected) == ("success" if not required & ~applied else DENIED)
    assert (device.values()[0] == 9) is (not required & ~applied)


@pytest.mark.parametrize("protection", [BOTH, S])
def test_every_changed_octet_is_refused_and_nothing_is_written(protection: Protection) -> None:
    device = Protecting()
    protected = device.client.protect(body(NUMBER), [to_device(protection)])
    before, known = device.values(), dict(device.transactions._known)
    for at in range(0, len(protected.octets), 3):
        octets = bytearray(protected.octets)
        octets[at] ^= 0x10
        assert device.set(listed(VALUE), replace(protected, octets=bytes(octets))) == OTHER
    for title in (STRANGER, THIRD_TITLE, SERVER_TITLE):
        options = replace(protected.parameters[0].protection_options, originator_system_title=title)
        parameters = (replace(protected.parameters[0], protection_options=options),)
        assert device.set(listed(VALUE), replace(protected, parameters=parameters)) == OTHER
    assert (device.values(), dict(device.transactions._known)) == (before, known)
    assert device.set(listed(VALUE), protected) == "success"


@pytest.mark.parametrize(
    ("objects", "sent", "result"),
    [
        (listed(VALUE, NAME_PLATE), body(NUMBER), UNMATCHED),
        (listed(VALUE), body(NUMBER, NUMBER), UNMATCHED),
        (listed(VALUE), EncodedData.of(*NUMBER).octets, UNMATCHED),
        (listed(VALUE), body(NUMBER) + b"\0", UNMATCHED),
        (listed(VALUE), b"", UNMATCHED),
        (listed(VALUE, NAME_PLATE), body(NUMBER, NUMBER), UNMATCHED),
        (listed(VALUE, SECRET), body(NUMBER, (T.OCTET_STRING, b"x")), "object-undefined"),
        (listed(VALUE) + listed(COUNTER, class_id=3), body(NUMBER, (T.DOUBLE_LONG_UNSIGNED, 0)), DENIED),
        (listed(VALUE, VALUE), body(NUMBER, NUMBER), OTHER),
        (listed(VALUE, attribute=0), body(NUMBER), OTHER),
        (listed(VALUE, data_index=1), body(NUMBER), OTHER),
        ((), b"\x02\x00", OTHER),
        (listed(VALUE, STUBBORN), body(NUMBER, (T.UNSIGNED, 99)), "temporary-failure"),
        (listed(VALUE, NAME_PLATE, STUBBORN), body(NUMBER, (T.OCTET_STRING, b"n"), (T.UNSIGNED, 99)), None),
    ],
)
def test_all_that_is_listed_is_written_or_nothing(objects: Any, sent: bytes, result: str | None) -> None:
    device = Protecting()
    before = device.values()
    protected = device.client.protect(sent, [to_device()])
    assert device.set(objects, protected) == (result or "temporary-failure")
    assert device.values() == before
    assert bool(device.transactions._known) is (result in (None, "temporary-failure"))  # else it can come again


def test_what_cannot_be_read_is_written_last_since_nothing_gives_it_back() -> None:
    device, written = Protecting(), []
    secret = CosemObject(Data("0-0:96.1.9"), {}, writers={"value": lambda value, _: written.append(value)})
    device.device.add(secret)
    for stubborn, result in ((99, "temporary-failure"), (5, "success")):
        sent = body((T.OCTET_STRING, b"secret"), (T.UNSIGNED, stubborn))
        protected = device.client.protect(sent, [to_device()])
        assert device.set(listed("0-0:96.1.9", STUBBORN), protected) == result
        assert len(written) == (result == "success")


def test_a_right_that_asks_for_more_protection_of_the_request_holds() -> None:
    device = Protecting()
    protected = device.client.protect(body((T.OCTET_STRING, b"new")), [to_device()])
    assert device.set(listed(GUARDED), protected, applied=A) == DENIED
    assert device.set(listed(GUARDED), protected) == "success"  # nothing was counted before


def test_authentication_alone_under_the_unicast_key_is_refused_beside_mechanism_5() -> None:
    gmac = {"mechanism": AuthenticationMechanism.HLS_GMAC}
    for required, result in ((0, OTHER), (request_bits(A), "success")):
        device = Protecting(required=required, settings=gmac)
        protected = device.client.protect(body(NUMBER), [to_device(A, K.GLOBAL_UNICAST)])
        assert device.set(listed(VALUE), protected) == result


def test_the_keys_are_those_that_the_association_has_now() -> None:
    device = Protecting()
    old = [device.client.protect(body(NUMBER), [to_device(BOTH, kind)]) for kind in (K.GLOBAL_UNICAST, K.WRAPPED)]
    client = device.device.client(1)
    assert client is not None
    assert device.set(listed(VALUE), device.client.protect(body(NUMBER), [to_device()])) == "success"
    material = client.settings.material
    assert material is not None
    assert material.broadcast_key is not None
    swapped = replace(material, encryption_key=material.broadcast_key, kek=material.broadcast_key)
    client.settings = replace(client.settings, material=swapped)
    for one in old:
        assert device.set(listed(VALUE), one) == OTHER
    fresh = protector(CLIENT_TITLE, 1, party(SERVER_TITLE, 1, material=swapped))
    for kind in (K.GLOBAL_UNICAST, K.WRAPPED):
        assert device.set(listed(VALUE), fresh.protect(body(NUMBER), [to_device(BOTH, kind)])) == "success"


def test_keys_and_third_parties_of_the_association_serve_too() -> None:
    keys = {title: party(title, 1) for title in (CLIENT_TITLE, THIRD_TITLE)}
    signing = {title: one.signing for title, one in keys.items() if one.signing}
    agreement = {title: one.agreement for title, one in keys.items() if one.agreement}
    ak = material(1).authentication_key
    assert ak is not None
    parties = GeneralParties(
        transactions=MemoryTransactionStore(),
        signing_key=own(SERVER_TITLE, 1).signing_key,
        agreement_key=own(SERVER_TITLE, 1).agreement_key,
        keys=KnownPartyKeys(signing, agreement),
        third_parties=(ThirdParty(title=THIRD_TITLE, authentication_key=ak),),
    )
    third = party(SERVER_TITLE, 1, third=True, authentication_key=ak)
    for known, result in ((None, OTHER), (parties, "success")):
        device = Protecting(bare=True, settings={"parties": known})
        protected = protector(THIRD_TITLE, 1, third).protect(body(NUMBER), [to_device(S), to_device(BOTH, K.ONE_PASS)])
        assert device.set(listed(VALUE), protected) == result


# ---- what is invoked -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("suite", "kind"), [(suite, kind) for suite in KINDS for kind in KINDS[suite]])
def test_methods_are_invoked_protected_and_only_once(suite: int, kind: KeyEstablishment) -> None:
    device = Protecting(suite)
    protected = device.client.protect(KEY_PAIR, [to_device(BOTH, kind)], transaction_id=b"12345678")
    found = device.invoke(64, ANSWERING, 5, protected)
    opened = device.client.unprotect(found, transaction_id=b"12345678")
    assert (EncodedData(opened.data).value(), opened.applied) == (b"request", BOTH)
    assert device.invoke(64, ANSWERING, 5, protected) == OTHER
    assert len(device.invoked) == 1


def test_a_method_that_returns_nothing_returns_null_data() -> None:
    device = Protecting()
    found = device.invoke(3, COUNTER, 1, device.client.protect(ZERO, [to_device()]))
    assert device.client.unprotect(found).data == b"\0"
    assert device.invoked == [0]


def test_a_third_party_invokes_through_the_client_and_reads_the_answer() -> None:
    device = Protecting(required=request_bits(S) | response_bits(S | BOTH))
    protected = device.third.protect(KEY_PAIR, [to_device(S), to_device(BOTH, K.ONE_PASS)])
    found = device.invoke(64, ANSWERING, 5, protected)
    opened = device.third.unprotect(found)
    assert (EncodedData(opened.data).value(), opened.applied) == (b"request", BOTH | S)


def test_an_answer_gets_what_is_required_beyond_the_request() -> None:
    device = Protecting(required=response_bits(S))
    found = device.invoke(64, ANSWERING, 5, device.client.protect(KEY_PAIR, [to_device(BOTH)]))
    assert device.client.unprotect(found).applied == BOTH | S


@pytest.mark.parametrize(
    ("suite", "required", "method", "sent", "result"),
    [
        (1, request_bits(S), (3, COUNTER, 1), ZERO, DENIED),
        (0, response_bits(S), (3, COUNTER, 1), ZERO, OTHER),  # it has no key to sign with
        (1, 0, (3, COUNTER, 2), ZERO, DENIED),
        (1, 0, (3, UNTOUCHABLE, 1), ZERO, DENIED),
        (1, 0, (1, SECRET, 1), ZERO, "object-undefined"),
        (1, 0, (30, PROTECTION, 1), ZERO, OTHER),
        (1, 0, (3, COUNTER, 1), ZERO + b"\0", UNMATCHED),
        (1, 0, (3, COUNTER, 1), b"", UNMATCHED),
        (1, 0, (3, COUNTER, 1), EncodedData.of(T.INTEGER, 1).octets, UNMATCHED),
    ],
)
def test_a_method_that_is_refused_has_not_been_invoked(
    suite: int, required: int, method: tuple[int, str, int], sent: bytes, result: str
) -> None:
    device = Protecting(suite, required)
    assert device.invoke(*method, device.client.protect(sent, [to_device(BOTH, K.WRAPPED)])) == result
    assert not device.invoked


# ---- the buffer ------------------------------------------------------------------------------------------------------


def test_the_buffer_is_protected_anew_each_time_it_is_read() -> None:
    device = Protecting(options=BUFFERED)
    first, second = device.buffer(), device.buffer()
    assert first.octets != second.octets
    for one in (first, second):
        assert values_of(device.client.unprotect(one)) == [7, b"plate"]


def test_the_buffer_is_written_as_its_parameters_say() -> None:
    device = Protecting(options=BUFFERED)
    sent = body(NUMBER, (T.OCTET_STRING, b"new"))
    for layers in ([to_device(A)], [to_device(BOTH, K.ONE_PASS)], [to_device(BOTH), to_device(S)]):
        assert device.write_buffer(device.client.protect(sent, layers)) == OTHER
    assert device.values()[:2] == [7, b"plate"]
    protected = device.client.protect(sent, [to_device()])
    assert device.write_buffer(protected) == "success"
    assert device.values()[:2] == [9, b"new"]
    assert device.write_buffer(protected) == OTHER


@pytest.mark.parametrize("octets", [b"", b"\x00", b"\x02\x02\x01\x00", b"\x09\x01\x00", bytes(40)])
def test_a_buffer_that_is_none_is_refused(octets: bytes) -> None:
    device = Protecting(options=BUFFERED)
    assert device.view().set(30, PROTECTION, 2, EncodedData.of(T.OCTET_STRING, octets)).label == UNMATCHED


def test_the_buffer_shows_a_client_what_it_may_read_itself() -> None:
    device = Protecting(options=BUFFERED | {"protection_object_list": listed(VALUE, GUARDED)})
    assert device.buffer(A) == DENIED
    assert values_of(device.client.unprotect(device.buffer())) == [7, b"guarded"]


def test_lists_are_written_and_outlive_the_process(tmp_path: Any) -> None:
    with StateFile(tmp_path / "state") as file:
        device = Protecting(state=file.of(NAME))
        declared = device.object.interface.attributes
        for index, value in (
            (3, listed(VALUE)),
            (4, tuple(asked(to_device(BOTH, K.WRAPPED)))),
            (5, (asking(to_device(BOTH, K.WRAPPED)),)),
        ):
            encoded = EncodedData.from_typed(declared[index].type.encode(value))
            assert device.view().set(30, PROTECTION, index, encoded).label == "success"
        policy = EncodedData.of(T.ENUM, 0)
        assert device.view().set(30, PROTECTION, 6, policy).label == DENIED
    with StateFile(tmp_path / "state") as file:
        again = Protecting(state=file.of(NAME))
        assert values_of(again.client.unprotect(again.buffer())) == [7]


def test_the_buffer_is_written_by_whom_its_parameters_name() -> None:
    device = Protecting(options=BUFFERED | {"protection_object_list": listed(VALUE)})
    names = (asking(to_device(BOTH, K.ONE_PASS), originator=THIRD_TITLE),)
    declared = device.object.interface.attributes[5]
    assert device.view().set(30, PROTECTION, 5, EncodedData.from_typed(declared.type.encode(names))).label == "success"
    layers = [to_device(BOTH, K.ONE_PASS)]
    assert device.write_buffer(device.client.protect(body(NUMBER), layers)) == OTHER
    assert device.write_buffer(device.third.protect(body(NUMBER), layers)) == "success"
    assert device.values()[0] == NUMBER[1]


def test_lists_that_could_never_be_followed_are_refused() -> None:
    device = Protecting()
    declared = device.object.interface.attributes
    for index, value in (
        (3, listed(PROTECTION, class_id=30)),
        (4, tuple(asked(to_device()) * 5)),
        (4, (asking(to_device(), originator=CLIENT_TITLE),)),
        (5, (asking(to_device(), originator=SERVER_TITLE),)),
        (5, (asking(replace(to_device(), recipient=STRANGER)),)),
        (5, (asking(to_device(), originator=b"short"),)),
    ):
        encoded = EncodedData.from_typed(declared[index].type.encode(value))
        assert device.view().set(30, PROTECTION, index, encoded).label == OTHER
    with pytest.raises(ConfigurationError):
        Protecting(options={"protection_object_list": listed(PROTECTION, class_id=30)})


def test_a_push_shows_the_buffer_with_the_rights_of_its_client() -> None:
    for names, empty in (((VALUE,), False), ((VALUE, GUARDED), True), ((VALUE, ANSWER_GUARDED), True)):
        device = Protecting(options=BUFFERED | {"protection_object_list": listed(*names)})
        wanted = (pushed_list(2, 30, PROTECTION, 2),)
        setup = PushSetupObject(device.device, device.clock, "0-0:25.9.0", wanted, tcp(), push_client_SAP=1, version=2)
        device.device.add(setup)
        setup.push(NOW)
        device.device.advance()
        outgoing = device.device.outbox.take()
        assert outgoing is not None
        (found,) = body_of(outgoing)
        assert (found is None) is empty
        if not empty:
            content = DataProtection(PROTECTION).get_protected_attributes.method.returns
            assert content is not None
            decoded = content.decode(EncodedData(found).typed())
            opened = device.client.unprotect(ProtectedData(decoded.protection_parameters, decoded.protected_attributes))
            assert values_of(opened) == [7]


def test_what_does_not_fit_together_is_refused_at_once() -> None:
    device = Protecting()
    with pytest.raises(ConfigurationError):
        DataProtectionObject(
            device.device,
            device.clock,
            own(SERVER_TITLE, 1),
            suite=security_suite(2),
            transactions=MemoryTransactionStore(),
        )
    with pytest.raises(ConfigurationError):
        DataProtectionObject(
            device.device,
            device.clock,
            own(SERVER_TITLE, 1),
            suite=security_suite(1),
            transactions=MemoryTransactionStore(),
            parties=[party(SERVER_TITLE, 1, third=True)],
        )


@examples(30)
@given(st.binary(max_size=120), st.binary(max_size=60))
def test_any_octets_are_refused(octets: bytes, buffer: bytes) -> None:
    device = _DEVICE
    before = device.values()
    for protection in (BOTH, S):
        genuine = device.client.protect(body(NUMBER), [to_device(protection)])
        assert device.set(listed(VALUE), replace(genuine, octets=octets)) == OTHER
        assert device.invoke(3, COUNTER, 1, replace(genuine, octets=octets)) == OTHER
    assert device.view().set(30, PROTECTION, 2, EncodedData.of(T.OCTET_STRING, buffer)).label in (OTHER, UNMATCHED)
    assert device.values() == before


_DEVICE = Protecting(options=BUFFERED)
