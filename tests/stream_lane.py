"""The stream lane: the real app.py between producers and a bucket, on one clock."""

from __future__ import annotations

import base64
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final
from unittest.mock import patch

import boto3

from backstop import Kind
from backstop.aws import clients
from backstop.rounds import unmark
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Faults
from tests.fakes.firehose import FakeFirehose
from tests.fakes.firehose_processor import Invocation
from tests.fakes.handler import Event
from tests.fakes.source import FakeContext, WorkerDied
from tests.worker import FUNCTIONS, Worker, deployed

TRANSFORM: Final = FUNCTIONS / "transform"
FUNCTION: Final = "shop-transform"
STREAM: Final = "shop-clicks"
TIMEOUT: Final = timedelta(seconds=60)

BROWSER: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
_KEY_NAME: Final = "email-key"

Act = BaseException | Callable[[Event], Any]
"""What the handler does with a click: raise, or return whatever this makes of it."""


class ScriptedTransform:
    """The team's handler, told what to do with each click; one that it is told nothing of is stored as it is."""

    def __init__(self) -> None:
        self.runs: list[str] = []
        """The ids of clicks in the order in which they were run."""
        self.kinds: dict[type[BaseException], Kind] = {}
        """The handler's own table of errors."""
        self._acts: dict[str, list[Act]] = {}

    def will(self, click_id: str, *acts: Act) -> None:
        """Say what each run of a click does; the last act stands for all later runs."""
        self._acts[click_id] = list(acts)

    def forget(self) -> None:
        """Forget what was told and what was done."""
        self.runs.clear()
        self._acts.clear()

    def transform(self, click: Event) -> Any:
        """Do as told."""
        self.runs.append(click["id"])
        acts = self._acts.get(click["id"], [dict])
        act = acts.pop(0) if len(acts) > 1 else acts[0]
        if isinstance(act, BaseException):
            raise act.with_traceback(None)  # an error that is raised again would keep the frames of its former life
        return act(click)


@dataclass
class StreamLane:
    """ClicksStream, the function that transforms its records, and DataBucket."""

    clock: VirtualClock
    faults: Faults
    script: ScriptedTransform | None
    buffer_bytes: int
    after_put: Callable[[], object] = lambda: None
    """What happens when the stream has taken what the function put back."""
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _deadline: datetime | None = None

    @property
    def handler(self) -> ScriptedTransform:
        """The script that stands in for the team's handler."""
        assert self.script is not None, "this lane runs the sample's own handler"
        return self.script

    @cached_property
    def worker(self) -> Worker:
        """What runs the function."""
        script = self.script
        return Worker(TRANSFORM, None if script is None else {"transform": script.transform, "KINDS": script.kinds})

    @cached_property
    def stream(self) -> FakeFirehose:
        """ClicksStream, as template.yaml has it."""
        return FakeFirehose(
            STREAM,
            self._run_worker,
            self.clock,
            self.faults,
            buffer_bytes=self.buffer_bytes,
            prefix="data/!{timestamp:yyyy/MM/dd}/",
            error_prefix="errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd}/",
            compresses=True,
            timeout=TIMEOUT,
            function_name=FUNCTION,
        )

    @property
    def invocations(self) -> list[Invocation]:
        """Each try to transform a batch, in their order."""
        return self.stream.invocations

    def click(self, click_id: str = "", **fields: Any) -> Event:
        """Return a click as the sample's schema has it, with an id of its own."""
        return {
            "id": click_id or f"click-{next(self._numbers)}",
            "at": "2026-01-05T09:00:00Z",
            "page": "https://shop.example/tea",
            "user_agent": BROWSER,
        } | fields

    def put(self, *records: Event | bytes) -> list[bytes]:
        """Put clicks (or data as it is) on the stream and return the data of each; no fault befalls a producer."""
        data = [record if isinstance(record, bytes) else json.dumps(record).encode() for record in records]
        with patch.multiple(self.stream, faults=Faults(), refuses=lambda data: False):
            for one in data:
                self.stream.put_record_batch(DeliveryStreamName=STREAM, Records=[{"Data": one}])
        return data

    def deliver(self) -> None:
        """Wait until a batch is due and let the function transform it."""
        due = self.stream.next_due()
        assert due is not None, "the stream is empty"
        self.clock.advance_to(due)
        self.stream.poll()

    def run(self) -> None:
        """Let time pass until nothing is on its way any more.

        What goes round and round, or multiplies, is found out: no test puts more than 100 batches on the stream.
        """
        self.stream.run_until_quiet(most_rounds=100)

    def invoke(self, *data: Any) -> list[dict[str, Any]]:
        """Invoke the function with records that carry `data` where base64 should be, and return its answers."""
        records = [{"recordId": f"record-{number}", "data": one} for number, one in enumerate(data)]
        return self.answer({"records": records})

    def answer(self, event: Event) -> list[dict[str, Any]]:
        """Invoke the function with an event, and return its answer's records."""
        answer: Any = self.worker.invoke(event, FakeContext(self.clock, FUNCTION, TIMEOUT))
        records: list[dict[str, Any]] = answer["records"]
        return records

    def put_record_batch(self, **request: Any) -> dict[str, Any]:
        """Do as the function's own client."""
        answer = self.stream.put_record_batch(**request)
        self.after_put()
        return answer

    def _run_worker(self, event: Any, context: Any) -> object:
        self._deadline = self.clock.now() + TIMEOUT
        try:
            return self.worker.invoke(event, context)
        finally:
            self._deadline = None

    def kill_if_late(self, moment: datetime) -> None:
        """Do as Lambda at a timeout: the worker is gone at once, and does nothing any more."""
        if self._deadline is not None and moment > self._deadline:
            self._deadline = None
            raise WorkerDied(f"Task timed out after {TIMEOUT.total_seconds():.2f} seconds")

    def stored(self) -> list[Event]:
        """Return what stands in data/: a JSON object a line."""
        *lines, end = self.stream.delivered().split(b"\n")
        assert end == b"", "the last line has no end"
        return [json.loads(line) for line in lines]

    def stored_ids(self) -> list[str]:
        """Return the ids of what stands in data/, in its order."""
        return [click["id"] for click in self.stored()]

    def kept(self) -> list[bytes]:
        """Return the data in errors/ as its producers put it, in its order."""
        return [unmark(base64.b64decode(document["rawData"]))[1] for document in self.stream.errors()]

    def forget(self) -> None:
        """Empty the stream, its bucket, script, faults and what was printed; the worker stays warm."""
        stream = self.stream
        for collection in (stream.buffered, stream.invocations, stream.objects):
            collection.clear()
        stream.refuses = lambda data: False
        self.after_put = lambda: None
        self.faults.clear()
        self.faults.calls.clear()
        self.worker.forget_printed()
        if self.script is not None:
            self.script.forget()


@contextmanager
def stream_lane(
    script: ScriptedTransform | None = None, *, buffer_bytes: int = 1024 * 1024, **environment: str
) -> Iterator[StreamLane]:
    """Set a lane up. Without a script it runs the sample's own handler, with a key in Secrets Manager.

    `environment` overrides the function's variables.
    """
    clock, faults = VirtualClock(), Faults()
    lane = StreamLane(clock, faults, script, buffer_bytes)
    own = {"STREAM_NAME": STREAM, "EMAIL_KEY": _KEY_NAME}
    with ExitStack() as stack:
        stack.enter_context(deployed(TRANSFORM, FUNCTION, clock, own | environment))
        clock.follow(lane.kill_if_late)
        stack.enter_context(patch.object(clients, "client", {"firehose": lane}.__getitem__))
        if script is None:
            keys().create_secret(Name=_KEY_NAME, SecretString="a key of the team's own")
        yield lane


def keys() -> Any:
    """Return a client of Secrets Manager, where the sample's key is."""
    return boto3.client("secretsmanager", region_name="eu-west-1")


def change_key(key: str) -> None:
    """Give the sample another key; a worker that has read the old one keeps it."""
    keys().put_secret_value(SecretId=_KEY_NAME, SecretString=key)


def verdicts(lane: StreamLane) -> Counter[str]:
    """Return how many records the metrics count by their verdict."""
    sums: Counter[str] = Counter()
    for metric in lane.worker.metrics():
        if "VerdictCount" in metric:
            sums[metric["Verdict"]] += int(metric["VerdictCount"][0])
    return sums
