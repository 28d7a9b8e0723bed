"""Where the keys of format 1 are not simply the names of the declared fields: tables, and nothing else.

An entry of a dictionary is written

======================  ============================================================
``name``                the field's own name is the key
``key:field``           another key
``+field``              the keys of that field's own dictionary are taken over
``(key, entries)``      a dictionary below the key
======================  ============================================================
"""

from __future__ import annotations

from typing import Final, TypeAlias

from cosemic import apdu

Entry: TypeAlias = str | tuple[str, tuple[str, ...]]

_ATTRIBUTE: Final[Entry] = ("attribute", ("+cosem_attribute_descriptor", "selection:access_selection"))
_SELECTED: Final = ("+cosem_attribute_descriptor", "selection:access_selection")

SHAPES: Final[dict[type, tuple[Entry, ...]]] = {
    apdu.CosemAttributeDescriptor: ("class:class_id", "instance:instance_id", "id:attribute_id"),
    apdu.CosemMethodDescriptor: ("class:class_id", "instance:instance_id", "id:method_id"),
    apdu.SelectiveAccessDescriptor: ("selector:access_selector", "parameters:access_parameters"),
    apdu.CosemAttributeDescriptorWithSelection: _SELECTED,
    apdu.AccessRequestWithSelection: _SELECTED,
    apdu.GetRequestNormal: ("+invoke_id_and_priority", _ATTRIBUTE),
    apdu.GetResponseWithDatablock: ("+invoke_id_and_priority", "+result"),
    apdu.GetResponseWithList: ("+invoke_id_and_priority", "results:result"),
    apdu.SetRequestNormal: ("+invoke_id_and_priority", _ATTRIBUTE, "value"),
    apdu.SetRequestWithFirstDatablock: ("+invoke_id_and_priority", _ATTRIBUTE, "+datablock"),
    apdu.SetResponseLastDatablockWithList: ("+invoke_id_and_priority", "results:result", "block_number"),
    apdu.SetResponseWithList: ("+invoke_id_and_priority", "results:result"),
    apdu.ActionRequestNormal: (
        "+invoke_id_and_priority",
        "method:cosem_method_descriptor",
        "parameters:method_invocation_parameters",
    ),
    apdu.BareActionResponse: ("+invoke_id_and_priority", "+result"),
    apdu.ReadResponse: ("results:result",),
    apdu.WriteResponse: ("results:result",),
    apdu.InitiateRequest: (
        "dedicated_key",
        "response_allowed",
        "quality_of_service:proposed_quality_of_service",
        "dlms_version:proposed_dlms_version_number",
        "conformance:proposed_conformance",
        "max_receive_pdu_size:client_max_receive_pdu_size",
    ),
    apdu.InitiateResponse: (
        "quality_of_service:negotiated_quality_of_service",
        "dlms_version:negotiated_dlms_version_number",
        "conformance:negotiated_conformance",
        "max_receive_pdu_size:server_max_receive_pdu_size",
        "vaa_name",
    ),
    apdu.AccessRequest: (
        "long_invoke_id_and_priority",
        "date_time",
        "specifications:access_request_specification",
        "data:access_request_list_of_data",
    ),
    apdu.AccessResponse: (
        "long_invoke_id_and_priority",
        "date_time",
        "specifications:access_request_specification",
        "data:access_response_list_of_data",
        "results:access_response_specification",
    ),
    apdu.GeneralBlockTransfer: ("+block_control", "block_number", "block_number_ack", "block_data"),
}
"""Classes whose dictionary is not simply that of their fields."""

RENAMED: Final = {
    "invoke_id_and_priority": "+",
    "datablock": "+",
    "pblock": "+",
    "single_response": "+",
    "service_error": "+",
    "ciphered_content": "+",
    "cosem_attribute_descriptor": "attribute",
    "cosem_method_descriptor": "method",
    "attribute_descriptor_list": "attributes",
    "cosem_method_descriptor_list": "methods",
    "method_invocation_parameters": "parameters_list",
    "list_of_responses": "results",
    "variable_access_specification": "variables",
    "list_of_data": "values",
    "value_list": "values",
    "attribute_value": "value",
    "notification_body": "body",
    "application_context_name": "context",
    "mechanism_name": "mechanism",
    "sender_acse_requirements": "acse_requirements",
    "responder_acse_requirements": "acse_requirements",
    "calling_authentication_value": "authentication_value",
    "responding_authentication_value": "authentication_value",
    "result_source_diagnostic": "diagnostic",
    "originator_system_title": "originator",
    "recipient_system_title": "recipient",
}
"""Keys of all other fields that do not have the field's own name; ``+`` as above."""
EMPTY_IS_NULL: Final = frozenset(
    {
        "date_time",
        "time",
        "transaction_id",
        "originator_system_title",
        "recipient_system_title",
        "other_information",
        "system_title",
        "signature",
    }
)
"""Octet strings that may stand empty, and then say nothing (rule 3)."""
