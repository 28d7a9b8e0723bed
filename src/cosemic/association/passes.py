"""Passes 3 and 4 of high level security, as they travel (IEC 62056-5-3, 62056-6-2; reference, application layer 13, 18,
security 6).

::

    logical names   ACTION reply_to_HLS_authentication with f(StoC)                     ->  f(CtoS)
    short names     Read of it with parameterized access, f(StoC)                       ->  f(CtoS)
                    Write of it with f(StoC) -> success, then Read of its name alone    ->  f(CtoS)

With short names a client writes where parameterized-access was not agreed upon; a server takes both.
"""

from __future__ import annotations

from typing import Any, Final

from cosemic import apdu as a
from cosemic.association.exchanges.short_names import read, write
from cosemic.association.requests import INVOKES, Read, Write
from cosemic.association.terms import PARAMETERIZED_ACCESS, READ, WRITE, Exchange, Terms
from cosemic.codec import EncodedData
from cosemic.errors import ProtocolError
from cosemic.security import PublicKey
from cosemic.values import ActionResult, AuthenticationMechanism, DataAccessResult, Obis

CURRENT_ASSOCIATION: Final = Obis(bytes((0, 0, 40, 0, 0, 255)))
REPLY_TO_HLS_AUTHENTICATION: Final = a.CosemMethodDescriptor(15, CURRENT_ASSOCIATION, 1)
VAA_NAME_LN: Final = 0x0007
VAA_NAME_SN: Final = 0xFA00
"""The base_name of the current association (Association SN)."""
REPLY_TO_HLS_AUTHENTICATION_SN: Final = VAA_NAME_SN + 0x58
"""Method 8 of it, in all versions."""
_SAYS_NOTHING: Final = 0x0000
_PASS_4: Final = 8
"""Octets of pass 4 before f(CtoS)."""
_PROOF: Final = 16
_PROOFS: Final = {
    AuthenticationMechanism.HLS_SHA1: 20,
    AuthenticationMechanism.HLS_GMAC: 17,
    AuthenticationMechanism.HLS_SHA256: 32,
}
"""Octets of f(CtoS); of mechanism 7 those of a signature."""


def check_vaa_name(vaa_name: int) -> None:
    """Raise ProtocolError where an InitiateResponse speaks for another association than the current one.

    In an association with short names; that of logical names is taken too.
    """
    if vaa_name not in (VAA_NAME_SN, VAA_NAME_LN, _SAYS_NOTHING):
        raise ProtocolError(
            f"the meter answers for the vaa-name {vaa_name:04X}, FA00 was expected: check the server SAP, and whether "
            "it speaks short names"
        )


def reply_with_short_names(proof: EncodedData, terms: Terms) -> Exchange:
    """Give the proof of pass 3; returns what pass 4 brings: EncodedData, or the DataAccessResult that refuses it."""
    terms.need(READ)
    if terms.agreed & PARAMETERIZED_ACCESS or not terms.agreed & WRITE:
        invoked = a.ParameterizedAccess(REPLY_TO_HLS_AUTHENTICATION_SN, INVOKES, proof)
        (result,) = yield from read(Read((invoked,)), terms)
        return result
    (result,) = yield from write(Write((REPLY_TO_HLS_AUTHENTICATION_SN,), (proof,)), terms)
    if result == DataAccessResult.SUCCESS:
        (result,) = yield from read(Read((REPLY_TO_HLS_AUTHENTICATION_SN,)), terms)
    return result


# ---- the server's side ----------------------------------------------------------------------------------------------


def octets_of_pass_4(mechanism: AuthenticationMechanism, signer: PublicKey | None) -> int:
    """Return the octets of pass 4, plain; signer: the key of the server in mechanism 7."""
    if mechanism is AuthenticationMechanism.HLS_ECDSA and signer is not None:
        return _PASS_4 + 2 * signer.curve.length
    return _PASS_4 + _PROOFS.get(mechanism, _PROOF)


def is_pass_3(request: Any) -> bool:
    """Whether a request invokes reply_to_HLS_authentication."""
    if isinstance(request, a.ActionRequestNormal):
        return bool(request.cosem_method_descriptor == REPLY_TO_HLS_AUTHENTICATION)
    return isinstance(request, a.ReadRequest | a.WriteRequest) and proof_in(request) is not None


def proof_in(request: Any) -> EncodedData | None:
    """Return what a request of pass 3 brings as f(StoC)."""
    if isinstance(request, a.ActionRequestNormal):
        return request.method_invocation_parameters
    if len(request.variable_access_specification) != 1:
        return None
    (named,) = request.variable_access_specification
    if isinstance(request, a.WriteRequest):
        values: tuple[EncodedData, ...] = request.list_of_data
        return values[0] if named == REPLY_TO_HLS_AUTHENTICATION_SN and len(values) == 1 else None
    invokes = isinstance(named, a.ParameterizedAccess) and named.variable_name == REPLY_TO_HLS_AUTHENTICATION_SN
    return named.parameter if invokes else None


def accepted(request: Any, proof: EncodedData) -> Any:
    """Return the answer to pass 3 that brings pass 4, or lets it be fetched."""
    if isinstance(request, a.ActionRequestNormal):
        answer = a.ActionResponseWithOptionalData(ActionResult.SUCCESS, proof)
        return a.ActionResponseNormal(request.invoke_id_and_priority, answer)
    if isinstance(request, a.ReadRequest):
        return a.ReadResponse((a.ReadResult("data", proof),))
    return a.WriteResponse((a.WriteResult("success"),))


def refused(request: Any) -> Any:
    """Return the answer to a pass 3 that proves nothing."""
    if isinstance(request, a.ActionRequestNormal):
        denied = a.ActionResponseWithOptionalData(ActionResult.READ_WRITE_DENIED)
        return a.ActionResponseNormal(request.invoke_id_and_priority, denied)
    if isinstance(request, a.ReadRequest):
        return a.ReadResponse((a.ReadResult("data_access_error", DataAccessResult.READ_WRITE_DENIED),))
    return a.WriteResponse((a.WriteResult("data_access_error", DataAccessResult.READ_WRITE_DENIED),))


def fetches_proof(request: Any) -> bool:
    """Whether a request is the Read that fetches pass 4 after a Write."""
    named = (REPLY_TO_HLS_AUTHENTICATION_SN,)
    return isinstance(request, a.ReadRequest) and request.variable_access_specification == named
