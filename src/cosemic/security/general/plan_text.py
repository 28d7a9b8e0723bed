"""Layers as text, as settings and commands have them.

::

    layers      layer, or layers with + between: in the order in which they are put around, the innermost first
    layer       sign                    general-signing
                cipher                  general-ciphering, authenticated and encrypted
                authenticate, encrypt   general-ciphering, one of both alone
                WORD:KEY-INFO           of a ciphering layer: where its key comes from
    key-info    absent, global-unicast, global-broadcast, wrapped, one-pass, static

``sign+cipher:one-pass`` is signed first and then enciphered, with a key that is agreed by C(1e,1s). A ciphering layer
that names no key-info takes the first that is permitted of global-unicast, one-pass, static, wrapped and absent.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cosemic.errors import ConfigurationError
from cosemic.security.general.layout import KeyEstablishment
from cosemic.security.general.plan import AUTHENTICATED_AND_ENCRYPTED, SIGNED, Layer, LayerPlan
from cosemic.security.suite import Protection

BETWEEN: Final = "+"
KEY_INFOS: Final = {kind.label: kind for kind in KeyEstablishment}
"""The forms of key-info, by the words that settings use."""
_WORDS: Final = {
    "sign": SIGNED,
    "cipher": AUTHENTICATED_AND_ENCRYPTED,
    "authenticate": Protection.AUTHENTICATED,
    "encrypt": Protection.ENCRYPTED,
}
_MOST: Final = 16
"""Layers of one text."""


def layers_of(text: str | Iterable[str], recipient: bytes) -> LayerPlan:
    """Return the layers that a text stands for, or several texts of one layer each.

    recipient: system title of the party that they are for, 8 octets. Raises ConfigurationError, which says what can
    stand there.
    """
    words = text.split(BETWEEN) if isinstance(text, str) else list(text)
    if not 1 <= len(words) <= _MOST:
        raise ConfigurationError(f"layers are 1 to {_MOST}: sign+cipher, cipher:one-pass+sign ...")
    return LayerPlan(tuple(_layer(word, recipient) for word in reversed(words)))


def key_info_of(word: object) -> KeyEstablishment:
    """Return the form of key-info of that name. Raises ConfigurationError."""
    found = KEY_INFOS.get(word.strip()) if isinstance(word, str) else None
    if found is None:
        raise ConfigurationError(f"a key-info is one of {', '.join(KEY_INFOS)}, not {_quoted(word)}")
    return found


def text_of(plan: LayerPlan) -> str:
    """Return the text that stands for layers; what it has no words for, such as recipients, is left out."""
    names = {protection: word for word, protection in _WORDS.items()}
    of_kinds = {kind: word for word, kind in KEY_INFOS.items()}
    parts = []
    for layer in reversed(plan.layers):
        word = names.get(layer.protection, "cipher")
        parts.append(word if layer.key_info is None else f"{word}:{of_kinds[layer.key_info]}")
    return BETWEEN.join(parts)


def _layer(word: object, recipient: bytes) -> Layer:
    kind, colon, source = word.strip().partition(":") if isinstance(word, str) else ("", "", "")
    protection = _WORDS.get(kind)
    if protection is None:
        raise ConfigurationError(
            f"a layer is one of {', '.join(_WORDS)}, not {_quoted(word)}; with + between, the innermost first: "
            "sign+cipher:one-pass"
        )
    if colon and protection == SIGNED:
        raise ConfigurationError("a signed layer has no key-info: write it as sign, and that of a ciphering behind it")
    return Layer(recipient=recipient, protection=protection, key_info=key_info_of(source) if colon else None)


def _quoted(word: object) -> str:
    return repr(word[:40]) if isinstance(word, str) else f"a {type(word).__name__}"
