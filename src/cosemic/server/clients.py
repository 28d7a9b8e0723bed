"""The clients that a logical device lets in: how their associations are opened, and what they may do.

An :class:`Admission` is what is configured; an :class:`AdmittedClient` is the device's view of that client while it
runs: its rights as coded, what was agreed in the associations that stand, what is remembered of it from one to the
next, and what clients have changed of it: secret, users and the objects in view. The last three, and the system title
of the client that was associated last, outlive the process where the device has a state; the secret stands in it as it
is, so that the file needs the same care as the settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cosemic.association.client_history import ClientHistory
from cosemic.association.service_provider import Agreement, ServerSettings
from cosemic.association.settings import LOW_LEVEL
from cosemic.errors import ConfigurationError
from cosemic.security import AccessCoding, AttributeAccess, MethodAccess, Requirement
from cosemic.security.certificates import CertificateStore
from cosemic.server.objects import AccessRefused, CosemObject
from cosemic.server.rights import AccessRule, ObjectRights, coded
from cosemic.server.state import FORGETFUL, Memory, load_json, save_json
from cosemic.server.users import Users
from cosemic.values import AuthenticationMechanism, DataAccessResult, Obis, Secret

PUBLIC_CLIENT: Final = 16
MANAGEMENT_CLIENT: Final = 1
HIDDEN: Final = ObjectRights()
FIRST_WITH_USERS: Final = 2
"""Version of Association LN that knows users."""
LONGEST_SECRET: Final = 255
"""Octets of a password or HLS secret that a client may set."""
_GREATEST_CLIENT_SAP: Final = 127
_WITH_SECRET: Final = frozenset(AuthenticationMechanism) - {
    AuthenticationMechanism.LOWEST,
    AuthenticationMechanism.HLS_GMAC,
    AuthenticationMechanism.HLS_ECDSA,
}
_VIEW: Final = "view"
_TITLE: Final = "title"
_REPLY_TO_HLS_AUTHENTICATION: Final = {15: 1, 12: 8}
"""The method of Association LN, and of Association SN."""
_Key = tuple[int, Obis]


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """One association that a logical device offers.

    client_sap: 1 to 127. settings: how it is opened. rights: what it may do. security_setup: logical name of the
    Security setup that its keys belong to; certificates: those of the device and its key pairs, for a Security setup of
    version 1. users: names by user id, for Association LN from version 2 on. Raises ConfigurationError for a client SAP
    that associated_partners_id cannot name, and for users that cannot be.
    """

    client_sap: int
    settings: ServerSettings
    rights: AccessRule
    security_setup: Obis | None = None
    certificates: CertificateStore | None = None
    users: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 1 <= self.client_sap <= _GREATEST_CLIENT_SAP:
            raise ConfigurationError(f"a client SAP is 1 to {_GREATEST_CLIENT_SAP}, not {self.client_sap}")
        Users(self.users)


class AdmittedClient:
    """A client as the device knows it; ``version`` is that of Association LN.

    memory: what outlives the process. Raises ConfigurationError for users that the version does not know, StoreError.
    """

    def __init__(self, admission: Admission, version: int, memory: Memory = FORGETFUL) -> None:
        self.admission = admission
        self.version = version
        self.settings = admission.settings
        self.history = ClientHistory()
        """Failed authentication and used dedicated keys."""
        self.agreements: list[Agreement] = []
        """What was agreed in each association of this client that stands, the latest last."""
        self.pending = 0
        """How many associations of this client wait for its proof."""
        self.last_title: bytes | None = admission.settings.client_title
        """System title of the client that was associated last."""
        self.users = Users(dict.fromkeys(admission.settings.users, "") | dict(admission.users))
        if self.users.ids and version < FIRST_WITH_USERS:
            raise ConfigurationError(f"Association LN knows users from version {FIRST_WITH_USERS} on, not in {version}")
        self.rights: dict[_Key, ObjectRights] = {}
        self.own: dict[_Key, CosemObject] = {}
        """Objects that are another one for each client: the current association."""
        self.raised: Requirement | None = None
        """What the policy asks for, where a client has raised it: it holds in associations that stand, too."""
        self.set_up = 0
        """How often the Security setup has changed keys or policy: associations that stand go on with them."""
        self._changed: dict[_Key, ObjectRights | None] = {}
        """Rights that a client has set in place of those of the rule; None: it has removed the object."""
        self._memory = memory
        self._restore()

    @property
    def client_sap(self) -> int:
        """Service access point of the client."""
        return self.admission.client_sap

    @property
    def standing(self) -> int:
        """How many associations of this client stand."""
        return len(self.agreements)

    @property
    def logical_names(self) -> bool:
        """Whether it may use logical names."""
        return any(not name.short_names for name in self.settings.context_names)

    @property
    def short_names(self) -> bool:
        """Whether it may use short names."""
        return any(name.short_names for name in self.settings.context_names)

    @property
    def high_level(self) -> bool:
        """Whether its associations are opened with high level security."""
        return self.settings.mechanism not in LOW_LEVEL

    @property
    def has_secret(self) -> bool:
        """Whether it authenticates itself with a secret that can be changed: LLS, and HLS without keys."""
        return self.settings.mechanism in _WITH_SECRET

    # ---- the objects in view ----------------------------------------------------------------------------------------

    def sees(self, served: CosemObject) -> bool:
        """Whether the object is in the view of the association."""
        return _key(served) in self.rights

    def rights_to(self, served: CosemObject) -> ObjectRights:
        """Return the rights to an object."""
        return self.rights.get(_key(served), HIDDEN)

    def learn(self, served: CosemObject) -> None:
        """Find out the rights to an object. Raises ConfigurationError where the version cannot code them."""
        key = _key(served)
        rights = self._changed[key] if key in self._changed else self.admission.rights(served)
        if rights is not None:
            self.rights[key] = self._coded(served, rights)

    def take(self, own: CosemObject) -> None:
        """Take the current association of this client."""
        self.own[_key(own)] = own
        self.learn(own)

    def show(self, served: CosemObject, rights: ObjectRights) -> None:
        """Take an object into the view, with these rights. Raises ConfigurationError, StoreError."""
        self.rights[_key(served)] = self._coded(served, rights)
        self._changed[_key(served)] = rights
        self._keep_view()

    def hide(self, served: CosemObject) -> None:
        """Take an object out of the view. Raises StoreError."""
        del self.rights[_key(served)]
        self._changed[_key(served)] = None
        self._keep_view()

    # ---- secret and users -------------------------------------------------------------------------------------------

    def change_secret(self, secret: bytes) -> None:
        """Take another password or HLS secret, for associations opened from now on.

        Raises AccessRefused for one that is empty, too long or of no use to the mechanism; StoreError.
        """
        if not 1 <= len(secret) <= LONGEST_SECRET:
            # No password at all would let nobody in any more.
            raise AccessRefused(DataAccessResult.OTHER_REASON)
        try:
            if self.settings.mechanism is AuthenticationMechanism.HLS:
                self.settings.transformation(bytes(16), Secret.password(secret))
        except ConfigurationError:
            raise AccessRefused(DataAccessResult.OTHER_REASON) from None
        self._use_secret(secret)
        self._memory.save(self._secret_name, secret)

    def users_changed(self) -> None:
        """Let in the users that are listed now, and keep the list. Raises StoreError."""
        self._let_users_in()
        self.users.save(self._memory)

    def associated(self, title: bytes | None) -> None:
        """Remember the system title with which it was associated. Raises StoreError."""
        if title and title != self.last_title:
            self.last_title = title
            self._memory.save(_TITLE, title)

    def lowest_acceptable_counter(self) -> int:
        """Return the lowest invocation counter that is accepted under the encryption key; 0 where none came yet.

        That of the client that was associated last; before any was, of whoever has come furthest: its association may
        have been opened, and the answer lost.
        """
        if self.settings.material is None:
            return 0
        counters, key, title = self.settings.counters, self.settings.material.encryption_key.identity, self.last_title
        own = 0 if title is None else counters.lowest_acceptable(key, title)
        return own or counters.highest_acceptable(key)

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _coded(self, served: CosemObject, rights: ObjectRights) -> ObjectRights:
        rights = coded(rights, self.version, served, signs=self.settings.parties is not None)
        reply = _REPLY_TO_HLS_AUTHENTICATION.get(served.class_id)
        if _key(served) in self.own and reply in served.invocable:
            # It comes before any right, and is listed as it is served.
            return replace(rights, methods={**rights.methods, reply: MethodAccess(True)})
        return rights

    @property
    def _secret_name(self) -> str:
        return f"secret of {self.settings.mechanism.label}"

    def _use_secret(self, secret: bytes) -> None:
        self.settings = replace(self.settings, secret=Secret.password(secret))

    def _let_users_in(self) -> None:
        if self.settings.users != self.users.ids:
            self.settings = replace(self.settings, users=self.users.ids)

    def _restore(self) -> None:
        self.last_title = self._memory.load(_TITLE) or self.last_title
        secret = self._memory.load(self._secret_name) if self.has_secret else None
        if secret is not None:
            self._use_secret(secret)
        if self.version >= FIRST_WITH_USERS:
            self.users.restore(self._memory)
            self._let_users_in()
        for class_id, name, rights in load_json(self._memory, _VIEW) or ():
            self._changed[class_id, Obis(name)] = None if rights is None else _loaded(*rights)

    def _keep_view(self) -> None:
        view = [
            [class_id, str(name), None if rights is None else _kept(rights)]
            for (class_id, name), rights in self._changed.items()
        ]
        save_json(self._memory, _VIEW, view)


def _key(served: CosemObject) -> _Key:
    return served.class_id, served.instance_id


def _kept(rights: ObjectRights) -> tuple[list[Any], list[Any]]:
    """Rights as numbers, in the coding that can say everything."""
    return (
        [[index, right.encode(AccessCoding.BIT_FIELD)] for index, right in rights.attributes.items()],
        [[index, right.encode(AccessCoding.BIT_FIELD)] for index, right in rights.methods.items()],
    )


def _loaded(attributes: list[Any], methods: list[Any]) -> ObjectRights:
    return ObjectRights(
        {index: AttributeAccess.decode(mode, AccessCoding.BIT_FIELD) for index, mode in attributes},
        {index: MethodAccess.decode(mode, AccessCoding.BIT_FIELD) for index, mode in methods},
    )
