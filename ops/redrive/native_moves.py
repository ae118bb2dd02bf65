"""A stack in, what SQS tells of its own moves of dead letters out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from ops.dlq.scanning import present
from ops.stack import Stack
from ops.times import iso

MOST: Final = 10
"""How many moves of a queue SQS tells of (ListMessageMoveTasks, MaxResults)."""


@dataclass(frozen=True, slots=True)
class Move:
    """A move that SQS tells of. `task` is what it is cancelled by: SQS names it while it runs, and no longer."""

    queue: str
    to: str
    status: str
    moved: int
    to_move: int | None
    rate: int | None
    started: datetime | None
    failure: str
    task: str

    @property
    def is_running(self) -> bool:
        """Whether it can be cancelled."""
        return self.status == "RUNNING" and bool(self.task)

    def fields(self) -> dict[str, Any]:
        """Return what a program is told."""
        return {
            "queue": self.queue,
            "to": self.to,
            "status": self.status,
            "moved": self.moved,
            "to_move": self.to_move,
            "rate": self.rate,
            "started": None if self.started is None else iso(self.started),
            "failure": self.failure,
            "task": self.task or None,
        }


def moves(stack: Stack) -> Iterator[Move]:
    """Yield what SQS tells of the moves of each dead-letter queue, the newest of each first."""
    for queue in present(stack):
        answer = stack.sqs.list_message_move_tasks(SourceArn=arn_of(stack, queue), MaxResults=MOST)
        yield from (_move(queue, told) for told in answer.get("Results", []))


def _move(queue: str, told: Any) -> Move:
    started = told.get("StartedTimestamp")
    return Move(
        queue,
        to=told.get("DestinationArn", "").rpartition(":")[2],
        status=told.get("Status", ""),
        moved=told.get("ApproximateNumberOfMessagesMoved", 0),
        to_move=told.get("ApproximateNumberOfMessagesToMove"),
        rate=told.get("MaxNumberOfMessagesPerSecond"),
        started=None if started is None else datetime.fromtimestamp(started / 1000, UTC),
        failure=told.get("FailureReason", ""),
        task=told.get("TaskHandle", ""),
    )


def arn_of(stack: Stack, queue: str) -> str:
    """Return what SQS calls a queue, by its resource's name."""
    answer = stack.sqs.get_queue_attributes(QueueUrl=stack.output(f"{queue}Url"), AttributeNames=["QueueArn"])
    return answer["Attributes"]["QueueArn"]
