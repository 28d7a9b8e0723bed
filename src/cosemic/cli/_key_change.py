"""``cosemic keys change``: new keys for a meter, proved before they count, kept in the key store."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any, Final

from cosemic.cli._json import print_json
from cosemic.cli._meter import add_command, meter_of, recover_command, security_of
from cosemic.client.plan import known
from cosemic.client.procedures.key_change import ASSOCIATION_KEYS
from cosemic.errors import ConfigurationError, OutcomeUnknown
from cosemic.model.security_setup import SetupKeyId
from cosemic.security.key_keeper import KeyState
from cosemic.store.kept_keys import kept_keys
from cosemic.store.key_store import RecordKind

KEYS: Final = {
    RecordKind.ENCRYPTION_KEY.value: SetupKeyId.GLOBAL_UNICAST_ENCRYPTION_KEY,
    RecordKind.AUTHENTICATION_KEY.value: SetupKeyId.AUTHENTICATION_KEY,
    RecordKind.BROADCAST_KEY.value: SetupKeyId.GLOBAL_BROADCAST_ENCRYPTION_KEY,
    RecordKind.KEK.value: SetupKeyId.MASTER_KEY,
}
_WORDS: Final = {key_id: word for word, key_id in KEYS.items()}
EXAMPLES: Final = """\
  cosemic keys change kitchen
  cosemic keys change "tcp://10.0.0.7?client=1" --security meter.toml --key encryption-key --key broadcast-key
  cosemic keys change "tcp://10.0.0.7?client=1" --security meter.toml --agree
  cosemic keys change "tcp://10.0.0.7?client=1" --security meter.toml --recover --json

The security settings name the key store and the meter in it (key_store, meter), where new keys are kept before they are
sent, wrapped under the master key (kek). They count when the meter has proved that it uses them; when it goes on with
the old ones, these stay. Where neither can be proved both are kept, and the next call settles it; so does --recover,
which changes nothing else. Nobody sees a key: `cosemic keys store show` tells them apart by fingerprints.

--agree first agrees on a new master key, with signatures (suites 1 and 2): the settings hold signing_key and the public
key or the certificate of the meter.
"""


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    about = "give a meter new keys, and keep them in the key store"
    command = add_command(commands, "change", about, f"{about.capitalize()}.", EXAMPLES)
    command.add_argument(
        "--key",
        action="append",
        choices=tuple(KEYS),
        help="which one; can be given several times (default: encryption-key and authentication-key)",
    )
    command.add_argument("--agree", action="store_true", help="agree on a new master key first")
    command.add_argument("--recover", action="store_true", help="settle a change that was interrupted, and no more")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Change, or recover, and print what was done."""
    if arguments.recover and (arguments.agree or arguments.key):
        raise ConfigurationError("--recover changes no keys: leave out --key and --agree")
    if arguments.third_party is not None:
        raise ConfigurationError("a third party changes no keys of the meter: leave out --third-party")
    wanted = [KEYS[name] for name in dict.fromkeys(arguments.key)] if arguments.key else list(ASSOCIATION_KEYS)
    source = known(arguments.url, security_of(arguments), None, None, arguments.meters).security
    done: dict[str, Any] = {"meter": arguments.url, "recovered": None, "agreed": [], "changed": []}
    with kept_keys(source, purpose="cosemic keys change") as keeper:
        doubtful = dict(keeper.keys(KeyState.PENDING))
        try:
            with meter_of(arguments, keeper) as meter:
                if doubtful:
                    current = keeper.keys(KeyState.CURRENT)
                    made = all(current.get(key_id) == secret for key_id, secret in doubtful.items())
                    done["recovered"] = {"keys": _words(doubtful), "new": made}
                if arguments.agree:
                    done["agreed"] = _words(meter.security.agree_keys(keeper=keeper))
                if not arguments.recover:
                    done["changed"] = _words(meter.security.change_keys(keeper, wanted).key_ids)
        except OutcomeUnknown as error:
            error.add_note(recover_command(arguments))
            raise
    if arguments.json:
        print_json(done)
    else:
        print("\n".join(_lines(done)))
    return 0


def _lines(done: dict[str, Any]) -> list[str]:
    lines = []
    if done["recovered"] is not None:
        which = "new" if done["recovered"]["new"] else "old"
        doubtful = ", ".join(done["recovered"]["keys"])
        lines.append(f"was in doubt: {doubtful}; the meter has proved that it has the {which}")
    if done["agreed"]:
        lines.append(f"agreed on, and kept: {', '.join(done['agreed'])}")
    if done["changed"]:
        lines.append(f"changed, proved and kept: {', '.join(done['changed'])}")
    return lines or ["no key was in doubt"]


def _words(key_ids: Iterable[SetupKeyId]) -> list[str]:
    return [_WORDS[SetupKeyId(key_id)] for key_id in key_ids]
