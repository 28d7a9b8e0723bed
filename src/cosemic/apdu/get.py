"""GET (IEC 62056-5-3, Get-Request and Get-Response).

::

    C0 01 normal    C0 02 next              C0 03 with-list
    C4 01 normal    C4 02 with-datablock    C4 03 with-list
"""

from __future__ import annotations

from cosemic.apdu.common import (
    CosemAttributeDescriptor,
    CosemAttributeDescriptorWithSelection,
    DataBlockG,
    GetDataResult,
    InvokeId,
    SelectiveAccessDescriptor,
)
from cosemic.codec import Choice, Sequence, Unsigned32, alternative


class GetRequestNormal(Sequence):
    """Get-Request-Normal: one attribute, or a part of it."""

    invoke_id_and_priority: InvokeId
    cosem_attribute_descriptor: CosemAttributeDescriptor
    access_selection: SelectiveAccessDescriptor | None = None


class GetRequestNext(Sequence):
    """Get-Request-Next: the number of the block just received."""

    invoke_id_and_priority: InvokeId
    block_number: Unsigned32


class GetRequestWithList(Sequence):
    """Get-Request-With-List."""

    invoke_id_and_priority: InvokeId
    attribute_descriptor_list: tuple[CosemAttributeDescriptorWithSelection, ...]


class GetRequest(Choice, tag=192):
    """Get-Request."""

    normal: GetRequestNormal = alternative(1)
    next: GetRequestNext = alternative(2)
    with_list: GetRequestWithList = alternative(3)


class GetResponseNormal(Sequence):
    """Get-Response-Normal."""

    invoke_id_and_priority: InvokeId
    result: GetDataResult


class GetResponseWithDatablock(Sequence):
    """Get-Response-With-Datablock."""

    invoke_id_and_priority: InvokeId
    result: DataBlockG


class GetResponseWithList(Sequence):
    """Get-Response-With-List."""

    invoke_id_and_priority: InvokeId
    result: tuple[GetDataResult, ...]


class GetResponse(Choice, tag=196):
    """Get-Response."""

    normal: GetResponseNormal = alternative(1)
    with_datablock: GetResponseWithDatablock = alternative(2)
    with_list: GetResponseWithList = alternative(3)
