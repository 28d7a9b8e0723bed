"""Protected data (class 30; reference, security 15): every kind, held against ``cryptography`` alone, and refusals."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap, aes_key_wrap
from hypothesis import given
from hypothesis import strategies as st

from cosemic.dialect import (
    STANDARD,
    DataProtectionMeta,
    DataProtectionSignature,
    Dialect,
    GeneralCipheringAad,
    GeneralSigningTbs,
    TransactionIds,
)
from cosemic.errors import ConfigurationError, DecipheringError, EncodeError, SecurityError
from cosemic.model.protection import (
    AgreedKeyOptions,
    IdentifiedKey,
    KeyInfoElement,
    KeyInfoType,
    ProtectionOptions,
    ProtectionParametersElement,
    ProtectionType,
    WrappedKeyOptions,
)
from cosemic.security import MemoryCounterStore, Protection, security_suite
from cosemic.security.data_opening import REFUSED
from cosemic.security.data_parameters import wanted
from cosemic.security.data_protection import DataProtector, ProtectedData
from cosemic.security.general import GeneralHeader, KeyEstablishment, Layer, MemoryTransactionStore
from cosemic.values import KekId
from tests.security.parties import STRANGER, THIRD, material, own, party
from tests.security.samples import CLIENT, SERVER

DATA = bytes.fromhex("020206000003e81101")
A, E, S = Protection.AUTHENTICATED, Protection.ENCRYPTED, Protection.SIGNED
BOTH = A | E
K = KeyEstablishment
ID = bytes.fromhex("0102030405060708")
IDENTIFIED = KeyInfoElement(KeyInfoType.IDENTIFIED_KEY, IdentifiedKey.GLOBAL_UNICAST_ENCRYPTION_KEY)
KINDS: dict[int, tuple[KeyEstablishment, ...]] = {0: (K.GLOBAL_UNICAST, K.GLOBAL_BROADCAST, K.WRAPPED)}
KINDS[1] = KINDS[2] = (*KINDS[0], K.ONE_PASS, K.STATIC)
EACH = [(suite, kind, protection) for suite in KINDS for kind in KINDS[suite] for protection in (A, E, BOTH)]


@dataclass
class Side:
    protector: DataProtector
    counters: MemoryCounterStore
    transactions: MemoryTransactionStore

    @property
    def state(self) -> object:
        """All that refused data must not change."""
        volatile = self.protector.volatile
        assert isinstance(volatile, MemoryTransactionStore)
        known = [*self.transactions._known.items(), *volatile._known.items()]
        counters = self.protector._received.items()
        return (
            dict(self.counters._receive),
            {place: counter.volatile for place, counter in counters if counter.volatile},
            [(place, memory.highest, frozenset(memory.remembered)) for place, memory in known],
        )


def side(title: bytes, *others: Any, suite: int = 1, dialect: Dialect = STANDARD, **more: Any) -> Side:
    counters, transactions = MemoryCounterStore(), MemoryTransactionStore()
    protector = DataProtector(
        own(title, suite),
        others,
        suite=security_suite(suite),
        counters=counters,
        transactions=transactions,
        dialect=dialect,
        **more,
    )
    return Side(protector, counters, transactions)


def client(suite: int = 1, dialect: Dialect = STANDARD, **more: Any) -> Side:
    return side(CLIENT, party(SERVER, suite), suite=suite, dialect=dialect, **more)


def server(suite: int = 1, dialect: Dialect = STANDARD, *, of_client: Any = None, **more: Any) -> Side:
    known = party(CLIENT, suite, **({"broker": True} | (of_client or {})))
    return side(SERVER, known, party(THIRD, suite, third=True), suite=suite, dialect=dialect, **more)


def third(suite: int = 1) -> Side:
    return side(THIRD, party(SERVER, suite, third=True), suite=suite)


ALONE = {"encryption_alone": True}


def to_server(protection: Protection = BOTH, kind: KeyEstablishment | None = K.GLOBAL_UNICAST, **more: Any) -> Layer:
    return Layer(recipient=SERVER, protection=protection, key_info=None if protection is S else kind, **more)


def refused(at: Side, protected: ProtectedData, **more: Any) -> None:
    before = at.state
    with pytest.raises(DecipheringError) as error:
        at.protector.open(protected.octets, protected.parameters, **more)
    assert type(error.value) is DecipheringError
    assert str(error.value) == REFUSED
    assert at.state == before


def changed(protected: ProtectedData, at: int = 0, /, **fields: Any) -> ProtectedData:
    """Protected data with other fields in the options of one layer."""
    elements = list(protected.parameters)
    options = replace(elements[at].protection_options, **fields)
    elements[at] = replace(elements[at], protection_options=options)
    return replace(protected, parameters=tuple(elements))


# ---- round trips -----------------------------------------------------------------------------------------------------


def test_a_system_title_is_that_of_one_party() -> None:
    with pytest.raises(ConfigurationError, match="two parties"):
        side(CLIENT, party(SERVER, 1), party(SERVER, 1, broker=True))


@pytest.mark.parametrize(("suite", "kind", "protection"), EACH)
def test_data_come_back_and_only_once(suite: int, kind: KeyEstablishment, protection: Protection) -> None:
    one, other = client(suite), server(suite, of_client=ALONE)
    protected = one.protector.protect(DATA, [to_server(protection, kind)])
    assert (DATA in protected.octets) is (protection == A)
    opened = other.protector.open(protected.octets, protected.parameters)
    assert (opened.data, opened.applied) == (DATA, protection)
    assert [layer.key_info for layer in opened.layers] == [kind]
    assert DATA.hex() not in repr(opened)
    opened.accept()
    refused(other, protected)
    other.protector.unprotect(one.protector.protect(DATA, [to_server(protection, kind)]))


@pytest.mark.parametrize("suite", [1, 2])
def test_signed_data_come_back_and_only_once(suite: int) -> None:
    one, other = client(suite), server(suite)
    protected = one.protector.protect(DATA, [to_server(S)])
    opened = other.protector.unprotect(protected)
    assert (opened.data, opened.applied, opened.layers[0].key_info) == (DATA, S, None)
    refused(other, protected)


@pytest.mark.parametrize(("suite", "kind"), [(suite, kind) for suite in (1, 2) for kind in KINDS[suite]])
def test_an_answer_has_the_layers_of_the_request_and_what_it_needs_beyond(suite: int, kind: KeyEstablishment) -> None:
    one, other = client(suite), server(suite)
    if kind is K.GLOBAL_BROADCAST:
        with pytest.raises(EncodeError):
            other.protector.unprotect(one.protector.protect(DATA, [to_server(kind=kind)])).answering(Protection.NONE)
        return
    opened = other.protector.unprotect(one.protector.protect(DATA, [to_server(kind=kind)], transaction_id=ID))
    answer = other.protector.protect(b"\x00", opened.answering(S))
    back = one.protector.unprotect(answer, transaction_id=ID)
    assert (back.data, back.applied) == (b"\x00", BOTH | S)
    assert [layer.key_info for layer in back.layers] == [kind, None]
    refused(client(suite), answer, transaction_id=b"another!")


def test_layers_are_applied_in_the_order_of_the_list_and_taken_off_the_other_way() -> None:
    one, other = client(), server()
    protected = one.protector.protect(DATA, [to_server(S), to_server(BOTH, K.WRAPPED)])
    assert [each.protection_type for each in protected.parameters] == [3, 2]
    assert [layer.protection for layer in other.protector.unprotect(protected).layers] == [BOTH, S]
    turned = one.protector.protect(DATA, [to_server(BOTH, K.WRAPPED), to_server(S)])
    refused(other, replace(turned, parameters=turned.parameters[::-1]))
    assert [layer.protection for layer in other.protector.unprotect(turned).layers] == [S, BOTH]


# ---- against cryptography --------------------------------------------------------------------------------------------


def meta(transaction_id: bytes = ID, other: bytes = b"\xcc", date_time: bytes = b"") -> bytes:
    fields = transaction_id, CLIENT, SERVER, other
    encoded = [bytes((len(each),)) + each for each in fields]
    return b"".join([*encoded[:3], date_time, encoded[3]])


def ciphered(key: bytes, suite: int, protection: Protection, counter: int, aad: bytes) -> bytes:
    """SC IC body T by AESGCM alone; AK as in the material of the tests."""
    control = bytes((suite | int(protection) << 4,))
    ak = material(suite).authentication_key
    assert ak is not None
    nonce, added = CLIENT + counter.to_bytes(4, "big"), control + ak.reveal() + aad
    head = control + counter.to_bytes(4, "big")
    if protection == A:
        return head + DATA + AESGCM(key).encrypt(nonce, b"", added + DATA)[:12]
    if protection == E:
        return head + AESGCM(key).encrypt(nonce, DATA, None)[: len(DATA)]
    return head + AESGCM(key).encrypt(nonce, DATA, added)[: len(DATA) + 12]


def element(kind: int, key_info: KeyInfoElement) -> ProtectionParametersElement:
    return ProtectionParametersElement(ProtectionType(kind), ProtectionOptions(ID, CLIENT, SERVER, b"\xcc", key_info))


def derived(suite: int, z: bytes, *, static: bool) -> bytes:
    """K by the formulas of section 8.4."""
    hash_, length, number = {1: (hashlib.sha256, 16, 0), 2: (hashlib.sha384, 32, 1)}[suite]
    info = bytes.fromhex("608574050803") + bytes((number,)) + CLIENT + (b"\x08" + ID if static else b"") + SERVER
    return hash_(b"\0\0\0\1" + z + info).digest()[:length]


def private(key: Any) -> ec.EllipticCurvePrivateKey:
    found = key._key
    assert isinstance(found, ec.EllipticCurvePrivateKey)
    return found


HASHES = {1: (hashes.SHA256(), ec.SECP256R1(), 32), 2: (hashes.SHA384(), ec.SECP384R1(), 48)}


def signature_of(suite: int, data: bytes) -> bytes:
    algorithm, _, size = HASHES[suite]
    r, s = decode_dss_signature(private(own(CLIENT, suite).signing_key).sign(data, ec.ECDSA(algorithm)))
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def point(public: ec.EllipticCurvePublicKey, size: int) -> bytes:
    numbers = public.public_numbers()
    return numbers.x.to_bytes(size, "big") + numbers.y.to_bytes(size, "big")


def independent(suite: int, kind: KeyEstablishment, protection: Protection, added: bytes) -> ProtectedData:
    """Protected data from the client to the server, made without the code under test."""
    code = {A: 0, E: 1, BOTH: 2}[protection]
    if kind in (K.GLOBAL_UNICAST, K.GLOBAL_BROADCAST):
        which = IdentifiedKey(int(kind is K.GLOBAL_BROADCAST))
        key = (material(suite).broadcast_key if which else material(suite).encryption_key) or None
        assert key is not None
        info = KeyInfoElement(KeyInfoType.IDENTIFIED_KEY, which)
        return ProtectedData((element(code, info),), ciphered(key.reveal(), suite, protection, 7, added))
    if kind is K.WRAPPED:
        kek = material(suite).kek
        assert kek is not None
        fresh = bytes(range(100, 100 + len(kek)))
        info = KeyInfoElement(KeyInfoType.WRAPPED_KEY, WrappedKeyOptions(KekId(0), aes_key_wrap(kek.reveal(), fresh)))
        return ProtectedData((element(code, info),), ciphered(fresh, suite, protection, 0, added))
    _, curve, size = HASHES[suite]
    peer = private(own(SERVER, suite).agreement_key).public_key()
    if kind is K.STATIC:
        z = private(own(CLIENT, suite).agreement_key).exchange(ec.ECDH(), peer)
        info = KeyInfoElement(KeyInfoType.AGREED_KEY, AgreedKeyOptions(b"\x02", b""))
    else:
        ephemeral = ec.generate_private_key(curve)
        z, q = ephemeral.exchange(ec.ECDH(), peer), point(ephemeral.public_key(), size)
        info = KeyInfoElement(KeyInfoType.AGREED_KEY, AgreedKeyOptions(b"\x01", q + signature_of(suite, q)))
    key_ = derived(suite, z, static=kind is K.STATIC)
    return ProtectedData((element(code, info),), ciphered(key_, suite, protection, 0, added))


@pytest.mark.parametrize(("suite", "kind", "protection"), EACH)
def test_data_protected_by_other_software_are_taken(suite: int, kind: KeyEstablishment, protection: Protection) -> None:
    protected = independent(suite, kind, protection, meta())
    at = server(suite, of_client=ALONE)
    assert at.protector.unprotect(protected).data == DATA


@pytest.mark.parametrize(
    ("dialect", "added"),
    [
        (STANDARD.but(data_protection_meta=DataProtectionMeta.EMPTY_DATE_TIME), meta(date_time=b"\0")),
        (STANDARD.but(general_ciphering_aad=GeneralCipheringAad.SC_AK), b""),
        (STANDARD, meta()),
    ],
)
def test_exactly_what_the_dialect_says_is_authenticated(dialect: Dialect, added: bytes) -> None:
    for each in (meta(date_time=b"\0"), b"", meta()):
        protected = independent(1, K.WRAPPED, BOTH, each)
        if each == added:
            assert server(1, dialect).protector.unprotect(protected).data == DATA
        else:
            refused(server(1, dialect), protected)


@pytest.mark.parametrize("suite", [1, 2])
@pytest.mark.parametrize("date_time", [b"", b"\0"])
@pytest.mark.parametrize("with_length", [True, False])
@pytest.mark.parametrize("appended", [True, False])
def test_signatures_are_over_what_the_dialect_says(
    suite: int, date_time: bytes, with_length: bool, appended: bool
) -> None:
    sized = bytes((len(DATA),)) + DATA
    signature = signature_of(suite, meta(date_time=date_time) + (sized if with_length else DATA))
    octets = DATA + signature if appended else sized + bytes((len(signature),)) + signature
    dialect = STANDARD.but(
        data_protection_meta=DataProtectionMeta.EMPTY_DATE_TIME if date_time else DataProtectionMeta.WITHOUT_DATE_TIME,
        general_signing_tbs=list(GeneralSigningTbs)[not with_length],
        data_protection_signature=list(DataProtectionSignature)[appended],
    )
    protected = ProtectedData((element(3, IDENTIFIED),), octets)
    assert server(suite, dialect).protector.unprotect(protected).data == DATA
    if dialect != STANDARD:
        refused(server(suite), protected)
    own_octets = client(suite, dialect).protector.protect(DATA, [to_server(S)]).octets
    assert own_octets[: -len(signature)] == octets[: -len(signature)]


@pytest.mark.parametrize("suite", [0, 1, 2])
def test_what_is_protected_here_can_be_opened_by_other_software(suite: int) -> None:
    protected = client(suite).protector.protect(
        DATA, [to_server(BOTH, K.WRAPPED, transaction_id=ID, other_information=b"\xcc")]
    )
    options = protected.parameters[0].protection_options
    assert (options.transaction_id, options.originator_system_title, options.recipient_system_title) == (
        ID,
        CLIENT,
        SERVER,
    )
    key_info, kek = options.key_info.key_info_options, material(suite).kek
    assert isinstance(key_info, WrappedKeyOptions)
    assert kek is not None
    key = aes_key_unwrap(kek.reveal(), key_info.key_ciphered_data)
    assert protected.octets == ciphered(key, suite, BOTH, 0, meta())


@pytest.mark.parametrize("suite", [1, 2])
def test_signatures_made_here_are_verified_by_other_software(suite: int) -> None:
    octets = client(suite).protector.protect(DATA, [to_server(S, transaction_id=ID, other_information=b"\xcc")]).octets
    algorithm, _, size = HASHES[suite]
    sized = bytes((len(DATA),)) + DATA
    assert octets.startswith(sized + bytes((2 * size,)))
    r, s = (int.from_bytes(each, "big") for each in (octets[-2 * size : -size], octets[-size:]))
    public = private(own(CLIENT, suite).signing_key).public_key()
    public.verify(encode_dss_signature(r, s), meta() + sized, ec.ECDSA(algorithm))


# ---- refusals --------------------------------------------------------------------------------------------------------


def flipped(octets: bytes) -> list[bytes]:
    return [
        octets[:at] + bytes((octets[at] ^ 1 << bit,)) + octets[at + 1 :]
        for at in range(len(octets))
        for bit in range(8)
    ]


FLIPPED = [(suite, kind) for suite in KINDS for kind in (*KINDS[suite], None) if suite or kind is not None]


@pytest.mark.slow
@pytest.mark.parametrize(("suite", "kind"), FLIPPED)
def test_every_flipped_bit_is_refused_and_changes_nothing(suite: int, kind: KeyEstablishment | None) -> None:
    layer = to_server(BOTH, kind) if kind is not None else to_server(S)
    protected = client(suite).protector.protect(DATA, [replace(layer, other_information=b"\xcc")])
    at = server(suite)
    for octets in flipped(protected.octets):
        refused(at, replace(protected, octets=octets))
    options = protected.parameters[0].protection_options
    names = "transaction_id", "originator_system_title", "recipient_system_title", "other_information"
    for name in names:
        for octets in flipped(getattr(options, name)):
            refused(at, changed(protected, **{name: octets}))
    ciphered_key = getattr(options.key_info.key_info_options, "key_ciphered_data", b"")
    for octets in flipped(ciphered_key):
        key_options: Any = options.key_info.key_info_options
        key_info = replace(options.key_info, key_info_options=replace(key_options, key_ciphered_data=octets))
        refused(at, changed(protected, key_info=key_info))
    for kind_ in ProtectionType:
        if kind_ != protected.parameters[0].protection_type:
            refused(at, replace(protected, parameters=(replace(protected.parameters[0], protection_type=kind_),)))
    assert at.protector.unprotect(protected).data == DATA


@pytest.mark.parametrize("protection", [A, BOTH, S])
def test_a_few_flipped_bits_are_refused(protection: Protection) -> None:
    protected = client().protector.protect(DATA, [to_server(protection, K.WRAPPED)])
    at = server()
    for octets in flipped(protected.octets)[::17]:
        refused(at, replace(protected, octets=octets))
    for size in range(len(protected.octets)):
        refused(at, replace(protected, octets=protected.octets[:size]))
    refused(at, replace(protected, octets=protected.octets + b"\0"))
    refused(at, replace(protected, parameters=()))
    refused(at, replace(protected, parameters=protected.parameters * 5))


@pytest.mark.parametrize("kind", KINDS[1])
def test_data_for_others_or_from_nobody_known_are_refused(kind: KeyEstablishment) -> None:
    one, at = client(), server()
    protected = one.protector.protect(DATA, [to_server(kind=kind)])
    for title in (b"", STRANGER, SERVER, THIRD, CLIENT[:7]):
        refused(at, changed(protected, originator_system_title=title))
    for title in (STRANGER, CLIENT, THIRD, SERVER[:7], SERVER + b"\0"):
        refused(at, changed(protected, recipient_system_title=title))
    refused(one, protected)  # reflected
    refused(side(STRANGER, party(CLIENT, 1)), protected)
    refused(server(of_client={"key_infos": frozenset(KINDS[1]) - {kind}}), protected)
    assert at.protector.unprotect(protected).data == DATA


def test_a_signature_of_somebody_else_is_refused() -> None:
    protected = client().protector.protect(DATA, [to_server(S)])
    refused(server(of_client={"signing": party(THIRD, 1).signing}), protected)
    refused(server(of_client={"signing": None}), protected)


@pytest.mark.parametrize(("suite", "other"), [(1, 0), (0, 1), (2, 1)])
def test_another_suite_and_bits_that_are_not_for_data_are_refused(suite: int, other: int) -> None:
    protected = client(suite).protector.protect(DATA, [to_server()])
    refused(server(other), protected)
    for bit in (0x40, 0x80):
        octets = bytes((protected.octets[0] | bit,)) + protected.octets[1:]
        refused(server(suite), replace(protected, octets=octets))


def test_counters_of_data_rise_on_their_own() -> None:
    """What the association has received under the same key does not shut out data that were protected before."""
    one, at = client(), server()
    first = one.protector.protect(DATA, [to_server()])
    second = one.protector.protect(DATA, [to_server(), to_server()])
    key = material(1).encryption_key
    around = one.counters.transmit_counter(key.identity, CLIENT).next()
    assert around == 3  # one counter for all that is sent
    at.counters.receive_counter(key.identity, CLIENT).accept(around)
    at.protector.unprotect(first)
    at.protector.unprotect(second)
    refused(at, first)
    refused(at, second)
    late = one.protector.protect(DATA, [to_server()])
    at.protector.unprotect(one.protector.protect(DATA, [to_server()]))
    refused(at, late)
    assert at.counters.receive_counter(key.identity, CLIENT).lowest == around + 1


def test_two_copies_at_once_count_once() -> None:
    for kind in KINDS[1]:
        protected, at = client().protector.protect(DATA, [to_server(kind=kind)]), server()
        copies = [at.protector.open(protected.octets, protected.parameters) for _ in range(2)]
        copies[0].accept()
        with pytest.raises(DecipheringError, match="the protected data do not fit"):
            copies[1].accept()


def test_the_largest_counter_is_refused() -> None:
    protected = client().protector.protect(DATA, [to_server()])
    key = material(1).encryption_key
    control, counter = protected.octets[:1], b"\xff" * 4
    options = protected.parameters[0].protection_options
    added = b"".join(bytes((len(each),)) + each for each in (options.transaction_id, CLIENT, SERVER, b""))
    ak = material(1).authentication_key
    assert ak is not None
    sealed = AESGCM(key.reveal()).encrypt(CLIENT + counter, DATA, control + ak.reveal() + added)[: len(DATA) + 12]
    refused(server(), replace(protected, octets=control + counter + sealed))


# ---- encryption alone, and the false meter of mechanism 5 ------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS[1])
def test_encryption_alone_is_taken_only_where_something_vouches_for_it(kind: KeyEstablishment) -> None:
    bare = to_server(E, kind)
    for layers in ([to_server(S), bare], [bare, to_server(S)], [to_server(A, K.GLOBAL_UNICAST), bare]):
        assert server().protector.unprotect(client().protector.protect(DATA, layers)).data == DATA
    alone = client().protector.protect(DATA, [bare])
    refused(server(), alone)
    assert server(of_client=ALONE).protector.unprotect(alone).data == DATA


def test_a_signature_around_vouches_only_for_its_own_parameters() -> None:
    protected = client().protector.protect(DATA, [to_server(E, K.STATIC), to_server(S)])
    refused(server(), changed(protected, 0, transaction_id=b"another!"))
    assert server().protector.unprotect(protected).data == DATA
    apart = client().protector.protect(DATA, [to_server(E, K.STATIC, transaction_id=ID), to_server(S)])
    refused(server(), apart)


def test_a_tag_that_is_not_over_the_parameters_vouches_for_none() -> None:
    dialect = STANDARD.but(general_ciphering_aad=GeneralCipheringAad.SC_AK)
    layers = [to_server(E, K.STATIC), to_server(A, K.GLOBAL_UNICAST)]
    refused(server(1, dialect), client(1, dialect).protector.protect(DATA, layers))
    assert server().protector.unprotect(client().protector.protect(DATA, layers)).data == DATA


def test_encrypted_data_that_nothing_vouches_for_move_no_stored_counter() -> None:
    at, one = server(of_client=ALONE), client()
    key = material(1).encryption_key
    protected = one.protector.protect(DATA, [to_server(E)])
    at.protector.unprotect(protected)
    refused(at, protected)
    assert not at.counters._receive
    assert at.protector.counter(key, CLIENT).lowest == 0
    assert at.protector.counter(key, CLIENT).volatile == 1


def test_beside_mechanism_5_authentication_alone_under_the_unicast_key_is_refused() -> None:
    protected = client().protector.protect(DATA, [to_server(A)])
    refused(server(gmac_offered=True), protected)
    assert server(gmac_offered=False).protector.unprotect(protected).data == DATA
    for layer in (to_server(BOTH), to_server(A, K.WRAPPED)):
        server(gmac_offered=True).protector.unprotect(client().protector.protect(DATA, [layer]))


def test_encryption_cannot_be_cut_off_from_authentication() -> None:
    protected = client().protector.protect(DATA, [to_server(BOTH)])
    bare = bytes((protected.octets[0] & ~0x10,)) + protected.octets[1:-12]
    # The parameters say so, or still say that they are authenticated.
    parameters = (replace(protected.parameters[0], protection_type=ProtectionType.ENCRYPTION),)
    for told in (parameters, protected.parameters):
        refused(server(), ProtectedData(told, bare))


# ---- third parties ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [K.ONE_PASS, K.STATIC, None])
def test_a_third_party_protects_with_agreed_keys_and_signatures(kind: KeyEstablishment | None) -> None:
    layer = to_server(BOTH, kind) if kind else to_server(S)
    protected = third().protector.protect(DATA, [layer])
    at = server()
    assert at.protector.unprotect(protected).data == DATA
    refused(at, protected)


@pytest.mark.parametrize("kind", [K.GLOBAL_UNICAST, K.GLOBAL_BROADCAST, K.WRAPPED])
def test_a_third_party_cannot_use_the_keys_of_the_client(kind: KeyEstablishment) -> None:
    with pytest.raises(ConfigurationError, match="not permitted"):
        third().protector.prepare([to_server(kind=kind)])
    stolen = side(THIRD, party(SERVER, 1)).protector.protect(DATA, [to_server(kind=kind)])
    refused(server(), stolen)


def test_layers_of_a_third_party_stand_inside_those_of_its_broker_alone() -> None:
    inner = third().protector.protect(DATA, [to_server(S), to_server(BOTH, K.ONE_PASS)])
    outer = client().protector.protect(inner.octets, [to_server(BOTH, K.WRAPPED)])
    protected = ProtectedData(inner.parameters + outer.parameters, outer.octets)
    assert [layer.header.originator for layer in server().protector.unprotect(protected).layers] == [
        CLIENT,
        THIRD,
        THIRD,
    ]
    refused(server(of_client={"broker": False}), protected)


def test_a_signature_of_the_broker_does_not_count_as_that_of_the_author() -> None:
    inner = third().protector.protect(DATA, [to_server(A, K.ONE_PASS)])
    outer = client().protector.protect(inner.octets, [to_server(S), to_server(E, K.WRAPPED)])
    assert (
        server().protector.unprotect(ProtectedData(inner.parameters + outer.parameters, outer.octets)).applied == BOTH
    )


def test_an_answer_through_a_broker_has_layers_for_both() -> None:
    inner = third().protector.protect(DATA, [to_server(BOTH, K.ONE_PASS)])
    outer = client().protector.protect(inner.octets, [to_server(A, K.WRAPPED)])
    at = server()
    opened = at.protector.unprotect(ProtectedData(inner.parameters + outer.parameters, outer.octets))
    answer = at.protector.protect(b"\x00", opened.answering(Protection.NONE))
    assert [each.protection_options.recipient_system_title for each in answer.parameters] == [THIRD, CLIENT]
    taken = client().protector.unprotect(ProtectedData(answer.parameters[1:], answer.octets))
    assert third().protector.unprotect(ProtectedData(answer.parameters[:1], taken.data)).data == b"\x00"


# ---- giving ----------------------------------------------------------------------------------------------------------


def test_a_key_of_static_keys_is_given_once() -> None:
    one = client()
    one.protector.protect(DATA, [to_server(kind=K.STATIC, transaction_id=ID)])
    with pytest.raises(SecurityError, match="given before"):
        one.protector.protect(DATA, [to_server(kind=K.STATIC, transaction_id=ID)])
    with pytest.raises(EncodeError, match="at most"):
        one.protector.protect(DATA, [to_server(kind=K.STATIC), to_server(kind=K.STATIC)])


def test_prepared_layers_protect_once() -> None:
    prepared = client().protector.prepare([to_server()])
    prepared.seal(DATA)
    with pytest.raises(EncodeError, match="prepare fresh ones"):
        prepared.seal(DATA)


def test_what_cannot_be_protected_is_refused_before_anything_is_used() -> None:
    one = client()
    for layers in ([], [to_server()] * 5, [to_server(date_time=bytes(12))], [to_server(transaction_id=b"")]):
        with pytest.raises(EncodeError):
            one.protector.prepare(layers)
    with pytest.raises(EncodeError, match="without protection"):
        one.protector.prepare([Layer(recipient=SERVER, protection=Protection.NONE)])
    for layer in (Layer(recipient=STRANGER), Layer(recipient=STRANGER, protection=S)):
        with pytest.raises(ConfigurationError, match="nothing is known"):
            one.protector.prepare([layer])
    with pytest.raises(ConfigurationError, match="digital signature key"):
        client(0).protector.prepare([to_server(S)])
    with pytest.raises(EncodeError, match="cannot be said"):
        one.protector.prepare([to_server(kind=K.ABSENT)])
    assert one.counters.transmit_counter(material(1).encryption_key.identity, CLIENT).next() == 0


def test_rising_ids_go_by_the_highest() -> None:
    dialect = STANDARD.but(transaction_ids=TransactionIds.RISING)
    one, at = client(1, dialect), server(1, dialect)
    first, second = (one.protector.protect(DATA, [to_server(kind=K.WRAPPED)]) for _ in range(2))
    at.protector.unprotect(second)
    refused(at, first)


def test_ids_of_data_and_of_the_apdus_around_them_rise_on_their_own() -> None:
    dialect = STANDARD.but(transaction_ids=TransactionIds.RISING)
    protected, at = client(1, dialect).protector.protect(DATA, [to_server(kind=K.WRAPPED)]), server(1, dialect)
    header = GeneralHeader(b"\xff" * 8, CLIENT, SERVER)
    around = at.protector.establisher.by_id(K.WRAPPED, at.protector.parties[CLIENT], header, authenticated=True)
    assert around is not None
    at.transactions.accept([around])
    assert at.protector.unprotect(protected).data == DATA


def test_what_is_wanted_leaves_gaps_to_who_protects() -> None:
    void = ProtectionOptions(b"", b"", b"", b"", IDENTIFIED)
    asked = ProtectionParametersElement(ProtectionType.AUTHENTICATION, void)
    assert wanted(asked, SERVER, CLIENT) == Layer(recipient=CLIENT, protection=A, key_info=K.GLOBAL_UNICAST)
    with pytest.raises(EncodeError, match="originator_system_title"):
        wanted(replace(asked, protection_options=replace(void, originator_system_title=CLIENT)), SERVER, CLIENT)


# ---- anything --------------------------------------------------------------------------------------------------------

KEY_INFOS = st.one_of(
    st.just(IDENTIFIED),
    st.builds(KeyInfoElement, st.integers(0, 255), st.integers(0, 3)),
    st.builds(
        KeyInfoElement,
        st.integers(0, 3),
        st.builds(WrappedKeyOptions, st.integers(0, 2), st.binary(max_size=40)),
    ),
    st.builds(
        KeyInfoElement,
        st.integers(0, 3),
        st.builds(AgreedKeyOptions, st.sampled_from([b"", b"\1", b"\2", b"\1\1", b"\3"]), st.binary(max_size=200)),
    ),
)
TITLES = st.one_of(st.sampled_from([CLIENT, SERVER, THIRD, b""]), st.binary(max_size=9))
ELEMENTS = st.builds(
    ProtectionParametersElement,
    st.integers(0, 255) | st.integers(0, 3),
    st.builds(ProtectionOptions, st.binary(max_size=40), TITLES, TITLES, st.binary(max_size=200), KEY_INFOS),
)


@given(st.lists(ELEMENTS, max_size=6), st.binary(max_size=200), st.sampled_from([STANDARD, None]))
def test_anything_is_refused_in_one_way(elements: list[Any], octets: bytes, dialect: Dialect | None) -> None:
    appended = STANDARD.but(data_protection_signature=DataProtectionSignature.APPENDED)
    refused(server(1, dialect or appended), ProtectedData(tuple(elements), octets))
