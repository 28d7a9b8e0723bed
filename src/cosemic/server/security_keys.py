"""The keys and the policy that a Security setup keeps, and the clients that it keeps them for (class 64).

All associations that name one Security setup have the same keys and policy. A change is checked for all of them before
it is made for any; it is kept sealed (:mod:`cosemic.server.sealed_memory`), and holds for the next request of each
association (:class:`~cosemic.server.physical_device.DeviceAssociation`). Invocation counters belong to the value of a
key: those of a fresh one begin at 0, and a key that is installed again goes on counting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from cosemic.association.service_provider import ServerSettings
from cosemic.errors import ConfigurationError, DecodeError, StoreError
from cosemic.model.security_setup import SetupKeyId
from cosemic.security import Key, Requirement, SecurityMaterial, SecurityPolicy
from cosemic.server.clients import AdmittedClient
from cosemic.server.sealed_memory import SealedMemory
from cosemic.server.state import FORGETFUL, Memory
from cosemic.values import Obis, Secret
from cosemic.values.secret import hidden

MATERIAL_NAMES: Final[Mapping[SetupKeyId, str]] = {
    SetupKeyId.GLOBAL_UNICAST_ENCRYPTION_KEY: "encryption_key",
    SetupKeyId.GLOBAL_BROADCAST_ENCRYPTION_KEY: "broadcast_key",
    SetupKeyId.AUTHENTICATION_KEY: "authentication_key",
    SetupKeyId.MASTER_KEY: "kek",
}
"""Where a key stands in the security material."""
_KEYS: Final = "keys"
_POLICY: Final = "policy"


class SetupKeys:
    """Keys and policy of the Security setup of that name. Raises ConfigurationError for a client without keys."""

    def __init__(self, client: AdmittedClient, instance_id: Obis) -> None:
        material = client.settings.material
        if material is None:
            raise ConfigurationError("a Security setup belongs to an association with keys")
        self._clients = [client]
        self._memory = FORGETFUL
        place = f"{client.settings.system_title.hex()} {instance_id}"
        self._sealed: Final = SealedMemory(material.kek or material.encryption_key, place)
        self._changed: dict[SetupKeyId, Secret] = {}
        """Keys that clients have installed in place of those configured."""

    @property
    def clients(self) -> tuple[AdmittedClient, ...]:
        """The clients with these keys, the first one first."""
        return tuple(self._clients)

    @property
    def settings(self) -> ServerSettings:
        """How the association of the first client is opened."""
        return self._clients[0].settings

    @property
    def material(self) -> SecurityMaterial:
        """The keys of this moment."""
        material = self.settings.material
        assert material is not None
        return material

    @property
    def policy(self) -> SecurityPolicy:
        """The policy of this moment."""
        return self.settings.policy

    @property
    def sealed(self) -> SealedMemory:
        """What seals secrets in the state of the device."""
        return self._sealed

    def join(self, client: AdmittedClient) -> None:
        """Have the keys of another client kept here too. Raises ConfigurationError where it is configured otherwise."""
        first, other = self._clients[0].admission.settings, client.admission.settings
        if other.material is None:
            return
        if (other.material, other.policy, other.system_title) != (first.material, first.policy, first.system_title):
            raise ConfigurationError(
                "a Security setup has one set of keys, one policy and one system title: name another one for client "
                f"{client.client_sap}"
            )
        if other.counters is not first.counters:
            raise ConfigurationError(
                "the clients of a Security setup have the same keys, and need one store of invocation counters: give "
                f"client {client.client_sap} that of the others (counters)"
            )
        client.settings = _changed(client.settings, self.material, self.policy)
        client.raised = self._clients[0].raised
        self._clients.append(client)

    def restore(self, memory: Memory) -> None:
        """Take up what was kept, and keep here from now on. Raises StoreError."""
        self._memory = memory
        kept = self._sealed.load(memory, _KEYS)
        policy = self._sealed.load(memory, _POLICY)
        try:
            if kept is not None:
                self._changed = {
                    SetupKeyId(int(key_id)): Secret(bytes.fromhex(octets), "key") for key_id, octets in kept.items()
                }
            # Neither weaker than what clients have made of it, nor than it is configured meanwhile.
            wanted = SecurityPolicy(self.policy.version, self.policy.value | (policy or 0))
            self._apply(self._changed, wanted)
        except (ConfigurationError, DecodeError, ValueError):
            raise StoreError(
                "keys or policy in the state of the device do not fit its configuration: begin with a fresh state file"
            ) from None

    def install(self, keys: Mapping[SetupKeyId, Secret]) -> None:
        """Take keys in place of those of this moment: all, or none. Raises ConfigurationError, StoreError."""
        self._apply(keys, self.policy)
        self._changed = self._changed | dict(keys)
        kept = {str(key_id.value): hidden(secret.reveal().hex()) for key_id, secret in self._changed.items()}
        self._sealed.save(self._memory, _KEYS, kept)

    def activate(self, policy: SecurityPolicy) -> None:
        """Take another policy. Raises ConfigurationError where an association cannot fulfil it, StoreError."""
        self._apply({}, policy)
        self._sealed.save(self._memory, _POLICY, policy.value)

    def _apply(self, keys: Mapping[SetupKeyId, Secret], policy: SecurityPolicy) -> None:
        fresh: dict[str, Any] = {MATERIAL_NAMES[key_id]: Key(secret) for key_id, secret in keys.items()}
        material = replace(self.material, **fresh) if fresh else self.material
        settings = [_changed(client.settings, material, policy) for client in self._clients]
        raised = policy != self._clients[0].admission.settings.policy
        for client, changed in zip(self._clients, settings, strict=True):
            client.settings = changed
            client.raised = policy.requires if raised else None
            client.set_up += 1


def _changed(settings: ServerSettings, material: SecurityMaterial, policy: SecurityPolicy) -> ServerSettings:
    """Return settings with keys and policy; a policy leaves no application context without ciphering."""
    names = settings.context_names
    if policy.requires != Requirement():
        names = frozenset(name for name in names if name.ciphered)
        if not names:
            raise ConfigurationError("a policy needs an application context with ciphering")
    return replace(settings, material=material, policy=policy, context_names=names)
