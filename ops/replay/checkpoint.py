"""How far the replay of an error object has come: read from the bucket, and written there before each call."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Self

from botocore.exceptions import ClientError

from ops.failure import CallFailed

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PREFIX: Final = "replay/"
VERSION: Final = 1


class CheckpointUnusable(Exception):
    """Raised when a checkpoint cannot be read, or is not of the object that is there now."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where each record of an error object is, by its position in it.

    Those before `next` were sent, unless they are among `left` (surely not sent) or `sending` (perhaps sent: their call
    was begun and its end is not known).
    """

    etag: str
    records: int
    next: int = 0
    left: tuple[int, ...] = ()
    sending: tuple[int, ...] = ()

    @property
    def waiting(self) -> list[int]:
        """The positions that are surely not sent."""
        return [*self.left, *range(self.next, self.records)]

    @property
    def sent(self) -> int:
        """How many records were sent."""
        return self.next - len(self.left) - len(self.sending)

    def begin(self, positions: Iterable[int]) -> Self:
        """Return what holds once a call for these records, among those that wait, may have been made."""
        batch = set(positions)
        beyond = max(self.next, *(position + 1 for position in batch))
        left = {*self.left, *range(self.next, beyond)} - batch
        return replace(self, next=beyond, left=tuple(sorted(left)), sending=tuple(sorted({*self.sending, *batch})))

    def end(self, positions: Iterable[int], refused: Iterable[int]) -> Self:
        """Return what holds once a call for these records was answered, and some of them were refused."""
        sending = set(self.sending).difference(positions)
        return replace(self, left=tuple(sorted({*self.left, *refused})), sending=tuple(sorted(sending)))

    def doubtful_again(self) -> Self:
        """Return what holds if those that may have been sent are to be sent again."""
        return replace(self, left=tuple(sorted({*self.left, *self.sending})), sending=())


class Store:
    """The checkpoints, in the bucket that the error objects are in: below `replay/`, by the object's key.

    Each write is on condition that nobody else wrote since, so that two replays never send the same record.
    """

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket
        self._etags: dict[str, str] = {}

    def read(self, key: str, etag: str, records: int) -> Checkpoint:
        """Return how far the object's replay has come. Raises CheckpointUnusable."""
        try:
            found = self._client.get_object(Bucket=self._bucket, Key=_key(key))
        except self._client.exceptions.NoSuchKey:
            return Checkpoint(etag, records)
        self._etags[key] = found["ETag"]
        checkpoint = _parse(found["Body"].read(), _key(key))
        if (checkpoint.etag, checkpoint.records) != (etag, records):
            raise CheckpointUnusable(f"{_key(key)} is of another version of it")
        return checkpoint

    def write(self, key: str, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint. Raises CallFailed where another replay wrote one since."""
        fields = {name: getattr(checkpoint, name) for name in checkpoint.__slots__}
        body = json.dumps({"version": VERSION} | fields).encode()
        condition: Any = {"IfMatch": self._etags[key]} if key in self._etags else {"IfNoneMatch": "*"}
        try:
            answer = self._client.put_object(Bucket=self._bucket, Key=_key(key), Body=body, **condition)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in {409, 412}:
                raise CallFailed(f"another replay is at work on {key}: this one stops") from None
            raise
        self._etags[key] = answer["ETag"]


def _key(key: str) -> str:
    return f"{PREFIX}{key}.json"


def _parse(body: bytes, key: str) -> Checkpoint:
    try:
        fields = json.loads(body)
        if fields.pop("version") != VERSION:
            raise ValueError
        checkpoint = Checkpoint(
            etag=str(fields["etag"]),
            records=int(fields["records"]),
            next=int(fields["next"]),
            left=tuple(map(int, fields["left"])),
            sending=tuple(map(int, fields["sending"])),
        )
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        raise CheckpointUnusable(f"{key} cannot be read: if you delete it, all of the object is sent again") from None
    if not all(0 <= position < checkpoint.next for position in (*checkpoint.left, *checkpoint.sending)):
        raise CheckpointUnusable(f"{key} does not add up: if you delete it, all of the object is sent again")
    return checkpoint
