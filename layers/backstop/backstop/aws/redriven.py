"""Events that were redriven in, which of them failed again out, as far as the logs have told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from backstop.aws.answers import answered
from backstop.errors import CircuitOpen
from backstop.redact import redact

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_NEWEST: Final = 10
_GOES_WELL: Final = frozenset({"recovered"})
_SAYS_NOTHING: Final = "redriven"
"""What the mover itself tells: that an event was sent, not what became of it."""
_NO_ANSWER: Final = "the table of failed events did not answer"


def failed_again(
    client: DynamoDBClient, table: str, event_ids: Sequence[str], redrive_id: str
) -> Mapping[str, bool | None]:
    """Return, of those events that were heard of since a redrive, whether they failed again.

    None of those that an open circuit has refused: they arrived, and were not handled. Raises StoreUnavailable.
    """
    found = {event_id: _newest_row(client, table, event_id, redrive_id) for event_id in dict.fromkeys(event_ids)}
    return {event_id: _has_failed(row) for event_id, row in found.items() if row}


def _has_failed(row: Mapping[str, Any]) -> bool | None:
    if row["state"]["S"] in _GOES_WELL:
        return False
    return None if row.get("error_type", {}).get("S") == CircuitOpen.__name__ else True


def _newest_row(client: DynamoDBClient, table: str, event_id: str, redrive_id: str) -> Mapping[str, Any]:
    with answered(_NO_ANSWER):
        answer: Any = client.query(
            TableName=table,
            KeyConditionExpression="event_id = :id",
            ExpressionAttributeValues={":id": {"S": redact(event_id)}},
            ScanIndexForward=False,
            Limit=_NEWEST,
        )
    rows = (item for item in answer["Items"] if item.get("redrive_id", {}).get("S") == redrive_id)
    return next((row for row in rows if row["state"]["S"] != _SAYS_NOTHING), {})
