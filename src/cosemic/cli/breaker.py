"""``cosemic breaker``: the supply switch of a meter."""

from __future__ import annotations

import argparse

from cosemic.cli._json import print_json
from cosemic.cli._meter import add_command, meter_of, plain, shown
from cosemic.client.procedures.breaker import BREAKER

EXAMPLES = """\
  cosemic breaker "tcp://10.0.0.7?client=1" --security meter.toml
  cosemic breaker kitchen disconnect
  cosemic breaker kitchen reconnect --json

After a change the state is read back until the switch has followed. Where control_mode asks for a hand at the meter,
the supply is ready for reconnection then, and connected once the button is pressed.
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    command = add_command(
        subparsers,
        "breaker",
        "show, open or close the supply switch",
        "Show whether the supply is connected, disconnect it, or reconnect it (Disconnect control).",
        EXAMPLES,
    )
    command.add_argument("what", nargs="?", choices=("state", "disconnect", "reconnect"), default="state")
    command.add_argument("--obis", default=str(BREAKER), help=f"the switch (default: {BREAKER})")
    command.add_argument("--timeout", type=float, default=60.0, metavar="S", help="in which the switch has to follow")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Switch or not, and print the state."""
    obis, timeout = arguments.obis, arguments.timeout
    with meter_of(arguments) as meter:
        match arguments.what:
            case "disconnect":
                state = meter.breaker.disconnect(timeout=timeout, obis=obis)
            case "reconnect":
                state = meter.breaker.reconnect(timeout=timeout, obis=obis)
            case _:
                state = meter.breaker.state(obis=obis)
    if arguments.json:
        named = {name: getattr(getattr(state, name), "label", None) for name in ("control_state", "control_mode")}
        print_json({**plain(state), "needs_button": state.needs_button, "labels": named})
        return 0
    print("the supply is connected" if state.output_state else "the supply is disconnected")
    print(f"control_state {shown(state.control_state)}, control_mode {shown(state.control_mode)}")
    if state.needs_button:
        print("ready for reconnection: have the button at the meter pressed")
    return 0
