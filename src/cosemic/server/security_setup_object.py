"""Security setup as an object of the device (class 64, versions 0 and 1; IEC 62056-6-2, 5.3; reference, security 12).

It keeps keys and policy of the associations that name it (:mod:`cosemic.server.security_keys`), and in version 1 the
certificates that the device is configured with. A method that is refused has changed nothing; its answer still has the
protection of the request, and what it has changed holds from the next request on.

=============================  ========================================================================
method                         served
=============================  ========================================================================
security_activate              always: the policy can be made stronger, as the version codes it
(global_)key_transfer          always, authenticated: keys wrapped under the master key of before the call
key_agreement                  version 1, authenticated, with a signing key and where those of clients are known
generate_key_pair ... remove   version 1, where the device has a certificate store
=============================  ========================================================================

Whatever is wrong with a key, signature or certificate is ``other-reason``, and no more is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from cosemic.errors import ConfigurationError, CosemicError, StoreError
from cosemic.model import SecuritySetup, SecuritySetupVersion0
from cosemic.model.interface_class import InterfaceClass
from cosemic.model.security_setup import (
    CertificateByEntity,
    CertificateIdentification,
    CertificateType,
    KeyAgreementData,
    KeyTransferData,
    SecurityPolicyV0,
    SecurityPolicyV1,
    SecuritySuiteV0,
    SecuritySuiteV1,
    SetupKeyId,
)
from cosemic.security import EphemeralAgreement, Protection, PublicKey, SecurityPolicy, SigningKey, unwrap_key
from cosemic.security.certificates import CertificateStore
from cosemic.security.certified_keys import CertifiedSigningKey
from cosemic.server.clients import AdmittedClient
from cosemic.server.kept import are_different, refuse, refuse_unless
from cosemic.server.objects import AccessRefused, CosemObject, Handler, Situation
from cosemic.server.security_certificates import keep, take_up
from cosemic.server.security_keys import SetupKeys
from cosemic.values import DataAccessResult, Obis, Secret

T = TypeVar("T")
_NO_TITLE: Final = bytes(8)
_MOST_KEYS: Final = len(SetupKeyId)
_ENTRY: Final = 8
"""Octets of an answer of key_agreement beside what is agreed."""
_ENVELOPE: Final = 64
"""Octets around the answers, with ciphering."""
_UNLIMITED: Final = 0xFFFF


class SecuritySetupObject(CosemObject):
    """The Security setup of a client; others with the same keys may join. Its version is that of the security policy.

    tell: told what happens, as :meth:`~cosemic.server.logical_device.LogicalDevice.tell` is. certificates: those of the
    device, and its key pairs; version 1.

    Raises ConfigurationError where the association has no keys, for a policy of version 0 in suite 1 or 2, and for
    certificates that belong to another suite, system title or version.
    """

    def __init__(
        self,
        client: AdmittedClient,
        instance_id: Obis,
        *,
        tell: Callable[..., None] = lambda name, at, **details: None,
        certificates: CertificateStore | None = None,
    ) -> None:
        self._tell = tell
        self._keys = keys = SetupKeys(client, instance_id)
        self._certificates = certificates
        suite, version = keys.material.suite.id, keys.policy.version
        if version == 0 and suite:
            raise ConfigurationError(f"a Security setup of security suite {suite} has version 1: give such a policy")
        if certificates is not None:
            self._check(certificates)
            self._sign_with(certificates)
        values: dict[str, Any] = {
            "security_policy": lambda now: (SecurityPolicyV1 if version else SecurityPolicyV0)(keys.policy.value),
            "security_suite": (SecuritySuiteV1 if version else SecuritySuiteV0)(suite),
            "client_system_title": lambda now: self._last_title(),
            "server_system_title": keys.settings.system_title,
        }
        if version:
            values["certificates"] = lambda now: () if certificates is None else tuple(certificates.rows())
        interface: InterfaceClass = (SecuritySetup if version else SecuritySetupVersion0)(instance_id)
        super().__init__(interface, values, methods=self._served(version))

    def join(self, client: AdmittedClient) -> None:
        """Keep the keys of another client too. Raises ConfigurationError where they are others."""
        self._keys.join(client)
        if self._certificates is not None:
            self._sign_with(self._certificates)

    def restore(self) -> None:
        """Take up what was kept. Raises StoreError."""
        super().restore()
        self._keys.restore(self.memory)
        if self._certificates is not None:
            take_up(self._certificates, self._keys.sealed, self.memory)
            self._present(self._certificates)

    def _check(self, store: CertificateStore) -> None:
        keys = self._keys
        if not keys.policy.version:
            raise ConfigurationError("a Security setup with certificates has version 1: give such a policy")
        if store.suite != keys.material.suite or store.system_title != keys.settings.system_title:
            raise ConfigurationError("the certificate store belongs to another security suite or system title")

    def _served(self, version: int) -> Mapping[str, Handler]:
        methods: dict[str, Handler] = {"security_activate": self._activate}
        methods["key_transfer" if version else "global_key_transfer"] = self._transfer
        settings = self._keys.settings
        if version and (self._certificates or (settings.signing_key and settings.signers)):
            methods["key_agreement"] = self._agree
        if self._certificates is not None:
            methods |= {
                "generate_key_pair": self._changing(lambda store, use, at: store.generate_key_pair(_type(use))),
                "generate_certificate_request": self._asking(lambda store, use: store.certificate_request(_type(use))),
                "import_certificate": self._changing(
                    lambda store, octets, at: store.import_certificate(octets, at.now)
                ),
                "export_certificate": self._asking(lambda store, named: store.export_certificate(_named(named))),
                "remove_certificate": self._changing(lambda store, named, at: store.remove_certificate(_named(named))),
            }
        return methods

    def _last_title(self) -> bytes:
        titles = [client.last_title for client in self._keys.clients if client.last_title]
        return titles[0] if titles else _NO_TITLE

    # ---- policy and keys --------------------------------------------------------------------------------------------

    def _activate(self, value: int, situation: Situation) -> None:
        def activate() -> None:
            policy = SecurityPolicy(self._keys.policy.version, int(value))
            refuse_unless(self._keys.policy.may_become(policy))
            self._keys.activate(policy)

        _done(activate)

    def _transfer(self, entries: Sequence[KeyTransferData], situation: Situation) -> None:
        _need_authentication(situation)
        suite, kek = self._keys.material.suite, self._keys.material.kek
        wrapped = _by_key([(each.key_id, each.key_wrapped) for each in entries])
        if kek is None:
            refuse()

        def transfer() -> None:
            self._install({key_id: unwrap_key(kek, octets, suite) for key_id, octets in wrapped.items()}, situation)

        _done(transfer)

    def _agree(self, entries: Sequence[KeyAgreementData], situation: Situation) -> tuple[KeyAgreementData, ...]:
        _need_authentication(situation)
        offered = _by_key([(each.key_id, each.key_data) for each in entries])
        agreed = situation.agreement
        title = None if agreed is None else agreed.client_title
        if title is None or agreed is None:
            refuse()
        length = self._keys.material.suite.public_key_length + self._keys.material.suite.signature_length
        # Further blocks of the answer would be asked for under the old keys, and by then the new ones hold.
        room = agreed.max_send_pdu_size or _UNLIMITED
        refuse_unless(len(offered) * (length + _ENTRY) + _ENVELOPE <= room)

        def agree() -> tuple[KeyAgreementData, ...]:
            settings = self._keys.settings
            agreement = EphemeralAgreement(
                self._signing_key(),
                self._signer(title, situation),
                title,
                settings.system_title,
                suite=self._keys.material.suite,
                dialect=settings.dialect,
            )
            answers, keys = agreement.answer_all([(key_id.value, octets) for key_id, octets in offered.items()])
            fresh = {SetupKeyId(key_id): Secret(key.reveal(), "agreed key") for key_id, key in keys.items()}
            self._install(fresh, situation)
            return tuple(KeyAgreementData(SetupKeyId(key_id), octets) for key_id, octets in answers)

        return _done(agree)

    def _install(self, keys: Mapping[SetupKeyId, Secret], situation: Situation) -> None:
        self._keys.install(keys)
        for key_id in keys:
            self._tell("global-key-changed", situation.now, key=key_id.label, client_sap=situation.client_sap)

    def _signing_key(self) -> SigningKey:
        if self._certificates is not None:
            return self._certificates.signing_key()
        key = self._keys.settings.signing_key
        if key is None:
            refuse()
        return key

    def _signer(self, title: bytes, situation: Situation) -> PublicKey:
        """The key with which a client signs: by its certificate, where the device has such."""
        if self._certificates is not None:
            return self._certificates.trusted(title, CertificateType.DIGITAL_SIGNATURE, situation.now).public_key
        signers = self._keys.settings.signers
        if signers is None:
            refuse()
        return signers.signer(title)

    # ---- certificates -----------------------------------------------------------------------------------------------

    def _asking(self, ask: Callable[[CertificateStore, Any], bytes]) -> Handler:
        """Return a method that gives something out."""
        store = self._certificates
        assert store is not None
        return lambda parameter, situation: _done(lambda: ask(store, parameter))

    def _changing(self, change: Callable[[CertificateStore, Any, Situation], object]) -> Handler:
        """Return a method that changes what is held, and keeps it."""
        store = self._certificates
        assert store is not None

        def method(parameter: Any, situation: Situation) -> None:
            _done(lambda: change(store, parameter, situation))
            keep(store, self._keys.sealed, self.memory)
            self._present(store)

        return method

    def _sign_with(self, store: CertificateStore) -> None:
        """Have associations sign with the key whose certificate serves at the time."""
        for client in self._keys.clients:
            key = client.settings.signing_key
            if key is not None and not isinstance(key, CertifiedSigningKey):
                certified = CertifiedSigningKey(store, key.public)
                client.settings = replace(client.settings, signing_key=certified)

    def _present(self, store: CertificateStore) -> None:
        """Have AAREs bring the certificate that serves, where they bring one."""
        try:
            octets = store.own_certificate(CertificateType.DIGITAL_SIGNATURE).octets
        except CosemicError:
            return
        for client in self._keys.clients:
            if client.settings.certificate not in (None, octets):
                client.settings = replace(client.settings, certificate=octets)


def security_setup(
    client: AdmittedClient, instance_id: Obis, tell: Callable[..., None] = lambda name, at, **details: None
) -> SecuritySetupObject:
    """Return the Security setup of a client with the certificates of its admission; see SecuritySetupObject."""
    return SecuritySetupObject(client, instance_id, tell=tell, certificates=client.admission.certificates)


def _need_authentication(situation: Situation) -> None:
    """Refuse a request for keys that is not authenticated: a recorded one would bring back the keys of then, or others.

    Neither a wrapped key nor an offer says when it was made; the invocation counter of the request does. What another
    object of the device asks for, such as a script, was told it at some time before.
    """
    if situation.access is None or not situation.access.applied & Protection.AUTHENTICATED:
        raise AccessRefused(DataAccessResult.READ_WRITE_DENIED)


def _by_key(entries: Sequence[tuple[SetupKeyId | int, bytes]]) -> dict[SetupKeyId, bytes]:
    """Return entries by key, each once. Raises AccessRefused for none, too many and unknown ones."""
    refuse_unless(0 < len(entries) <= _MOST_KEYS and are_different(key_id for key_id, _ in entries))
    found = {}
    for key_id, octets in entries:
        if not isinstance(key_id, SetupKeyId):
            refuse()
        found[key_id] = octets
    return found


def _type(use: int) -> CertificateType:
    if use not in (0, 1, 2):
        refuse()
    return CertificateType(int(use))


def _named(named: CertificateIdentification) -> CertificateIdentification:
    """Refuse a way of naming that does not go with its options."""
    by_entity = isinstance(named.certification_identification_options, CertificateByEntity)
    refuse_unless(named.certificate_identification_type == (0 if by_entity else 1))
    return named


def _done(what: Callable[[], T]) -> T:
    """Do what keys, signatures or certificates may forbid. Raises AccessRefused, StoreError."""
    try:
        return what()
    except StoreError:
        raise
    except CosemicError:
        refuse()
