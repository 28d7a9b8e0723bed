"""From what a URL says to a client's link.

============  ========================================================  ====================================
framing       link                                                      who notices that a meter is silent
============  ========================================================  ====================================
wrapper       :class:`~cosemic.link.wrapper.WrapperLink`,               the association, after ``timeout``
              DatagramWrapperLink on UDP
hdlc          :class:`~cosemic.link.hdlc.HdlcPrimaryLink`               the link, after its repetitions
iec21         the sign-on of mode E around the HDLC link                the same
modem         a dialling modem around the HDLC link                     the same
mbus          :class:`~cosemic.link.mbus.MbusMasterLink`                the same
gateway+...   the prefix of Annex C around any of them                  as without it
============  ========================================================  ====================================

The rarer links are imported when a URL names them: who reads over TCP does not wait for them.

Links that repeat by themselves share ``timeout`` among their attempts; the association waits longer than they do, as
long as a slow line needs for the longest answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from cosemic.association.settings import ClientSettings
from cosemic.errors import ConfigurationError, EncodeError
from cosemic.link.contract import Link
from cosemic.link.gateway import GatewayLink
from cosemic.link.hdlc import HdlcAddress, HdlcPrimaryLink, HdlcSettings
from cosemic.link.wrapper import DatagramWrapperLink, WrapperLink
from cosemic.stack.client_stack import LinkFactory
from cosemic.stack.url import Address, Framing, Medium
from cosemic.values import OPTICAL, LineSettings, Parity

RESPONSE_TIMEOUT: Final = 10.0
RETRIES: Final = 3
BLOCK_RETRIES: Final = 8
"""Over datagrams: so many are lost in a row only where nearly all are."""
_LINES: Final = {
    Framing.HDLC: LineSettings(9600),
    Framing.MODEM: LineSettings(9600),
    Framing.MBUS: LineSettings(2400, 8, Parity.EVEN),
}
_SLOWEST_NETWORK: Final = LineSettings(9600)
"""What is taken to stand behind a converter whose line nobody tells."""
_LONGEST_APDU: Final = 0xFFFF
LARGEST_IN_DATAGRAM: Final = 65_499
"""Octets of an APDU: what UDP over IPv4 carries, less the wrapper header."""
_FOUR_OCTETS_FROM: Final = 0x80
"""Lower and upper addresses from here on need an address of four octets."""


def line_of(address: Address) -> LineSettings:
    """Return how the serial port of a URL is set at first."""
    if address.framing is Framing.IEC21:
        return OPTICAL
    line = address.line or _LINES[address.framing]
    return line if address.baud is None else LineSettings(address.baud, line.data_bits, line.parity, line.stop_bits)


def hdlc_address(address: Address, server_sap: int) -> HdlcAddress:
    """Return the HDLC address of a logical device: of one octet without ``station``, else of two, or of four.

    Raises ConfigurationError where there is none.
    """
    lower, size = address.station, address.address_octets
    if size is None:
        small = server_sap < _FOUR_OCTETS_FROM and (lower or 0) < _FOUR_OCTETS_FROM
        size = (1 if lower is None else 2) if small else 4
    if size == 1:
        if lower is not None:
            raise ConfigurationError("an HDLC address of one octet names no station: leave station out, or address=2")
        return _addressed(server_sap)
    if lower is None:
        raise ConfigurationError(f"an HDLC address of {size} octets has a lower part: name it with station=")
    return _addressed(server_sap, lower, size)


def _addressed(*parts: int) -> HdlcAddress:
    try:
        return HdlcAddress(*parts)
    except EncodeError as error:
        raise ConfigurationError(f"{error}: correct server=, station= or address=") from None


def association_timeout(address: Address) -> float | None:
    """Return how long an association waits for an answer in seconds; None: as its settings say."""
    if address.framing is Framing.WRAPPER:
        return address.response_timeout
    line = line_of(address) if address.medium is Medium.SERIAL else _SLOWEST_NETWORK
    if address.framing is Framing.IEC21:
        line = _SLOWEST_NETWORK
    longest = address.max_pdu_size or _LONGEST_APDU
    return 2 * (address.response_timeout or RESPONSE_TIMEOUT) + 2 * line.seconds(longest)


def in_blocks(settings: ClientSettings, address: Address) -> ClientSettings:
    """Return settings with what the address says of general blocks."""
    if address.general_blocks is None and address.block_window is None:
        return settings
    general = settings.general_blocks if address.general_blocks is None else address.general_blocks
    return replace(settings, general_blocks=general, block_window=address.block_window or settings.block_window)


def over_datagrams(settings: ClientSettings, address: Address) -> ClientSettings:
    """Return settings of an association that repeats what is lost; its attempts share the time for an answer."""
    retries = RETRIES if address.retries is None else address.retries
    return replace(
        settings,
        repetitions=retries,
        block_retries=max(settings.block_retries, BLOCK_RETRIES),
        response_timeout=settings.response_timeout / (retries + 1),
        max_pdu_size=min(settings.max_pdu_size or LARGEST_IN_DATAGRAM, LARGEST_IN_DATAGRAM),
    )


def link_factory(address: Address) -> LinkFactory:
    """Return what makes the link that a URL names. Raises ConfigurationError for addresses that cannot be."""
    make = _MAKERS[address.framing]
    if not address.gateway:
        return partial(make, address)
    if address.gateway_device is None:
        raise ConfigurationError(
            "a gateway wants to know which meter is meant: add meter= with its address in hexadecimal"
        )
    network, device = address.network or 0, address.gateway_device
    return lambda client, server: GatewayLink(make(address, client, server), network, device)


def _wrapper(address: Address, client: int, server: int) -> Link:
    return DatagramWrapperLink() if address.medium is Medium.UDP else WrapperLink()


def _hdlc(address: Address, client: int, server: int) -> HdlcPrimaryLink:
    retries = RETRIES if address.retries is None else address.retries
    timeout = address.response_timeout or RESPONSE_TIMEOUT
    window, max_info = address.window or 1, address.max_info or 128
    settings = HdlcSettings(
        max_info_transmit=max_info,
        max_info_receive=max_info,
        window_transmit=window,
        window_receive=window,
        response_timeout=timeout / (retries + 1),
        octet_time=line_of(address).seconds(1) if address.medium is Medium.SERIAL else 0.0,
        repeats=retries,
        polling_timeout=timeout,
    )
    return HdlcPrimaryLink(client, hdlc_address(address, server), settings)


def _iec21(address: Address, client: int, server: int) -> Link:
    from cosemic.link.iec21 import ClientSettings as SignOn
    from cosemic.link.iec21 import ModeEClientLink, WakeUp

    retries = RETRIES if address.retries is None else address.retries
    settings = SignOn(
        address=address.sign_on or "",
        wake_up=WakeUp.NORMAL if address.wake_up else WakeUp.NONE,
        attempts=retries + 1,
        echo=address.echo,
        **({} if address.baud is None else {"most_baud": address.baud}),  # type: ignore[arg-type]  # one field
    )
    return ModeEClientLink(_hdlc(address, client, server), settings)


def _modem(address: Address, client: int, server: int) -> Link:
    from cosemic.link.modem import ModemLink

    if address.dial is None:
        raise ConfigurationError("a modem wants to know the number: add dial=")
    retries = RETRIES if address.retries is None else address.retries
    return ModemLink(
        _hdlc(address, client, server), dial=address.dial, init=address.modem_init or "ATZ", attempts=retries + 1
    )


def _mbus(address: Address, client: int, server: int) -> Link:
    from cosemic.link.mbus import DeviceAddress, MbusMasterLink

    if (address.station is None) == (address.identification is None):
        raise ConfigurationError("M-Bus wants one address of the meter: station=, 1 to 250, or identification=")
    return MbusMasterLink(
        address.station,
        secondary=None if address.identification is None else DeviceAddress(address.identification),
        source=client,
        destination=server,
        line=line_of(address),
        repetitions=RETRIES if address.retries is None else address.retries,
        answer_timeout=address.response_timeout or RESPONSE_TIMEOUT,
    )


_MAKERS: Final[dict[Framing, Callable[[Address, int, int], Link]]] = {
    Framing.WRAPPER: _wrapper,
    Framing.HDLC: _hdlc,
    Framing.IEC21: _iec21,
    Framing.MODEM: _modem,
    Framing.MBUS: _mbus,
}
