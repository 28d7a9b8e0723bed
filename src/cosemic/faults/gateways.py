"""A gateway in virtual time: one station for its clients, one for each of its lines.

::

    stations = GatewayStations(Gateway(WrapperLink()), above.server)
    stations.add(stations.gateway.line(DeviceId(0, b"meter 1"), WrapperLink()), below.client)
"""

from __future__ import annotations

from cosemic.errors import TransportError
from cosemic.faults.station import Driver, StationPort
from cosemic.link.gateway import Gateway, GatewayLine


class GatewayStations:
    """The stations of a gateway. port: the gateway's end of the medium to its clients."""

    def __init__(self, gateway: Gateway, port: StationPort) -> None:
        self.gateway = gateway
        self._stations: dict[Gateway | GatewayLine, _Station] = {}
        self.upper = self.add(gateway, port)

    def add(self, machine: Gateway | GatewayLine, port: StationPort) -> Driver:
        """Put a line (or the gateway itself) at a port; return its station."""
        self._stations[machine] = station = _Station(self, machine, port)
        return station

    def serve(self) -> None:
        """Let everything that has changed be sent."""
        for machine in self.gateway.changed():
            station = self._stations.get(machine)
            if station is not None:
                station.go_on()


class _Station(Driver):
    """One medium of a gateway; what its machine changes elsewhere is served as well."""

    def __init__(self, stations: GatewayStations, machine: Gateway | GatewayLine, port: StationPort) -> None:
        super().__init__(machine, port)
        self._stations = stations
        self._gateway_machine = machine

    def go_on(self) -> None:
        """Send what is due, here and then elsewhere."""
        super().go_on()
        if not self._working:
            self._stations.serve()

    def connection_lost(self, error: TransportError | None, /) -> None:
        """The medium has ended."""
        super().connection_lost(error)
        self._gateway_machine.lost(self.time.now)
        self._stations.serve()
