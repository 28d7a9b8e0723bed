"""Settings of a third party: from a TOML or JSON file, or a mapping.

A third party has no association of its own: a client hands on what it asks (:mod:`cosemic.association.third_party`).

::

    system_title = "5454540000000007"  # ours; hex
    server_title = "..."               # the meter's
    suite = 1                          # of the keys of the meter: 1 or 2
    layers = "sign+cipher:one-pass"    # around what is asked, with keys that are agreed on
    authentication_key = "..."         # hex; of what is exchanged with this meter; unless said, none is used
    require = "authenticated-encrypted"   # least protection of answers; unless said, that of what is asked
    key_store = "our.keys"             # key store with our private keys and system title, in the entry that is named
    key_store_client = "third party"
    meter = "CSM0000000000001"         # entry whose certificates are those of the meter, and whose title is its title
    key_store_key_file = "unlock.key"  # what opens the key store; unless said, what the environment names

Private keys, certificates, ``key_infos`` and ``transactions`` are named as in
:mod:`cosemic.store.security_settings` and :mod:`cosemic.store.party_settings`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cosemic.association.third_party import ThirdPartySettings
from cosemic.dialect import STANDARD, Dialect
from cosemic.errors import ConfigurationError
from cosemic.security import Key, security_suite
from cosemic.security.keys import NO_AUTHENTICATION_KEY
from cosemic.store.party_settings import party_settings
from cosemic.store.private_keys import octets_of
from cosemic.store.security_settings import SIGNATURES, Source, protection_required, read_settings
from cosemic.store.signature_settings import signature_settings
from cosemic.values import Secret
from cosemic.values.secret import hidden

NAMES: Final = SIGNATURES | {
    "system_title", "server_title", "suite", "layers", "authentication_key", "require", "key_infos", "transactions",
    "key_store", "key_store_client", "key_store_key_file", "meter",
}  # fmt: skip


def load_third_party(source: Source, *, dialect: Dialect = STANDARD) -> ThirdPartySettings:
    """Return the settings that a file or a mapping holds. Raises ConfigurationError, which never quotes a key."""
    beside: Path | None = None
    values: Mapping[str, Any]
    if isinstance(source, Mapping):
        values = hidden(source)
    elif source is None or not isinstance(source, str | Path):
        raise ConfigurationError("a third party is a file of settings, or a mapping")
    else:
        beside = Path(source)
        values = read_settings(beside)
    unknown = set(map(str, values)) - NAMES
    if unknown:
        raise ConfigurationError(
            f"{', '.join(sorted(unknown))}: no setting of a third party, which holds no global key; known: "
            f"{', '.join(sorted(NAMES))}"
        )
    if any(name in values for name in ("key_store", "meter", "key_store_client")):
        from cosemic.store.key_store.for_settings import third_party_from_key_store

        values = third_party_from_key_store(values, beside)
    if missing := [name for name in ("system_title", "server_title", "suite", "layers") if not values.get(name)]:
        raise ConfigurationError(f"a third party needs {', '.join(missing)}")
    suite_id = values["suite"]
    if suite_id not in (1, 2, "1", "2"):
        raise ConfigurationError("the suite of a third party is 1 or 2: it agrees on keys, and signs")
    suite = security_suite(int(suite_id))
    title, server_title = (octets_of(name, values[name]) for name in ("system_title", "server_title"))
    signatures, agreement_key, keys = signature_settings(values, beside, suite, title, server_title)
    signing_key = signatures.get("signing_key")
    found = party_settings(values, beside, server_title, signing_key, agreement_key, keys)
    parties = found["parties"]
    key = values.get("authentication_key")
    secret = Secret(octets_of("authentication_key", key), "authentication key") if key else None
    return ThirdPartySettings(
        title=title,
        server_title=server_title,
        suite=suite,
        layers=found["layers"],
        authentication_key=NO_AUTHENTICATION_KEY if secret is None else Key(secret),
        transactions=parties.transactions,
        keys=keys,
        signing_key=signing_key,
        agreement_key=agreement_key,
        key_infos=parties.key_infos,
        require=protection_required(values),
        dialect=dialect,
    )
