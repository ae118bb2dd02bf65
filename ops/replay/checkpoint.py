"""How far the replay of an error object has come: read from the bucket, and written there before each call."""

from __future__ import annotations

import itertools
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from http import HTTPStatus
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
        beyond = max([self.next, *(position + 1 for position in batch)])
        left = {*self.left, *range(self.next, beyond)} - batch
        return replace(self, next=beyond, left=tuple(sorted(left)), sending=tuple(sorted({*self.sending, *batch})))

    def end(self, taken: Iterable[int], refused: Iterable[int]) -> Self:
        """Return what holds once it is known that some of these records were sent, and others surely were not."""
        refused = set(refused)
        sending = set(self.sending).difference(taken, refused)
        return replace(self, left=tuple(sorted({*self.left, *refused})), sending=tuple(sorted(sending)))


class Store:
    """The checkpoints, in the bucket that the error objects are in: below `replay/`, by the object's key.

    Each write is on condition that nobody else wrote since, so that two replays never send the same record.
    """

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket
        self._etags: dict[str, str] = {}
        self._run = secrets.token_hex(8)
        self._writes = itertools.count(1)

    def read(self, key: str, etag: str, records: int) -> Checkpoint:
        """Return how far the object's replay has come. Raises CheckpointUnusable."""
        found = self._get(key)
        if found is None:
            return Checkpoint(etag, records)
        body, self._etags[key] = found
        checkpoint = _parse(body, _key(key))
        if (checkpoint.etag, checkpoint.records) != (etag, records):
            raise CheckpointUnusable(f"{_key(key)} is of another version of it")
        return checkpoint

    def write(self, key: str, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint. Raises CallFailed where another replay wrote one since."""
        fields = {name: getattr(checkpoint, name) for name in checkpoint.__slots__}
        body = json.dumps({"version": VERSION, "writer": [self._run, next(self._writes)]} | fields).encode()
        condition: Any = {"IfMatch": self._etags[key]} if key in self._etags else {"IfNoneMatch": "*"}
        try:
            answer = self._client.put_object(Bucket=self._bucket, Key=_key(key), Body=body, **condition)
        except ClientError as error:
            if _status(error) not in {HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED}:
                raise
            there, etag = self._get(key) or (b"", "")
            if there != body:  # else it is this very write, whose first answer was lost
                raise CallFailed(f"another replay is at work on {key}: this one stops") from None
            self._etags[key] = etag
        else:
            self._etags[key] = answer["ETag"]

    def _get(self, key: str) -> tuple[bytes, str] | None:
        try:
            found = self._client.get_object(Bucket=self._bucket, Key=_key(key))
        except ClientError as error:
            if _status(error) == HTTPStatus.NOT_FOUND:
                return None
            raise
        return found["Body"].read(), found["ETag"]


def _key(key: str) -> str:
    return f"{PREFIX}{key}.json"


def _status(error: ClientError) -> int:
    return error.response["ResponseMetadata"]["HTTPStatusCode"]


def _parse(body: bytes, key: str) -> Checkpoint:
    try:
        checkpoint = _read(json.loads(body))
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        raise CheckpointUnusable(f"{key} cannot be read: if you delete it, all of the object is sent again") from None
    return checkpoint


def _read(fields: dict[str, Any]) -> Checkpoint:
    """Read what was written here, and nothing else: a wrong number would send records twice, or not at all."""
    left, sending = (tuple(map(_whole, _listed(fields[name]))) for name in ("left", "sending"))
    checkpoint = Checkpoint(str(fields["etag"]), _whole(fields["records"]), _whole(fields["next"]), left, sending)
    positions = (*left, *sending)
    if fields["version"] != VERSION or len(set(positions)) != len(positions):
        raise ValueError
    if checkpoint.next > checkpoint.records or any(position >= checkpoint.next for position in positions):
        raise ValueError
    return checkpoint


def _listed(value: Any) -> list[Any]:
    if type(value) is not list:
        raise TypeError
    return value


def _whole(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError
    return value
