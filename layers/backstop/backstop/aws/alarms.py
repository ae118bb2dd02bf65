"""Alarms' names in, those that ring out."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from backstop.aws.refusals import asked

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient


class Alarms:
    """CloudWatch's alarms on metrics. Of those made of other alarms, only who may read all of an account's is told."""

    def __init__(self, client: CloudWatchClient) -> None:
        self._client = client

    def ringing(self, names: Collection[str]) -> frozenset[str]:
        """Return which of these alarms (100 at most) ring; one that is gone does not. Raises SystemFault."""
        if not names:
            return frozenset()  # AWS would tell of all alarms of the account
        with asked("the alarms could not be read"):
            answer = self._client.describe_alarms(AlarmNames=sorted(names), AlarmTypes=["MetricAlarm"])
        found = {alarm["AlarmName"] for alarm in answer["MetricAlarms"] if alarm["StateValue"] == "ALARM"}
        return frozenset(found) & frozenset(names)
