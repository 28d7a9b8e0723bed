"""Register activation of a device (class 6; IEC 62056-6-2, 5.2): which registers count at a time.

::

    register_assignment   1: 1-0:1.8.1   2: 1-0:1.8.2   3: 1-0:2.8.1
    mask_list             "day": 1, 3    "night": 2, 3
    active_mask           "night"                            1-0:1.8.2 and 1-0:2.8.1 count, 1-0:1.8.1 does not

A register that is not assigned always counts; an empty active_mask stops all that are assigned. The mask is changed
by scripts, as of a calendar, that write active_mask; whatever counts asks :meth:`RegisterActivationObject.active`, and
settles up to the moment of the change when it is told of it (:attr:`RegisterActivationObject.changing`).

add_mask takes the place of a mask of the same name. Refused: with other-reason a name that no mask has, masks of one
name, an empty name, an index that is not assigned, a register that is assigned already; with temporary-failure what
would take away the active mask.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

from cosemic.model import ObjectDefinition, RegisterActivation, RegisterActMask
from cosemic.server.kept import KeptObject, are_different, refuse_unless
from cosemic.server.objects import AccessRefused, Situation
from cosemic.values import DataAccessResult, Obis


class RegisterActivationObject(KeptObject):
    """A register activation.

    registers: that are assigned. masks: by name, the indices of registers, from 1. active_mask: name of the first one.
    writable: clients with the right to may write the assignment and the masks.

    Raises ConfigurationError.
    """

    def __init__(
        self,
        instance_id: Obis | str = "0-0:14.0.0",
        registers: Sequence[ObjectDefinition] = (),
        masks: Sequence[RegisterActMask] = (),
        active_mask: bytes = b"",
        *,
        writable: bool = True,
    ) -> None:
        self.changing: list[Callable[[dt.datetime], None]] = []
        """Called with true time just before other registers count."""
        self._counting: frozenset[ObjectDefinition] | None = None
        values = {"register_assignment": tuple(registers), "mask_list": tuple(masks), "active_mask": active_mask}
        super().__init__(
            RegisterActivation(instance_id),
            values,
            writable=(*(("register_assignment", "mask_list") if writable else ()), "active_mask"),
            methods={"add_register": self._add_register, "add_mask": self._add_mask, "delete_mask": self._delete_mask},
        )

    @property
    def active_mask(self) -> bytes:
        """Name of the mask in force; empty where no assigned register counts."""
        mask: bytes = self.value("active_mask")
        return mask

    def active(self, class_id: int, instance_id: Obis) -> bool:
        """Whether a register counts."""
        register = ObjectDefinition(class_id, instance_id)
        return register not in self._registers or register in self._active_registers()

    # ---- attributes -------------------------------------------------------------------------------------------------

    @property
    def _registers(self) -> tuple[ObjectDefinition, ...]:
        registers: tuple[ObjectDefinition, ...] = self.value("register_assignment")
        return registers

    @property
    def _masks(self) -> tuple[RegisterActMask, ...]:
        masks: tuple[RegisterActMask, ...] = self.value("mask_list")
        return masks

    def _active_registers(self) -> frozenset[ObjectDefinition]:
        if self._counting is None:
            registers = self._registers
            indices = (mask.index_list for mask in self._masks if mask.mask_name == self.active_mask)
            self._counting = frozenset(registers[index - 1] for index in next(indices, ()))
        return self._counting

    def check(self, name: str, value: Any, at: dt.datetime | None) -> None:
        """Refuse what would leave a mask without registers, or the device without its mask. Raises AccessRefused."""
        if name == "active_mask":
            refuse_unless(not value or value in {mask.mask_name for mask in self._masks})
        elif name == "register_assignment":
            refuse_unless(are_different(value) and _fit(self._masks, value))
        elif name == "mask_list":
            names = [mask.mask_name for mask in value]
            refuse_unless(are_different(names) and b"" not in names and _fit(value, self._registers))
            if at is not None and self.active_mask and self.active_mask not in names:
                raise AccessRefused(DataAccessResult.TEMPORARY_FAILURE)

    def leaving(self, name: str, at: dt.datetime) -> None:
        """Tell what counts that this comes to an end."""
        for follower in self.changing:
            follower(at)

    def taken(self, name: str, at: dt.datetime) -> None:
        """Let other registers count."""
        self._counting = None

    def restore(self) -> None:
        """Take up what was written, and the mask that was in force. Raises StoreError."""
        super().restore()
        self._counting = None

    # ---- methods ----------------------------------------------------------------------------------------------------

    def _replace(self, name: str, value: Sequence[Any], situation: Situation) -> None:
        self.check(name, tuple(value), situation.now)
        self.change(name, value, situation.now)

    def _add_register(self, register: ObjectDefinition, situation: Situation) -> None:
        self._replace("register_assignment", (*self._registers, register), situation)

    def _add_mask(self, mask: RegisterActMask, situation: Situation) -> None:
        others = (one for one in self._masks if one.mask_name != mask.mask_name)
        self._replace("mask_list", (*others, mask), situation)

    def _delete_mask(self, name: bytes, situation: Situation) -> None:
        others = [one for one in self._masks if one.mask_name != name]
        refuse_unless(len(others) < len(self._masks))
        self._replace("mask_list", others, situation)


def _fit(masks: Sequence[RegisterActMask], registers: Sequence[ObjectDefinition]) -> bool:
    return all(1 <= index <= len(registers) for mask in masks for index in mask.index_list)
