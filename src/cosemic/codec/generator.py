"""Straight-line functions in the making: what each :class:`~cosemic.codec.wire.Wire` writes itself into.

``read(buf, size, limits) -> value`` reads an APDU whose tag octets were checked already, and raises anything of
:data:`UNFIT` where octets are not as they mostly are: the plain reader then says why, or takes them after all.
``write(self) -> octets`` is a sum of terms.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from cosemic.errors import DecodeError

if TYPE_CHECKING:
    from cosemic.codec.wire import Wire


class Unfit(Exception):
    """The straight-line reader met octets that it does not read."""


UNFIT: Final = (Unfit, IndexError, struct.error, DecodeError)
"""What a straight-line reader raises for octets that it does not read."""

_MOST_SINGLE: Final = 3
"""Up to so many octets in a row are faster read one by one than unpacked."""


class Generator:
    """Lines and names of one function."""

    def __init__(self, scope: dict[str, Any]) -> None:
        self.lines: list[str] = []
        self.scope = scope
        self.indent = 1
        self._names = 0

    def name(self, stem: str, value: object = None) -> str:
        """Return a fresh name, bound to ``value`` in the scope of the function where one is given."""
        self._names += 1
        name = f"{stem}{self._names}"
        if value is not None:
            self.scope[name] = value
        return name

    def made(self, kind: type[Any]) -> str:
        """Expression for a new object of a class, its slots still empty."""
        return f"{self.name('new', partial(object.__new__, kind))}()"

    def line(self, text: str) -> None:
        """Add a line at the present indentation."""
        self.lines.append("    " * self.indent + text)

    def function(self, name: str, parameters: str) -> Any:
        """Compile the lines and return the function."""
        # Only names of declared fields and numbers enter the text; nothing of any message does.
        exec("\n".join((f"def {name}({parameters}):", *self.lines)), self.scope)  # noqa: S102
        return self.scope[name]


class Reader(Generator):
    """Makes ``read``; neighbours of fixed size share one ``unpack_from``.

    ``start`` is where the first field stands. As long as all before was of fixed size, positions are plain numbers;
    then they are counted from the local variable ``p``.
    """

    def __init__(self, start: int, scope: dict[str, Any]) -> None:
        super().__init__(scope)
        self._pending: list[tuple[str, str]] = []
        self._place = ("", start)
        self._counts_nodes = False

    def counts_nodes(self) -> None:
        """Have the local variable ``nodes``: how many values are still allowed in all Data and lists together."""
        if not self._counts_nodes:
            self._counts_nodes = True
            self.lines.insert(0, "    nodes = limits.nodes")

    def at(self) -> str:
        """Expression for the position of what comes next."""
        self._flush()
        base, offset = self._place
        return f"{base} + {offset}" if base and offset else base or str(offset)

    def moved(self) -> None:
        """Lines added just now have set ``p`` to the position of what comes next."""
        self._place = ("p", 0)

    def skip(self, count: int) -> None:
        """Leave out octets that were looked at already."""
        base, offset = self._place
        self._place = (base, offset + count)

    def settle(self) -> None:
        """Make what was read so far valid, and ``p`` the position of what comes next."""
        at = self.at()
        if at != "p":
            self.line(f"p = {at}")
        self.moved()

    @contextmanager
    def branch(self, head: str) -> Iterator[None]:
        """An indented block: all blocks of one statement begin at one place, and each ends settled."""
        self._flush()
        before = self._place
        self.line(head)
        self.indent += 1
        yield
        self.settle()
        self.indent -= 1
        self._place = before

    def fixed(self, format: str) -> str:
        """Reserve a variable for a value of fixed size; it is valid from the next :meth:`at` or :meth:`settle` on."""
        variable = self.name("v")
        self._pending.append((format, variable))
        return variable

    def _flush(self) -> None:
        pending, self._pending = self._pending, []
        base, offset = self._place
        if len(pending) <= _MOST_SINGLE and all(format == "B" for format, _ in pending):
            for _, name in pending:
                self.line(f"{name} = buf[{self.at()}]")
                offset += 1
                self._place = (base, offset)
            return
        packed = struct.Struct(">" + "".join(format for format, _ in pending))
        names = ", ".join(name for _, name in pending)
        self.line(f"{names}, = {self.name('unpack', packed.unpack_from)}(buf, {self.at()})")
        self._place = (base, offset + packed.size)

    def octets(self, count: str) -> str:
        """Slice ``count`` octets; where there are fewer, ``p`` ends up behind the end, which the last line finds."""
        at = self.at()
        self.line(f"end = {at} + {count}")
        return self.upto_end(at)

    def upto_end(self, at: str) -> str:
        """Slice the octets from ``at`` up to the local variable ``end``."""
        variable = self.name("v")
        self.line(f"{variable} = buf[{at}:end]")
        self.line("p = end")
        self.moved()
        return variable

    def count(self) -> str:
        """Read a length or count."""
        variable = self.fixed("B")
        self.settle()
        self.line(f"if {variable} > 127: {variable}, p = long_length(buf, p, {variable})")
        return variable


class Writer(Generator):
    """Makes ``write``; neighbours of fixed size share one ``pack``."""

    def __init__(self, scope: dict[str, Any]) -> None:
        super().__init__(scope)
        self._pending: list[tuple[str, str]] = []
        self._terms: list[str] = []

    def fixed(self, format: str, expression: str) -> None:
        """Pack the value of ``expression``."""
        self._pending.append((format, expression))

    def constant(self, octet: int) -> None:
        """Write one octet that is always the same."""
        self._pending.append(("B", str(octet)))

    def _flush(self) -> None:
        pending, self._pending = self._pending, []
        if not pending:
            return
        if all(expression.isdigit() for _, expression in pending):
            self._terms.append(repr(bytes(int(expression) for _, expression in pending)))
            return
        pack = self.name("pack", struct.Struct(">" + "".join(format for format, _ in pending)).pack)
        self._terms.append(f"{pack}({', '.join(expression for _, expression in pending)})")

    def term(self, expression: str) -> None:
        """Add octets of varying length."""
        self._flush()
        self._terms.append(expression)

    def sum(self) -> str:
        """All terms so far as one expression."""
        self._flush()
        terms, self._terms = self._terms, []
        if len(terms) > 3:
            return f"b''.join(({', '.join(terms)}))"
        return " + ".join(terms) or "b''"

    def apart(self, wire: Wire, expression: str) -> str:
        """Expression for the octets of one value, without touching the terms so far."""
        terms, pending = self._terms, self._pending
        self._terms, self._pending = [], []
        wire.generate_write(self, expression)
        inner = self.sum()
        self._terms, self._pending = terms, pending
        return inner
