"""SQS as its service model has it, and what it tells of its moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from botocore.stub import Stubber

from ops.stack import Stack

DEAD: Final = "DeadLetterQueue"
ORDERED: Final = "OrderedDeadLetterQueue"
TASK: Final = "a-task-handle"
BUSY: Final = "There is already a task running. Only one active task is allowed for a source queue arn at a given time."
"""As AWS words it."""


def running(task: str, **told: Any) -> dict[str, Any]:
    return {
        "TaskHandle": task,
        "Status": "RUNNING",
        "DestinationArn": arn("events"),
        "MaxNumberOfMessagesPerSecond": 10,
        "ApproximateNumberOfMessagesMoved": 40,
        "ApproximateNumberOfMessagesToMove": 1200,
        "StartedTimestamp": 1_767_603_600_000,
    } | told


FAILED: Final = {
    "Status": "FAILED",
    "ApproximateNumberOfMessagesMoved": 3,
    "FailureReason": "AWS.SimpleQueueService.NonExistentQueue",
    "StartedTimestamp": 1_767_600_000_000,
}
"""As of one that the console began without a destination."""


def url(queue: str) -> str:
    return f"https://sqs.eu-west-1.amazonaws.com/123456789012/shop-{queue}"


def arn(queue: str) -> str:
    return f"arn:aws:sqs:eu-west-1:123456789012:shop-{queue}"


@dataclass
class Sqs:
    """A real client that sends nothing: what it is asked, in this order, is checked against the service's model."""

    stack: Stack
    stub: Stubber
    tables: Any

    def holds(self, queue: str, waiting: int, in_flight: int = 0) -> None:
        attributes = {
            "ApproximateNumberOfMessages": str(waiting),
            "ApproximateNumberOfMessagesNotVisible": str(in_flight),
            "ApproximateNumberOfMessagesDelayed": "0",
        }
        asked = {"QueueUrl": url(queue), "AttributeNames": ["All"]}
        self.stub.add_response("get_queue_attributes", {"Attributes": attributes}, asked)

    def names(self, *queues: str) -> None:
        for queue in queues:
            asked = {"QueueUrl": url(queue), "AttributeNames": ["QueueArn"]}
            self.stub.add_response("get_queue_attributes", {"Attributes": {"QueueArn": arn(queue)}}, asked)

    def is_about_to_move(self, waiting: int) -> None:
        """Foresee all that is asked before a move of DeadLetterQueue begins."""
        self.holds("dead", waiting)
        self.holds("events", 0)
        self.names("dead", "events")

    def starts(self, **asked: Any) -> None:
        self.stub.add_response("start_message_move_task", {"TaskHandle": TASK}, asked)

    def refuses(self, operation: str, code: str, message: str = "no", retries: int = 0, status: int = 400) -> None:
        self.stub.add_client_error(operation, code, message, status, response_meta={"RetryAttempts": retries})

    def tells(self, queue: str, *moves: dict[str, Any]) -> None:
        self.names(queue)
        results = [{"SourceArn": arn(queue), **move} for move in moves]
        asked = {"SourceArn": arn(queue), "MaxResults": 10}
        self.stub.add_response("list_message_move_tasks", {"Results": results}, asked)

    def cancels(self, task: str, moved: int) -> None:
        answer = {"ApproximateNumberOfMessagesMoved": moved}
        self.stub.add_response("cancel_message_move_task", answer, {"TaskHandle": task})

    def audit(self) -> list[tuple[str, str, int, str]]:
        items = sorted(self.tables.scan(TableName="audit")["Items"], key=lambda one: one["at"]["S"])
        return [
            (item["command"]["S"], item["subject"]["S"], int(item["count"]["N"]), item["result"]["S"]) for item in items
        ]
