"""``cosemic completion``: completion of commands and options for a shell."""

from __future__ import annotations

import argparse
from typing import Final

from cosemic.errors import ConfigurationError

EXAMPLES: Final = """\
examples:
  cosemic completion bash > ~/.local/share/bash-completion/completions/cosemic
  cosemic completion zsh > ~/.zfunc/_cosemic            with ~/.zfunc in fpath
  cosemic completion tcsh > ~/.cosemic.completion.csh

exit codes: 0 done; 2 wrong arguments, or shtab is missing: pip install "cosemic[cli]"
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    command = subparsers.add_parser(
        "completion",
        help="print the completion script for a shell",
        description="Print the script by which a shell completes the commands and options of cosemic.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("shell", choices=("bash", "zsh", "tcsh"))
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the script."""
    try:
        import shtab
    except ImportError:
        raise ConfigurationError('completion needs shtab: pip install "cosemic[cli]"') from None
    from cosemic.cli import parser

    print(shtab.complete(parser(), shell=arguments.shell))
    return 0
