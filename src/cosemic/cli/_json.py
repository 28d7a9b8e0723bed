"""What ``--json`` prints: valid JSON (RFC 8259), whatever the values are and whatever the terminal can show."""

from __future__ import annotations

import json
import math
import sys
from typing import Any, Final

NOT_NUMBERS: Final = 'floats that JSON has no numbers for are the texts "NaN", "Infinity" and "-Infinity"'
"""For the help."""


def print_json(value: Any) -> None:
    """Print dictionaries, lists and plain values; characters that the output cannot encode as JSON escapes them."""
    finite = _finite(value)
    text = json.dumps(finite, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(finite, indent=2, allow_nan=False)
    print(text, flush=True)


def _finite(value: Any) -> Any:
    """Return the value with texts in place of floats that are no numbers."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
