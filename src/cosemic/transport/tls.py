"""TLS 1.2 and 1.3 with certificates on both sides: the context that TCP clients and servers are given (IEC 62056-9-7).

It fails closed: nothing is sent in the clear, no side goes without a certificate that leads to a trusted root, no older
TLS is spoken, nothing is renegotiated or resumed, and of TLS 1.2 only ephemeral keys with authenticated ciphers are
used. There is no switch for any of that.

A C(TLS) certificate of a meter names its system title, not a host. Whoever connects to a meter by its address says
``check_host=False`` and then binds the connection to the system title: :attr:`TcpConnection.peer_certificate` goes to
:func:`cosemic.security.tls_identity.check_certified_title` before anything else is believed.
"""

from __future__ import annotations

import ssl
from os import PathLike
from typing import Final, TypeAlias

from cosemic.errors import ConfigurationError
from cosemic.values import Secret

Path: TypeAlias = "str | PathLike[str]"

CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2; those of TLS 1.3 are all of this kind."""


def tls_context(
    *,
    server: bool = False,
    trusted: Path,
    certificate: Path | None = None,
    key: Path | None = None,
    password: Secret | None = None,
    check_host: bool = True,
) -> ssl.SSLContext:
    """Return the context of one side, for :func:`cosemic.transport.tcp.connect`, TcpServer and their blocking twins.

    ``trusted``: PEM file of the CA certificates, the roots among them, that the other side's certificate has to lead
    to. ``certificate``: PEM file of the own certificate, and after it those of sub-CAs; a client may go without where
    the server does not ask. ``key``: PEM file of its private key, where it is not in the same file; ``password`` opens
    it. ``check_host``: whether a client demands that the server's certificate names the host (see above).
    Raises ConfigurationError with the file that is wrong.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_NO_TICKET
    if server:
        context.num_tickets = 0
    else:
        context.check_hostname = check_host
    context.verify_mode = ssl.CERT_REQUIRED
    _trust(context, trusted)
    if certificate is not None:
        _show(context, certificate, key, password)
    elif server or key is not None:
        raise ConfigurationError("TLS needs the own certificate: give the PEM file of certificate and key")
    return context


def _trust(context: ssl.SSLContext, trusted: Path) -> None:
    try:
        context.load_verify_locations(cafile=trusted)
    except ssl.SSLError as error:
        raise ConfigurationError(f"{trusted} holds no trusted certificates: it has to be a PEM file of them") from error
    except OSError as error:
        raise _unreadable(trusted, error) from error


def _show(context: ssl.SSLContext, certificate: Path, key: Path | None, password: Secret | None) -> None:
    def opened() -> bytes:
        if password is None:  # OpenSSL would ask on the terminal
            raise ConfigurationError(f"the key in {key or certificate} is encrypted: give its password")
        return password.reveal()

    for path in (certificate, key or certificate):
        try:
            with open(path, "rb"):
                continue
        except OSError as error:
            raise _unreadable(path, error) from error
    try:
        context.load_cert_chain(certificate, key, opened)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            why = "the key does not belong to the certificate"
        elif password is not None:
            why = "the password does not open the key, or one of them is no PEM file"
        else:
            why = f"there is no PEM certificate, or no key, in {'them' if key else 'it'}"
        raise ConfigurationError(f"{certificate}{f' and {key}' if key else ''}: {why}") from error


def _unreadable(path: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(f"{path} cannot be read ({error.strerror or error}): check the path and who may read it")
