"""A-XDR and BER derived from declarations, Data, and the columns of profile buffers."""

from cosemic.codec.ber import BerSequence, ObjectIdentifier, tagged
from cosemic.codec.data import decode as decode_data
from cosemic.codec.data import decode_whole
from cosemic.codec.data_type import DataType
from cosemic.codec.declared import (
    Choice,
    Integer8,
    Integer16,
    Null,
    OctetString,
    RestOctets,
    Sequence,
    TaggedChoice,
    Unsigned8,
    Unsigned16,
    Unsigned32,
    alternative,
    alternatives,
)
from cosemic.codec.encoded import EncodedData
from cosemic.codec.encoder import encode as encode_data
from cosemic.codec.length import encode_length, read_length
from cosemic.codec.limits import DEFAULT_LIMITS, Limits
from cosemic.codec.rows import encode_rows
from cosemic.codec.typed import DONT_CARE, CompactArray, Typed, TypeDescription
from cosemic.codec.wire import Default, Fixed, Hook

__all__ = [
    "DEFAULT_LIMITS",
    "DONT_CARE",
    "BerSequence",
    "Choice",
    "CompactArray",
    "DataType",
    "Default",
    "EncodedData",
    "Fixed",
    "Hook",
    "Integer8",
    "Integer16",
    "Limits",
    "Null",
    "ObjectIdentifier",
    "OctetString",
    "RestOctets",
    "Sequence",
    "TaggedChoice",
    "TypeDescription",
    "Typed",
    "Unsigned8",
    "Unsigned16",
    "Unsigned32",
    "alternative",
    "alternatives",
    "decode_data",
    "decode_whole",
    "encode_data",
    "encode_length",
    "encode_rows",
    "read_length",
    "tagged",
]
