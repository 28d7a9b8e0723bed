"""SET (IEC 62056-5-3, Set-Request and Set-Response).

::

    C1 01 normal   02 with-first-datablock   03 with-datablock    04 with-list   05 with-list-and-first-datablock
    C5 01 normal   02 datablock              03 last-datablock    04 last-datablock-with-list    05 with-list
"""

from __future__ import annotations

from cosemic.apdu.common import (
    CosemAttributeDescriptor,
    CosemAttributeDescriptorWithSelection,
    DataBlockSA,
    InvokeId,
    SelectiveAccessDescriptor,
)
from cosemic.codec import Choice, EncodedData, Sequence, Unsigned32, alternative
from cosemic.values import DataAccessResult


class SetRequestNormal(Sequence):
    """Set-Request-Normal."""

    invoke_id_and_priority: InvokeId
    cosem_attribute_descriptor: CosemAttributeDescriptor
    access_selection: SelectiveAccessDescriptor | None
    value: EncodedData


class SetRequestWithFirstDatablock(Sequence):
    """Set-Request-With-First-Datablock."""

    invoke_id_and_priority: InvokeId
    cosem_attribute_descriptor: CosemAttributeDescriptor
    access_selection: SelectiveAccessDescriptor | None
    datablock: DataBlockSA


class SetRequestWithDatablock(Sequence):
    """Set-Request-With-Datablock."""

    invoke_id_and_priority: InvokeId
    datablock: DataBlockSA


class SetRequestWithList(Sequence):
    """Set-Request-With-List."""

    invoke_id_and_priority: InvokeId
    attribute_descriptor_list: tuple[CosemAttributeDescriptorWithSelection, ...]
    value_list: tuple[EncodedData, ...]


class SetRequestWithListAndFirstDatablock(Sequence):
    """Set-Request-With-List-And-First-Datablock; the raw data joins to a SEQUENCE OF Data with its count."""

    invoke_id_and_priority: InvokeId
    attribute_descriptor_list: tuple[CosemAttributeDescriptorWithSelection, ...]
    datablock: DataBlockSA


class SetRequest(Choice, tag=193):
    """Set-Request."""

    normal: SetRequestNormal = alternative(1)
    with_first_datablock: SetRequestWithFirstDatablock = alternative(2)
    with_datablock: SetRequestWithDatablock = alternative(3)
    with_list: SetRequestWithList = alternative(4)
    with_list_and_first_datablock: SetRequestWithListAndFirstDatablock = alternative(5)


class SetResponseNormal(Sequence):
    """Set-Response-Normal."""

    invoke_id_and_priority: InvokeId
    result: DataAccessResult


class SetResponseDatablock(Sequence):
    """Set-Response-Datablock: acknowledges one block."""

    invoke_id_and_priority: InvokeId
    block_number: Unsigned32


class SetResponseLastDatablock(Sequence):
    """Set-Response-Last-Datablock."""

    invoke_id_and_priority: InvokeId
    result: DataAccessResult
    block_number: Unsigned32


class SetResponseLastDatablockWithList(Sequence):
    """Set-Response-Last-Datablock-With-List."""

    invoke_id_and_priority: InvokeId
    result: tuple[DataAccessResult, ...]
    block_number: Unsigned32


class SetResponseWithList(Sequence):
    """Set-Response-With-List."""

    invoke_id_and_priority: InvokeId
    result: tuple[DataAccessResult, ...]


class SetResponse(Choice, tag=197):
    """Set-Response."""

    normal: SetResponseNormal = alternative(1)
    datablock: SetResponseDatablock = alternative(2)
    last_datablock: SetResponseLastDatablock = alternative(3)
    last_datablock_with_list: SetResponseLastDatablockWithList = alternative(4)
    with_list: SetResponseWithList = alternative(5)
