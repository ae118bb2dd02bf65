"""Events that were redriven in, which of them failed again out, as far as the logs have told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from backstop.aws.answers import answered
from backstop.redact import redact

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_NEWEST: Final = 10
_GOES_WELL: Final = frozenset({"recovered"})
_SAYS_NOTHING: Final = "redriven"
"""What the mover itself tells: that an event was sent, not what became of it."""
_NO_ANSWER: Final = "the table of failed events did not answer"


def failed_again(client: DynamoDBClient, table: str, event_ids: Sequence[str], redrive_id: str) -> Mapping[str, bool]:
    """Return, of those events that were heard of since a redrive, whether they failed again.

    Raises StoreUnavailable.
    """
    found = {event_id: _newest_state(client, table, event_id, redrive_id) for event_id in dict.fromkeys(event_ids)}
    return {event_id: state not in _GOES_WELL for event_id, state in found.items() if state}


def _newest_state(client: DynamoDBClient, table: str, event_id: str, redrive_id: str) -> str:
    with answered(_NO_ANSWER):
        answer: Any = client.query(
            TableName=table,
            KeyConditionExpression="event_id = :id",
            ExpressionAttributeValues={":id": {"S": redact(event_id)}},
            ScanIndexForward=False,
            Limit=_NEWEST,
        )
    states = (item["state"]["S"] for item in answer["Items"] if item.get("redrive_id", {}).get("S") == redrive_id)
    return next((state for state in states if state != _SAYS_NOTHING), "")
