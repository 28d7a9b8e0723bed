"""What an association object is with either referencing: Association LN and SN (IEC 62056-6-2, 5.3).

======================  ==============================================================================================
invoked                 effect, for associations that are opened afterwards
======================  ==============================================================================================
change of the secret    password of LLS, secret of HLS 2, 3, 4 and 6; other mechanisms have none
add_user, remove_user   see :mod:`cosemic.server.users`
======================  ==============================================================================================

What cannot be done ends with other-reason: a secret that is empty or too long, a user who is not listed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, Final, NoReturn, Protocol

from cosemic.apdu import SelectiveAccessDescriptor
from cosemic.association.accepting import agreed_beforehand, offered_by
from cosemic.association.service_provider import Agreement, ServerSettings
from cosemic.errors import DecodeError
from cosemic.model import InterfaceClass, ObjectDefinition, Reading
from cosemic.model.access_control import UserListEntry
from cosemic.model.short_names import ShortNameMap
from cosemic.server.clients import AdmittedClient
from cosemic.server.objects import AccessRefused, CosemObject, Handler, Situation
from cosemic.server.rights import ObjectRights
from cosemic.values import DataAccessResult, Obis

CURRENT: Final = Obis("0-0:40.0.0")
LOGICAL_DEVICE_NAME: Final = Obis("0-0:42.0.0")
NO_SECURITY_SETUP: Final = Obis(bytes(6))


class Domain(Protocol):
    """What an association object needs of its logical device."""

    @property
    def sap(self) -> int:
        """Server SAP."""

    @property
    def short_names(self) -> ShortNameMap:
        """The base names of its objects."""

    def client(self, client_sap: int) -> AdmittedClient | None:
        """Return a client that is let in."""

    def objects_in_view(self, client: AdmittedClient) -> Iterable[CosemObject]:
        """Return the objects that a client sees."""

    def object_for(self, client: AdmittedClient, class_id: int, instance_id: Obis) -> CosemObject | None:
        """Return an object as a client would see it."""

    def find(self, class_id: int, instance_id: Obis, client: AdmittedClient) -> tuple[CosemObject, ObjectRights]:
        """Return an object in the client's view and the rights to it. Raises AccessRefused."""

    def tell(self, name: str, at: dt.datetime, **details: Any) -> None:
        """Tell what has happened."""


class AssociationBase(CosemObject):
    """The association of one client; with the logical name :data:`CURRENT` the one in which it is read."""

    short_names = False
    """Whether it is one with short-name referencing."""

    def __init__(
        self,
        domain: Domain,
        client: AdmittedClient,
        interface: InterfaceClass,
        *,
        methods: Mapping[str, Handler],
        writers: Mapping[str, Handler] | None = None,
    ) -> None:
        self._domain = domain
        self._client = client
        users: dict[str, Handler] = {"add_user": self._add_user, "remove_user": self._remove_user}
        known = {one.name for one in interface.methods.values()}
        every = {**methods, **{name: handler for name, handler in users.items() if name in known}}
        super().__init__(interface, {}, writers=writers, methods=every)

    def _parameters(self, attribute_id: int, selection: SelectiveAccessDescriptor) -> tuple[int, Any]:
        """Selector and parameters of a selection. Raises AccessRefused for one that is not known or not of its type."""
        if selection.access_selector not in self.selectors(attribute_id):
            raise AccessRefused(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED)
        selector = self.interface.attributes[attribute_id].selector(selection.access_selector)
        try:
            return selector.number, selector.parameters.decode(selection.access_parameters.typed(), Reading())
        except DecodeError:
            raise AccessRefused(DataAccessResult.TYPE_UNMATCHED) from None

    def _agreement(self, situation: Situation) -> Agreement:
        """What was agreed in the association that reads it, or in the latest that stands; else what is offered."""
        present = situation.agreement
        if self.instance_id == CURRENT and present is not None:
            return present
        standing = [one for one in self._client.agreements if one.application_context.short_names is self.short_names]
        return standing[-1] if standing else _offer(self._client.settings, self.short_names)

    def _common(self, name: str, agreement: Agreement) -> Any:
        """The attributes that both classes have."""
        client = self._client
        match name:
            case "security_setup_reference":
                return client.admission.security_setup or NO_SECURITY_SETUP
            case "user_list":
                return client.users.entries()
            case _:
                return client.users.entry(agreement.user_id)

    def _change_secret(self, secret: bytes, situation: Situation) -> None:
        self._client.change_secret(secret)
        self._told("password-changed", situation)

    def _add_user(self, entry: UserListEntry, situation: Situation) -> None:
        self._client.users.add(entry)
        self._client.users_changed()
        self._told("user-added", situation, user_id=entry.user_id, user_name=entry.user_name)

    def _remove_user(self, entry: UserListEntry, situation: Situation) -> None:
        self._client.users.remove(entry)
        self._client.users_changed()
        self._told("user-removed", situation, user_id=entry.user_id, user_name=entry.user_name)

    def _told(self, name: str, situation: Situation, **details: Any) -> None:
        self._domain.tell(name, situation.now, client_sap=self._client.client_sap, **details)


def no_longer_pending(_: bytes, situation: Situation) -> NoReturn:
    """reply_to_HLS_authentication is served by the control function, while the association is pending."""
    raise AccessRefused(DataAccessResult.READ_WRITE_DENIED)


def definition(served: CosemObject) -> ObjectDefinition:
    """Return class and logical name of an object."""
    return ObjectDefinition(served.class_id, served.instance_id)


def _offer(settings: ServerSettings, short_names: bool) -> Agreement:
    """What a client can agree to at most, or has agreed to beforehand."""
    if settings.pre_established is not None:
        return agreed_beforehand(settings, settings.pre_established)
    context = max(name for name in settings.context_names if name.short_names is short_names)
    offered = offered_by(settings, context)
    return Agreement(context, offered, settings.max_pdu_size, settings.max_pdu_size)
