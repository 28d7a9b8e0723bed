"""Cosemic against other people's software: who reads whom, over real sockets, and what came of it.

`python -m interop --out build/interop.json` runs the matrix. One meter is described once (`meter.py`); `servers/` build
it from each peer's server, `ours.py` from ours; `clients/` read it with each peer's client. Every client runs in a
process of its own under a time limit, prints one JSON line a reading (`driver.py`), and is judged against the
description (`matrix.py`). Where a peer is known to be wrong the driver says so in a comment and goes around it.
"""
