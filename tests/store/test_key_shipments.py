"""Shipment files of meter makers into a key store."""

from __future__ import annotations

import base64
import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.keywrap import aes_key_wrap
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import ConfigurationError, DecipheringError
from cosemic.store.key_store import NewRecord, RecordKind
from cosemic.store.key_store.shipments import (
    Fault,
    ImportReport,
    ShipmentMapping,
    Shipped,
    TransportKey,
    import_shipment,
    parse_mapping,
    read_mapping,
    read_shipment,
    shipped_meters,
)
from cosemic.store.key_store.shipments import mapping as mapping_module
from cosemic.store.key_store.shipments.markup import DEEPEST, parse_xml
from cosemic.values import Secret
from tests.store.kept_keys import GAK, GUEK, KEK, Kept

K1, K2, K3 = (bytes([n]) * 16 for n in (0x11, 0x22, 0x33))
TRANSPORT = bytes(range(32))
WRAPPED = aes_key_wrap(TRANSPORT, K3)
KEYS: dict[str, Any] = {
    "encryption-key": "GUEK",
    "authentication-key": {"column": "GAK", "form": "base64"},
    "kek": {"column": "MK", "wrapped": True},
    "secret:1": {"column": "LLS", "form": "text", "optional": True},
}
COLUMNS = {"name": "Serial", "system_title": "Title", "suite": "Suite"}
CSV = (
    "Serial;Title;Suite;GUEK;GAK;MK;LLS;Colour\n"
    f"A1;434f534d45545231;0;{K1.hex().upper()};{base64.b64encode(K2).decode()};{WRAPPED.hex()};12345678;grey\n"
    f'"A2";434f534d45545232;1;{K2.hex()};{base64.b64encode(K2).decode()};{WRAPPED.hex()};;blue\n'
)
JSON = json.dumps(
    {
        "delivery": {
            "meters": [
                {
                    "Serial": "A1",
                    "Title": "434f534d45545231",
                    "Suite": 0,
                    "keys": {"GUEK": K1.hex()},
                    "LLS": "12345678",
                },
                {"Serial": "A2", "Title": "434f534d45545232", "Suite": 1, "keys": {"GUEK": K2.hex()}},
            ]
        }
    }
)
XML = f"""<?xml version="1.0" encoding="UTF-8"?>
<s:Shipment xmlns:s="urn:maker"><s:Head><s:Order>7</s:Order></s:Head>
 <s:Devices>
  <s:Device serial="A1"><s:Title>434f534d45545231</s:Title>
   <s:Key type="GAK" value="{K2.hex()}"/><s:Key type="GUEK" value="{K1.hex()}"/></s:Device>
  <s:Device serial="A2"><s:Title>434f534d45545232</s:Title>
   <s:Key type="GAK" value="{K2.hex()}"/><s:Key type="GUEK" value="{K2.hex()}"/></s:Device>
 </s:Devices></s:Shipment>"""


def csv_mapping(**more: Any) -> ShipmentMapping:
    return parse_mapping({"format": "csv", "delimiter": ";", "columns": COLUMNS, "keys": KEYS} | more)


def transport_key() -> TransportKey:
    return TransportKey(Secret(TRANSPORT))


def meters(octets: str, mapping: ShipmentMapping) -> list[Shipped]:
    found = list(shipped_meters(octets.encode(), mapping, transport_key()))
    assert all(isinstance(each, Shipped) for each in found), found
    return [each for each in found if isinstance(each, Shipped)]


def kept_of(meter: Shipped) -> dict[str, bytes]:
    return {each.name: each.secret.reveal() for each in meter.records}


def test_csv_with_wrapped_keys_base64_and_a_password() -> None:
    first, second = meters("\ufeff" + CSV, csv_mapping())
    assert (first.where, first.name, first.system_title, first.suite) == ("line 2", "A1", b"COSMETR1", 0)
    assert kept_of(first) == {"encryption-key": K1, "authentication-key": K2, "kek": K3, "secret:1": b"12345678"}
    assert (second.name, second.suite) == ("A2", 1)
    assert kept_of(second) == {"encryption-key": K2, "authentication-key": K2, "kek": K3}


def test_json_by_names_joined_by_dots() -> None:
    mapping = parse_mapping(
        {
            "format": "json", "meters": "delivery.meters", "columns": COLUMNS,
            "keys": {"encryption-key": "keys.GUEK", "secret:1": KEYS["secret:1"]},
        }
    )  # fmt: skip
    first, second = meters(JSON, mapping)
    assert (first.where, first.name, second.suite) == ("meter 1", "A1", 1)
    assert kept_of(first) == {"encryption-key": K1, "secret:1": b"12345678"}


def test_xml_by_paths_with_attributes() -> None:
    mapping = parse_mapping(
        {
            "format": "xml", "meters": "Devices/Device", "columns": {"name": "@serial", "system_title": "Title"},
            "keys": {"encryption-key": "Key[@type='GUEK']/@value", "authentication-key": 'Key[@type="GAK"]/@value'},
        }
    )  # fmt: skip
    first, second = meters(XML, mapping)
    assert (first.where, first.name, first.system_title) == ("line 4", "A1", b"COSMETR1")
    assert kept_of(second) == {"encryption-key": K2, "authentication-key": K2}


def test_the_documented_mapping_is_one(tmp_path: Path) -> None:
    text = (mapping_module.__doc__ or "").split("::")[1].rpartition("Names of elements")[0]
    (tmp_path / "maker.toml").write_text("\n".join(line.strip() for line in text.splitlines()))
    mapping = read_mapping(tmp_path / "maker.toml")
    assert {(kind.value, label) for kind, label, _ in mapping.keys} == {
        ("encryption-key", ""), ("authentication-key", ""), ("kek", ""), ("secret", "1"), ("secret", "2"),
        ("signing-key", ""),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"format": "xls"}, "format is one of"),
        ({"columns": {"title": "x"}}, "at least name"),
        ({"columns": {"name": "x", "colour": "y"}}, r"colour: not known in \[columns\]"),
        ({"keys": {}}, "and \\[keys\\]"),
        ({"keys": {"master": "MK"}}, "a kind of record is one of"),
        ({"keys": {"kek": {"column": "MK", "form": "octal"}}}, "form of kek"),
        ({"keys": {"kek": {"column": "MK", "form": "text", "wrapped": True}}}, "hex or base64"),
        ({"keys": {"kek": {"column": "MK", "wrapped": "yes"}}}, "true or false"),
        ({"keys": {"kek": 5}}, "kek names a column"),
        ({"delimiter": ""}, "delimiter is one character"),
        ({"encoding": "klingon"}, "encoding 'klingon'"),
        ({"suite": 9}, "security suite 9"),
        ({"suite": "0"}, "suite is a number"),
        ({"colour": 1}, "colour: not known in a mapping: columns, delimiter, encoding, format, keys, meters, suite"),
    ],
)
def test_a_wrong_mapping_says_what_is_wrong(more: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        csv_mapping(**more)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("A1;", ";", "name of a meter|name is missing"),
        ("434f534d45545231", "434f534d455452", "8 octets, not 7"),
        (K1.hex().upper(), K1.hex()[:-2], "15 octets"),
        (K1.hex().upper(), "x" * 32, "encryption-key is not hexadecimal"),
        (K1.hex().upper(), "", "encryption-key is missing"),
        (base64.b64encode(K2).decode() + ";" + WRAPPED.hex() + ";12345678", "*;" + WRAPPED.hex() + ";1", "not base64"),
        (WRAPPED.hex() + ";12345678", WRAPPED.hex()[:-2] + "ff;12345678", "cannot be unwrapped"),
        (WRAPPED.hex() + ";12345678", "00;12345678", "cannot be unwrapped"),
        (";12345678", ";пароль12", "not ASCII"),
        ("231;0;", "231;7;", "security suite 7"),
        ("231;0;", "231;one;", "suite is no number"),
    ],
)
def test_a_wrong_row_is_named_by_its_line_and_shows_nothing_of_its_cells(old: str, new: str, said: str) -> None:
    text = CSV.replace(old, new, 1)
    assert text != CSV
    first, second = shipped_meters(text.encode(), csv_mapping(), transport_key())
    assert isinstance(first, Fault)
    assert isinstance(second, Shipped)
    assert first.where == "line 2"
    assert re.search(said, first.text)
    assert not new or len(new) < 9 or new not in str(first)


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (b"", "no column 'Serial'"),
        (CSV.replace(";", ",").encode(), "no column 'Serial'"),
        (CSV.replace("Colour", "GUEK").encode(), "no column 'GUEK', or several"),
        (CSV.encode() + b"A3;1\n", "2 cells at line 4"),
        (CSV.encode() + b'"A3', "no CSV at line"),
        (CSV.encode() + b"\xff", "not in utf-8"),
        (CSV.encode() + b"\0", "octets 00"),
    ],
)
def test_what_is_no_such_csv_is_refused_as_a_whole(octets: bytes, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        list(shipped_meters(octets, csv_mapping(), transport_key()))


def test_wrapped_keys_need_a_transport_key() -> None:
    with pytest.raises(ConfigurationError, match="name the transport key"):
        list(shipped_meters(CSV.encode(), csv_mapping()))
    with pytest.raises(ConfigurationError, match="16, 24 or 32"):
        TransportKey(Secret(bytes(17)))
    with pytest.raises(DecipheringError):
        transport_key().unwrap(aes_key_wrap(bytes(32), K1))
    assert K1.hex() not in repr(TransportKey(Secret(K1)))


@pytest.mark.parametrize(
    "text",
    [
        "<!DOCTYPE a><a/>",
        '<!DOCTYPE a [<!ENTITY b "bb">]><a>&b;</a>',
        '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
        '<!DOCTYPE a SYSTEM "http://localhost:1/a.dtd"><a/>',
        '<!DOCTYPE a [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]><a/>',
        '<!DOCTYPE a [<!ENTITY l "lol"><!ENTITY m "&l;&l;&l;&l;">]><a>&m;</a>',
    ],
)
def test_xml_with_a_document_type_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="document type or entities"):
        parse_xml(text.encode())


@pytest.mark.parametrize(
    "text", ["", "<a>", "<a></b>", "<a>&b;</a>", "text", "<a/><b/>", '<?xml version="1.0" encoding="x"?><a/>']
)
def test_what_is_no_xml_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is no XML at line"):
        parse_xml(text.encode())


def test_nesting_is_bounded() -> None:
    parse_xml(b"<a>" * DEEPEST + b"</a>" * DEEPEST)
    with pytest.raises(ConfigurationError, match="nested more than"):
        parse_xml(b"<a>" * 100_000)


@given(st.binary(max_size=200))
def test_any_octets_are_read_or_refused(octets: bytes) -> None:
    for kind in ("csv", "json", "xml"):
        mapping = parse_mapping({"format": kind, "columns": {"name": "a"}, "keys": {"kek": "b"}})
        with suppress(ConfigurationError):
            list(shipped_meters(octets, mapping))


@given(st.text(alphabet="ab/@[]='\"", max_size=12))
def test_any_path_leads_somewhere_or_is_refused(path: str) -> None:
    element = parse_xml(b"<r><a b='1'>x<b>y</b></a><b a='b'/></r>")
    with suppress(ConfigurationError):
        element.value(path)


@pytest.mark.parametrize("text", ["5", "{}", "[[", '{"meters": 1}', "null"])
def test_json_without_a_list_of_meters_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"no JSON|no list of meters"):
        list(shipped_meters(text.encode(), csv_mapping(format="json"), transport_key()))


def shipped(*names: str, key: bytes = K1) -> list[Shipped | Fault]:
    record = NewRecord(GUEK, Secret(key))
    return [Shipped(f"line {n}", name, b"", 0, (record,)) for n, name in enumerate(names, 2)]


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def test_an_import_keeps_the_keys_tells_progress_and_is_the_same_twice(kept: Kept, tmp_path: Path) -> None:
    (tmp_path / "pallet.csv").write_text(CSV)
    items = read_shipment(tmp_path / "pallet.csv", csv_mapping(), transport_key())
    steps: list[tuple[int, int]] = []
    with kept.open() as store:
        with store.change("room for the titles") as change:
            change.remove_meter("m1")
            change.remove_meter("m2")
        report = import_shipment(store, items, purpose="pallet", progress=lambda *each: steps.append(each))
        assert (report.new, report.renewed, report.same, report.faults) == (2, 0, 0, [])
        assert steps == [(2, 4), (4, 4)]
        again = import_shipment(store, items, purpose="pallet")
        assert (again.new, again.renewed, again.same) == (0, 0, 2)
        assert store.material("A1", purpose="test").kek is not None
        assert store.secret("A1", 1, purpose="test") == Secret(b"12345678")
        assert [str(each) for each in report.warnings] == ["line 3: meter A2 has the same kek as A1"]
        assert "pallet" in [each.purpose for each in store.audit()]


def test_a_dry_run_tells_and_changes_nothing(kept: Kept) -> None:
    before = kept.path.read_bytes()
    with kept.open() as store:
        report = import_shipment(store, shipped("A1", "m1"), purpose="pallet", dry_run=True)
        assert (report.new, [each.where for each in report.faults]) == (1, ["line 3"])
        assert [meter.name for meter in store.meters()] == ["m1", "m2"]
        assert "pallet" not in [each.purpose for each in store.audit()]
    assert kept.path.read_bytes() == before


def test_duplicates_are_named_and_then_nothing_is_imported(kept: Kept) -> None:
    record = (NewRecord(GUEK, Secret(K1)),)
    items: list[Shipped | Fault] = [
        Shipped("line 2", "A1", b"12345678", 0, record),
        Shipped("line 3", "A1", b"", 0, record),
        Shipped("line 4", "A2", b"12345678", 0, record),
        Shipped("line 5", "A3", b"COSMETR1", 0, record),
        Shipped("line 6", "m2", b"", 0, record),
        Shipped("line 7", "m1", b"", 2, record),
        Fault("line 8", "kek is missing"),
    ]
    with kept.open() as store:
        report = import_shipment(store, items, purpose="test")
        assert sorted(map(str, report.faults)) == [
            "line 3: meter A1 stands at line 2 already",
            "line 4: meter A2 has the system title 3132333435363738 of A1",
            "line 5: the system title 434f534d45545231 is that of m1",
            "line 6: meter m2 is there with another encryption-key, or without: "
            "renew (--renew) keeps both, the new one as current",
            "line 7: meter m1 is there with another suite or system title: remove it first if this is right",
            "line 8: kek is missing",
        ]
        assert len(report.warnings) == 5
        assert [meter.name for meter in store.meters()] == ["m1", "m2"]


def test_renewing_keeps_the_keys_before(kept: Kept) -> None:
    with kept.open() as store:
        report = import_shipment(store, shipped("m1", "A1"), purpose="test", renew=True)
        assert report == ImportReport(new=1, renewed=1, warnings=report.warnings)
        assert store.material("m1", purpose="test").encryption_key.reveal() == K1
        versions = [
            (each.kind, each.state.value) for each in store.meter("m1").records if each.kind in (GUEK, GAK, KEK)
        ]
    assert versions == [
        (GAK, "current"), (GUEK, "previous"), (GUEK, "current"), (KEK, "current"),
    ]  # fmt: skip


def test_many_meters_are_kept_in_portions(kept: Kept) -> None:
    items: list[Shipped | Fault] = [
        Shipped(f"line {n}", f"A{n:04}", b"", 0, (NewRecord(RecordKind.KEK, Secret(n.to_bytes(16, "big"))),))
        for n in range(450)
    ]
    steps: list[tuple[int, int]] = []
    with kept.open() as store:
        import_shipment(store, items, purpose="test", progress=lambda *each: steps.append(each))
        assert store.check() == 452
    assert steps == [(200, 900), (400, 900), (450, 900), (650, 900), (850, 900), (900, 900)]
