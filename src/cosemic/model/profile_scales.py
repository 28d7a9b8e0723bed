"""Values of one column that were sent with several scalers, brought to one.

A profile may capture scaler_unit beside its value (IEC 62056-6-2, attribute 3 of Register and Extended register, 4 of
Demand register); then the scaler of a row is what stands in the row. A column has one scaler all the same, so that it
stays a column of integers: the smallest of all, to which the others are multiplied up. Where even the units differ,
every cell becomes a Quantity of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cosemic.model.common import ScalerUnit
from cosemic.model.profile_cells import Cells, as_list
from cosemic.model.profile_columns import Column, scaler_unit_captured, scaler_unit_in, scaler_unit_of


def at_one_scale(cells: Cells, scales: Sequence[ScalerUnit | None]) -> tuple[Cells, ScalerUnit | None]:
    """Return cells that have a scaler and unit each at a common one; see the module."""
    found = set(scales)
    if len(found) <= 1:
        return cells, next(iter(found), None)
    pairs = list(zip(as_list(cells), scales, strict=True))
    if None not in found and len({scale.unit for scale in scales if scale is not None}) == 1:
        least = min((scale for scale in scales if scale is not None), key=lambda scale: scale.scaler)
        return [_at(cell, scale, least) for cell, scale in pairs], least
    return [scale.of(cell) if scale is not None and _is_number(cell) else cell for cell, scale in pairs], None


def with_captured_scalers(columns: Sequence[Column], cells: Sequence[Cells]) -> tuple[list[Column], list[Cells]]:
    """Return columns and cells at the scalers that the rows themselves say, where they do."""
    captured = {scaler_unit_captured(column.capture_object): index for index, column in enumerate(columns)}
    found, scaled = list(columns), list(cells)
    for index, column in enumerate(columns):
        reference = scaler_unit_of(column.capture_object)
        if reference is None or reference not in captured:
            continue
        scales = [scaler_unit_in(cell) or column.scaler_unit for cell in cells[captured[reference]]]
        if scales:
            scaled[index], scale = at_one_scale(cells[index], scales)
            found[index] = replace(column, scaler_unit=scale)
    return found, scaled


def _at(cell: Any, scale: ScalerUnit | None, least: ScalerUnit) -> Any:
    return cell * 10 ** (scale.scaler - least.scaler) if scale is not None and _is_number(cell) else cell


def _is_number(cell: Any) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool)
