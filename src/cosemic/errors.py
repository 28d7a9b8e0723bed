"""One exception tree for the whole of Cosemic.

::

    CosemicError
    ├── DecodeError                  octets are not what they should be: offset, path, what was expected
    ├── EncodeError                  a value does not fit the type it is to be sent as
    ├── ConfigurationError           a URL, key file or setting is wrong; nothing was sent
    ├── TransportError               the medium
    │   ├── ConnectionFailed         nobody answers at that address
    │   ├── ConnectionLost           the connection broke: COSEM-ABORT, all associations on it are gone
    │   └── ResponseTimeout          the peer did not answer in time
    ├── ProtocolError                the peer broke a rule of the protocol
    ├── SecurityError                something is not protected as agreed
    │   ├── DecipheringError         a tag, key or title does not fit
    │   │   └── SignatureInvalid     a digital signature does not fit
    │   ├── InvocationCounterError   a counter was used before, or cannot be taken over
    │   ├── CounterExhausted         no invocation counter is left under this key
    │   ├── PolicyViolation          less protection than the security policy demands
    │   ├── AuthenticationFailed     the peer did not prove that it knows the secret
    │   └── CertificateError         a certificate, request or revocation list is not what it has to be
    ├── AssociationError             the association
    │   ├── AssociationRejected      the server refused it: result and diagnostic of the AARE
    │   └── NotAssociated            a service was asked for outside an association
    ├── ServiceFailed                the server answered, and the answer is an error
    │   ├── DataAccessError          data-access-result of GET or SET
    │   ├── ActionFailed             action-result of ACTION
    │   ├── ExceptionReceived        exception-response
    │   └── ServiceErrorReceived     confirmedServiceError
    ├── OutcomeUnknown               a change was sent and not answered: read back before sending it again
    ├── ChangeNotMade                a change was sent and not answered, and read back: it has not been made
    ├── ChangeWithheld               a change was not sent: the rules it was asked for under forbid it
    └── StoreError                   a store cannot be read or written; nothing of the change was kept

Every message says what happened, with the standard's name and code, and what to do.
"""

from __future__ import annotations


class CosemicError(Exception):
    """Root of everything that Cosemic raises on purpose."""


class DecodeError(CosemicError, ValueError):
    """Octets are not what they should be.

    ``offset`` is counted in octets from the start of what was given to the decoder; ``path`` names the field
    (``get-response-normal.result.data[3]``); ``expected`` says what should have stood there.
    """

    def __init__(self, expected: str, offset: int = 0, path: str = "") -> None:
        self.expected = expected
        self.offset = offset
        self.path = path
        super().__init__(expected, offset, path)

    def __str__(self) -> str:
        where = f" in {self.path}" if self.path else ""
        return f"at octet {self.offset}{where}: {self.expected}"

    def within(self, path: str, offset: int = 0) -> DecodeError:
        """Return the same error seen from a container that starts ``offset`` octets earlier."""
        joined = path + self.path if self.path.startswith("[") else ".".join(filter(None, (path, self.path)))
        return DecodeError(self.expected, self.offset + offset, joined)


class EncodeError(CosemicError, ValueError):
    """A value does not fit the type it is to be sent as."""


class ConfigurationError(CosemicError, ValueError):
    """A URL, key file or setting is wrong; nothing was sent."""


class TransportError(CosemicError):
    """The medium failed."""


class ConnectionFailed(TransportError):
    """Nobody answers at that address."""


class ConnectionLost(TransportError):
    """The connection broke; all associations on it are aborted (COSEM-ABORT, IEC 62056-5-3)."""


class ResponseTimeout(TransportError):
    """The peer did not answer in time."""


class ProtocolError(CosemicError):
    """The peer broke a rule of the protocol."""


class SecurityError(CosemicError):
    """Something is not protected as agreed. Never carries a key or unverified plaintext."""


class DecipheringError(SecurityError):
    """A tag, key or system title does not fit. Deliberately without detail."""


class SignatureInvalid(DecipheringError):
    """A digital signature is not that of the signer over these octets. Deliberately without detail."""


class InvocationCounterError(SecurityError):
    """An invocation counter was used before, or a proposed one cannot be taken over.

    ``lowest_acceptable`` is the value that would have been accepted, where it is known.
    """

    def __init__(self, message: str, lowest_acceptable: int | None = None) -> None:
        self.lowest_acceptable = lowest_acceptable
        super().__init__(message)


class CounterExhausted(SecurityError):
    """No invocation counter is left under this key: install a new key."""


class PolicyViolation(SecurityError):
    """Less protection than the security policy or the access rights demand."""


class AuthenticationFailed(SecurityError):
    """The peer did not prove that it knows the secret."""


class CertificateError(SecurityError):
    """A certificate, certification request or revocation list cannot be read, or is not to be trusted for this use."""


class AssociationError(CosemicError):
    """The association could not be opened, or is not in the state that the call needs."""


class AssociationRejected(AssociationError):
    """The server refused the association.

    ``result``, ``diagnostic`` are those of the AARE (labels of the standard); ``service_error`` the
    confirmedServiceError of its user-information, if there was one.
    """

    def __init__(self, message: str, result: str, diagnostic: str, service_error: str | None = None) -> None:
        self.result = result
        self.diagnostic = diagnostic
        self.service_error = service_error
        super().__init__(message)


class NotAssociated(AssociationError):
    """A service was asked for outside an association."""


class ServiceFailed(CosemicError):
    """The server answered, and the answer is an error.

    ``code`` is the number of the standard, ``label`` its name (``read-write-denied``); ``subject`` names class, object
    and attribute or method concerned.
    """

    def __init__(self, message: str, code: int = 0, label: str = "", subject: str = "") -> None:
        self.code = code
        self.label = label
        self.subject = subject
        super().__init__(message)


class DataAccessError(ServiceFailed):
    """data-access-result other than success, of a GET or SET."""


class ActionFailed(ServiceFailed):
    """action-result other than success."""


class ExceptionReceived(ServiceFailed):
    """exception-response: ``state_error`` and ``service_error`` are labels; it is never authenticated.

    ``invocation_counter`` is the proposal that comes with invocation-counter-error.
    """

    def __init__(
        self, message: str, state_error: str, service_error: str, invocation_counter: int | None = None
    ) -> None:
        self.state_error = state_error
        self.service_error = service_error
        self.invocation_counter = invocation_counter
        super().__init__(message, label=service_error)


class ServiceErrorReceived(ServiceFailed):
    """confirmedServiceError: service, error class and value as labels."""


class OutcomeUnknown(CosemicError):
    """A change was sent and its answer never came: read back before you send it again.

    ``subject`` names class, object and attribute or method concerned, where a client knows it.
    """

    def __init__(self, message: str, subject: str = "") -> None:
        self.subject = subject
        super().__init__(message)


class ChangeNotMade(CosemicError):
    """A change was sent and its answer never came; read back, it has not been made: it can be sent again."""


class ChangeWithheld(CosemicError):
    """A change was not sent: the rules it was asked for under forbid it, at the moment or at all."""


class StoreError(CosemicError):
    """A store cannot be read or written; nothing of the change was kept."""
