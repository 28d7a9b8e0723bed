"""SAP assignment of a physical device (class 17, version 0; IEC 62056-6-2, 5.3).

The list holds every logical device and its SAP; those at SAP 0 are connected to none. connect_logical_device moves a
device, named by its logical device name, to a free SAP, or disconnects it with SAP 0; the assignment outlives the
process where the management logical device has a state. The management logical device stays at its SAP.

=============  ======================================================================================
action-result  when
=============  ======================================================================================
other-reason   no device has that name, the SAP is taken or none, it is the management logical device
=============  ======================================================================================
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

from cosemic.errors import ConfigurationError
from cosemic.model import SAPAssignment
from cosemic.model.access_control import SAPAssignmentElement
from cosemic.server.logical_device import LogicalDevice
from cosemic.server.objects import AccessRefused, CosemObject, Situation
from cosemic.server.state import load_json, save_json
from cosemic.values import DataAccessResult, Obis

SAP_ASSIGNMENT: Final = Obis("0-0:41.0.0")
MANAGEMENT_LOGICAL_DEVICE: Final = 1
NO_SAP: Final = 0
_KEPT_AS: Final = "assignment"


class SAPs(Protocol):
    """What the object needs of its physical device."""

    @property
    def devices(self) -> Iterable[LogicalDevice]:
        """The logical devices."""

    def assign(self, device: LogicalDevice, sap: int) -> None:
        """Move a device to a SAP; 0 disconnects it. Raises ConfigurationError where that is taken or none."""


class SAPAssignmentObject(CosemObject):
    """The SAPs of the logical devices of a physical device, which can be changed."""

    def __init__(self, saps: SAPs) -> None:
        self._saps = saps
        super().__init__(
            SAPAssignment(SAP_ASSIGNMENT),
            {"SAP_assignment_list": lambda now: self._elements()},
            methods={"connect_logical_device": self._connect},
        )

    def restore(self) -> None:
        """Take up the SAPs that were assigned, of those devices that are still there. Raises ConfigurationError."""
        kept: dict[str, int] = load_json(self.memory, _KEPT_AS) or {}
        for device in self._saps.devices:
            if device.name in kept:
                device.connect(NO_SAP)
        for device in self._saps.devices:
            if device.name in kept:
                self._saps.assign(device, kept[device.name])

    def _elements(self) -> tuple[SAPAssignmentElement, ...]:
        return tuple(SAPAssignmentElement(device.sap, device.name.encode()) for device in self._saps.devices)

    def _connect(self, element: SAPAssignmentElement, situation: Situation) -> None:
        named = (one for one in self._saps.devices if one.name.encode() == element.logical_device_name)
        device = next(named, None)
        if device is None or device.sap == MANAGEMENT_LOGICAL_DEVICE:
            raise AccessRefused(DataAccessResult.OTHER_REASON)
        try:
            self._saps.assign(device, element.sap)
        except ConfigurationError:
            raise AccessRefused(DataAccessResult.OTHER_REASON) from None
        save_json(self.memory, _KEPT_AS, {one.name: one.sap for one in self._saps.devices})
