"""Modems that are commanded with AT (Hayes, ITU-T V.250), as a physical layer below links (IEC 62056-42).

:class:`ModemLink` dials a meter, :class:`AnsweringModemLink` is the modem of a meter. The identification service of
IEC 62056-42, by which the called side may be asked for its protocols, is optional and not used.
"""

from cosemic.link.modem.answering import AnsweringModemLink
from cosemic.link.modem.dialling import ModemLink
from cosemic.link.modem.driver import ModemTimes, State

__all__ = ["AnsweringModemLink", "ModemLink", "ModemTimes", "State"]
