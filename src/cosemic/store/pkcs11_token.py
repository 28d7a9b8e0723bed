"""Keys in a PKCS#11 token (a smart card, a hardware security module, SoftHSM). Extra ``pkcs11``.

::

    handle                what the token does                     what is done here
    TokenSigningKey       ECDSA (CKM_ECDSA)                       the hash
    TokenAgreementKey     ECDH (CKM_ECDH1_DERIVE)                 the key derivation: Z leaves the token, as COSEM's
                                                                  derivation is known to few tokens
    TokenWrappingKey      AES key wrap (CKM_AES_KEY_WRAP)         keys that are unwrapped are handed out as secrets
    TokenEncryptionKey    AES-GCM (CKM_AES_GCM) with a given IV   nothing; tokens that draw the IV themselves (FIPS
                                                                  140-3 in approved mode) refuse it
    TokenUnlocker         AES (CKM_AES_ECB) over the salt         the rest of unlocking a key store

Private keys and AES keys never leave the token. A token is used by one thread at a time.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any, Final

from cosemic.errors import ConfigurationError, DecipheringError, DecodeError, StoreError
from cosemic.security.elliptic import CURVES, PublicKey, curve_of
from cosemic.security.key_wrap import FAILED
from cosemic.security.suite import SecuritySuite
from cosemic.store.key_store.derivation import Derivation
from cosemic.transport.lifetime import Closes
from cosemic.values import Secret

GCM_TAG: Final = 16
_OIDS: Final = {"P-256": "1.2.840.10045.3.1.7", "P-384": "1.3.132.0.34"}
_WRAPPED: Final = range(24, 1025, 8)


def _library() -> ModuleType:
    try:
        import pkcs11
    except ImportError:
        raise ConfigurationError('tokens need python-pkcs11: pip install "cosemic[pkcs11]"') from None
    return pkcs11


class Pkcs11Token(Closes):
    """A token, logged in to; one object a token and process.

    library: path of its PKCS#11 module. label: of the token. pin: of its user.

    Raises ConfigurationError for a module, token or PIN that is not right, StoreError where the token fails. Its
    methods raise both, ConfigurationError for a key that is not there.
    """

    def __init__(self, library: str, label: str, pin: Secret) -> None:
        self._pkcs11 = _library()
        self.label: Final = label
        self._lock = threading.RLock()
        self._session: Any = None
        try:
            token = self._pkcs11.lib(library).get_token(token_label=label)
            self._session = token.open(user_pin=pin.reveal().decode("utf-8"), rw=True)
        except (self._pkcs11.exceptions.PinIncorrect, self._pkcs11.exceptions.PinLenRange, UnicodeError):
            raise ConfigurationError(f"the PIN of token {label} is wrong; after some more tries it locks") from None
        except self._pkcs11.exceptions.UserAlreadyLoggedIn:
            raise ConfigurationError(f"token {label} is open in this process: use that one object of it") from None
        except self._pkcs11.exceptions.NoSuchToken:
            raise ConfigurationError(f"{library} has no token {label}") from None
        except (self._pkcs11.exceptions.PKCS11Error, RuntimeError, OSError) as error:
            raise StoreError(f"token {label} of {library} cannot be opened ({type(error).__name__})") from None

    def close(self) -> None:
        """Log out; handles do not work any more."""
        with self._lock:
            if self._session is not None:
                with suppress(self._pkcs11.exceptions.PKCS11Error):
                    self._session.close()
                self._session = None

    def signing_key(self, label: str) -> TokenSigningKey:
        """Return the private key for signatures with that label."""
        return TokenSigningKey(self, *self._pair(label))

    def agreement_key(self, label: str) -> TokenAgreementKey:
        """Return the private key for key agreement with that label."""
        return TokenAgreementKey(self, *self._pair(label))

    def wrapping_key(self, label: str) -> TokenWrappingKey:
        """Return the AES key with that label, for wrapping."""
        return TokenWrappingKey(self, self._find("SECRET_KEY", label))

    def encryption_key(self, label: str) -> TokenEncryptionKey:
        """Return the AES key with that label, for AES-GCM."""
        return TokenEncryptionKey(self, self._find("SECRET_KEY", label))

    def unlocker(self, label: str) -> TokenUnlocker:
        """Return what opens a key store by the AES key with that label."""
        return TokenUnlocker(self, self._find("SECRET_KEY", label))

    def generate_signing_key(self, suite: SecuritySuite, label: str) -> TokenSigningKey:
        """Have the token draw a key pair for signatures, which stays in it."""
        self._generate_pair(suite, label, "SIGN", "VERIFY")
        return self.signing_key(label)

    def generate_agreement_key(self, suite: SecuritySuite, label: str) -> TokenAgreementKey:
        """Have the token draw a key pair for key agreement, which stays in it."""
        self._generate_pair(suite, label, "DERIVE", "DERIVE")
        return self.agreement_key(label)

    def generate_secret_key(self, octets: int, label: str) -> None:
        """Have the token draw an AES key of 16 or 32 octets, which stays in it."""
        with self.working() as session:
            session.generate_key(
                self._pkcs11.KeyType.AES, octets * 8, label=label, store=True,
                template=self._hidden() | self.attributes(WRAP=True, UNWRAP=True, ENCRYPT=True, DECRYPT=True),
            )  # fmt: skip

    @contextmanager
    def working(self) -> Iterator[Any]:
        """Yield the session for this thread alone; what the token complains of becomes a StoreError."""
        with self._lock:
            if self._session is None:
                raise StoreError(f"token {self.label} is closed")
            try:
                yield self._session
            except self._pkcs11.exceptions.PKCS11Error as error:
                raise StoreError(f"token {self.label} refused or failed ({type(error).__name__})") from None

    def attributes(self, **values: Any) -> dict[Any, Any]:
        """Return a template."""
        return {getattr(self._pkcs11.Attribute, name): value for name, value in values.items()}

    def mechanism(self, name: str) -> Any:
        """Return a mechanism."""
        return getattr(self._pkcs11.Mechanism, name)

    @property
    def module(self) -> ModuleType:
        """python-pkcs11."""
        return self._pkcs11

    def _hidden(self) -> dict[Any, Any]:
        return self.attributes(SENSITIVE=True, EXTRACTABLE=False)

    def _generate_pair(self, suite: SecuritySuite, label: str, private: str, public: str) -> None:
        name = curve_of(suite).name
        with self.working() as session:
            parameters = session.create_domain_parameters(
                self._pkcs11.KeyType.EC,
                self.attributes(EC_PARAMS=ec_parameters(_OIDS[name])),
                local=True,
            )
            parameters.generate_keypair(
                mechanism=self.mechanism("EC_KEY_PAIR_GEN"), store=True, label=label,
                private_template=self._hidden() | self.attributes(**{private: True}),
                public_template=self.attributes(**{public: True}),
            )  # fmt: skip

    def _find(self, kind: str, label: str) -> Any:
        object_class = getattr(self._pkcs11.ObjectClass, kind)
        with self.working() as session:
            found = list(
                session.get_objects({self._pkcs11.Attribute.CLASS: object_class, **self.attributes(LABEL=label)})
            )
        if len(found) != 1:
            what = kind.lower().replace("_", " ")
            raise ConfigurationError(f"token {self.label} has {len(found)} objects {what} with label {label}, not one")
        return found[0]

    def _pair(self, label: str) -> tuple[Any, PublicKey]:
        private, public = self._find("PRIVATE_KEY", label), self._find("PUBLIC_KEY", label)
        with self.working():
            parameters, point = bytes(public[self._attribute("EC_PARAMS")]), bytes(public[self._attribute("EC_POINT")])
        for name, oid in _OIDS.items():
            if parameters == ec_parameters(oid):
                curve = CURVES["P-256" if name == "P-256" else "P-384"]
                head = len(point) - 2 * curve.length  # 04, behind tag and length of an OCTET STRING where there is one
                if 0 < head <= 4 and point[head - 1] == 4:
                    try:
                        return private, PublicKey(curve, point[head:])
                    except DecodeError:
                        break
        raise ConfigurationError(f"key {label} of token {self.label} is on neither P-256 nor P-384")

    def _attribute(self, name: str) -> Any:
        return getattr(self._pkcs11.Attribute, name)


def ec_parameters(oid: str) -> bytes:
    """Return CKA_EC_PARAMS of a named curve: its object identifier, DER."""
    from pkcs11.util.ec import encode_named_curve_parameters

    octets: bytes = encode_named_curve_parameters(oid)
    return octets


class _Handle:
    """A key in a token."""

    __slots__ = ("_key", "_token")

    def __init__(self, token: Pkcs11Token, key: Any) -> None:
        self._token = token
        self._key = key

    def __repr__(self) -> str:
        return f"<{type(self).__name__} in token {self._token.label}>"

    def __reduce_ex__(self, protocol: object) -> Any:
        raise TypeError("a key in a token cannot be pickled")


class TokenSigningKey(_Handle):
    """A :class:`~cosemic.security.SigningKey` in a token."""

    __slots__ = ("public",)

    def __init__(self, token: Pkcs11Token, key: Any, public: PublicKey) -> None:
        super().__init__(token, key)
        self.public: Final = public

    def sign(self, data: bytes) -> bytes:
        """Return r || s, 64 or 96 octets. Raises StoreError."""
        curve = self.public.curve
        digest = hashlib.new(curve.hash_name, data).digest()
        with self._token.working():
            signature = bytes(self._key.sign(digest, mechanism=self._token.mechanism("ECDSA")))
        if len(signature) != 2 * curve.length:
            raise StoreError(f"token {self._token.label} gave a signature of {len(signature)} octets")
        return signature


class TokenAgreementKey(_Handle):
    """An :class:`~cosemic.security.AgreementKey` in a token."""

    __slots__ = ("public",)

    def __init__(self, token: Pkcs11Token, key: Any, public: PublicKey) -> None:
        super().__init__(token, key)
        self.public: Final = public

    def exchange(self, peer: PublicKey) -> bytearray:
        """Return Z, 32 or 48 octets, to be wiped. Raises ConfigurationError for another curve, StoreError."""
        curve, token = self.public.curve, self._token
        if peer.curve is not curve:
            raise ConfigurationError(f"keys on {curve.name} and {peer.curve.name} agree on nothing: check the suites")
        module = token.module
        with token.working():
            shared = self._key.derive_key(
                module.KeyType.GENERIC_SECRET, curve.length * 8, mechanism=token.mechanism("ECDH1_DERIVE"),
                mechanism_param=(module.KDF.NULL, None, b"\x04" + peer.octets),
                template=token.attributes(SENSITIVE=False, EXTRACTABLE=True, VALUE_LEN=curve.length),
            )  # fmt: skip
            z = bytearray(shared[module.Attribute.VALUE])
            shared.destroy()
        if len(z) != curve.length:
            raise StoreError(f"token {token.label} gave a common point of {len(z)} octets")
        return z


class TokenWrappingKey(_Handle):
    """An AES key in a token that wraps and unwraps others (RFC 3394), as transport key of shipments too."""

    __slots__ = ()

    def wrap(self, secret: Secret) -> bytes:
        """Return a key wrapped. Raises StoreError, also for one that the token does not take."""
        token, module = self._token, self._token.module
        with token.working() as session:
            key = session.create_object(
                token.attributes(
                    CLASS=module.ObjectClass.SECRET_KEY, KEY_TYPE=module.KeyType.AES, VALUE=secret.reveal(),
                    EXTRACTABLE=True, SENSITIVE=False, TOKEN=False,
                )
            )  # fmt: skip
            try:
                return bytes(self._key.wrap_key(key, mechanism=token.mechanism("AES_KEY_WRAP")))
            finally:
                key.destroy()

    def unwrap(self, wrapped: bytes) -> Secret:
        """Return what was wrapped. Raises DecipheringError, the same for all that can be wrong with it, StoreError."""
        token, module = self._token, self._token.module
        if len(wrapped) not in _WRAPPED:
            raise DecipheringError(FAILED)
        with token.working():
            try:
                key = self._key.unwrap_key(
                    module.ObjectClass.SECRET_KEY, module.KeyType.GENERIC_SECRET, wrapped,
                    mechanism=token.mechanism("AES_KEY_WRAP"),
                    template=token.attributes(SENSITIVE=False, EXTRACTABLE=True),
                )  # fmt: skip
            except (module.WrappedKeyInvalid, module.WrappedKeyLenRange, module.GeneralError, module.FunctionFailed):
                raise DecipheringError(FAILED) from None  # tokens differ in what they call it
            octets = bytes(key[module.Attribute.VALUE])
            key.destroy()
        return Secret(octets)


class TokenEncryptionKey(_Handle):
    """An AES key in a token, for AES-GCM with a given IV of 12 octets and tags of 16."""

    __slots__ = ()

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """Return ciphertext and tag. Never twice with one nonce. Raises StoreError where the token refuses the IV."""
        with self._token.working():
            return bytes(self._key.encrypt(data, **self._gcm(nonce, associated_data)))

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """Return the plaintext. Raises DecipheringError where the tag does not fit, StoreError."""
        token, module = self._token, self._token.module
        if len(data) < GCM_TAG:
            raise DecipheringError("the tag does not fit")
        with token.working():
            try:
                return bytes(self._key.decrypt(data, **self._gcm(nonce, associated_data)))
            except (module.EncryptedDataInvalid, module.EncryptedDataLenRange, module.GeneralError):
                raise DecipheringError("the tag does not fit") from None

    def _gcm(self, nonce: bytes, associated_data: bytes | None) -> dict[str, Any]:
        if len(nonce) != 12:
            raise ConfigurationError(f"an IV has 12 octets, not {len(nonce)}")
        parameters = self._token.module.GCMParams(nonce, associated_data, GCM_TAG * 8)
        return {"mechanism": self._token.mechanism("AES_GCM"), "mechanism_param": parameters}


class TokenUnlocker(_Handle):
    """Opens the slot ``"token"`` of a key store: what it gives comes from an AES key that never leaves the token."""

    slot: Final = "token"
    __slots__ = ()

    def check_new(self) -> None:
        """Nothing to check."""

    def new_derivation(self) -> Derivation:
        """Return the derivation of key files, with a fresh salt."""
        return Derivation.for_key_file()

    def derive(self, derivation: Derivation) -> bytes:
        """Return 32 octets. Raises StoreError."""
        block = hashlib.sha256(b"Cosemic key store, token" + derivation.salt).digest()
        with self._token.working():
            octets = bytes(self._key.encrypt(block, mechanism=self._token.mechanism("AES_ECB")))
        return derivation.derive(Secret(octets, "key of a token"))
