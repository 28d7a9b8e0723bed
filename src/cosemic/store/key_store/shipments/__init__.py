"""Key shipments of meter makers: CSV, JSON and XML files by a mapping, into a key store.

::

    mapping = read_mapping(Path("maker.toml"))
    shipped = read_shipment(Path("pallet 7.csv"), mapping, TransportKey(secret))
    report = import_shipment(store, shipped, purpose="pallet 7")
"""

from cosemic.store.key_store.shipments.importing import ImportReport, import_shipment
from cosemic.store.key_store.shipments.mapping import Column, ShipmentMapping, parse_mapping, read_mapping
from cosemic.store.key_store.shipments.reading import Fault, Shipped, read_shipment, shipped_meters
from cosemic.store.key_store.shipments.transport_key import TransportKey, Unwrapper

__all__ = [
    "Column",
    "Fault",
    "ImportReport",
    "ShipmentMapping",
    "Shipped",
    "TransportKey",
    "Unwrapper",
    "import_shipment",
    "parse_mapping",
    "read_mapping",
    "read_shipment",
    "shipped_meters",
]
