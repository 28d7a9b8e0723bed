"""Security setup as an object of the device, for reading (class 64, versions 0 and 1; IEC 62056-6-2, 5.3).

Policy, suite and system titles of the association that it belongs to, and in version 1 the certificates, of which suite
0 has none. Keys are never shown, and the policy is changed by configuration: no method is served.
"""

from __future__ import annotations

from typing import Any, Final

from cosemic.errors import ConfigurationError
from cosemic.model import SecuritySetup, SecuritySetupVersion0
from cosemic.model.security_setup import SecurityPolicyV0, SecurityPolicyV1, SecuritySuiteV0, SecuritySuiteV1
from cosemic.server.clients import AdmittedClient
from cosemic.server.objects import CosemObject
from cosemic.values import Obis

_NO_TITLE: Final = bytes(8)


def security_setup(client: AdmittedClient, instance_id: Obis) -> CosemObject:
    """Return the Security setup of a client; its version is that of the security policy.

    Raises ConfigurationError where the association has no keys.
    """
    settings = client.settings
    if settings.material is None:
        raise ConfigurationError("a Security setup belongs to an association with keys")
    values: dict[str, Any] = {
        "client_system_title": lambda now: client.last_title or _NO_TITLE,
        "server_system_title": settings.system_title,
    }
    suite = settings.material.suite.id
    if settings.policy.version == 0:
        values |= {
            "security_policy": SecurityPolicyV0(settings.policy.value),
            "security_suite": SecuritySuiteV0(suite),
        }
        return CosemObject(SecuritySetupVersion0(instance_id), values)
    values |= {
        "security_policy": SecurityPolicyV1(settings.policy.value),
        "security_suite": SecuritySuiteV1(suite),
        "certificates": (),
    }
    return CosemObject(SecuritySetup(instance_id), values)
