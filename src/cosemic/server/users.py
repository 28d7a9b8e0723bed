"""The users of an association: client user identification (Association LN from version 2 on; IEC 62056-6-2, 5.3).

A client names its user in calling-AE-invocation-id of the AARQ. Where user_list is empty, anybody may, or nobody; where
it is not, only a user that it lists opens the association::

    user_list empty, any id or none     accepted; current_user is (0, "")
    listed, the id listed               accepted; current_user is the entry
    listed, another id or none          calling-AE-invocation-identifier-not-recognized
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cosemic.association.settings import LARGEST_USER_ID
from cosemic.errors import ConfigurationError
from cosemic.model.access_control import UserListEntry
from cosemic.server.objects import AccessRefused
from cosemic.server.state import Memory, load_json, save_json
from cosemic.values import DataAccessResult

NOBODY: Final = UserListEntry(0, "")
LONGEST_NAME: Final = 64
"""Characters of the name of a user."""
_KEPT_AS: Final = "users"


class Users:
    """The users that one client may name, by their ids.

    names: by id, 0 to 255; ASCII, at most :data:`LONGEST_NAME` characters. Raises ConfigurationError.
    """

    def __init__(self, names: Mapping[int, str]) -> None:
        for user_id, name in names.items():
            if not 0 <= user_id <= LARGEST_USER_ID or not name.isascii() or len(name) > LONGEST_NAME:
                raise ConfigurationError(
                    f"a user has an id from 0 to {LARGEST_USER_ID} and an ASCII name of at most {LONGEST_NAME} "
                    f"characters, not {user_id} and {name!r}"
                )
        self._names = dict(names)

    @property
    def ids(self) -> frozenset[int]:
        """The ids that are listed."""
        return frozenset(self._names)

    def entries(self) -> tuple[UserListEntry, ...]:
        """Return user_list."""
        return tuple(UserListEntry(user_id, name) for user_id, name in self._names.items())

    def entry(self, user_id: int | None) -> UserListEntry:
        """Return current_user for the id that a client has named; nobody where it is not listed."""
        name = None if user_id is None else self._names.get(user_id)
        return NOBODY if user_id is None or name is None else UserListEntry(user_id, name)

    def add(self, entry: UserListEntry) -> None:
        """List a user; one with its id takes the new name. Raises AccessRefused for a name that is too long."""
        if len(entry.user_name) > LONGEST_NAME:
            raise AccessRefused(DataAccessResult.OTHER_REASON)
        self._names[entry.user_id] = entry.user_name

    def remove(self, entry: UserListEntry) -> None:
        """Take a user off the list. Raises AccessRefused for an entry that is not on it."""
        if self._names.get(entry.user_id) != entry.user_name:
            raise AccessRefused(DataAccessResult.OTHER_REASON)
        del self._names[entry.user_id]

    def save(self, memory: Memory) -> None:
        """Keep the list. Raises StoreError."""
        save_json(memory, _KEPT_AS, list(self._names.items()))

    def restore(self, memory: Memory) -> None:
        """Take up the list that was kept, if one was. Raises StoreError."""
        kept = load_json(memory, _KEPT_AS)
        if kept is not None:
            self._names = {int(user_id): str(name) for user_id, name in kept}
