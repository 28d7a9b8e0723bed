"""One layer of general-signing (Green Book 9.2.7.2.5; reference, security 5.4).

::

    signed      META | length content | content         transaction-id to content, without tag and signature

The length octets of the content are signed or not as the dialect has it; those of META always are.
"""

from __future__ import annotations

from cosemic.codec.length import encode_length
from cosemic.dialect import STANDARD, Dialect, GeneralSigningTbs
from cosemic.security.elliptic import PublicKey, SigningKey
from cosemic.security.general.layout import GENERAL_SIGNING, GeneralHeader, SigningParts
from cosemic.security.signatures import verify


def seal_signing(signing_key: SigningKey, header: GeneralHeader, content: bytes, dialect: Dialect = STANDARD) -> bytes:
    """Return the general-signing APDU around an APDU."""
    meta = header.encode()
    sized = encode_length(len(content)) + content
    signature = signing_key.sign(_to_be_signed(meta, content, sized, dialect))
    return bytes((GENERAL_SIGNING,)) + meta + sized + encode_length(len(signature)) + signature


def verify_signing(parts: SigningParts, signer: PublicKey, dialect: Dialect = STANDARD) -> None:
    """Return when the signature is that of ``signer``. Raises SignatureInvalid, for an empty one too."""
    verify(signer, _to_be_signed(parts.meta, parts.content, parts.sized_content, dialect), parts.signature)


def _to_be_signed(meta: bytes, content: bytes, sized_content: bytes, dialect: Dialect) -> bytes:
    with_length = dialect.general_signing_tbs is GeneralSigningTbs.WITH_CONTENT_LENGTH
    return meta + (sized_content if with_length else content)
