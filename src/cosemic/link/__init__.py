"""Links: sans-IO framings and stations, one module or folder for each profile part.

A link turns octets of a medium into APDUs and back. It owns no socket, clock or thread: octets, time and requests are
handed in, octets, events and deadlines are taken out (:mod:`cosemic.link.contract`).
"""
