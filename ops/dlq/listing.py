"""A stack in, its dead-letter queues out: how many letters each has, and how long these are kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from rich.console import Console

from backstop.parking import State
from ops import status
from ops.dlq.scanning import present
from ops.failure import told_in_a_sentence
from ops.keys.found import parked_table
from ops.keys.listing import waiting_keys
from ops.stack import Stack
from ops.tables import rows, say
from ops.terminal import span


def show(stack: Stack, *, as_json: bool) -> int:
    """Print the dead-letter queues and how many keys are on hold; returns 0."""
    queues = [_queue(stack, one) for one in status.queues(stack) if one["queue"] in present(stack)]
    with told_in_a_sentence():
        held = len(waiting_keys(parked_table(stack), State.HELD))
    if as_json:
        print(json.dumps({"queues": queues, "keys_on_hold": held}))
        return 0
    Console(highlight=False).print(rows("", [_line(queue) for queue in queues]))
    say(f"Keys on hold: {held:,}" + ("; `backstop keys --state held` shows them." if held else ""))
    return 0


def _queue(stack: Stack, counted: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a program is told of a queue. What SQS itself moved may be older than it says: it kept its time."""
    url, oldest = stack.queue_urls[counted["queue"]], counted["oldest_seconds"]
    answer = stack.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["MessageRetentionPeriod"])
    retention = int(answer["Attributes"]["MessageRetentionPeriod"])
    return {
        "queue": counted["queue"],
        "waiting": counted["waiting"],
        "in_flight": counted["in_flight"],
        "oldest_seconds": oldest,
        "retention_seconds": retention,
        "left_seconds": None if oldest is None else max(retention - oldest, 0),
    }


def _line(queue: Mapping[str, Any]) -> dict[str, str]:
    return {
        "queue": queue["queue"],
        "letters": f"{queue['waiting']:,}",
        "in somebody's hands": f"{queue['in_flight']:,}",
        "oldest": _span(queue["oldest_seconds"]),
        "deleted in": _span(queue["left_seconds"]),
        "kept for": _span(queue["retention_seconds"]),
    }


def _span(seconds: int | None) -> str:
    return "-" if seconds is None else span(timedelta(seconds=seconds))
