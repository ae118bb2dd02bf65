"""What it takes `watch` to read 100,000 log events, each of an event that failed, and what it writes for them."""

from __future__ import annotations

import base64
import gzip
import json
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from backstop.aws import clients
from backstop.aws.failed_events import FailedEvents
from backstop.aws.groups_table import GroupsTable
from backstop.budget import Budget, Slots
from backstop.delivery import opened
from backstop.lines import PIPELINE_EVENTS, read
from backstop.memory import MemoryStore
from backstop.watch import Watching, watch
from benchmarks.table import Row

_LINES = 100_000
_A_DELIVERY = 1_000
_GROUPS = 50
_AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
_BUDGET = Budget(limit=5, window=timedelta(hours=1), quiet=timedelta(minutes=10), digest_after=20)


def measure() -> list[Row]:
    deliveries = [_delivery(number) for number in range(_LINES // _A_DELIVERY)]
    answering = _Answering()
    client = answering.client()
    watching = Watching(
        GroupsTable(client, "groups", _BUDGET), MemoryStore(_BUDGET), _BUDGET, lambda _: None, lambda: _AT
    )
    events = FailedEvents(client, "failed", timedelta(days=35))
    began, most = time.process_time(), 0
    for data in deliveries:
        answering.groups.clear()
        delivery = opened(data)
        occurrences = read(delivery, "prod")
        watch(occurrences, delivery.batch, watching)
        events.record(occurrences)
        most = max(most, *answering.groups.values())
    seconds = time.process_time() - began
    case = f"{_LINES:,} log events of {_GROUPS} groups, {_A_DELIVERY:,} a delivery; AWS answers at once"
    return [
        Row("watching, seconds of one core", case, seconds, "", 20),
        Row("watching, writes a group and delivery", case, most, "", 1),
        Row("watching, calls a log event", case, answering.calls / _LINES, ""),
    ]


class _Answering:
    """What DynamoDB answers, without the network: all of boto3's own work is done."""

    def __init__(self) -> None:
        self.calls = 0
        self.groups: Counter[str] = Counter()

    def client(self) -> Any:
        client: Any = clients.client("dynamodb")
        client.meta.events.register("before-send.dynamodb", self._answer)
        return client

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        self.calls += 1
        body: dict[str, Any] = {}
        if request.headers["X-Amz-Target"].endswith(b"UpdateItem"):
            group = json.loads(request.body)["Key"]["group"]["S"]
            self.groups[group] += 1
            body = {"Attributes": _item(group)}
        return AWSResponse(request.url, 200, HTTPHeaders(), _Body(json.dumps(body).encode()))


class _Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: Any) -> Any:
        yield self._content


def _item(group: str) -> dict[str, Any]:
    """Return a group as it was, in the middle of its window: the alerts of this count are sent."""
    millis = str(int(_AT.timestamp() * 1000))
    numbers = {key: {"N": millis} for key in ("first_seen", "last_seen", "counted_at", "window_opened")}
    counts = {key: {"N": "5000"} for key in ("occurrences", "window_count")}
    slots = Slots(sent=4, milestones=(1, 10, 100, 1000)).serialise()
    texts = {"group": group, "severity": "error", "kind": "permanent", "slots": slots}
    return {**numbers, **counts, **{name: {"S": text} for name, text in texts.items()}}


def _delivery(number: int) -> str:
    first = number * _A_DELIVERY
    lines = [
        {"id": f"{line:056}", "timestamp": int(_AT.timestamp() * 1000) + line, "message": json.dumps(_line(line))}
        for line in range(first, first + _A_DELIVERY)
    ]
    payload = {
        "messageType": "DATA_MESSAGE",
        "logGroup": "pipeline",
        "logStream": f"2026/01/05/shop-process[$LATEST]{number:032x}",
        "subscriptionFilters": [PIPELINE_EVENTS],
        "logEvents": lines,
    }
    return base64.b64encode(gzip.compress(json.dumps(payload).encode())).decode()


def _line(number: int) -> dict[str, Any]:
    """Return a pipeline event as a worker writes it: each of another event, with a text of its own."""
    group = number % _GROUPS
    return {
        "level": "WARNING",
        "location": "write:32",
        "message": "failed: Retry",
        "timestamp": "2026-01-05 09:00:00,000+0000",
        "service": "backstop",
        "function": "shop-process",
        "stage": "prod",
        "release": "r7",
        "request_id": f"{number // 10:08x}-0000-4000-8000-000000000000",
        "pipeline_event": "failed",
        "verdict": "Retry",
        "event_id": f"order-{number}",
        "attempt": 2,
        "max_attempts": 6,
        "queue": "shop-events",
        "source_queue": "shop-events",
        "kind": "transient",
        "group": f"{group:016x}",
        "error_type": "GatewayDown",
        "error": f"the gateway {'abcdefghij'[group % 10]} refused order <number> of <email> at <host>",
        "where": "handler:charge",
        "fingerprint": [["version", "2"], ["type", "GatewayDown"], ["frame", "handler:charge"]],
        "next_at": "2026-01-05T09:00:10.000+00:00",
    }
