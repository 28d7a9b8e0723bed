"""The data transfer services of a server: requests to responses (reference, application layer 8 to 11, 15).

:func:`services` lists them; each maps its requests to methods and the conformance bits that these need, and
:func:`server_conformance` is derived from that.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any, Final

from cosemic.association.notifications import notification_conformance
from cosemic.association.service_provider import Access, ServerSettings, ServiceProvider
from cosemic.association.serving.access import AccessService
from cosemic.association.serving.action import ActionService
from cosemic.association.serving.get import GetService
from cosemic.association.serving.needed import BY_CONTENTS, needed_by_contents
from cosemic.association.serving.set import SetService
from cosemic.association.serving.short_names import (
    ReadService,
    UnconfirmedWriteService,
    WriteService,
    continues_transfer,
)
from cosemic.association.serving.terms import MOST_LISTED, Response, Service, ServingTerms, Unservable
from cosemic.values import Conformance, ServiceError, StateError

LOGICAL_NAME_SERVICES: Final[tuple[type[Service], ...]] = (GetService, SetService, ActionService, AccessService)
SHORT_NAME_SERVICES: Final[tuple[type[Service], ...]] = (ReadService, WriteService, UnconfirmedWriteService)


UNLIMITED: Final = 1 << 32
"""Octets of a response that nobody sees."""
BY_REQUESTS: Final = BY_CONTENTS | Conformance.PRIORITY_MGMT_SUPPORTED


def services(*, short_names: bool) -> tuple[type[Service], ...]:
    """Return what is served in an association with this referencing."""
    return SHORT_NAME_SERVICES if short_names else LOGICAL_NAME_SERVICES


def server_conformance(*, short_names: bool = False) -> Conformance:
    """Return what the server can do, without ciphering, in an association with this referencing.

    What requests name, and priority-mgmt: each is answered before the next one, so that no answer waits that one of
    high priority could overtake. The notifications are those that it can send.
    """
    handled = (served for one in services(short_names=short_names) for served in one.handlers.values())
    offered = (served.conformance | served.options for served in handled)
    bits = reduce(or_, offered, Conformance(0) if short_names else BY_REQUESTS)
    return bits | notification_conformance(short_names=short_names)


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
        self._short_names = short_names
        terms = self._terms = ServingTerms(provider, settings, agreed, room)
        self._services = tuple(service(terms) for service in services(short_names=short_names))
        self._served_by = {request: service for service in self._services for request in service.handlers}

    def serve(self, request: Any, access: Access, *, answered: bool = True, most: int | None = None) -> Response:
        """Return the response to a request. Raises :class:`Unservable` where it was not agreed upon, or not known.

        answered: the response is sent; otherwise it may be of any length, and keeps nothing from being executed. most:
        octets of the longest plain response, where that is another one than usual.
        """
        kind = type(request)
        service = self._served_by.get(kind)
        if service is None:
            raise Unservable(StateError.SERVICE_UNKNOWN, ServiceError.SERVICE_NOT_SUPPORTED)
        serve, bits, begins, _ = service.handlers[kind]
        if (bits | needed_by_contents(request)) & ~self.agreed:
            raise Unservable(StateError.SERVICE_UNKNOWN, ServiceError.SERVICE_NOT_SUPPORTED)
        if begins and not (self._short_names and continues_transfer(request)):
            for one in self._services:
                one.abandon()
        if answered and most is None:
            return serve(service, request, access)
        terms = self._terms
        room, terms.room = terms.room, UNLIMITED if most is None or not answered else most
        try:
            return serve(service, request, access)
        finally:
            terms.room = room


__all__ = ["MOST_LISTED", "REQUEST_TAGS", "Serving", "Unservable", "server_conformance", "services"]
