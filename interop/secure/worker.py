"""Run all cases with one peer: `python -m interop.secure.worker pydlms`. Each has a line of JSON."""

from __future__ import annotations

import contextlib
import logging
import sys
from importlib import import_module

from interop.secure.outcomes import tell


def main() -> None:
    """Peers print and log what they like, elsewhere."""
    logging.disable(logging.CRITICAL)
    out = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        tell(import_module(f"interop.secure.{sys.argv[1]}_cases").outcomes(), out)


if __name__ == "__main__":
    main()
