"""Attributes read and written, and methods invoked, with their data protected from end to end (class 30, version 0).

::

    protector = DataProtector(OwnParty(title=own), [Party(title=meter, ...)], suite=..., counters=..., transactions=...)
    layers = [Layer(recipient=meter, key_info=KeyEstablishment.ONE_PASS)]
    energy, = await meter.data_protection.get(protector, ["3/1-0:1.8.0*255:value"], layers)

Layers are those between us and the meter, the innermost first: what we send is in them, and so has to be what comes
back. They vouch for values and parameters, not for what is listed or which method is named: that is as safe as the
association in which it is sent. Under global keys the counters are those of the association: hand the protector the
same store. A broker hands on what a third party has protected with the ``..._protected`` procedures, and has nothing to
do with its keys; the third party makes what they take with :func:`asked_of`, :func:`body_of` and its own protector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from cosemic.association.attribute_0 import joined, split
from cosemic.client.answers import decoded, parameters_of
from cosemic.client.faces import AsyncGroup, BlockingGroup, ProcedureGroup, asynchronously, blocking
from cosemic.client.procedures.push import ALL_ENTRIES
from cosemic.client.procedures.reading import read_as, title_of
from cosemic.client.steps import Procedure
from cosemic.codec import EncodedData
from cosemic.errors import ConfigurationError, DecipheringError, DecodeError
from cosemic.model import (
    AttributeReference,
    DataProtection,
    GetProtectedAttributesRequest,
    InvokeProtectedMethodRequest,
    MethodDefinition,
    ProtectedAttributes,
    ProtectionParametersElement,
    RestrictedObjectDefinition,
    SetProtectedAttributesRequest,
)
from cosemic.model.push import RestrictionType
from cosemic.model.security_setup import SecurityPolicyV1
from cosemic.model.types import STRICT
from cosemic.security import Protection, check_protection
from cosemic.security.data_opening import REFUSED, OpenedData
from cosemic.security.data_parameters import asking
from cosemic.security.data_protection import DataProtector, ProtectedData
from cosemic.security.general import Layer
from cosemic.values import Obis

if TYPE_CHECKING:
    from cosemic.client.session import MethodTarget, Target

DATA_PROTECTION: Final = Obis("0-0:43.2.0")
_ANSWER: Final = "the protected data that came back"


@dataclass(frozen=True, slots=True)
class DataProtectionState:
    """What a data protection is set to."""

    protection_object_list: tuple[RestrictedObjectDefinition, ...]
    protection_parameters_get: tuple[ProtectionParametersElement, ...]
    protection_parameters_set: tuple[ProtectionParametersElement, ...]
    required_protection: SecurityPolicyV1


def body_of(values: Sequence[EncodedData]) -> bytes:
    """Return values as the data that are protected: one structure."""
    return joined(list(values)).octets


def asked_of(
    protector: DataProtector, layers: Sequence[Layer], transaction_id: bytes
) -> tuple[ProtectionParametersElement, ...]:
    """Return the parameters that ask the recipient of layers to protect what it gives us in the same ones.

    Raises EncodeError, ConfigurationError for what cannot be asked for.
    """
    return tuple(_asked(protector, layer, transaction_id) for layer in layers)


def _asked(protector: DataProtector, layer: Layer, transaction_id: bytes) -> ProtectionParametersElement:
    party = protector.parties.get(layer.recipient)
    if party is None:
        raise ConfigurationError(f"nothing is known of the recipient {layer.recipient.hex()}")
    kind = layer.key_info if layer.signing else layer.key_info or party.preferred
    turned = replace(layer, recipient=protector.own.title, key_info=kind)
    return asking(turned, originator=layer.recipient, transaction_id=transaction_id)


class DataProtectionProcedures(ProcedureGroup):
    """Data protection of a meter; ``obis``: which one, where there are several.

    What comes back and is not protected as agreed raises DecipheringError or PolicyViolation, and nothing of it is used
    or counted.
    """

    def state(self, *, obis: Obis | str = DATA_PROTECTION) -> Procedure[DataProtectionState]:
        """Read the lists and the required protection.

        Raises DataAccessError, DecodeError. COSEM data protection, IEC 62056-6-2, 5.3.
        """
        return (yield from read_as(self.session, DataProtectionState, DataProtection(obis)))

    def get(
        self,
        protector: DataProtector,
        targets: Sequence[Target | RestrictedObjectDefinition],
        layers: Sequence[Layer],
        *,
        obis: Obis | str = DATA_PROTECTION,
    ) -> Procedure[list[Any]]:
        """Read attributes, protected by the meter; values as their classes declare them, without scaler and unit.

        Raises ActionFailed; SecurityError for an answer that is not protected as asked; DecodeError, EncodeError,
        ConfigurationError. get_protected_attributes, IEC 62056-6-2, 5.3.
        """
        entries = yield from self._listed(targets)
        transaction_id = protector.new_transaction_id()
        asked = asked_of(protector, layers, transaction_id)
        answer = yield from self.get_protected(entries, asked, obis=obis)
        return _values(entries, _taken(protector, answer, layers, transaction_id))

    def get_protected(
        self,
        targets: Sequence[Target | RestrictedObjectDefinition],
        parameters: Sequence[ProtectionParametersElement],
        *,
        obis: Obis | str = DATA_PROTECTION,
    ) -> Procedure[ProtectedData]:
        """Read attributes as the meter protects them, unopened: for who they are protected for.

        Raises ActionFailed, EncodeError. get_protected_attributes, IEC 62056-6-2, 5.3.
        """
        entries = yield from self._listed(targets)
        request = GetProtectedAttributesRequest(tuple(entries), tuple(parameters))
        answer = yield from self.session.call(DataProtection(obis).get_protected_attributes, request)
        return ProtectedData(answer.protection_parameters, answer.protected_attributes)

    def set(
        self,
        protector: DataProtector,
        values: Sequence[tuple[Target | RestrictedObjectDefinition, Any]],
        layers: Sequence[Layer],
        *,
        obis: Obis | str = DATA_PROTECTION,
    ) -> Procedure[None]:
        """Write attributes, protected: the meter writes all or none. A RestrictedObjectDefinition takes EncodedData.

        Raises ActionFailed, EncodeError, ConfigurationError; OutcomeUnknown where no answer came: read them back.
        set_protected_attributes, IEC 62056-6-2, 5.3.
        """
        entries = yield from self._listed([target for target, _ in values])
        encoded = []
        for entry, (_, value) in zip(entries, values, strict=True):
            if isinstance(value, EncodedData):
                encoded.append(value)
            else:
                encoded.append((yield from self.session.encoded(_reference(entry), value)))
        protected = protector.protect(body_of(encoded), layers)
        yield from self.set_protected(entries, protected, obis=obis)

    def set_protected(
        self,
        targets: Sequence[Target | RestrictedObjectDefinition],
        protected: ProtectedData,
        *,
        obis: Obis | str = DATA_PROTECTION,
    ) -> Procedure[None]:
        """Write attributes with values that somebody has protected.

        Raises ActionFailed; OutcomeUnknown where no answer came. set_protected_attributes, IEC 62056-6-2, 5.3.
        """
        entries = yield from self._listed(targets)
        request = SetProtectedAttributesRequest(tuple(entries), protected.parameters, protected.octets)
        yield from self.session.call(DataProtection(obis).set_protected_attributes, request)

    def invoke(
        self,
        protector: DataProtector,
        method: MethodTarget,
        value: Any,
        layers: Sequence[Layer],
        *,
        obis: Obis | str = DATA_PROTECTION,
    ) -> Procedure[Any]:
        """Invoke a method, its parameter and what it returns being protected; return that, None where it has nothing.

        Raises ActionFailed, EncodeError, ConfigurationError; SecurityError for an answer that is not protected as the
        request was: the method has been invoked then; OutcomeUnknown where no answer came. invoke_protected_method,
        IEC 62056-6-2, 5.3.
        """
        reference = yield from self.session.method(method)
        transaction_id = protector.new_transaction_id()
        parameter = parameters_of(reference, value).octets
        protected = protector.protect(parameter, layers, transaction_id=transaction_id)
        answer = yield from self.invoke_protected(reference, protected, obis=obis)
        found = EncodedData(_taken(protector, answer, layers, transaction_id))
        return None if reference.method.returns is None else reference.decode(found.typed())

    def invoke_protected(
        self, method: MethodTarget, protected: ProtectedData, *, obis: Obis | str = DATA_PROTECTION
    ) -> Procedure[ProtectedData]:
        """Invoke a method with a parameter that somebody has protected; return what it returned, unopened.

        Raises ActionFailed; OutcomeUnknown where no answer came. invoke_protected_method, IEC 62056-6-2, 5.3.
        """
        reference = yield from self.session.method(method)
        named = MethodDefinition(reference.class_id, reference.instance_id, reference.method_id)
        request = InvokeProtectedMethodRequest(named, protected.parameters, protected.octets)
        answer = yield from self.session.call(DataProtection(obis).invoke_protected_method, request)
        return ProtectedData(answer.protection_parameters, answer.protected_method_return_parameters)

    # ---- the buffer -------------------------------------------------------------------------------------------------

    def buffer(self, *, obis: Obis | str = DATA_PROTECTION) -> Procedure[ProtectedData]:
        """Read the protection_buffer, unopened.

        Raises DataAccessError, DecodeError. protection_buffer, IEC 62056-6-2, 5.3.
        """
        octets = yield from self.session.read(DataProtection(obis).protection_buffer)
        return buffer_content(octets)

    def read_buffer(
        self, protector: DataProtector, required: Protection, *, obis: Obis | str = DATA_PROTECTION
    ) -> Procedure[list[tuple[RestrictedObjectDefinition, Any]]]:
        """Read what the protection_object_list names through the buffer; each element with its value.

        required: the least protection that counts, by the meter: it is known by its system title, or is the only party
        of the protector. Raises DataAccessError, SecurityError, DecodeError, ConfigurationError. protection_buffer,
        IEC 62056-6-2, 5.3.
        """
        yield from self.session.standing()
        title = title_of(self.session) or _only_party(protector)
        entries = yield from self.session.read(DataProtection(obis).protection_object_list)
        content = yield from self.buffer(obis=obis)
        opened = protector.open(content.octets, content.parameters)
        check_protection(required, opened.applied, _ANSWER)
        _check_originators(opened, {title})
        opened.accept()
        return list(zip(entries, _values(entries, opened.data), strict=True))

    def write_buffer(
        self,
        protector: DataProtector,
        values: Sequence[EncodedData],
        layers: Sequence[Layer],
        *,
        obis: Obis | str = DATA_PROTECTION,
    ) -> Procedure[None]:
        """Write what the protection_object_list names through the buffer: all or none.

        layers: as protection_parameters_set say. Raises DataAccessError, EncodeError, ConfigurationError;
        OutcomeUnknown where no answer came. protection_buffer, IEC 62056-6-2, 5.3.
        """
        protected = protector.protect(body_of(values), layers)
        content = ProtectedAttributes.encode(ProtectedAttributes(protected.parameters, protected.octets))
        reference = DataProtection(obis).protection_buffer
        yield from self.session.write(reference, EncodedData.from_typed(content).octets)

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _listed(
        self, targets: Sequence[Target | RestrictedObjectDefinition]
    ) -> Procedure[list[RestrictedObjectDefinition]]:
        entries = []
        for target in targets:
            if isinstance(target, RestrictedObjectDefinition):
                entries.append(target)
                continue
            reference = yield from self.session.attribute(target)
            which = reference.class_id, reference.instance_id, reference.attribute_id
            entries.append(RestrictedObjectDefinition(*which, 0, ALL_ENTRIES))
        return entries


def buffer_content(octets: bytes) -> ProtectedData:
    """Return what a protection_buffer holds, read or pushed. Raises DecodeError."""
    content = ProtectedAttributes.decode(EncodedData(octets).typed(), STRICT)
    return ProtectedData(content.protection_parameters, content.protected_attributes)


def _taken(protector: DataProtector, answer: ProtectedData, layers: Sequence[Layer], transaction_id: bytes) -> bytes:
    """Return what an answer carries, in the layers that were asked for and by those who were asked.

    Raises DecipheringError, PolicyViolation.
    """
    opened = protector.open(answer.octets, answer.parameters, transaction_id=_one_id(layers, transaction_id))
    required = Protection.NONE
    for layer in layers:
        required |= layer.protection
    check_protection(required, opened.applied, _ANSWER)
    _check_originators(opened, {layer.recipient for layer in layers})
    opened.accept()
    return opened.data


def _check_originators(opened: OpenedData, expected: set[bytes]) -> None:
    """Raise DecipheringError for layers of others: what another meter has protected is none of this one's values."""
    if {one.header.originator for one in opened.layers} != expected:
        raise DecipheringError(REFUSED)


def _only_party(protector: DataProtector) -> bytes:
    if len(protector.parties) != 1:
        raise ConfigurationError("the protector knows several parties: give server_title, which of them the meter is")
    return next(iter(protector.parties))


def _one_id(layers: Sequence[Layer], transaction_id: bytes) -> bytes | None:
    """Return the transaction-id that all layers have; None where a layer names another one."""
    return None if any(layer.transaction_id not in (None, transaction_id) for layer in layers) else transaction_id


def _reference(entry: RestrictedObjectDefinition) -> AttributeReference[Any]:
    return AttributeReference.of(entry.class_id, entry.logical_name, entry.attribute_index)


def _values(entries: Sequence[RestrictedObjectDefinition], body: bytes) -> list[Any]:
    """Return the values of what was listed; parts of attributes as they were sent. Raises DecodeError."""
    values = split(EncodedData(body))
    if len(values) != len(entries):
        raise DecodeError(f"{len(entries)} values, as many as were listed, not {len(values)}")
    return [_value(entry, value) for entry, value in zip(entries, values, strict=True)]


def _value(entry: RestrictedObjectDefinition, value: EncodedData) -> Any:
    whole = entry.attribute_index and not entry.data_index
    if not whole or entry.restriction.restriction_type != RestrictionType.NONE:
        return value.value()
    return decoded(_reference(entry), value)


class AsyncDataProtection(AsyncGroup):
    """Data protection of a meter, on asyncio."""

    state = asynchronously(DataProtectionProcedures.state)
    get = asynchronously(DataProtectionProcedures.get)
    get_protected = asynchronously(DataProtectionProcedures.get_protected)
    set = asynchronously(DataProtectionProcedures.set)
    set_protected = asynchronously(DataProtectionProcedures.set_protected)
    invoke = asynchronously(DataProtectionProcedures.invoke)
    invoke_protected = asynchronously(DataProtectionProcedures.invoke_protected)
    buffer = asynchronously(DataProtectionProcedures.buffer)
    read_buffer = asynchronously(DataProtectionProcedures.read_buffer)
    write_buffer = asynchronously(DataProtectionProcedures.write_buffer)


class BlockingDataProtection(BlockingGroup):
    """Data protection of a meter, for blocking code."""

    state = blocking(DataProtectionProcedures.state)
    get = blocking(DataProtectionProcedures.get)
    get_protected = blocking(DataProtectionProcedures.get_protected)
    set = blocking(DataProtectionProcedures.set)
    set_protected = blocking(DataProtectionProcedures.set_protected)
    invoke = blocking(DataProtectionProcedures.invoke)
    invoke_protected = blocking(DataProtectionProcedures.invoke_protected)
    buffer = blocking(DataProtectionProcedures.buffer)
    read_buffer = blocking(DataProtectionProcedures.read_buffer)
    write_buffer = blocking(DataProtectionProcedures.write_buffer)
