"""The data transfer services of a server: requests to responses (reference, application layer 8 to 10, 15).

:func:`services` lists them; each maps its requests to methods and the conformance bits that these need, and
:func:`server_conformance` is derived from that.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any, Final

from cosemic.association.service_provider import Access, ServerSettings, ServiceProvider
from cosemic.association.serving.action import ActionService
from cosemic.association.serving.get import GetService
from cosemic.association.serving.set import SetService
from cosemic.association.serving.terms import MOST_LISTED, Response, Service, ServingTerms, Unservable
from cosemic.values import Conformance, ServiceError, StateError

LOGICAL_NAME_SERVICES: Final[tuple[type[Service], ...]] = (GetService, SetService, ActionService)
SHORT_NAME_SERVICES: Final[tuple[type[Service], ...]] = ()


def services(*, short_names: bool) -> tuple[type[Service], ...]:
    """Return what is served in an association with this referencing."""
    return SHORT_NAME_SERVICES if short_names else LOGICAL_NAME_SERVICES


def server_conformance(*, short_names: bool = False) -> Conformance:
    """Return what the server can do, without ciphering, in an association with this referencing."""
    offered = (served.conformance for one in services(short_names=short_names) for served in one.handlers.values())
    return reduce(or_, offered, Conformance(0) if short_names else Conformance.SELECTIVE_ACCESS)


REQUEST_TAGS: Final = frozenset(
    request.prefix[0] for one in (*LOGICAL_NAME_SERVICES, *SHORT_NAME_SERVICES) for request in one.handlers
)
"""Tags of the APDUs that are served."""


class Serving:
    """Serves the requests of one association that stands; parameters as for :class:`ServingTerms`.

    short_names: it has short-name referencing.
    """

    def __init__(
        self,
        provider: ServiceProvider,
        settings: ServerSettings,
        agreed: Conformance,
        room: int,
        *,
        short_names: bool = False,
    ) -> None:
        self.agreed = agreed
        terms = ServingTerms(provider, settings, agreed, room)
        self._services = tuple(service(terms) for service in services(short_names=short_names))
        self._served_by = {request: service for service in self._services for request in service.handlers}

    def serve(self, request: Any, access: Access) -> Response:
        """Return the response to a request. Raises :class:`Unservable` where it was not agreed upon, or not known."""
        kind = type(request)
        service = self._served_by.get(kind)
        if service is None:
            raise Unservable(StateError.SERVICE_UNKNOWN, ServiceError.SERVICE_NOT_SUPPORTED)
        serve, bits, begins = service.handlers[kind]
        if _selects(request):
            bits |= Conformance.SELECTIVE_ACCESS
        if bits & ~self.agreed:
            raise Unservable(StateError.SERVICE_UNKNOWN, ServiceError.SERVICE_NOT_SUPPORTED)
        if begins:
            for one in self._services:
                one.abandon()
        return serve(service, request, access)


def _selects(request: Any) -> bool:
    """Whether a request selects a part of an attribute."""
    if getattr(request, "access_selection", None) is not None:
        return True
    entries = getattr(request, "attribute_descriptor_list", ())
    return any(entry.access_selection is not None for entry in entries)


__all__ = ["MOST_LISTED", "REQUEST_TAGS", "Serving", "Unservable", "server_conformance", "services"]
