"""SET as a server answers (IEC 62056-5-3; reference, application layer 9, 15)."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from cosemic import apdu as a
from cosemic.association.joined import join_data, join_values
from cosemic.association.service_provider import Access
from cosemic.association.serving.terms import LIST_ROOM, Response, Served, ServingTerms
from cosemic.association.transfers import LongRequest
from cosemic.codec import EncodedData
from cosemic.errors import DecodeError
from cosemic.values import Conformance, DataAccessResult

_C: Final = Conformance


class SetService:
    """Serves SET; nothing of a long request is written before its last block."""

    def __init__(self, terms: ServingTerms) -> None:
        self._terms = terms
        self._set: LongRequest | None = None

    def abandon(self) -> None:
        """Forget the long request."""
        self._set = None

    def _set_normal(self, request: a.SetRequestNormal, access: Access) -> Response:
        result = self._terms.provider.set(
            request.cosem_attribute_descriptor, request.access_selection, request.value, access
        )
        return a.SetResponseNormal(request.invoke_id_and_priority, result)

    def _set_list(self, request: a.SetRequestWithList, access: Access) -> Response:
        self._terms.need_items(request.attribute_descriptor_list, request.value_list)
        self._terms.need_room(LIST_ROOM + len(request.attribute_descriptor_list))
        results = self._write(request.attribute_descriptor_list, request.value_list, access)
        return a.SetResponseWithList(request.invoke_id_and_priority, results)

    def _write(self, attributes: tuple[Any, ...], values: tuple[EncodedData, ...], access: Access) -> tuple[Any, ...]:
        if len(attributes) != len(values):
            return (DataAccessResult.OTHER_REASON,) * len(attributes)
        items = (
            (entry.cosem_attribute_descriptor, entry.access_selection, value, access)
            for entry, value in zip(attributes, values, strict=True)
        )
        return self._terms.each(items, self._terms.provider.set, DataAccessResult.OTHER_REASON)

    def _set_first(self, request: a.SetRequestWithFirstDatablock, access: Access) -> Response:
        if self._terms.checker is not None:
            result = self._terms.checker.may_set(request.cosem_attribute_descriptor, access.ahead())
            if result is not DataAccessResult.SUCCESS:
                invoke = request.invoke_id_and_priority
                return a.SetResponseLastDatablock(invoke, result, request.datablock.block_number)

        def finish(raw: bytes) -> Any:
            return self._terms.provider.set(
                request.cosem_attribute_descriptor, request.access_selection, join_data(raw, self._terms.limits), access
            )

        self._set = LongRequest(access, finish, False, self._terms.max_transfer)
        return self._set_block(request, access)

    def _set_list_first(self, request: a.SetRequestWithListAndFirstDatablock, access: Access) -> Response:
        self._terms.need_items(request.attribute_descriptor_list)
        self._terms.need_room(LIST_ROOM + 4 + len(request.attribute_descriptor_list))

        def finish(raw: bytes) -> Any:
            return self._write(request.attribute_descriptor_list, join_values(raw, self._terms.limits), access)

        self._set = LongRequest(access, finish, True, self._terms.max_transfer)
        return self._set_block(request, access)

    def _set_block(self, request: Any, access: Access) -> Response:
        invoke, block, long = request.invoke_id_and_priority, request.datablock, self._set
        number = block.block_number
        if long is None:
            return a.SetResponseLastDatablock(invoke, DataAccessResult.NO_LONG_SET_IN_PROGRESS, number)
        if not long.take(block, access):
            self._set = None
            wrong = number != long.expected
            error = DataAccessResult.DATA_BLOCK_NUMBER_INVALID if wrong else DataAccessResult.LONG_SET_ABORTED
            return a.SetResponseLastDatablock(invoke, error, number)
        if not block.last_block:
            return a.SetResponseDatablock(invoke, number)
        self._set = None
        try:
            result = long.finish(long.raw())
        except DecodeError:
            return a.SetResponseLastDatablock(invoke, DataAccessResult.TYPE_UNMATCHED, number)
        access.require_response(long.access.response)
        if long.is_list:
            return a.SetResponseLastDatablockWithList(invoke, result, number)
        return a.SetResponseLastDatablock(invoke, result, number)

    handlers: ClassVar[dict[type[Any], Served]] = {
        a.SetRequestNormal: Served(_set_normal, _C.SET),
        a.SetRequestWithList: Served(_set_list, _C.SET | _C.MULTIPLE_REFERENCES),
        a.SetRequestWithFirstDatablock: Served(_set_first, _C.SET | _C.BLOCK_TRANSFER_WITH_SET_OR_WRITE),
        a.SetRequestWithDatablock: Served(_set_block, _C.SET | _C.BLOCK_TRANSFER_WITH_SET_OR_WRITE, begins=False),
        a.SetRequestWithListAndFirstDatablock: Served(
            _set_list_first,
            _C.SET | _C.BLOCK_TRANSFER_WITH_SET_OR_WRITE | _C.MULTIPLE_REFERENCES,
        ),
    }
