"""Which objects a meter has, and what is meant by the name of one: the association view of one session.

The view is read once, and kept; with it, the access rights of the meter are known
(:mod:`cosemic.client.known_rights`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from cosemic.client.known_rights import known_rights
from cosemic.client.recovery import repeated
from cosemic.client.selections import BY_CLASS, by_class
from cosemic.client.services import Services
from cosemic.client.short_names import ShortNames
from cosemic.client.steps import Procedure
from cosemic.client.targets import Named, parse
from cosemic.client.view import CURRENT_ASSOCIATION, ListedObject, association_version, listed, selected
from cosemic.errors import DataAccessError, ServiceFailed
from cosemic.model import (
    AccessSelection,
    AssociationLN,
    AttributeReference,
    InterfaceClass,
    MethodReference,
    interface_class,
    versions,
)
from cosemic.values import DataAccessResult, Obis

T = TypeVar("T")
Target = str | Obis | AttributeReference[Any]
"""An attribute: a reference, or as :mod:`cosemic.client.targets` says."""
MethodTarget = str | MethodReference[Any, Any]


class Viewing(Services):
    """Services, and the view of the association in which they are asked for."""

    view: list[ListedObject] | None = None

    def forget_view(self) -> None:
        """Forget the objects and their access rights: they may have changed."""
        self.view = None
        self.learn_rights(None)

    def objects(self, *, refresh: bool = False, select: AccessSelection | None = None) -> Procedure[list[ListedObject]]:
        """Return the association view: class_id, version, logical_name and access_rights of each object.

        It is read once; refresh: read it again. select: only a part is read, and the meter must know how; see
        :mod:`cosemic.client.selections`. Raises DataAccessError, DecodeError.
        """
        object_list = CURRENT_ASSOCIATION.object_list
        if self.short_names is not None:
            return (yield from self._objects_by_short_names(self.short_names, refresh, select))
        if select is not None:
            version = None if select.selector == BY_CLASS else (yield from self._association_version())
            return listed((yield from self.get_attribute(object_list, select)), version)
        if self.view is None or refresh:
            self._take_view(listed((yield from self.get_attribute(object_list))))
        return self.view or []

    def _take_view(self, view: list[ListedObject]) -> None:
        self.view = view
        self.learn_rights(known_rights(view))

    def _objects_by_short_names(
        self, short_names: ShortNames, refresh: bool, select: AccessSelection | None
    ) -> Procedure[list[ListedObject]]:
        if refresh:
            short_names.forget()
            self.forget_view()
        if self.view is None:
            self._take_view((yield from self._reading(short_names.view)))
        view = self.view or []
        return view if select is None else list(selected(view, select))

    def _reading(self, ask: Callable[[], Procedure[T]]) -> Procedure[T]:
        """Ask for what can be read again, in an association that stands."""

        def attempt(anew: bool) -> Procedure[T]:
            yield from self._stand(anew)
            return (yield from ask())

        return repeated(self.recovery.reading, attempt)

    def _association_version(self) -> Procedure[int]:
        """Version of Association LN: a part of the view may not tell."""
        if self.view is not None:
            return association_version(self.view)
        try:
            return association_version((yield from self.objects(select=by_class(AssociationLN.class_id))))
        except DataAccessError:
            return association_version((yield from self.objects()))

    def attribute(self, target: Target) -> Procedure[AttributeReference[Any]]:
        """Return the attribute that is meant. Raises ConfigurationError; DataAccessError for what the meter lacks."""
        if isinstance(target, AttributeReference):
            return target
        named = parse(target)
        class_id, declared = yield from self.declaration(named)
        return named.attribute_of(class_id, declared)

    def method(self, target: MethodTarget) -> Procedure[MethodReference[Any, Any]]:
        """Return the method that is meant. Raises ConfigurationError; DataAccessError for what the meter lacks."""
        if isinstance(target, MethodReference):
            return target
        named = parse(target)
        class_id, declared = yield from self.declaration(named)
        return named.method_of(class_id, declared)

    def declaration(self, named: Named) -> Procedure[tuple[int, type[InterfaceClass] | None]]:
        """Return class_id and declaration of an object's class, None where it is not declared.

        The association view is looked at where class or version are not named, and make a difference.
        """
        if named.class_id is None:
            entry = yield from self._entry(named)
            if entry is None:
                raise DataAccessError(
                    f"{named.instance_id} is not in the association view: see what `objects` lists, give security= "
                    f"(--security) for more rights, or name its class (3/{named.instance_id})",
                    int(DataAccessResult.OBJECT_UNDEFINED),
                    DataAccessResult.OBJECT_UNDEFINED.label,
                    str(named.instance_id),
                )
            return entry.class_id, _declared(entry.class_id, entry.version)
        version = named.version
        if version is None and len(versions(named.class_id)) > 1 and named.differs():
            try:
                entry = yield from self._entry(named)
            except ServiceFailed:
                entry = None
            version = entry.version if entry is not None else None
        return named.class_id, _declared(named.class_id, version)

    def _entry(self, named: Named) -> Procedure[ListedObject | None]:
        known = self.view
        if known is None and self.short_names is not None:
            known = yield from self._reading(self.short_names.objects)
        for one in known or (yield from self.objects()):
            if one.logical_name == named.instance_id and named.class_id in (None, one.class_id):
                return one
        return None


def _declared(class_id: int, version: int | None) -> type[InterfaceClass] | None:
    """The declaration of a class; the newest where the version is not known here."""
    return interface_class(class_id, version) or interface_class(class_id)
