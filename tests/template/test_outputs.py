from __future__ import annotations

from tests.template.document import OUTPUTS, PARAMETERS, RESOURCES, each, references

TO_BE_FOUND = {
    "AWS::SQS::Queue",
    "AWS::DynamoDB::Table",
    "AWS::Serverless::Function",
    "AWS::Serverless::StateMachine",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::KinesisFirehose::DeliveryStream",
}


@each(OUTPUTS)
def test_each_is_described_and_named_after_its_resource(name: str) -> None:
    assert OUTPUTS[name]["Description"]
    (of,) = references(OUTPUTS[name]["Value"])
    assert name in {of + suffix for suffix in ("Url", "Name", "Arn")} or of in PARAMETERS


@each(name for name, resource in RESOURCES.items() if resource["Type"] in TO_BE_FOUND)
def test_operators_find_all_queues_tables_functions_machines_logs_buckets_and_streams(name: str) -> None:
    told = {resource for output in OUTPUTS.values() for resource in references(output)}
    assert name in told
