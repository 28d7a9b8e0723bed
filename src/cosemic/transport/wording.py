"""How the errors of connections are told: what happened, at which end, and what to do."""

from __future__ import annotations

import errno
import ssl
from socket import gaierror
from typing import Final

from cosemic.errors import AuthenticationFailed, ConnectionFailed, ConnectionLost, ResponseTimeout

_VERIFYING: Final = {
    2: "its issuer is not known: add the certificates of its CA, up to the root, to the trusted file",
    9: "it is not valid yet: check the clock of this machine",
    10: "it has expired: it needs a new one; check the clock of this machine too",
    18: "it vouches for itself only: add it to the trusted file if it is the right one",
    19: "its root CA is not trusted: add the root to the trusted file if it is the right one",
    20: "its issuer is not known: add the certificates of its CA, up to the root, to the trusted file",
    21: "its issuer is not known: add the certificates of its CA, up to the root, to the trusted file",
    23: "it has been revoked",
    26: "it is not made for this side of TLS (extended key usage: serverAuth of servers, clientAuth of clients)",
    62: "it names another host: connect by the name that stands in it, or give that name as server name",
    64: "it names another address: connect by the name that stands in it, or give that name as server name",
}
"""What is wrong with a certificate, by OpenSSL's verification codes (X509_V_ERR)."""

_TLS: Final = {
    "CERTIFICATE_REQUIRED": "it demands a certificate from this side: give certificate and key",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it showed no certificate: both sides have to",
    "HANDSHAKE_FAILURE": "it found nothing in common: check that this side gives a certificate, and TLS versions",
    "UNKNOWN_CA": "it does not know the CA of the certificate of this side: have it trust that CA, or use another one",
    "CERTIFICATE_EXPIRED": "to it the certificate of this side has expired: renew it; check the clocks of both sides",
    "CERTIFICATE_REVOKED": "the certificate of this side has been revoked: use another one",
    "CERTIFICATE_UNKNOWN": "it refuses the certificate of this side",
    "BAD_CERTIFICATE": "it refuses the certificate of this side",
    "UNSUPPORTED_CERTIFICATE": "it refuses the certificate of this side: look at its key usage",
    "PROTOCOL_VERSION": "it speaks no TLS that is secure enough: TLS 1.2 is the least",
    "UNSUPPORTED_PROTOCOL": "it speaks no TLS that is secure enough: TLS 1.2 is the least",
    "NO_SHARED_CIPHER": "no cipher suite is known to both sides",
    "WRONG_VERSION_NUMBER": "what it sends is no TLS: check the port",
    "HTTP_REQUEST": "what it sends is no TLS: check the port",
    "RECORD_LAYER_FAILURE": "what it sends is no TLS: check the port",
}
"""What went wrong in TLS, by the ends of OpenSSL's reasons (``TLSV13_ALERT_CERTIFICATE_REQUIRED``)."""


def endpoint(host: str, port: int) -> str:
    """Return how host and port are written: ``meter.example:4059``, ``[::1]:4059``."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def without_scope(host: str) -> str:
    """Return a host without the interface of a link-local address (``fe80::1%eth0``), as certificates name it."""
    return host.partition("%")[0]


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


def not_secured(peer: str, error: OSError) -> AuthenticationFailed | ConnectionFailed:
    """Return what to raise where a TLS handshake failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = _VERIFYING.get(error.verify_code, error.verify_message)
        return AuthenticationFailed(f"the certificate of {peer} is refused: {why}")
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
        return ConnectionFailed(f"no TLS with {peer}: {_reason(error)}")
    if is_timeout(error):
        return ConnectionFailed(f"no TLS with {peer}: it took too long; check that it speaks TLS on this port")
    return ConnectionFailed(
        f"no TLS with {peer}: it ended the handshake; check that it speaks TLS on this port, and that this side "
        "gives the certificate and key it demands"
    )


def _reason(error: ssl.SSLError) -> str:
    reason = error.reason or str(error)
    return next((advice for end, advice in _TLS.items() if reason.endswith(end)), reason)


def closed_by_peer(peer: str, secured: bool = False) -> ConnectionLost:
    """Return what to say where the peer ended the connection in order.

    In TLS 1.3 a server looks at the client's certificate when for the client all is done; some say not what is wrong.
    """
    hint = "; where it does so at once, it does not take the certificate of this side: give one that it knows"
    return ConnectionLost(f"{peer} closed the connection: connect again{hint if secured else ''}")


def closed_here(peer: str) -> ConnectionLost:
    """Return what to raise where a connection is used after its end."""
    return ConnectionLost(f"the connection to {peer} is closed: connect again")


def broken(peer: str, error: BaseException | str) -> ConnectionLost:
    """Return what to say where the medium failed."""
    if isinstance(error, ssl.SSLError):
        return ConnectionLost(f"the connection to {peer} broke: {_reason(error)}")
    if isinstance(error, OSError) and error.errno == errno.EMSGSIZE:
        return ConnectionLost(f"too many octets for one datagram to {peer}: have shorter APDUs (maximum PDU size)")
    if isinstance(error, ConnectionRefusedError):
        return ConnectionLost(f"{peer} says that nobody listens there: check address and port")
    reason = (error.strerror if isinstance(error, OSError) else None) or error
    return ConnectionLost(f"the connection to {peer} broke ({reason}): connect again")


def not_taken(peer: str, timeout: float) -> ConnectionLost:
    """Return what to raise where the peer stopped taking octets."""
    return ConnectionLost(f"{peer} took no octets for {timeout:g} s: the connection is closed, connect again")


def nothing_came(peer: str) -> ResponseTimeout:
    """Return what to raise where nothing came by the deadline."""
    return ResponseTimeout(f"{peer} sent nothing in time: repeat, or allow more time")
