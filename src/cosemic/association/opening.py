"""Opening an association as a client: AARQ, AARE, and passes 3 and 4 of high level security (IEC 62056-5-3).

::

    lowest, LLS     AARQ -> AARE accepted                                       associated
    HLS             AARQ (CtoS) -> AARE accepted, authentication-required (StoC)
                    ACTION reply_to_HLS_authentication (f(StoC)) -> f(CtoS)     associated
                    Read, or Write and Read of it with short names              associated
    pre-established nothing: it stands, and is left without RLRQ                associated
    response-allowed FALSE
                    AARQ -> nothing: it stands, and is left without RLRQ        associated

The checks come before anything is believed: title and challenge that are our own (reflection), context, mechanism,
protection of the InitiateResponse, dlms-version, conformance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cosemic import apdu as a
from cosemic.association.exchanges import client_conformance
from cosemic.association.passes import REPLY_TO_HLS_AUTHENTICATION, check_vaa_name, reply_with_short_names
from cosemic.association.received_errors import service_error_text
from cosemic.association.requests import Opened
from cosemic.association.settings import DLMS_VERSION, LEAST_PDU_SIZE, LOW_LEVEL, ClientSettings, PreEstablished
from cosemic.association.terms import Exchange, unexpected
from cosemic.codec import DataType, EncodedData
from cosemic.errors import (
    AssociationRejected,
    AuthenticationFailed,
    DecipheringError,
    DecodeError,
    PolicyViolation,
    ProtocolError,
    SecurityError,
)
from cosemic.security import Envelope, HlsClient, Key, SecurityContext, is_ciphered
from cosemic.values import (
    ActionResult,
    AssociationResult,
    AuthenticationMechanism,
    Conformance,
    DataAccessResult,
    ProviderDiagnostic,
    ReleaseRequestReason,
    Secret,
    UserDiagnostic,
)

if TYPE_CHECKING:
    from cosemic.association.client import ClientAssociation

_UNSENT: Final = "the meter wants another name than it was given: see how its maker opens it"
_ADVICE: Final = {
    UserDiagnostic.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED: "on this client SAP the meter does not speak this context: "
    "it wants ciphering and no keys were given (security=, --security), or the other way round, or it has short "
    "names (referencing=sn in the URL), or logical ones (referencing=ln)",
    UserDiagnostic.CALLING_AP_TITLE_NOT_RECOGNIZED: "the meter does not know this client system title",
    UserDiagnostic.CALLING_AE_INVOCATION_IDENTIFIER_NOT_RECOGNIZED: "the meter does not know this user: give the id of "
    "one that it lists (user=, or user_id in the settings)",
    UserDiagnostic.AUTHENTICATION_MECHANISM_NAME_NOT_RECOGNIZED: "the meter does not speak this mechanism "
    "on this client SAP: check both",
    UserDiagnostic.AUTHENTICATION_MECHANISM_NAME_REQUIRED: "this client SAP needs a mechanism: give one",
    UserDiagnostic.AUTHENTICATION_FAILURE: "password, key or secret is wrong; some meters lock after a few attempts",
    UserDiagnostic.AUTHENTICATION_REQUIRED: "this client SAP needs authentication: give password or keys",
    UserDiagnostic.CALLING_AP_INVOCATION_IDENTIFIER_NOT_RECOGNIZED: _UNSENT,
    UserDiagnostic.CALLING_AE_QUALIFIER_NOT_RECOGNIZED: "the meter does not know the certificate of this client",
    UserDiagnostic.CALLED_AP_TITLE_NOT_RECOGNIZED: _UNSENT,
    UserDiagnostic.CALLED_AP_INVOCATION_IDENTIFIER_NOT_RECOGNIZED: _UNSENT,
    UserDiagnostic.CALLED_AE_QUALIFIER_NOT_RECOGNIZED: _UNSENT,
    UserDiagnostic.CALLED_AE_INVOCATION_IDENTIFIER_NOT_RECOGNIZED: _UNSENT,
}
_PROVIDER_ADVICE: Final = {
    ProviderDiagnostic.NO_REASON_GIVEN: "the meter could not read the AARQ: try the dialect of its maker",
    ProviderDiagnostic.NO_COMMON_ACSE_VERSION: "the meter speaks another version of ACSE than 1, the only one there is",
}
_SERVICE_ADVICE: Final = {
    "application-reference: deciphering-error": "check encryption key, authentication key and the system titles of "
    "both sides; and whether the security policy of the meter demands more protection than ours",
}
"""By what the user-information of a refusing AARE says; it tells more than the diagnostic beside it."""


def open_association(association: ClientAssociation) -> Exchange:
    """Open the association as its settings say; returns :class:`Opened`. Raises what makes it impossible."""
    settings = association.settings
    context = settings.context()
    # Without ciphering the context serves high level security only: no service is protected with it.
    association.context = context if settings.ciphered else None
    if settings.pre_established is not None:
        return _stands(association, settings.pre_established)
    hls: HlsClient | None = None
    if settings.mechanism not in LOW_LEVEL:
        hls = HlsClient(settings.credentials(context), randomness=association.randomness)
    try:
        if context is not None:
            context.transmit.synchronise()
        aarq = _aarq(association, hls)
        if not settings.response_allowed:
            return _unconfirmed(association, aarq)
        response = yield aarq
        if not isinstance(response, a.AARE):
            raise unexpected(response, "AARE")
        opened, vouched = _accept(association, response)
        if hls is not None:
            association.challenged()
            yield from _authenticate(association, response, hls)
            # The server has answered a fresh challenge. Where it did so under the encryption key, or what it said was
            # authenticated, the counters that it was sent are right.
            vouched = vouched or settings.mechanism is AuthenticationMechanism.HLS_GMAC
        if vouched and context is not None:
            context.confirm()
        association.accepted(opened)
        return opened
    finally:
        if hls is not None:
            hls.close()


def _stands(association: ClientAssociation, agreed: PreEstablished) -> Opened:
    """Take what is agreed beforehand for what an AARE says; the first answer has to prove that the keys are right."""
    settings = association.settings
    if association.context is not None:
        association.context.transmit.synchronise()
    services = agreed.conformance & proposal(association)
    association.agree(services, agreed.max_pdu_size)
    opened = Opened(services, agreed.dlms_version, agreed.max_pdu_size, settings.server_title, agreed.confirmed)
    association.accepted(opened)
    return opened


def _unconfirmed(association: ClientAssociation, aarq: a.AARQ) -> Opened:
    """Send the AARQ, which is not answered, and take what it proposes for agreed."""
    services = proposal(association)
    association.agree(services, 0)
    association.send_unanswered(aarq)
    opened = Opened(services, DLMS_VERSION, 0, association.settings.server_title, confirmed=False)
    association.accepted(opened)
    return opened


def proposal(association: ClientAssociation) -> Conformance:
    """Return the conformance that is proposed: what the client can do, within what the settings allow."""
    settings = association.settings
    able = client_conformance(short_names=settings.short_names)
    if settings.general_blocks:
        able |= Conformance.GENERAL_BLOCK_TRANSFER
    if settings.ciphered:
        able |= Conformance.GENERAL_PROTECTION
    able &= ~settings.dialect.differences.reserved
    return able if settings.conformance is None else able & settings.conformance


def _initiate(association: ClientAssociation, dedicated_key: bytes | None) -> bytes:
    settings = association.settings
    request = a.InitiateRequest(
        dedicated_key, settings.response_allowed, None, DLMS_VERSION, proposal(association), settings.max_pdu_size
    )
    octets = request.encode()
    if association.context is None or not settings.ciphered:
        return octets
    return association.context.protect_apdu(octets, Envelope.kind(dedicated=False, general=settings.general))


def _aarq(association: ClientAssociation, hls: HlsClient | None) -> a.AARQ:
    settings = association.settings
    dedicated: bytes | None = None
    if settings.dedicated_key and association.context is not None:
        dedicated = association.randomness(association.context.material.suite.key_length)
    initiate = _initiate(association, dedicated)
    if dedicated is not None and association.context is not None:
        # From here on services travel under the dedicated key; Initiate and release stay under the global one.
        association.context.set_dedicated_key(Key(Secret(dedicated, "dedicated key")))
    value: bytes | None = None
    if hls is not None:
        value = hls.challenge
    elif settings.secret is not None and settings.mechanism is AuthenticationMechanism.LLS:
        value = settings.secret.reveal()
    authenticated = settings.mechanism is not AuthenticationMechanism.LOWEST
    return a.AARQ(
        application_context_name=settings.application_context,
        calling_ap_title=settings.system_title or None,
        calling_ae_qualifier=settings.certificate,
        calling_ae_invocation_id=settings.user_id,
        sender_acse_requirements=a.AUTHENTICATION_REQUIREMENT if authenticated else None,
        mechanism_name=settings.mechanism if authenticated else None,
        calling_authentication_value=None if value is None else a.AuthenticationValue(value),
        user_information=initiate,
    )


def _accept(association: ClientAssociation, aare: a.AARE) -> tuple[Opened, bool]:
    """Judge the AARE; returns what was agreed, and whether that was authenticated.

    Raises AssociationRejected, SecurityError, ProtocolError, DecodeError.
    """
    settings = association.settings
    title = aare.responding_ap_title or None
    if title is not None and title == settings.system_title:
        raise DecipheringError("the AARE carries our own system title: our AARQ came back, or a title is set wrongly")
    if aare.result != AssociationResult.ACCEPTED:
        raise _rejection(association.context, aare)
    if aare.application_context_name != settings.application_context:
        raise ProtocolError("the AARE names another application context than the AARQ")
    if None not in (title, settings.server_title) and title != settings.server_title:
        raise DecipheringError("the meter has another system title than the settings say: check address and settings")
    _check_authentication(settings, aare)
    if association.context is not None and title is not None:
        association.context.set_peer_title(title)
    if aare.user_information is None:
        raise ProtocolError("the AARE accepts, but brings no InitiateResponse")
    response, vouched = _initiate_response(association, aare.user_information)
    if response.negotiated_dlms_version_number != DLMS_VERSION:
        raise ProtocolError(f"the meter speaks dlms version {response.negotiated_dlms_version_number}, not 6")
    if settings.short_names:
        check_vaa_name(response.vaa_name)
    agreed = response.negotiated_conformance & proposal(association)
    size = response.server_max_receive_pdu_size
    if 0 < size < LEAST_PDU_SIZE:
        raise ProtocolError(f"the meter takes APDUs of {size} octets at most, fewer than the standard allows")
    if settings.general and not agreed & Conformance.GENERAL_PROTECTION:
        raise ProtocolError("the meter did not agree to general-protection: use the service-specific ciphered form")
    association.agree(agreed, size)
    return Opened(agreed, response.negotiated_dlms_version_number, size, title), vouched


def _check_authentication(settings: ClientSettings, aare: a.AARE) -> None:
    """Hold what the AARE says of authentication against what was asked for."""
    source, diagnostic = aare.result_source_diagnostic
    challenged = source == "acse_service_user" and diagnostic == UserDiagnostic.AUTHENTICATION_REQUIRED
    high_level = settings.mechanism not in LOW_LEVEL
    if challenged and not high_level:
        raise AuthenticationFailed("the meter asks for high level security: give mechanism and keys")
    if high_level and not challenged and aare.responding_authentication_value is None:
        # jDLMS's server says null and challenges all the same: passes 3 and 4 follow, and prove what they must.
        raise AuthenticationFailed(
            "the meter skips the authentication that was asked for: it does not prove that it knows the secret"
        )
    if high_level and aare.mechanism_name not in (None, settings.mechanism):
        raise AuthenticationFailed("the AARE names another authentication mechanism than the AARQ")


def _initiate_response(association: ClientAssociation, information: bytes) -> tuple[a.InitiateResponse, bool]:
    """The InitiateResponse, and whether it was authenticated."""
    vouched = False
    if association.context is not None:
        information, vouched, *_ = association.context.unprotect_apdu(information)
    elif is_ciphered(information):
        raise PolicyViolation("the AARE brings a ciphered InitiateResponse in an association without ciphering")
    return a.InitiateResponse.decode(information), vouched


def _rejection(context: SecurityContext | None, aare: a.AARE) -> AssociationRejected:
    """The error for an AARE that refuses, with what its user-information says, in clear or ciphered."""
    diagnostic = aare.result_source_diagnostic.diagnostic
    result = getattr(aare.result, "label", str(aare.result))
    label = getattr(diagnostic, "label", str(diagnostic))
    service_error = _refused_because(context, aare)
    advice = _ADVICE.get(diagnostic) if isinstance(diagnostic, UserDiagnostic) else None
    if isinstance(diagnostic, ProviderDiagnostic):
        advice = _PROVIDER_ADVICE.get(diagnostic)
    text = f"the meter refuses the association: {result}, {label}"
    if service_error is not None:
        text += f", {service_error}"
        advice = _SERVICE_ADVICE.get(service_error, advice)
    return AssociationRejected(text + (f" - {advice}" if advice else ""), result, label, service_error)


def _refused_because(context: SecurityContext | None, aare: a.AARE) -> str | None:
    """The confirmedServiceError in the user-information; None where there is none that can be read."""
    information = aare.user_information or b""
    try:
        if context is not None and is_ciphered(information):
            if aare.responding_ap_title:
                context.set_peer_title(aare.responding_ap_title)
            information = context.unprotect_apdu(information).plaintext
        return service_error_text(a.ConfirmedServiceError.decode(information))
    except (DecodeError, SecurityError):
        return None


def _authenticate(association: ClientAssociation, aare: a.AARE, hls: HlsClient) -> Exchange:
    """Passes 3 and 4. Raises AuthenticationFailed unless the server has proved itself."""
    challenge: Any = aare.responding_authentication_value
    if challenge is None:
        raise AuthenticationFailed("the AARE asks for authentication and brings no challenge")
    # Where the AARE names no title, it is that of the settings: _accept has refused any other.
    title = aare.responding_ap_title or association.settings.server_title
    proof = hls.answer(bytes(challenge), title, aare.responding_ae_qualifier or None)
    terms, value = association.authenticating(), EncodedData.of(DataType.OCTET_STRING, proof)
    if association.settings.short_names:
        answer = yield from reply_with_short_names(value, terms)
        if not isinstance(answer, EncodedData):
            raise _not_believed(answer)
        _verify(hls, answer)
        return
    response = yield a.ActionRequestNormal(terms.invoke, REPLY_TO_HLS_AUTHENTICATION, value)
    if not isinstance(response, a.ActionResponseNormal):
        raise unexpected(response, "action-response-normal")
    answer = response.single_response
    if answer.result != ActionResult.SUCCESS:
        raise _not_believed(answer.result)
    returned = answer.return_parameters
    _verify(hls, returned)


def _verify(hls: HlsClient, value: Any) -> None:
    """Judge what pass 4 brings."""
    hls.verify(value.value() if isinstance(value, EncodedData) and value.type is DataType.OCTET_STRING else None)


def _not_believed(result: ActionResult | DataAccessResult) -> AuthenticationFailed:
    name = getattr(result, "label", str(result))
    return AuthenticationFailed(f"the meter refuses our proof ({name}): check secret or keys, and the system titles")


def release_association(association: ClientAssociation) -> Exchange:
    """Release the association; one that is pre-established or not confirmed is only left. Raises ProtocolError."""
    settings = association.settings
    if settings.pre_established is None and settings.response_allowed:
        information = released_information(association)
        response = yield a.RLRQ(reason=ReleaseRequestReason.NORMAL, user_information=information)
        if not isinstance(response, a.RLRE):
            raise ProtocolError(f"the meter answered the release with {type(response).__name__}")
        _check_released(association, response.user_information)
    association.released()


def _check_released(association: ClientAssociation, information: bytes | None) -> None:
    """Hold the user-information of an RLRE against its protection. Raises SecurityError, DecodeError."""
    context, dialect = association.context, association.settings.dialect
    if context is None:
        return
    if information is not None:
        _initiate_response(association, information)
    elif dialect.require_protected_release:
        raise PolicyViolation("the meter did not protect its answer to the release: anybody may have sent it")


def released_information(association: ClientAssociation) -> bytes | None:
    """The user-information of RLRQ: a ciphered InitiateRequest in a ciphered context, so that it is authenticated."""
    settings = association.settings
    if not settings.ciphered or not settings.dialect.protect_release:
        return None
    return _initiate(association, None)
