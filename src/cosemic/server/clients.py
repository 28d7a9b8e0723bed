"""The clients that a logical device lets in: how their associations are opened, and what they may do.

An :class:`Admission` is what is configured; an :class:`AdmittedClient` is the device's view of that client while it
runs: the settings that a SET of the secret has changed, its rights as coded, how many associations stand, and what is
remembered of it from one to the next.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from cosemic.association.client_history import ClientHistory
from cosemic.association.service_provider import ServerSettings
from cosemic.errors import ConfigurationError
from cosemic.server.objects import AccessRefused, CosemObject
from cosemic.server.rights import AccessRule, ObjectRights, coded
from cosemic.values import AuthenticationMechanism, DataAccessResult, Obis, Secret

PUBLIC_CLIENT: Final = 16
MANAGEMENT_CLIENT: Final = 1
HIDDEN: Final = ObjectRights()
_GREATEST_CLIENT_SAP: Final = 127


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """One association that a logical device offers.

    client_sap: 1 to 127. settings: how it is opened. rights: what it may do. security_setup: logical name of the
    Security setup that its keys belong to. Raises ConfigurationError for a client SAP that associated_partners_id
    cannot name.
    """

    client_sap: int
    settings: ServerSettings
    rights: AccessRule
    security_setup: Obis | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.client_sap <= _GREATEST_CLIENT_SAP:
            raise ConfigurationError(f"a client SAP is 1 to {_GREATEST_CLIENT_SAP}, not {self.client_sap}")


class AdmittedClient:
    """A client as the device knows it; ``version`` is that of Association LN."""

    def __init__(self, admission: Admission, version: int) -> None:
        self.admission = admission
        self.version = version
        self.settings = admission.settings
        self.history = ClientHistory()
        """Failed authentication and used dedicated keys."""
        self.standing = 0
        """How many associations of this client stand."""
        self.last_title: bytes | None = admission.settings.client_title
        """System title of the client that was associated last."""
        self.rights: dict[tuple[int, Obis], ObjectRights] = {}

    @property
    def client_sap(self) -> int:
        """Service access point of the client."""
        return self.admission.client_sap

    def sees(self, served: CosemObject) -> bool:
        """Whether the object is in the view of the association."""
        return (served.class_id, served.instance_id) in self.rights

    def rights_to(self, served: CosemObject) -> ObjectRights:
        """Return the rights to an object."""
        return self.rights.get((served.class_id, served.instance_id), HIDDEN)

    def learn(self, served: CosemObject) -> None:
        """Find out the rights to an object. Raises ConfigurationError where the version cannot code them."""
        rights = self.admission.rights(served)
        if rights is not None:
            self.rights[served.class_id, served.instance_id] = coded(rights, self.version, repr(served))

    def change_secret(self, secret: bytes) -> None:
        """Take another LLS password, for associations opened from now on. Raises AccessRefused for other mechanisms."""
        if self.settings.mechanism is not AuthenticationMechanism.LLS:
            raise AccessRefused(DataAccessResult.READ_WRITE_DENIED)
        if not secret:
            # No password at all would let nobody in any more.
            raise AccessRefused(DataAccessResult.OTHER_REASON)
        self.settings = replace(self.settings, secret=Secret.password(secret))

    def lowest_acceptable_counter(self) -> int:
        """Return the lowest invocation counter that is accepted under the encryption key; 0 where none came yet."""
        material, title = self.settings.material, self.last_title
        if material is None or title is None:
            return 0
        counter = self.settings.counters.receive_counter(material.encryption_key.identity, title)
        return counter.lowest
