"""Layers of general-ciphering and general-signing, opened with the keys of parties; compressed content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import cosemic
from cosemic.association.requests import Get
from cosemic.cli import main
from cosemic.security import compress
from cosemic.security.general import KeyEstablishment, LayerPlan
from tests.association.general_samples import (
    CLIENT_TITLE,
    SERVER_TITLE,
    K,
    ciphered_then_signed,
    layered,
    own,
    signed_then_ciphered,
)
from tests.association.samples import AK, CLOCK, LONG_AK
from tests.inspector.test_protected_content import EK, GET, TITLE, opened, sealed
from tests.security.laboratory import AT, SIGNATURE, new_root, pem_file


def sent(suite: int, plan: LayerPlan) -> bytes:
    """What a client sends of a GET in layers."""
    talk = layered(suite, plan)
    talk.client.send(Get(CLOCK))
    octets: bytes = talk.client.octets_to_send()
    return octets


def scalar(title: bytes, suite: int) -> bytes:
    key: Any = own(title, suite).agreement_key
    octets: bytes = key.to_secret().reveal()
    return octets


def public(title: bytes, suite: int, use: str) -> bytes:
    key: Any = getattr(own(title, suite), f"{use}_key")
    octets: bytes = key.public.octets
    return octets


def shown(octets: bytes, suite: int, **keys: bytes) -> Any:
    return cosemic.decode(octets, keys={"ak": LONG_AK if suite == 2 else AK, **keys}).message


@pytest.mark.parametrize("suite", [1, 2])
@pytest.mark.parametrize("kind", [K.ONE_PASS, K.STATIC])
@pytest.mark.parametrize("signed", ["inside", "outside"])
def test_keys_of_the_parties_open_what_was_agreed_on(suite: int, kind: KeyEstablishment, signed: str) -> None:
    plan = signed_then_ciphered(kind) if signed == "inside" else ciphered_then_signed(kind)
    octets = sent(suite, plan)
    keys = {"public_key": public(CLIENT_TITLE, suite, "signing"), "agreement_key": scalar(SERVER_TITLE, suite)}
    keys["agreement_public_key"] = public(CLIENT_TITLE, suite, "agreement")
    message = shown(octets, suite, **keys)
    outer, inner = message, message.content
    ciphering, signing = (outer, inner) if signed == "inside" else (inner, outer)
    assert ciphering.protection.tag_ok
    assert signing.signature_ok
    assert inner.content.octets[:2] == b"\xc0\x01"
    for title, verified in ((CLIENT_TITLE, True), (SERVER_TITLE, None)):
        again = shown(octets, suite, public_key_of=title, **keys)
        assert (again.content if signed == "inside" else again).signature_ok is verified


def test_a_key_that_does_not_fit_opens_nothing() -> None:
    octets = sent(1, signed_then_ciphered(K.STATIC))
    for keys in (
        {"agreement_key": scalar(CLIENT_TITLE, 1)},
        {"agreement_key": scalar(SERVER_TITLE, 1)},
        {"agreement_key": scalar(SERVER_TITLE, 2), "agreement_public_key": public(CLIENT_TITLE, 2, "agreement")},
    ):
        assert shown(octets, 1, **keys).protection.plaintext is None
    other = {"agreement_key": scalar(SERVER_TITLE, 1), "agreement_public_key": public(CLIENT_TITLE, 1, "signing")}
    assert shown(octets, 1, **other).protection.tag_ok is False


def test_a_file_of_security_settings_opens_what_its_client_has_sent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {
        "suite": "1",
        "system_title": CLIENT_TITLE.hex(),
        "server_title": SERVER_TITLE.hex(),
        "authentication_key": AK.hex(),
        "agreement_key": scalar(CLIENT_TITLE, 1).hex(),
        "server_agreement_key": public(SERVER_TITLE, 1, "agreement").hex(),
        "server_public_key": public(SERVER_TITLE, 1, "signing").hex(),
        "layers": "sign+cipher:static",
    }
    file = tmp_path / "meter.toml"
    lists = 'brokers_for = ["5454540000000007"]\nkey_infos = ["static"]\nsealed_inside = false\nmax_layers = 4\n'
    file.write_text("".join(f'{name} = "{value}"\n' for name, value in settings.items()) + lists)
    octets = sent(1, signed_then_ciphered(K.STATIC))
    assert main(["decode", octets.hex(), "--keys", str(file)]) == 0
    shown = capsys.readouterr().out
    assert "get-request" in shown
    assert "signature ok: no" not in shown  # it is the client's, whose public key is not in the file


def test_compressed_content_is_read_when_told() -> None:
    octets = b"\xdb\x08" + TITLE + sealed(compress(GET), control=0xB1)
    keys = {"ek": EK, "ak": AK}
    content = cosemic.decode(octets, keys=keys, expand=True).to_dict()["apdu"]["content"]
    assert content == cosemic.decode(GET).to_dict()["apdu"]
    assert "error" in opened(octets, ek=EK, ak=AK)["content"]
    broken = b"\xdb\x08" + TITLE + sealed(b"\x01" * 40, control=0xB1)
    assert "V.44" in cosemic.decode(broken, keys=keys, expand=True).to_dict()["apdu"]["content"]["error"]


def test_the_command_expands_and_takes_certificates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    signing: Any = own(CLIENT_TITLE, 1).signing_key
    certificate = new_root().issue(signing.public, CLIENT_TITLE, SIGNATURE, not_before=AT)
    pem_file(tmp_path / "client.pem", certificate)
    octets = sent(1, ciphered_then_signed(K.GLOBAL_UNICAST))
    for files, verified in (((), False), (("--certificate", str(tmp_path / "client.pem")), True)):
        assert main(["decode", octets.hex(), "--json", "--expand", *files]) == 0
        assert ('"signature_ok": true' in capsys.readouterr().out) is verified
