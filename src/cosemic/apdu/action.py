"""ACTION (IEC 62056-5-3, Action-Request and Action-Response).

::

    C3 01 normal   02 next-pblock   03 with-list   04 with-first-pblock   05 with-list-and-first-pblock   06 with-pblock
    C7 01 normal   02 with-pblock   03 with-list   04 next-pblock
"""

from __future__ import annotations

from cosemic.apdu.common import (
    ActionResponseWithOptionalData,
    CosemMethodDescriptor,
    DataBlockSA,
    GetDataResult,
    InvokeId,
)
from cosemic.codec import DEFAULT_LIMITS, Choice, EncodedData, Limits, Sequence, Unsigned32, alternative
from cosemic.errors import DecodeError
from cosemic.values import ActionResult, lookup


class ActionRequestNormal(Sequence):
    """Action-Request-Normal."""

    invoke_id_and_priority: InvokeId
    cosem_method_descriptor: CosemMethodDescriptor
    method_invocation_parameters: EncodedData | None = None


class ActionRequestNextPblock(Sequence):
    """Action-Request-Next-Pblock: the number of the block just received."""

    invoke_id_and_priority: InvokeId
    block_number: Unsigned32


class ActionRequestWithList(Sequence):
    """Action-Request-With-List; null-data where a method has no parameters."""

    invoke_id_and_priority: InvokeId
    cosem_method_descriptor_list: tuple[CosemMethodDescriptor, ...]
    method_invocation_parameters: tuple[EncodedData, ...]


class ActionRequestWithFirstPblock(Sequence):
    """Action-Request-With-First-Pblock."""

    invoke_id_and_priority: InvokeId
    cosem_method_descriptor: CosemMethodDescriptor
    pblock: DataBlockSA


class ActionRequestWithListAndFirstPblock(Sequence):
    """Action-Request-With-List-And-First-Pblock."""

    invoke_id_and_priority: InvokeId
    cosem_method_descriptor_list: tuple[CosemMethodDescriptor, ...]
    pblock: DataBlockSA


class ActionRequestWithPblock(Sequence):
    """Action-Request-With-Pblock."""

    invoke_id_and_priority: InvokeId
    pblock: DataBlockSA


class ActionRequest(Choice, tag=195):
    """Action-Request."""

    normal: ActionRequestNormal = alternative(1)
    next_pblock: ActionRequestNextPblock = alternative(2)
    with_list: ActionRequestWithList = alternative(3)
    with_first_pblock: ActionRequestWithFirstPblock = alternative(4)
    with_list_and_first_pblock: ActionRequestWithListAndFirstPblock = alternative(5)
    with_pblock: ActionRequestWithPblock = alternative(6)


class ActionResponseNormal(Sequence):
    """Action-Response-Normal."""

    invoke_id_and_priority: InvokeId
    single_response: ActionResponseWithOptionalData


class ActionResponseWithPblock(Sequence):
    """Action-Response-With-Pblock."""

    invoke_id_and_priority: InvokeId
    pblock: DataBlockSA


class ActionResponseWithList(Sequence):
    """Action-Response-With-List."""

    invoke_id_and_priority: InvokeId
    list_of_responses: tuple[ActionResponseWithOptionalData, ...]


class ActionResponseNextPblock(Sequence):
    """Action-Response-Next-Pblock: acknowledges one block."""

    invoke_id_and_priority: InvokeId
    block_number: Unsigned32


class ActionResponse(Choice, tag=199):
    """Action-Response."""

    normal: ActionResponseNormal = alternative(1)
    with_pblock: ActionResponseWithPblock = alternative(2)
    with_list: ActionResponseWithList = alternative(3)
    next_pblock: ActionResponseNextPblock = alternative(4)


class BareActionResponse(Sequence):
    """What follows ``C7 01`` under the quirk action-response-bare-result: a Get-Data-Result alone."""

    invoke_id_and_priority: InvokeId
    result: GetDataResult


def bare_action_response(octets: bytes, limits: Limits = DEFAULT_LIMITS) -> ActionResponseNormal:
    """Read an action-response-normal under the quirk action-response-bare-result.

    ``00 Data`` is success with that data, ``01 n`` is result n without data. Raises DecodeError.
    """
    if octets[:2] != ActionResponseNormal.prefix:
        raise DecodeError("the tag c701", 0, "action-response-normal")
    try:
        bare = BareActionResponse.decode(octets[2:], limits)
    except DecodeError as error:
        raise error.within("action-response-normal", 2) from None
    if isinstance(bare.result, EncodedData):
        answer = ActionResponseWithOptionalData(ActionResult.SUCCESS, bare.result)
    else:
        answer = ActionResponseWithOptionalData(lookup(ActionResult)[int(bare.result)])  # type: ignore[arg-type]  # an int where it has no name
    return ActionResponseNormal(bare.invoke_id_and_priority, answer)
