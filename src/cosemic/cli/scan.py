"""``cosemic scan``: finds a meter, and prints the URL that works."""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import ExitStack
from typing import Any, Final

from cosemic.cli._json import print_json
from cosemic.cli._progress import counted
from cosemic.client.scan import NORMAL, PORTS, QUICK, THOROUGH, Finding, Report, Scanner, Step, Verdict
from cosemic.client.trace import PcapTrace, TextTrace

EXAMPLES: Final = f"""\
examples:
  cosemic scan /dev/ttyUSB0
  cosemic scan /dev/ttyUSB0 --serial-number 12345678
  cosemic scan 10.0.0.7:4001 --thorough --json
  cosemic scan 10.0.0.7 --ports 4059,4001
  cosemic scan 10.0.0.7 --quick --clients 1,2,100

PLACE      a serial port, HOST:PORT, or HOST alone: ports {", ".join(map(str, PORTS))}
tried      over a network the wrapper, HDLC, mode E of IEC 62056-21, M-Bus, TLS and UDP; at a serial port HDLC at
           9600 8N1, mode E at 300 7E1, M-Bus at 2400 8E1, then HDLC at other rates, with --thorough at other parities.
           In each the likely addresses, and of whoever answers the client SAPs. It ends where a meter was found;
           --thorough goes on to the other ports. No password and no key is tried: meters lock after a few wrong ones.
number     many HDLC, M-Bus and optical addresses are made from the serial number on the meter's plate: give its digits
trace      --trace - writes the octets to the terminal; --trace FILE.pcap what passes the medium, for Wireshark

exit codes: 0 a meter was found, be it one that wants a password or keys; 1 none was, or the port cannot be opened;
            2 wrong arguments. Ctrl-C shows what was found so far.
"""
_DEPTHS: Final = {"quick": QUICK, "normal": NORMAL, "thorough": THOROUGH}


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    command = subparsers.add_parser(
        "scan",
        help="find a meter, and the URL that works",
        description="Find a meter: try media, links, speeds, addresses and client SAPs until one answers.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("place", metavar="PLACE", help="/dev/ttyUSB0, COM3, HOST or HOST:PORT")
    depth = command.add_mutually_exclusive_group()
    for name, about in (("quick", "the likely alone"), ("thorough", "more, and every port")):
        depth.add_argument(f"--{name}", dest="depth", action="store_const", const=name, default="normal", help=about)
    command.add_argument("--serial-number", default="", metavar="DIGITS", help="of the meter, for its addresses")
    command.add_argument("--clients", type=_numbers, default=(), metavar="SAP,...", help="client SAPs to ask as")
    command.add_argument("--ports", type=_numbers, default=(), metavar="PORT,...", help="of a HOST that names no port")
    command.add_argument("--patience", type=float, metavar="SECONDS", help="that each answer may take")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.add_argument("--trace", metavar="-|FILE", help="octets: - to the terminal, or a pcap file")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Scan, and print what was found; after Ctrl-C what was found so far."""
    with ExitStack() as held:
        scanner = _scanner(arguments, held)
        try:
            report = asyncio.run(scanner.run())
        except KeyboardInterrupt:
            report = scanner.report()
    if arguments.json:
        print_json(_plain(report))
    else:
        _show(report, arguments.depth)
    return 0 if report.best is not None else 1


def _scanner(arguments: argparse.Namespace, held: ExitStack) -> Scanner:
    trace: TextTrace | PcapTrace | None = None
    if arguments.trace == "-":
        trace = TextTrace(sys.stderr)
    elif arguments.trace is not None:
        trace = held.enter_context(PcapTrace(arguments.trace))

    def progress(step: Step) -> None:
        show(step.done, step.of, f"{_time(step.seconds_left)} left: {step.what}")

    scanner = Scanner(
        arguments.place,
        depth=_DEPTHS[arguments.depth],
        ports=arguments.ports,
        clients=arguments.clients,
        serial_number=arguments.serial_number,
        patience=arguments.patience,
        progress=progress,
        trace=trace,
    )
    print(f"scanning {scanner.target}, {_time(scanner.estimate)} at most; Ctrl-C ends it", file=sys.stderr)
    show = held.enter_context(counted("scanning", "trials"))
    return scanner


def _numbers(text: str) -> tuple[int, ...]:
    try:
        numbers = tuple(int(one, 0) for one in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of numbers: 16,1,0x20") from None
    if not all(0 < one < 1 << 16 for one in numbers):
        raise argparse.ArgumentTypeError("numbers are 1 to 65535")
    return numbers


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _plain(report: Report) -> dict[str, Any]:
    return {
        "place": report.target,
        "complete": report.complete,
        "url": None if report.best is None else report.best.url,
        "findings": [
            {
                "verdict": one.verdict.value,
                "url": one.url or None,
                "client": one.client_sap,
                "answer": one.answer.value,
                "name": one.name,
                "identification": one.identification,
                "text": one.text,
            }
            for one in report.findings
        ],
        "hints": list(report.hints),
        "trials": report.trials,
        "seconds": round(report.seconds, 3),
    }


def _show(report: Report, depth: str) -> None:
    for one in report.findings:
        print(f"{one.verdict.value:9}  {one.url}{_named(one)}")
        print(f"           {one.text}")
    for hint in report.hints if report.best is None else ():
        print(f"hint       {hint}")
    ended = "" if report.complete else ", stopped before its end"
    print(f"{report.trials} trials in {_time(report.seconds)}{ended}", file=sys.stderr)
    best = report.best
    if best is None:
        found = "no meter was found" if not report.findings else "nothing was found that can be used"
        advice = "see that it has power, and the wiring" if report.trials else "see that host and port are right"
        if report.findings:
            advice = "name other client SAPs with --clients"
        more = "" if depth == "thorough" else ", more with --thorough"
        print(f"{found} at {report.target}: {advice}; more time with --patience{more}", file=sys.stderr)
        return
    security = "" if best.verdict is Verdict.OPEN else " --security meter.toml"
    print(f'Next: cosemic objects "{best.url}"{security}')


def _named(one: Finding) -> str:
    told = " ".join(filter(None, (one.name, one.identification)))
    return f"  ({told})" if told else ""
