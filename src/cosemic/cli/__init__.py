"""``cosemic``: the command line. Thin: parse, call, show.

Each command is a module of this package with a function ``register(subparsers)``, which adds a parser and sets ``run``
on it: a function of the parsed arguments that returns the exit code. A module found here is a command; one whose name
begins with an underscore is not.

====  =====================================================================
exit  meaning
====  =====================================================================
0     done
1     it was tried and failed: what was read is wrong, or a peer refused
2     the call is wrong: an argument, a file, a key
3     a change was sent and not answered: whether it was made is not known
====  =====================================================================
"""

from __future__ import annotations

import argparse
import io
import os
import pkgutil
import sys
from collections.abc import Sequence
from importlib import import_module

from cosemic._version import __version__
from cosemic.errors import ConfigurationError, CosemicError, OutcomeUnknown

DONE, FAILED, USAGE, UNKNOWN = 0, 1, 2, 3
WITHOUT_KEYS = frozenset(("completion", "obis"))
"""Commands that never hold a key; the process of any other is kept out of core dumps and debuggers."""


def parser(command: str | None = None) -> argparse.ArgumentParser:
    """Return the parser with one command, or with all where ``command`` is no name of one.

    What a command needs is imported with it, so the one that is called does not wait for the others.
    """
    made = argparse.ArgumentParser(
        prog="cosemic",
        description="DLMS/COSEM smart meters: read, decode, simulate and collect.",
        epilog="Exit codes: 0 done; 1 tried and failed; 2 wrong call; 3 outcome of a change unknown. "
        "`cosemic COMMAND --help` shows examples.",
    )
    made.add_argument("--version", action="version", version=f"cosemic {__version__}")
    commands = made.add_subparsers(title="commands", metavar="COMMAND", required=True)
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    for name in [command] if command in names else names:
        import_module(f"{__name__}.{name}").register(commands)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (table above).

    argv: without the program's name; None: what this process was called with, which is protected then as one that holds
    keys (:mod:`cosemic.store.process_memory`).
    """
    ours = argv is None
    argv = sys.argv[1:] if argv is None else argv
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal or pipe that cannot show a character is no reason to show nothing.
            stream.reconfigure(errors="backslashreplace")
    try:
        arguments = parser(argv[0] if argv else None).parse_args(argv)
    except SystemExit as stop:  # argparse has said what is wrong, or has shown the help
        return stop.code if isinstance(stop.code, int) else USAGE
    except KeyboardInterrupt:  # while what the command needs was imported
        return _complain("stopped", FAILED)
    try:
        if ours and argv[0] not in WITHOUT_KEYS:
            from cosemic.store.process_memory import protect_memory

            protect_memory()
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except ConfigurationError as error:
        return _complain(error, USAGE)
    except OutcomeUnknown as error:
        return _complain(error, UNKNOWN)
    except CosemicError as error:
        return _complain(error, FAILED)
    except BrokenPipeError:
        # The reader of a pipe (head, less) has seen enough; what is left must not fail again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except KeyboardInterrupt:
        return _complain("stopped", FAILED)
    return code


def _complain(error: object, code: int) -> int:
    print("\n".join((f"cosemic: {error}", *getattr(error, "__notes__", ()))), file=sys.stderr)
    return code
