"""What the bucket keeps of dead letters."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from ops.stack import Stack
from tests.fakes.faults import Faults
from tests.ops.dlq.ground import Ground


class Bucket(NamedTuple):
    """The stack's bucket; `client` is touched by no fault of the stack's."""

    client: Any

    def keys(self) -> list[str]:
        """Return the names of what is kept."""
        return [one["Key"] for one in self.client.list_objects_v2(Bucket="data").get("Contents", ())]

    def text(self, key: str) -> str:
        """Return what an object holds."""
        return str(self.client.get_object(Bucket="data", Key=key)["Body"].read().decode())


@pytest.fixture
def bucket(ground: Ground, stack: Stack, faults: Faults) -> Any:
    client: Any = stack.session.client("s3")
    client.create_bucket(Bucket="data", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return Bucket(client)
