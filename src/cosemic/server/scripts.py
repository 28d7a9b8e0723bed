"""Script table of a device (class 9; IEC 62056-6-2, 5.5), and how scripts are run.

::

    ScriptTableObject(device, "0-0:10.0.100", {
        1: [writing(RegisterActivation("0-0:14.0.0").active_mask, b"day")],        actions, in their order
        2: [executing(Register("1-0:1.8.1").reset)],
        3: demand.reset,                                                            built in: a function of the time
    })

A script needs no rights when it runs, whoever executes it: a client that writes scripts needs the right to each action
that was not in them before, under no more protection than to the scripts. A script is run as one: where an object,
attribute or method that it wants is not there, nothing is done; where an action is refused on the way, those behind it
are left out, so that a value is not reset that could not be captured. A script that is already running is not begun
again, and scripts that execute one another come to an end: at :data:`MOST_NESTED` of them, or :data:`MOST_ACTIONS`. A
built-in script is shown without actions, and stays when scripts are written.

==================  ====================================================================================================
other-reason        execute: no such script, what it wants is not there, one of its actions is refused, too many;
                    scripts: identifier 0, one identifier twice, actions for a built-in script, too many actions
read-write-denied   scripts: an action that the client may not do itself
temporary-failure   execute: the script is running, and has come back to itself
==================  ====================================================================================================

The device tells ``script-executed`` (details script_table, script_identifier, result).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from cosemic.apdu import SelectiveAccessDescriptor
from cosemic.codec import DataType, EncodedData
from cosemic.errors import CosemicError, StoreError
from cosemic.model import ActionItem, ActionSpecification, AttributeReference, MethodReference, Script, ScriptTable
from cosemic.model.schedules import ServiceId
from cosemic.server.kept import KeptObject, are_different, refuse, refuse_unless
from cosemic.server.logical_device import LogicalDevice
from cosemic.server.objects import AccessRefused, Situation
from cosemic.values import DataAccessResult, Obis

BuiltIn = Callable[[dt.datetime], None]
"""A script that the device itself knows; called with true time; may raise AccessRefused."""
NO_SCRIPT: Final = ActionItem(Obis(bytes(6)), 0)
"""Stands where nothing is to be done."""
MOST_NESTED: Final = 8
"""Scripts of which each is executed by the one before."""
MOST_ACTIONS: Final = 1000
"""Actions of all that one script sets going."""
T = TypeVar("T")
P = TypeVar("P")


def writing(attribute: AttributeReference[T], value: T) -> ActionSpecification:
    """Return the action that writes an attribute. Raises EncodeError for a value that does not fit."""
    return ActionSpecification(
        ServiceId.WRITE_ATTRIBUTE,
        attribute.class_id,
        attribute.instance_id,
        attribute.attribute_id,
        attribute.encode(value),
    )


def executing(method: MethodReference[P, Any], parameter: P | None = None) -> ActionSpecification:
    """Return the action that executes a method. Raises EncodeError for a parameter that does not fit."""
    return ActionSpecification(
        ServiceId.EXECUTE_METHOD, method.class_id, method.instance_id, method.method_id, method.encode(parameter)
    )


def run_script(device: LogicalDevice, item: ActionItem, at: dt.datetime) -> bool:
    """Run a script of a device; tell whether it was run to its end. No logical name means no script.

    Raises StoreError where the state of the device cannot be kept.
    """
    if item.script_logical_name == NO_SCRIPT.script_logical_name:
        return True
    identifier = EncodedData.of(DataType.LONG_UNSIGNED, item.script_selector)
    try:
        device.invoke(ScriptTable.class_id, item.script_logical_name, ScriptTable.execute.index, identifier, at)
    except AccessRefused:
        return False
    except StoreError:
        raise
    except CosemicError:  # a value of the device that does not fit its type must not stop time
        return False
    return True


class ScriptTableObject(KeptObject):
    """A script table.

    device: whose objects it acts upon. scripts: by identifier; actions or a function. writable: clients with the right
    to may write the scripts.

    Raises ConfigurationError, EncodeError for a parameter that has no type.
    """

    def __init__(
        self,
        device: LogicalDevice,
        instance_id: Obis | str,
        scripts: Mapping[int, Sequence[ActionSpecification] | BuiltIn],
        *,
        writable: bool = True,
    ) -> None:
        self._device = device
        self._built_in = {identifier: script for identifier, script in scripts.items() if callable(script)}
        self._running: set[int] = set()
        listed = [
            Script(identifier, () if callable(script) else tuple(script)) for identifier, script in scripts.items()
        ]
        super().__init__(
            ScriptTable(instance_id),
            {"scripts": listed},
            writable=("scripts",) if writable else (),
            methods={"execute": lambda identifier, situation: self.execute(identifier, situation.now)},
        )

    def execute(self, identifier: int, at: dt.datetime) -> None:
        """Run a script. Raises AccessRefused."""
        if identifier in self._running:
            raise AccessRefused(DataAccessResult.TEMPORARY_FAILURE)
        if identifier in self._built_in:
            run = self._built_in[identifier]
        else:
            actions = self._actions(identifier)
            refuse_unless(all(self._is_there(action) for action, _ in actions))

            def run(at: dt.datetime) -> None:
                for action, parameter in actions:
                    self._act(action, parameter, at)

        device = self._device
        refuse_unless(device.nested_scripts < MOST_NESTED)
        if not device.nested_scripts:
            device.actions_left = MOST_ACTIONS
        device.nested_scripts += 1
        self._running.add(identifier)
        result = DataAccessResult.HARDWARE_FAULT
        try:
            run(at)
            result = DataAccessResult.SUCCESS
        except AccessRefused as refused:
            result = refused.result
            refuse()
        finally:
            device.nested_scripts -= 1
            self._running.discard(identifier)
            device.tell(
                "script-executed", at, script_table=self.instance_id, script_identifier=identifier, result=result
            )

    def check(self, name: str, value: tuple[Script, ...], at: dt.datetime | None) -> None:
        """Refuse scripts that cannot be told apart, and actions for a built-in one. Raises AccessRefused."""
        identifiers = [one.script_identifier for one in value]
        refuse_unless(0 not in identifiers and are_different(identifiers))
        refuse_unless(not any(one.actions for one in value if one.script_identifier in self._built_in))
        refuse_unless(all(len(one.actions) <= MOST_ACTIONS for one in value))

    def write(
        self,
        attribute_id: int,
        selection: SelectiveAccessDescriptor | None,
        value: EncodedData,
        situation: Situation,
    ) -> None:
        """Write an attribute if it takes the value, and the client may do what is in it. Raises AccessRefused."""
        if attribute_id in self.writable and selection is None:
            written: tuple[Script, ...] = self._decode(ScriptTable.scripts.type, value)
            known = set(_encoded_actions(self._constants[attribute_id]))
            actions = (action for one in written for action in one.actions)
            for action, octets in zip(actions, _encoded_actions(value), strict=True):
                if octets not in known and not self._may(action, situation):
                    raise AccessRefused(DataAccessResult.READ_WRITE_DENIED)
        super().write(attribute_id, selection, value, situation)

    def _may(self, action: ActionSpecification, situation: Situation) -> bool:
        """Whether the client may do itself what it wants to have done."""
        own = self._device.rights_of(situation, self.class_id, self.instance_id)
        rights = self._device.rights_of(situation, action.class_id, action.logical_name)
        if own is None or rights is None:
            return True
        if action.service_id is ServiceId.WRITE_ATTRIBUTE:
            write = rights.attribute(action.index)
            allowed, requires = write.writable, write.requires
        else:
            execute = rights.method(action.index)
            allowed, requires = execute.accessible, execute.requires
        return allowed and not requires.request & ~own.attribute(ScriptTable.scripts.index).requires.request

    def _actions(self, identifier: int) -> list[tuple[ActionSpecification, EncodedData]]:
        """Return the actions of a script with their parameters as they were written. Raises AccessRefused."""
        scripts: tuple[Script, ...] = self.value("scripts")
        number = next((number for number, one in enumerate(scripts) if one.script_identifier == identifier), None)
        if number is None:
            refuse()
        _, actions = self._constants[ScriptTable.scripts.index].typed()[1][number][1]
        parameters = (EncodedData.from_typed(action[1][4]) for action in actions[1])
        return list(zip(scripts[number].actions, parameters, strict=True))

    def _is_there(self, wanted: ActionSpecification) -> bool:
        target = self._device.object(wanted.class_id, wanted.logical_name)
        if target is None:
            return False
        there = target.writable if wanted.service_id is ServiceId.WRITE_ATTRIBUTE else target.invocable
        return wanted.index in there

    def _act(self, wanted: ActionSpecification, parameter: EncodedData, at: dt.datetime) -> None:
        refuse_unless(self._device.actions_left > 0)
        self._device.actions_left -= 1
        act = self._device.write if wanted.service_id is ServiceId.WRITE_ATTRIBUTE else self._device.invoke
        act(wanted.class_id, wanted.logical_name, wanted.index, parameter, at)


def _encoded_actions(scripts: EncodedData) -> Iterator[bytes]:
    """Yield the actions of all scripts as they were written."""
    for _, (_, (_, actions)) in scripts.typed()[1]:
        yield from (EncodedData.from_typed(action).octets for action in actions)
