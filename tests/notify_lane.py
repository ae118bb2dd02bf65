"""Sets `notify` up: an environment, moto's secret, receivers on this machine, and the function as it is deployed."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final
from unittest.mock import patch

import boto3
from apprise import URLBase
from apprise.plugins import pagerduty, slack
from moto import mock_aws

from backstop.aws import clients
from tests.fakes.receiver import Receiver, receiver
from tests.worker import FUNCTIONS, Worker

NOTIFY: Final = FUNCTIONS / "notify"
REGION: Final = "eu-west-1"
REQUEST_ID: Final = "00000000-0000-4000-8000-00000000000a"


@dataclass
class Context:
    """What Lambda tells of an invocation."""

    millis: int
    aws_request_id: str = REQUEST_ID

    def get_remaining_time_in_millis(self) -> int:
        """Return how much of the invocation is left."""
        return self.millis


@dataclass
class NotifyLane:
    """`notify`, its secret, and what receives notices."""

    receiver: Receiver
    worker: Worker
    secrets: Any
    arn: str

    def channels(self, *channels: dict[str, str]) -> None:
        """Put channels into the secret."""
        self.secret(json.dumps({"channels": channels}))

    def secret(self, text: str) -> None:
        """Rotate the secret."""
        self.secrets.put_secret_value(SecretId=self.arn, SecretString=text)

    def channel(self, name: str, path: str = "", **more: str) -> dict[str, str]:
        """Return a channel to the receiver."""
        return {"name": name, "url": self.receiver.url(path or name)} | more

    def publish(self, message: str, subject: str = "", *, millis: int = 60_000) -> Any:
        """Let the topic deliver a message; returns what the function answers."""
        sent = {"Type": "Notification", "Message": message, "Subject": subject}
        return self.worker.invoke({"Records": [{"EventSource": "aws:sns", "Sns": sent}]}, Context(millis))

    def alert(self, **fields: Any) -> Any:
        """Let the topic deliver an alert of a failure."""
        return self.publish(json.dumps(ALERT | fields))


GROUP: Final = "g0123456789abcdef"
ALERT: Final[dict[str, Any]] = {
    "backstop": 1,
    "reason": "first",
    "severity": "error",
    "stage": "prod",
    "title": "OutOfStock in handler.reserve",
    "text": "OutOfStock in handler.reserve\n\nwhere: handler.reserve\n",
    "group": GROUP,
}
TITLE: Final = "[prod] ERROR: OutOfStock in handler.reserve"


@contextmanager
def notify_lane() -> Iterator[NotifyLane]:
    """Set a lane up; its secret names no channel yet. Nobody waits between tries."""
    with ExitStack() as stack:
        environment = {
            "AWS_DEFAULT_REGION": REGION,
            "AWS_LAMBDA_FUNCTION_NAME": "shop-notify",
            "STAGE": "test",
            "RELEASE": "r1",
        }
        stack.enter_context(mock_aws())
        stack.enter_context(patch.dict(os.environ, environment))
        secrets = boto3.client("secretsmanager", region_name=REGION)
        arn = secrets.create_secret(Name="channels", SecretString="{}")["ARN"]
        stack.enter_context(patch.dict(os.environ, {"CHANNELS_SECRET": arn}))
        stack.enter_context(patch.object(clients, "client", {"secretsmanager": secrets}.__getitem__))
        stack.enter_context(patch.object(sys, "path", [str(NOTIFY), *sys.path]))
        stack.callback(_forget)
        stack.enter_context(patch.object(URLBase, "throttle", lambda *_, **__: None))
        lane = NotifyLane(stack.enter_context(receiver()), Worker(NOTIFY, None), secrets, arn)
        lane.worker.start()
        stack.enter_context(patch.object(sys.modules["channels"], "WAIT_SECONDS", 0))
        _redirect(stack, lane.receiver)
        yield lane


def _redirect(stack: ExitStack, here: Receiver) -> None:
    """Let what goes to PagerDuty and Slack come here instead."""
    addresses = {region: f"http://127.0.0.1:{here.port}/pagerduty-{region}" for region in ("us", "eu")}
    stack.enter_context(patch.dict(pagerduty.PAGERDUTY_API_LOOKUP, addresses))
    stack.enter_context(patch.object(slack.NotifySlack, "webhook_url", f"http://127.0.0.1:{here.port}/slack"))


def _forget() -> None:
    """Let app.py and channels.py be imported anew, and the next logger write to its own standard output."""
    for name in ("app", "channels"):
        sys.modules.pop(name, None)
    logging.Logger.manager.loggerDict.pop("backstop", None)
