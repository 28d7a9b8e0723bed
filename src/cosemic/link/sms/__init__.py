"""Short messages as a medium of APDUs (DLMS/COSEM Annex B; 3GPP TS 23.040, TS 27.005).

:class:`SmsLink` is the short wrapper on a medium of TPDUs; :class:`SmsModemLink` carries it over a modem at a serial
port; :mod:`cosemic.link.sms.tpdu` is the codec of the TPDUs.
"""

from cosemic.link.sms.link import SmsLink
from cosemic.link.sms.modem import SmsModemLink, SmsState, SmsTimes
from cosemic.link.sms.tpdu import Concatenation, Deliver, Submit, UserData, decode_tpdu

__all__ = [
    "Concatenation",
    "Deliver",
    "SmsLink",
    "SmsModemLink",
    "SmsState",
    "SmsTimes",
    "Submit",
    "UserData",
    "decode_tpdu",
]
