"""Every refusal and error APDU that the standard has for a server, produced by ours, and what the client makes of it.

Reference, application layer 5.1, 5.2, 6.4, 14; diagnostics, states and errors by their numbers there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cosemic import apdu as a
from cosemic.association.received_errors import received_error
from cosemic.association.recognised import Recognised
from cosemic.association.requests import Failed, Get, GetList, Open, Release, Set
from cosemic.dialect import STANDARD, Edition
from cosemic.errors import (
    AssociationRejected,
    AuthenticationFailed,
    CosemicError,
    ExceptionReceived,
    OutcomeUnknown,
    ServiceErrorReceived,
    ServiceFailed,
    StoreError,
)
from cosemic.security import MemoryCounterStore, Protection
from cosemic.values import BitString, Conformance, Secret
from tests.association.samples import REGISTER, M, Talk, listed, octets, settings, talk
from tests.association.test_refusals import aarq, initiate

USER, PROVIDER = 0xA1, 0xA2


class Failing(MemoryCounterStore):
    """A store from which nothing can be drawn."""

    def change_transmit(self, *given: Any) -> Any:
        raise StoreError("the disk is gone")


def opening(
    mechanism: M = M.LOWEST, *, ciphered: bool = False, client: Any = None, server: Any = None, **changed: Any
) -> Talk:
    """A client that is about to open, with fields of its AARQ changed."""
    conversation = talk(mechanism, ciphered=ciphered, opened=False, client=client, server=server)
    if changed:
        conversation.to_server = lambda apdu: aarq(apdu, **changed)
    return conversation


def knowing(**names: Any) -> dict[str, Any]:
    return {"recognised": Recognised(**names)}


def information(**changed: Any) -> Callable[[], Talk]:
    return lambda: opening(user_information=initiate(**changed))


def broken(ciphered: Talk) -> Talk:
    ciphered.to_server = lambda apdu: apdu[:-1] + bytes((apdu[-1] ^ 1,))
    return ciphered


def locked() -> Talk:
    conversation = opening(M.LLS, calling_authentication_value=a.AuthenticationValue(b"no"))
    for _ in range(20):
        if conversation.event(Open()).error.result == "rejected-transient":  # type: ignore[union-attr]
            break
    return conversation


NAME = b"DEVICE01"
IN_AARE = {
    "no-reason-given": (USER, 1, lambda: opening(user_information=None), "initiate: other"),
    "application-context-name-not-supported": (USER, 2, lambda: opening(application_context_name=9), None),
    "calling-ap-title-not-recognized": (USER, 3, lambda: opening(ciphered=True, calling_ap_title=None), None),
    "calling-ap-invocation-identifier-not-recognized": (
        USER, 4, lambda: opening(server=knowing(calling_ap_invocation_id=1), calling_ap_invocation_id=2), None,
    ),
    "calling-ae-qualifier-not-recognized": (
        USER, 5, lambda: opening(server=knowing(calling_ae_qualifier=b"A"), calling_ae_qualifier=b"B"), None,
    ),
    "calling-ae-invocation-identifier-not-recognized": (
        USER, 6, lambda: opening(server={"users": frozenset((7,))}, client={"user_id": 8}), None,
    ),
    "called-ap-title-not-recognized": (
        USER, 7, lambda: opening(server=knowing(called_ap_title=NAME), called_ap_title=NAME[::-1]), None,
    ),
    "called-ap-invocation-identifier-not-recognized": (
        USER, 8, lambda: opening(server=knowing(called_ap_invocation_id=1), called_ap_invocation_id=0), None,
    ),
    "called-ae-qualifier-not-recognized": (
        USER, 9, lambda: opening(server=knowing(called_ae_qualifier=b"A"), called_ae_qualifier=b""), None,
    ),
    "called-ae-invocation-identifier-not-recognized": (
        USER, 10, lambda: opening(server=knowing(called_ae_invocation_id=1), called_ae_invocation_id=2), None,
    ),
    "authentication-mechanism-name-not-recognized": (USER, 11, lambda: opening(M.LLS, mechanism_name=M.HLS_MD5), None),
    "authentication-mechanism-name-required": (USER, 12, lambda: opening(M.LLS, mechanism_name=None), None),
    "authentication-failure": (
        USER, 13, lambda: opening(M.LLS, calling_authentication_value=a.AuthenticationValue(b"x")), None,
    ),
    "authentication-required": (USER, 14, lambda: opening(M.LLS, sender_acse_requirements=None), None),
    "no-common-acse-version": (PROVIDER, 2, lambda: opening(protocol_version=BitString("01")), None),
}  # fmt: skip
IN_INITIATE = {
    "0e010601": ("initiate: dlms-version-too-low", information(proposed_dlms_version_number=5)),
    "0e010602": ("initiate: incompatible-conformance", information(proposed_conformance=Conformance.READ)),
    "0e010603": ("initiate: pdu-size-too-short", information(client_max_receive_pdu_size=11)),
    "0e010604": (
        "initiate: refused-by-the-vde-handler", lambda: opening(ciphered=True, server={"counters": Failing()}),
    ),
    "0e010600": ("initiate: other", lambda: opening(user_information=b"\x01\x00")),
    "0e010006": ("application-reference: deciphering-error", lambda: broken(opening(ciphered=True))),
}  # fmt: skip


def refused(conversation: Talk) -> AssociationRejected:
    event = conversation.event(Open())
    assert isinstance(event, Failed)
    assert type(event.error) is AssociationRejected
    assert conversation.client.opened is None
    assert conversation.server.agreement is None
    return event.error


@pytest.mark.parametrize("label", IN_AARE)
def test_every_diagnostic_of_an_aare(label: str) -> None:
    source, number, make, service_error = IN_AARE[label]
    conversation = make()
    error = refused(conversation)
    diagnostic = bytes((0xA3, 5, source, 3, 2, 1, number))  # application_layer.md 5.2
    assert bytes.fromhex("a203020101") + diagnostic in conversation.answers[-1]
    assert (error.result, error.diagnostic, error.service_error) == ("rejected-permanent", label, service_error)
    assert label in str(error)
    assert len(str(error)) > len(f"the meter refuses the association: rejected-permanent, {label}")  # it advises


@pytest.mark.parametrize("octets_", IN_INITIATE)
def test_every_confirmed_service_error_in_an_aare(octets_: str) -> None:
    text, make = IN_INITIATE[octets_]
    conversation = make()
    error = refused(conversation)
    assert conversation.answers[-1].endswith(bytes.fromhex("be060404" + octets_))
    assert (error.diagnostic, error.service_error) == ("no-reason-given", text)
    assert text in str(error)


@pytest.mark.parametrize("version", ["1", "100001"], ids=["1", "of an old stack"])
def test_a_protocol_version_whose_first_bit_is_1_is_version_1(version: str) -> None:
    assert opening(protocol_version=BitString(version)).open().dlms_version == 6


def test_who_failed_too_often_is_refused_for_a_while() -> None:
    error = refused(locked())
    assert (error.result, error.diagnostic) == ("rejected-transient", "authentication-failure")


@pytest.mark.parametrize("mechanism", list(M)[1:7], ids=lambda each: each.label)
@pytest.mark.parametrize("requirements", [None, BitString("0"), BitString("")], ids=["none", "zero", "empty"])
def test_authentication_has_to_be_among_the_requirements(mechanism: M, requirements: BitString | None) -> None:
    assert refused(opening(mechanism, sender_acse_requirements=requirements)).diagnostic == "authentication-required"


def test_requirements_without_a_mechanism() -> None:
    """With lowest security they are superfluous; otherwise the mechanism is missing."""
    opening(sender_acse_requirements=BitString("1")).open()
    opening(sender_acse_requirements=BitString("1"), mechanism_name=M.LOWEST).open()
    opening(calling_authentication_value=a.AuthenticationValue(b"x")).open()
    error = refused(opening(M.LLS, mechanism_name=None, sender_acse_requirements=BitString("1")))
    assert error.diagnostic == "authentication-mechanism-name-required"


def test_names_that_nobody_looks_at_may_say_anything() -> None:
    """conformance.md APPL_OPEN_6: unused fields are filled with dummies, and the association is accepted."""
    dummies = {
        "called_ap_title": b"nobody", "called_ae_qualifier": b"", "called_ap_invocation_id": 200,
        "called_ae_invocation_id": -1, "calling_ae_qualifier": bytes(100), "calling_ap_invocation_id": 7,
        "implementation_information": "a tester",
    }  # fmt: skip
    left_out_is_not_missed = opening(server=knowing(called_ap_title=NAME))
    for conversation in (
        opening(**dummies),
        left_out_is_not_missed,
        opening(server=knowing(called_ap_title=NAME), called_ap_title=NAME),
    ):
        assert conversation.open().dlms_version == 6


# ---- exception-response ---------------------------------------------------------------------------------------------


def outside() -> Talk:
    conversation = talk()
    conversation.server.receive(a.RLRQ().encode(), 0.0)
    conversation.server.octets_to_send()
    return conversation


def replaced(conversation: Talk, octets_: str) -> Talk:
    conversation.to_server = lambda apdu: bytes.fromhex(octets_)
    return conversation


def too_long() -> Talk:
    conversation = talk(server={"max_pdu_size": 64, "conformance": ~Conformance.GENERAL_BLOCK_TRANSFER})
    conversation.client._terms.room = 0xFFFF
    return conversation


def replayed() -> Talk:
    conversation = talk(ciphered=True)
    conversation.ask(Get(REGISTER))
    recorded = conversation.requests[-1]
    conversation.to_server = lambda apdu: recorded
    return conversation


def without_blocks(**server: Any) -> Talk:
    none = {"conformance": ~(Conformance.BLOCK_TRANSFER_WITH_GET_OR_READ | Conformance.GENERAL_BLOCK_TRANSFER)}
    conversation = talk(client={"max_pdu_size": 40}, server=none | server)
    conversation.shelf.put(REGISTER, octets(100))
    return conversation


GET = Get(REGISTER)
EXCEPTIONS = {
    "outside": ("d80101", outside, GET, "service-not-allowed", "operation-not-possible", "open the association"),
    "malformed": ("d80103", lambda: replaced(talk(), "c0014100"), GET, "service-not-allowed", "other-reason", "reason"),
    "no items": ("d80103", lambda: replaced(talk(), "c0034100"), GET, "service-not-allowed", "other-reason", "reason"),
    "request too long": (
        "d80104", too_long, Set(REGISTER, octets(100)), "service-not-allowed", "pdu-too-long", "ask for less",
    ),
    "answer too long": ("d80104", without_blocks, GET, "service-not-allowed", "pdu-too-long", "ask for less"),
    "list too long": (
        "d80104", without_blocks, GetList(listed(REGISTER, REGISTER)), "service-not-allowed", "pdu-too-long", "less",
    ),
    "undeciphered": (
        "d80105", lambda: broken(talk(ciphered=True)), GET, "service-not-allowed", "deciphering-error", "keys",
    ),
    "not ciphered": (
        "d80101", lambda: replaced(talk(ciphered=True), "c0014100030100010800ff0200"), GET,
        "service-not-allowed", "operation-not-possible", "open",
    ),
    "unknown": ("d80202", lambda: replaced(talk(), "c8"), GET, "service-unknown", "service-not-supported", "not know"),
    "not agreed": (
        "d80202", lambda: replaced(talk(server={"conformance": Conformance.GET}), "c1014100030100010800ff02001101"),
        GET, "service-unknown", "service-not-supported", "did not agree",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_every_exception_response(name: str) -> None:
    octets_, make, request, state, service, words = EXCEPTIONS[name]
    conversation = make()
    before = len(conversation.shelf.calls)
    event = conversation.event(request)
    assert isinstance(event, Failed)
    error = event.error
    assert conversation.answers[-1].hex() == octets_
    assert type(error) is ExceptionReceived
    assert (error.state_error, error.service_error, error.invocation_counter) == (state, service, None)
    assert f"exception-response {state}, {service}" in str(error)
    assert words in str(error)
    called = [kind for kind, _ in conversation.shelf.calls[before:]]
    assert called in ([], ["get"], ["get", "get"])  # nothing was changed


def test_the_invocation_counter_form() -> None:
    conversation = replayed()
    event = conversation.event(GET)
    assert isinstance(event, Failed)
    error = event.error
    assert isinstance(error, ExceptionReceived)
    lowest = int.from_bytes(conversation.requests[-2][3:7]) + 1
    assert conversation.answers[-1] == bytes.fromhex("d80106") + lowest.to_bytes(4)
    assert (error.service_error, error.invocation_counter) == ("invocation-counter-error", lowest)
    assert f"the meter expects {lowest} or more" in str(error)


def test_an_exception_response_in_clear_does_not_say_that_a_change_was_not_made() -> None:
    conversation = broken(talk(ciphered=True))
    event = conversation.event(Set(REGISTER, octets(2)))
    assert isinstance(event, Failed)
    assert isinstance(event.error, OutcomeUnknown)
    assert isinstance(event.error.__cause__, ExceptionReceived)


def test_the_other_reasons_are_for_editions_that_do_not_know_these() -> None:
    older = {"dialect": STANDARD.but(edition=Edition.GREEN_BOOK_9)}
    assert without_blocks(**older).ask(GET).label == "other-reason"
    conversation = talk(server={"max_pdu_size": 64, "conformance": ~Conformance.GENERAL_BLOCK_TRANSFER, **older})
    conversation.client._terms.room = 0xFFFF
    with pytest.raises(ExceptionReceived) as caught:
        conversation.ask(Set(REGISTER, octets(100)))
    assert caught.value.service_error == "other-reason"


def test_hls_that_fails_is_told_by_the_action() -> None:
    client, served = settings(M.HLS_SHA1)
    _, other = settings(M.HLS_SHA1, server={"secret": Secret.password(b"another secret")})
    with pytest.raises(AuthenticationFailed, match="read-write-denied"):
        Talk(client, other).open()
    Talk(client, served).open()


# ---- what a client makes of those that other servers send -----------------------------------------------------------

STATES = {1: "service-not-allowed", 2: "service-unknown"}
SERVICE_ERRORS = {
    1: "operation-not-possible", 2: "service-not-supported", 3: "other-reason", 4: "pdu-too-long",
    5: "deciphering-error", 6: "invocation-counter-error",
}  # fmt: skip
CLASSES: dict[int, tuple[str, tuple[str, ...]]] = {
    0: ("application-reference", ("other", "time-elapsed", "application-unreachable", "application-reference-invalid",
        "application-context-unsupported", "provider-communication-error", "deciphering-error")),
    1: ("hardware-resource", ("other", "memory-unavailable", "processor-resource-unavailable",
        "mass-storage-unavailable", "other-resource-unavailable")),
    2: ("vde-state-error", ("other", "no-dlms-context", "loading-data-set", "status-nochange", "status-inoperable")),
    3: ("service", ("other", "pdu-size", "service-unsupported")),
    4: ("definition", ("other", "object-undefined", "object-class-inconsistent", "object-attribute-inconsistent")),
    5: ("access", ("other", "scope-of-access-violated", "object-access-invalid", "hardware-fault",
        "object-unavailable")),
    6: ("initiate", ("other", "dlms-version-too-low", "incompatible-conformance", "pdu-size-too-short",
        "refused-by-the-vde-handler")),
    7: ("load-data-set", ("other", "primitive-out-of-sequence", "not-loadable", "dataset-size-too-large",
        "not-awaited-segment", "interpretation-failure", "storage-failure", "data-set-not-ready")),
    9: ("task", ("other", "no-remote-control", "ti-stopped", "ti-running", "ti-unusable")),
    10: ("other", ("other",)),
}  # fmt: skip


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("service", SERVICE_ERRORS)
def test_every_exception_response_is_named(state: int, service: int) -> None:
    octets_ = bytes((0xD8, state, service)) + (bytes.fromhex("00000010") if service == 6 else b"")
    for request in (GET, Release()):
        conversation = talk()
        conversation.to_client = lambda apdu: octets_
        with pytest.raises(ExceptionReceived) as caught:
            conversation.ask(request)
        error = caught.value
        assert (error.state_error, error.service_error) == (STATES[state], SERVICE_ERRORS[service])
        assert error.invocation_counter == (16 if service == 6 else None)


@pytest.mark.parametrize("error_class", CLASSES)
def test_every_confirmed_service_error_is_named(error_class: int) -> None:
    name, values = CLASSES[error_class]
    for number, value in enumerate(values):
        octets_ = bytes((0x0E, 5, error_class, number))
        conversation = talk()
        conversation.to_client = lambda apdu, octets_=octets_: octets_  # type: ignore[misc]
        with pytest.raises(ServiceErrorReceived, match=f"{name}: {value}"):
            conversation.ask(GET)
        rejected = opening()
        rejected.to_client = lambda apdu, number=number: a.AARE(  # type: ignore[misc]
            application_context_name=a.AARE.decode(apdu).application_context_name,
            result=1,  # type: ignore[arg-type]
            result_source_diagnostic=a.ResultSourceDiagnostic("acse_service_user", 1),
            user_information=bytes((0x0E, 1, error_class, number)),
        ).encode()
        error = rejected.event(Open()).error  # type: ignore[union-attr]
        assert isinstance(error, AssociationRejected)
        assert error.service_error == f"{name}: {value}"


@pytest.mark.parametrize("octets_", ["d80909", "d8010700000001", "0e05ff00", "0eff0101", "0e050801", "0e000000"])
def test_numbers_without_a_name_are_told_as_numbers_or_are_not_read(octets_: str) -> None:
    try:
        error: CosemicError = received_error(bytes.fromhex(octets_))
    except CosemicError:
        return
    assert isinstance(error, ServiceFailed)
    assert str(error)


def test_less_protection_than_the_policy_demands() -> None:
    conversation = talk(
        ciphered=True, client={"protection": Protection.AUTHENTICATED, "require": Protection.NONE}, opened=False
    )
    assert refused(conversation).service_error == "application-reference: deciphering-error"
