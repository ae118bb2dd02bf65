"""Whether a test alert arrives, who is to get it, and what is said where nobody is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.sns.models import sns_backends

from ops.alerts.subscriptions import masked
from ops.stack import Stack
from tests.fakes.faults import Fault, Faults
from tests.ops.command import Command, Ran
from tests.ops.groups.ground import SESSION, Ground

PENDING = "PendingConfirmation"


class Functions:
    """A Lambda that knows how the watchers are set up."""

    def get_function_configuration(self, FunctionName: str) -> Any:  # noqa: N803  # boto3's own name
        assert FunctionName == "shop-watch"
        return {"Environment": {"Variables": {"STAGE": "prod"}}}


@pytest.fixture
def topic(ground: Ground, stack: Stack) -> str:
    arn = SESSION.client("sns").create_topic(Name="alerts")["TopicArn"]
    vars(stack).update(functions=Functions())
    stack._outputs.update(AlertTopicArn=arn, WatchFunctionName="shop-watch")
    return arn


@pytest.fixture
def queue(topic: str) -> str:
    """Subscribe a queue, and return its address."""
    sqs = SESSION.client("sqs")
    url = sqs.create_queue(QueueName="reader")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    SESSION.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=attributes["QueueArn"])
    return url


def subscribe(topic: str, protocol: str, endpoint: str, standing: str = "", **attributes: str) -> None:
    client = SESSION.client("sns")
    arn = client.subscribe(TopicArn=topic, Protocol=protocol, Endpoint=endpoint, Attributes=attributes)[
        "SubscriptionArn"
    ]
    if standing:  # moto confirms at once
        sns_backends[DEFAULT_ACCOUNT_ID]["eu-west-1"].subscriptions[arn].arn = standing


def read(queue: str) -> list[Any]:
    messages = SESSION.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(message["Body"]) for message in messages]


def told(ran: Ran) -> Any:
    return json.loads(ran.out)


class TestATest:
    def test_arrives_as_alerts_do(self, queue: str, ground: Ground, backstop: Command) -> None:
        ran = backstop("alerts", "test")
        assert (ran.exit_code, ran.err) == (0, "")
        assert ran.out.startswith("Sent: [prod] INFO: This is a test: alerts arrive\n")
        assert "Look there now" in ran.out
        [envelope] = read(queue)
        assert envelope["Subject"] == "[prod] INFO: This is a test: alerts arrive"
        assert envelope["MessageAttributes"]["reason"]["Value"] == "test"
        assert ground.audit() == [("alerts test", "alerts", "done")]

    def test_tells_programs_who_is_to_get_it(self, queue: str, backstop: Command) -> None:
        ran = backstop("alerts", "test", "--json")
        assert (ran.exit_code, told(ran)) == (
            0,
            {
                "sent": True,
                "doubtful": False,
                "why": "",
                "subscriptions": [
                    {"protocol": "sqs", "endpoint": "reader", "standing": "confirmed", "filters": "no"},
                ],
            },
        )

    def test_that_nobody_subscribed_to_is_a_no(self, topic: str, backstop: Command) -> None:
        ran = backstop("alerts", "test")
        assert ran.exit_code == 1
        assert "nobody hears of it: AlertTopic has no subscription" in ran.err

    @pytest.mark.parametrize("standing", [PENDING, "Deleted"])
    def test_that_nobody_confirmed_is_a_no(self, standing: str, topic: str, backstop: Command) -> None:
        subscribe(topic, "email", "ann@example.com", standing)
        ran = backstop("alerts", "test")
        assert (ran.exit_code, "no subscription is confirmed" in ran.err) == (1, True)
        assert "a***@example.com" in ran.out
        assert "ann@" not in ran.out
        assert "Look there now" not in ran.out
        [one] = told(backstop("alerts", "test", "--json"))["subscriptions"]
        assert (one["standing"], one["filters"]) == ({PENDING: "pending", "Deleted": "deleted"}[standing], "")

    def test_that_one_of_several_confirmed_is_a_yes(self, queue: str, topic: str, backstop: Command) -> None:
        subscribe(topic, "email", "ann@example.com", PENDING)
        assert backstop("alerts", "test").exit_code == 0

    def test_says_who_may_be_left_out_by_a_filter(self, topic: str, backstop: Command) -> None:
        policy = json.dumps({"severity": ["critical"]})
        subscribe(topic, "email", "ann@example.com", FilterPolicy=policy)
        assert "A subscription that filters may leave it out" in backstop("alerts", "test").out

    def test_tells_each_of_more_subscriptions_than_a_page_holds(self, topic: str, backstop: Command) -> None:
        for number in range(120):
            subscribe(topic, "email", f"{number}@example.com")
        assert len(told(backstop("alerts", "test", "--json"))["subscriptions"]) == 120


class TestWhereItFails:
    def test_a_topic_that_does_not_take_it_is_a_no(
        self, topic: str, ground: Ground, stack: Stack, backstop: Command
    ) -> None:
        stack._outputs["AlertTopicArn"] = topic + "-gone"
        ran = backstop("alerts", "test")
        assert (ran.exit_code, ran.out) == (1, "")
        assert ran.err.startswith("backstop: not sent: the topic did not take an alert")
        assert ground.audit()[0][2].startswith("failed: the topic did not take an alert")
        ran = backstop("alerts", "test", "--json")
        assert (ran.exit_code, told(ran)["sent"], ran.err) == (1, False, "")

    def test_no_answer_is_a_no_though_it_may_arrive(
        self, queue: str, stack: Stack, faults: Faults, ground: Ground, backstop: Command
    ) -> None:
        with faults.installed(stack.sns):
            faults.fail("Publish", Fault.ANSWER_LOST)
            ran = backstop("alerts", "test")
        assert (ran.exit_code, "no answer came" in ran.err) == (1, True)
        assert len(read(queue)) == 1
        assert ground.audit()[0][2] == "failed: no answer came"

    def test_a_topic_whose_subscriptions_are_not_told_is_a_sentence(
        self, queue: str, stack: Stack, faults: Faults, backstop: Command
    ) -> None:
        with faults.installed(stack.sns):
            faults.fail("ListSubscriptionsByTopic", Fault.UNREACHABLE)
            ran = backstop("alerts", "test")
        assert (ran.exit_code, ran.out) == (2, "")
        assert ran.err.startswith("backstop: AWS does not answer")

    def test_a_subscription_that_may_not_be_looked_at_is_told_without_its_filter(
        self, queue: str, stack: Stack, faults: Faults, backstop: Command
    ) -> None:
        with faults.installed(stack.sns):
            faults.fail("GetSubscriptionAttributes", Fault.UNREACHABLE)
            ran = backstop("alerts", "test", "--json")
        assert (ran.exit_code, told(ran)["subscriptions"][0]["filters"]) == (0, "unknown")

    def test_what_cannot_be_written_down_is_not_sent(self, queue: str, faults: Faults, backstop: Command) -> None:
        faults.fail("PutItem", Fault.DENIED)
        assert backstop("alerts", "test").exit_code == 2
        assert read(queue) == []


@pytest.mark.parametrize(
    ("protocol", "endpoint", "shown"),
    [
        ("email", "ann.smith@example.com", "a***@example.com"),
        ("email-json", "a@b", "a***@b"),
        ("email", "", "***@"),
        ("https", "https://user:secret@hooks.example.com/T0/B1/secret?token=x", "https://hooks.example.com/***"),
        ("https", "https://[secret", "***"),
        ("http", "http://10.0.0.1:8080/secret", "http://10.0.0.1/***"),
        ("sms", "+41791234567", "***67"),
        ("lambda", "arn:aws:lambda:eu-west-1:123456789012:function:shop-notify", "shop-notify"),
        ("sqs", "arn:aws:sqs:eu-west-1:123456789012:reader", "reader"),
        ("application", "arn:aws:sns:eu-west-1:123456789012:endpoint/GCM/app/secret", "endpoint/GCM/app/secret"),
    ],
    ids=lambda value: str(value)[:12],
)
def test_an_address_is_shown_as_far_as_one_knows_it_again(protocol: str, endpoint: str, shown: str) -> None:
    assert masked(protocol, endpoint) == shown
