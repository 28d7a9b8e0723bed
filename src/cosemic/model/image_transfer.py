"""Interface class for firmware and files: Image transfer (IEC 62056-6-2, 5.3).

::

    NOT_INITIATED --image_transfer_initiate--> INITIATED --image_block_transfer ...-->
        --image_verify--> VERIFICATION_INITIATED --> VERIFICATION_SUCCESSFUL | VERIFICATION_FAILED
        --image_activate--> ACTIVATION_INITIATED --> ACTIVATION_SUCCESSFUL | ACTIVATION_FAILED
"""

from __future__ import annotations

from cosemic.model.common import ControlZero
from cosemic.model.compound import ArrayOf, Structure, field
from cosemic.model.enumerated import EnumOf
from cosemic.model.interface_class import InterfaceClass, attribute, dynamic, method, static
from cosemic.model.types import BitStringData, Boolean, DoubleLongUnsigned, OctetString
from cosemic.values import Enumeration


class ImageTransferStatus(Enumeration):
    """How far a transfer has come."""

    NOT_INITIATED = 0
    INITIATED = 1
    VERIFICATION_INITIATED = 2
    VERIFICATION_SUCCESSFUL = 3
    VERIFICATION_FAILED = 4
    ACTIVATION_INITIATED = 5
    ACTIVATION_SUCCESSFUL = 6
    ACTIVATION_FAILED = 7


class ImageToActivateInfo(Structure):
    """An image that has come and can be activated; size in octets."""

    image_to_activate_size: int = field(DoubleLongUnsigned)
    image_to_activate_identification: bytes = field(OctetString)
    image_to_activate_signature: bytes = field(OctetString)


class ImageTransferInitiate(Structure):
    """The image that is going to come; size in octets."""

    image_identifier: bytes = field(OctetString)
    image_size: int = field(DoubleLongUnsigned)


class ImageBlock(Structure):
    """A block of an image; blocks count from 0, and all but the last have the size of a block."""

    image_block_number: int = field(DoubleLongUnsigned)
    image_block_value: bytes = field(OctetString)


class ImageTransfer(InterfaceClass, class_id=18, version=0, name="Image transfer"):
    """Takes an image (firmware, or any file) in blocks, verifies and activates it.

    image_verify and image_activate may answer temporary-failure as long as they run: image_transfer_status tells more.
    """

    image_block_size = attribute(2, DoubleLongUnsigned, static)
    """Octets."""
    image_transferred_blocks_status = attribute(3, BitStringData, dynamic)
    """Bit n is 1 when block n has come."""
    image_first_not_transferred_block_number = attribute(4, DoubleLongUnsigned, dynamic)
    image_transfer_enabled = attribute(5, Boolean, static)
    image_transfer_status = attribute(6, EnumOf(ImageTransferStatus), dynamic)
    image_to_activate_info = attribute(7, ArrayOf(ImageToActivateInfo), dynamic)

    image_transfer_initiate = method(1, ImageTransferInitiate, sn_offset=0x40)
    image_block_transfer = method(2, ImageBlock, sn_offset=0x48)
    image_verify = method(3, ControlZero, sn_offset=0x50)
    image_activate = method(4, ControlZero, sn_offset=0x58)
