"""The cases of security: suite, authentication, form and policy; in each the client reads, writes, acts and releases.

==========================  ==========================================================================================
form                        what protects the services
==========================  ==========================================================================================
plain                       nothing: application context without ciphering
glo, ded                    glo- and ded- APDUs, named after the service
general-glo, general-ded    the same under general-glo-ciphering and general-ded-ciphering
ciphering                   general-ciphering; ``key_info`` says where its key comes from
signing                     general-signing around the plain APDU
glo+signing                 general-signing around a glo- APDU
ciphering+signing           general-signing around general-ciphering: the client signs what it has ciphered
signing+ciphering           general-ciphering around general-signing: the usual order of the standard
third-party                 layers of a third party inside those of the client, which is the broker
==========================  ==========================================================================================

Protection: ``a`` authenticated, ``e`` encrypted, of every request and every answer. Policy: what the meter demands; as
coded by version 0 of the Security setup in suite 0, and by version 1 in the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from interop import meter

NONE, LLS, SECRET, MD5, SHA1, GMAC, SHA256, ECDSA = range(8)
MECHANISMS: Final = {
    NONE: "none",
    LLS: "lls",
    SECRET: "hls",
    MD5: "hls-md5",
    SHA1: "hls-sha1",
    GMAC: "hls-gmac",
    SHA256: "hls-sha256",
    ECDSA: "hls-ecdsa",
}
PLAIN: Final = "plain"
SPECIFIC, GENERAL = ("glo", "ded"), ("general-glo", "general-ded")
LAYERED: Final = ("ciphering", "signing", "glo+signing", "ciphering+signing", "signing+ciphering", "third-party")
KEY_INFOS: Final = ("absent", "identified", "wrapped", "one-pass", "static")
"""Where the key of general-ciphering comes from; the last two in suites 1 and 2 alone."""
AGREED: Final = ("one-pass", "static")


@dataclass(frozen=True)
class Case:
    """One association. policy: of the meter, as ``protection``; ``s`` for signed. extra: what is special."""

    suite: int
    mechanism: int
    form: str = PLAIN
    protection: str = ""
    key_info: str = ""
    policy: str = ""
    extra: str = ""

    @property
    def name(self) -> str:
        """How it is called in the table."""
        parts = [f"suite-{self.suite}", MECHANISMS[self.mechanism], self.form, self.protection, self.key_info]
        if self.policy != self.protection:
            parts.append(f"policy-{self.policy or 'none'}")
        return "/".join(part for part in (*parts, self.extra) if part)

    @property
    def ciphered(self) -> bool:
        """Whether the application context is one with ciphering."""
        return self.form != PLAIN

    @property
    def dedicated(self) -> bool:
        """Whether the client brings a dedicated key."""
        return self.form.endswith("ded")

    @property
    def layered(self) -> bool:
        """Whether there is general-ciphering or general-signing."""
        return self.form in LAYERED

    @property
    def signed(self) -> bool:
        """Whether there is general-signing."""
        return "signing" in self.form or self.form == "third-party"

    @property
    def association(self) -> meter.Association:
        """As the other clients and servers of the matrix name it."""
        return meter.Association(self.name, 1, self.mechanism, ciphered=self.ciphered, manages=True)


def _in_suite(suite: int) -> list[Case]:
    """What there is without layers."""
    mechanisms = range(ECDSA + 1 if suite else ECDSA)
    # Mechanisms below 5 know neither keys nor suites: once, as those of suite 0.
    made = [Case(suite, one) for one in mechanisms if not suite or one in (GMAC, ECDSA)]
    for one in mechanisms:
        made += [Case(suite, one, "glo", protection, policy=protection) for protection in ("a", "e", "ae")]
        made += [Case(suite, one, form, "ae", policy="ae") for form in (*SPECIFIC[1:], *GENERAL)]
    strongest = ECDSA if suite else GMAC
    made += [Case(suite, strongest, "general-glo", protection, policy=protection) for protection in ("a", "e")]
    made += [Case(suite, strongest, "glo", "ae", policy=policy) for policy in ("", "a", "e")]
    return made


def _layered(suite: int) -> list[Case]:
    strongest = ECDSA if suite else GMAC
    infos = KEY_INFOS if suite else tuple(one for one in KEY_INFOS if one not in AGREED)
    made = [Case(suite, strongest, "ciphering", "ae", info, "ae") for info in infos]
    made += [Case(suite, strongest, "ciphering", protection, "identified", protection) for protection in ("a", "e")]
    if suite:
        made.append(Case(suite, strongest, "signing", "", policy="s"))
        made.append(Case(suite, strongest, "glo+signing", "ae", policy="aes"))
        for form in ("ciphering+signing", "signing+ciphering"):
            made += [Case(suite, strongest, form, "ae", info, "aes") for info in infos]
        made += [Case(suite, strongest, "third-party", "ae", info, "ae") for info in AGREED]
    return made


MATRIX: Final = tuple(case for suite in range(3) for case in (*_in_suite(suite), *_layered(suite)))
COMPRESSED: Final = tuple(
    Case(suite, ECDSA, form, "ae", "identified" if form == "ciphering" else "", "ae", "compressed")
    for suite in (1, 2)
    for form in ("general-glo", "ciphering")
)
