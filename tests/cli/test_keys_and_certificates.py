"""docs/keys-and-certificates.md: every command and every program on it does what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from contextlib import ExitStack
from pathlib import Path

import pytest

from cosemic.store.security_settings import NAMES
from tests.cli.pages import BLOCK, Place, page_with_free_ports


def follow(place: Place, page: str) -> list[str]:
    """Do what the blocks say, one after the other; return what each command and each program printed."""
    printed: list[str] = []
    with ExitStack() as stack:
        for kind, text in BLOCK.findall(page):
            match kind:
                case "toml" | "csv" | "xml":
                    name, _, content = text.partition("\n")
                    path = place.folder / name.removeprefix("# ").removeprefix("<!-- ").removesuffix(" -->")
                    path.write_text(content, encoding="utf-8")
                    path.chmod(0o600)
                case "shell":
                    for line in text.splitlines():
                        if line.startswith("export "):
                            name, _, value = line.removeprefix("export ").partition("=")
                            place.environment[name] = value.strip('"')
                        else:
                            printed.append(place.run("sh", "-c", line))
                case "terminal":
                    stack.enter_context(place.terminal(page))
                case "python":
                    printed.append(place.run(sys.executable, "-c", text))
                case "refused":
                    done = subprocess.run(
                        ["sh", "-c", text], cwd=place.folder, env=place.environment, capture_output=True, text=True,
                        timeout=120, check=False,
                    )  # fmt: skip
                    assert done.returncode == 1, (text, done.stdout, done.stderr)
                    printed.append(done.stdout + done.stderr)
                case "text":
                    assert set(tomllib.loads(text)) <= NAMES
    return printed


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="the page is for a POSIX shell")
def test_the_page_is_right_from_top_to_bottom(tmp_path: Path) -> None:
    place, page = Place.at(tmp_path), page_with_free_ports("keys-and-certificates.md", "4059")
    printed = iter(follow(place, page))
    assert "unlock.key opens it" in next(printed)
    assert re.search(r"^CSM0000001000001 +1 +43534d00000f4241 ", next(printed), re.MULTILINE)
    assert "kWh" in next(printed)
    would, done = next(printed), next(printed)
    assert "2" in would
    assert "2" in done
    shown = next(printed)
    assert re.findall(r"^([a-z-]+) +1 +current", shown, re.MULTILINE) == ["authentication-key", "encryption-key", "kek"]
    assert next(printed) == "imported: 1 new, 0 renewed, 0 there already\n"  # XML
    assert next(printed) == "changed, proved and kept: encryption-key, authentication-key\n"
    assert next(printed).startswith("agreed on, and kept: kek\nchanged, proved and kept: encryption-key")
    assert next(printed) == "no key was in doubt\n"
    assert next(printed).startswith("ECDH-ECDSA-AES-GCM-128-SHA-256\nanswers: ")
    assert re.search(r"to note: \d+:[0-9a-f]{64}$", next(printed), re.MULTILINE)
    assert next(printed)  # rotated
    assert "encryption-key" in next(printed)  # forgotten
    assert "Lab root" in next(printed)
    next(printed)  # requested
    next(printed)  # issued
    assert "4844450000000001" in next(printed)
    next(printed)  # revoked
    assert "revoked" in next(printed)
    assert next(printed, None) is None
    program = "import cosemic.store.security_settings as it; print(it.load_security('meter.toml').client.signing_key)"
    assert "SoftwareSigningKey" in place.run(sys.executable, "-c", program)
    settings = tmp_path.glob("meter-*.toml")
    assert not any("encryption_key" in path.read_text(encoding="utf-8") for path in settings)
