"""What a client has read, written or invoked with its data protected: all of it with its own rights, or nothing.

An element of an object list names an attribute as in a Push setup (:mod:`cosemic.server.push.selection`). To be read,
it has to be in view, readable under the protection of the request, and there; attribute_index 0 is all attributes, of
which each has to be so. To be written it is a whole attribute. Objects of class 30 are not reached through one another.

Values are one structure, one element for each element of the list. Where one of several cannot be written after all,
those before it get their values back; what cannot be read, as a secret, is written last for that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from cosemic.association.attribute_0 import split
from cosemic.association.service_provider import Access
from cosemic.codec import EncodedData
from cosemic.codec.encoded import scan
from cosemic.errors import CosemicError, DecodeError, EncodeError, StoreError
from cosemic.model import DataProtection, MethodDefinition, RestrictedObjectDefinition
from cosemic.model.push import RestrictionType
from cosemic.server.client_view import ClientView
from cosemic.server.clients import AdmittedClient
from cosemic.server.clock import ClockObject
from cosemic.server.kept import are_different, refuse_unless
from cosemic.server.logical_device import LogicalDevice
from cosemic.server.objects import AccessRefused, CosemObject, Situation
from cosemic.server.push.refusal import PushRefused
from cosemic.server.push.selection import PushObject, PushView, can_be
from cosemic.values import DataAccessResult

MOST_OBJECTS: Final = 255
_UNMATCHED: Final = DataAccessResult.TYPE_UNMATCHED
Changes = list[tuple[CosemObject, int, EncodedData]]


def can_be_listed(entries: Sequence[RestrictedObjectDefinition]) -> bool:
    """Whether a list of objects says one thing, whatever the device has."""
    return len(entries) <= MOST_OBJECTS and all(
        can_be(one) and one.class_id != DataProtection.class_id for one in entries
    )


def whole_data(octets: bytes) -> EncodedData:
    """Return octets as one Data. Raises AccessRefused where they are not that."""
    try:
        if scan(octets, 0) == len(octets):
            return EncodedData(octets)
    except DecodeError:
        pass
    raise AccessRefused(_UNMATCHED)


class ProtectedView:
    """A device as the client that asks sees it, for one request. own: the object that was asked."""

    def __init__(
        self,
        device: LogicalDevice,
        clock: ClockObject,
        own: CosemObject,
        client: AdmittedClient,
        access: Access,
        situation: Situation,
    ) -> None:
        self.client: Final = client
        self.situation: Final = situation
        self._device = device
        self._access = access
        self._view = ClientView(device, client)
        self._reading = _Reading(
            device,
            clock,
            client,
            own,
            access.applied,
            situation.now,
            view=self._view,
            access=access,
            situation=situation,
        )

    def read(self, entries: Sequence[RestrictedObjectDefinition]) -> bytes:
        """Return the values of all that is listed. Raises AccessRefused, StoreError."""
        refuse_unless(bool(entries) and can_be_listed(entries))
        try:
            return self._reading.body(entries).octets
        except PushRefused:
            raise AccessRefused(DataAccessResult.OTHER_REASON) from None

    def changes(self, entries: Sequence[RestrictedObjectDefinition], body: bytes) -> Changes:
        """Return what writing values comes to, checked so far as that can be told ahead. Raises AccessRefused."""
        refuse_unless(bool(entries) and can_be_listed(entries))
        refuse_unless(are_different((one.class_id, one.logical_name, one.attribute_index) for one in entries))
        try:
            values = split(EncodedData(body))
        except DecodeError:
            raise AccessRefused(_UNMATCHED) from None
        if len(values) != len(entries):
            raise AccessRefused(_UNMATCHED)
        found: Changes = []
        for one, value in zip(entries, values, strict=True):
            unrestricted = one.restriction.restriction_type == RestrictionType.NONE and not one.data_index
            refuse_unless(unrestricted and one.attribute_index != 0)
            served, rights = self._device.find(one.class_id, one.logical_name, self.client)
            right = rights.attribute(one.attribute_index)
            self._view.check(right.writable, right.requires, self._access)
            served.check_write(one.attribute_index, value, self.situation)
            found.append((served, one.attribute_index, value))
        return found

    def write(self, changes: Changes) -> None:
        """Write all values, or none. Raises AccessRefused, StoreError."""
        before: Changes = []
        for served, attribute, value in sorted(changes, key=lambda one: one[1] not in one[0].readable):
            old = self._present(served, attribute)
            try:
                served.write(attribute, None, value, self.situation)
            except StoreError:
                raise
            except (AccessRefused, CosemicError):
                self._put_back(before)
                raise
            if old is not None:
                before.append((served, attribute, old))
        for served, attribute, _ in changes:
            self._device.tell(
                "parameter-written",
                self.situation.now,
                class_id=served.class_id,
                obis=served.instance_id,
                attribute=attribute,
                client_sap=self.situation.client_sap,
            )

    def method(self, named: MethodDefinition) -> CosemObject:
        """Return the object of a method that the client may invoke. Raises AccessRefused."""
        refuse_unless(named.class_id != DataProtection.class_id)
        served, rights = self._device.find(named.class_id, named.logical_name, self.client)
        right = rights.method(named.method_index)
        self._view.check(right.accessible, right.requires, self._access)
        if named.method_index not in served.invocable:
            raise AccessRefused(DataAccessResult.READ_WRITE_DENIED)
        return served

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _present(self, served: CosemObject, attribute: int) -> EncodedData | None:
        if attribute not in served.readable:
            return None
        try:
            return served.read(attribute, None, self.situation)
        except (AccessRefused, EncodeError):
            return None

    def _put_back(self, before: Changes) -> None:
        for served, attribute, old in reversed(before):
            with suppress(AccessRefused):
                served.write(attribute, None, old, self.situation)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading(PushView):
    """Reads what is listed; refuses where a push has null-data."""

    view: ClientView
    access: Access
    situation: Situation

    def value(self, pushed: PushObject) -> bytes:
        """Return what one element stands for, encoded. Raises AccessRefused, StoreError."""
        self.device.find(pushed.class_id, pushed.logical_name, self.client)
        return PushView.value(self, pushed)

    def _read(self, served: CosemObject, attribute: int) -> EncodedData:
        return self._allowed(served, attribute, lambda: served.read(attribute, None, self.situation))

    def _allowed(self, served: CosemObject, attribute: int, read: Callable[[], EncodedData]) -> EncodedData:
        right = self.device.find(served.class_id, served.instance_id, self.client)[1].attribute(attribute)
        self.view.check(right.readable, right.requires, self.access)
        try:
            return read()
        except EncodeError:
            raise AccessRefused(DataAccessResult.HARDWARE_FAULT) from None
