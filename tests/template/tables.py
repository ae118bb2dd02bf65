"""A table of the template in, the same table on moto out."""

from __future__ import annotations

from typing import Any, Final

from tests.template.document import RESOURCES

_LAYOUT: Final = ("AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes")


def make_table(dynamodb: Any, name: str, resource: str) -> None:
    """Make a table of that name as template.yaml has the resource."""
    properties = RESOURCES[resource]["Properties"]
    dynamodb.create_table(TableName=name, **{key: properties[key] for key in _LAYOUT if key in properties})
