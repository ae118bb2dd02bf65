"""A stack in, what is in its bucket and in its log out: the eyes and hands of the stream's drill."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from backstop.aws.firehose import put
from ops.drill.rehearsed import require_drills
from ops.drill.stream.account import Failure
from ops.drill.stream.data import Contents, contents
from ops.stack import Stack

SKEW: Final = timedelta(minutes=5)
"""How far this machine's clock may be from AWS's: it refuses signatures of clocks that are further off (IAM User Guide,
"Elements of an AWS API request signature")."""

_READERS: Final = 8
_PATTERN: Final = '"pipeline_event" "ProcessingFailed"'


class Ground:
    """The stream, the bucket and the log of the stack that a drill runs on, from now on.

    What failed before is not the drill's. What was read once is not read again: objects are never changed.
    """

    def __init__(self, stack: Stack, drill: str, now: datetime) -> None:
        require_drills(stack, "clicks")
        self.delivered: Counter[str] = Counter()
        self.strange = 0
        self.addresses = 0
        self._stack = stack
        self._drill = drill
        self._stream = stack.output("ClicksStreamName")
        self._bucket = stack.output("DataBucketName")
        self._log = stack.output("PipelineLogsName")
        self._since = now - SKEW
        self._read: set[str] = set()
        self._failed_before = self._failures().keys()

    def put(self, records: Sequence[bytes]) -> list[str]:
        """Put records on the stream; return, for each, why it was not taken, or nothing if it was."""
        return put(self._stack.firehose, self._stream, records)

    def read_data(self) -> None:
        """Read what has been delivered since the last time."""
        keys = [key for key in self._keys(datetime.now(UTC)) if key not in self._read]
        with ThreadPoolExecutor(_READERS) as pool:
            for found in pool.map(self._contents, keys):
                self.delivered.update(found.ids)
                self.strange += found.strange
                self.addresses += found.addresses
        self._read.update(keys)

    def failures(self) -> list[Failure]:
        """Return the failed records, each once: a batch that Firehose hands over again is told of again."""
        return [failure for record, failure in self._failures().items() if record not in self._failed_before]

    def _keys(self, now: datetime) -> Iterator[str]:
        """List what was written since the start, by the days that keys begin with."""
        pages = self._stack.s3.get_paginator("list_objects_v2")
        day = self._since.date()
        while day <= (now + SKEW).date():
            for page in pages.paginate(Bucket=self._bucket, Prefix=f"data/{day:%Y/%m/%d}/"):
                yield from (one["Key"] for one in page.get("Contents", ()) if one["LastModified"] >= self._since)
            day += timedelta(days=1)

    def _contents(self, key: str) -> Contents:
        return contents(self._stack.s3.get_object(Bucket=self._bucket, Key=key)["Body"].read(), self._drill)

    def _failures(self) -> dict[str, Failure]:
        pages = self._stack.logs.get_paginator("filter_log_events").paginate(
            logGroupName=self._log, startTime=int(self._since.timestamp() * 1000), filterPattern=_PATTERN
        )
        found = (self._failure(event["message"]) for page in pages for event in page["events"])
        return {failure.record_id: failure for failure in found if failure is not None}

    def _failure(self, line: str) -> Failure | None:
        """Read a pipeline event; None where the line is none, or of another stream or drill."""
        try:
            fields: Any = json.loads(line)
        except (ValueError, RecursionError):
            return None
        expected = {"pipeline_event": "failed", "verdict": "ProcessingFailed", "stream": self._stream}
        if not isinstance(fields, dict) or any(fields.get(name) != value for name, value in expected.items()):
            return None
        failure = Failure(str(fields.get("record_id")), str(fields.get("event_id", "")))
        return failure if not failure.event_id or failure.event_id.startswith(self._drill) else None
