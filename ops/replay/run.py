"""A bucket and a stream in; the error objects' records put back on the stream, and what became of each out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from time import sleep
from typing import TYPE_CHECKING, Final, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from backstop.aws.firehose import MAX_CALL_BYTES, MAX_RECORDS, Entry
from backstop.batches import pack
from backstop.rounds import MAX_RECORD_BYTES
from ops.failure import CallFailed, sentence
from ops.replay.checkpoint import Checkpoint, CheckpointUnusable, Store
from ops.replay.error_object import Kept, Unreadable, read
from ops.replay.sending import InDoubt, put

if TYPE_CHECKING:
    from mypy_boto3_firehose import FirehoseClient
    from mypy_boto3_s3 import S3Client

PAUSES: Final = (0.5, 1, 2, 4, 8, 16)
"""Seconds to wait, one after the other, while the stream is too busy and takes nothing at all."""


class Found(NamedTuple):
    """An error object: its key, its version and its size in bytes."""

    key: str
    etag: str
    size: int


@dataclass(slots=True)
class Outcome:
    """What became of the records. `in_doubt` and `unreadable` are by object."""

    objects: int = 0
    sent: int = 0
    sent_before: int = 0
    rounds_used_up: int = 0
    too_large: int = 0
    in_doubt: dict[str, int] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    stopped: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether every record of every object is on the stream."""
        return not (self.rounds_used_up or self.too_large or self.in_doubt or self.unreadable or self.stopped)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the person asked for.

    `max_replays` is how often a record may be replayed in all. A dry run sends and writes nothing. `resends_doubtful`
    sends again what an interrupted call may have sent.
    """

    max_replays: int
    is_dry_run: bool
    resends_doubtful: bool


def find(s3: S3Client, bucket: str, prefix: str, since: datetime | None) -> list[Found]:
    """List the objects below a prefix that were written at `since` or later, oldest first."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    objects = [
        one for page in pages for one in page.get("Contents", ()) if since is None or one["LastModified"] >= since
    ]
    objects.sort(key=lambda one: (one["LastModified"], one["Key"]))
    return [Found(one["Key"], one["ETag"], one["Size"]) for one in objects]


@dataclass
class Replay:
    """A replay of error objects onto their stream. `is_stopped` is asked before each call."""

    s3: S3Client
    firehose: FirehoseClient
    bucket: str
    stream: str
    rules: Rules
    is_stopped: Callable[[], bool]
    outcome: Outcome = field(default_factory=Outcome)
    wait: Callable[[float], None] = sleep

    def __post_init__(self) -> None:
        self._store = Store(self.s3, self.bucket)

    def run(self, objects: Sequence[Found]) -> Iterator[Found]:
        """Replay one object after the other; yields each that it has come past.

        What stops it (no permission, a stream that takes nothing, a lost answer) is in the outcome, as is what a person
        stopped: the same call goes on from there.
        """
        for found in objects:
            if self._is_over():
                return
            try:
                self._replay(found)
            except (Unreadable, CheckpointUnusable) as error:
                self.outcome.unreadable[found.key] = str(error)
            except CallFailed as error:
                self.outcome.stopped = str(error)
            except (ClientError, BotoCoreError) as error:
                self.outcome.stopped = sentence(error)
            yield found

    def _replay(self, found: Found) -> None:
        kept = read(self._fetch(found.key))
        checkpoint = self._store.read(found.key, found.etag, len(kept))
        self.outcome.objects += 1
        self.outcome.sent_before += checkpoint.sent
        entries = list(self._entries(kept, checkpoint))
        if self.rules.is_dry_run:
            self.outcome.sent += len(entries)
        else:
            checkpoint = self._send(found.key, entries, checkpoint)
        doubtful = set(checkpoint.sending)
        if self.rules.is_dry_run:
            doubtful.difference_update(entry.position for entry in entries)
        if doubtful:
            self.outcome.in_doubt[found.key] = len(doubtful)

    def _fetch(self, key: str) -> bytes:
        try:
            return self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except ClientError as error:  # gone since the list was made, archived, or not ours to read
            raise Unreadable(sentence(error)) from None

    def _entries(self, kept: Sequence[Kept], checkpoint: Checkpoint) -> Iterator[Entry]:
        doubtful = checkpoint.sending if self.rules.resends_doubtful else ()
        for position in sorted([*checkpoint.waiting, *doubtful]):
            data, mark = kept[position]
            if mark.replays >= self.rules.max_replays:
                self.outcome.rounds_used_up += 1
                continue
            entry = Entry(position, mark._replace(rounds=0, replays=mark.replays + 1).before(data))
            if len(entry.data) > MAX_RECORD_BYTES:
                self.outcome.too_large += 1
                continue
            yield entry

    def _send(self, key: str, entries: Sequence[Entry], checkpoint: Checkpoint) -> Checkpoint:
        for batch in pack(entries, MAX_RECORDS, MAX_CALL_BYTES):
            waiting, pauses = batch, iter(PAUSES)
            while waiting and not self._is_over():
                before = len(waiting)
                checkpoint, waiting = self._call(key, waiting, checkpoint)
                if waiting and not self._is_over():
                    pauses = pauses if len(waiting) == before else iter(PAUSES)
                    self._pause(pauses)
        if entries:
            self._store.write(key, checkpoint)
        return checkpoint

    def _call(self, key: str, batch: Sequence[Entry], checkpoint: Checkpoint) -> tuple[Checkpoint, list[Entry]]:
        """Make one call, written down before it is made; returns what holds after it, and what was not taken.

        Whoever goes on after a process that ended in between knows by that what is in doubt.
        """
        positions = {entry.position for entry in batch}
        doubtful = positions.intersection(checkpoint.sending)
        checkpoint = checkpoint.begin(positions)
        self._store.write(key, checkpoint)
        refused = list(batch)
        try:
            refused = [batch[place] for place in put(self.firehose, self.stream, [entry.data for entry in batch])]
        except InDoubt as error:
            self.outcome.stopped = f"whether the last call arrived is not known: {error}"
            return checkpoint, []
        except CallFailed as error:
            self.outcome.stopped = str(error)
        self.outcome.sent += len(batch) - len(refused)
        left = {entry.position for entry in refused}  # of these, what was in doubt before still is
        return checkpoint.end(positions - left, left - doubtful), refused

    def _is_over(self) -> bool:
        if not self.outcome.stopped and self.is_stopped():
            self.outcome.stopped = "you stopped it"
        return bool(self.outcome.stopped)

    def _pause(self, pauses: Iterator[float]) -> None:
        seconds = next(pauses, None)
        if seconds is None:
            self.outcome.stopped = "the stream is throttled and takes no more: try again later"
        else:
            self.wait(seconds)
