"""A logical device: its objects, and the clients that it lets in (IEC 62056-6-2, 4.6; IEC 62056-5-3).

::

    device = LogicalDevice("CSM0000000000001", system_title=bytes.fromhex("43534d0000000001"))
    device.add(CosemObject(Register("1-0:1.8.0"), {...}))
    device.admit(Admission(client_sap=16, settings=ServerSettings(), rights=reading()))

The device itself adds its logical device name (0-0:42.0.0*255) and, for each client, the current association
(0-0:40.0.0*255, which each client has for itself), its association (0-0:40.0.e*255), its Security setup and invocation
counter (0-0:43.1.e*255, readable where the rights say so) if it has keys. Clients whose application contexts have
short-name referencing reach the same objects by short names (:mod:`cosemic.server.base_names`).

What happens in a device as time passes is done by its :class:`~cosemic.server.clockwork.Clockwork`, up to the moment of
a service before that is answered; objects act upon one another without rights (:meth:`LogicalDevice.read`, ``write``,
``invoke``) and tell what happens to them (:meth:`LogicalDevice.tell`), as to an event log. With a state
(:mod:`cosemic.server.state`) everything that a service has changed is committed before its answer leaves.

========================  ====================================================================
data-access-result        when
========================  ====================================================================
object-undefined          no object of that name is in the view of the association
object-class-inconsistent an object of that name is in view, but of another class
read-write-denied         the right is missing, or the protection that it asks for
hardware-fault            the object has no value that fits its type, or what it needs cannot be read or written
========================  ====================================================================
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from types import MappingProxyType
from typing import Any, Final, TypeVar

from cosemic.codec import DataType, EncodedData
from cosemic.errors import ConfigurationError, StoreError
from cosemic.model import SecuritySetup
from cosemic.model.short_names import ShortNameMap
from cosemic.server.association_base import CURRENT, LOGICAL_DEVICE_NAME
from cosemic.server.association_object import AssociationObject
from cosemic.server.association_sn_object import VERSIONS, AssociationSNObject
from cosemic.server.base_names import BaseNames
from cosemic.server.clients import HIDDEN, Admission, AdmittedClient
from cosemic.server.clockwork import Clockwork, Order, Process
from cosemic.server.objects import AccessRefused, CosemObject, Situation, data
from cosemic.server.push.outbox import Outbox
from cosemic.server.rights import ObjectRights
from cosemic.server.security_setup_object import SecuritySetupObject, security_setup
from cosemic.server.state import FORGETFUL, DeviceState, load_json, save_json
from cosemic.values import DataAccessResult, Obis

GREATEST_SERVER_SAP: Final = 16383
_LONGEST_NAME: Final = 16
_CURRENT: Final = ((15, CURRENT), (12, CURRENT))
Served = TypeVar("Served", bound=CosemObject)


def utc_now() -> dt.datetime:
    """The time of this machine, aware."""
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened in a device, such as ``clock-set`` or ``image-activated``.

    at: true time, aware. name: in kebab-case. details: what else is known, by name.
    """

    name: str
    at: dt.datetime
    details: Mapping[str, Any] = field(default_factory=dict)


class LogicalDevice:
    """A logical device.

    name: logical device name, at most 16 ASCII characters, the first three those of the maker. sap: server SAP, 1 for
    the management logical device. now: tells the time, aware. association_version: of class 15, 0 to 3. state: what
    outlives the process. start: moment from which on processes run; None: the first service. association_sn_version:
    of class 12, one that codes rights in the same way (:data:`~cosemic.server.association_sn_object.VERSIONS`).
    base_names: of objects, for clients with short names, ``{"3/1-0:1.8.0": 0x1000}``.

    Raises ConfigurationError; StoreError where the state cannot be read.
    """

    def __init__(
        self,
        name: str,
        *,
        sap: int = 1,
        now: Callable[[], dt.datetime] = utc_now,
        association_version: int = 1,
        state: DeviceState | None = None,
        start: dt.datetime | None = None,
        association_sn_version: int | None = None,
        base_names: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        if not 1 <= sap <= GREATEST_SERVER_SAP:
            raise ConfigurationError(f"a server SAP is 1 to {GREATEST_SERVER_SAP}, not {sap}")
        if not name.isascii() or not 1 <= len(name) <= _LONGEST_NAME:
            raise ConfigurationError(f"a logical device name has 1 to {_LONGEST_NAME} ASCII characters, not {name!r}")
        if association_version not in range(4):
            raise ConfigurationError(f"Association LN has versions 0 to 3, not {association_version}")
        possible = VERSIONS[association_version]
        if association_sn_version not in (None, *possible):
            raise ConfigurationError(
                f"beside Association LN version {association_version}, Association SN has version "
                f"{' or '.join(map(str, sorted(possible)))}, not {association_sn_version}"
            )
        self.name = name
        self.now = now
        self.association_version = association_version
        self.association_sn_version = possible[0] if association_sn_version is None else association_sn_version
        self._base_names = BaseNames(base_names, self.association_sn_version)
        self.state = state
        self.listeners: list[Callable[[Happening], None]] = []
        """Called with everything that happens."""
        self.lock = threading.RLock()
        """Held while a service is done: connections in several threads are served one after the other."""
        self.nested_scripts = 0
        """How many scripts run, each executed by the one before (:mod:`cosemic.server.scripts`)."""
        self.actions_left = 0
        """How many actions the first of them may still do."""
        self._sap = sap
        self._failed: StoreError | None = None
        self._memory = FORGETFUL if state is None else state.of("device")
        done = load_json(self._memory, "done")
        self.clockwork = Clockwork(start if done is None else dt.datetime.fromisoformat(done))
        self._saved = self.clockwork.done
        self.outbox = Outbox(self)
        """What the device sends of its own accord."""
        self._objects: dict[tuple[int, Obis], CosemObject] = {}
        self._clients: dict[int, AdmittedClient] = {}
        self.add(data(LOGICAL_DEVICE_NAME, DataType.OCTET_STRING, name.encode()))

    @property
    def sap(self) -> int:
        """Server SAP; 0: the device is disconnected from all."""
        return self._sap

    def connect(self, sap: int) -> None:
        """Take another server SAP; 0 disconnects the device."""
        self._sap = sap

    @property
    def clients(self) -> tuple[AdmittedClient, ...]:
        """The clients that are let in, in the order of their admission."""
        return tuple(self._clients.values())

    def add(self, served: Served) -> Served:
        """Take an object; every client that is let in finds out its rights. Returns the object.

        Raises ConfigurationError where there is such an object already, or rights cannot be coded.
        """
        key = served.class_id, served.instance_id
        if key in self._objects or key in _CURRENT:
            raise ConfigurationError(f"{self.name} has {served!r} already")
        for client in self._clients.values():
            client.learn(served)
        self._base_names.add(served)
        self._objects[key] = served
        if self.state is not None:
            served.attach(self.state.of(f"{served.class_id}/{served.instance_id}"))
        return served

    def admit(self, admission: Admission) -> AdmittedClient:
        """Let a client in; what clients have changed of it, and the state has kept, holds.

        Raises ConfigurationError for a client SAP that is taken, rights that cannot be coded, and transaction-ids that
        are kept apart from those of the other clients; StoreError.
        """
        if admission.client_sap in self._clients:
            raise ConfigurationError(f"client SAP {admission.client_sap} is taken in {self.name}")
        parties = admission.settings.parties
        for other in self._clients.values():
            kept = other.settings.parties
            if parties is not None and kept is not None and kept.transactions is not parties.transactions:
                # Otherwise what a third party has asked through one client could be brought again by another.
                raise ConfigurationError(
                    f"the clients {other.client_sap} and {admission.client_sap} of {self.name} keep transaction-ids in "
                    "two stores: give the parties of all clients the same one (transactions)"
                )
        memory = FORGETFUL if self.state is None else self.state.of(f"client {admission.client_sap}")
        client = AdmittedClient(admission, self.association_version, memory)
        if client.logical_names:
            client.take(AssociationObject(self, client, CURRENT))
        if client.short_names:
            self._base_names.begin(self._objects.values())
            client.take(self._association_sn(client, CURRENT))
        for served in self._objects.values():
            client.learn(served)
        self._clients[admission.client_sap] = client
        number = len(self._clients)
        name = Obis(bytes((0, 0, 40, 0, number, 255)))
        self.add(AssociationObject(self, client, name) if client.logical_names else self._association_sn(client, name))
        if client.settings.material is not None and admission.security_setup is not None:
            self._add_security_setup(client, admission.security_setup)
        return client

    def _association_sn(self, client: AdmittedClient, name: Obis) -> AssociationSNObject:
        return AssociationSNObject(self, client, name, self.association_sn_version)

    def _add_security_setup(self, client: AdmittedClient, instance_id: Obis) -> None:
        known = self._objects.get((SecuritySetup.class_id, instance_id))
        if isinstance(known, SecuritySetupObject):
            known.join(client)
        if known is not None:
            return
        self.add(security_setup(client, instance_id, self.tell))
        counter = Obis(bytes((0, instance_id.b, 43, 1, instance_id.e, 255)))
        self.add(data(counter, DataType.DOUBLE_LONG_UNSIGNED, lambda now: client.lowest_acceptable_counter()))

    # ---- time -------------------------------------------------------------------------------------------------------

    def run(self, process: Process, order: Order) -> None:
        """Have a process run at the moments at which it is due."""
        self.clockwork.add(process, order)

    def advance(self) -> dt.datetime:
        """Do whatever is due up to now; return now. Raises StoreError."""
        if self._failed is not None:
            raise self._failed
        now = self.now()
        try:
            self.clockwork.advance(now)
        except StoreError as error:
            self.fail(error)
            raise
        return now

    def commit(self) -> None:
        """Make what has changed last. Raises StoreError, then and for whatever is asked of the device afterwards."""
        if self.state is None:
            return
        try:
            done = self.clockwork.done
            if done is not None and done != self._saved and self.state.file.changing:
                save_json(self._memory, "done", done.isoformat())
                self._saved = done
            self.state.commit()
        except StoreError as error:
            self.fail(error)
            raise

    def fail(self, error: StoreError) -> None:
        """Serve no more: what is in memory is not what is kept."""
        self._failed = error
        if self.state is not None:
            self.state.rollback()

    def tell(self, name: str, at: dt.datetime, **details: Any) -> None:
        """Tell all listeners what has happened."""
        happening = Happening(name, at, details)
        for listener in self.listeners:
            listener(happening)

    def happened(self, name: str, **details: Any) -> None:
        """Tell what has happened now and outside of any service.

        Where it cannot be kept, the device serves no more; whoever asks next is told.
        """
        with self.lock:
            try:
                self.tell(name, self.advance(), **details)
                self.commit()
            except StoreError as error:
                self.fail(error)

    def associated(self, client: AdmittedClient, title: bytes | None) -> None:
        """Remember the system title of a client that is associated now, outside of any service.

        Where it cannot be kept, the device serves no more; whoever asks next is told.
        """
        with self.lock:
            try:
                client.associated(title)
                self.commit()
            except StoreError as error:
                self.fail(error)

    # ---- objects for one another ------------------------------------------------------------------------------------

    def read(self, class_id: int, instance_id: Obis, attribute_id: int, at: dt.datetime) -> EncodedData:
        """Read an attribute for another object of the device. Raises AccessRefused."""
        return self._wanted(class_id, instance_id).read(attribute_id, None, Situation(at))

    def write(self, class_id: int, instance_id: Obis, attribute_id: int, value: EncodedData, at: dt.datetime) -> None:
        """Write an attribute for another object of the device. Raises AccessRefused."""
        self._wanted(class_id, instance_id).write(attribute_id, None, value, Situation(at))

    def invoke(
        self, class_id: int, instance_id: Obis, method_id: int, parameters: EncodedData | None, at: dt.datetime
    ) -> EncodedData | None:
        """Invoke a method for another object of the device. Raises AccessRefused."""
        return self._wanted(class_id, instance_id).invoke(method_id, parameters, Situation(at))

    def _wanted(self, class_id: int, instance_id: Obis) -> CosemObject:
        served = self._objects.get((class_id, instance_id))
        if served is None:
            raise AccessRefused(DataAccessResult.OBJECT_UNDEFINED)
        return served

    # ---- clients and their view -------------------------------------------------------------------------------------

    def object(self, class_id: int, instance_id: Obis | str) -> CosemObject | None:
        """Return an object."""
        return self._objects.get((class_id, instance_id if isinstance(instance_id, Obis) else Obis(instance_id)))

    @property
    def short_names(self) -> ShortNameMap:
        """The base names of the objects; none while no client may use them."""
        return self._base_names.map

    def client(self, client_sap: int) -> AdmittedClient | None:
        """Return a client that is let in."""
        return self._clients.get(client_sap)

    def rights_of(self, situation: Situation, class_id: int, instance_id: Obis) -> ObjectRights | None:
        """Return what the client that asks may do with an object; None for another object, which needs no rights.

        Who has the device read or act on its behalf, now or later, needs the right to do so itself.
        """
        client = self._clients.get(situation.client_sap)
        return None if client is None else client.rights.get((class_id, instance_id), HIDDEN)

    def may_read_through(
        self, situation: Situation, captured: tuple[int, Obis, int], through: tuple[int, Obis, int]
    ) -> bool:
        """Whether the client that asks may have an attribute shown in another one: class, name and index of both.

        It needs the right to read the first (index 0: all of the object), and that must not ask for more protection
        than the second.
        """
        rights = self.rights_of(situation, *captured[:2])
        own = self.rights_of(situation, *through[:2])
        if rights is None or own is None:
            return True
        served = self._objects.get(captured[:2])
        wanted = (served.readable if served is not None else ()) if captured[2] == 0 else (captured[2],)
        has = own.attribute(through[2]).requires
        return all(
            (right := rights.attribute(index)).readable
            and not right.requires.request & ~has.request
            and not right.requires.response & ~has.response
            for index in wanted
        )

    def object_for(self, client: AdmittedClient, class_id: int, instance_id: Obis) -> CosemObject | None:
        """Return an object as a client would see it, in view or not."""
        key = class_id, instance_id
        return client.own.get(key) or self._objects.get(key)

    def objects_in_view(self, client: AdmittedClient) -> Iterator[CosemObject]:
        """Return the objects that a client sees."""
        return (served for served in chain(client.own.values(), self._objects.values()) if client.sees(served))

    def find(self, class_id: int, instance_id: Obis, client: AdmittedClient) -> tuple[CosemObject, ObjectRights]:
        """Return an object in the client's view and the rights to it. Raises AccessRefused."""
        key = class_id, instance_id
        rights = client.rights.get(key)
        if rights is not None:
            return client.own.get(key) or self._objects[key], rights
        in_view = any(name == instance_id for _, name in client.rights)
        raise AccessRefused(
            DataAccessResult.OBJECT_CLASS_INCONSISTENT if in_view else DataAccessResult.OBJECT_UNDEFINED
        )
