"""Security settings of a meter: from a TOML or JSON file, a mapping, or the environment.

::

    mechanism = "hls-gmac"             # lowest, lls, hls, hls-md5, hls-sha1, hls-gmac, hls-sha256, hls-ecdsa; unless
                                       # said, hls-ecdsa with a signing key, hls-gmac with encryption_key, lls with
                                       # password, lowest without any
    client_sap = 1                     # used where the URL names none
    server_sap = 1
    user_id = 7                        # of the user that is named (client user identification); used where the URL
                                       # names none
    referencing = "ln"                 # or sn: the meter speaks with short names; used where the URL does not say it
    password = "12345678"              # LLS; or secret = "...", for HLS 2, 3, 4, 6 (text, or hex: behind "hex:")
    suite = 0                          # security suite: 0, 1 or 2; keys have 16 octets, in suite 2 32
    ciphered = true                    # application context with ciphering; true with encryption_key unless said
    system_title = "434f530000000001"  # ours; hex
    server_title = "..."               # the meter's, where it must be one certain
    encryption_key = "..."             # hex
    authentication_key = "..."         # hex
    broadcast_key = "..."              # hex; for what is sent to all stations (server SAP 127), which is not answered
    signing_key = "..."                # hex; our private key for hls-ecdsa: 32 octets in suite 1, 48 in suite 2
    signing_key_file = "client.key"    # or a key file, as `cosemic keys csr` makes it; COSEMIC_PASSPHRASE opens it
    certificate = "client.pem"         # its certificate, to be sent when an association is opened; not sent unless said
    server_public_key = "..."          # hex; the meter's public key for signatures: 64 or 96 octets; or
    trust_anchors = "ca.pem"           # certificates of the CAs that are trusted to vouch for the one the meter sends,
    server_certificate = "meter.pem"   # or for this one, which it then need not send
    dedicated_key = false
    pre_established = false            # true: the association stands without being opened; the services of it are those
                                       # that meters have as a rule, the mechanism is lowest, and with ciphering
                                       # server_title has to be given
    protection = "authenticated-encrypted"   # or authenticated, encrypted
    require = "authenticated-encrypted"      # least protection of answers; unless said as protection, in layers as the
                                       # request; signed, with - before it, where the meter signs its answers
    invocation_counter = "0-0:43.1.0"  # object from which the public client may read the counter of these keys
    counters = "meter.counters"        # file of invocation counters; unless said, the one file of this user, which all
                                       # settings share, so that the same key in two files never repeats a counter
    key_store = "meters.keys"          # in place of keys: a key store, beside the settings unless it begins with /
    meter = "CSM0000000000001"         # and the name of the meter in it; client_sap says whose secret (1 unless said)
    key_store_key_file = "unlock.key"  # what opens the key store; unless said, what the environment names
    key_store_client = "head-end"      # our own entry in it, with our private keys and system title
    send_certificate = false           # true: our certificate of the key store is sent when an association is opened
    check_rights = true                # once the object list was read, nothing is asked for that is less protected than
                                       # the access rights say; false: the meter alone decides

General protection, in layers and with third parties, has names of its own: :mod:`cosemic.store.party_settings`.
In the environment the same names in capitals behind ``COSEMIC_``.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from cosemic.association.known_rights import NO_RIGHTS
from cosemic.association.settings import BOTH, LARGEST_USER_ID, ClientSettings, PreEstablished
from cosemic.dialect import STANDARD, Dialect
from cosemic.errors import ConfigurationError
from cosemic.security import CounterStore, Protection, SecurityMaterial, SecuritySuite, security_suite
from cosemic.store.counters import FileCounterStore
from cosemic.store.named_files import OneStorePerFile, path_of
from cosemic.values import AuthenticationMechanism, Obis, Secret
from cosemic.values.secret import HiddenOctets, hidden

_LARGEST_SAP: Final = 0xFFFF
_LARGEST_SUITE: Final = 2
_LONGEST_NUMBER: Final = 20
"""Characters of a number written as text."""
PREFIX: Final = "COSEMIC_"
_OTHERS: Final = frozenset(
    (
        "mechanism", "client_sap", "server_sap", "user_id", "password", "secret", "ciphered", "system_title",
        "server_title", "encryption_key", "authentication_key", "broadcast_key", "dedicated_key", "protection",
        "require", "invocation_counter", "counters", "pre_established", "referencing", "key_store", "meter",
        "key_store_key_file", "key_store_client", "send_certificate", "check_rights", "suite", "kek", "layers",
        "key_infos", "sealed_inside", "brokers_for", "transactions", "date_time_tolerance", "max_layers",
    )
)  # fmt: skip
SECRETS: Final = frozenset(
    ("password", "secret", "encryption_key", "authentication_key", "broadcast_key", "kek", "signing_key",
     "agreement_key")
)  # fmt: skip
"""Settings that nobody else may see."""
SIGNATURES: Final = frozenset(
    (
        "signing_key", "signing_key_file", "certificate", "server_public_key", "server_certificate", "trust_anchors",
        "agreement_key", "agreement_key_file", "agreement_certificate", "server_agreement_key", "certificates",
        "revocation_lists", "token", "token_library", "token_pin_file", "token_signing_key", "token_agreement_key",
    )
)  # fmt: skip
"""Settings of private keys and certificates, which are read where one is given."""
NAMES: Final = _OTHERS | SIGNATURES
"""All settings."""
LAYERED: Final = frozenset(
    ("layers", "key_infos", "sealed_inside", "brokers_for", "transactions", "date_time_tolerance", "max_layers")
)
"""Settings of general protection (:mod:`cosemic.store.party_settings`)."""
_PROTECTIONS: Final = {
    "authenticated-encrypted": BOTH,
    "authenticated": Protection.AUTHENTICATED,
    "encrypted": Protection.ENCRYPTED,
}
_REQUIRED: Final = _PROTECTIONS | {
    "signed": Protection.SIGNED,
    **{f"{name}-signed": each | Protection.SIGNED for name, each in _PROTECTIONS.items()},
}
_STORES: Final = OneStorePerFile("counters file", FileCounterStore)


@dataclass(frozen=True, slots=True)
class SecuritySettings:
    """What a client needs to know of a meter's security; see the module's text."""

    client: ClientSettings
    client_sap: int | None = None
    server_sap: int | None = None


_PUBLIC: Final = SecuritySettings(ClientSettings())
"""A public client, which has nothing to keep secret."""
Source = str | os.PathLike[str] | Mapping[str, Any] | SecuritySettings | None
"""A file, the settings themselves, ``"environment"``, or None for a public client."""


def load_security(
    source: Source,
    *,
    dialect: Dialect = STANDARD,
    response_timeout: float | None = None,
    max_pdu_size: int | None = None,
    user_id: int | None = None,
    short_names: bool | None = None,
) -> SecuritySettings:
    """Return the settings that a source holds; what else is given takes the place of what it says.

    Raises ConfigurationError, which never quotes a key.
    """
    settings: dict[str, Any] = {"response_timeout": response_timeout, "max_pdu_size": max_pdu_size, "user_id": user_id}
    settings["short_names"] = short_names
    settings = {name: value for name, value in settings.items() if value is not None}
    if isinstance(source, SecuritySettings):
        if dialect is not STANDARD:
            settings["dialect"] = dialect
        return replace(source, client=replace(source.client, **settings)) if settings else source
    if source is None and dialect is STANDARD and not settings:
        return _PUBLIC
    values, beside = settings_of(source)
    if "key_store" in values or "meter" in values:
        from cosemic.store.key_store.for_settings import from_key_store

        values = from_key_store(values, beside, NAMES)
    client = _client_settings(values, beside, dialect, settings)
    return SecuritySettings(
        client, _number(values, "client_sap", _LARGEST_SAP), _number(values, "server_sap", _LARGEST_SAP)
    )


def settings_of(source: str | os.PathLike[str] | Mapping[str, Any] | None) -> tuple[Mapping[str, Any], Path | None]:
    """Return the names and values of a source, and the file that they stand in. Raises ConfigurationError."""
    beside: Path | None = None
    values: Mapping[str, Any]
    if source is None:
        values = {}
    elif isinstance(source, Mapping):
        values = hidden(source)
    elif source == "environment":
        values = {name: hidden(os.environ[key]) for name in NAMES if (key := PREFIX + name.upper()) in os.environ}
    else:
        beside = Path(source)
        values = read_settings(beside)
    unknown = set(map(str, values)) - NAMES
    if unknown:
        import difflib  # what is right need not wait for it

        near = [name for one in sorted(unknown) for name in difflib.get_close_matches(one[:40], NAMES, 1)]
        meant = f" (is {' and '.join(near)} meant?)" if near else ""
        raise ConfigurationError(
            f"{', '.join(sorted(unknown))}: not a security setting{meant}; known: {', '.join(sorted(NAMES))}"
        )
    return values, beside


def _client_settings(
    values: Mapping[str, Any], beside: Path | None, dialect: Dialect, settings: dict[str, Any]
) -> ClientSettings:
    material: SecurityMaterial | None = None
    suite = _number(values, "suite", _LARGEST_SUITE) or 0
    encryption_key = _key(values, "encryption_key")
    authentication_key = _key(values, "authentication_key")
    others = {"broadcast_key": _key(values, "broadcast_key"), "kek": _key(values, "kek")}
    if encryption_key is not None:
        material = SecurityMaterial.of(encryption_key, authentication_key, suite=suite, **others)
        settings["counters"] = _counters(values, beside)
    elif authentication_key is not None or any(others.values()):
        raise ConfigurationError("authentication_key, broadcast_key and kek need encryption_key beside them")
    secret = _secret(values)
    if secret is not None and material is not None and "mechanism" not in values:
        raise ConfigurationError("with a secret and an encryption_key, name the mechanism")
    system_title, server_title = _octets(values, "system_title") or b"", _octets(values, "server_title")
    settings |= _protection_settings(values, beside, security_suite(suite), system_title, server_title)
    beforehand = PreEstablished() if _flag(values, "pre_established", False) else None
    default = "hls-gmac" if material is not None else "lls" if secret is not None else "lowest"
    if "signing_key" in settings:
        default = "hls-ecdsa"
    if beforehand is not None:
        default = "lowest"
    protection = values.get("protection", "authenticated-encrypted")
    if not isinstance(protection, str) or protection not in _PROTECTIONS:
        raise ConfigurationError(f"protection is one of {', '.join(_PROTECTIONS)}")
    if (require := protection_required(values)) is not None:
        settings["require"] = require
    if "user_id" not in settings and (user_id := _number(values, "user_id", LARGEST_USER_ID)) is not None:
        settings["user_id"] = user_id
    if "short_names" not in settings and "referencing" in values:
        if values["referencing"] not in ("ln", "sn"):
            raise ConfigurationError("referencing is ln or sn")
        settings["short_names"] = values["referencing"] == "sn"
    if "invocation_counter" in values:
        settings["invocation_counter"] = Obis(str(values["invocation_counter"]))
    return ClientSettings(
        mechanism=_mechanism(values.get("mechanism", default)),
        secret=secret,
        ciphered=_flag(values, "ciphered", material is not None),
        material=material,
        system_title=system_title,
        server_title=server_title,
        protection=_PROTECTIONS[protection],
        dedicated_key=_flag(values, "dedicated_key", False),
        pre_established=beforehand,
        dialect=dialect,
        **settings,
    )


def _protection_settings(
    values: Mapping[str, Any],
    beside: Path | None,
    suite: SecuritySuite,
    system_title: bytes,
    server_title: bytes | None,
) -> dict[str, Any]:
    """What settings say of signatures, certificates and general protection; what reads it is loaded where it is."""
    found: dict[str, Any] = {} if _flag(values, "check_rights", True) else {"rights": NO_RIGHTS}
    agreement_key, keys = None, None
    if not SIGNATURES.isdisjoint(values):
        from cosemic.store.signature_settings import signature_settings

        signatures, agreement_key, keys = signature_settings(values, beside, suite, system_title, server_title)
        found |= signatures
    if not LAYERED.isdisjoint(values):
        from cosemic.store.party_settings import party_settings

        found |= party_settings(values, beside, server_title, found.get("signing_key"), agreement_key, keys)
        found["sealed_inside"] = _flag(values, "sealed_inside", False)
    return found


def protection_required(values: Mapping[str, Any]) -> Protection | None:
    """Return the least protection of answers, where it is said. Raises ConfigurationError."""
    named = values.get("require")
    if named in (None, ""):
        return None
    if not isinstance(named, str) or named not in _REQUIRED:
        raise ConfigurationError(f"require is one of {', '.join(_REQUIRED)}")
    return _REQUIRED[named]


def _mechanism(label: Any) -> AuthenticationMechanism:
    try:
        return AuthenticationMechanism.from_label(label if isinstance(label, str) else repr(label))
    except ConfigurationError:  # what stands there may be a password in the wrong place
        names = ", ".join(member.label for member in AuthenticationMechanism)
        raise ConfigurationError(f"mechanism is one of {names}") from None


def read_settings(path: Path) -> Mapping[str, Any]:
    """Return the names and values of a file of settings, unchecked; text does not show itself (:func:`hidden`).

    Raises ConfigurationError, which quotes nothing.
    """
    try:
        octets = HiddenOctets(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"security settings {path}: {error.strerror}") from None
    kind = "JSON" if path.suffix == ".json" else "TOML"
    values = parsed(octets, json.loads if kind == "JSON" else tomllib.loads)
    if values is None:
        raise ConfigurationError(f"security settings {path} are no {kind}")
    if not isinstance(values, dict):
        raise ConfigurationError(f"security settings {path} are no table of names and values")
    return values


def parsed(octets: bytes, parse: Callable[[str], Any]) -> Any:
    """Return what a text says, hidden; None where it cannot be parsed.

    No error is raised: the text would stand in its traceback, where local variables are shown.
    """
    try:
        return hidden(parse(octets.decode("utf-8")))
    except (ValueError, RecursionError):
        return None


def _key(values: Mapping[str, Any], name: str) -> Secret | None:
    octets = _octets(values, name)
    return None if octets is None else Secret(octets, name.replace("_", " "))


def _octets(values: Mapping[str, Any], name: str) -> bytes | None:
    value = values.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    if isinstance(value, Secret):
        return value.reveal()
    try:
        return bytes.fromhex(value if isinstance(value, str) else str(value))
    except ValueError:
        raise ConfigurationError(f"{name} is not hexadecimal") from None


def _secret(values: Mapping[str, Any]) -> Secret | None:
    if values.get("secret") is not None and values.get("password") is not None:
        raise ConfigurationError("password and secret are two names for one thing: give one of them")
    value = values.get("secret", values.get("password"))
    if value is None or isinstance(value, Secret):
        return value
    if isinstance(value, str) and value.startswith("hex:"):
        return Secret.password(_octets({"secret": value[4:]}, "secret") or b"")
    return Secret.password(bytes(value) if isinstance(value, bytes | bytearray) else str(value))


def _flag(values: Mapping[str, Any], name: str, default: bool) -> bool:
    value = values.get(name, default)
    if isinstance(value, str):
        if value.lower() not in ("true", "false", "1", "0", "yes", "no"):
            raise ConfigurationError(f"{name} is true or false")
        return value.lower() in ("true", "1", "yes")
    return bool(value)


def _number(values: Mapping[str, Any], name: str, largest: int) -> int | None:
    value = values.get(name)
    if value is None:
        return None
    if isinstance(value, str) and value.strip().isdecimal() and len(value) <= _LONGEST_NUMBER:
        value = int(value)
    if type(value) is not int or not 0 <= value <= largest:
        raise ConfigurationError(f"{name} is a number from 0 to {largest}")
    return value


def _counters(values: Mapping[str, Any], beside: Path | None) -> CounterStore:
    """The store that the settings name; durable, and one for all unless named: no counter may be used twice."""
    named = values.get("counters")
    if isinstance(named, CounterStore):
        return named
    return _STORES.at(state_folder() / "counters" if named is None else path_of(named, beside))


def others_can_read(path: Path) -> bool:
    """Whether others than the owner have access to a file; what Windows allows whom is not looked at."""
    return os.name == "posix" and bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def state_folder() -> Path:
    """Where Cosemic keeps what must outlive a process, unless told otherwise: COSEMIC_STATE, or the user's folder."""
    if named := os.environ.get("COSEMIC_STATE"):
        return Path(named)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", str(Path.home()))) / "cosemic"
    return Path(os.environ.get("XDG_STATE_HOME", str(Path.home() / ".local/state"))) / "cosemic"
