"""How a simulated meter is protected, with keys that are drawn from its seed.

The keys of simulated meters can be computed by anybody who knows the seed: they are marked as simulator keys, and must
never be put into a real meter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from cosemic.association.parties import AGREED, GeneralParties, ThirdParty
from cosemic.association.service_provider import ServerSettings
from cosemic.errors import ConfigurationError
from cosemic.security import (
    CounterStore,
    Key,
    KnownSigners,
    SecurityMaterial,
    SecurityPolicy,
    SecuritySuite,
    SoftwareAgreementKey,
    SoftwareSigningKey,
    security_suite,
)
from cosemic.security.elliptic import curve_of
from cosemic.security.general import KeyEstablishment, MemoryTransactionStore, TransactionStore, layers_of
from cosemic.security.general.party_keys import NO_PARTY_KEYS, KnownPartyKeys
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
THIRD_TITLE: Final = MAKER + bytes((0xD1, 0, 0, 0, 1))
"""System title of the third party, where a meter knows one."""
SHARED: Final = frozenset({KeyEstablishment.ABSENT, KeyEstablishment.GLOBAL_UNICAST, KeyEstablishment.WRAPPED})
"""Forms of key-info of those who share global keys."""
KEY_INFOS: Final = ("global-unicast", "one-pass", "static")
"""Forms of key-info that clients are told of in suites 1 and 2; in suite 0 the first of them."""
REQUIRED: Final = "authenticated-encrypted"
"""What the policy of these meters gives to answers."""
BROKERS_LAYERS: Final = "cipher"
"""Layers of a client that hands on what a third party asks, unless told."""
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
    client, 0 to 2. client_signs, meter_signs, system_title: private keys of both and title of the meter, of suites 1
    and 2. client_agrees, meter_agrees: their private keys for key agreement. third_signs, third_agrees,
    third_authentication_key: those of a third party that the client is the broker of; None: there is none. layers: of
    general protection that clients put around each service, as text; empty: none. master_key: under which its keys are
    changed; None: they cannot be.

    Raises ConfigurationError for another kind or suite, for ``hls-ecdsa`` and third parties in suite 0, which has no
    signatures, and for layers that cannot be.
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
    client_agrees: Secret | None = None
    meter_agrees: Secret | None = None
    third_signs: Secret | None = None
    third_agrees: Secret | None = None
    third_authentication_key: Secret | None = None
    layers: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigurationError(f"security is one of {', '.join(KINDS)}, not {self.kind!r}")
        _checked_suite(self.suite)
        if self.kind == "hls-ecdsa" and self.suite == 0:
            raise ConfigurationError("security hls-ecdsa needs suite 1 or 2: suite 0 has no signatures")
        if (self.layers or self.third_signs is not None) and self.kind not in HIGH_LEVEL:
            raise ConfigurationError("layers and third parties need security hls-gmac or hls-ecdsa")
        if self.third_signs is not None and not self.suite:
            raise ConfigurationError("a third party needs suite 1 or 2: in suite 0 no keys are agreed on")
        if self.layers:
            plan = layers_of(self.layers, self.system_title or CLIENT_TITLE)
            of_suites = [one for one in plan.layers if one.signing or one.key_info in AGREED]
            if of_suites and not self.suite:
                raise ConfigurationError(f"layers {self.layers!r} need suite 1 or 2: suite 0 has no signatures")

    @classmethod
    def of(
        cls, kind: str, serial: int, seed: int, suite: int = 0, *, layers: str = "", third_party: bool = False
    ) -> MeterSecurity:
        """Return the security of a meter, the same for the same seed, serial number and suite.

        layers: see above. third_party: there is one.
        """
        draw = Random(f"Cosemic simulator keys, seed {seed}, serial {serial}")
        of = _checked_suite(suite)
        master_key = Random(f"Cosemic simulator master keys, seed {seed}, serial {serial}").randbytes(of.key_length)
        drawn = (
            Secret.password(f"{draw.randrange(10**8):08}"),
            Secret(draw.randbytes(of.key_length), "simulator encryption key"),
            Secret(draw.randbytes(of.key_length), "simulator authentication key"),
        )
        signs: dict[str, Any] = {}
        if kind in HIGH_LEVEL:
            signs = {"system_title": meter_title(serial), "layers": layers}
        if kind in HIGH_LEVEL and of.curve:
            signs |= _private_keys(draw, of, "client_signs", "meter_signs")
            general = Random(f"Cosemic simulator general protection, seed {seed}, serial {serial}")
            signs |= _private_keys(general, of, "client_agrees", "meter_agrees")
            if third_party:
                signs |= _private_keys(general, of, "third_signs", "third_agrees")
                key = general.randbytes(of.key_length)
                signs["third_authentication_key"] = Secret(key, "simulator authentication key")
        elif third_party:
            raise ConfigurationError("a third party needs security hls-gmac or hls-ecdsa, and suite 1 or 2")
        elif layers and kind not in HIGH_LEVEL:
            raise ConfigurationError("layers need security hls-gmac or hls-ecdsa")
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
                    settings |= self._of_the_meter()
                if self.client_agrees is not None:
                    settings |= {"agreement_key": self.client_agrees, "key_infos": list(KEY_INFOS)}
                layers = self.layers or (BROKERS_LAYERS if self.third_signs is not None else "")
                if layers:
                    settings |= {"server_title": self.system_title.hex(), "layers": layers}
                if layers or self.suite:
                    settings["require"] = REQUIRED  # the meter signs nothing that its policy does not want signed
                    if "wrapped" in layers and self.master_key is not None:
                        settings["kek"] = self.master_key
                        settings["key_infos"] = [*settings.get("key_infos", KEY_INFOS[:1]), "wrapped"]
                    if "absent" in layers:
                        settings["key_infos"] = [*settings.get("key_infos", KEY_INFOS[:1]), "absent"]
                if self.third_signs is not None:
                    settings["brokers_for"] = [THIRD_TITLE.hex()]
        return settings

    def third_party_settings(self) -> Mapping[str, Any]:
        """Return what the third party needs (:mod:`cosemic.store.third_party_settings`); nothing where there is none.

        Keys are Secrets.
        """
        if self.third_signs is None:
            return {}
        return {
            "system_title": THIRD_TITLE.hex(),
            "suite": self.suite,
            "layers": "sign+cipher:one-pass",
            "require": REQUIRED,
            "authentication_key": self.third_authentication_key,
            "signing_key": self.third_signs,
            "agreement_key": self.third_agrees,
        } | self._of_the_meter()

    def _of_the_meter(self) -> dict[str, Any]:
        """System title and public keys of the meter."""
        found = {
            "server_title": self.system_title.hex(),
            "server_public_key": self._key(self.meter_signs).public.octets.hex(),
        }
        if self.meter_agrees is not None:
            found["server_agreement_key"] = self._agreement_key(self.meter_agrees).public.octets.hex()
        return found

    def _key(self, scalar: Secret | None) -> SoftwareSigningKey:
        if scalar is None:
            raise ConfigurationError("security hls-ecdsa needs private keys of both sides")
        return SoftwareSigningKey.of(scalar, security_suite(self.suite))

    def _agreement_key(self, scalar: Secret) -> SoftwareAgreementKey:
        return SoftwareAgreementKey.of(scalar, security_suite(self.suite))

    def reading_settings(self) -> ServerSettings:
        """Return how the association of the reading client is opened."""
        return ServerSettings(mechanism=AuthenticationMechanism.LLS, secret=self.password)

    def management_settings(
        self, system_title: bytes, counters: CounterStore, transactions: TransactionStore | None = None
    ) -> ServerSettings:
        """Return how the association of the management client is opened.

        transactions: where transaction-ids of general protection are kept; in memory unless told.
        """
        signs: dict[str, Any] = {}
        if self.client_signs is not None or self.kind == "hls-ecdsa":
            signers = KnownSigners({CLIENT_TITLE: self._key(self.client_signs).public})
            signs = {"signing_key": self._key(self.meter_signs), "signers": signers}
        if self.meter_agrees is not None or self.layers:
            signs["parties"] = self._parties(MemoryTransactionStore() if transactions is None else transactions)
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

    def _parties(self, transactions: TransactionStore) -> GeneralParties:
        """Who protects what: the meter, the management client, and the third party where there is one."""
        if self.client_agrees is None or self.meter_agrees is None:  # suite 0
            return GeneralParties(transactions=transactions, key_infos=SHARED, keys=NO_PARTY_KEYS)
        signing = {CLIENT_TITLE: self._key(self.client_signs).public}
        agreement = {CLIENT_TITLE: self._agreement_key(self.client_agrees).public}
        third_parties: tuple[ThirdParty, ...] = ()
        if self.third_signs is not None and self.third_agrees is not None and self.third_authentication_key is not None:
            signing[THIRD_TITLE] = self._key(self.third_signs).public
            agreement[THIRD_TITLE] = self._agreement_key(self.third_agrees).public
            third_parties = (ThirdParty(title=THIRD_TITLE, authentication_key=Key(self.third_authentication_key)),)
        return GeneralParties(
            transactions=transactions,
            key_infos=SHARED | AGREED,
            signing_key=self._key(self.meter_signs),
            agreement_key=self._agreement_key(self.meter_agrees),
            keys=KnownPartyKeys(signing, agreement),
            third_parties=third_parties,
        )


def _checked_suite(suite: int) -> SecuritySuite:
    if type(suite) is not int or suite not in AUTHENTICATED_ENCRYPTED:
        raise ConfigurationError(f"suite is the security suite of the management client: 0, 1 or 2, not {suite!r}")
    return security_suite(suite)


def _private_keys(draw: Random, suite: SecuritySuite, *names: str) -> dict[str, Secret]:
    """Private keys by the names of their fields."""
    scalars = ((name, draw.randrange(1, curve_of(suite).order)) for name in names)
    return {name: Secret(one.to_bytes(suite.coordinate_length), "simulator private key") for name, one in scalars}
