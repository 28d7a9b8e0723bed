"""What a meter counts: totals, and the tariff registers that share them out (classes 3 and 6; IEC 62056-6-2, 5.2).

::

    source(t) --+--> 1-0:1.8.0   counts while the supply is on
                +--> 1-0:1.8.1   counts while the supply is on and Register activation has it count
                '--> 1-0:1.8.2   the same

A source is a closed form: the total at any moment (:data:`~cosemic.server.registers.Source`). The registers settle just
before supply or tariff change, so that each is exact however often the meter is asked. Where one tariff register of a
quantity counts at a time, as a calendar has it, their sum is the total, to the unit.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Sequence
from functools import partial

from cosemic.codec import DataType
from cosemic.model import Register, ScalerUnit
from cosemic.server.disconnect import DisconnectControlObject
from cosemic.server.logical_device import Happening, LogicalDevice
from cosemic.server.register_activation import RegisterActivationObject
from cosemic.server.registers import CountingRegisterObject, Source
from cosemic.server.state import FORGETFUL, load_json, save_json
from cosemic.values import Obis


class Supply:
    """Whether the supply of the premises is on: not disconnected, and no power failure.

    device: that tells ``power-down`` and ``power-up``. switch: the disconnect control, where there is one.

    Raises StoreError.
    """

    def __init__(self, device: LogicalDevice, switch: DisconnectControlObject | None = None) -> None:
        self.changing: list[Callable[[dt.datetime], None]] = []
        """Called with true time just before the supply goes on or off."""
        self._switch = switch
        self._memory = FORGETFUL if device.state is None else device.state.of("supply")
        self._powered: bool = load_json(self._memory, "powered") is not False
        device.listeners.append(self._happened)
        if switch is not None:
            switch.changing.append(self._tell)

    @property
    def on(self) -> bool:
        """Whether there is any current at all."""
        return self._powered and (self._switch is None or self._switch.connected)

    def _happened(self, happening: Happening) -> None:
        powered = {"power-down": False, "power-up": True}.get(happening.name, self._powered)
        if powered is not self._powered:
            self._tell(happening.at)
            self._powered = powered
            save_json(self._memory, "powered", powered)

    def _tell(self, at: dt.datetime) -> None:
        for follower in self.changing:
            follower(at)


class MeteredEnergy:
    """The registers of a meter that count.

    device: that gets the registers. supply: while it is off nothing counts. activation: says which registers count.
    """

    def __init__(
        self, device: LogicalDevice, supply: Supply, activation: RegisterActivationObject | None = None
    ) -> None:
        self._device = device
        self._supply = supply
        self._activation = activation
        self._registers: list[CountingRegisterObject] = []
        supply.changing.append(self._settle)
        if activation is not None:
            activation.changing.append(self._settle)

    def add(
        self,
        instance_id: Obis | str,
        scaler_unit: ScalerUnit,
        source: Source,
        *,
        tariffs: Sequence[int] = (),
        data_type: DataType = DataType.DOUBLE_LONG_UNSIGNED,
        writable: Collection[str] = (),
    ) -> CountingRegisterObject:
        """Add the registers of a quantity to the device: the total, which is returned, and those of its tariffs.

        instance_id: of the total; tariff n has n in value group E. source: in the unit of the registers. tariffs: what
        of the source each tariff register has at first, in the same unit; what comes on top of the sum goes to those
        that count. data_type, writable: as of :class:`~cosemic.server.registers.CountingRegisterObject`.

        Raises ConfigurationError where there is such a register already.
        """
        name = instance_id if isinstance(instance_id, Obis) else Obis(instance_id)
        make = partial(self._add, scaler_unit=scaler_unit, source=source, data_type=data_type, writable=writable)
        total = make(name)
        for number, begun in enumerate(tariffs, 1):
            make(Obis(bytes((*name[:4], number, name.f))), begun=begun, mark=sum(tariffs))
        return total

    def _add(
        self,
        name: Obis,
        *,
        scaler_unit: ScalerUnit,
        source: Source,
        data_type: DataType,
        writable: Collection[str],
        begun: int = 0,
        mark: int = 0,
    ) -> CountingRegisterObject:
        register = CountingRegisterObject(
            name,
            scaler_unit,
            source,
            data_type=data_type,
            counts=lambda: self._counts(name),
            begun=begun,
            mark=mark,
            writable=writable,
        )
        self._registers.append(register)
        return self._device.add(register)

    def _counts(self, name: Obis) -> bool:
        return self._supply.on and (self._activation is None or self._activation.active(Register.class_id, name))

    def _settle(self, at: dt.datetime) -> None:
        for register in self._registers:
            register.settle(at)
