"""A meter with keys on the bench: every APDU that leaves the client can be lost, or its answer, or the client ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from cosemic.association.settings import ClientSettings
from cosemic.client.procedures.security import SecurityProcedures
from cosemic.client.recovery import STANDARD, Recovery
from cosemic.client.session import Session
from cosemic.client.steps import Procedure
from cosemic.security import MemoryCounterStore
from cosemic.security.key_keeper import MemoryKeyKeeper
from cosemic.server import LogicalDevice
from cosemic.stack import ClientStack
from cosemic.store.security_settings import SecuritySettings
from cosemic.values import AuthenticationMechanism
from tests.client.procedures.bench import Bench, Fault
from tests.server.security_support import GAK, GUEK, KEK, MANAGER, client_settings, device_of, octets, server_settings

T = TypeVar("T")


class KeyBench(Bench):
    """The management client of a device with keys; requests are all APDUs that it sends, from 1."""

    def __init__(
        self,
        device: LogicalDevice,
        suite: int = 0,
        *,
        recovery: Recovery = STANDARD,
        counters: MemoryCounterStore | None = None,
        **changed: Any,
    ) -> None:
        super().__init__(device=device, recovery=recovery)
        settings: ClientSettings = client_settings(suite, counters=counters or MemoryCounterStore(), **changed)
        security = SecuritySettings(settings)
        self.session = Session(security, lambda: ClientStack(settings, MANAGER, 1), self.session.zone, recovery)
        self.security = SecurityProcedures(self.session)

    def fault_of(self, octets: bytes) -> Fault | None:
        self.requests += 1
        return self.faults.get(self.requests)

    def until(self, step: int, procedure: Procedure[Any]) -> bool:
        """Run a procedure as far as its step of that number, and end as a process that is killed; whether it ended."""

        def some() -> Procedure[None]:
            taken = 0
            result: Any = None
            error: Exception | None = None
            while True:
                try:
                    asked = procedure.throw(error) if error is not None else procedure.send(result)
                except StopIteration:
                    return
                if taken == step:
                    raise _Killed
                taken += 1
                result, error = None, None
                try:
                    result = yield asked
                except Exception as raised:  # whatever the driver raises is the procedure's
                    error = raised

        try:
            self.run(some())
        except _Killed:
            return False
        return True


class _Killed(Exception):
    pass


def keeper_of(suite: int = 0) -> MemoryKeyKeeper:
    return MemoryKeyKeeper({GUEK: octets(0x10, suite), GAK: octets(0xD0, suite), KEK: octets(0x80, suite)})


def meter(version: int = 1, suite: int = 0, **changed: Any) -> LogicalDevice:
    given = {"mechanism": AuthenticationMechanism.HLS_GMAC} | changed
    return device_of(server_settings(version, suite, **given))


Made = Callable[[], KeyBench]
