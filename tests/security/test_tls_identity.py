"""The system title in a TLS certificate: where it stands, and what is refused."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import AuthenticationFailed
from cosemic.security.tls_identity import certified_system_title, check_certified_title
from tests.transport.certificates import HARDWARE_MODULE_NAME, METER_TITLE, Authority, hardware_name

TITLE = METER_TITLE.hex().upper()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("titles"))


def common_names(*names: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names])


@pytest.mark.parametrize("name", [TITLE, TITLE.lower()])
def test_the_common_name_is_the_title_in_hexadecimal(authority: Authority, name: str) -> None:
    certificate = authority.issue(name).der
    assert certified_system_title(certificate) == METER_TITLE
    check_certified_title(certificate, METER_TITLE)


def test_without_a_subject_the_hardware_module_name_is_the_title(authority: Authority) -> None:
    certificate = authority.issue("meter", subject=x509.Name([]), alternative=hardware_name(METER_TITLE)).der
    assert certified_system_title(certificate) == METER_TITLE


def test_both_may_stand_there_where_they_agree(authority: Authority) -> None:
    assert certified_system_title(authority.issue(TITLE, alternative=hardware_name(METER_TITLE)).der) == METER_TITLE
    with pytest.raises(AuthenticationFailed, match="several system titles"):
        certified_system_title(authority.issue(TITLE, alternative=hardware_name(bytes(8))).der)


def test_a_certificate_of_another_is_refused(authority: Authority) -> None:
    with pytest.raises(AuthenticationFailed, match=f"is that of {TITLE}, not of 0000000000000000: check the address"):
        check_certified_title(authority.issue(TITLE).der, bytes(8))
    with pytest.raises(AuthenticationFailed, match="has shown no certificate"):
        check_certified_title(None, METER_TITLE)


@pytest.mark.parametrize("name", ["meter.example", TITLE + "00", TITLE[:-1], f" {TITLE}", TITLE + "\n", "x"])
def test_other_common_names_are_no_titles(authority: Authority, name: str) -> None:
    with pytest.raises(AuthenticationFailed, match="names no system title"):
        certified_system_title(authority.issue("x", subject=common_names(name)).der)


def test_two_common_names_are_ambiguous(authority: Authority) -> None:
    with pytest.raises(AuthenticationFailed, match="several system titles"):
        certified_system_title(authority.issue("x", subject=common_names(TITLE, "0" * 16)).der)


@pytest.mark.parametrize(
    "value",
    [
        "3030 06032A0304 0408 4D4D4D0000BC614E",
        "310F 06032A0304 0408 4D4D4D0000BC614E",
        "300E 06032A0304 0407 4D4D4D0000BC61",
        "300F 067F2A0304 0408 4D4D4D0000BC614E",
        "300F 04032A0304 0408 4D4D4D0000BC614E",
        "3000",
        "30",
    ],
)
def test_only_a_whole_hardware_module_name_counts(authority: Authority, value: str) -> None:
    name = x509.OtherName(HARDWARE_MODULE_NAME, bytes.fromhex(value))
    try:
        alternative = x509.SubjectAlternativeName([name])
        certificate = authority.issue("x", alternative=alternative).der
    except ValueError:
        return  # the library itself makes no such certificate
    with pytest.raises(AuthenticationFailed, match="names no system title"):
        certified_system_title(certificate)


@given(st.binary(max_size=200))
def test_octets_that_are_no_certificate_are_refused(octets: bytes) -> None:
    with pytest.raises(AuthenticationFailed, match="cannot be read"):
        certified_system_title(octets)


def test_a_name_that_is_a_bit_string_is_refused(authority: Authority) -> None:
    certificate = authority.issue(TITLE).der
    text = TITLE.encode("ascii")
    assert certificate.count(b"\x0c\x10" + text) == 1
    with pytest.raises(AuthenticationFailed, match="cannot be read"):
        certified_system_title(certificate.replace(b"\x0c\x10" + text, b"\x03\x10" + text))


@pytest.fixture(scope="module")
def whole(authority: Authority) -> bytes:
    return authority.issue(TITLE, alternative=hardware_name(METER_TITLE)).der


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@given(data=st.data())
def test_a_certificate_cut_or_changed_anywhere_names_a_title_or_is_refused(whole: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(whole) - 1))
    for octets in (whole[:place], whole[:place] + data.draw(st.binary(min_size=1, max_size=3)) + whole[place + 1 :]):
        try:
            assert len(certified_system_title(octets)) == 8
        except AuthenticationFailed:
            continue
