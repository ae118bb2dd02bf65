"""Groups' names in, what is known of them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from backstop.aws.answers import answered
from backstop.aws.groups_items import group_of, key
from backstop.groups import Group

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_MAX_KEYS: Final = 100  # AWS, "BatchGetItem"
_NO_ANSWER: Final = "the table of failure groups did not answer"


def known_groups(client: DynamoDBClient, table: str, groups: Sequence[str]) -> Mapping[str, Group]:
    """Return those of up to 100 groups that are known, by name; one that is throttled is left out.

    Raises StoreUnavailable.
    """
    keys: Any = [key(group) for group in groups[:_MAX_KEYS]]
    if not keys:
        return {}
    with answered(_NO_ANSWER):
        answer = client.batch_get_item(RequestItems={table: {"Keys": keys}})
    found = [group_of(item) for item in answer["Responses"].get(table, [])]
    return {group.group: group for group in found}
