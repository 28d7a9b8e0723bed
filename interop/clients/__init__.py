"""Clients of the peers, each a program of its own (see `interop.driver`)."""
