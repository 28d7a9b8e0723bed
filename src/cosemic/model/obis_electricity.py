"""Electricity: quantities, phases, processing, and what E adds (IEC 62056-6-1, medium 1)."""

from __future__ import annotations

from typing import Final

PHASE_QUANTITIES: Final = {
    1: ("Active power import (+P)", "Active energy import (+A)", 27, 30),
    2: ("Active power export (-P)", "Active energy export (-A)", 27, 30),
    3: ("Reactive power import (+Q)", "Reactive energy import (+R)", 29, 32),
    4: ("Reactive power export (-Q)", "Reactive energy export (-R)", 29, 32),
    5: ("Reactive power QI", "Reactive energy QI", 29, 32),
    6: ("Reactive power QII", "Reactive energy QII", 29, 32),
    7: ("Reactive power QIII", "Reactive energy QIII", 29, 32),
    8: ("Reactive power QIV", "Reactive energy QIV", 29, 32),
    9: ("Apparent power import (+S)", "Apparent energy import (+E)", 28, 31),
    10: ("Apparent power export (-S)", "Apparent energy export (-E)", 28, 31),
    11: ("Current", "Current time integral", 33, 57),
    12: ("Voltage", "Voltage time integral", 35, 255),
    13: ("Power factor", "Power factor", 255, 255),
    14: ("Supply frequency", "Supply frequency", 44, 255),
    15: ("Active power absolute (|+P|+|-P|)", "Active energy absolute (|+A|+|-A|)", 27, 30),
    16: ("Active power net (|+P|-|-P|)", "Active energy net (|+A|-|-A|)", 27, 30),
    17: ("Active power QI", "Active energy QI", 27, 30),
    18: ("Active power QII", "Active energy QII", 27, 30),
    19: ("Active power QIII", "Active energy QIII", 27, 30),
    20: ("Active power QIV", "Active energy QIV", 27, 30),
}
"""C 1 to 20, all phases: label, label of the time integral, units of both. C 21 to 80 repeat them for L1, L2, L3."""

QUANTITIES: Final = {
    81: ("Phase angle", "Phase angle", 8, 255, ""),
    82: ("Unitless quantity (pulses or pieces)", "Unitless quantity (pulses or pieces)", 255, 255, ""),
    83: ("Transformer and line losses", "Transformer and line losses", 255, 255, ""),
    84: ("Power factor export (PF-)", "Power factor export (PF-)", 255, 255, ""),
    85: ("Power factor export (PF-)", "Power factor export (PF-)", 255, 255, "L1"),
    86: ("Power factor export (PF-)", "Power factor export (PF-)", 255, 255, "L2"),
    87: ("Power factor export (PF-)", "Power factor export (PF-)", 255, 255, "L3"),
    88: ("Ampere-squared hours", "Ampere-squared hours", 49, 49, ""),
    89: ("Volt-squared hours", "Volt-squared hours", 48, 48, ""),
    90: ("Current, sum of all phases (unsigned values)", "Current, sum of all phases (unsigned values)", 33, 57, ""),
    91: ("Neutral current", "Neutral current", 33, 57, ""),
    92: ("Neutral voltage", "Neutral voltage", 35, 255, ""),
    100: ("Reactive power inductive", "Reactive energy inductive", 29, 32, ""),
    101: ("Reactive power inductive", "Reactive energy inductive", 29, 32, "L1"),
    102: ("Reactive power inductive", "Reactive energy inductive", 29, 32, "L2"),
    103: ("Reactive power inductive", "Reactive energy inductive", 29, 32, "L3"),
    104: ("Reactive power capacitive", "Reactive energy capacitive", 29, 32, ""),
    105: ("Reactive power capacitive", "Reactive energy capacitive", 29, 32, "L1"),
    106: ("Reactive power capacitive", "Reactive energy capacitive", 29, 32, "L2"),
    107: ("Reactive power capacitive", "Reactive energy capacitive", 29, 32, "L3"),
    124: ("Line voltage", "Line voltage", 35, 255, "L1-L2"),
    125: ("Line voltage", "Line voltage", 35, 255, "L2-L3"),
    126: ("Line voltage", "Line voltage", 35, 255, "L3-L1"),
}
"""The other C: label, label of the time integral, units of both, phase."""

PROCESSING: Final = {
    0: ("billing period average", "average", (3, 4, 5)),
    1: ("cumulative minimum 1", "cumulative", (3, 4)),
    2: ("cumulative maximum 1", "cumulative", (3, 4)),
    3: ("minimum 1", "extreme", (3, 4, 7)),
    4: ("current average 1", "average", (5, 3, 4)),
    5: ("last average 1", "average", (3, 4, 5)),
    6: ("maximum 1", "extreme", (4, 3, 7)),
    7: ("instantaneous value", "instantaneous", (3, 4)),
    8: ("time integral 1", "integral", (3, 4)),
    9: ("time integral 2", "integral", (3, 4)),
    10: ("time integral 3", "integral", (3, 4)),
    11: ("cumulative minimum 2", "cumulative", (3, 4)),
    12: ("cumulative maximum 2", "cumulative", (3, 4)),
    13: ("minimum 2", "extreme", (3, 4, 7)),
    14: ("current average 2", "average", (5, 3, 4)),
    15: ("last average 2", "average", (3, 4, 5)),
    16: ("maximum 2", "extreme", (4, 3, 7)),
    17: ("time integral 7", "integral", (3, 4)),
    18: ("time integral 8", "integral", (3, 4)),
    19: ("time integral 9", "integral", (3, 4)),
    20: ("time integral 10", "integral", (3, 4)),
    21: ("cumulative minimum 3", "cumulative", (3, 4)),
    22: ("cumulative maximum 3", "cumulative", (3, 4)),
    23: ("minimum 3", "extreme", (3, 4, 7)),
    24: ("current average 3", "average", (5, 3, 4)),
    25: ("last average 3", "average", (3, 4, 5)),
    26: ("maximum 3", "extreme", (4, 3, 7)),
    27: ("current average 5", "average", (5, 3, 4)),
    28: ("current average 6", "average", (5, 3, 4)),
    29: ("time integral 5", "integral", (3, 4)),
    30: ("time integral 6", "integral", (3, 4)),
    31: ("under limit threshold", "threshold", (3, 4, 1)),
    32: ("under limit occurrence counter", "counter", (1, 3, 4)),
    33: ("under limit duration", "duration", (3, 4, 1)),
    34: ("under limit magnitude", "magnitude", (3, 4, 1)),
    35: ("over limit threshold", "threshold", (3, 4, 1)),
    36: ("over limit occurrence counter", "counter", (1, 3, 4)),
    37: ("over limit duration", "duration", (3, 4, 1)),
    38: ("over limit magnitude", "magnitude", (3, 4, 1)),
    39: ("missing threshold", "threshold", (3, 4, 1)),
    40: ("missing occurrence counter", "counter", (1, 3, 4)),
    41: ("missing duration", "duration", (3, 4, 1)),
    42: ("missing magnitude", "magnitude", (3, 4, 1)),
    43: ("time threshold for under limit", "duration", (3, 4, 1)),
    44: ("time threshold for over limit", "duration", (3, 4, 1)),
    45: ("time threshold for missing magnitude", "duration", (3, 4, 1)),
    46: ("contracted value", "threshold", (3, 4)),
    49: ("average for recording interval 1", "average", (3, 4, 7)),
    50: ("average for recording interval 2", "average", (3, 4, 7)),
    51: ("minimum for recording interval 1", "average", (3, 4, 7)),
    52: ("minimum for recording interval 2", "average", (3, 4, 7)),
    53: ("maximum for recording interval 1", "average", (3, 4, 7)),
    54: ("maximum for recording interval 2", "average", (3, 4, 7)),
    55: ("test average", "average", (3, 5)),
    56: ("current average 4 (harmonics)", "average", (3, 4, 5)),
    58: ("time integral 4", "integral", (3, 4)),
}
"""D: name, kind, usual interface classes."""

HARMONIC_C: Final = frozenset((11, 12, 15, 31, 32, 35, 51, 52, 55, 71, 72, 75, 90, 91, 92, 124, 125, 126))
HARMONIC_D: Final = frozenset((7, 24, 56, *range(31, 46)))
"""C and D where E is a harmonic."""

HARMONICS: Final = {
    1: "fundamental",
    124: "THD",
    125: "TDD",
    126: "all harmonics",
    127: "all harmonics to nominal value ratio",
}
"""E with a name of its own; 2 to 120 are numbers of harmonics."""

RATIOS: Final = frozenset((124, 125, 127))
"""E of the harmonics that are in percent."""

ANGLES: Final = {0: "U(L1)", 1: "U(L2)", 2: "U(L3)", 4: "I(L1)", 5: "I(L2)", 6: "I(L3)", 7: "I(L0)"}
"""Digits of E for phase angles: tens the reference (to), ones the other (from)."""

SUM_LOSSES: Final = {
    1: "sum active line losses+",
    2: "sum active line losses-",
    3: "sum active line losses",
    4: "sum active transformer losses+",
    5: "sum active transformer losses-",
    6: "sum active transformer losses",
    7: "sum active losses+",
    8: "sum active losses-",
    9: "sum active losses",
    10: "sum reactive line losses+",
    11: "sum reactive line losses-",
    12: "sum reactive line losses",
    13: "sum reactive transformer losses+",
    14: "sum reactive transformer losses-",
    15: "sum reactive transformer losses",
    16: "sum reactive losses+",
    17: "sum reactive losses-",
    18: "sum reactive losses",
    19: "total transformer losses with normalized RFe = 1 MOhm (U2h)",
    20: "total line losses with normalized RCu = 1 Ohm (I2h)",
    21: "compensated active gross+",
    22: "compensated active net+",
    23: "compensated active gross-",
    24: "compensated active net-",
    25: "compensated reactive gross+",
    26: "compensated reactive net+",
    27: "compensated reactive gross-",
    28: "compensated reactive net-",
}
"""Losses by E, all phases."""

PHASE_LOSSES: Final = {
    31: "active line losses+",
    32: "active line losses-",
    33: "active line losses",
    34: "active transformer losses+",
    35: "active transformer losses-",
    36: "active transformer losses",
    37: "active losses+",
    38: "active losses-",
    39: "active losses",
    40: "reactive line losses+",
    41: "reactive line losses-",
    42: "reactive line losses",
    43: "reactive transformer losses+",
    44: "reactive transformer losses-",
    45: "reactive transformer losses",
    46: "reactive losses+",
    47: "reactive losses-",
    48: "reactive losses",
    49: "ampere-squared hours",
    50: "volt-squared hours",
}
"""Losses by E, phase L1; L2 is 20 higher, L3 40."""
