"""Security settings that name a meter in a key store in place of keys.

::

    key_store = "meters.keys"           # beside the settings, unless it begins with /
    meter = "CSM0000000000001"
    key_store_key_file = "unlock.key"   # key file that opens it; unless said, the environment says what does
    key_store_client = "head-end"       # our own entry in it: its private keys, certificates and system title
    send_certificate = false            # true: our certificate for signatures is sent when an association is opened
    client_sap = 1                      # whose password or HLS secret it is; 1 unless said

What the settings say themselves goes first, except keys: those are in one place. Certificates that lie beside the keys
of the meter tell its public keys, unless the settings do; with trust_anchors they have to lead to one of them. The
master key is taken out where wrapped keys are permitted, our key for key agreement where general protection is wanted.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cosemic.errors import ConfigurationError
from cosemic.model.security_setup import CertificateType
from cosemic.security import SecurityMaterial
from cosemic.security.certificates import Certificate
from cosemic.store.key_store.records import RecordKind, RecordState, StoredMeter
from cosemic.store.key_store.store import KeyStore
from cosemic.store.key_store.unlocking import KEY_FILE_VARIABLE, PASSPHRASE_VARIABLE, KeyFile, from_environment
from cosemic.store.named_files import path_of
from cosemic.store.public_keys import StoredCertificates
from cosemic.store.security_settings import LAYERED
from cosemic.values import Secret

NAMES: Final = frozenset(("key_store", "meter", "key_store_key_file", "key_store_client"))
SEND: Final = "send_certificate"
TOLD: Final = frozenset(("server_public_key", "server_agreement_key", "certificates"))
"""Settings that tell the public keys of the meter themselves."""
KEYS: Final = frozenset(("encryption_key", "authentication_key", "broadcast_key", "kek", "password", "secret"))
_WITHOUT_SECRET: Final = frozenset(("lowest", "hls-gmac", "hls-ecdsa"))
"""Mechanisms that work with keys, or with nothing."""
PURPOSE: Final = "security settings"


def from_key_store(values: Mapping[str, Any], beside: Path | None, known: frozenset[str]) -> dict[str, Any]:
    """Return the settings with the keys of the store in them, as secrets.

    known: names of settings; where ``suite`` is none of them, meters of suite 0 alone are taken. Raises
    ConfigurationError, StoreError.
    """
    settings = {name: value for name, value in values.items() if name not in NAMES | {SEND}}
    if "key_store" not in values or "meter" not in values:
        raise ConfigurationError("key_store and meter stand together: the file, and the name of the meter in it")
    if doubled := KEYS & set(settings):
        raise ConfigurationError(f"{', '.join(sorted(doubled))}: in the key store too; keys stand in one place")
    name, client = str(values["meter"]), str(settings.get("client_sap", 1))
    with open_store(values, beside) as store:
        with store.view() as view:
            meter = view.info(view.entry(name))
        current = {(record.kind, record.label) for record in meter.records if record.state is RecordState.CURRENT}
        if meter.suite.id and "suite" not in known:
            raise ConfigurationError(f"{name} is of security suite {meter.suite.id}, which settings do not know yet")
        if "suite" in known:
            settings.setdefault("suite", meter.suite.id)
        if (RecordKind.ENCRYPTION_KEY, "") in current:
            settings |= _keys(store.material(name, purpose=PURPOSE), settings)
        if (RecordKind.SECRET, client) in current and _needs_secret(settings):
            settings["secret"] = store.secret(name, int(client), purpose=PURPOSE)
        if "signing_key" in known and settings.get("suite") and not TOLD & set(settings):
            settings |= _certificates(store, meter)
        if own := str(values.get("key_store_client", "")):
            settings |= _own(store, own, settings, known, send=_is_true(values.get(SEND)))
    if meter.system_title:
        settings.setdefault("server_title", meter.system_title)
    return settings


def third_party_from_key_store(values: Mapping[str, Any], beside: Path | None) -> dict[str, Any]:
    """Return the settings of a third party with its private keys, as handles, and the certificates of the meter.

    ``key_store_client`` is the entry of the third party, ``meter``, where it is named, that of the meter: no key of it
    is taken out. Raises ConfigurationError, StoreError.
    """
    settings = {name: value for name, value in values.items() if name not in NAMES}
    if "key_store" not in values or "key_store_client" not in values:
        raise ConfigurationError("a third party names key_store and key_store_client, its own entry in it")
    known = frozenset(("signing_key", "agreement_key"))
    with open_store(values, beside) as store:
        with store.view() as view:
            own = view.info(view.entry(str(values["key_store_client"])))
            meter = view.info(view.entry(str(values["meter"]))) if "meter" in values else None
        settings.setdefault("suite", own.suite.id)
        if meter is not None:
            if meter.system_title:
                settings.setdefault("server_title", meter.system_title)
            if not TOLD & set(settings):
                settings |= _certificates(store, meter)
        return settings | _own(store, own.name, settings, known, send=False)


def open_store(values: Mapping[str, Any], beside: Path | None) -> KeyStore:
    """Return the key store that settings name, opened. Raises ConfigurationError, StoreError."""
    unlocker = from_environment()
    if "key_store_key_file" in values:
        unlocker = KeyFile(path_of(values["key_store_key_file"], beside))
    if unlocker is None:
        raise ConfigurationError(
            f"nothing opens the key store: set {PASSPHRASE_VARIABLE} or {KEY_FILE_VARIABLE}, or name key_store_key_file"
        )
    return KeyStore(path_of(values["key_store"], beside), unlocker)


def _own(
    store: KeyStore, name: str, settings: Mapping[str, Any], known: frozenset[str], *, send: bool
) -> dict[str, Any]:
    """Return our private keys, as handles, and our system title, unless the settings say another.

    send: our certificate for signatures too.
    """
    with store.view() as view:
        own = view.info(view.entry(name))
    found: dict[str, Any] = {"system_title": own.system_title} if own.system_title else {}
    current = {record.kind for record in own.records if record.state is RecordState.CURRENT}
    for kind, setting, wanted in (
        (RecordKind.SIGNING_KEY, "signing_key", True),
        (RecordKind.AGREEMENT_KEY, "agreement_key", not LAYERED.isdisjoint(settings)),
    ):
        if kind not in current or setting not in known or not wanted:
            continue
        if {setting, f"{setting}_file", f"token_{setting}"} & set(settings):
            raise ConfigurationError(f"the {kind.value} is that of {name} in the key store too: give one of them")
        if own.suite.id != settings.get("suite"):
            raise ConfigurationError(f"{name} is of security suite {own.suite.id}, the meter of another one")
        take = store.signing_key if setting == "signing_key" else store.agreement_key
        found[setting] = take(name, purpose=PURPOSE)
    if send:
        found["certificate"] = _certificate(store, own)
    return found | {key: settings[key] for key in ("system_title",) if key in settings}


def _certificate(store: KeyStore, own: StoredMeter) -> Certificate:
    """Return our certificate for signatures. Raises ConfigurationError where there is none."""
    found: StoredCertificates = _certificates(store, own).get("certificates", StoredCertificates(()))
    for each in found.certificates:
        if each.type is CertificateType.DIGITAL_SIGNATURE:
            return each
    raise ConfigurationError(f"the key store has no certificate of {own.name} for signatures: import it")


def _certificates(store: KeyStore, holder: StoredMeter) -> dict[str, Any]:
    """Return the certificates that lie beside the keys of a holder."""
    labels = [
        record.label
        for record in holder.records
        if record.kind is RecordKind.CERTIFICATE and record.state is RecordState.CURRENT
    ]
    found = tuple(store.certificate(holder.name, label, purpose=PURPOSE) for label in labels)
    return {"certificates": StoredCertificates(found)} if found else {}


def _is_true(value: object) -> bool:
    if value not in (None, True, False, "", "true", "false"):
        raise ConfigurationError(f"{SEND} is true or false")
    return value in (True, "true")


def _needs_secret(settings: Mapping[str, Any]) -> bool:
    """Whether the association needs a password or HLS secret beside the keys: where it does not, none is taken out."""
    return settings.get("mechanism", "lowest" if "encryption_key" in settings else "lls") not in _WITHOUT_SECRET


def _keys(material: SecurityMaterial, settings: Mapping[str, Any]) -> dict[str, Secret]:
    names = ["encryption_key", "authentication_key", "broadcast_key"]
    if "wrapped" in f"{settings.get('layers')} {settings.get('key_infos')}".lower():
        names.append("kek")
    keys = {name: getattr(material, name) for name in names}
    return {name: Secret(key.reveal(), name.replace("_", " ")) for name, key in keys.items() if key is not None}
