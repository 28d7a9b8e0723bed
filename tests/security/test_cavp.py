"""NIST's validation files (CAVP; package cryptography-vectors): GCM, key wrap, ECDSA, key agreement with its KDF."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from cosemic.errors import DecipheringError, DecodeError, SignatureInvalid
from cosemic.security import (
    PublicKey,
    SecurityControl,
    SecuritySuite,
    SoftwareAgreementKey,
    SoftwareSigningKey,
    protect,
    security_suite,
    unwrap_key,
    wrap_key,
)
from cosemic.security.elliptic import curve_of
from cosemic.security.key_derivation import concatenation_kdf
from cosemic.security.protection import verify_in_context, verify_in_two_passes
from cosemic.security.signatures import verify
from cosemic.values.secret import Secret
from tests.security.samples import key

Case = dict[str, str]


def nist_file(*path: str) -> Path:
    return Path(pytest.importorskip("cryptography_vectors").__file__).parent.joinpath(*path)


def nist(*path: str, section: str | None = None) -> Iterator[Case]:
    """Yield the cases of a file of NIST's.

    The parameters in brackets stand in each case. section: the bracket without a value whose cases are wanted.
    """
    parameters: Case = {}
    case: Case = {}
    for line in [*nist_file(*path).read_text().splitlines(), ""]:
        name, equals, value = (part.strip() for part in line.strip("[]").partition("="))
        if not line and len(case) > 1 and section in (None, parameters.get("section")):
            yield parameters | case
        if not line:
            case = {}
        elif line.startswith("["):
            if not name.startswith("B.4.2"):  # how the key pairs were made
                parameters[name if equals else "section"] = value or name
        elif not line.startswith("#"):
            case[name] = value


def octets(case: Case, *names: str) -> bytes:
    return b"".join(bytes.fromhex(case[name]) for name in names)


def with_96_bits(file: str) -> Iterator[Case]:
    """Yield the cases whose nonce and tag are as long as in all suites."""
    return (case for case in nist("ciphers", "AES", "GCM", file) if (case["IVlen"], case["Taglen"]) == ("96", "96"))


@pytest.mark.parametrize("bits", [128, 256])
def test_gcm_tags_are_verified_in_both_ways(bits: int) -> None:
    counts = {True: 0, False: 0}
    for case in with_96_bits(f"gcmDecrypt{bits}.rsp"):
        nonce, aad, body, tag = (octets(case, name) for name in ("IV", "AAD", "CT", "Tag"))
        good = "FAIL" not in case
        for way in (verify_in_two_passes, verify_in_context):
            if good:
                assert way(key(octets(case, "Key")), nonce, aad, body, tag, True).hex() == case["PT"]
            else:
                with pytest.raises(DecipheringError):
                    way(key(octets(case, "Key")), nonce, aad, body, tag, True)
        counts[good] += 1
    assert min(counts.values()) > 50


@dataclass(frozen=True)
class AnyControl:
    """Stands for a security control with the first octet of NIST's AAD, which may be any, or none."""

    octet: bytes
    encrypted: bool
    authenticated: bool = True


@pytest.mark.parametrize("bits", [128, 256])
def test_gcm_seals_and_opens(bits: int) -> None:
    """Each case goes through protect: its AAD is cut into SC, AK and further data, its nonce into title and counter."""
    counts: Counter[bool] = Counter()
    for case in with_96_bits(f"gcmEncryptExtIV{bits}.rsp"):
        handle, nonce, aad = key(octets(case, "Key")), octets(case, "IV"), octets(case, "AAD")
        plain, body, tag = octets(case, "PT"), octets(case, "CT"), octets(case, "Tag")
        title, counter = nonce[:8], int.from_bytes(nonce[8:], "big")
        for encrypted in (True, False) if not plain else (True,):
            control = cast(SecurityControl, AnyControl(aad[:1], encrypted))
            if encrypted:
                protected = protect(control, handle, key(aad[1:17]), title, counter, plain, aad[17:])
                given, authenticated, opened = body, aad, plain
            else:
                protected = protect(control, handle, key(aad[1:9]), title, counter, aad[13:], aad[9:13])
                given, authenticated, opened = aad[13:], aad[:13], aad[13:]
            assert protected == aad[:1] + nonce[8:] + given + tag
            for way in (verify_in_two_passes, verify_in_context):
                assert way(handle, nonce, authenticated, given, tag, encrypted) == opened
            counts[encrypted] += 1
    assert counts == {True: 375, False: 75}


@pytest.mark.parametrize(("bits", "suite"), [(128, 0), (256, 2)])
def test_key_wrap(bits: int, suite: int) -> None:
    counts = {"wrapped": 0, "unwrapped": 0, "refused": 0}
    of_suite = security_suite(suite)
    for case in nist("keywrap", "kwtestvectors", f"KW_AE_{bits}.txt"):
        if case["PLAINTEXT LENGTH"] == str(bits):
            assert wrap_key(key(octets(case, "K")), Secret(octets(case, "P")), of_suite).hex() == case["C"]
            counts["wrapped"] += 1
    for case in nist("keywrap", "kwtestvectors", f"KW_AD_{bits}.txt"):
        kek, wrapped = key(octets(case, "K")), octets(case, "C")
        if "FAIL" not in case and case["PLAINTEXT LENGTH"] == str(bits):
            assert unwrap_key(kek, wrapped, of_suite).reveal().hex() == case["P"]
            counts["unwrapped"] += 1
        else:
            with pytest.raises(DecipheringError):
                unwrap_key(kek, wrapped, of_suite)
            counts["refused"] += 1
    assert min(counts.values()) > 50


suites = pytest.mark.parametrize(
    ("suite", "section"),
    [(security_suite(1), "P-256,SHA-256"), (security_suite(2), "P-384,SHA-384")],
    ids=["suite-1", "suite-2"],
)


@suites
def test_signature_generation(suite: SecuritySuite, section: str) -> None:
    cases = list(nist("asymmetric", "ECDSA", "FIPS_186-3", "SigGen.txt", section=section))
    assert len(cases) == 15
    for case in cases:
        signing = SoftwareSigningKey.of(octets(case, "d"), suite)
        assert signing.public.octets == octets(case, "Qx", "Qy")
        verify(signing.public, octets(case, "Msg"), octets(case, "R", "S"))
        verify(signing.public, octets(case, "Msg"), signing.sign(octets(case, "Msg")))


@suites
def test_signature_verification(suite: SecuritySuite, section: str) -> None:
    results: Counter[str] = Counter()
    for case in nist("asymmetric", "ECDSA", "FIPS_186-3", "SigVer.rsp", section=section):
        public = PublicKey.of(octets(case, "Qx", "Qy"), suite)
        results[case["Result"][0]] += 1
        if case["Result"].startswith("P"):
            verify(public, octets(case, "Msg"), octets(case, "R", "S"))
        else:
            with pytest.raises(SignatureInvalid):
                verify(public, octets(case, "Msg"), octets(case, "R", "S"))
    assert results.total() == 15
    assert min(results["P"], results["F"]) > 2


def even(number: str) -> bytes:
    return bytes.fromhex("0" * (len(number) % 2) + number)


@suites
def test_public_key_validation(suite: SecuritySuite, section: str) -> None:
    results: Counter[str] = Counter()
    for case in nist("asymmetric", "ECDSA", "FIPS_186-3", "PKV.rsp", section=suite.curve):
        x, y = even(case["Qx"]), even(case["Qy"])
        results[case["Result"][:4]] += 1
        if case["Result"].startswith("P"):
            assert PublicKey.of(x + y, suite).octets == x + y
        else:
            assert not curve_of(suite).has(int.from_bytes(x, "big"), int.from_bytes(y, "big"))
            with pytest.raises(DecodeError):
                PublicKey.of(x + y, suite)
    assert set(results) == {"P (0", "F (1", "F (2"}
    assert results.total() == 12


@suites
def test_key_pairs(suite: SecuritySuite, section: str) -> None:
    cases = list(nist("asymmetric", "ECDSA", "FIPS_186-3", "KeyPair.rsp", section=suite.curve))
    assert len(cases) == 10
    for case in cases:
        assert SoftwareAgreementKey.of(octets(case, "d"), suite).public.octets == octets(case, "Qx", "Qy")


DETERMINISTIC = "deterministic_signing" in inspect.signature(ec.ECDSA.__init__).parameters
"""Whether the installed library can."""


@suites
def test_deterministic_signatures_are_those_of_rfc_6979(suite: SecuritySuite, section: str) -> None:
    text = nist_file("asymmetric", "ECDSA", "RFC6979", "evppkey_ecdsa_rfc6979.txt").read_text()
    pem = re.search(rf"PrivateKey={suite.curve}_PRIV\n(.*?-----END PRIVATE KEY-----\n)", text, re.DOTALL)
    assert pem is not None
    private = load_pem_private_key(pem[1].encode(), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    signing = SoftwareSigningKey(private)
    hash_name = section.split(",")[1].replace("-", "")
    signed = rf"DigestSign = {hash_name}\nKey = {suite.curve}_PRIV\nNonceType = deterministic\n"
    cases = re.findall(signed + r'Input = "(\w+)"\nOutput = (\w+)', text)
    assert [message for message, _ in cases] == ["sample", "test"]
    for message, der in cases:
        expected = curve_of(suite).plain_signature(bytes.fromhex(der))
        verify(signing.public, message.encode(), expected)
        if DETERMINISTIC:
            assert signing.sign(message.encode()) == expected


NOT_OURS = ("11 ", "12 ")
"""Key confirmation, which COSEM has not: MacData or tag are changed, all before is right."""


@pytest.mark.parametrize("role", ["init", "resp"])
@pytest.mark.parametrize(
    ("suite", "section"),
    [(1, "EC - SHA256"), (1, "EC - SHA384"), (1, "EC - SHA512"), (2, "ED - SHA384"), (2, "ED - SHA512")],
)
def test_static_unified_model_with_concatenation_kdf(role: str, suite: int, section: str) -> None:
    results: Counter[str] = Counter()
    file = f"KASValidityTest_ECCStaticUnified_KDFConcat_NOKC_{role}.fax"
    for case in nist("asymmetric", "ECDH", file, section=section):
        reason = case["Result"].partition("(")[2]
        right = case["Result"].startswith("P") or reason.startswith(NOT_OURS)
        assert agrees(case, security_suite(suite), section) == right, case["Result"]
        results[case["Result"][0]] += 1
    assert results.total() == 30
    assert min(results.values()) > 5


def agrees(case: Case, suite: SecuritySuite, section: str) -> bool:
    """Tell whether both public keys, the private key, Z and the derived key of a case are right."""
    try:
        peer = PublicKey.of(octets(case, "QsCAVSx", "QsCAVSy"), suite)
        public = PublicKey.of(octets(case, "QsIUTx", "QsIUTy"), suite)
    except DecodeError:
        return False
    own = SoftwareAgreementKey.of(octets(case, "dsIUT"), suite)
    z = own.exchange(peer)
    derived = concatenation_kdf(section[5:].lower(), z, octets(case, "OI"), len(case["DKM"]) // 2)
    return own.public == public and z == octets(case, "Z") and derived == octets(case, "DKM")
