"""The physical units of scaler_unit and of every other attribute of the type unit (IEC 62056-6-2, 4.3.2).

On the wire: the Data type enum (tag 22), one octet. Codes that the table does not list are reserved and kept as
numbers. Symbols are ours where the standard prints a formula; ``ucum`` is the code of the Unified Code for Units of
Measure, empty where it has none.
"""

from __future__ import annotations

from typing import Final, NamedTuple, Self

from cosemic.errors import ConfigurationError, EncodeError


class _Row(NamedTuple):
    code: int
    symbol: str
    name: str
    quantity: str
    ucum: str


class Unit(int):
    """A unit code, 0 to 255: a number that knows its symbol. ``Unit(30).symbol == "Wh"``.

    A code that is not in the table has the symbol ``unit 200``, no name, quantity or ucum, and ``is_known`` false.
    Raises EncodeError outside 0 to 255. IEC 62056-6-2, table of units.
    """

    __slots__ = ()

    def __new__(cls, code: int) -> Self:
        if not 0 <= code <= 255:
            raise EncodeError(f"a unit code is 0 to 255, not {code}")
        return int.__new__(cls, code)

    @classmethod
    def of(cls, symbol: str) -> Self:
        """Return the unit with that symbol, the lowest code where several share it (``m³`` is 13).

        Other spellings are read too: ``cu ft/h`` for ``ft³/h``. Raises ConfigurationError for a symbol that is not in
        the table.
        """
        code = _CODES.get(symbol)
        if code is None:
            spelling = symbol
            for other, ours in _SPELLINGS:
                spelling = spelling.replace(other, ours)
            code = _CODES.get(spelling)
        if code is None:
            raise ConfigurationError(f"{symbol!r} is not the symbol of a COSEM unit (Wh, var, m³ ... without prefix)")
        return cls(code)

    @property
    def is_known(self) -> bool:
        """Whether the table lists the code."""
        return int(self) in _TABLE

    @property
    def symbol(self) -> str:
        """The symbol: ``Wh``, ``m³/h``, ``count`` for a number without unit."""
        return self._row.symbol

    @property
    def name(self) -> str:
        """The name in words: ``watt-hour``."""
        return self._row.name

    @property
    def quantity(self) -> str:
        """The physical quantity: ``active energy``."""
        return self._row.quantity

    @property
    def ucum(self) -> str:
        """The UCUM code: ``W.h``."""
        return self._row.ucum

    @property
    def _row(self) -> _Row:
        code = int(self)
        return _TABLE.get(code) or _Row(code, f"unit {code}", "", "", "")

    def __str__(self) -> str:
        return self.symbol

    def __repr__(self) -> str:
        return f"Unit({int(self)}: {self.symbol})" if self.is_known else f"Unit({int(self)})"


_ROWS: Final = (
    (1, "a", "year", "time (year)", "a"),
    (2, "mo", "month", "time (month)", "mo"),
    (3, "wk", "week", "time (week)", "wk"),
    (4, "d", "day", "time (day)", "d"),
    (5, "h", "hour", "time (hour)", "h"),
    (6, "min", "minute", "time (minute)", "min"),
    (7, "s", "second", "time (second)", "s"),
    (8, "°", "phase angle degree", "phase angle", "deg"),
    (9, "°C", "degree Celsius", "temperature", "Cel"),
    (10, "currency", "local currency", "(local) currency", ""),
    (11, "m", "metre", "length", "m"),
    (12, "m/s", "metre per second", "speed", "m/s"),
    (13, "m³", "cubic metre", "volume", "m3"),
    (14, "m³", "cubic metre, corrected volume", "corrected volume", "m3"),
    (15, "m³/h", "cubic metre per hour", "volume flux", "m3/h"),
    (16, "m³/h", "cubic metre per hour, corrected", "corrected volume flux", "m3/h"),
    (17, "m³/d", "cubic metre per day", "volume flux", "m3/d"),
    (18, "m³/d", "cubic metre per day, corrected", "corrected volume flux", "m3/d"),
    (19, "l", "litre", "volume", "L"),
    (20, "kg", "kilogram", "mass", "kg"),
    (21, "N", "newton", "force", "N"),
    (22, "Nm", "newton metre", "energy (torque form)", "N.m"),
    (23, "Pa", "pascal", "pressure", "Pa"),
    (24, "bar", "bar", "pressure", "bar"),
    (25, "J", "joule", "energy", "J"),
    (26, "J/h", "joule per hour", "thermal power", "J/h"),
    (27, "W", "watt", "active power", "W"),
    (28, "VA", "volt-ampere", "apparent power", "V.A"),
    (29, "var", "var", "reactive power", "V.A"),
    (30, "Wh", "watt-hour", "active energy", "W.h"),
    (31, "VAh", "volt-ampere-hour", "apparent energy", "V.A.h"),
    (32, "varh", "var-hour", "reactive energy", "V.A.h"),
    (33, "A", "ampere", "current", "A"),
    (34, "C", "coulomb", "electrical charge", "C"),
    (35, "V", "volt", "voltage", "V"),
    (36, "V/m", "volt per metre", "electric field strength", "V/m"),
    (37, "F", "farad", "capacitance", "F"),
    (38, "Ω", "ohm", "resistance", "Ohm"),
    (39, "Ωm²/m", "resistivity", "resistivity", "Ohm.m"),
    (40, "Wb", "weber", "magnetic flux", "Wb"),
    (41, "T", "tesla", "magnetic flux density", "T"),
    (42, "A/m", "ampere per metre", "magnetic field strength", "A/m"),
    (43, "H", "henry", "inductance", "H"),
    (44, "Hz", "hertz", "frequency", "Hz"),
    (45, "1/Wh", "active energy pulse constant", "active energy meter constant or pulse value (R_W)", "1/(W.h)"),
    (
        46,
        "1/varh",
        "reactive energy pulse constant",
        "reactive energy meter constant or pulse value (R_B)",
        "1/(V.A.h)",
    ),
    (47, "1/VAh", "apparent energy pulse constant", "apparent energy meter constant or pulse value (R_S)", "1/(V.A.h)"),
    (48, "V²h", "volt-squared hour", "volt-squared hours", "V2.h"),
    (49, "A²h", "ampere-squared hour", "ampere-squared hours", "A2.h"),
    (50, "kg/s", "mass flux", "mass flux", "kg/s"),
    (51, "S", "siemens", "conductance", "S"),
    (52, "K", "kelvin", "temperature", "K"),
    (53, "1/(V²h)", "volt-squared hour pulse constant", "volt-squared hour meter constant (R_U²h)", "1/(V2.h)"),
    (54, "1/(A²h)", "ampere-squared hour pulse constant", "ampere-squared hour meter constant (R_I²h)", "1/(A2.h)"),
    (55, "1/m³", "volume pulse constant", "volume meter constant or pulse value (R_V)", "1/m3"),
    (56, "%", "percent", "percentage", "%"),
    (57, "Ah", "ampere-hour", "ampere-hours", "A.h"),
    (60, "Wh/m³", "energy per volume", "energy per volume", "W.h/m3"),
    (61, "J/m³", "calorific value, Wobbe", "calorific value, Wobbe index", "J/m3"),
    (62, "mol%", "molar fraction", "molar fraction of a gas component", "10*-2.mol/mol"),
    (63, "g/m³", "mass density", "mass density", "g/m3"),
    (64, "Pa·s", "dynamic viscosity", "dynamic viscosity", "Pa.s"),
    (65, "J/kg", "specific energy", "specific energy", "J/kg"),
    (66, "g/cm²", "pressure, gram (force) per square centimetre", "pressure", "gf/cm2"),
    (67, "atm", "atmosphere", "pressure", "atm"),
    (70, "dBm", "signal strength, dB milliwatt", "signal strength, dB relative to 1 mW", "dB[mW]"),
    (71, "dBµV", "signal strength, dB microvolt", "signal strength, dB relative to 1 µV", "dB[uV]"),
    (72, "dB", "logarithmic ratio", "logarithmic ratio", "dB"),
    (128, "in", "inch", "length (inch)", "[in_i]"),
    (129, "ft", "foot", "length (foot)", "[ft_i]"),
    (130, "lb", "pound", "mass (pound)", "[lb_av]"),
    (131, "°F", "degree Fahrenheit", "temperature", "[degF]"),
    (132, "°R", "degree Rankine", "temperature (Rankine)", "[degR]"),
    (133, "in²", "square inch", "area", "[sin_i]"),
    (134, "ft²", "square foot", "area", "[sft_i]"),
    (135, "acre", "acre", "area", "[acr_us]"),
    (136, "in³", "cubic inch", "volume", "[cin_i]"),
    (137, "ft³", "cubic foot", "volume", "[cft_i]"),
    (138, "acre·ft", "acre-foot", "volume", "[acr_us].[ft_us]"),
    (139, "gal (imp.)", "imperial gallon", "volume", "[gal_br]"),
    (140, "gal (US)", "US gallon", "volume", "[gal_us]"),
    (141, "lbf", "pound force", "force", "[lbf_av]"),
    (142, "psi", "pound force per square inch", "pressure", "[psi]"),
    (143, "lb/ft³", "pound per cubic foot", "density", "[lb_av]/[cft_i]"),
    (144, "lb/(ft·s)", "pound per foot second", "dynamic viscosity", "[lb_av]/([ft_i].s)"),
    (145, "ft²/s", "square foot per second", "kinematic viscosity", "[sft_i]/s"),
    (146, "Btu", "British thermal unit", "energy", "[Btu_IT]"),
    (147, "thm (EC)", "therm EU", "energy (therm EC)", "100000.[Btu_IT]"),
    (148, "thm (US)", "therm US", "energy (therm US)", "100000.[Btu_59]"),
    (149, "Btu/lb", "Btu per pound", "specific energy", "[Btu_IT]/[lb_av]"),
    (150, "Btu/ft³", "Btu per cubic foot", "calorific value", "[Btu_IT]/[cft_i]"),
    (151, "ft³", "cubic foot (volume or pulse constant)", "volume, also volume per pulse (r_V)", "[cft_i]"),
    (152, "ft/s", "foot per second", "speed", "[ft_i]/s"),
    (153, "ft³/s", "cubic foot per second", "volume flux", "[cft_i]/s"),
    (154, "ft³/min", "cubic foot per minute", "volume flux", "[cft_i]/min"),
    (155, "ft³/h", "cubic foot per hour", "volume flux", "[cft_i]/h"),
    (156, "ft³/d", "cubic foot per day", "volume flux", "[cft_i]/d"),
    (157, "acre·ft/s", "acre foot per second", "volume flux", "[acr_us].[ft_us]/s"),
    (158, "acre·ft/min", "acre foot per minute", "volume flux", "[acr_us].[ft_us]/min"),
    (159, "acre·ft/h", "acre foot per hour", "volume flux", "[acr_us].[ft_us]/h"),
    (160, "acre·ft/d", "acre foot per day", "volume flux", "[acr_us].[ft_us]/d"),
    (
        161,
        "gal (imp.)",
        "imperial gallon (volume or pulse constant)",
        "volume, also volume per pulse (r_V)",
        "[gal_br]",
    ),
    (162, "gal (imp.)/s", "imperial gallon per second", "volume flux", "[gal_br]/s"),
    (163, "gal (imp.)/min", "imperial gallon per minute", "volume flux", "[gal_br]/min"),
    (164, "gal (imp.)/h", "imperial gallon per hour", "volume flux", "[gal_br]/h"),
    (165, "gal (imp.)/d", "imperial gallon per day", "volume flux", "[gal_br]/d"),
    (166, "gal (US)", "US gallon (volume or pulse constant)", "volume, also volume per pulse (r_V)", "[gal_us]"),
    (167, "gal (US)/s", "US gallon per second", "volume flux", "[gal_us]/s"),
    (168, "gal (US)/min", "US gallon per minute", "volume flux", "[gal_us]/min"),
    (169, "gal (US)/h", "US gallon per hour", "volume flux", "[gal_us]/h"),
    (170, "gal (US)/d", "US gallon per day", "volume flux", "[gal_us]/d"),
    (171, "Btu/s", "Btu per second", "power", "[Btu_IT]/s"),
    (172, "Btu/min", "Btu per minute", "power", "[Btu_IT]/min"),
    (173, "Btu/h", "Btu per hour", "power", "[Btu_IT]/h"),
    (174, "Btu/d", "Btu per day", "power", "[Btu_IT]/d"),
    (253, "(extended table)", "extended table of units", "extended table of units", ""),
    (254, "other", "other unit", "other unit", ""),
    (255, "count", "no unit, unitless, count", "no unit, unitless, count", "1"),
)
_TABLE: Final = {row[0]: _Row(*row) for row in _ROWS}
_CODES: Final = {"ac": 135, "extended": 253} | {row.symbol: row.code for row in reversed(_TABLE.values())}
_SPELLINGS: Final = (
    ("(Wh)", "Wh"),
    ("(varh)", "varh"),
    ("(VAh)", "VAh"),
    ("sq in", "in²"),
    ("sq ft", "ft²"),
    ("cu in", "in³"),
    ("cu ft", "ft³"),
    ("ac ft", "acre·ft"),
    ("(imp)", "(imp.)"),
    ("thm(", "thm ("),
)
"""Other spellings within a symbol, and ours."""
