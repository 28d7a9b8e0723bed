"""What the services of one association have in common (reference, application layer 7, 15).

What one request may cost is bounded, for a few octets can name the longest attribute a thousand times: of a list at
most :data:`MOST_LISTED` items are served, and none once the answers have ``max_transfer`` octets (the others end with
other-reason); a request in blocks may have ``max_transfer`` octets, and where the provider can tell ahead that it
would be refused (:class:`~cosemic.association.service_provider.RightsChecker`), it is at its first block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Final, NamedTuple, Protocol, TypeAlias

from cosemic.association.service_provider import Access, RightsChecker, ServerSettings, ServiceProvider
from cosemic.codec import EncodedData
from cosemic.values import Conformance, DataAccessResult, ServiceError, StateError

NO_BLOCKS: Final = Conformance(0)
LIST_ROOM: Final = 6
"""Octets of an answer with list besides its items, at the most: tag, kind, invoke-id, count."""
MOST_LISTED: Final = 256
"""Items of one list that are served."""


class Unservable(Exception):
    """A request is answered with an exception-response; nothing was executed."""

    def __init__(self, state_error: StateError, service_error: ServiceError) -> None:
        self.state_error = state_error
        self.service_error = service_error
        super().__init__(f"{state_error.label}, {service_error.label}")


class ServingTerms:
    """What a service needs to know of its association.

    settings: dialect, limits and max_transfer are used. agreed: negotiated conformance. room: largest plain APDU that
    may be sent, in octets.
    """

    __slots__ = ("agreed", "checker", "dialect", "limits", "max_transfer", "provider", "room")

    def __init__(self, provider: ServiceProvider, settings: ServerSettings, agreed: Conformance, room: int) -> None:
        self.provider = provider
        self.checker = provider if isinstance(provider, RightsChecker) else None
        self.max_transfer = min(settings.max_transfer, settings.limits.octets)
        self.agreed = agreed
        self.room = room
        self.dialect = settings.dialect
        self.limits = settings.limits

    def need_room(self, shortest: int, blocks: Conformance = NO_BLOCKS) -> None:
        """Refuse, before anything is executed, what cannot be answered in the client's max-receive-pdu-size."""
        if shortest > self.room and not blocks & self.agreed:
            raise Unservable(StateError.SERVICE_NOT_ALLOWED, ServiceError.PDU_TOO_LONG)

    def result_too_long(self) -> DataAccessResult:
        """The result in place of one that does not fit. Raises Unservable where the edition knows a better answer."""
        if self.dialect.differences.pdu_too_long:
            raise Unservable(StateError.SERVICE_NOT_ALLOWED, ServiceError.PDU_TOO_LONG)
        return DataAccessResult.OTHER_REASON

    def need_items(self, items: Sequence[Any], values: Sequence[Any] | None = None) -> None:
        """Refuse a list of nothing, or without one value for each item: the request is malformed."""
        if not items or (values is not None and len(values) != len(items)):
            raise Unservable(StateError.SERVICE_NOT_ALLOWED, ServiceError.OTHER_REASON)

    def each(self, items: Iterable[tuple[Any, ...]], serve: Callable[..., Any], refused: Any) -> tuple[Any, ...]:
        """Serve the items of a list in turn, as far as they may go; the others are ``refused`` and not executed."""
        results: list[Any] = []
        octets = 0
        for item in items:
            if len(results) >= MOST_LISTED or octets >= self.max_transfer:
                results.append(refused)
                continue
            result = serve(*item)
            results.append(result)
            value = getattr(result, "return_parameters", result)
            octets += len(value.octets) if isinstance(value, EncodedData) else 0
        return tuple(results)


Response: TypeAlias = Any
"""An APDU that answers."""
Handler: TypeAlias = Callable[[Any, Any, Access], Response]
"""A method of a service: the service, a request, how it came. Raises :class:`Unservable`."""


class Served(NamedTuple):
    """How one kind of request is served: the method, the conformance bits that it needs, and whether it begins
    something new, which abandons the transfers that are open. ``options`` are the bits that it needs for some of what
    it may hold; the service looks at these itself."""

    serve: Handler
    conformance: Conformance
    begins: bool = True
    options: Conformance = NO_BLOCKS


class Service(Protocol):
    """One service of one association that stands, with its open transfer."""

    handlers: ClassVar[dict[type[Any], Served]]

    def __init__(self, terms: ServingTerms) -> None: ...

    def abandon(self) -> None:
        """Forget the transfers that are open."""
