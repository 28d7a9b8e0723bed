"""Interface classes for cellular modems: GPRS modem setup, GSM diagnostic (IEC 62056-6-2, 5.6; 3GPP TS 27.007)."""

from __future__ import annotations

from cosemic.model.compound import ArrayOf, Structure, field
from cosemic.model.enumerated import EnumOf
from cosemic.model.formats import DateTimeData
from cosemic.model.forms import AlsoSeen, SeenAlso
from cosemic.model.interface_class import InterfaceClass, attribute, dynamic, static
from cosemic.model.types import DoubleLongUnsigned, LongUnsigned, OctetString, Unsigned, VisibleString
from cosemic.values import Enumeration


class QoSElement(Structure, name="qos_element"):
    """A quality of service profile; the values are those of +CGQREQ."""

    precedence: int = field(Unsigned)
    delay: int = field(Unsigned)
    reliability: int = field(Unsigned)
    peak_throughput: int = field(Unsigned)
    mean_throughput: int = field(Unsigned)


class QualityOfService(Structure):
    """The least profile that is accepted, and the one that is asked for."""

    default: QoSElement = field(QoSElement)
    requested: QoSElement = field(QoSElement)


class GPRSModemSetup(InterfaceClass, class_id=45, version=0, name="GPRS modem setup"):
    """Access point name, PIN and quality of service of a modem for packet data."""

    APN = attribute(2, OctetString, static)
    PIN_code = attribute(3, LongUnsigned, static)
    quality_of_service = attribute(4, QualityOfService, static)


class ModemRegistrationStatus(Enumeration):
    """Registration in the network."""

    NOT_REGISTERED = 0
    REGISTERED_HOME = 1
    SEARCHING = 2
    REGISTRATION_DENIED = 3
    UNKNOWN = 4
    REGISTERED_ROAMING = 5


class CircuitSwitchedStatus(Enumeration):
    """Circuit switched connection."""

    INACTIVE = 0
    INCOMING_CALL = 1
    ACTIVE = 2


class PacketSwitchedStatus(Enumeration):
    """Packet switched connection; version 0 ends with HSDPA, version 1 with CDMA."""

    INACTIVE = 0
    GPRS = 1
    EDGE = 2
    UMTS = 3
    HSDPA = 4
    LTE = 5
    CDMA = 6
    LTE_CAT_M1 = 7
    LTE_CAT_NB1 = 8
    LTE_CAT_NB2 = 9


class CellInfoV0(Structure, name="cell_info_v0"):
    """The serving cell: signal_quality 0 to 31 as of +CSQ, ber 0 to 7; 99 in either: not known."""

    cell_ID: int = field(LongUnsigned)  # noqa: N815 - the standard's name
    location_ID: int = field(LongUnsigned)  # noqa: N815 - the standard's name
    signal_quality: int = field(Unsigned)
    ber: int = field(Unsigned)

    @property
    def signal_level(self) -> int | None:
        """Received signal strength in dBm, -113 to -51; None where it is not known."""
        return _signal_level(self.signal_quality)


class CellInfoV1(Structure, name="cell_info_v1"):
    """The serving cell with country and network code and channel; signal_quality and ber as in version 0."""

    cell_ID: int = field(DoubleLongUnsigned)  # noqa: N815 - the standard's name
    location_ID: int = field(LongUnsigned)  # noqa: N815 - the standard's name
    signal_quality: int = field(Unsigned)
    ber: int = field(Unsigned)
    mcc: int = field(LongUnsigned)
    mnc: int = field(LongUnsigned)
    channel_number: int = field(DoubleLongUnsigned)

    @property
    def signal_level(self) -> int | None:
        """Received signal strength in dBm, -113 to -51; None where it is not known."""
        return _signal_level(self.signal_quality)


def _without_network(cell: CellInfoV1) -> CellInfoV0:
    return CellInfoV0(cell.cell_ID, cell.location_ID, cell.signal_quality, cell.ber)


def _signal_level(quality: int) -> int | None:
    return 2 * quality - 113 if quality <= 31 else None


class AdjacentCellV0(Structure, name="adjacent_cell_v0"):
    """A cell around."""

    cell_ID: int = field(LongUnsigned)  # noqa: N815 - the standard's name
    signal_quality: int = field(Unsigned)


class AdjacentCellV1(Structure, name="adjacent_cell_v1"):
    """A cell around, with a wider number."""

    cell_ID: int = field(DoubleLongUnsigned)  # noqa: N815 - the standard's name
    signal_quality: int = field(Unsigned)


class _GSMDiagnostic(InterfaceClass):
    """What all versions share."""

    operator = attribute(2, VisibleString, dynamic)
    status = attribute(3, EnumOf(ModemRegistrationStatus), dynamic, default=ModemRegistrationStatus.NOT_REGISTERED)
    cs_attachment = attribute(4, EnumOf(CircuitSwitchedStatus), dynamic, default=CircuitSwitchedStatus.INACTIVE)
    capture_time = attribute(8, DateTimeData, dynamic)


def _packet_switched_up_to(last: PacketSwitchedStatus) -> EnumOf[PacketSwitchedStatus]:
    return EnumOf(PacketSwitchedStatus, members=[status for status in PacketSwitchedStatus if status <= last])


class GSMDiagnostic(_GSMDiagnostic, class_id=47, version=2, name="GSM diagnostic"):
    """Registration, signal and cells of a cellular modem, LTE-M and NB-IoT included."""

    ps_status = attribute(5, EnumOf(PacketSwitchedStatus), dynamic, default=PacketSwitchedStatus.INACTIVE)
    cell_info = attribute(6, CellInfoV1, dynamic)
    adjacent_cells = attribute(7, ArrayOf(AdjacentCellV1), dynamic)


class GSMDiagnosticVersion1(_GSMDiagnostic, class_id=47, version=1, name="GSM diagnostic"):
    """With LTE and CDMA, and wider numbers of cells."""

    ps_status = attribute(
        5, _packet_switched_up_to(PacketSwitchedStatus.CDMA), dynamic, default=PacketSwitchedStatus.INACTIVE
    )
    cell_info = attribute(6, CellInfoV1, dynamic)
    adjacent_cells = attribute(7, ArrayOf(AdjacentCellV1), dynamic)


class GSMDiagnosticVersion0(_GSMDiagnostic, class_id=47, version=0, name="GSM diagnostic"):
    """The first form: GSM, GPRS, UMTS."""

    ps_status = attribute(
        5, _packet_switched_up_to(PacketSwitchedStatus.HSDPA), dynamic, default=PacketSwitchedStatus.INACTIVE
    )
    cell_info = attribute(6, AlsoSeen(CellInfoV0, SeenAlso(CellInfoV1, _without_network)), dynamic)
    adjacent_cells = attribute(7, ArrayOf(AdjacentCellV0), dynamic)
