"""A link of pydlms-client to one of our servers in the same test."""

from __future__ import annotations

from typing import Any

from tests.association.samples import Talk


def pydlms_link(talk: Talk) -> Any:
    """Its link, over which APDUs go to the server of a conversation and are kept there."""
    from pydlms.link import ApduLink

    class Link(ApduLink):  # type: ignore[misc]  # it has no types
        def connect(self) -> None: ...

        def disconnect(self) -> None: ...

        def send_apdu(self, apdu: bytes) -> None:
            talk.requests.append(apdu)
            talk.server.receive(apdu, talk.now)

        def receive_apdu(self, timeout: float | None = None) -> bytes:
            talk.answers.append(talk.server.octets_to_send())
            return talk.answers[-1]

        def request(self, apdu: bytes, *_: Any, **__: Any) -> bytes:
            self.send_apdu(apdu)
            return self.receive_apdu()

    return Link()
