"""The base names of a logical device: where its objects stand for clients with short names (IEC 62056-6-2, clause 4).

They are given out when the first such client is let in: those that the configuration names, those that are reserved
(:mod:`cosemic.model.short_names`), and to the other objects what is free, in the order in which the device took them.
The same device so has the same names whenever it is made; an object that is added last moves no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cosemic.errors import ConfigurationError
from cosemic.model.short_names import NameSpace, ShortNameMap
from cosemic.server.association_base import CURRENT
from cosemic.server.association_sn_object import CLASS
from cosemic.server.objects import CosemObject
from cosemic.values import Obis


class BaseNames:
    """The base names of the objects of one device.

    named: base names by object, ``"3/1-0:1.8.0"``. version: of Association SN. Raises ConfigurationError.
    """

    def __init__(self, named: Mapping[str, int], version: int) -> None:
        self._space = NameSpace({_object(name): base for name, base in named.items()})
        self._version = version
        self._map = ShortNameMap(())
        self.given_out = False

    def begin(self, objects: Iterable[CosemObject]) -> None:
        """Give the objects their names, where that has not been done. Raises ConfigurationError."""
        if not self.given_out:
            self.given_out = True
            self._space.add(CLASS, self._version, CURRENT)
            for served in objects:
                self.add(served)

    def add(self, served: CosemObject) -> None:
        """Give a name to an object that the device has taken, if names are given out. Raises ConfigurationError."""
        if self.given_out:
            self._space.add(served.class_id, served.interface.version, served.instance_id)

    @property
    def map(self) -> ShortNameMap:
        """The names that were given out."""
        if len(self._map.placed) != len(self._space.placed):
            self._map = ShortNameMap(self._space.placed)
        return self._map


def _object(name: str) -> tuple[int, Obis]:
    class_id, _, code = name.partition("/")
    if not class_id.isdecimal():
        raise ConfigurationError(f"{name!r} is no object: class and logical name, 3/1-0:1.8.0")
    return int(class_id), Obis(code)
