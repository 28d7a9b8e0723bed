"""Cosemic beside the other Python implementations of DLMS/COSEM: the same octets, the same answers, the time it takes.

`python -m benchmarks --out build/bench.json` runs it. A *workload* (`workloads.py`) is a piece of work with a known
truth (`samples.py`, computed without any of the contenders); a *contender* (`ours.py`, `peers/`) says how it does a
workload with its own public means; `timing.py` runs the contenders of a workload in turns. What a contender delivers is
compared with the truth before it is timed, and a contender that delivers something else has no figure.
"""
