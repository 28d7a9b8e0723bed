"""A meter of ours that notes what it answers and what happens in it, so that the other side can be held to it."""

from __future__ import annotations

from typing import Any

from cosemic.apdu import SelectiveAccessDescriptor
from cosemic.codec import EncodedData
from cosemic.server import CosemObject, LogicalDevice, ObjectRights, Situation
from cosemic.server.clients import AdmittedClient
from cosemic.server.logical_device import Happening
from cosemic.values import Obis

Key = tuple[int, str, int]
"""class_id, logical name in hex, attribute."""


class _Noted:
    """An object as it is, but that its answers are noted."""

    def __init__(self, served: CosemObject, answers: dict[Key, set[bytes]]) -> None:
        self._served = served
        self._answers = answers

    def __getattr__(self, name: str) -> Any:
        return getattr(self._served, name)

    def read(self, attribute_id: int, selection: SelectiveAccessDescriptor | None, situation: Situation) -> EncodedData:
        answer = self._served.read(attribute_id, selection, situation)
        key = self._served.class_id, self._served.instance_id.octets.hex(), attribute_id
        self._answers.setdefault(key, set()).add(answer.octets)
        return answer


class Watched(LogicalDevice):
    """A device that notes; arguments as those of the class that it is mixed with."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.answers: dict[Key, set[bytes]] = {}
        """The values of each attribute that was read, as they were sent."""
        self.told: list[Happening] = []
        """What has happened, in its order."""
        self.listeners.append(self.told.append)

    def find(self, class_id: int, instance_id: Obis, client: AdmittedClient) -> tuple[CosemObject, ObjectRights]:
        """Return an object in the client's view and the rights to it. Raises AccessRefused."""
        served, rights = super().find(class_id, instance_id, client)
        noted: Any = _Noted(served, self.answers)
        return noted, rights

    @property
    def objects(self) -> tuple[CosemObject, ...]:
        """All that it serves, but for what each client has for itself."""
        return tuple(self._objects.values())

    def view(self, client_sap: int) -> set[tuple[int, int, str]]:
        """class_id, version and logical name in hex of all that a client sees."""
        client = self.client(client_sap)
        seen = () if client is None else self.objects_in_view(client)
        return {(one.class_id, one.interface.version, one.instance_id.octets.hex()) for one in seen}

    def is_readable(self, client_sap: int, class_id: int, name: str, attribute: int) -> bool:
        """Whether a client may read an attribute of an object in its view."""
        client = self.client(client_sap)
        rights = None if client is None else client.rights.get((class_id, Obis(bytes.fromhex(name))))
        return rights is not None and rights.attribute(attribute).readable
