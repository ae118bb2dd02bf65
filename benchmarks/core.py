"""The core of `process`, from records to verdicts, against a bare loop and Powertools' batch processor."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any

import fastjsonschema
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from backstop.event import parser
from backstop.message import Record
from backstop.process import Flow, settle, split
from backstop.verdict import Policy
from benchmarks.table import Row
from benchmarks.timing import ratios
from ops.local.state import ROOT

SCHEMA = json.loads((ROOT / "functions/process/schema.json").read_text())
LIMITS = {10: 1.35, 10_000: 1.15}


def measure() -> list[Row]:
    return [row for size in LIMITS for bad in (0.0, 0.1) for row in _measure(size, bad)]


def _measure(size: int, bad: float) -> list[Row]:
    records = _records(size, bad)
    ways = {"a bare loop": _bare(records), "Backstop": _backstop(records), "Powertools": _powertools(records)}
    found = ratios(ways, rounds=31 if size == 10 else 11, calls=200 if size == 10 else 1)
    case = f"{size:,} messages, {bad:.0%} bad"
    return [
        Row("deciding", case, found["Backstop"], "a bare loop", LIMITS[size]),
        Row("deciding", case, found["Backstop"] / found["Powertools"], "Powertools' BatchProcessor", 1.0),
    ]


def _bare(records: list[Record]) -> Callable[[], object]:
    validate = fastjsonschema.compile(SCHEMA)

    def run() -> Mapping[str, Any]:
        failed = []
        for record in records:
            try:
                event = json.loads(record["body"])
                validate(event)
                _handle(event)
            except Exception:  # noqa: BLE001  # as a bare loop does
                failed.append({"itemIdentifier": record["messageId"]})
        return {"batchItemFailures": failed}

    return run


def _powertools(records: list[Record]) -> Callable[[], object]:
    validate = fastjsonschema.compile(SCHEMA)

    def handle_record(record: SQSRecord) -> None:
        event = json.loads(record.body)
        validate(event)
        _handle(event)

    def run() -> object:
        processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
        return process_partial_response({"Records": records}, handle_record, processor)

    return run


def _backstop(records: list[Record]) -> Callable[[], object]:
    dice = Random(1)
    flow = Flow(
        parse=parser(SCHEMA),
        run=_handle,
        were_running=lambda _: frozenset(),
        remaining_millis=lambda: 30_000,
        now=lambda: datetime.now(UTC),
        dice=dice.random,
        policy=Policy(),
        kinds={},
        queues=frozenset({"backstop-events"}),
    )

    def run() -> object:
        together, _ = split(records, flow)
        return settle(together, flow)

    return run


def _handle(event: Mapping[str, Any], message: object = None) -> None:
    """Stands for what all three do alike."""


def _records(size: int, bad: float) -> list[Record]:
    random = Random(size)
    return [_record(number, _body(number, random, is_bad=number < size * bad), random) for number in range(size)]


def _body(number: int, random: Random, *, is_bad: bool) -> str:
    items = [{"sku": f"sku-{random.randrange(999)}", "quantity": random.randint(1, 9)} for _ in range(4)]
    order = {"id": f"order-{number}", "customer": f"customer-{number % 97}", "currency": "EUR", "items": items}
    order["placed_at"] = "2026-11-21T09:00:00Z"
    if not is_bad:
        return json.dumps(order)
    return json.dumps(order)[:-9] if number % 2 else json.dumps(order | {"currency": "euro"})


def _record(number: int, body: str, random: Random) -> Record:
    return {
        "messageId": f"{random.getrandbits(128):032x}",
        "receiptHandle": f"receipt-{number}",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1795222800000",
            "SenderId": "AIDAEXAMPLE",
            "ApproximateFirstReceiveTimestamp": "1795222800001",
        },
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:backstop-events",
        "awsRegion": "eu-west-1",
    }
