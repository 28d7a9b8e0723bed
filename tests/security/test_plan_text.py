"""Layers as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import ConfigurationError
from cosemic.security import Protection
from cosemic.security.general import KeyEstablishment, Layer, LayerPlan, layers_of
from cosemic.security.general.plan_text import KEY_INFOS, text_of
from tests.effort import examples

SERVER = b"MMM00001"
A, E, S = Protection.AUTHENTICATED, Protection.ENCRYPTED, Protection.SIGNED
K = KeyEstablishment


def layer(protection: Protection, key_info: KeyEstablishment | None = None) -> Layer:
    return Layer(recipient=SERVER, protection=protection, key_info=key_info)


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("sign", (layer(S),)),
        ("cipher", (layer(A | E),)),
        ("sign+cipher:one-pass", (layer(A | E, K.ONE_PASS), layer(S))),
        (["sign", "cipher:one-pass"], (layer(A | E, K.ONE_PASS), layer(S))),
        (" authenticate:global-unicast + encrypt:wrapped ", (layer(E, K.WRAPPED), layer(A, K.GLOBAL_UNICAST))),
        ("cipher:static+sign", (layer(S), layer(A | E, K.STATIC))),
        ("cipher:absent", (layer(A | E, K.ABSENT),)),
    ],
)
def test_the_innermost_layer_is_named_first(text: str | list[str], layers: tuple[Layer, ...]) -> None:
    assert layers_of(text, SERVER) == LayerPlan(layers)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "a layer is one of sign, cipher, authenticate, encrypt"),
        ("seal", "not 'seal'"),
        ("sign++cipher", "a layer is one of"),
        ("sign:static", "a signed layer has no key-info"),
        ("cipher:rsa", "a key-info is one of absent, global-unicast, global-broadcast, wrapped, one-pass, static"),
        ("cipher:", "a key-info is one of"),
        ("Sign", "not 'Sign'"),
        ([], "layers are 1 to 16"),
        (["sign"] * 17, "layers are 1 to 16"),
        ("+".join(["sign"] * 17), "layers are 1 to 16"),
        ([7], "not a int"),
        ("x" * 10_000, "not 'x{40}'"),
    ],
)
def test_what_cannot_be_is_said(text: str | list[str], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        layers_of(text, SERVER)


WORDS = st.one_of(
    st.just("sign"),
    st.builds(
        lambda word, kind: word + (f":{kind}" if kind else ""),
        st.sampled_from(["cipher", "authenticate", "encrypt"]),
        st.sampled_from(["", *KEY_INFOS]),
    ),
)


@examples(25)
@given(st.lists(WORDS, min_size=1, max_size=16))
def test_text_and_layers_stand_for_each_other(words: list[str]) -> None:
    plan = layers_of("+".join(words), SERVER)
    assert text_of(plan) == "+".join(words)
    assert layers_of(words, SERVER) == plan


@examples(25)
@given(st.text(max_size=40))
def test_any_text_gives_layers_or_says_why_not(text: str) -> None:
    try:
        plan = layers_of(text, SERVER)
    except ConfigurationError:
        return
    assert layers_of(text_of(plan), SERVER) == plan
