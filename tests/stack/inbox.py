"""A queue that hears of a stack's alerts, as a team's own would."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ops.stack import Stack


@dataclass
class Inbox:
    """What the topic has delivered. Its looks at the queue take messages away, and keep them here."""

    stack: Stack
    url: str
    delivered: list[dict[str, Any]] = field(default_factory=list)

    def look(self) -> list[dict[str, Any]]:
        """Return all that was delivered, in the order in which it came: SNS's notifications."""
        while found := self.stack.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                self.delivered.append(json.loads(message["Body"]))
                self.stack.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return self.delivered

    def alerts(self, **wanted: Any) -> list[dict[str, Any]]:
        """Return the alerts with these fields, the oldest first."""
        alerts = [json.loads(one["Message"]) for one in self.look()]
        found = [alert for alert in alerts if alert.items() >= wanted.items()]
        return sorted(found, key=lambda alert: str(alert["at"]))


@contextmanager
def inbox(stack: Stack) -> Iterator[Inbox]:
    """Subscribe a queue to the alert topic, which may send to it; at the end both are gone."""
    topic = stack.output("AlertTopicArn")
    url = stack.sqs.create_queue(QueueName="hears-of-alerts")["QueueUrl"]
    try:
        attributes = stack.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
        stack.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": _policy(attributes["QueueArn"], topic)})
        subscribed = stack.sns.subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=attributes["QueueArn"], ReturnSubscriptionArn=True
        )
        yield Inbox(stack, url)
        stack.sns.unsubscribe(SubscriptionArn=subscribed["SubscriptionArn"])
    finally:
        stack.sqs.delete_queue(QueueUrl=url)


def _policy(queue: str, topic: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
