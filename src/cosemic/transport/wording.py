"""How the errors of connections are told: what happened, at which end, and what to do."""

from __future__ import annotations

from socket import gaierror

from cosemic.errors import ConnectionFailed, ConnectionLost


def endpoint(host: str, port: int) -> str:
    """Return how host and port are written: ``meter.example:4059``, ``[::1]:4059``."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_timeout(error: OSError) -> bool:
    """Whether our own time-out ended it, not one of the operating system (which has a number)."""
    return isinstance(error, TimeoutError) and error.errno is None


def unanswered(peer: str, timeout: float) -> ConnectionFailed:
    """Return what to raise where no connection was made in time."""
    return ConnectionFailed(
        f"{peer} did not answer within {timeout:g} s: check address, route and firewall (SIM, VPN), or allow more time"
    )


def unreachable(peer: str, error: OSError) -> ConnectionFailed:
    """Return what to raise where a connection cannot be made at all."""
    if isinstance(error, gaierror):
        return ConnectionFailed(f"{peer} has no address ({error.strerror}): check the spelling of the host, and DNS")
    if isinstance(error, ConnectionRefusedError):
        return ConnectionFailed(
            f"{peer} refused the connection: check the port; many meters take one connection at a time, another system "
            "may hold it"
        )
    return ConnectionFailed(f"{peer} cannot be reached ({error.strerror or error}): check address and network")


def closed_by_peer(peer: str) -> ConnectionLost:
    """Return what to say where the peer ended the connection in order."""
    return ConnectionLost(f"{peer} closed the connection: connect again")


def closed_here(peer: str) -> ConnectionLost:
    """Return what to raise where a connection is used after its end."""
    return ConnectionLost(f"the connection to {peer} is closed: connect again")


def broken(peer: str, error: BaseException | str) -> ConnectionLost:
    """Return what to say where the medium failed."""
    reason = (error.strerror if isinstance(error, OSError) else None) or error
    return ConnectionLost(f"the connection to {peer} broke ({reason}): connect again")


def not_taken(peer: str, timeout: float) -> ConnectionLost:
    """Return what to raise where the peer stopped taking octets."""
    return ConnectionLost(f"{peer} took no octets for {timeout:g} s: the connection is closed, connect again")
