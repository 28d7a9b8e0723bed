"""How a simulated meter is protected, with keys that are drawn from its seed.

The keys of simulated meters can be computed by anybody who knows the seed: they are marked as simulator keys, and must
never be put into a real meter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from cosemic.association.service_provider import ServerSettings
from cosemic.errors import ConfigurationError
from cosemic.security import (
    CounterStore,
    KnownSigners,
    SecurityMaterial,
    SecurityPolicy,
    SecuritySuite,
    SoftwareSigningKey,
    security_suite,
)
from cosemic.security.elliptic import curve_of
from cosemic.server import MANAGEMENT_CLIENT, PUBLIC_CLIENT
from cosemic.values import ApplicationContext, AuthenticationMechanism, Secret

READING_CLIENT: Final = 2
KINDS: Final = ("none", "lls", "hls-gmac", "hls-ecdsa")
MIXED_KINDS: Final = KINDS[:3]
"""Those that go with security suite 0."""
HIGH_LEVEL: Final = KINDS[2:]
"""Those with a management client and ciphering."""
REFERENCING: Final[Mapping[str, tuple[bool, ...]]] = {"ln": (False,), "sn": (True,), "both": (False, True)}
"""Logical names, short names or both: whether application contexts have short names."""
MAKER: Final = b"CSM"
"""FLAG letters of the simulated maker."""
CLIENT_TITLE: Final = MAKER + bytes((0xC1, 0, 0, 0, 1))
"""System title of the client that the settings are made for."""
AUTHENTICATED_ENCRYPTED: Final = {0: SecurityPolicy(0, 3), 1: SecurityPolicy(1, 0x6C), 2: SecurityPolicy(1, 0x6C)}
"""By suite: Security setup version 0 knows suite 0 alone."""


def meter_title(serial: int) -> bytes:
    """Return the system title of a simulated meter, 8 octets."""
    return MAKER + (serial & 0xFFFFFFFFFF).to_bytes(5)


def context_names(referencing: str, *, ciphered: bool = False) -> frozenset[ApplicationContext]:
    """Return the application contexts of a meter that is addressed in one of the ways of :data:`REFERENCING`."""
    return frozenset(ApplicationContext.of(short_names=one, ciphered=ciphered) for one in REFERENCING[referencing])


@dataclass(frozen=True, slots=True)
class MeterSecurity:
    """Security of one simulated meter.

    kind: ``none`` (the public client reads everything), ``lls`` (a reading client with password beside it),
    ``hls-gmac`` or ``hls-ecdsa`` (a management client with ciphering as well). suite: security suite of the management
    client, 0 to 2. client_signs, meter_signs, system_title: private keys of both and title of the meter, of
    ``hls-ecdsa``. master_key: under which its keys are changed; None: they cannot be.

    Raises ConfigurationError for another kind or suite, and for ``hls-ecdsa`` in suite 0, which has no signatures.
    """

    kind: str
    password: Secret
    encryption_key: Secret
    authentication_key: Secret
    suite: int = 0
    client_signs: Secret | None = None
    meter_signs: Secret | None = None
    system_title: bytes = b""
    master_key: Secret | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigurationError(f"security is one of {', '.join(KINDS)}, not {self.kind!r}")
        _checked_suite(self.suite)
        if self.kind == "hls-ecdsa" and self.suite == 0:
            raise ConfigurationError("security hls-ecdsa needs suite 1 or 2: suite 0 has no signatures")

    @classmethod
    def of(cls, kind: str, serial: int, seed: int, suite: int = 0) -> MeterSecurity:
        """Return the security of a meter, the same for the same seed, serial number and suite."""
        draw = Random(f"Cosemic simulator keys, seed {seed}, serial {serial}")
        of = _checked_suite(suite)
        master_key = Random(f"Cosemic simulator master keys, seed {seed}, serial {serial}").randbytes(of.key_length)
        drawn = (
            Secret.password(f"{draw.randrange(10**8):08}"),
            Secret(draw.randbytes(of.key_length), "simulator encryption key"),
            Secret(draw.randbytes(of.key_length), "simulator authentication key"),
        )
        signs: dict[str, Any] = {}
        if kind == "hls-ecdsa" and of.curve:
            client, meter = _private_keys(draw, of)
            signs = {"client_signs": client, "meter_signs": meter, "system_title": meter_title(serial)}
        return cls(
            kind,
            *drawn,
            suite,
            **signs,
            master_key=Secret(master_key, "simulator master key"),
        )

    @property
    def client_sap(self) -> int:
        """The client that can read everything."""
        if self.kind in HIGH_LEVEL:
            return MANAGEMENT_CLIENT
        return READING_CLIENT if self.kind == "lls" else PUBLIC_CLIENT

    def client_settings(self) -> Mapping[str, Any]:
        """Return what this client needs: the names are those of a security settings file, keys are Secrets."""
        settings: dict[str, Any] = {"client_sap": self.client_sap, "server_sap": 1}
        match self.kind:
            case "none":
                settings["mechanism"] = "lowest"
            case "lls":
                settings |= {"mechanism": "lls", "password": self.password}
            case _:
                settings |= {
                    "mechanism": self.kind,
                    "system_title": CLIENT_TITLE.hex(),
                    "encryption_key": self.encryption_key,
                    "authentication_key": self.authentication_key,
                }
                if self.suite:
                    settings["suite"] = self.suite
                if self.client_signs is not None:
                    settings["signing_key"] = self.client_signs
                    settings["server_title"] = self.system_title.hex()
                    settings["server_public_key"] = self._key(self.meter_signs).public.octets.hex()
        return settings

    def _key(self, scalar: Secret | None) -> SoftwareSigningKey:
        if scalar is None:
            raise ConfigurationError("security hls-ecdsa needs private keys of both sides")
        return SoftwareSigningKey.of(scalar, security_suite(self.suite))

    def reading_settings(self) -> ServerSettings:
        """Return how the association of the reading client is opened."""
        return ServerSettings(mechanism=AuthenticationMechanism.LLS, secret=self.password)

    def management_settings(self, system_title: bytes, counters: CounterStore) -> ServerSettings:
        """Return how the association of the management client is opened."""
        signs: dict[str, Any] = {}
        if self.kind == "hls-ecdsa":
            signers = KnownSigners({CLIENT_TITLE: self._key(self.client_signs).public})
            signs = {"signing_key": self._key(self.meter_signs), "signers": signers}
        return ServerSettings(
            context_names=frozenset((ApplicationContext.LN_CIPHERED,)),
            mechanism=AuthenticationMechanism.from_label(self.kind),
            material=SecurityMaterial.of(
                self.encryption_key, self.authentication_key, suite=self.suite, kek=self.master_key
            ),
            counters=counters,
            system_title=system_title,
            policy=AUTHENTICATED_ENCRYPTED[self.suite],
            **signs,
        )


def _checked_suite(suite: int) -> SecuritySuite:
    if type(suite) is not int or suite not in AUTHENTICATED_ENCRYPTED:
        raise ConfigurationError(f"suite is the security suite of the management client: 0, 1 or 2, not {suite!r}")
    return security_suite(suite)


def _private_keys(draw: Random, suite: SecuritySuite) -> tuple[Secret, Secret]:
    """Private keys of client and meter."""
    order = curve_of(suite).order
    client, meter = (draw.randrange(1, order).to_bytes(suite.coordinate_length) for _ in range(2))
    return Secret(client, "simulator client's private key"), Secret(meter, "simulator meter's private key")
