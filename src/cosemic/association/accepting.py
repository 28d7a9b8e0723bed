"""How a server judges an AARQ (IEC 62056-5-3; reference, application layer 5, 6.4).

The checks in order; the first that fails refuses the association with its diagnostic::

    association that is pre-established          no-reason-given; unless it is replaceable
    application context not offered              application-context-name-not-supported
    title missing, our own, or not the agreed    calling-AP-title-not-recognized
    another name that is not recognised          called-AP-title-not-recognized and the like
    mechanism missing, or another one            authentication-mechanism-name-required, -not-recognized
    mechanism named, and the functional unit     authentication-required
    for it not selected (sender-acse-requirements)
    too many failures of this client before      authentication-failure, rejected-transient
    password wrong, challenge too short          authentication-failure
    certificate that does not hold               calling-AE-qualifier-not-recognized; calling-AP-title-not-recognized
                                                 where none came, and none is known (mechanism 7)
    no user named, or one that is not listed     calling-AE-invocation-identifier-not-recognized
    InitiateRequest not deciphered               ConfirmedServiceError application-reference, deciphering-error
    InitiateRequest not protected as the policy  the same
    dedicated key in clear, or used before       the same
    dlms-version below 6                         ConfirmedServiceError initiate, dlms-version-too-low
    nothing in common                            ConfirmedServiceError initiate, incompatible-conformance
    client-max-receive-pdu-size below 12, or     ConfirmedServiceError initiate, pdu-size-too-short
    no protected answer fits into it, or not
    pass 4 of high level security
    keys or counters of the server fail          ConfirmedServiceError initiate, refused-by-the-VDE-handler
    no answer is wanted (response-allowed FALSE) none: the association cannot be opened so with high level security

An AARQ that cannot be read at all is refused by the provider: no-reason-given. Where no answer is wanted, none is sent;
a ciphered InitiateRequest only says so once it is deciphered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from cosemic import apdu as a
from cosemic.association.answering import wants_aare
from cosemic.association.blocks import blocks_room
from cosemic.association.client_history import ClientHistory
from cosemic.association.passes import VAA_NAME_LN, VAA_NAME_SN, octets_of_pass_4
from cosemic.association.recognised import not_recognised
from cosemic.association.refusal import Refusal, refusing
from cosemic.association.service_provider import Agreement, ServerSettings
from cosemic.association.serving import server_conformance
from cosemic.association.settings import (
    BOTH,
    DLMS_VERSION,
    LEAST_PDU_SIZE,
    LOW_LEVEL,
    SERVICES_OF_ITS_OWN,
    SYSTEM_TITLE_LENGTH,
    PreEstablished,
    plain_room,
)
from cosemic.dialect import ResponseForm
from cosemic.errors import (
    AuthenticationFailed,
    CertificateError,
    ConfigurationError,
    CosemicError,
    DecipheringError,
    DecodeError,
)
from cosemic.security import (
    TITLED_MECHANISMS,
    Envelope,
    HlsServer,
    Key,
    Protection,
    SecurityContext,
    password_matches,
    usable,
)
from cosemic.security.hls import Randomness
from cosemic.values import (
    ApplicationContext,
    AssociationResult,
    AuthenticationMechanism,
    Conformance,
    ErrorClass,
    ErrorService,
    ProviderDiagnostic,
    Secret,
    UserDiagnostic,
)

LEAST_ROOM: Final = 5
"""Octets of the shortest answer to a GET: a data-access-result."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What comes of an AARQ that is accepted, or holds without one.

    aare: the answer; None where no AARQ came. hls: passes 3 and 4 are still to come. room: largest plain APDU that may
    be sent, in octets. response_allowed: confirmed services are served.
    """

    aare: a.AARE | None
    context: SecurityContext | None
    hls: HlsServer | None
    agreement: Agreement
    room: int
    response_allowed: bool


class _Judge:
    """One AARQ before one association's settings, and what is remembered of the client."""

    def __init__(self, aarq: a.AARQ, settings: ServerSettings, history: ClientHistory) -> None:
        self.aarq = aarq
        self.settings = settings
        self.history = history
        name = aarq.application_context_name
        self.context = name if isinstance(name, ApplicationContext) else ApplicationContext.LN
        self.ciphered = self.context.ciphered
        self.high_level = settings.mechanism not in LOW_LEVEL
        self.answers = wants_aare(aarq.user_information)

    def refuse(
        self,
        diagnostic: UserDiagnostic | ProviderDiagnostic,
        reason: str,
        service_error: tuple[ErrorClass, int] | None = None,
        result: AssociationResult = AssociationResult.REJECTED_PERMANENT,
    ) -> Refusal:
        """Make the refusal with its AARE."""
        authentication = diagnostic is UserDiagnostic.AUTHENTICATION_FAILURE
        if not self.answers:
            return Refusal(reason, None, authentication=authentication)
        information = None
        if service_error is not None:
            information = a.ConfirmedServiceError(ErrorService.INITIATE_ERROR, *service_error).encode()
        aare = refusing(self.aarq.application_context_name, diagnostic, information, result)
        return Refusal(reason, aare, authentication=authentication)

    def check_version(self) -> None:
        version = self.aarq.protocol_version
        if version is not None and version[:1] != "1":
            raise self.refuse(ProviderDiagnostic.NO_COMMON_ACSE_VERSION, "the AARQ has another protocol version")

    def check_pre_established(self) -> None:
        beforehand = self.settings.pre_established
        if beforehand is not None and not beforehand.replaceable:
            raise self.refuse(UserDiagnostic.NO_REASON_GIVEN, "the association is pre-established: it is not opened")

    def check_context_name(self) -> None:
        if self.aarq.application_context_name not in self.settings.context_names:
            raise self.refuse(
                UserDiagnostic.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED, "another application context is asked for"
            )

    def security_context(self) -> SecurityContext | None:
        """Check the calling title and make the context that it belongs to."""
        title = self.aarq.calling_ap_title or None
        agreed = self.settings.client_title
        needs = self.ciphered or self.settings.mechanism in TITLED_MECHANISMS
        wrong = title is not None and title == self.settings.system_title
        if (
            wrong
            or (agreed is not None and title != agreed)
            or (needs and (title is None or len(title) != SYSTEM_TITLE_LENGTH))
        ):
            raise self.refuse(
                UserDiagnostic.CALLING_AP_TITLE_NOT_RECOGNIZED, "the calling title is missing, our own or another one"
            )
        if not needs:
            return None
        try:
            return self.settings.security_context(title, self.ciphered)
        except CosemicError as error:
            raise self.refuse(UserDiagnostic.CALLING_AP_TITLE_NOT_RECOGNIZED, str(error)) from None

    def check_names(self) -> None:
        diagnostic = not_recognised(self.aarq, self.settings.recognised)
        if diagnostic is not None:
            raise self.refuse(diagnostic, f"{diagnostic.label}: the AARQ names another one")

    def authentication(self, context: SecurityContext | None, randomness: Randomness, now: float) -> HlsServer | None:
        """Check mechanism and password, or take up the challenge."""
        mechanism = self.settings.mechanism
        named = self.aarq.mechanism_name
        value = self.aarq.calling_authentication_value
        if named is None and mechanism is not AuthenticationMechanism.LOWEST:
            raise self.refuse(UserDiagnostic.AUTHENTICATION_MECHANISM_NAME_REQUIRED, "no mechanism is named")
        if named is not None and named != mechanism:
            raise self.refuse(UserDiagnostic.AUTHENTICATION_MECHANISM_NAME_NOT_RECOGNIZED, "another mechanism is named")
        selected = self.aarq.sender_acse_requirements
        if mechanism is not AuthenticationMechanism.LOWEST and (selected is None or selected[:1] != "1"):
            raise self.refuse(UserDiagnostic.AUTHENTICATION_REQUIRED, "authentication is not among the requirements")
        if mechanism is not AuthenticationMechanism.LOWEST and self.history.refuses(now):
            raise self.refuse(
                UserDiagnostic.AUTHENTICATION_FAILURE,
                "authentication failed too often: this client has to wait",
                result=AssociationResult.REJECTED_TRANSIENT,
            )
        if mechanism is AuthenticationMechanism.LLS:
            assert self.settings.secret is not None
            if not password_matches(self.settings.secret, bytes(value or b"")):
                self.history.failed(now)
                raise self.refuse(UserDiagnostic.AUTHENTICATION_FAILURE, "the password is wrong")
        if not self.high_level:
            return None
        title, certificate = self.aarq.calling_ap_title, self.aarq.calling_ae_qualifier or None
        try:
            credentials = self.settings.credentials(context)
        except CertificateError as error:  # there is none for our own key yet
            raise self.refuse(UserDiagnostic.NO_REASON_GIVEN, str(error)) from None
        try:
            return HlsServer(credentials, bytes(value or b""), title, certificate, randomness=randomness)
        except CertificateError as error:
            unknown = UserDiagnostic.CALLING_AE_QUALIFIER_NOT_RECOGNIZED
            if certificate is None:
                unknown = UserDiagnostic.CALLING_AP_TITLE_NOT_RECOGNIZED
            raise self.refuse(unknown, str(error)) from None
        except (AuthenticationFailed, DecipheringError) as error:
            raise self.refuse(UserDiagnostic.AUTHENTICATION_FAILURE, str(error)) from None

    def check_user(self) -> None:
        users = self.settings.users
        if users and self.aarq.calling_ae_invocation_id not in users:
            raise self.refuse(
                UserDiagnostic.CALLING_AE_INVOCATION_IDENTIFIER_NOT_RECOGNIZED, "the user is not in user_list"
            )

    def initiate(self, context: SecurityContext | None) -> tuple[a.InitiateRequest, Envelope | None, Protection]:
        """Read the InitiateRequest, deciphered where it has to be."""
        information = self.aarq.user_information
        envelope = Envelope.of(information) if information else None
        unreadable = (ErrorClass.APPLICATION_REFERENCE, 6)  # deciphering-error
        if information is None:
            raise self.refuse(
                UserDiagnostic.NO_REASON_GIVEN, "the AARQ brings no InitiateRequest", (ErrorClass.INITIATE, 0)
            )
        applied = Protection.NONE
        if self.ciphered:
            assert context is not None
            try:
                opened = context.unprotect_apdu(information)
            except CosemicError as error:
                raise self.refuse(UserDiagnostic.NO_REASON_GIVEN, str(error), unreadable) from None
            information = opened.plaintext
            applied = Protection(opened.security_control.protection)
        elif envelope is not None:
            raise self.refuse(UserDiagnostic.NO_REASON_GIVEN, "ciphered in a context without ciphering", unreadable)
        try:
            request = a.InitiateRequest.decode(information)
        except DecodeError as error:
            raise self.refuse(UserDiagnostic.NO_REASON_GIVEN, str(error), (ErrorClass.INITIATE, 0)) from None
        self.answers = request.response_allowed
        key = request.dedicated_key
        if key is not None:
            if applied != BOTH or context is None:
                raise self.refuse(UserDiagnostic.NO_REASON_GIVEN, "a dedicated key came unprotected", unreadable)
            dedicated = Key(Secret(key, "dedicated key"))
            try:
                context.set_dedicated_key(dedicated)
            except ConfigurationError as error:
                raise self.refuse(UserDiagnostic.NO_REASON_GIVEN, str(error), unreadable) from None
            if not self.history.takes_key(dedicated.identity):
                raise self.refuse(UserDiagnostic.NO_REASON_GIVEN, "the dedicated key was used before", unreadable)
        return request, envelope, applied

    def negotiate(self, request: a.InitiateRequest) -> tuple[Conformance, int]:
        """Check version and sizes; return the conformance in common, and the room for answers."""
        if request.proposed_dlms_version_number < DLMS_VERSION:
            raise self.refuse(UserDiagnostic.NO_REASON_GIVEN, "dlms version too low", (ErrorClass.INITIATE, 1))
        agreed = request.proposed_conformance & offered_by(self.settings, self.context)
        if not agreed & SERVICES_OF_ITS_OWN:
            raise self.refuse(UserDiagnostic.NO_REASON_GIVEN, "no service in common", (ErrorClass.INITIATE, 2))
        size = request.client_max_receive_pdu_size
        room = _room(self.settings, self.ciphered, agreed, size)
        key = usable(self.settings.signing_key)
        proof = octets_of_pass_4(self.settings.mechanism, None if key is None else key.public)
        least = proof if self.high_level else LEAST_ROOM
        if 0 < size < LEAST_PDU_SIZE or room < least:
            raise self.refuse(UserDiagnostic.NO_REASON_GIVEN, "pdu size too short", (ErrorClass.INITIATE, 3))
        if self.high_level and not self.answers:
            raise self.refuse(UserDiagnostic.NO_REASON_GIVEN, "high level security without an answer")
        return agreed, room


def offered_by(settings: ServerSettings, context: ApplicationContext) -> Conformance:
    """Return the services that a client can agree to at most."""
    offered = server_conformance(short_names=context.short_names) | Conformance.GENERAL_BLOCK_TRANSFER
    if context.ciphered:
        offered |= Conformance.GENERAL_PROTECTION
    offered &= ~settings.dialect.differences.reserved
    return offered if settings.conformance is None else offered & settings.conformance


def _room(settings: ServerSettings, ciphered: bool, agreed: Conformance, size: int) -> int:
    """Octets of the longest plain answer, in the longest envelope that is possible."""
    form = settings.dialect.response_form
    in_general = form is not ResponseForm.SERVICE_SPECIFIC and bool(agreed & Conformance.GENERAL_PROTECTION)
    general = in_general or bool(agreed & Conformance.ACCESS)
    room = plain_room(size, protected=ciphered, general=general)
    return room if not agreed & Conformance.GENERAL_BLOCK_TRANSFER or room < 1 else blocks_room(room)


def initiate_response(settings: ServerSettings, agreed: Conformance, context: ApplicationContext) -> bytes:
    """Return the InitiateResponse, plain."""
    vaa_name = VAA_NAME_SN if context.short_names else VAA_NAME_LN
    return a.InitiateResponse(None, DLMS_VERSION, agreed, settings.max_pdu_size, vaa_name).encode()


def accept(
    octets: bytes, settings: ServerSettings, randomness: Randomness, history: ClientHistory, now: float
) -> Accepted:
    """Judge an AARQ that comes ``now``. Raises :class:`Refusal` and nothing else."""
    try:
        aarq = a.AARQ.decode(octets, settings.limits)
    except DecodeError as error:
        aare = refusing(ApplicationContext.LN, ProviderDiagnostic.NO_REASON_GIVEN)
        raise Refusal(f"AARQ that cannot be read: {error}", aare) from None
    judge = _Judge(aarq, settings, history)
    judge.check_version()
    judge.check_pre_established()
    judge.check_context_name()
    context = judge.security_context()
    judge.check_names()
    hls = judge.authentication(context, randomness, now)
    judge.check_user()
    request, envelope, applied = judge.initiate(context)
    agreed, room = judge.negotiate(request)
    response = initiate_response(settings, agreed, judge.context)
    if judge.ciphered and context is not None:
        # The answer is protected like the request, and at least as the policy demands.
        kind = Envelope.kind(dedicated=False, general=envelope is not None and envelope.general)
        try:
            context.transmit.synchronise()
            response = context.protect_apdu(response, kind, protection=context.send | applied)
        except CosemicError as error:
            refused = (ErrorClass.INITIATE, 4)  # refused-by-the-VDE-handler
            raise judge.refuse(UserDiagnostic.NO_REASON_GIVEN, str(error), refused) from None
    named: dict[str, Any] = {}
    if hls is not None:
        named = {
            "responder_acse_requirements": a.AUTHENTICATION_REQUIREMENT,
            "mechanism_name": settings.mechanism,
            "responding_authentication_value": a.AuthenticationValue(hls.challenge),
        }
    diagnostic = UserDiagnostic.NULL if hls is None else UserDiagnostic.AUTHENTICATION_REQUIRED
    aare = a.AARE(
        application_context_name=judge.aarq.application_context_name,
        result=AssociationResult.ACCEPTED,
        result_source_diagnostic=a.ResultSourceDiagnostic("acse_service_user", diagnostic),
        responding_ap_title=settings.system_title or None,
        responding_ae_qualifier=settings.certificate,
        user_information=response,
        **named,
    )
    agreement = Agreement(
        judge.context,
        agreed,
        settings.max_pdu_size,
        request.client_max_receive_pdu_size,
        judge.aarq.calling_ap_title or None,
        judge.aarq.calling_ae_invocation_id,
    )
    # Without ciphering the context serves high level security only: no service is protected with it.
    services = context if judge.ciphered else None
    return Accepted(aare, services, hls, agreement, room, request.response_allowed)


def agreed_beforehand(settings: ServerSettings, beforehand: PreEstablished) -> Agreement:
    """Return what was agreed upon in an association that is pre-established."""
    (name,) = settings.context_names
    services = beforehand.conformance & offered_by(settings, name)
    sizes = settings.max_pdu_size, beforehand.max_pdu_size
    return Agreement(name, services, *sizes, settings.client_title, pre_established=True)


def stands(settings: ServerSettings, beforehand: PreEstablished) -> Accepted:
    """Return what holds of an association that is pre-established. Raises CosemicError where counters fail."""
    agreement = agreed_beforehand(settings, beforehand)
    ciphered = agreement.application_context.ciphered
    context = settings.security_context(settings.client_title, True) if ciphered else None
    if context is not None:
        context.transmit.synchronise()
    room = _room(settings, ciphered, agreement.conformance, beforehand.max_pdu_size)
    return Accepted(None, context, None, agreement, room, beforehand.confirmed)
