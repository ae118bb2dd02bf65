from __future__ import annotations

import pytest

from tests.template.document import MAPPINGS, OUTPUTS, PARAMETERS, RESOURCES, each, references, target

TO_BE_FOUND = {
    "AWS::SQS::Queue",
    "AWS::DynamoDB::Table",
    "AWS::Serverless::Function",
    "AWS::Serverless::StateMachine",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::KinesisFirehose::DeliveryStream",
    "AWS::SSM::Parameter",
}

INTAKES = {"EventsIntakeId": "EventsQueue", "OrderedIntakeId": "OrderedQueue"}
"""Event source mappings, which SAM names after their function: people look for the queue."""


@each(sorted(OUTPUTS.keys() - INTAKES))
def test_each_is_described_and_named_after_its_resource(name: str) -> None:
    assert OUTPUTS[name]["Description"]
    (of,) = references(OUTPUTS[name]["Value"])
    assert name in {of + suffix for suffix in ("Url", "Name", "Arn")} or of in PARAMETERS


@each(name for name, resource in RESOURCES.items() if resource["Type"] in TO_BE_FOUND)
def test_operators_find_all_queues_tables_functions_machines_logs_buckets_and_streams(name: str) -> None:
    told = {resource for output in OUTPUTS.values() for resource in references(output)}
    assert name in told


@pytest.mark.parametrize(("name", "queue"), INTAKES.items())
def test_an_intake_is_the_mapping_of_its_queue(name: str, queue: str) -> None:
    mapping = MAPPINGS[target(OUTPUTS[name]["Value"])]
    assert target(mapping["Queue"]) == queue
    assert queue in OUTPUTS[name]["Description"]


@each(OUTPUTS)
def test_each_is_there_when_its_resource_is(name: str) -> None:
    (of,) = references(OUTPUTS[name]["Value"])
    assert OUTPUTS[name].get("Condition") == RESOURCES.get(of, {}).get("Condition")
