"""Our two sides of a case: a small meter on our server, and our client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from cosemic.association.parties import AGREED, GeneralParties, ThirdParty
from cosemic.association.service_provider import ServerSettings
from cosemic.association.settings import ClientSettings
from cosemic.client import BlockingMeter
from cosemic.codec import DataType, EncodedData
from cosemic.dialect import STANDARD, CipheredForm, Dialect
from cosemic.model import Data, DisconnectControl, Register, ScalerUnit
from cosemic.security import (
    Key,
    KnownSigners,
    MemoryCounterStore,
    Protection,
    PublicKey,
    SecurityMaterial,
    SecurityPolicy,
    SoftwareAgreementKey,
    SoftwareSigningKey,
    security_suite,
)
from cosemic.security.certificates import CertificateStore
from cosemic.security.general import KeyEstablishment, Layer, LayerPlan, MemoryTransactionStore
from cosemic.security.general.party_keys import KnownPartyKeys
from cosemic.server import (
    Admission,
    CosemObject,
    DisconnectControlObject,
    LogicalDevice,
    data,
    managing,
    serve_in_thread,
)
from cosemic.store.security_settings import SecuritySettings
from cosemic.values import ApplicationContext, AuthenticationMechanism, Obis, Secret, Unit
from interop import meter
from interop.secure import facts
from interop.secure.cases import ECDSA, GMAC, KEY_INFOS, LLS, NONE, SHA256, Case

_ONE: Final = {"a": Protection.AUTHENTICATED, "e": Protection.ENCRYPTED, "s": Protection.SIGNED}
ESTABLISHED: Final = dict(
    zip(
        KEY_INFOS,
        (
            KeyEstablishment.ABSENT,
            KeyEstablishment.GLOBAL_UNICAST,
            KeyEstablishment.WRAPPED,
            KeyEstablishment.ONE_PASS,
            KeyEstablishment.STATIC,
        ),
        strict=True,
    )
)
_SIGNED: Final = Protection.SIGNED


def protection(letters: str) -> Protection:
    """What the letters of a case stand for."""
    found = Protection.NONE
    for letter in letters:
        found |= _ONE[letter]
    return found


def policy_of(case: Case) -> SecurityPolicy:
    """As the version that belongs to the suite codes it; the same for requests and answers."""
    demanded = int(protection(case.policy))
    return SecurityPolicy(1, demanded << 2 | demanded << 5) if case.suite else SecurityPolicy(0, demanded)


def signing_key(title: bytes, suite: int) -> SoftwareSigningKey:
    """The private key for signatures."""
    return SoftwareSigningKey.of(facts.scalar(title, facts.SIGNATURE, suite), security_suite(suite))


def agreement_key(title: bytes, suite: int) -> SoftwareAgreementKey:
    """The private key for key agreement."""
    return SoftwareAgreementKey.of(facts.scalar(title, facts.AGREEMENT, suite), security_suite(suite))


def _public(title: bytes, suite: int) -> tuple[PublicKey, PublicKey]:
    return signing_key(title, suite).public, agreement_key(title, suite).public


def material(suite: int) -> SecurityMaterial:
    """The keys that both sides share."""
    return SecurityMaterial.of(
        Secret(facts.unicast(suite)),
        Secret(facts.authentication(suite)),
        suite=suite,
        broadcast_key=Secret(facts.broadcast(suite)),
        kek=Secret(facts.master(suite)),
    )


def _secret(case: Case) -> Secret | None:
    if case.mechanism in (NONE, GMAC, ECDSA):
        return None
    return Secret.password(facts.PASSWORD) if case.mechanism == LLS else Secret(facts.HLS_SECRET)


def _parties(case: Case, own: bytes, *others: bytes) -> GeneralParties:
    """What one side has for layers."""
    given: dict[str, Any] = {"key_infos": frozenset(ESTABLISHED.values())}
    if not case.suite:
        return GeneralParties(transactions=MemoryTransactionStore(), key_infos=given["key_infos"] - AGREED)
    known = {title: _public(title, case.suite) for title in others}
    if facts.THIRD_TITLE in others and case.form == "third-party":
        if own == facts.METER_TITLE:
            shared = Key(Secret(facts.authentication(case.suite)))
            given["third_parties"] = (ThirdParty(title=facts.THIRD_TITLE, authentication_key=shared),)
        else:
            given["brokers_for"] = (facts.THIRD_TITLE,)
    return GeneralParties(
        transactions=MemoryTransactionStore(),
        signing_key=signing_key(own, case.suite),
        agreement_key=agreement_key(own, case.suite),
        keys=KnownPartyKeys(
            {title: signs for title, (signs, _) in known.items()},
            {title: agrees for title, (_, agrees) in known.items()},
        ),
        **given,
    )


def _common(case: Case, own: bytes, *others: bytes) -> dict[str, Any]:
    given: dict[str, Any] = {
        "mechanism": AuthenticationMechanism(case.mechanism),
        "secret": _secret(case),
        "counters": MemoryCounterStore(),
    }
    if case.ciphered or case.mechanism in (GMAC, SHA256, ECDSA):
        given["system_title"] = own
    if case.ciphered or case.mechanism == GMAC:
        given["material"] = held = material(case.suite)
        # A counter that was confirmed before is not asked for through the public client, whom not every meter answers.
        used = given["counters"].transmit_counter(held.encryption_key.identity, own)
        used.next()
        used.confirm()
    if case.layered:
        given["parties"] = _parties(case, own, *others)
    if case.suite:
        given["signing_key"] = signing_key(own, case.suite)
        given["signers"] = KnownSigners({title: _public(title, case.suite)[0] for title in others})
    return given


def server_settings(case: Case, dialect: Dialect = STANDARD) -> ServerSettings:
    """What our server asks of the association of a case."""
    return ServerSettings(
        **_common(case, facts.METER_TITLE, facts.CLIENT_TITLE, facts.THIRD_TITLE),
        context_names=frozenset((ApplicationContext.LN_CIPHERED if case.ciphered else ApplicationContext.LN,)),
        policy=policy_of(case),
        dialect=dialect,
    )


def layers(case: Case) -> LayerPlan | None:
    """The layers that our client puts around its services."""
    to = facts.METER_TITLE
    inner = Layer(recipient=to, protection=_SIGNED)
    if case.form in ("signing", "glo+signing"):
        return LayerPlan((inner,))
    if not case.layered:
        return None
    outer = Layer(recipient=to, protection=protection(case.protection), key_info=ESTABLISHED[case.key_info])
    order = {"ciphering+signing": (inner, outer), "signing+ciphering": (outer, inner)}
    return LayerPlan(order.get(case.form, (outer,)))


def client_settings(case: Case, dialect: Dialect = STANDARD, **more: Any) -> ClientSettings:
    """How our client opens the association of a case."""
    general = case.form.startswith("general") or case.form == "third-party"
    dialect = dialect.but(ciphered_form=CipheredForm.GENERAL) if general else dialect
    given = _common(case, facts.CLIENT_TITLE, facts.METER_TITLE, facts.THIRD_TITLE)
    if case.ciphered:
        given["server_title"] = facts.METER_TITLE
        given["ciphered"] = True
        # Where services are signed alone, the association itself is still opened under the global keys.
        given["protection"] = protection(case.protection or "ae")
    if case.layered:
        given |= {"layers": layers(case), "sealed_inside": case.form == "glo+signing"}
    if case.dedicated:
        given["dedicated_key"] = True
    return ClientSettings(**({"response_timeout": 3.0} | given | more), dialect=dialect)


def device(case: Case, dialect: Dialect = STANDARD, certificates: CertificateStore | None = None) -> LogicalDevice:
    """A meter with a register, a message, a switch, and the Security setup where there are keys."""
    settings = server_settings(case, dialect)
    made = LogicalDevice(meter.DEVICE_NAME.decode())
    made.admit(
        Admission(
            client_sap=facts.CLIENT_SAP,
            settings=settings,
            rights=managing(),
            security_setup=Obis(facts.SETUP) if settings.material is not None else None,
            certificates=certificates,
        )
    )
    values = {"value": (DataType.DOUBLE_LONG_UNSIGNED, facts.VALUE), "scaler_unit": ScalerUnit(-1, Unit.of("Wh"))}
    made.add(CosemObject(Register(Obis(facts.REGISTER)), values))
    made.add(data(Obis(facts.MESSAGE), DataType.OCTET_STRING, b"nothing yet", writable=True))
    made.add(DisconnectControlObject(made, Obis(facts.BREAKER)))
    return made


@contextmanager
def serve(
    case: Case, dialect: Dialect = STANDARD, certificates: CertificateStore | None = None
) -> Iterator[tuple[int, LogicalDevice]]:
    """Serve the meter of a case; yields its port, and the meter. certificates: of its Security setup."""
    made = device(case, dialect, certificates)
    with serve_in_thread(made, host=meter.HOST) as server:
        yield server.port, made


@contextmanager
def connected(case: Case, port: int, dialect: Dialect = STANDARD, **more: Any) -> Iterator[BlockingMeter]:
    """Our client, with the association of a case open."""
    url = f"tcp://{meter.HOST}:{port}?client={facts.CLIENT_SAP}&server={meter.SERVER_SAP}"
    with BlockingMeter.connect(url, SecuritySettings(client_settings(case, dialect, **more))) as opened:
        yield opened


def keys_of(made: LogicalDevice) -> dict[int, bytes]:
    """The keys that a meter has, by key_id."""
    admitted = made.client(facts.CLIENT_SAP)
    held = admitted.settings.material if admitted is not None else None
    if held is None:
        return {}
    keys = (held.encryption_key, held.broadcast_key, held.authentication_key, held.kek)
    return {key_id: key.reveal() for key_id, key in enumerate(keys) if key is not None}


def policy_in_force(made: LogicalDevice) -> int:
    """The security policy that a meter has."""
    admitted = made.client(facts.CLIENT_SAP)
    return admitted.settings.policy.value if admitted is not None else -1


def use(opened: BlockingMeter) -> None:
    """Read, write and act; raises where something is not as it is to be."""
    message, breaker = Data(Obis(facts.MESSAGE)).value, DisconnectControl(Obis(facts.BREAKER))
    register: Any = Register(Obis(facts.REGISTER)).value
    got: Any = opened.read(register)
    expect("GET", got.raw, facts.VALUE)
    opened.write(message, EncodedData.of(DataType.OCTET_STRING, facts.CONTENT))
    expect("SET", bytes(opened.read(message)), facts.CONTENT)
    opened.call(breaker.remote_disconnect, 0)
    expect("ACTION", int(opened.read(breaker.control_state)), 0)


def expect(what: str, found: object, wanted: object) -> None:
    """Raise unless both are equal."""
    if found != wanted:
        raise RuntimeError(f"{what}: {str(found)[:80]} instead of {str(wanted)[:80]}")


def run(case: Case, port: int, dialect: Dialect = STANDARD, **more: Any) -> None:
    """Open the association of a case with a meter, do all in it, and release it."""
    with connected(case, port, dialect, **more) as opened:
        use(opened)
