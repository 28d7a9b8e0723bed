"""Interface classes for control by events (IEC 62056-6-2, 5.5): Register monitor, Limiter, Arbitrator."""

from __future__ import annotations

from typing import Final

from cosemic.model.common import ActionItem, ControlZero, Threshold, ValueDefinition
from cosemic.model.compound import ArrayOf, Structure, field
from cosemic.model.formats import DateTimeOctets
from cosemic.model.interface_class import InterfaceClass, attribute, dynamic, method, static
from cosemic.model.types import BitStringData, Boolean, DoubleLongUnsigned, LongUnsigned, Unsigned
from cosemic.values import BitString, DateTime


class ActionSet(Structure, name="action_set"):
    """Scripts that run when a value crosses a threshold upwards and downwards."""

    action_up: ActionItem = field(ActionItem)
    action_down: ActionItem = field(ActionItem)


class RegisterMonitor(InterfaceClass, class_id=21, version=0, name="Register monitor"):
    """Runs scripts when a value crosses thresholds; actions has one element for each threshold, in the same order."""

    thresholds = attribute(2, ArrayOf(Threshold), static)
    monitored_value = attribute(3, ValueDefinition, static)
    actions = attribute(4, ArrayOf(ActionSet), static)


class EmergencyProfile(Structure, name="emergency_profile"):
    """An emergency: its identifier, its begin, and its length in seconds."""

    emergency_profile_id: int = field(LongUnsigned)
    emergency_activation_time: DateTime = field(DateTimeOctets)
    emergency_duration: int = field(DoubleLongUnsigned)


class LimiterActions(Structure, name="limiter_actions"):
    """Scripts that run when a value has been above and below a threshold for long enough."""

    action_over_threshold: ActionItem = field(ActionItem)
    action_under_threshold: ActionItem = field(ActionItem)


class Limiter(InterfaceClass, class_id=71, version=0, name="Limiter"):
    """Runs scripts when a value stays above or below a threshold for a minimum time; in emergencies a special one.

    Durations are in seconds. A profile takes effect only if its identifier is in emergency_profile_group_id_list.
    """

    monitored_value = attribute(2, ValueDefinition, static)
    threshold_active = attribute(3, Threshold, dynamic)
    threshold_normal = attribute(4, Threshold, static)
    threshold_emergency = attribute(5, Threshold, static)
    min_over_threshold_duration = attribute(6, DoubleLongUnsigned, static)
    min_under_threshold_duration = attribute(7, DoubleLongUnsigned, static)
    emergency_profile = attribute(8, EmergencyProfile, static)
    emergency_profile_group_id_list = attribute(9, ArrayOf(LongUnsigned), static)
    emergency_profile_active = attribute(10, Boolean, dynamic)
    actions = attribute(11, LimiterActions, static)


class RequestAction(Structure):
    """Who asks for which actions: one bit for each action."""

    request_actor: int = field(Unsigned)
    request_action_list: BitString = field(BitStringData)


_BITS_BY_ACTOR: Final = ArrayOf(BitStringData)


class Arbitrator(InterfaceClass, class_id=68, version=0, name="Arbitrator"):
    """Decides which of its actions runs when several actors ask for different ones.

    The tables have one element for each actor: a bit, or a weight, for each action. last_outcome: 0 none, else the
    number of the action.
    """

    actions = attribute(2, ArrayOf(ActionItem), static)
    permissions_table = attribute(3, _BITS_BY_ACTOR, static)
    weightings_table = attribute(4, ArrayOf(ArrayOf(LongUnsigned)), static)
    most_recent_requests_table = attribute(5, _BITS_BY_ACTOR, dynamic)
    last_outcome = attribute(6, Unsigned, dynamic)

    request_action = method(1, RequestAction, sn_offset=0x30)
    reset = method(2, ControlZero, sn_offset=0x38)
