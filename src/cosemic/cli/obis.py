"""``cosemic obis``: what an OBIS code means, and which codes there are for something."""

from __future__ import annotations

import argparse
import sys
from typing import Any, Final

from cosemic.cli._json import print_json
from cosemic.cli._table import table
from cosemic.model import ObisMatch, interface_class, search
from cosemic.values import Obis

EXAMPLES: Final = """\
examples:
  cosemic obis 1-0:1.8.0                    what a code means; 1.8.0, C.1.0, 1.0.1.8.0.255, 0100010800ff do as well
  cosemic obis active energy import         which codes there are
  cosemic obis "voltage L1 harmonic 3"
  cosemic obis "1-?:1.8.*" --json           ? and * stand for any value; quoted, for the shell takes them for itself
  cosemic obis germany                      whose codes are whose: countries, "manufacturer specific"

The best answers come first; the last column has all codes that the answer stands for. A letter is any value that the
standard assigns: b channels 0 to 64; c to f 0 to 127 and 255, which is the current value in f; ? is any value at all.
Classes and unit are the usual ones: what a meter has is in its object_list and in scaler_unit.

exit codes: 0 found; 1 nothing found; 2 no code, or wrong arguments
"""
_GROUPS: Final = "ABCDEF"


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    command = subparsers.add_parser(
        "obis",
        help="show what an OBIS code means, or search for codes",
        description="Show what an OBIS code means, or search for codes by words and patterns (IEC 62056-6-1).",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("question", nargs="+", metavar="CODE|WORD", help="a code, a pattern of codes, or words")
    command.add_argument("--limit", type=_number, default=20, metavar="N", help="at most so many answers (default: 20)")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(run=run)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= 1000):
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is no number from 1 to 1000")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    """Search and print."""
    question = " ".join(arguments.question)
    answers = search(question, arguments.limit)
    if arguments.json:
        print_json([_as_json(answer) for answer in answers])
    elif answers and all(_is_one_code(answer) for answer in answers):
        print("\n\n".join(map(_details, answers)))
    elif answers:
        lines = [("OBIS", "what it is", "class", "unit", "codes")]
        lines += [
            (str(answer.code), answer.description, _numbers(answer), _unit(answer), str(answer.pattern))
            for answer in answers
        ]
        print(table(lines))
    if not answers:
        print(f"cosemic: nothing found for {question!r}; try fewer words, or a pattern: 1-?:1.8.*", file=sys.stderr)
        return 1
    return 0


def _is_one_code(answer: ObisMatch) -> bool:
    """Whether only the billing period is open."""
    return all(len(values) == 1 for values in answer.pattern.groups[:5])


def _details(answer: ObisMatch) -> str:
    """All there is to say of one code."""
    rows = (
        ("class", ", ".join(f"{class_id} {_class_name(class_id)}".rstrip() for class_id in answer.classes)),
        ("unit", _unit(answer)),
        ("written", ", ".join(_forms(answer.code))),
    )
    return f"{answer.code}  {answer.description}\n" + table([(f"  {name}", text) for name, text in rows if text])


def _forms(code: Obis) -> list[str]:
    """Other text forms of a code; displays have letters for some values of C."""
    forms = [code.reduced(), code.dotted, code.hex()]
    display = code.reduced(code.a, letters=True)
    return [display, *forms] if display[0].isalpha() else forms


def _class_name(class_id: int) -> str:
    known = interface_class(class_id)
    return known.class_name if known is not None else ""


def _numbers(answer: ObisMatch) -> str:
    return ", ".join(map(str, answer.classes))


def _unit(answer: ObisMatch) -> str:
    return answer.unit.symbol if answer.unit is not None else ""


def _as_json(answer: ObisMatch) -> dict[str, Any]:
    return {
        "code": str(answer.code),
        "hex": answer.code.hex(),
        "description": answer.description,
        "known": answer.known,
        "classes": [{"class_id": class_id, "class_name": _class_name(class_id) or None} for class_id in answer.classes],
        "unit": None if answer.unit is None else {"code": int(answer.unit), "symbol": answer.unit.symbol},
        "codes": str(answer.pattern),
        "value_groups": {
            name: [[span[0], span[-1]] for span in answer.pattern.spans(group)] for group, name in enumerate(_GROUPS)
        },
        "score": answer.score,
    }
