"""Dead letters that would expire in, objects of the bucket out; and back: a place that dead letters lie in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from backstop.errors import StoreUnavailable
from backstop.letter import Letter, letter

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PREFIX: Final = "rescued/"
NAME: Final = "rescued"
"""What the place is called."""


class Rescued:
    """The bucket's dead letters. Nothing hides them from another one who looks: one job at a time takes them."""

    def __init__(self, client: S3Client, bucket: str, queues: frozenset[str], now: Callable[[], datetime]) -> None:
        self._client: Any = client
        self._bucket = bucket
        self._queues = queues
        self._now = now
        self._found: Iterator[Letter] | None = None

    @property
    def name(self) -> str:
        """What the place is called."""
        return NAME

    def keep(self, found: Letter) -> None:
        """Keep a letter as it is; the same one twice is one object. Raises StoreUnavailable."""
        body = json.dumps({"queue": found.place, "record": dict(found.record)}).encode()
        key = f"{PREFIX}{found.place}/{found.sent_at:%Y-%m-%d}/{found.message_id}.json"
        try:
            self._client.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType="application/json")
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailable(f"the bucket did not take a dead letter: {error}") from error

    def take(self, seconds: int, most: int = 10) -> list[Letter]:  # nothing is hidden
        """Return the next letters, each once; none where all were returned. Raises StoreUnavailable."""
        if self._found is None:
            self._found = self._letters()
        letters: list[Letter] = []
        for one in self._found:
            letters.append(one)
            if len(letters) == most:
                break
        return letters

    def release(self, letters: Sequence[Letter]) -> None:
        """Do nothing: whoever looks sees them."""

    def delete(self, letters: Sequence[Letter]) -> list[Letter]:
        """Delete letters, and return those of which it is not known that they are gone."""
        if not letters:
            return []
        keys = [{"Key": one.message_id} for one in letters]
        try:
            answer = self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": keys})
        except (ClientError, BotoCoreError):
            return list(letters)
        gone = {deleted["Key"] for deleted in answer.get("Deleted", ())}
        return [one for one in letters if one.message_id not in gone]

    def hidden(self) -> int:
        """Return 0: nothing is hidden."""
        return 0

    def _letters(self) -> Iterator[Letter]:
        try:
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=PREFIX)
            for page in pages:
                for found in page.get("Contents", ()):
                    yield self._letter(found["Key"])
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailable(f"the rescued dead letters could not be read: {error}") from error

    def _letter(self, key: str) -> Letter:
        answer = self._client.get_object(Bucket=self._bucket, Key=key)
        record = json.loads(answer["Body"].read())["record"]
        return letter({**record, "messageId": key, "receiptHandle": ""}, self._queues, self._now())
