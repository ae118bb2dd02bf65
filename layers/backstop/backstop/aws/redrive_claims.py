"""A group in, whether it may be redriven unasked by whoever asks out: by one only, for a while."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from backstop.aws.answers import Refused, answered

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_CLAIMS: Final = "auto"
"""What claims are kept under, in the table of redrives: no job is called so."""
_NO_ANSWER: Final = "the table of redrives did not answer"


def claim(client: DynamoDBClient, table: str, group: str, job_id: str, now: datetime, until: datetime) -> bool:
    """Claim a group for a job until a time, to the second; False where it is another one's. Raises StoreUnavailable.

    A schedule may call twice at once, and neither of the two sees the other's job in time.
    """
    item: Any = {
        "job": {"S": _CLAIMS},
        "part": {"S": group},
        "by": {"S": job_id},
        "expires": {"N": str(int(until.timestamp()))},
    }
    try:
        with answered(_NO_ANSWER):
            client.put_item(
                TableName=table,
                Item=item,
                ConditionExpression="attribute_not_exists(job) OR expires <= :now",
                ExpressionAttributeValues={":now": {"N": str(int(now.timestamp()))}},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
    except Refused as refused:
        return bool(refused.item == item)  # it was claimed at the first try, whose answer was lost
    return True
