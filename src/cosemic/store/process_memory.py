"""Keys in the memory of a process: what the operating system is asked to keep to itself.

A core dump, a crash reporter or a debugger of the same user sees every key that a process holds. Commands and servers
of Cosemic that load keys say :func:`protect_memory` as they begin; a program that embeds the library may do so, too.

==========  ===================================================================================================
Linux       not dumpable (prctl): no core file, none through a pipe either, no debugger of the same user, and
            /proc/PID/mem and environ are root's; core files are limited to 0 octets as well
POSIX       core files are limited to 0 octets, for the processes that it starts, too
Windows     nothing: its crash reports are an administrator's matter
==========  ===================================================================================================

It does not help against root, against swapping and hibernation (encrypt both), nor against code in the same process.
What a process starts with exec is dumpable again, so that each says it for itself.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Final

VARIABLE: Final = "COSEMIC_DEBUGGABLE"
"""Set to 1, nothing is done: for debuggers, profilers and core files. Keys can be in what they show."""
PR_SET_DUMPABLE: Final = 4


def protect_memory(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Keep the memory of this process out of core dumps and debuggers, for good, as far as the system allows.

    Returns what is in force: ``"no core files"``, ``"not dumpable"``; neither where :data:`VARIABLE` is 1, or where the
    system knows neither. Never raises.
    """
    if environment.get(VARIABLE) == "1":
        return ()
    return tuple(name for name, do in _MEANS.items() if do())


def _no_core_files() -> bool:
    try:
        import resource
    except ImportError:  # the limit is one of POSIX
        return False
    try:
        # The hard limit too: nothing that runs in this process later can take it back.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (OSError, ValueError):
        return False
    return True


def _not_dumpable() -> bool:
    if sys.platform != "linux":
        return False
    try:
        import ctypes

        none = ctypes.c_ulong(0)
        return int(ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, none, none, none, none)) == 0
    except (ImportError, OSError, AttributeError):  # a Python or a C library without it
        return False


_MEANS: Final = {"no core files": _no_core_files, "not dumpable": _not_dumpable}
