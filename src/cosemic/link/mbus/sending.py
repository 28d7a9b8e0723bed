"""How a station puts its APDUs into segments: SAPs, headers, access numbers (IEC 62056-7-3)."""

from __future__ import annotations

from collections import deque

from cosemic.errors import ConfigurationError, EncodeError
from cosemic.link.mbus.header import Header, LongHeader, ShortHeader
from cosemic.link.mbus.transport import MAX_PART, Segment, behind_header, segments


class Sender:
    """The SAPs and the form in which a station sends.

    source, destination: SAPs used where :meth:`segments` is given none. header: None sends in segments, CI 00 to 1F;
    its access number is counted on with each APDU. max_part: octets of an APDU in one segment, 1 to 250. from_meter:
    which of the CI fields with a header.

    Raises ConfigurationError for SAPs and lengths outside their octet.
    """

    def __init__(
        self,
        source: int | None,
        destination: int | None,
        *,
        max_part: int,
        from_meter: bool,
        header: Header | None = None,
    ) -> None:
        for name, sap in (("source", source), ("destination", destination)):
            if sap is not None and not 0 <= sap <= 0xFF:
                raise ConfigurationError(f"{name} SAP {sap} is not one octet, as on M-Bus: correct the SAP")
        if not 1 <= max_part <= MAX_PART:
            raise ConfigurationError(f"max_part {max_part} is not in 1..{MAX_PART}")
        self.source = source
        self.destination = destination
        self.header = header
        self._max_part = max_part
        self._from_meter = from_meter
        self._access_number = 0

    def segments(self, apdu: bytes, source: int | None, destination: int | None) -> deque[Segment]:
        """Cut an APDU. Raises EncodeError where it does not fit its form, or a SAP is missing or no octet."""
        source = self.source if source is None else source
        destination = self.destination if destination is None else destination
        if source is None or destination is None:
            raise EncodeError("an M-Bus frame needs a source and a destination SAP; this link was made without them")
        if self.header is None:
            cut = deque(segments(apdu, source, destination, max_part=self._max_part))
        else:
            cut = deque((behind_header(apdu, source, destination, self._counted(), from_meter=self._from_meter),))
        cut[0].encode()
        return cut

    def _counted(self) -> Header:
        header = self.header
        self._access_number = self._access_number + 1 & 0xFF
        rest = header.rest if isinstance(header, LongHeader) else header or ShortHeader()
        counted = ShortHeader(self._access_number, rest.status, rest.configuration)
        return LongHeader(header.device, counted) if isinstance(header, LongHeader) else counted
