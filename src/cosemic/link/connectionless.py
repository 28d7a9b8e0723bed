"""What links without a data link connection share: they are connected, and leave the port as it is.

Such a link is ready from the beginning to its end; of the contract (:mod:`cosemic.link.contract`) it adds ``send``,
``receive``, ``octets_to_send``, ``deadline`` and ``tick``.
"""

from __future__ import annotations

from cosemic.values import LineSettings


class Connectionless:
    """A link on which APDUs may be sent at any time."""

    @property
    def connection_oriented(self) -> bool:
        """Return False: this link has no connection of its own."""
        return False

    @property
    def connected(self) -> bool:
        """Return True: nothing has to be connected."""
        return True

    def connect(self) -> None:
        """Do nothing: there is nothing to connect."""

    def disconnect(self) -> None:
        """Do nothing: there is nothing to disconnect."""

    def line_to_set(self) -> LineSettings | None:
        """Return None: the port stays as it is."""
        return None
