from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ops.replay.command import ERRORS
from tests.fakes.firehose_objects import Destination
from tests.template.document import FUNCTIONS, RESOURCES, properties_of, target, text_of
from tests.template.stream import DESTINATION, PREFIXES, PROCESSING, STREAM, processor

MORNING = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)


@pytest.fixture
def objects() -> Destination:
    """Return a bucket whose objects are named as the template says; what AWS refuses is refused."""
    return Destination(
        "clicks",
        DESTINATION["Prefix"],
        DESTINATION["ErrorOutputPrefix"],
        compresses=DESTINATION["CompressionFormat"] == "GZIP",
    )


def key_of(objects: Destination) -> str:
    (key,) = objects.objects
    return key


class TestIntake:
    def test_producers_put_records_on_it_themselves(self) -> None:
        assert STREAM["DeliveryStreamType"] == "DirectPut"

    def test_what_waits_in_it_is_encrypted(self) -> None:
        encryption = STREAM["DeliveryStreamEncryptionConfigurationInput"]
        assert encryption["KeyType"] in {"AWS_OWNED_CMK", "CUSTOMER_MANAGED_CMK"}
        assert encryption["KeyType"] == "AWS_OWNED_CMK" or encryption["KeyARN"]


class TestProcessor:
    def test_it_is_on(self) -> None:
        assert PROCESSING["Enabled"] is True

    def test_it_is_the_transform_function(self) -> None:
        assert text_of(processor()["LambdaArn"]) == "${TransformFunction.Arn}"

    def test_it_hands_over_1_mb_or_what_came_in_60_seconds_and_tries_a_batch_3_times_more(self) -> None:
        """As text: CloudFormation takes no numbers here."""
        numbers = {name: value for name, value in processor().items() if name != "LambdaArn"}
        assert numbers == {"BufferSizeInMBs": "1", "BufferIntervalInSeconds": "60", "NumberOfRetries": "3"}

    def test_its_function_ends_before_firehose_stops_waiting(self) -> None:
        assert FUNCTIONS[target(processor()["LambdaArn"])]["Timeout"] <= 300


class TestDelivery:
    def test_it_goes_to_the_bucket(self) -> None:
        assert text_of(DESTINATION["BucketARN"]) == "${DataBucket.Arn}"

    def test_data_lies_compressed_below_data_by_the_day(self, objects: Destination) -> None:
        objects.deliver([b"{}\n"], MORNING)
        assert key_of(objects).startswith("data/2026/02/03/clicks-")
        assert key_of(objects).endswith(".gz")
        assert objects.delivered() == b"{}\n"

    def test_what_failed_lies_below_errors_by_why_and_by_the_day(self, objects: Destination) -> None:
        objects.deliver_errors([{"errorCode": "Lambda.ProcessingFailedStatus"}], MORNING)
        assert key_of(objects).startswith("errors/processing-failed/2026/02/03/clicks-")

    def test_a_replay_looks_where_what_failed_lies(self) -> None:
        assert DESTINATION["ErrorOutputPrefix"].startswith(ERRORS)
        assert not DESTINATION["Prefix"].startswith(ERRORS)

    @pytest.mark.parametrize("prefix", PREFIXES)
    def test_each_prefix_ends_a_folder(self, prefix: str) -> None:
        """Without it, the last folder's name would run into the object's."""
        assert DESTINATION[prefix].endswith("/")
        assert "//" not in DESTINATION[prefix]


class TestLog:
    OPTIONS = DESTINATION["CloudWatchLoggingOptions"]

    def test_it_goes_to_a_group_with_a_retention(self) -> None:
        assert self.OPTIONS["Enabled"] is True
        assert properties_of("AWS::Logs::LogGroup")[target(self.OPTIONS["LogGroupName"])]["RetentionInDays"]

    def test_its_log_stream_is_there_and_in_that_group(self) -> None:
        """Firehose makes none: it would write nothing, and say nothing of it."""
        stream = RESOURCES[target(self.OPTIONS["LogStreamName"])]
        assert stream["Type"] == "AWS::Logs::LogStream"
        assert stream["Properties"]["LogGroupName"] == self.OPTIONS["LogGroupName"]

    def test_it_is_not_that_of_the_workers(self) -> None:
        assert target(self.OPTIONS["LogGroupName"]) != "PipelineLogs"
