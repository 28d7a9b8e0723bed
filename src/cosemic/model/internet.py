"""Interface classes for the Internet profiles: TCP-UDP setup, IPv4 setup, MAC address setup (IEC 62056-6-2, 5.8).

::

    IPv4Data     double-long-unsigned     ipaddress.IPv4Address; first octet of the dotted form in the most significant
    MacAddress   octet-string             bytes, EUI-48 or EUI-64, most significant octet first
"""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Final

from cosemic.model.common import ControlZero
from cosemic.model.compound import ArrayOf, Structure, field
from cosemic.model.formats import Contents, Formatted, LogicalName
from cosemic.model.interface_class import InterfaceClass, attribute, method, static
from cosemic.model.types import Boolean, DoubleLongUnsigned, LongUnsigned, OctetString, Unsigned

IPv4Data: Final = Formatted(DoubleLongUnsigned, "ipv4-address", IPv4Address, IPv4Address, int)
MacAddress: Final = Contents("mac-address")


class TCPUDPSetup(InterfaceClass, class_id=41, version=0, name="TCP-UDP setup"):
    """The port at which the wrapper listens (IEC 62056-47), and limits of its connections."""

    TCP_UDP_port = attribute(2, LongUnsigned, static, default=4059)
    IP_reference = attribute(3, LogicalName, static)
    MSS = attribute(4, LongUnsigned.within(40), static, default=576)
    """Greatest TCP segment, octets."""
    nb_of_sim_conn = attribute(5, Unsigned.within(1), static)
    inactivity_time_out = attribute(6, LongUnsigned, static, default=180)
    """Seconds; 0: never."""


class IPOption(Structure):
    """An option of the IP header (RFC 791), with its length in octets as it is sent there."""

    ip_option_type: int = field(Unsigned)
    ip_option_length: int = field(Unsigned)
    ip_option_data: bytes = field(OctetString)


class IPv4Setup(InterfaceClass, class_id=42, version=0, name="IPv4 setup"):
    """Address, mask and servers of an interface; with use_DHCP_flag they are what DHCP gave."""

    DL_reference = attribute(2, LogicalName, static)
    """The object of the data link layer below: MAC address setup, PPP setup."""
    IP_address = attribute(3, IPv4Data, static)
    multicast_IP_address = attribute(4, ArrayOf(IPv4Data), static)  # noqa: N815 - the standard's name
    IP_options = attribute(5, ArrayOf(IPOption), static)
    subnet_mask = attribute(6, IPv4Data, static)
    gateway_IP_address = attribute(7, IPv4Data, static)  # noqa: N815 - the standard's name
    use_DHCP_flag = attribute(8, Boolean, static)  # noqa: N815 - the standard's name
    primary_DNS_address = attribute(9, IPv4Data, static)  # noqa: N815 - the standard's name
    secondary_DNS_address = attribute(10, IPv4Data, static)  # noqa: N815 - the standard's name

    add_mc_IP_address = method(1, IPv4Data, sn_offset=0x60)  # noqa: N815 - the standard's name
    delete_mc_IP_address = method(2, IPv4Data, sn_offset=0x68)  # noqa: N815 - the standard's name
    get_nbof_mc_IP_addresses = method(3, ControlZero, returns=LongUnsigned, sn_offset=0x70)  # noqa: N815 - the standard's name


class MACAddressSetup(InterfaceClass, class_id=43, version=0, name="MAC address setup"):
    """The address of the device on a link: Ethernet, power line, Euridis."""

    MAC_address = attribute(2, MacAddress, static)
