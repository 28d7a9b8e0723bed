"""A curve in the terminal, drawn with block characters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

BLOCKS: Final = " ▁▂▃▄▅▆▇█"
PLAIN: Final = " .:|"
"""For terminals that cannot show blocks."""


def curve(
    values: Sequence[float], labels: Sequence[str], *, height: int = 8, width: int = 96, blocks: str = BLOCKS
) -> str:
    """Return lines that show values from 0 up, with the largest at the left and labels below.

    values: one a column; where they are more than ``width``, columns are means of neighbours. labels: one for each
    value; an empty one is none, and so is one that would go beyond ``width``. blocks: nothing, then ever fuller cells.
    """
    group = max(1, -(-len(values) // width))
    columns = [sum(values[at : at + group]) / len(values[at : at + group]) for at in range(0, len(values), group)]
    top = max(columns, default=0.0) or 1.0
    full = len(blocks) - 1
    filled = [round(value / top * height * full) for value in columns]
    scale = [f"{top:.3g}" if line == height - 1 else "0" if line == 0 else "" for line in range(height)]
    margin = max(map(len, scale))
    lines = []
    for line in reversed(range(height)):
        cells = "".join(blocks[max(0, min(full, value - line * full))] for value in filled)
        lines.append(f"{scale[line]:>{margin}} |{cells}")
    marks = [" "] * width
    for at in range(len(columns)):
        label = next(filter(None, labels[at * group : (at + 1) * group]), "")
        if label and at + len(label) <= width and "".join(marks[max(0, at - 1) : at + len(label)]).isspace():
            marks[at : at + len(label)] = label
    lines.append(f"{'':>{margin}}  {''.join(marks).rstrip()}")
    return "\n".join(lines)
