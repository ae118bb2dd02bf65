"""A stack in, how its queues, streams, functions and alarms are out; and what stands still."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from ops.hindrances import hindrances
from ops.stack import Stack, queue_counts
from ops.tables import say

_AGE_WINDOW: Final = timedelta(minutes=15)


def show(stack: Stack, *, as_json: bool) -> int:
    """Print how the stack is; returns 1 where an alarm rings, else 0."""
    state = {
        "queues": queues(stack),
        "streams": streams(stack),
        "functions": functions(stack),
        "alarms": alarms(stack),
    }
    hindered = hindrances(stack)
    if as_json:
        print(json.dumps(state | hindered.fields()))
    else:
        console = Console()
        for title, rows in state.items():
            console.print(_table(title, rows))
        for line in hindered.in_words():
            say(line, "bold red")
    return int(any(alarm["state"] == "ALARM" for alarm in state["alarms"]))


def queues(stack: Stack) -> list[dict[str, Any]]:
    """Return, a queue, its messages and the age of the oldest that waits, where it is known."""
    return [
        {"queue": name}
        | queue_counts(stack, url)._asdict()
        | {"oldest_seconds": _oldest_seconds(stack, url.rpartition("/")[2])}
        for name, url in stack.queue_urls.items()
    ]


def streams(stack: Stack) -> list[dict[str, Any]]:
    """Return the stack's streams and their states."""
    found = {
        name: stack.firehose.describe_delivery_stream(DeliveryStreamName=physical)["DeliveryStreamDescription"]
        for name, physical in stack.resources("AWS::KinesisFirehose::DeliveryStream").items()
    }
    return [{"stream": name, "state": one["DeliveryStreamStatus"]} for name, one in found.items()]


def functions(stack: Stack) -> list[dict[str, Any]]:
    """Return, a function, its state and whether it takes messages from its queues."""
    rows = []
    for name, physical in stack.resources("AWS::Lambda::Function").items():
        configuration = stack.functions.get_function_configuration(FunctionName=physical)
        mappings = stack.functions.list_event_source_mappings(FunctionName=physical)["EventSourceMappings"]
        rows.append(
            {
                "function": name,
                "state": configuration.get("State", "Active"),
                "changed": configuration["LastModified"],
                "intake": ", ".join(
                    f"{mapping['EventSourceArn'].rpartition(':')[2]} {mapping['State']}" for mapping in mappings
                ),
            }
        )
    return rows


def alarms(stack: Stack) -> list[dict[str, Any]]:
    """Return the stack's alarms and their states."""
    names = {physical: name for name, physical in stack.resources("AWS::CloudWatch::Alarm").items()}
    if not names:
        return []
    found = stack.cloudwatch.describe_alarms(AlarmNames=list(names))["MetricAlarms"]
    return [
        {"alarm": names[alarm["AlarmName"]], "state": alarm["StateValue"], "since": _moment(alarm)} for alarm in found
    ]


def _moment(alarm: Any) -> str:
    return str(alarm["StateUpdatedTimestamp"].isoformat(timespec="seconds"))


def _oldest_seconds(stack: Stack, queue_name: str) -> int | None:
    """SQS tells the oldest message's age to CloudWatch only; the local AWS tells nobody."""
    now = datetime.now(UTC)
    points = stack.cloudwatch.get_metric_statistics(
        Namespace="AWS/SQS",
        MetricName="ApproximateAgeOfOldestMessage",
        Dimensions=[{"Name": "QueueName", "Value": queue_name}],
        StartTime=now - _AGE_WINDOW,
        EndTime=now,
        Period=60,
        Statistics=["Maximum"],
    )["Datapoints"]
    if not points:
        return None
    return int(max(points, key=lambda point: point["Timestamp"])["Maximum"])


def _table(title: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(title=title.capitalize(), title_justify="left")
    for column in rows[0] if rows else ("none",):
        table.add_column(column.replace("_", " "))
    for row in rows:
        style = "bold red" if row.get("state") == "ALARM" else None
        table.add_row(*("-" if value is None else str(value) for value in row.values()), style=style)
    return table
