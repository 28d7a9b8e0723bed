"""A device with a data protection, in every suite, and what a client and a third party protect for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cosemic.association.attribute_0 import joined
from cosemic.association.service_provider import ServerSettings
from cosemic.codec import DataType, EncodedData
from cosemic.model import (
    Data,
    DataProtection,
    GetProtectedAttributesRequest,
    InvokeProtectedMethodRequest,
    MethodDefinition,
    ProtectedAttributes,
    Register,
    RestrictedObjectDefinition,
    SecuritySetup,
    SetProtectedAttributesRequest,
)
from cosemic.model.push import RestrictionElement, RestrictionType
from cosemic.model.security_setup import SecurityPolicyV1
from cosemic.security import AttributeAccess, MemoryCounterStore, Protection, Requirement, security_suite
from cosemic.security.data_protection import DataProtector, ProtectedData
from cosemic.security.general import KeyEstablishment, Layer, MemoryTransactionStore, OwnParty, Party
from cosemic.server import (
    PUBLIC_CLIENT,
    AccessRefused,
    Admission,
    ClockObject,
    CosemObject,
    DataProtectionObject,
    LogicalDevice,
    ObjectRights,
    Situation,
    data,
    managing,
    only,
    reading,
)
from cosemic.server.state import DeviceState
from cosemic.values import DataAccessResult, Obis
from tests.security.parties import AGREED, own, party
from tests.server.security_support import CLIENT_TITLE, MANAGER, NAME, SERVER_TITLE, SETUP, material, server_settings
from tests.server.support import BOTH, NOW, View

THIRD_TITLE = bytes.fromhex("5454540000000007")
PROTECTION = "0-0:43.2.0"
VALUE, NAME_PLATE, SECRET, GUARDED, STUBBORN = (f"0-0:96.1.{number}" for number in range(5))
ANSWER_GUARDED = "0-0:96.1.5"
COUNTER, ANSWERING, UNTOUCHABLE = "1-0:1.8.0", "0-0:43.0.9", "1-0:2.8.0"
A, E, S = Protection.AUTHENTICATED, Protection.ENCRYPTED, Protection.SIGNED
K = KeyEstablishment
ANY = RestrictionElement(RestrictionType.NONE, None)
T = DataType


def listed(*names: str, class_id: int = 1, attribute: int = 2, **more: Any) -> tuple[RestrictedObjectDefinition, ...]:
    """Elements of an object list."""
    rest: dict[str, Any] = {"data_index": 0, "restriction": ANY} | more
    return tuple(RestrictedObjectDefinition(class_id, Obis(name), attribute, **rest) for name in names)


def to_device(protection: Protection = BOTH, kind: KeyEstablishment = K.WRAPPED, **more: Any) -> Layer:
    return Layer(recipient=SERVER_TITLE, protection=protection, key_info=None if protection is S else kind, **more)


def _rights(served: CosemObject) -> ObjectRights | None:
    """The manager may do everything; some objects are hidden, or ask for more."""
    if served.instance_id == Obis(SECRET):
        return None
    if served.instance_id == Obis(GUARDED):
        return ObjectRights({2: AttributeAccess(True, True, Requirement(BOTH, BOTH))})
    if served.instance_id == Obis(ANSWER_GUARDED):
        return ObjectRights({2: AttributeAccess(True, False, Requirement(Protection.NONE, BOTH))})
    if served.instance_id == Obis(UNTOUCHABLE):
        return ObjectRights({2: AttributeAccess(True)})
    return managing()(served)


def protector(title: bytes, suite: int, *others: Party, counters: Any = None) -> DataProtector:
    return DataProtector(
        own(title, suite),
        others,
        suite=security_suite(suite),
        counters=counters or MemoryCounterStore(),
        transactions=MemoryTransactionStore(),
    )


@dataclass
class Protecting:
    """The device, its objects, and the two who protect data for it."""

    suite: int = 1
    required: int = 0
    state: DeviceState | None = None
    options: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    bare: bool = False
    """The data protection itself knows nobody, and has no key."""

    def __post_init__(self) -> None:
        suite = self.suite
        device = self.device = LogicalDevice(NAME, now=lambda: NOW, state=self.state, association_version=3)
        self.clock = device.add(ClockObject(device=device))
        device.add(data(VALUE, T.LONG_UNSIGNED, 7, writable=True))
        device.add(data(NAME_PLATE, T.OCTET_STRING, b"plate", writable=True))
        device.add(data(SECRET, T.OCTET_STRING, b"hidden", writable=True))
        device.add(data(GUARDED, T.OCTET_STRING, b"guarded", writable=True))
        device.add(data(ANSWER_GUARDED, T.OCTET_STRING, b"guarded"))
        device.add(_stubborn())
        self.invoked: list[Any] = []
        for name in (COUNTER, UNTOUCHABLE):
            methods = {"reset": lambda value, _: self.invoked.append(value)}
            device.add(CosemObject(Register(name), {"value": (T.DOUBLE_LONG_UNSIGNED, 12345)}, methods=methods))
        answers = {"generate_certificate_request": self._answer}
        device.add(CosemObject(SecuritySetup(ANSWERING), {}, methods=answers))
        agreed = AGREED if suite else frozenset()
        known = party(CLIENT_TITLE, suite, material=None, key_infos=agreed, broker=True)
        self.transactions = MemoryTransactionStore()
        self.object = device.add(
            DataProtectionObject(
                device,
                self.clock,
                OwnParty(title=SERVER_TITLE) if self.bare else own(SERVER_TITLE, suite),
                suite=security_suite(suite),
                transactions=self.transactions,
                parties=[] if self.bare else [known, party(THIRD_TITLE, suite, third=True)],
                required_protection=SecurityPolicyV1(self.required),
                **self.options,
            )
        )
        public = only(reading(), "0-0:42.0.0", "0-0:40.0.0", "0-0:43.1.0")
        device.admit(Admission(client_sap=PUBLIC_CLIENT, settings=ServerSettings(), rights=public))
        changed: dict[str, Any] = {"client_title": CLIENT_TITLE, "counters": MemoryCounterStore()} | self.settings
        settings = server_settings(1, suite, **changed)
        device.admit(Admission(client_sap=MANAGER, settings=settings, rights=_rights, security_setup=SETUP))
        meter = party(SERVER_TITLE, suite, material=material(suite))
        self.client = protector(CLIENT_TITLE, suite, meter)
        self.third = protector(THIRD_TITLE, suite, party(SERVER_TITLE, suite, third=True))

    def _answer(self, value: Any, _: Situation) -> bytes:
        self.invoked.append(value)
        return b"request"

    def view(self, applied: Protection = BOTH) -> View:
        return View(self.device, MANAGER, applied)

    # ---- the services of class 30, by the management client ---------------------------------------------------------

    def get(self, objects: Sequence[RestrictedObjectDefinition], layers: Sequence[Any], **more: Any) -> Any:
        """Return ProtectedData, or the label of the refusal."""
        request = GetProtectedAttributesRequest(tuple(objects), tuple(layers))
        found = self._act(DataProtection(PROTECTION).get_protected_attributes, request, **more)
        if isinstance(found, str):
            return found
        return ProtectedData(found.protection_parameters, found.protected_attributes)

    def set(self, objects: Sequence[RestrictedObjectDefinition], protected: ProtectedData, **more: Any) -> str:
        """Return the label of the result."""
        request = SetProtectedAttributesRequest(tuple(objects), protected.parameters, protected.octets)
        answer = self._act(DataProtection(PROTECTION).set_protected_attributes, request, **more)
        return answer if isinstance(answer, str) else "success"

    def invoke(self, class_id: int, name: str, method: int, protected: ProtectedData, **more: Any) -> Any:
        """Return ProtectedData, or the label of the refusal."""
        named = MethodDefinition(class_id, Obis(name), method)
        request = InvokeProtectedMethodRequest(named, protected.parameters, protected.octets)
        found = self._act(DataProtection(PROTECTION).invoke_protected_method, request, **more)
        if isinstance(found, str):
            return found
        return ProtectedData(found.protection_parameters, found.protected_method_return_parameters)

    def _act(self, method: Any, request: Any, applied: Protection = BOTH) -> Any:
        parameter = EncodedData.from_typed(method.encode(request))
        view = self.view(applied)
        answer = view.act(30, PROTECTION, method.method_id, parameter)
        self.response = view.last.response
        if answer.result.label != "success":
            return answer.result.label
        found = answer.return_parameters
        return method.decode(found.typed()) if isinstance(found, EncodedData) else None

    def buffer(self, applied: Protection = BOTH) -> Any:
        found = self.view(applied).get(30, PROTECTION, 2)
        if isinstance(found, DataAccessResult):
            return found.label
        content = ProtectedAttributes.decode(EncodedData(found.value()).typed())
        return ProtectedData(content.protection_parameters, content.protected_attributes)

    def write_buffer(self, protected: ProtectedData) -> str:
        content = ProtectedAttributes.encode(ProtectedAttributes(protected.parameters, protected.octets))
        octets = EncodedData.from_typed(content).octets
        return self.view().set(30, PROTECTION, 2, EncodedData.of(T.OCTET_STRING, octets)).label

    def values(self) -> list[Any]:
        """What the device has: all that refused data must not change."""
        return [
            self.device.read(1, Obis(name), 2, NOW).value() for name in (VALUE, NAME_PLATE, SECRET, GUARDED, STUBBORN)
        ]


def body(*values: tuple[DataType, Any]) -> bytes:
    return joined([EncodedData.of(*value) for value in values]).octets


def _stubborn() -> CosemObject:
    """An object that refuses a value only when it is written."""
    kept = [1]

    def write(value: Any, _: Situation) -> None:
        number = value[1] if isinstance(value, tuple) else value
        if number == 99:
            raise AccessRefused(DataAccessResult.TEMPORARY_FAILURE)
        kept[0] = number

    return CosemObject(Data(STUBBORN), {"value": lambda now: (T.UNSIGNED, kept[0])}, writers={"value": write})
