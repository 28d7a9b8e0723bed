"""Keys on the elliptic curves P-256 and P-384 (FIPS 186-4, D.1.2; Green Book 9.2.3.4; reference, security 8.2 and 9).

::

    public key     x | y           64 or 96 octets, no 04 in front
    private key    scalar          32 or 48 octets
    signature      r | s           64 or 96 octets, never DER
    Z              x of the common point, 32 or 48 octets

A :class:`PublicKey` is a point of its curve: there is no other way to make one than through the validation. Both curves
have cofactor 1, so a point on them has the order of the group, and infinity has no encoding.

Private keys are handles: what works with them asks for a :class:`SigningKey` or an :class:`AgreementKey` and does not
learn whether the scalar is in this process (:class:`SoftwareSigningKey`, :class:`SoftwareAgreementKey`) or in a token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NoReturn, Protocol, Self, TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from cosemic.errors import CertificateError, ConfigurationError, DecodeError
from cosemic.security.suite import EllipticCurve, HashName, SecuritySuite
from cosemic.values.secret import HiddenOctets, Secret


def _ecdsa(hash_algorithm: hashes.HashAlgorithm) -> ec.ECDSA:
    """Return ECDSA with the k of RFC 6979 where the installed library has it, else with a random k."""
    try:
        return ec.ECDSA(hash_algorithm, deterministic_signing=True)
    except (TypeError, UnsupportedAlgorithm):  # TypeError: a release that does not know the argument
        return ec.ECDSA(hash_algorithm)


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A curve y^2 = x^3 - 3x + b over the numbers modulo p, with the hash that the suites use it with.

    order: of the group, and of its base point; the cofactor is 1. length: octets of a coordinate.
    """

    name: EllipticCurve
    length: int
    p: int
    b: int
    order: int
    hash_name: HashName
    cryptography: ec.EllipticCurve
    signing: ec.ECDSA
    verifying: ec.ECDSA

    def has(self, x: int, y: int) -> bool:
        """Tell whether x and y are below p and a point of the curve."""
        return 0 <= x < self.p and 0 <= y < self.p and (y * y - (x * x - 3) * x - self.b) % self.p == 0

    def plain_signature(self, der: bytes) -> bytes:
        """Return a DER signature as r || s."""
        r, s = decode_dss_signature(der)
        return r.to_bytes(self.length, "big") + s.to_bytes(self.length, "big")

    def der_signature(self, plain: bytes) -> bytes | None:
        """Return a signature r || s as DER; None for another length, and where r or s is not from 1 to order - 1."""
        length, order = self.length, self.order
        if len(plain) != 2 * length:
            return None
        r, s = int.from_bytes(plain[:length], "big"), int.from_bytes(plain[length:], "big")
        return encode_dss_signature(r, s) if 0 < r < order and 0 < s < order else None


P256: Final = Curve(
    name="P-256",
    length=32,
    p=2**256 - 2**224 + 2**192 + 2**96 - 1,
    b=0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    order=0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    hash_name="sha256",
    cryptography=ec.SECP256R1(),
    signing=_ecdsa(hashes.SHA256()),
    verifying=ec.ECDSA(hashes.SHA256()),
)
P384: Final = Curve(
    name="P-384",
    length=48,
    p=2**384 - 2**128 - 2**96 + 2**32 - 1,
    b=0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
    order=0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    hash_name="sha384",
    cryptography=ec.SECP384R1(),
    signing=_ecdsa(hashes.SHA384()),
    verifying=ec.ECDSA(hashes.SHA384()),
)
CURVES: Final[dict[EllipticCurve, Curve]] = {curve.name: curve for curve in (P256, P384)}


def curve_of(suite: SecuritySuite) -> Curve:
    """Return the curve of a suite. Raises ConfigurationError for a suite without one."""
    if suite.curve is None:
        raise ConfigurationError(f"security suite {suite.id} ({suite.name}) has no public keys: use suite 1 or 2")
    return CURVES[suite.curve]


class PublicKey:
    """A public key: a validated point.

    ``octets``: x || y, 64 or 96. ``curve``: its :class:`Curve`, ``suite_curve`` the name. Compares by value.
    """

    __slots__ = ("_key", "curve", "octets")

    curve: Curve
    octets: bytes

    def __init__(self, curve: Curve, octets: bytes) -> None:
        length = curve.length
        if len(octets) != 2 * length:
            raise DecodeError(f"a public key on {curve.name} of {2 * length} octets", len(octets), "public-key")
        self.octets = octets = bytes(octets)
        self.curve = curve
        if not curve.has(int.from_bytes(octets[:length], "big"), int.from_bytes(octets[length:], "big")):
            raise DecodeError(f"a point of the curve {curve.name}", 0, "public-key")
        self._key = ec.EllipticCurvePublicKey.from_encoded_point(curve.cryptography, b"\x04" + octets)

    @classmethod
    def of(cls, octets: bytes, suite: SecuritySuite) -> Self:
        """Return the key that x || y stand for.

        Raises DecodeError for another length, a coordinate that is not below p, and a point that is not on the curve;
        ConfigurationError for a suite without a curve.
        """
        return cls(curve_of(suite), octets)

    @classmethod
    def from_cryptography(cls, key: ec.EllipticCurvePublicKey) -> Self:
        """Return the key of a certificate or library. Raises DecodeError when it is on no curve of the suites."""
        for curve in CURVES.values():
            if isinstance(key.curve, type(curve.cryptography)):
                numbers = key.public_numbers()
                x, y = (each.to_bytes(curve.length, "big") for each in (numbers.x, numbers.y))
                return cls(curve, x + y)
        raise DecodeError(f"a public key on P-256 or P-384, not on {key.curve.name}", 0, "public-key")

    def to_cryptography(self) -> ec.EllipticCurvePublicKey:
        """Return the one library object of this key."""
        return self._key

    @property
    def suite_curve(self) -> EllipticCurve:
        """The name of its curve: compare it with that of a suite."""
        return self.curve.name

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PublicKey):
            return NotImplemented
        return self.curve is other.curve and self.octets == other.octets

    def __hash__(self) -> int:
        return hash(self.octets)

    def __repr__(self) -> str:
        return f"PublicKey({self.curve.name}, {self.octets.hex()})"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[object, ...]:
        return _restored, (self.curve.name, self.octets)


def _restored(name: EllipticCurve, octets: bytes) -> PublicKey:
    return PublicKey(CURVES[name], octets)


class SigningKey(Protocol):
    """A private key for digital signatures, wherever it is kept."""

    @property
    def public(self) -> PublicKey:
        """The public key that belongs to it."""

    def sign(self, data: bytes) -> bytes:
        """Return the signature r || s, 64 or 96 octets, of ECDSA over ``data`` with the hash of the curve."""


class AgreementKey(Protocol):
    """A private key for key agreement, wherever it is kept."""

    @property
    def public(self) -> PublicKey:
        """The public key that belongs to it."""

    def exchange(self, peer: PublicKey) -> bytearray:
        """Return Z, 32 or 48 octets: x of the common point with ``peer``. Whoever asks wipes it (:func:`wipe`).

        Raises ConfigurationError when ``peer`` is on another curve.
        """


Handle = TypeVar("Handle", SigningKey, AgreementKey)


def usable(handle: Handle | None) -> Handle | None:
    """Return a handle; None where it stands for a key whose certificate is not there yet."""
    if handle is not None:
        try:
            handle.public  # noqa: B018 - to have it is the question
        except CertificateError:
            return None
    return handle


_ECDH: Final = ec.ECDH()


class _SoftwareKey:
    """A private key in this process: a handle that shows nothing of it."""

    __slots__ = ("_key", "public")

    public: PublicKey

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self.public = PublicKey.from_cryptography(key.public_key())
        self._key = key

    @classmethod
    def generate(cls, suite: SecuritySuite) -> Self:
        """Return a fresh key, drawn by the library. Raises ConfigurationError for a suite without a curve."""
        return cls(ec.generate_private_key(curve_of(suite).cryptography))

    @classmethod
    def of(cls, scalar: Secret | bytes, suite: SecuritySuite) -> Self:
        """Return the key with that scalar, 32 or 48 octets.

        Raises ConfigurationError for another length, for zero, for the order of the curve and above.
        """
        curve = curve_of(suite)
        octets = HiddenOctets(scalar.reveal() if isinstance(scalar, Secret) else scalar)
        number = int.from_bytes(octets, "big")
        if len(octets) != curve.length or not 0 < number < curve.order:
            del number  # it would stand in a traceback that shows local variables
            raise ConfigurationError(
                f"a private key of security suite {suite.id} is a number of {curve.length} octets, not zero and below "
                f"the order of {curve.name}; check the key file"
            )
        return cls(ec.derive_private_key(number, curve.cryptography))

    def to_secret(self) -> Secret:
        """Return the scalar, 32 or 48 octets, for a key store."""
        number = self._key.private_numbers().private_value
        return Secret(number.to_bytes(self.public.curve.length, "big"), "private key")

    def to_cryptography(self) -> ec.EllipticCurvePrivateKey:
        """Return the one library object of this key."""
        return self._key

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.public!r}>"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a private key cannot be pickled; keep it in a key store")


class SoftwareSigningKey(_SoftwareKey):
    """A :class:`SigningKey` in this process."""

    __slots__ = ()

    def sign(self, data: bytes) -> bytes:
        """Return the signature r || s, 64 or 96 octets; the same each time where the library can (RFC 6979)."""
        curve = self.public.curve
        return curve.plain_signature(self._key.sign(data, curve.signing))


class SoftwareAgreementKey(_SoftwareKey):
    """An :class:`AgreementKey` in this process."""

    __slots__ = ()

    def exchange(self, peer: PublicKey) -> bytearray:
        """Return Z, 32 or 48 octets, to be wiped. Raises ConfigurationError when ``peer`` is on another curve."""
        if peer.curve is not self.public.curve:
            raise ConfigurationError(
                f"keys on {self.public.curve.name} and {peer.curve.name} agree on nothing: check the security suites"
            )
        return bytearray(self._key.exchange(_ECDH, peer.to_cryptography()))


def wipe(octets: bytearray) -> None:
    """Overwrite octets that nobody needs any more with zeros."""
    octets[:] = bytes(len(octets))
