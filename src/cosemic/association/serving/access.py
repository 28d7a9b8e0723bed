"""ACCESS as a server answers (IEC 62056-5-3; reference, application layer 11).

The entries are executed in their order, each under its own rights. What comes of them::

    served                                   result success; data of a get, and of a method that returns some
    refused                                  the data-access-result or action-result, null-data
    behind the first failure, where the      other-reason, null-data; not executed
    request says break on error
    beyond what one request may cost         the same (:mod:`cosemic.association.serving.terms`)
    not one Data for each specification      the same for all

There are no blocks of its own. Where general block transfer was not agreed upon, an answer has to fit into the client's
max-receive-pdu-size; where it was, into as many blocks as can be numbered, and into ``max_transfer``::

    results alone do not fit                 exception-response pdu-too-long; nothing is executed
    data of a get that do not fit any more   other-reason for that get; it has changed nothing, and can be asked again
    data of a method that do not fit         success and null-data: it was executed, and is not to be called again
"""

from __future__ import annotations

from typing import Any, ClassVar, Final, TypeAlias

from cosemic import apdu as a
from cosemic.association.service_provider import Access, Timekeeper
from cosemic.association.serving.terms import MOST_LISTED, Response, Served, ServingTerms
from cosemic.codec import DataType, EncodedData
from cosemic.dialect import AccessTime
from cosemic.values import ActionResult, Conformance, DataAccessResult

_C: Final = Conformance
_NO_DATA: Final = EncodedData.of(DataType.NULL_DATA)
_Outcome: TypeAlias = tuple[DataAccessResult | ActionResult, EncodedData]
_REFUSED: Final = {
    "get": a.AccessResponseSpecification("get", DataAccessResult.OTHER_REASON),
    "set": a.AccessResponseSpecification("set", DataAccessResult.OTHER_REASON),
    "action": a.AccessResponseSpecification("action", ActionResult.OTHER_REASON),
}


class AccessService:
    """Serves ACCESS."""

    def __init__(self, terms: ServingTerms) -> None:
        self._terms = terms

    def abandon(self) -> None:
        """Forget nothing: there are no transfers."""

    def _access(self, request: a.AccessRequest, access: Access) -> Response:
        specifications = request.access_request_specification
        values = request.access_request_list_of_data
        invoke = request.long_invoke_id_and_priority
        results = [_REFUSED[_kind(entry)] for entry in specifications]
        data = [_NO_DATA] * len(results)
        echo = specifications if invoke.self_descriptive else None
        response = a.AccessResponse(invoke, self._stamp(request), echo, tuple(data), tuple(results))
        shortest = len(response.encode())
        self._terms.need_room(shortest)
        if len(values) != len(specifications):
            return response
        free = self._terms.room - shortest
        if self._terms.agreed & _C.GENERAL_BLOCK_TRANSFER:
            free = min(free, self._terms.max_transfer)
        left = self._terms.max_transfer
        for at, (entry, value) in enumerate(zip(specifications, values, strict=True)):
            if at >= MOST_LISTED or left <= 0:
                break
            kind = _kind(entry)
            result, found = self._serve(kind, entry, value, access)
            left -= len(found.octets)
            more = len(found.octets) - len(_NO_DATA.octets)
            if more <= free:
                free -= more
                data[at] = found
            elif kind == "get":
                result = DataAccessResult.OTHER_REASON
            results[at] = a.AccessResponseSpecification(kind, result)
            if result != DataAccessResult.SUCCESS and invoke.break_on_error:
                break
        response.access_response_list_of_data = tuple(data)
        response.access_response_specification = tuple(results)
        return response

    def _serve(self, kind: str, entry: a.AccessRequestSpecification, value: EncodedData, access: Access) -> _Outcome:
        provider, named, selection = self._terms.provider, entry.value, None
        if isinstance(named, a.AccessRequestWithSelection):
            selection = named.access_selection
            named = named.cosem_attribute_descriptor
        if kind == "get":
            found = provider.get(named, selection, access)
            return (DataAccessResult.SUCCESS, found) if isinstance(found, EncodedData) else (found, _NO_DATA)
        if kind == "set":
            return provider.set(named, selection, value, access), _NO_DATA
        answer = provider.action(named, value, access)
        returned = answer.return_parameters
        return answer.result, returned if isinstance(returned, EncodedData) else _NO_DATA

    def _stamp(self, request: a.AccessRequest) -> bytes:
        """The date-time of the answer, as the dialect wants it; none where the device has no clock."""
        wanted = self._terms.dialect.access_time
        if wanted is AccessTime.NEVER or (wanted is AccessTime.MIRRORED and not request.date_time):
            return b""
        provider = self._terms.provider
        return provider.date_time() if isinstance(provider, Timekeeper) else b""

    handlers: ClassVar[dict[type[Any], Served]] = {a.AccessRequest: Served(_access, _C.ACCESS)}


def _kind(entry: a.AccessRequestSpecification) -> str:
    """Of the result of an entry: get, set or action."""
    return entry.alternative.partition("_")[0]
