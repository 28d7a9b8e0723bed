"""XML of a shipment into plain elements: no document types, no entities, nothing from outside, bounded.

Read with expat itself, which tells of a document type before it acts on it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from cosemic.errors import ConfigurationError

DEEPEST: Final = 64
MOST_ELEMENTS: Final = 2_000_000
_STEP: Final = re.compile(r"([^\[\]@/]+)(?:\[@([^=\[\]]+)=(?:'([^']*)'|\"([^\"]*)\")\])?")
_ATTRIBUTE: Final = re.compile(r"(?:(.*)/)?@([^\[\]/@]+)")


@dataclass(slots=True)
class Element:
    """An element, its names without namespaces. line: where it begins."""

    tag: str
    attributes: dict[str, str]
    line: int
    children: list[Element] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)

    def all(self, path: str) -> list[Element]:
        """Return the elements below this one that a path leads to. Raises ConfigurationError for what is no path."""
        found = [self]
        for tag, name, value in _steps(path):
            found = [
                child
                for element in found
                for child in element.children
                if child.tag == tag and (name is None or child.attributes.get(name) == value)
            ]
        return found

    def value(self, path: str) -> str | None:
        """Return the text or attribute that a path leads to; None where there is none, or more than one."""
        attribute = _ATTRIBUTE.fullmatch(path)
        found = self.all(path if attribute is None else attribute[1] or "")
        if len(found) != 1:
            return None
        return "".join(found[0].parts) if attribute is None else found[0].attributes.get(attribute[2])


def _steps(path: str) -> list[tuple[str, str | None, str]]:
    steps, at = [], 0
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None or (match.end() < len(path) and path[match.end()] != "/"):
            raise ConfigurationError(f"{path!r} is no path of elements, as in Keys/Key[@type='GUEK']/@value")
        steps.append((match[1], match[2], match[3] if match[3] is not None else match[4] or ""))
        at = match.end() + 1
    return steps


def parse_xml(octets: bytes) -> Element:
    """Return the root element. Raises ConfigurationError, which quotes nothing."""
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    stack: list[Element] = []
    roots: list[Element] = []
    count = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if len(stack) >= DEEPEST or count > MOST_ELEMENTS:
            raise ConfigurationError(f"is nested more than {DEEPEST} deep, or has more than {MOST_ELEMENTS} elements")
        element = Element(
            _local(tag), {_local(key): text for key, text in attributes.items()}, parser.CurrentLineNumber
        )
        (stack[-1].children if stack else roots).append(element)
        stack.append(element)

    def end(tag: str) -> None:
        stack.pop()

    def text(characters: str) -> None:
        stack[-1].parts.append(characters)

    def refuse(*_: object) -> int:
        raise ConfigurationError("has a document type or entities, which no shipment needs")

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = parser.UnparsedEntityDeclHandler = parser.SkippedEntityHandler = refuse
    try:
        parser.Parse(octets, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        if isinstance(error, ConfigurationError):
            raise
        raise ConfigurationError(f"is no XML at line {parser.CurrentLineNumber}") from None
    return roots[0]


def _local(name: str) -> str:
    return name.rpartition("}")[2]
