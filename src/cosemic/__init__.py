"""Cosemic: DLMS/COSEM (IEC 62056) in Python.

>>> import cosemic
>>> cosemic.decode("C401C1001105").to_dict()["apdu"]["result"]
{'data': ['unsigned', 5]}

What is used most is named here, and imported when it is asked for first; the rooms (``cosemic.apdu``, ``cosemic.codec``
...) hold the rest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from cosemic._version import __version__

if TYPE_CHECKING:
    from cosemic.client import BlockingMeter, Meter
    from cosemic.codec import DataType, EncodedData, Limits
    from cosemic.dialect import Dialect, Quirk
    from cosemic.errors import ConfigurationError, CosemicError, DecodeError
    from cosemic.inspector import Decoded, decode
    from cosemic.model import Clock, ProfileGeneric, Register
    from cosemic.values import DateTime, Obis, Quantity, Secret, Unit

_HOMES: Final = {
    "BlockingMeter": "client",
    "Clock": "model",
    "ConfigurationError": "errors",
    "CosemicError": "errors",
    "DataType": "codec",
    "DateTime": "values",
    "DecodeError": "errors",
    "EncodedData": "codec",
    "Meter": "client",
    "Decoded": "inspector",
    "Dialect": "dialect",
    "Limits": "codec",
    "Obis": "values",
    "ProfileGeneric": "model",
    "Quantity": "values",
    "Quirk": "dialect",
    "Register": "model",
    "Secret": "values",
    "Unit": "values",
    "decode": "inspector",
}

__all__ = [
    "BlockingMeter",
    "Clock",
    "ConfigurationError",
    "CosemicError",
    "DataType",
    "DateTime",
    "DecodeError",
    "Decoded",
    "Dialect",
    "EncodedData",
    "Limits",
    "Meter",
    "Obis",
    "ProfileGeneric",
    "Quantity",
    "Quirk",
    "Register",
    "Secret",
    "Unit",
    "__version__",
    "decode",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
