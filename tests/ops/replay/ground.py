"""A bucket and a stream, replays from one to the other, and what there is to see of them afterwards."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any, Final, NamedTuple

from backstop.rounds import unmark
from ops.replay.run import Outcome, Replay, Rules, find
from tests.fakes.clock import VirtualClock
from tests.fakes.firehose import FakeFirehose
from tests.fakes.firehose_functions import each, passed
from tests.fakes.source import Handler

KEY: Final = "errors/processing-failed/2026/01/05/clicks-1"
WRITTEN_TO: Final = "replay/"

_numbers = count()

FAILING: Final = each(lambda record: passed(record, result="ProcessingFailed"))
"""A function that can transform nothing."""


class Stored(NamedTuple):
    etag: str
    body: bytes


def document(data: bytes, **but: object) -> str:
    """Return what Firehose writes of a record that failed."""
    fields = {
        "attemptsMade": 1,
        "arrivalTimestamp": 1767603600000,
        "errorCode": "Lambda.ProcessingFailedStatus",
        "errorMessage": "ProcessingFailed status set for record",
        "attemptEndingTimestamp": 1767603660000,
        "rawData": b64encode(data).decode(),
        "lambdaArn": "arn:aws:lambda:eu-west-1:123456789012:function:transform:$LATEST",
    }
    return json.dumps(fields | but) + "\n"


@dataclass
class Ground:
    """A bucket of its own and a stream of its own; `waits` has the seconds that replays would have waited."""

    s3: Any
    stream: FakeFirehose
    bucket: str
    waits: list[float] = field(default_factory=list)

    def keep(self, key: str, *data: bytes) -> str:
        """Write an error object of these records; return its key."""
        return self.write(key, "".join(map(document, data)).encode())

    def write(self, key: str, body: bytes) -> str:
        """Write an object; return its key."""
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        return key

    def deliver(self) -> list[str]:
        """Let the stream deliver what it has taken, and put what failed in the bucket; return the new objects' keys."""
        before = set(self.stream.objects)
        self.stream.run_until_quiet()
        return [self.write(key, body) for key, body in self.stream.objects.items() if key not in before]

    def find(self, prefix: str = "errors/", since: datetime | None = None) -> list[str]:
        """Return the keys that a replay would take, in its order."""
        return [found.key for found in find(self.s3, self.bucket, prefix, since)]

    def replay(
        self,
        *,
        max_replays: int = 3,
        dry_run: bool = False,
        resend_doubtful: bool = False,
        is_stopped: Callable[[], bool] = lambda: False,
        s3: Any = None,
        firehose: Any = None,
    ) -> Outcome:
        """Replay all there is, with nothing left in memory of the replays before; return what came of it."""
        s3, firehose = s3 or self.s3, firehose or self.stream
        rules = Rules(max_replays, is_dry_run=dry_run, resends_doubtful=resend_doubtful)
        replay = Replay(s3, firehose, self.bucket, self.stream.name, rules, is_stopped, wait=self.waits.append)
        list(replay.run(find(s3, self.bucket, "errors/", None)))
        return replay.outcome

    def arrived(self) -> list[bytes]:
        """Return what is on the stream, as it is there."""
        return [record.data for record in self.stream.buffered]

    def unmarked(self) -> list[bytes]:
        """Return what is on the stream, as its producers put it there."""
        return [unmark(data)[1] for data in self.arrived()]

    def contents(self) -> dict[str, Stored]:
        """Return all there is in the bucket."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        keys = [found["Key"] for page in pages for found in page.get("Contents", ())]
        return {key: self._stored(key) for key in keys}

    def checkpoint(self, key: str = KEY) -> dict[str, Any]:
        """Return the checkpoint of an error object."""
        fields: dict[str, Any] = json.loads(self._stored(f"{WRITTEN_TO}{key}.json").body)
        return fields

    def _stored(self, key: str) -> Stored:
        found = self.s3.get_object(Bucket=self.bucket, Key=key)
        return Stored(found["ETag"], found["Body"].read())


def ground_of(s3: Any, handler: Handler = FAILING) -> Ground:
    """Set up a bucket that nobody else has, and a stream as the template has it."""
    stream = FakeFirehose(
        "clicks",
        handler,
        VirtualClock(),
        prefix="data/!{timestamp:yyyy/MM/dd}/",
        error_prefix="errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd}/",
        compresses=True,
    )
    ground = Ground(s3, stream, f"shop-data-{next(_numbers)}")
    s3.create_bucket(Bucket=ground.bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return ground


def numbered(count: int, name: str = "click") -> list[bytes]:
    """Return so many records, each another one."""
    return [b'{"id": "%s-%d"}\n' % (name.encode(), number) for number in range(count)]


def zipped(*parts: str | bytes) -> bytes:
    """Return gzip with a member for each part."""
    return b"".join(gzip.compress(part.encode() if isinstance(part, str) else part, mtime=0) for part in parts)
