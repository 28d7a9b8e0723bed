"""A client and a meter over datagrams that are lost, doubled and late, in virtual time."""

from __future__ import annotations

from collections import Counter
from typing import Any

from cosemic.association.requests import Release
from cosemic.association.server import ServerAssociation
from cosemic.faults import DatagramFaults, Network, VirtualTime
from cosemic.faults.sessions import ClientStation, MeterStation
from cosemic.link.wrapper import DatagramWrapperLink
from cosemic.security import is_ciphered, open_envelope
from cosemic.server.meter_session import MeterSession
from cosemic.server.physical_device import DeviceAssociation
from cosemic.stack import ClientStack
from cosemic.values import AuthenticationMechanism
from tests.association.samples import Shelf, settings

HEADER = 8
CLIENT = "head-end:4059"
METER = "meter:4059"


class ShelfAssociation(ServerAssociation):
    """An association with a shelf, in the place of one with a logical device."""

    gone = False


class ShelfDevice:
    """One logical device at every SAP: a shelf."""

    def __init__(self, theirs: Any, shelf: Shelf) -> None:
        self._settings = theirs
        self._shelf = shelf

    def association(self, client_sap: int, server_sap: int) -> DeviceAssociation | None:
        return ShelfAssociation(self._settings, self._shelf)  # type: ignore[return-value]  # all that a session needs


class Field:
    """A client and a meter on one network; the meter keeps its answers, so that the client repeats changes too."""

    def __init__(
        self,
        faults: DatagramFaults,
        *,
        seed: int = 0,
        mechanism: AuthenticationMechanism = AuthenticationMechanism.LOWEST,
        ciphered: bool = False,
        client: dict[str, Any] | None = None,
        server: dict[str, Any] | None = None,
    ) -> None:
        self.time = VirtualTime()
        self.network = Network(self.time, faults, seed=seed)
        self.shelf = Shelf()
        ours, theirs = settings(
            mechanism,
            ciphered=ciphered,
            client={"repeat_changes": True, "response_timeout": 3.0, "datagram_lifetime": 2.5} | (client or {}),
            server={"keep_answers": True} | (server or {}),
        )
        self.settings = ours
        device: Any = ShelfDevice(theirs, self.shelf)
        self.network.station(METER).listen(
            lambda connection: MeterStation(MeterSession(device, DatagramWrapperLink()), connection)
        )
        stack = ClientStack(ours, 16, 1, link=lambda client_sap, server_sap: DatagramWrapperLink())
        self.client = ClientStation(stack, self.network.station(CLIENT).connected(METER))

    @property
    def associated(self) -> bool:
        return self.client.stack.association.opened is not None

    @property
    def lost(self) -> bool:
        """Whether a new connection is needed: an opening or release was never answered."""
        return self.client.stack.association.unanswered

    def bound(self, apdus: int, request: Any = None) -> float:
        """Seconds after which a request of so many APDUs has ended at the latest."""
        each = (1 + self.settings.repetitions) * self.settings.response_timeout
        waits = 0 if isinstance(request, Release) else self.settings.datagram_lifetime
        return waits * (1 + self.settings.repetitions) + each * apdus

    def executed(self) -> Counter[tuple[str, bytes]]:
        """How often each change was made."""
        return Counter((kind, what[1].octets) for kind, what in self.shelf.calls if kind != "get")

    def assert_that_no_counter_was_repeated(self) -> None:
        """The same key, title and counter with other octets would give both away."""
        seen: dict[tuple[str, bytes], bytes] = {}
        for passed in self.network.journal:
            apdu = passed.octets[HEADER:]
            if is_ciphered(apdu):
                counter = open_envelope(apdu).content[1:5]
                assert seen.setdefault((passed.station, counter), apdu) == apdu
