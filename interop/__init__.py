"""Cosemic against other people's software: who reads whom, over real sockets, and what came of it.

`python -m interop --out build/interop.json` runs the matrix::

    meter.py             the meter that all servers show: its associations, objects, values, and what is done to it
    servers/, ours.py    it, built from each peer's server and from ours; ours has an object of every class beside it:
    living.py, plain.py  those that behave, and those that hold values only
    clients/, ours.py    each peer's client and ours; java/ has the peers in Java
    ways.py              what is between the two: the TCP wrapper, HDLC, mode E on a pseudo-terminal, M-Bus
    driver.py, deeds.py  what clients can be told to read and to do
    peers.py             who can do what, and what is wrong with whom
    matrix.py            runs each client in a process of its own, under a time limit
    judgement.py         holds what it prints against the description, and against what our meter (watched.py) has seen
    pushes.py            what meters say by themselves, both ways: notifying/ has the programs that send and hear it
    capture.py           records what passes: tshark.py and pymeterbus.py have it read by others

On the wrapper everything is tried, also with short names and in general blocks what there is of it; on the other ways a
register, the view, a range of the load profile and the clock, and that release and disconnection are in order. `--only
'hdlc-*' mbus notify` tries some ways, and the notifications, alone.

Where a peer is known to be wrong, `peers.py` says so and the case is not run, or its driver says so in a comment and
goes around it.
"""
