"""What security settings say of general protection: general-ciphering, general-signing, and between whom.

::

    layers = "sign+cipher:one-pass"    # of every service that names none of its own, in the order in which they are put
                                       # around (:mod:`cosemic.security.general.plan_text`); or a list of layers
    key_infos = ["one-pass"]           # forms of key-info that are taken from the meter, and that it takes; unless said
                                       # those that layers name, or global-unicast
    sealed_inside = false              # true: what stands in layers has the ciphered form too
    brokers_for = ["5454540000000007"] # third parties whose APDUs are handed on: system titles, hex
    transactions = "meter.transactions"   # file of transaction-ids; unless said, the one file of this user, which all
                                       # settings share: none of them is used twice, and none is taken twice
    date_time_tolerance = 300          # seconds that a date-time in what is received may be off; not looked at unless
                                       # said
    max_layers = 4                     # layers that are taken off one APDU
    kek = "..."                        # hex; the master key of the meter, for wrapped keys alone
    agreement_key = "..."              # hex; our private key for key agreement; or
    agreement_key_file = "agree.key"   # a key file, as `cosemic keys csr` makes it; COSEMIC_PASSPHRASE opens it
    agreement_certificate = "agree.pem"    # its certificate: held against key and title, and not sent
    server_agreement_key = "..."       # hex; the meter's public key for key agreement; or
    certificates = ["sub.pem", "meter-agree.pem"]   # certificates that lead to trust_anchors, of sub-CAs and the meter
    revocation_lists = ["ca.crl"]      # of the CAs; each CA needs one where any is given
    token = "head-end"                 # label of a PKCS#11 token, for private keys that stay in it
    token_library = "/usr/lib/softhsm/libsofthsm2.so"
    token_pin_file = "pin"             # its first line is the PIN; unless said, COSEMIC_TOKEN_PIN
    token_signing_key = "sign"         # labels of keys in the token, in place of signing_key and agreement_key
    token_agreement_key = "agree"

They stand in the file with those of :mod:`cosemic.store.security_settings`. General protection is there where layers,
key_infos, brokers_for or sealed_inside are said; it needs server_title. In the environment lists have commas between.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cosemic.association.parties import GeneralParties
from cosemic.errors import ConfigurationError, DecodeError, EncodeError
from cosemic.security import AgreementKey, SigningKey
from cosemic.security.general import KeyEstablishment, LayerPlan, TransactionStore, layers_of
from cosemic.security.general.opening import MAX_LAYERS, DateTimeCheck
from cosemic.security.general.party_keys import NO_PARTY_KEYS, PartyKeys
from cosemic.security.general.plan_text import key_info_of
from cosemic.store.named_files import OneStorePerFile, path_of
from cosemic.store.private_keys import octets_of
from cosemic.store.security_settings import LAYERED, state_folder
from cosemic.store.transactions import FileTransactionStore
from cosemic.values import DateTime

_BEGIN: Final = ("layers", "key_infos", "brokers_for", "sealed_inside")
_MOST_LAYERS: Final = 16
_STORES: Final = OneStorePerFile("transactions file", FileTransactionStore)


def party_settings(
    values: Mapping[str, Any],
    beside: Path | None,
    server_title: bytes | None,
    signing_key: SigningKey | None,
    agreement_key: AgreementKey | None,
    keys: PartyKeys | None,
) -> dict[str, Any]:
    """Return ``parties`` and ``layers`` of client settings, where general protection is wanted.

    Raises ConfigurationError.
    """
    given = {name: values[name] for name in LAYERED if values.get(name) not in (None, "", [])}
    if not any(name in given for name in _BEGIN):
        if given:
            raise ConfigurationError(
                f"{', '.join(sorted(given))}: of use with general protection alone, say layers or key_infos too"
            )
        return {}
    if server_title is None:
        raise ConfigurationError("general protection needs the system title of the meter: give server_title")
    plan = plan_of(given.get("layers"), server_title)
    parties = GeneralParties(
        transactions=transaction_store(given.get("transactions"), beside),
        key_infos=_key_infos(given.get("key_infos"), plan),
        signing_key=signing_key,
        agreement_key=agreement_key,
        keys=NO_PARTY_KEYS if keys is None else keys,
        brokers_for=tuple(octets_of("brokers_for", one) for one in words("brokers_for", given.get("brokers_for"))),
        max_layers=_number(given, "max_layers", 1, _MOST_LAYERS) or MAX_LAYERS,
        date_time_accepted=_date_time_check(given),
    )
    return {"parties": parties, "layers": plan}


def plan_of(layers: object, recipient: bytes) -> LayerPlan | None:
    """Return the layers that settings or an argument name; None where there are none. Raises ConfigurationError."""
    if layers is None or isinstance(layers, LayerPlan):
        return layers
    if not isinstance(layers, str | list | tuple):
        raise ConfigurationError('layers are a text, "sign+cipher", or a list of them: ["sign", "cipher:one-pass"]')
    try:
        return layers_of(layers, recipient)
    except EncodeError as error:
        raise ConfigurationError(f"layers: {error}") from None


def words(name: str, value: object) -> list[str]:
    """Return a list of words; in one text with commas between. Raises ConfigurationError."""
    if value is None:
        return []
    found = value.split(",") if isinstance(value, str) else value
    if not isinstance(found, list | tuple | set | frozenset) or not all(isinstance(one, str) for one in found):
        raise ConfigurationError(f'{name} is a list of texts: ["...", "..."]')
    return [one.strip() for one in found if one.strip()]


def transaction_store(named: object, beside: Path | None) -> TransactionStore:
    """Return the store that settings name: durable, and one for all unless named. Raises ConfigurationError."""
    if isinstance(named, TransactionStore):
        return named
    return _STORES.at(state_folder() / "transactions" if named is None else path_of(named, beside))


def _key_infos(value: object, plan: LayerPlan | None) -> frozenset[KeyEstablishment]:
    if value is not None:
        return frozenset(map(key_info_of, words("key_infos", value)))
    named = frozenset(layer.key_info for layer in plan.layers if layer.key_info is not None) if plan else None
    return named or frozenset((KeyEstablishment.GLOBAL_UNICAST,))


def _number(given: Mapping[str, Any], name: str, least: int, most: int) -> int | None:
    value = given.get(name)
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 10:
        value = int(value)
    if value is not None and (type(value) is not int or not least <= value <= most):
        raise ConfigurationError(f"{name} is a number from {least} to {most}")
    return value


def _date_time_check(given: Mapping[str, Any]) -> DateTimeCheck | None:
    tolerance = _number(given, "date_time_tolerance", 1, 10**9)
    return None if tolerance is None else recent(dt.timedelta(seconds=tolerance))


def recent(tolerance: dt.timedelta) -> DateTimeCheck:
    """Return what tells whether a date-time of 12 octets is within a tolerance of the time of this machine."""

    def check(octets: bytes) -> bool:
        try:
            stamp = DateTime(octets).to_datetime()
        except (DecodeError, ConfigurationError, OverflowError):
            return False  # not one moment: something of it is not specified
        return abs(stamp - dt.datetime.now(dt.UTC)) <= tolerance

    return check
