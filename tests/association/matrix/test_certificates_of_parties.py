"""Certificates that do not hold: nobody is believed by one, whichever layer needs its key, and whoever looks at it."""

from __future__ import annotations

import datetime as dt
from functools import cache
from typing import Any

import pytest

from cosemic import apdu as a
from cosemic.association.requests import Completed, Failed, Get
from cosemic.errors import CertificateError, ConfigurationError
from cosemic.security import Protection, SecurityPolicy, security_suite
from cosemic.security.certificates import CertificateStore, RevocationLists
from cosemic.security.general.party_keys import TrustedPartyKeys
from tests.association.general_samples import THIRD_TITLE, K, ciphered, own, third
from tests.association.matrix.by_hand import Hand
from tests.association.matrix.sides import (
    GET,
    TABLE,
    as_protection,
    ask_server,
    beforehand,
    changed,
    client_hand,
    received,
    server_hand,
    snapshot,
    standing,
    tell_client,
)
from tests.association.matrix.test_believed_answers import transaction_id_of
from tests.association.samples import CLIENT_TITLE, OTHER_TITLE, REGISTER, SERVER_TITLE, VALUE
from tests.security.laboratory import AGREEMENT, AT, SIGNATURE, YEAR, new_root

DAY = dt.timedelta(days=1)
DECIPHERING = bytes.fromhex(TABLE["refusals"]["deciphering-error"])
DEFECTS = (
    "expired",
    "not yet valid",
    "revoked",
    "of another authority",
    "of another purpose",
    "of another title",
    "removed",
)
PARTIES = (CLIENT_TITLE, SERVER_TITLE, THIRD_TITLE)


class World:
    """A root, a sub-CA that issues, and the certificates of all parties; one of them has a defect."""

    def __init__(self, suite: int, title: bytes = b"", defect: str = "") -> None:
        self.suite, self.now = suite, AT
        self.root = new_root(suite)
        self.lists = RevocationLists()
        self._defective, self._defect = title, defect
        self._revoked: list[int] = []
        self._issued = {(each, use): self._issue(each, use) for each in PARTIES for use in (SIGNATURE, AGREEMENT)}
        for serial in self._revoked:
            self.root.revoke(serial, AT)
        self.lists.add(self.root.revocation_list(AT - DAY, AT + YEAR), self.root.certificate)

    def _issue(self, title: bytes, use: Any) -> Any:
        defect = self._defect if title == self._defective else ""
        party, authority = own(title, self.suite), self.root
        key = party.signing_key if use is SIGNATURE else party.agreement_key
        assert key is not None
        begins, ends = AT - YEAR, AT + YEAR
        if defect == "expired":
            ends = AT - DAY
        elif defect == "not yet valid":
            begins = AT + DAY
        elif defect == "of another authority":
            authority = new_root(self.suite)
        elif defect == "of another purpose":
            use = AGREEMENT if use is SIGNATURE else SIGNATURE
        elif defect == "of another title":
            title = OTHER_TITLE
        certificate = authority.issue(key.public, title, use, not_before=begins, not_after=ends)
        if defect == "revoked":
            self._revoked.append(certificate.serial_number)
        return certificate

    def keys(self, title: bytes) -> TrustedPartyKeys:
        """What a party believes of the others."""
        anchors = (self.root.certificate,)
        store = CertificateStore(title, security_suite(self.suite), anchors=anchors, revocation=self.lists)
        for (of, use), certificate in self._issued.items():
            if of == title:
                continue
            defect = self._defect if of == self._defective else ""
            # What was good when it was imported may not be so now.
            at = {"expired": AT - 2 * DAY, "not yet valid": AT + 2 * DAY}.get(defect, AT)
            try:
                store.import_certificate(certificate.octets, at)
            except CertificateError:
                # A store that looks at nothing when it imports: the chain is verified when the key is needed.
                store._others[of, use] = certificate
            if defect == "removed":
                del store._others[of, use]
        return TrustedPartyKeys(store, lambda: self.now)


@cache
def world(suite: int, title: bytes = b"", defect: str = "") -> World:
    return World(suite, title, defect)


NEEDS = {"signing": SIGNATURE, "one-pass": SIGNATURE, "static": AGREEMENT}
"""Which certificate of its originator each layer needs."""
layers = pytest.mark.parametrize("layer", NEEDS)
defects = pytest.mark.parametrize("defect", DEFECTS)
suites = pytest.mark.parametrize("suite", [1, pytest.param(2, marks=pytest.mark.slow)])
POLICIES = {"signing": SecurityPolicy(1, 0x10), "one-pass": SecurityPolicy(1, 0x0C), "static": SecurityPolicy(1, 0x0C)}


@suites
@layers
def test_certificates_that_hold_are_believed(suite: int, layer: str) -> None:
    fine = world(suite)
    talk = standing(
        suite, POLICIES[layer], ours={"keys": fine.keys(CLIENT_TITLE)}, theirs={"keys": fine.keys(SERVER_TITLE)}
    )
    assert ask_server(talk, client_hand(talk, suite, layers=[layer]).sealed(GET))[:1] in (b"\xdd", b"\xdf")
    assert len(talk.shelf.calls) == 1


@suites
@layers
@defects
def test_a_client_is_not_believed_by(suite: int, layer: str, defect: str) -> None:
    seen = world(suite, CLIENT_TITLE, defect)
    talk = standing(suite, POLICIES[layer], theirs={"keys": seen.keys(SERVER_TITLE)})
    for nested in ([layer], ["unicast", layer]):
        before = snapshot(talk)
        assert ask_server(talk, client_hand(talk, suite, layers=nested, counter=lambda: 999).sealed(GET)) == DECIPHERING
        assert changed(talk, before) == []


@suites
@layers
@defects
def test_a_third_party_is_not_believed_by(suite: int, layer: str, defect: str) -> None:
    seen = world(suite, THIRD_TITLE, defect)
    talk = standing(suite, POLICIES[layer], theirs={"keys": seen.keys(SERVER_TITLE)}, client={"dedicated_key": False})
    client = client_hand(talk, suite, layers=["unicast"], counter=lambda: 999)
    before = snapshot(talk)
    asked = Hand(suite, THIRD_TITLE, third=True, layers=[layer]).sealed(GET)
    assert ask_server(talk, client.sealed(asked)) == DECIPHERING
    assert changed(talk, before) == []


@suites
@layers
@defects
def test_a_server_is_not_believed_by(suite: int, layer: str, defect: str) -> None:
    seen = world(suite, SERVER_TITLE, defect)
    talk = standing(suite, SecurityPolicy(1, 0), ours={"keys": seen.keys(CLIENT_TITLE)})
    was: list[object] = []

    def answer(octets: bytes) -> bytes:
        was.append(received(talk.client))
        plain = a.GetResponseNormal(talk.client._terms.invoke, VALUE).encode()
        return server_hand(talk, suite, layers=[layer], transaction_id=transaction_id_of(octets)).sealed(plain)

    (event,) = tell_client(talk, Get(REGISTER, layers=ciphered(K.WRAPPED)), answer)
    assert isinstance(event, Failed)
    assert [received(talk.client)] == was


@suites
@layers
@defects
def test_nor_by_a_third_party(suite: int, layer: str, defect: str) -> None:
    seen = world(suite, SERVER_TITLE, defect)
    asking = third(suite)
    bad = third(suite, keys=seen.keys(THIRD_TITLE))
    asking.send(Get(REGISTER))
    one_id = transaction_id_of(asking.octets_to_send())
    plain = a.GetResponseNormal(asking._terms.invoke, VALUE).encode()
    octets = Hand(suite, SERVER_TITLE, THIRD_TITLE, third=True, layers=[layer], transaction_id=one_id).sealed(plain)
    bad._layers._known[one_id] = Protection.NONE
    bad._layers._asked.add(one_id)  # type: ignore[arg-type]
    with pytest.raises(Exception, match="does not fit what is known of its parties"):
        bad._layers.open(octets, None)


@pytest.mark.parametrize("make", [standing, beforehand], ids=["opened", "pre-established"])
@layers
def test_a_certificate_that_runs_out_is_not_believed_any_more(layer: str, make: Any) -> None:
    """Nor in an association that stands since before, which may be for years where it is pre-established."""
    seen = World(1)
    talk = make(1, POLICIES[layer], theirs={"keys": seen.keys(SERVER_TITLE)})
    hand = client_hand(talk, 1, layers=[layer])
    assert ask_server(talk, hand.sealed(GET))[:1] in (b"\xdd", b"\xdf")
    seen.now = AT + 2 * YEAR
    before = snapshot(talk)
    assert ask_server(talk, hand.sealed(GET)) == DECIPHERING
    assert changed(talk, before) == []
    seen.now = AT
    assert ask_server(talk, hand.sealed(GET))[:1] in (b"\xdd", b"\xdf")


@pytest.mark.parametrize("make", [standing, beforehand], ids=["opened", "pre-established"])
@layers
def test_nor_is_that_of_the_server(layer: str, make: Any) -> None:
    seen = World(1)
    talk = make(1, SecurityPolicy(1, 0), ours={"keys": seen.keys(CLIENT_TITLE)})

    def answer(octets: bytes) -> bytes:
        plain = a.GetResponseNormal(talk.client._terms.invoke, VALUE).encode()
        return server_hand(talk, 1, layers=[layer], transaction_id=transaction_id_of(octets)).sealed(plain)

    request = Get(REGISTER, layers=ciphered(K.WRAPPED))
    (event,) = tell_client(talk, request, answer)
    assert isinstance(event, Completed)
    seen.now = AT + 2 * YEAR
    (event,) = tell_client(talk, request, answer)
    assert isinstance(event, Failed)


@layers
def test_nor_is_it_by_a_third_party(layer: str) -> None:
    seen = World(1)
    asking = third(1, keys=seen.keys(THIRD_TITLE), require=as_protection("S" if layer == "signing" else "AE"))
    asking.send(Get(REGISTER))
    one_id = transaction_id_of(asking.octets_to_send())
    plain = a.GetResponseNormal(asking._terms.invoke, VALUE).encode()
    server = Hand(1, SERVER_TITLE, THIRD_TITLE, third=True, layers=[layer], transaction_id=one_id)
    (event,) = asking.receive(server.sealed(plain))
    assert isinstance(event, Completed)
    seen.now = AT + 2 * YEAR
    with pytest.raises(ConfigurationError, match=r"needs a key|not permitted"):
        asking.send(Get(REGISTER))
