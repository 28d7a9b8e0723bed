"""Security with other implementations: every suite, mechanism and form, both roles (see `interop.secure.cases`).

What two sides need to know of each other is in `facts`. Each program of a peer (`pydlms_client`, `gurux_client` ...)
runs all its cases one after the other and prints a line for each; `runs` starts the programs and makes results of the
lines. A case in which a peer does otherwise than the standard is one of `differences`: it shows the octets of both,
that our side refuses the form of the peer, and that it works where a switch of the dialect or of the peer says so.
"""
