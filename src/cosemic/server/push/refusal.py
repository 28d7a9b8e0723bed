"""Why something cannot be pushed."""

from __future__ import annotations


class PushRefused(Exception):
    """What is set up cannot be pushed, however often it is tried; the text says what to change, and why."""
