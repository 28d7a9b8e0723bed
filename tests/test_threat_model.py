"""docs/threat-model.md: every threat has its tests, and every test that it names is there and runs."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "threat-model.md"
THREATS = {
    "any octets", "bombs", "silent garbage", "forged and altered messages", "downgrade", "replay and lock-out",
    "a nonce that is used twice", "reflection", "blocks without end", "foreign answers", "side channels",
    "secrets in output",
}  # fmt: skip
FIRST = {"who attacks", "what is to be protected", "what is taken for granted", "what is not protected"}
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)(?:\[([^\]`]+)\])?`")
LINK = re.compile(r"\[(`?)([^\]`]+)`?\]\(([^)#]+)(?:#[^)]*)?\)")
SECTION = re.compile(r"^## (?:\d+\. )?([^:\n]+)[^\n]*\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


@cache
def functions(path: str) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    """The tests of a file, without running it; none where the whole file is skipped."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assigned = [node for node in tree.body if isinstance(node, ast.Assign)]
    if any(is_off(node.value) for node in assigned if ast.unparse(node.targets[0]) == "pytestmark"):
        return {}
    found = ast.FunctionDef | ast.AsyncFunctionDef
    return {node.name: node for node in ast.walk(tree) if isinstance(node, found)}


def is_off(mark: ast.expr) -> bool:
    """Whether a mark switches a test off whatever the machine is like."""
    text = ast.unparse(mark)
    return bool(re.search(r"\bmark\.skip\b(?!if)|\bmark\.skipif\((?:True|1)\b|\bmark\.xfail\b", text))


def fault_of(path: str, name: str, parameters: str = "") -> str | None:
    """What is wrong with a test that is named; None where it is there and runs."""
    if not (ROOT / path).exists():
        return "no such file"
    function = functions(path).get(name)
    if function is None:
        return "no such test"
    if any(is_off(each) for each in function.decorator_list):
        return "switched off"
    body = function.body[1:] if ast.get_docstring(function) else function.body
    if not body or ast.unparse(body[0]).startswith(("pytest.skip(", "pytest.xfail(", "return", "pass")):
        return "it does nothing"
    if parameters and not any("parametrize" in ast.unparse(each) for each in function.decorator_list):
        return "it has no parameters"
    return None


def sections() -> dict[str, str]:
    return {title.strip().lower(): text for title, text in SECTION.findall(PAGE.read_text(encoding="utf-8"))}


@pytest.mark.slow
def test_every_test_that_is_named_is_there_and_runs() -> None:
    named = NAMED.findall(PAGE.read_text(encoding="utf-8"))
    assert len(named) > 150
    assert {f"{path}::{name}": fault for path, name, ids in named if (fault := fault_of(path, name, ids))} == {}


def test_every_threat_has_rows_and_every_row_has_a_test() -> None:
    found = sections()
    assert set(found) == THREATS | FIRST
    for threat in THREATS:
        rows = [line for line in found[threat].splitlines() if line.startswith("|")][2:]
        assert len(rows) >= 3, threat
        for row in rows:
            cells = row.removeprefix("|").removesuffix("|").split("|")
            assert len(cells) == 4, row
            assert NAMED.search(cells[3]), row
            assert len(NAMED.findall(cells[3])) == cells[3].count("]("), row


def test_what_is_not_protected_is_said() -> None:
    text = " ".join(sections()["what is not protected"].split())
    for word in ("LLS", "wipe memory", "Side channels", "Traffic analysis", "whole copy put back", "Denial of service"):
        assert word in text


def test_every_link_leads_somewhere() -> None:
    links = LINK.findall(PAGE.read_text(encoding="utf-8"))
    for _, text, target in links:
        assert (PAGE.parent / target).exists(), target
        if text.startswith("tests/"):
            assert target == f"../{text.partition('::')[0]}"
    for page in ("SECURITY.md", "README.md"):
        assert "docs/threat-model.md" in (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("decorator", "body", "fault"),
    [
        ("", "assert True", None),
        ("@pytest.mark.slow", '"""Why."""\n    assert True', None),
        ("@pytest.mark.skipif(os.name == 'nt', reason='')", "assert True", None),
        ("@pytest.mark.skip", "assert True", "switched off"),
        ("@pytest.mark.skip(reason='later')", "assert True", "switched off"),
        ("@pytest.mark.skipif(True, reason='later')", "assert True", "switched off"),
        ("@pytest.mark.xfail", "assert True", "switched off"),
        ("", "pytest.skip('later')", "it does nothing"),
        ("", '"""Why."""\n    return', "it does nothing"),
    ],
)
def test_a_test_that_is_switched_off_is_seen(
    decorator: str, body: str, fault: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "test_x.py").write_text(f"import pytest\n{decorator}\ndef test_it():\n    {body}\n", encoding="utf-8")
    monkeypatch.setattr("tests.test_threat_model.ROOT", tmp_path)
    functions.cache_clear()
    assert fault_of("test_x.py", "test_it") == fault
    assert fault_of("test_x.py", "test_that") == "no such test"
    assert fault_of("test_y.py", "test_it") == "no such file"
    assert fault_of("test_x.py", "test_it", "id") == (fault or "it has no parameters")
    functions.cache_clear()
