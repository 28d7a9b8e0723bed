"""Each form and suite of protection beside the raw primitives of `cryptography` that do the same work.

The client protects get-responses of 64, 1,024 and 16,384 octets, the meter opens them, by the public means of Cosemic
(`SecurityContext`, `GeneralProtection`) with all of its checks, and by hand (:mod:`.raw_security`), with none but those
of tags and signatures. Both make the same octets, or, where a key is drawn, read each other's. A figure is the fastest
of repeats in turns; a ratio is our time divided by theirs. The goal stands at 1,024 octets: twice, and 1.3 times where
an APDU is signed.

One part of it: `python -m benchmarks.security_forms --only "suite 1 ciphering"`.
"""

from __future__ import annotations

import argparse
import gc
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from benchmarks import raw_security, samples
from benchmarks.contender import Task, always
from benchmarks.raw_security import AE, FIRST_ID, A, E, S, by_hand
from benchmarks.timing import Figure, measure
from cosemic.security import (
    Key,
    MemoryCounterStore,
    Protection,
    SecurityContext,
    SecurityMaterial,
    SoftwareAgreementKey,
    SoftwareSigningKey,
    Unprotected,
    security_suite,
)
from cosemic.security.envelopes import Envelope
from cosemic.security.general import (
    GeneralProtection,
    KeyEstablishment,
    Layer,
    LayerPlan,
    MemoryTransactionStore,
    OwnParty,
    Party,
)
from cosemic.values import Secret

NAME: Final = "security-forms"
SIZES: Final = (64, 1024, 16 * 1024)
GOAL_SIZE: Final = 1024
GOAL: Final = 2.0
SIGNED_GOAL: Final = 1.3
REPEAT_NS: Final = 1_200_000
REPEATS: Final = 21
"""Short repeats in turns, and many of them: the fastest are those that nothing came between."""
CLIENT, METER = raw_security.ORIGINATOR, raw_security.RECIPIENT
ENVELOPES: Final = {
    "glo": Envelope.GLO,
    "ded": Envelope.DED,
    "general-glo": Envelope.GENERAL_GLO,
    "general-ded": Envelope.GENERAL_DED,
}
KEY_INFOS: Final = {
    "absent": KeyEstablishment.ABSENT,
    "identified": KeyEstablishment.GLOBAL_UNICAST,
    "wrapped": KeyEstablishment.WRAPPED,
    "one-pass": KeyEstablishment.ONE_PASS,
    "static": KeyEstablishment.STATIC,
}
AGREED: Final = ("one-pass", "static")
LAYERED: Final = ("sign-then-cipher", "cipher-then-sign")
PROTECTIONS: Final = {A: "A", E: "E", AE: "AE", S: "S"}


class WrongAnswer(Exception):
    """Ours and raw primitives do not read each other."""


@dataclass(frozen=True)
class Form:
    """One form in one suite."""

    suite: int
    form: str
    protection: int

    @property
    def name(self) -> str:
        """As it is shown."""
        return f"suite {self.suite} {self.form} {PROTECTIONS[self.protection]}"

    @property
    def goal(self) -> float:
        """How many times as long as the raw primitives it may take."""
        return SIGNED_GOAL if self.form == "signing" or self.form in LAYERED else GOAL


def forms() -> Iterator[Form]:
    """All of them."""
    for suite in (0, 1, 2):
        kinds = [kind for kind in KEY_INFOS if suite or kind not in AGREED]
        for form in (*ENVELOPES, *(f"ciphering {kind}" for kind in kinds)):
            for protection in (A, E, AE):
                yield Form(suite, form, protection)
        if suite:
            yield Form(suite, "signing", S)
            for form in LAYERED:
                for protection in (A, E, AE):
                    yield Form(suite, form, protection)


def _key(octets: bytes) -> Key:
    return Key(Secret(octets))


@cache
def _material(suite: int) -> SecurityMaterial:
    keys = raw_security.keys(suite)
    return SecurityMaterial(
        suite=security_suite(suite),
        encryption_key=_key(keys.encryption),
        authentication_key=_key(keys.authentication),
        kek=_key(keys.master),
    )


def _context(form: Form, own: bytes, peer: bytes) -> SecurityContext:
    protection = Protection(form.protection)
    counters = MemoryCounterStore()
    context = SecurityContext(own, peer, _material(form.suite), counters, send=protection, require=protection)
    if form.form.endswith("ded"):
        context.set_dedicated_key(_key(raw_security.keys(form.suite).dedicated))
    return context


@cache
def _own(suite: int, title: bytes) -> OwnParty:
    if not suite:
        return OwnParty(title=title)
    keys, chosen = raw_security.keys(suite), security_suite(suite)
    signing, agreement = (keys.o_signing, keys.o_agreement) if title == CLIENT else (keys.r_signing, keys.r_agreement)
    octets = [scalar.to_bytes(keys.coordinate, "big") for scalar in (signing, agreement)]
    return OwnParty(
        title=title,
        signing_key=SoftwareSigningKey.of(octets[0], chosen),
        agreement_key=SoftwareAgreementKey.of(octets[1], chosen),
    )


def _general(form: Form, title: bytes, other: bytes) -> GeneralProtection:
    known = _own(form.suite, other)
    party = Party(
        title=other,
        key_infos=frozenset(kind for name, kind in KEY_INFOS.items() if form.suite or name not in AGREED),
        material=_material(form.suite),
        signing=known.signing_key.public if known.signing_key else None,
        agreement=known.agreement_key.public if known.agreement_key else None,
        encryption_alone=form.protection == E,
    )
    return GeneralProtection(
        _own(form.suite, title),
        [party],
        suite=security_suite(form.suite),
        counters=MemoryCounterStore(),
        transactions=MemoryTransactionStore(),
    )


def _plan(form: Form) -> LayerPlan:
    signed = Layer(recipient=METER, protection=Protection.SIGNED)
    if form.form == "signing":
        return LayerPlan((signed,))
    kind = KEY_INFOS["identified" if form.form in LAYERED else form.form.removeprefix("ciphering ")]
    enciphered = Layer(recipient=METER, protection=Protection(form.protection), key_info=kind)
    orders = {"sign-then-cipher": (enciphered, signed), "cipher-then-sign": (signed, enciphered)}
    return LayerPlan(orders.get(form.form, (enciphered,)))


def _protecting(form: Form) -> Callable[..., bytes]:
    if form.form in ENVELOPES:
        context = _context(form, CLIENT, METER)
        if form.form.startswith("general"):
            envelope = ENVELOPES[form.form]
            return lambda apdu: context.protect_apdu(apdu, envelope)
        return context.protect_apdu
    protection, plan = _general(form, CLIENT, METER), _plan(form)
    return lambda apdu, **more: protection.protect(apdu, plan, **more)


def _opening(form: Form) -> Callable[[bytes], Any]:
    if form.form in ENVELOPES:
        return _context(form, METER, CLIENT).unprotect_apdu
    return _general(form, METER, CLIENT).unprotect


def _opened(result: Any) -> bytes:
    return result.plaintext if isinstance(result, Unprotected) else result.apdu


def _check(form: Form, size: int) -> None:
    """Hold both against each other, each from its first counter and transaction-id on."""
    apdu = samples.response_of(size)
    protect, unprotect = by_hand(form.suite, form.form, form.protection, size)
    given = {} if form.form in ENVELOPES else {"transaction_id": FIRST_ID.to_bytes(8, "big")}
    ours, theirs = _protecting(form)(apdu, **given), protect(apdu)
    drawn = form.form in ("ciphering wrapped", "ciphering one-pass")
    if (ours != theirs and not drawn) or len(ours) != len(theirs):
        raise WrongAnswer(f"{form.name}: ours makes other octets than the raw primitives")
    if unprotect(ours) != apdu or _opened(_opening(form)(theirs)) != apdu:
        raise WrongAnswer(f"{form.name}: ours and the raw primitives do not read each other")


def _protect_tasks(form: Form, size: int) -> dict[str, Task]:
    arguments = always(samples.response_of(size))
    raw, _ = by_hand(form.suite, form.form, form.protection, size)
    return {"cosemic": Task(_protecting(form), arguments), "raw": Task(raw, arguments)}


def _unprotect_tasks(form: Form, size: int) -> dict[str, Task]:
    apdu = samples.response_of(size)
    _, raw = by_hand(form.suite, form.form, form.protection, size)
    ours = _opening(form)

    def arguments(n: int) -> Iterable[bytes]:
        nonlocal ours
        ours = _opening(form)
        protect, _ = by_hand(form.suite, form.form, form.protection, size)
        ours(protect(apdu))  # a receiver lives longer than these few APDUs: it knows the first
        return [protect(apdu) for _ in range(n)]

    return {
        "cosemic": Task(lambda octets: ours(octets), arguments),  # which is another one in each repeat
        "raw": Task(lambda octets: raw(octets), arguments),
    }


def _told(figures: dict[str, Figure]) -> dict[str, Any]:
    mine, raw = figures["cosemic"], figures["raw"]
    return {
        "ratio": round(mine.min_ns / raw.min_ns, 2),
        "ours": mine.to_dict(),
        "raw": raw.to_dict(),
    }


def compared(form: Form, sizes: Iterable[int] = SIZES) -> dict[str, Any]:
    """Check and time one form; returns its object of the JSON file."""
    directions: dict[str, dict[str, Any]] = {"protect": {}, "unprotect": {}}
    for size in sizes:
        _check(form, size)
        directions["protect"][str(size)] = _told(measure(_protect_tasks(form, size), (), REPEAT_NS, REPEATS))
        directions["unprotect"][str(size)] = _told(measure(_unprotect_tasks(form, size), (), REPEAT_NS, REPEATS))
    reached = [figures[str(GOAL_SIZE)]["ratio"] for figures in directions.values() if str(GOAL_SIZE) in figures]
    return {
        "name": form.name,
        **directions,
        "goal": form.goal,
        "met": all(ratio <= form.goal for ratio in reached) if reached else None,
    }


def compare(only: str = "") -> dict[str, Any]:
    """Time all forms; return the object for the JSON file."""
    gc.collect()
    gc.freeze()  # the collector runs before each repeat: of what was there before it need not look at everything
    try:
        records = [compared(form) for form in forms() if only in form.name]
    finally:
        gc.unfreeze()
    met = [record["met"] for record in records]
    return {
        "workload": NAME,
        "unit": f"time of ours divided by that of the raw primitives; the goals stand at {GOAL_SIZE:,} octets",
        "forms": records,
        "within_goal": sum(met),
        "met": all(met),
    }


def show(record: dict[str, Any]) -> None:
    """Print the comparison."""
    print("forms of protection: our time divided by that of the raw primitives of cryptography, all checks included")
    sizes = "".join(f"{size:>8,}" for size in SIZES)
    print(f"{'':<38}{'protect':>24}{'unprotect':>24}{'at 1,024':>22}")
    print(f"{'form':<38}{sizes}{sizes}{'protect':>11}{'unprotect':>11}{'goal':>7}{'met':>5}")
    for form in record["forms"]:
        both = [form["protect"], form["unprotect"]]
        ratios = "".join(f"{figures[str(size)]['ratio']:>8.2f}" for figures in both for size in SIZES)
        times = "".join(f"{figures[str(GOAL_SIZE)]['ours']['min_ns'] / 1000:>8.3g} us" for figures in both)
        print(f"{form['name']:<38}{ratios}{times}{form['goal']:>6g}x{'yes' if form['met'] else 'NO':>5}")
    print(f"  {record['within_goal']} of {len(record['forms'])} forms within their goal")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="forms by a part of their name")
    show(compare(parser.parse_args().only))
