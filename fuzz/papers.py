"""Certificates, requests, revocation lists and keys; what the methods of a Security setup are given."""

from __future__ import annotations

import datetime as dt
import random
from functools import cache
from itertools import count
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import ReasonFlags

from cosemic.apdu import CosemMethodDescriptor
from cosemic.association.service_provider import Access, Agreement, ServerSettings
from cosemic.codec import DataType, EncodedData, Limits
from cosemic.errors import CertificateError, ConfigurationError, CosemicError
from cosemic.model import SecuritySetup
from cosemic.model.security_setup import CertificateType, KeyAgreementData, KeyTransferData
from cosemic.security import (
    KnownSigners,
    MemoryCounterStore,
    SecurityPolicy,
    SoftwareSigningKey,
    security_suite,
    wrap_key,
)
from cosemic.security.certificates import (
    Certificate,
    CertificateAuthority,
    CertificateRequest,
    CertificateStore,
    MemoryRegister,
    RevocationList,
    make_request,
)
from cosemic.security.certificates.pem import from_pem, to_pem
from cosemic.security.certificates.pkcs8 import decrypt_key
from cosemic.security.certificates.revocation import RevocationLists
from cosemic.server import Admission, LogicalDevice, managing
from cosemic.server.client_view import ClientView
from cosemic.values import ActionResult, ApplicationContext, AuthenticationMechanism, Conformance, Obis
from fuzz.certificates import CERTIFICATES
from fuzz.mutation import disturbed, mutated
from fuzz.parties import BOTH, CLIENT, SERVER, material, octets, own
from fuzz.target import Target

AT: Final = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
YEAR: Final = dt.timedelta(days=365)
SUITE: Final = security_suite(1)
USES: Final = (CertificateType.DIGITAL_SIGNATURE, CertificateType.KEY_AGREEMENT, CertificateType.TLS)


def key(number: int) -> SoftwareSigningKey:
    """A private key that is the same in each process."""
    return SoftwareSigningKey.of(bytes((number,)) * 32, SUITE)


def _random() -> Any:
    """Random octets that are the same in each process."""
    numbers = count(1)
    return lambda length: next(numbers).to_bytes(length, "big")


@cache
def authority() -> CertificateAuthority:
    return CertificateAuthority.root(
        key(1), "Root", MemoryRegister(), not_before=AT - YEAR, not_after=AT + 20 * YEAR, random=_random()
    )


@cache
def certificates() -> list[bytes]:
    root = authority()
    valid = {"not_before": AT - YEAR, "not_after": AT + YEAR}
    sub = root.issue_authority(key(2).public, "Sub", **valid)
    ours = own(SERVER, 1).signing_key
    assert ours is not None
    made = [root.issue(ours.public, SERVER, use, **valid) for use in USES]
    made += [root.issue(key(3).public, CLIENT, use, **valid) for use in USES]
    return [each.octets for each in (root.certificate, sub, *made)] + list(CERTIFICATES)


@cache
def requests() -> list[bytes]:
    return [make_request(key(4), SERVER, use, hardware_type=kind) for use in USES for kind in (None, "1.3.6.1.4.1.99")]


@cache
def lists() -> list[bytes]:
    root = authority()
    issued = [root.issue(key(5).public, CLIENT, USES[0], not_before=AT - YEAR, not_after=AT + YEAR) for _ in range(3)]
    found = [root.revocation_list(AT, AT + YEAR)]
    for each in issued:
        root.revoke(each.serial_number, AT, ReasonFlags.key_compromise)
        found.append(root.revocation_list(AT, AT + YEAR))
    return [each.octets for each in found]


def store() -> CertificateStore:
    """A server that trusts the root."""
    return CertificateStore(
        SERVER, SUITE, anchors=[authority().certificate], revocation=RevocationLists(required=False)
    )


def certificate(given: bytes) -> None:
    """A certificate is read, shown, and imported where it leads to the root; or there is one error."""
    read = Certificate.of(given)
    str(read), repr(read)
    assert Certificate.of(read.octets) == read
    held = store()
    try:
        held.import_certificate(given, AT)
    finally:
        for each in held.certificates:
            assert each.octets in certificates() or each.signature in (
                one[-len(each.signature) :] for one in certificates()
            )


def request(given: bytes) -> None:
    """A request is read, and what is asked for is issued or refused."""
    read = CertificateRequest.of(given)
    repr(read)
    if read.system_title is not None and not read.is_authority:
        issued = authority().issue(
            read.public_key, read.system_title, read.type or USES[0], not_before=AT, not_after=AT + YEAR
        )
        assert issued.system_title == read.system_title


def revocation_list(given: bytes) -> None:
    """A list is read, and kept only where the root has signed it."""
    read = RevocationList.of(given)
    str(read), repr(read)
    RevocationLists().add(read, authority().certificate)


def pem(given: bytes) -> None:
    """What a file holds."""
    for label in (None, "CERTIFICATE"):
        for _, inside in from_pem(given, label):
            from_pem(to_pem(inside)) if inside else None


def private_key(given: bytes) -> None:
    """A key that is not encrypted."""
    read = decrypt_key(given, None)
    assert decrypt_key(given, None).to_secret() == read.to_secret()
    repr(read)


@cache
def _keys() -> list[bytes]:
    made = [key(6).to_cryptography(), SoftwareSigningKey.of(b"\x06" * 48, security_suite(2)).to_cryptography()]
    forms = [(PrivateFormat.PKCS8, Encoding.DER), (PrivateFormat.PKCS8, Encoding.PEM)]
    forms += [(PrivateFormat.TraditionalOpenSSL, encoding) for encoding in (Encoding.DER, Encoding.PEM)]
    return [each.private_bytes(encoding, form, NoEncryption()) for each in made for form, encoding in forms]


# ---- Security setup -------------------------------------------------------------------------------------------------

LIMITS: Final = Limits(depth=16, nodes=20_000, octets=1 << 16)
SETUP: Final = Obis("0-0:43.0.0")
_METHODS: Final = 8


def _device(method: int) -> LogicalDevice:
    ours, theirs = own(SERVER, 1).signing_key, own(CLIENT, 1).signing_key
    assert ours is not None
    assert theirs is not None
    settings = ServerSettings(
        context_names=frozenset((ApplicationContext.LN_CIPHERED,)),
        mechanism=AuthenticationMechanism.LOWEST,
        material=material(1),
        counters=MemoryCounterStore(),
        system_title=SERVER,
        policy=SecurityPolicy(1, 0),
        signing_key=ours,
        signers=KnownSigners({CLIENT: theirs.public}),
    )
    device = LogicalDevice("FUZ0000000000001", now=lambda: AT)
    certified = None
    if method != 3:  # whose signers are those of the settings then
        certified = store()
        certified.generate_key_pair(USES[0])
        certified.import_certificate(certificates()[5], AT)
    admission = Admission(
        client_sap=1, settings=settings, rights=managing(), security_setup=SETUP, certificates=certified
    )
    device.admit(admission)
    return device


def security_setup(given: bytes) -> None:
    """A method of a Security setup takes any value, or refuses it, and has changed nothing then."""
    number = given[0] % (_METHODS + 2) if given else 0
    device = _device(number)
    client = device.client(1)
    assert client is not None
    before = client.settings.material
    value = EncodedData(given[1:])
    value.value(LIMITS)
    method = CosemMethodDescriptor(64, SETUP, number)
    agreed = Agreement(ApplicationContext.LN_CIPHERED, Conformance.ACTION, 0, 0, CLIENT)
    answer = ClientView(device, client).action(method, value, Access(BOTH, agreed))
    if answer.result is not ActionResult.SUCCESS:
        assert client.settings.material == before


@cache
def _parameters() -> list[bytes]:
    setup = SecuritySetup(SETUP)
    assert material(1).kek is not None
    wrapped = wrap_key(material(1).kek, octets(0x33, 1), SUITE)  # type: ignore[arg-type]
    signing = own(CLIENT, 1).signing_key
    assert signing is not None
    found: list[tuple[int, Any]] = []
    for keys in (((0, wrapped),), ((0, wrapped), (2, wrapped), (3, wrapped))):
        entries = tuple(KeyTransferData(key_id, each) for key_id, each in keys)
        found.append((2, EncodedData.from_typed(setup.key_transfer.encode(entries))))
    ephemeral = key(7).public.octets
    offer = KeyAgreementData(0, ephemeral + signing.sign(b"\x00" + ephemeral))
    found.append((3, EncodedData.from_typed(setup.key_agreement.encode((offer,)))))
    found += [(number, EncodedData.of(DataType.ENUM, each)) for number in (1, 4, 5) for each in (0, 1, 2, 0xFC)]
    found += [(6, EncodedData.of(DataType.OCTET_STRING, each)) for each in certificates()]
    theirs = Certificate.of(certificates()[5])
    by_entity = bytes.fromhex("020216000203160116000908") + CLIENT
    names = (theirs.serial_octets, theirs.issuer)
    by_serial = bytes.fromhex("020216010202") + b"".join(bytes((9, len(each))) + each for each in names)
    found += [(method, EncodedData(each)) for method in (7, 8) for each in (by_entity, by_serial)]
    return [bytes((number,)) + value.octets for number, value in found]


def _by_type(corpus: list[bytes], draw: random.Random) -> bytes:
    """Change the value of a method, and seldom the method."""
    chosen = draw.choice(corpus)
    value = disturbed(chosen[1:], [each[1:] for each in corpus], draw)
    return (chosen[:1] if draw.random() < 0.9 else bytes((draw.randrange(10),))) + value


_UNREADABLE: Final = (CertificateError,)
PAPERS: Final[dict[str, Target]] = {
    "certificate": Target(certificate, _UNREADABLE, certificates),
    "certificate-request": Target(request, _UNREADABLE, requests),
    "revocation-list": Target(revocation_list, _UNREADABLE, lists),
    "pem": Target(pem, _UNREADABLE, lambda: [to_pem(each) for each in (*certificates(), *requests())]),
    "private-key": Target(private_key, (ConfigurationError,), _keys, mutated),
    "security-setup": Target(security_setup, (CosemicError,), _parameters, _by_type),
}
