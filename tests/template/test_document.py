from __future__ import annotations

from tests.template.document import GLOBALS, MAPPINGS, OUTPUTS, PARAMETERS, RESOURCES, TEMPLATE, references

FLOW = [
    "EventsQueue",
    "RetryQueue",
    "DeadLetterQueue",
    "IdempotencyTable",
    "CircuitsTable",
    "CatalogTable",
    "OrdersTable",
    "PaymentSwitch",
    "BackstopLayer",
    "ProcessFunction",
    "ClicksStream",
    "TransformFunction",
    "DataBucket",
    "StreamLogs",
    "PipelineLogs",
    "PipelineEventsFilter",
    "WatchFunction",
    "FailureGroupsTable",
    "FailedEventsTable",
    "WatchFailuresQueue",
    "AlertTopic",
    "NotifyFunction",
    "RecoveryLogTable",
    "RecoverFunction",
    "RecoverSubscription",
    "ReconcileSchedule",
    "RedriveTable",
    "RedriveFunction",
    "RedriveStateMachine",
    "AutoRedriveSchedule",
    "RescueSchedule",
    "DeadLettersAlarm",
    "Dashboard",
]


def test_resources_stand_in_the_order_in_which_an_event_flows() -> None:
    assert [name for name in RESOURCES if name in FLOW] == FLOW


def test_whatever_is_referred_to_is_there() -> None:
    there = RESOURCES.keys() | PARAMETERS.keys() | MAPPINGS.keys()
    assert references([RESOURCES, OUTPUTS, TEMPLATE["Conditions"], GLOBALS]) <= there
