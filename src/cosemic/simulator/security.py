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
from cosemic.security import CounterStore, SecurityMaterial, SecurityPolicy
from cosemic.server import MANAGEMENT_CLIENT, PUBLIC_CLIENT
from cosemic.values import ApplicationContext, AuthenticationMechanism, Secret

READING_CLIENT: Final = 2
KINDS: Final = ("none", "lls", "hls-gmac")
REFERENCING: Final[Mapping[str, tuple[bool, ...]]] = {"ln": (False,), "sn": (True,), "both": (False, True)}
"""Logical names, short names or both: whether application contexts have short names."""
MAKER: Final = b"CSM"
"""FLAG letters of the simulated maker."""
CLIENT_TITLE: Final = MAKER + bytes((0xC1, 0, 0, 0, 1))
"""System title of the client that the settings are made for."""
AUTHENTICATED_ENCRYPTED: Final = SecurityPolicy(0, 3)


def meter_title(serial: int) -> bytes:
    """Return the system title of a simulated meter, 8 octets."""
    return MAKER + (serial & 0xFFFFFFFFFF).to_bytes(5)


def context_names(referencing: str, *, ciphered: bool = False) -> frozenset[ApplicationContext]:
    """Return the application contexts of a meter that is addressed in one of the ways of :data:`REFERENCING`."""
    return frozenset(ApplicationContext.of(short_names=one, ciphered=ciphered) for one in REFERENCING[referencing])


@dataclass(frozen=True, slots=True)
class MeterSecurity:
    """Security of one simulated meter.

    kind: ``none`` (the public client reads everything), ``lls`` (a reading client with password beside it) or
    ``hls-gmac`` (a management client with ciphering as well). Raises ConfigurationError for another.
    """

    kind: str
    password: Secret
    encryption_key: Secret
    authentication_key: Secret

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigurationError(f"security is one of {', '.join(KINDS)}, not {self.kind!r}")

    @classmethod
    def of(cls, kind: str, serial: int, seed: int) -> MeterSecurity:
        """Return the security of a meter, the same for the same seed and serial number."""
        draw = Random(f"Cosemic simulator keys, seed {seed}, serial {serial}")
        return cls(
            kind,
            Secret.password(f"{draw.randrange(10**8):08}"),
            Secret(draw.randbytes(16), "simulator encryption key"),
            Secret(draw.randbytes(16), "simulator authentication key"),
        )

    @property
    def client_sap(self) -> int:
        """The client that can read everything."""
        return {"none": PUBLIC_CLIENT, "lls": READING_CLIENT, "hls-gmac": MANAGEMENT_CLIENT}[self.kind]

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
                    "mechanism": "hls-gmac",
                    "system_title": CLIENT_TITLE.hex(),
                    "encryption_key": self.encryption_key,
                    "authentication_key": self.authentication_key,
                }
        return settings

    def reading_settings(self) -> ServerSettings:
        """Return how the association of the reading client is opened."""
        return ServerSettings(mechanism=AuthenticationMechanism.LLS, secret=self.password)

    def management_settings(self, system_title: bytes, counters: CounterStore) -> ServerSettings:
        """Return how the association of the management client is opened."""
        return ServerSettings(
            context_names=frozenset((ApplicationContext.LN_CIPHERED,)),
            mechanism=AuthenticationMechanism.HLS_GMAC,
            material=SecurityMaterial.of(self.encryption_key, self.authentication_key),
            counters=counters,
            system_title=system_title,
            policy=AUTHENTICATED_ENCRYPTED,
        )
