"""Types that several services share (IEC 62056-5-3, COSEMpdu module).

::

    Invoke-Id-And-Priority         bits 0-3 invoke-id, 6 service-class (1 confirmed), 7 priority (1 high)
    Long-Invoke-Id-And-Priority    bits 0-23 invoke-id, 28 self-descriptive, 29 break-on-error, 30, 31 as above
"""

from __future__ import annotations

from typing import Annotated, Final

from cosemic.codec import (
    EncodedData,
    Fixed,
    Integer8,
    OctetString,
    Sequence,
    Unsigned8,
    Unsigned16,
    Unsigned32,
    alternatives,
)
from cosemic.values import ActionResult, DataAccessResult, Obis, Priority, ServiceClass


class InvokeIdAndPriority(int):
    """Invoke-Id-And-Priority: an octet that is read as its parts."""

    __slots__ = ()

    @classmethod
    def of(
        cls,
        invoke_id: int,
        service_class: ServiceClass = ServiceClass.CONFIRMED,
        priority: Priority = Priority.HIGH,
    ) -> InvokeIdAndPriority:
        """Make one from its parts; ``invoke_id`` 0 to 15."""
        return _INVOKE_IDS[invoke_id & 0x0F | service_class << 6 | priority << 7]

    @property
    def invoke_id(self) -> int:
        """0 to 15."""
        return self & 0x0F

    @property
    def service_class(self) -> ServiceClass:
        """Whether the service is confirmed."""
        return ServiceClass(self >> 6 & 1)

    @property
    def priority(self) -> Priority:
        """Normal or high."""
        return Priority(self >> 7 & 1)

    def __repr__(self) -> str:
        return f"<invoke-id {self.invoke_id} {self.service_class.label} {self.priority.label}>"


_INVOKE_IDS: Final = tuple(map(InvokeIdAndPriority, range(256)))
InvokeId = Annotated[InvokeIdAndPriority, Fixed("Invoke-Id-And-Priority", "B", table=_INVOKE_IDS)]


class LongInvokeIdAndPriority(int):
    """Long-Invoke-Id-And-Priority: four octets that are read as their parts."""

    __slots__ = ()

    @classmethod
    def of(
        cls,
        invoke_id: int,
        *,
        self_descriptive: bool = False,
        break_on_error: bool = False,
        service_class: ServiceClass = ServiceClass.CONFIRMED,
        priority: Priority = Priority.NORMAL,
    ) -> LongInvokeIdAndPriority:
        """Make one from its parts; ``invoke_id`` 0 to 16777215."""
        return cls(
            invoke_id & 0xFFFFFF | self_descriptive << 28 | break_on_error << 29 | service_class << 30 | priority << 31
        )

    @property
    def invoke_id(self) -> int:
        """0 to 16777215."""
        return self & 0xFFFFFF

    @property
    def self_descriptive(self) -> bool:
        """Whether the specifications of an ACCESS request are echoed in the response."""
        return bool(self >> 28 & 1)

    @property
    def break_on_error(self) -> bool:
        """Whether an ACCESS request ends at the first failure."""
        return bool(self >> 29 & 1)

    @property
    def service_class(self) -> ServiceClass:
        """Whether the service is confirmed."""
        return ServiceClass(self >> 30 & 1)

    @property
    def priority(self) -> Priority:
        """Normal or high."""
        return Priority(self >> 31 & 1)

    def __repr__(self) -> str:
        return f"<long-invoke-id {self.invoke_id} {self.service_class.label} {self.priority.label}>"


LongInvokeId = Annotated[
    LongInvokeIdAndPriority, Fixed("Long-Invoke-Id-And-Priority", "I", make=LongInvokeIdAndPriority)
]


class CosemAttributeDescriptor(Sequence):
    """Cosem-Attribute-Descriptor; attribute 0 stands for all attributes."""

    class_id: Unsigned16
    instance_id: Obis
    attribute_id: Integer8


class CosemMethodDescriptor(Sequence):
    """Cosem-Method-Descriptor."""

    class_id: Unsigned16
    instance_id: Obis
    method_id: Integer8


class SelectiveAccessDescriptor(Sequence):
    """Selective-Access-Descriptor: which part of an attribute; the selectors belong to the class."""

    access_selector: Unsigned8
    access_parameters: EncodedData


class CosemAttributeDescriptorWithSelection(Sequence):
    """Cosem-Attribute-Descriptor-With-Selection."""

    cosem_attribute_descriptor: CosemAttributeDescriptor
    access_selection: SelectiveAccessDescriptor | None = None


GetDataResult = Annotated[
    EncodedData | DataAccessResult,
    alternatives(data=(0, EncodedData), data_access_result=(1, DataAccessResult)),
]
"""Get-Data-Result: Data, or the reason why there is none (an int where the number has no name)."""


class DataBlockSA(Sequence):
    """DataBlock-SA: a piece of a long SET or ACTION."""

    last_block: bool
    block_number: Unsigned32
    raw_data: OctetString


class DataBlockG(Sequence):
    """DataBlock-G: a piece of a long GET answer, or the error that ends the transfer."""

    last_block: bool
    block_number: Unsigned32
    result: Annotated[
        bytes | DataAccessResult, alternatives(raw_data=(0, OctetString), data_access_result=(1, DataAccessResult))
    ]


class ActionResponseWithOptionalData(Sequence):
    """Action-Response-With-Optional-Data."""

    result: ActionResult
    return_parameters: GetDataResult | None = None


__all__ = [
    "ActionResponseWithOptionalData",
    "CosemAttributeDescriptor",
    "CosemAttributeDescriptorWithSelection",
    "CosemMethodDescriptor",
    "DataBlockG",
    "DataBlockSA",
    "GetDataResult",
    "InvokeId",
    "InvokeIdAndPriority",
    "LongInvokeId",
    "LongInvokeIdAndPriority",
    "SelectiveAccessDescriptor",
]
