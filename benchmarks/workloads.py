"""The workloads: what is done, what must come out of it, and how far ahead of the fastest peer Cosemic wants to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks import samples


@dataclass(frozen=True)
class Workload:
    """One piece of work: `truth` is called once and compared with what each contender delivers.

    beside: the name under which Cosemic does the same by other means; the goal is how far ahead of that it wants to be.
    """

    name: str
    what: str
    goal: float
    truth: Callable[[], Any]
    over_tcp: bool = False
    beside: str = ""


def _columns(rows: samples.Rows) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _built(size: int) -> bytes:
    information = samples.hdlc_information(size)
    return samples.hdlc_frame(samples.METER_ADDRESS, samples.CLIENT_ADDRESS, samples.HDLC_I_FRAME, information)


def _streamed() -> list[bytes]:
    return [samples.hdlc_information(128)] * samples.HDLC_STREAM_FRAMES


def _profile_rows() -> samples.Rows:
    return samples.even_rows(samples.PROFILE_ROWS)


def _profile_columns() -> list[list[Any]]:
    return _columns(_profile_rows())


_PROFILE = "array of structure{octet-string(12), unsigned, double-long-unsigned x4}"

WORKLOADS = (
    Workload("decode-profile-1000-rows", f"{_PROFILE}, 1,000 of them, to rows", 50, lambda: samples.even_rows(1000)),
    Workload("decode-profile-1000-columns", "the same, to columns", 300, lambda: _columns(samples.even_rows(1000))),
    Workload(
        "decode-profile-100000-columns", "100,000 rows to columns", 1000, lambda: _columns(samples.even_rows(100_000))
    ),
    Workload(
        "decode-uneven-1000-rows",
        "1,000 rows with null-data, long-unsigned and double-long-unsigned mixed",
        5,
        lambda: samples.uneven_rows(1000),
    ),
    Workload(
        "encode-profile-1000-rows",
        "1,000 rows to octets, from the form that each takes: typed objects; ours: values, and the columns' types",
        10,
        lambda: samples.encoded_rows(samples.even_rows(1000)),
    ),
    Workload("decode-get-response", "get-response-normal and its value", 8, lambda: samples.REGISTER_VALUE),
    Workload("decode-aare", "AARE with its InitiateResponse", 4, lambda: samples.AARE_TRUTH),
    Workload("decode-aarq", "AARQ with password and its InitiateRequest", 4, lambda: samples.AARQ_TRUTH),
    Workload("encode-get-request", "make and encode a get-request-normal", 3, lambda: samples.GET_REQUEST),
    Workload("encode-set-request", "make and encode a set-request-normal", 3, lambda: samples.SET_REQUEST),
    Workload("encode-action-request", "make and encode an action-request-normal", 3, lambda: samples.ACTION_REQUEST),
    Workload("protect-64", "authenticated encryption of 64 octets", 5, lambda: samples.response_of(64)),
    Workload("protect-1024", "authenticated encryption of 1,024 octets", 5, lambda: samples.response_of(1024)),
    Workload("unprotect-64", "64 octets opened, policy and replay checked", 2.5, lambda: samples.response_of(64)),
    Workload(
        "unprotect-1024", "1,024 octets opened, policy and replay checked", 2.5, lambda: samples.response_of(1024)
    ),
    *[
        Workload(f"hdlc-build-{size}", f"an I frame with {size} octets of information", 20, partial(_built, size))
        for size in samples.HDLC_SIZES
    ],
    *[
        Workload(
            f"hdlc-parse-{size}",
            f"the information of an I frame of {size} octets, both check sequences checked",
            20,
            partial(samples.hdlc_information, size),
        )
        for size in samples.HDLC_SIZES
    ],
    Workload("hdlc-stream-octets", f"{samples.HDLC_STREAM_FRAMES} frames of 128, octet by octet", 3, _streamed),
    Workload("hdlc-stream-chunks", f"the same in chunks of {samples.HDLC_CHUNK:,} octets", 20, _streamed),
    Workload(
        "get-tcp-blocking",
        "one GET after the other over TCP, blocking",
        2,
        lambda: samples.REGISTER_VALUE,
        over_tcp=True,
    ),
    Workload(
        "get-tcp-asyncio", "ours with asyncio, the peers blocking", 1.7, lambda: samples.REGISTER_VALUE, over_tcp=True
    ),
    Workload(
        "get-hdlc-tcp",
        "one GET after the other in HDLC frames over TCP, blocking",
        5,
        lambda: samples.REGISTER_VALUE,
        over_tcp=True,
    ),
    Workload("association-tcp", "connect, AARQ/AARE, RLRQ/RLRE, close", 2, lambda: True, over_tcp=True),
    *[
        Workload(
            f"profile-{name}-{form}-tcp",
            f"{samples.PROFILE_ROWS:,} rows over TCP, blocking, in blocks of GET of {size:,} octets, to {form}",
            goal,
            truth,
            over_tcp=True,
        )
        for (name, size), goals in zip(samples.PDU_SIZES.items(), ((9, 12), (25, 150)), strict=True)
        for form, goal, truth in zip(("rows", "columns"), goals, (_profile_rows, _profile_columns), strict=True)
    ],
    Workload(
        "access-50-tcp",
        "50 attributes in one ACCESS, or by the fastest means that a peer has; beside 50 GETs of our own",
        3,
        lambda: [samples.REGISTER_VALUE + name[4] for name in samples.ACCESSED],
        over_tcp=True,
        beside=samples.SINGLY,
    ),
)
