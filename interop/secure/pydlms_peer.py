"""pydlms-client's two sides of a case: `DlmsClient.tcp`, and its meter simulator.

Its constructor of the simulator knows suite 0 alone, so the security context is put in place afterwards. For the
standard's forms of general-ciphering and general-signing it has options, which its defaults are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from pydlms import DlmsClient, DlmsData, Mechanism, ObisCode, SecurityContext
from pydlms.apdu.xdlms import Conformance
from pydlms.security.general import ONE_PASS_DH, STATIC_UNIFIED_MODEL, GeneralAad, KeyInfo, SigningForm
from pydlms.security.suites import SecurityPolicy
from pydlms.security.thirdparty import ThirdParty
from pydlms.security.v44 import v44_decompressor
from pydlms.simulator import ClientProfile, MeterSimulator
from pydlms.simulator import serve as serve_wrapper

from interop import meter
from interop.driver import first_counter
from interop.secure import facts
from interop.secure.cases import ECDSA, GMAC, LLS, NONE, SHA256, Case
from interop.secure.ours import expect

STANDARDS_FORM: Final[dict[str, Any]] = {
    "general_aad": GeneralAad.WITH_HEADER,
    "signing_form": SigningForm.LENGTH_PREFIXED_CONTENT,
}
KEY_INFO: Final = {
    "absent": KeyInfo("none"),
    "identified": KeyInfo("identified"),
    "wrapped": KeyInfo("wrapped"),
    "one-pass": KeyInfo("agreed", scheme=ONE_PASS_DH),
    "static": KeyInfo("agreed", scheme=STATIC_UNIFIED_MODEL),
}
_POLICY: Final = {
    "": SecurityPolicy.AUTHENTICATED_ENCRYPTED,
    "a": SecurityPolicy.AUTHENTICATED,
    "e": SecurityPolicy.ENCRYPTED,
    "ae": SecurityPolicy.AUTHENTICATED_ENCRYPTED,
}
_PROTECTION: Final = {
    "ded": "glo",
    "general-ded": "general-glo",
    "ciphering": "general-ciphering",
    "signing": "general-signing",
    "ciphering+signing": "general-ciphering+signing",
    "third-party": "general-ciphering",
    "plain": "glo",
}


def context(case: Case, own: bytes, other: bytes, **changed: Any) -> SecurityContext:
    """The security context of one of its sides."""
    given: dict[str, Any] = {
        "client_system_title": own,
        "suite": case.suite,
        "policy": _POLICY[case.protection],
        "master_key": facts.master(case.suite),
        "broadcast_key": facts.broadcast(case.suite),
        "invocation_counter": first_counter() if own == facts.CLIENT_TITLE else 1,
        **STANDARDS_FORM,
    }
    if case.suite:
        given["signing_key"] = facts.private(own, facts.SIGNATURE, case.suite)
        given["key_agreement_key"] = facts.private(own, facts.AGREEMENT, case.suite)
        given["peer_signing_key"] = facts.public(other, facts.SIGNATURE, case.suite)
        given["peer_key_agreement_key"] = facts.public(other, facts.AGREEMENT, case.suite)
    if case.extra == "compressed":
        given["decompressor"] = v44_decompressor()
    keys = {"encryption_key": facts.unicast(case.suite), "authentication_key": facts.authentication(case.suite)}
    return SecurityContext(**(keys | given | changed))


def _secret(case: Case) -> bytes | None:
    if case.mechanism in (NONE, GMAC, ECDSA):
        return None
    return facts.PASSWORD if case.mechanism == LLS else facts.HLS_SECRET


def _third_party(case: Case) -> ThirdParty:
    return ThirdParty(
        facts.THIRD_TITLE,
        signing_key=facts.private(facts.THIRD_TITLE, facts.SIGNATURE, case.suite),
        key_agreement_key=facts.private(facts.THIRD_TITLE, facts.AGREEMENT, case.suite),
        policy=_POLICY["ae"],
        key_agreement=KEY_INFO[case.key_info].scheme,
        authentication_key=facts.authentication(case.suite),
        # The policy of the meter does not ask for signed answers.
        signed_responses=False,
        **STANDARDS_FORM,
    )


def client(case: Case, port: int, **changed: Any) -> DlmsClient:
    """Its client, not connected yet. changed: of its security context."""
    options: dict[str, Any] = {
        "mechanism": Mechanism(case.mechanism),
        "password": _secret(case),
        "protection": _PROTECTION.get(case.form, case.form),
        "ciphered_context": case.ciphered,
        "timeout": 5.0,
    }
    if case.ciphered or case.mechanism == GMAC:
        options["security"] = context(case, facts.CLIENT_TITLE, facts.METER_TITLE, **changed)
    elif case.mechanism in (SHA256, ECDSA):
        options["client_system_title"] = facts.CLIENT_TITLE
    if case.mechanism == ECDSA:
        options["signing_key"] = facts.private(facts.CLIENT_TITLE, facts.SIGNATURE, case.suite)
        options["server_public_key"] = facts.public(facts.METER_TITLE, facts.SIGNATURE, case.suite)
    if case.key_info and case.form != "third-party":
        options["key_info"] = KEY_INFO[case.key_info]
    if case.form == "third-party":
        options["third_party"] = _third_party(case)
    options["use_dedicated_key"] = case.dedicated
    return DlmsClient.tcp(meter.HOST, port, client_sap=facts.CLIENT_SAP, server_logical=meter.SERVER_SAP, **options)


def use(opened: DlmsClient) -> None:
    """Read, write and act."""
    register, message, breaker = map(ObisCode.from_bytes, (facts.REGISTER, facts.MESSAGE, facts.BREAKER))
    expect("GET", opened.get(register, 3, 2).value, facts.VALUE)
    opened.set(message, 1, 2, DlmsData.octet_string(facts.CONTENT))
    expect("SET", bytes(opened.get(message, 1, 2).value), facts.CONTENT)
    opened.action(breaker, 70, 1, DlmsData.int8(0))
    expect("ACTION", opened.get(breaker, 70, 3).value, 0)


def run(case: Case, port: int, **changed: Any) -> None:
    """Its client: open, do all, release."""
    reading = client(case, port, **changed)
    reading.connect()
    try:
        use(reading)
    finally:
        reading.close()


def simulator(case: Case, **changed: Any) -> MeterSimulator:
    """Its meter. changed: of its security context."""
    sim = MeterSimulator(facts.METER_TITLE, conformance=Conformance(0xFFFFFF))
    if case.ciphered or case.mechanism == GMAC:
        sim.encryption_key, sim.authentication_key = facts.unicast(case.suite), facts.authentication(case.suite)
        sim.security = context(case, facts.METER_TITLE, facts.CLIENT_TITLE, **changed)
    key = facts.public(facts.CLIENT_TITLE, facts.SIGNATURE, case.suite) if case.suite else None
    sim.clients[facts.CLIENT_SAP] = ClientProfile(
        Mechanism(case.mechanism), _secret(case), case.ciphered, client_public_key=key
    )
    vars(sim)["signing_key"] = facts.private(facts.METER_TITLE, facts.SIGNATURE, case.suite) if case.suite else None
    register, message, breaker = map(ObisCode.from_bytes, (facts.REGISTER, facts.MESSAGE, facts.BREAKER))
    scaler_unit = DlmsData.structure([DlmsData.int8(-1), DlmsData.enum(30)])
    sim.add_object(3, register, {2: DlmsData.uint32(facts.VALUE), 3: scaler_unit})
    sim.add_object(1, message, {2: DlmsData.octet_string(b"nothing yet")})
    sim.add_object(70, breaker, {2: DlmsData.boolean(True), 3: DlmsData.enum(1), 4: DlmsData.enum(4)})

    def disconnect(served: Any, _: Any) -> None:
        state = served.objects[70, breaker]
        state[2], state[3] = DlmsData.boolean(False), DlmsData.enum(0)

    sim.add_method(70, breaker, 1, disconnect)
    return sim


@contextmanager
def serve(case: Case, **changed: Any) -> Iterator[tuple[int, MeterSimulator]]:
    """Serve its meter; yields its port, and the meter."""
    sim = simulator(case, **changed)
    server = serve_wrapper(sim, meter.HOST)
    try:
        yield server.server_address[1], sim
    finally:
        server.shutdown()
        server.server_close()
