"""The Security setup of a meter: policy, keys, certificates (class 64, versions 0 and 1; IEC 62056-6-2, 5.3).

Keys are changed so that the meter is not lost when an answer is: :meth:`SecurityProcedures.change_keys`, whose rules
are those of :mod:`cosemic.client.procedures.key_change`. A meter in doubt is recovered when it is connected with its
keeper: ``Meter.connect(url, security, keeper=keeper)``.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from cosemic.association.client_layers import applied_by
from cosemic.association.requests import Opened
from cosemic.association.settings import ClientSettings
from cosemic.client.faces import AsyncGroup, BlockingGroup, ProcedureGroup, asynchronously, blocking
from cosemic.client.procedures.changing import called
from cosemic.client.procedures.key_change import (
    ASSOCIATION_KEYS,
    check_provable,
    check_sendable,
    current_material,
    fresh_keys,
    material_of,
    settled,
    use_fresh,
    with_keys,
)
from cosemic.client.procedures.named_certificates import Which, by_serial, check_named, check_request, named
from cosemic.client.procedures.reading import as_viewed, read_as, title_of
from cosemic.client.steps import Procedure
from cosemic.errors import (
    ActionFailed,
    ChangeNotMade,
    ConfigurationError,
    CosemicError,
    DecodeError,
    OutcomeUnknown,
    SecurityError,
    StoreError,
)
from cosemic.model import MethodReference, SecuritySetup, SecuritySetupVersion0
from cosemic.model.security_setup import (
    CertificateInfo,
    KeyAgreementData,
    KeyPair,
    KeyTransferData,
    SecurityPolicyV1,
    SetupKeyId,
)
from cosemic.security import EphemeralAgreement, Protection, SecurityPolicy, SecuritySuite, security_suite, wrap_key
from cosemic.security.certificates import Certificate, CertificateRequest
from cosemic.security.key_keeper import KeyKeeper, Keys, KeyState
from cosemic.security.keys import Key
from cosemic.values import Obis, Secret

SECURITY_SETUP: Final = Obis("0-0:43.0.0")
__all__ = [
    "AsyncSecurity", "BlockingSecurity", "KeyChange", "SecurityProcedures", "SecurityState", "Which", "by_serial",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class SecurityState:
    """What a Security setup shows. Titles: 8 octets, that of the client is the last one that was associated."""

    policy: SecurityPolicy
    suite: SecuritySuite
    client_system_title: bytes
    server_system_title: bytes


@dataclass(frozen=True, slots=True)
class _Shown:
    security_policy: int
    security_suite: int
    client_system_title: bytes
    server_system_title: bytes


@dataclass(frozen=True, slots=True)
class KeyChange:
    """A key change that is settled. made: the meter has the new keys; key_ids: those that were to be changed."""

    made: bool
    key_ids: tuple[SetupKeyId, ...]


class SecurityProcedures(ProcedureGroup):
    """Security setup of a meter; ``obis``: that of the association, where there are several."""

    # ---- policy -----------------------------------------------------------------------------------------------------

    def state(self, *, obis: Obis | str = SECURITY_SETUP) -> Procedure[SecurityState]:
        """Read policy, suite and system titles. Raises DataAccessError, DecodeError for what the class does not have.

        Security setup, IEC 62056-6-2, 5.3.
        """
        setup = yield from as_viewed(self.session, _Setup, obis)
        return (yield from self._state(setup))

    def _state(self, setup: SecuritySetup | SecuritySetupVersion0) -> Procedure[SecurityState]:
        shown = yield from read_as(self.session, _Shown, setup)
        try:
            suite = security_suite(int(shown.security_suite))
        except ConfigurationError as error:
            raise DecodeError(str(error)) from None
        policy = SecurityPolicy(setup.version, int(shown.security_policy))
        return SecurityState(policy, suite, shown.client_system_title, shown.server_system_title)

    def activate(self, policy: SecurityPolicy, *, obis: Obis | str = SECURITY_SETUP) -> Procedure[None]:
        """Make the security policy stronger, in the coding of the meter's version; it cannot be made weaker again.

        Raises ConfigurationError, before anything is sent, for the coding of another version and for a policy that the
        own association does not fulfil, since it would shut us out; ActionFailed where the meter refuses;
        ChangeNotMade, OutcomeUnknown where no answer came. security_activate, IEC 62056-6-2, 5.3.
        """
        setup = yield from as_viewed(self.session, _Setup, obis)
        if policy.version != setup.version:
            raise ConfigurationError(
                f"the Security setup of this meter has version {setup.version}: give a policy in that coding"
            )
        settings = self.session.settings
        applied = settings.protection if settings.ciphered else Protection.NONE
        if settings.layers is not None:
            applied = applied_by(settings.layers) | (applied if settings.sealed_inside else Protection.NONE)
        if policy.requires.request & ~applied:
            raise ConfigurationError(
                "our own requests are not protected as this policy demands, and the meter would refuse them: open it "
                "with that protection first"
            )
        if not _can_take(settings, title_of(self.session), policy.requires.response):
            raise ConfigurationError(
                "answers that are protected as this policy demands cannot be read here: open the meter with ciphering; "
                "for signed answers with layers too, and with the public key or certificate by which it signs"
            )

        def made() -> Procedure[bool]:
            return (yield from self._state(setup)).policy == policy

        value: Any = SecurityPolicyV1(policy.value) if policy.version else policy.value
        method: MethodReference[Any, None] = setup.security_activate
        yield from called(self.session, method, value, made)

    # ---- keys -------------------------------------------------------------------------------------------------------

    def change_keys(
        self,
        keeper: KeyKeeper,
        keys: Collection[SetupKeyId] | Keys = ASSOCIATION_KEYS,
        *,
        obis: Obis | str = SECURITY_SETUP,
    ) -> Procedure[KeyChange]:
        """Give the meter new keys, wrapped under its master key, prove that it uses them, and keep them as current.

        keeper: keeps the keys of this meter, the master key among them. keys: which ones are drawn anew, or the new
        keys; with broadcast or master key one of the association has to be changed. Afterwards the association stands
        under the new keys. A change that was interrupted before is settled first.

        Raises ConfigurationError, before anything is sent, for what cannot be proved or kept; ActionFailed where the
        meter refuses, ChangeNotMade where it has the old keys all the same: nothing is pending then. OutcomeUnknown
        where neither new nor old keys can be proved: both are kept, connect with the keeper again. StoreError.
        key_transfer, IEC 62056-6-2, 5.3.
        """
        yield from self.recover_keys(keeper)
        check_sendable(self.session, [SetupKeyId(key_id) for key_id in keys])
        fresh = fresh_keys(self.session, keeper, keys)
        material = current_material(self.session, keeper)
        if material != material_of(self.session):
            self.session.use_keys(material)
            yield from self.session.open()
        method, parameter = yield from self._transfer(fresh, material.kek, obis)
        yield from self.session.standing()  # what keeps it from that is no doubt about the keys
        keeper.propose(fresh)
        failed: CosemicError | None = None
        try:
            yield from self.session.call(method, parameter)
        except CosemicError as error:
            failed = error
        likely = failed is None or isinstance(failed, OutcomeUnknown)
        made = yield from settled(self.session, keeper, pending_first=likely)
        if made:
            return KeyChange(True, tuple(fresh))
        if isinstance(failed, ActionFailed):
            raise failed
        what = failed or "the meter said that they were changed"
        raise ChangeNotMade(f"{method}: the meter goes on with the old keys ({what}); change them again") from failed

    def recover_keys(self, keeper: KeyKeeper) -> Procedure[KeyChange]:
        """Settle a key change that was interrupted: find out by proof which keys the meter has, and keep that.

        Without one nothing is done. Raises OutcomeUnknown where neither keys can be proved, StoreError.
        """
        pending = tuple(keeper.keys(KeyState.PENDING))
        if not pending:
            return KeyChange(False, ())
        check_provable(self.session)
        return KeyChange((yield from settled(self.session, keeper)), pending)

    def open_with(self, keeper: KeyKeeper) -> Procedure[Opened]:
        """Open the meter with the keys that are kept of it; one whose keys are in doubt is recovered."""
        self.session.use_keys(current_material(self.session, keeper))
        yield from self.recover_keys(keeper)
        if self.session.opened is None:
            return (yield from self.session.open())
        return self.session.opened

    def transfer_keys(self, keys: Keys, kek: Secret, *, obis: Obis | str = SECURITY_SETUP) -> Procedure[None]:
        """Give the meter keys wrapped under ``kek``, and use them from then on. Nobody keeps them: see change_keys.

        Raises ConfigurationError for keys of another length, ActionFailed; OutcomeUnknown where no answer came: the
        meter has either all of these keys, or those before. key_transfer, IEC 62056-6-2, 5.3.
        """
        method, parameter = yield from self._transfer(keys, Key(kek), obis)
        yield from self.session.call(method, parameter)
        yield from self._use(keys)

    def _transfer(
        self, keys: Keys, kek: Key | None, obis: Obis | str
    ) -> Procedure[tuple[MethodReference[Any, None], tuple[KeyTransferData, ...]]]:
        if kek is None:
            raise ConfigurationError("keys are wrapped under the master key of the meter, which is not known: give it")
        suite = material_of(self.session).suite
        wrapped = tuple(KeyTransferData(key_id, wrap_key(kek, secret, suite)) for key_id, secret in keys.items())
        setup = yield from as_viewed(self.session, _Setup, obis)
        if isinstance(setup, SecuritySetupVersion0):
            return setup.global_key_transfer, wrapped
        return setup.key_transfer, wrapped

    def agree_keys(
        self,
        key_ids: Collection[SetupKeyId] = (SetupKeyId.MASTER_KEY,),
        *,
        keeper: KeyKeeper | None = None,
        obis: Obis | str = SECURITY_SETUP,
    ) -> Procedure[dict[SetupKeyId, Secret]]:
        """Agree on keys with the meter by C(2e,0s), use them from then on, and return them: they are to be kept.

        Needs ``signing_key`` and ``signers`` in the security settings. keeper: keeps the keys of this meter; they are
        pending as soon as the answer has come, and current once the association stands under them. A change that was
        interrupted before is settled first. None: they are returned though the association could not be opened anew
        under them, and what is asked next says why. Where the answer is lost, nobody knows the key that the meter has:
        agree on the master key, and change the keys of the association under that.

        Raises ConfigurationError, ActionFailed; SecurityError for an answer that is not that meter's: the meter has
        other keys by then; OutcomeUnknown where no answer came; StoreError. key_agreement, IEC 62056-6-2, 5.3.
        """
        if keeper is not None:
            yield from self.recover_keys(keeper)
        settings, suite = self.session.settings, material_of(self.session).suite
        if settings.signing_key is None or settings.signers is None:
            raise ConfigurationError("keys are agreed on with signatures: give signing_key and the meter's public key")
        yield from self.session.standing()
        title = title_of(self.session)
        if title is None:
            raise ConfigurationError("keys are agreed on between system titles: give server_title")
        peer = settings.signers.signer(title)
        own = settings.system_title
        agreement = EphemeralAgreement(settings.signing_key, peer, own, title, suite=suite, dialect=settings.dialect)
        offers = tuple(KeyAgreementData(SetupKeyId(key_id), agreement.offer(int(key_id))) for key_id in key_ids)
        answers = yield from self.session.call(SecuritySetup(obis).key_agreement, offers)
        try:
            agreed = agreement.accept_all([(int(each.key_id), each.key_data) for each in answers])
            keys = {SetupKeyId(key_id): Secret(key.reveal(), "agreed key") for key_id, key in agreed.items()}
            if keeper is not None:
                keeper.propose(keys)
        except (SecurityError, DecodeError, StoreError) as error:
            error.add_note("the meter has changed these keys; none of them is kept here: agree on them again")
            raise
        if keeper is None:
            with suppress(CosemicError):  # nobody else has these keys
                yield from self._use(keys)
            return keys
        yield from self._use(keys)
        keeper.promote()
        return keys

    def _use(self, keys: Keys) -> Procedure[None]:
        """Go on with keys that the meter has; the association is opened anew where they are its own."""
        use_fresh(self.session, with_keys(material_of(self.session), keys))
        if set(ASSOCIATION_KEYS) & set(keys):
            yield from self.session.open()

    # ---- certificates -----------------------------------------------------------------------------------------------

    def certificates(self, *, obis: Obis | str = SECURITY_SETUP) -> Procedure[tuple[CertificateInfo, ...]]:
        """Read which certificates the meter has; names are DER. Raises DataAccessError. Version 1 of the class."""
        return tuple((yield from self.session.read(SecuritySetup(obis).certificates)))

    def generate_key_pair(self, use: KeyPair, *, obis: Obis | str = SECURITY_SETUP) -> Procedure[None]:
        """Have the meter make a key pair; the one before serves until a certificate for the new one is imported.

        Raises ActionFailed; OutcomeUnknown where no answer came: call again. generate_key_pair, IEC 62056-6-2, 5.3.
        """
        yield from self.session.call(SecuritySetup(obis).generate_key_pair, use)

    def certificate_request(self, use: KeyPair, *, obis: Obis | str = SECURITY_SETUP) -> Procedure[CertificateRequest]:
        """Have the meter ask for a certificate for its newest key pair; ``octets`` of the request are for the CA.

        Raises ActionFailed; CertificateError for a request that is broken, for another use, or in the name of somebody
        else than this meter; OutcomeUnknown where no answer came: call again. generate_certificate_request,
        IEC 62056-6-2, 5.3.
        """
        octets = yield from self.session.call(SecuritySetup(obis).generate_certificate_request, use)
        request = CertificateRequest(octets)
        check_request(request, use, title_of(self.session))
        return request

    def import_certificate(self, certificate: Certificate, *, obis: Obis | str = SECURITY_SETUP) -> Procedure[None]:
        """Give the meter a certificate; its own one has the key pair serve that it was requested for.

        Raises ActionFailed; ChangeNotMade, OutcomeUnknown where no answer came. import_certificate, IEC 62056-6-2, 5.3.
        """

        def made() -> Procedure[bool]:
            return (yield from self._has(certificate, obis))

        yield from called(self.session, SecuritySetup(obis).import_certificate, certificate.octets, made)

    def export_certificate(self, which: Which, *, obis: Obis | str = SECURITY_SETUP) -> Procedure[Certificate]:
        """Read a certificate of the meter; :func:`by_serial` names one of which a row or the certificate is at hand.

        Who vouches for it is not looked at. Raises ActionFailed; CertificateError for one that is broken, or is not the
        one that was named; OutcomeUnknown where no answer came: call again. export_certificate, IEC 62056-6-2, 5.3.
        """
        octets = yield from self.session.call(SecuritySetup(obis).export_certificate, named(which))
        certificate = Certificate.of(octets)
        check_named(certificate, which)
        return certificate

    def remove_certificate(self, which: Which, *, obis: Obis | str = SECURITY_SETUP) -> Procedure[None]:
        """Have the meter remove a certificate; with one of its own the private key is destroyed.

        Raises ActionFailed; OutcomeUnknown where no answer came: see :meth:`certificates`. remove_certificate,
        IEC 62056-6-2, 5.3.
        """
        yield from self.session.call(SecuritySetup(obis).remove_certificate, named(which))

    def _has(self, certificate: Certificate, obis: Obis | str) -> Procedure[bool]:
        rows = yield from self.certificates(obis=obis)
        magnitude = certificate.serial_octets[2:].lstrip(b"\0")
        serials = (certificate.serial_octets, magnitude)
        return any(row.issuer == certificate.issuer and row.serial_number in serials for row in rows)


_Setup: Any = SecuritySetup
"""Any version of the class, as the view of the association says."""


def _can_take(settings: ClientSettings, title: bytes | None, protection: Protection) -> bool:
    """Whether answers with a protection reach us: signed ones come to requests in layers, and need the meter's key."""
    if not protection & Protection.SIGNED:
        return settings.ciphered or not protection
    if settings.layers is None or settings.parties is None or title is None:
        return False
    return settings.parties.keys.signing_key_of(title) is not None


class AsyncSecurity(AsyncGroup):
    """Security setup of a meter, on asyncio."""

    state = asynchronously(SecurityProcedures.state)
    activate = asynchronously(SecurityProcedures.activate)
    change_keys = asynchronously(SecurityProcedures.change_keys)
    recover_keys = asynchronously(SecurityProcedures.recover_keys)
    transfer_keys = asynchronously(SecurityProcedures.transfer_keys)
    agree_keys = asynchronously(SecurityProcedures.agree_keys)
    certificates = asynchronously(SecurityProcedures.certificates)
    generate_key_pair = asynchronously(SecurityProcedures.generate_key_pair)
    certificate_request = asynchronously(SecurityProcedures.certificate_request)
    import_certificate = asynchronously(SecurityProcedures.import_certificate)
    export_certificate = asynchronously(SecurityProcedures.export_certificate)
    remove_certificate = asynchronously(SecurityProcedures.remove_certificate)


class BlockingSecurity(BlockingGroup):
    """Security setup of a meter, for blocking code."""

    state = blocking(SecurityProcedures.state)
    activate = blocking(SecurityProcedures.activate)
    change_keys = blocking(SecurityProcedures.change_keys)
    recover_keys = blocking(SecurityProcedures.recover_keys)
    transfer_keys = blocking(SecurityProcedures.transfer_keys)
    agree_keys = blocking(SecurityProcedures.agree_keys)
    certificates = blocking(SecurityProcedures.certificates)
    generate_key_pair = blocking(SecurityProcedures.generate_key_pair)
    certificate_request = blocking(SecurityProcedures.certificate_request)
    import_certificate = blocking(SecurityProcedures.import_certificate)
    export_certificate = blocking(SecurityProcedures.export_certificate)
    remove_certificate = blocking(SecurityProcedures.remove_certificate)
