"""A parked event in, the attributes of its item out, and back: compressed where large, in the bucket where huge."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from backstop.errors import StoreUnavailable
from backstop.message import Record
from backstop.parking import Parked
from backstop.trail import ATTRIBUTE, MAX_LENGTH

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PLAIN_BYTES: Final = 4096
"""Up to this size a record stands in its item as it is, for people to read; above it, it is compressed."""

ITEM_BYTES: Final = 340_000
"""Up to this size a record stands in its item: an item is at most 400 KB (DynamoDB quotas), its history about 16."""

PREFIX: Final = "parked/"
_MOST_BYTES: Final = 32 * 1024 * 1024
"""No record is larger: a message of 1 MiB, each character escaped."""


class ParkedRecords:
    """Turns parked events into attributes. `s3` is asked for a client only where a record is too large for an item."""

    def __init__(self, s3: Callable[[], S3Client], bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def attributes(self, key: str, event: Parked) -> dict[str, Any]:
        """Return an event's attributes. Raises StoreUnavailable where the bucket did not take its record."""
        own = dict(event.record["messageAttributes"])
        trail = ""
        if len(event.trail) <= MAX_LENGTH:  # else it was not written here, and may be of any size
            trail = event.trail
            own.pop(ATTRIBUTE, None)
        found = {
            "event_id": {"S": event.event_id} if event.event_id else None,
            "blocked_by": {"S": event.blocked_by} if event.blocked_by else None,
            "trail": {"S": trail} if trail else None,
        }
        text = json.dumps({**event.record, "messageAttributes": own}, separators=(",", ":")).encode()
        stored = self._stored(key, event.sequence, text)
        return {name: value for name, value in found.items() if value is not None} | stored

    def event(self, item: dict[str, Any], sequence: str) -> Parked:
        """Return the event of an item. Raises StoreUnavailable where the bucket did not give its record."""
        place = place_of(item)
        record: Record = json.loads(self._text(item))
        if "trail" in item:
            attribute = {"stringValue": item["trail"]["S"], "dataType": "String"}
            record = {**record, "messageAttributes": {**record["messageAttributes"], ATTRIBUTE: attribute}}
        return Parked(sequence, _text_of(item, "event_id"), record, _text_of(item, "blocked_by"), place)

    def forget(self, place: str) -> None:
        """Delete a record from the bucket, if it is there, as far as that works: nothing points to it any more."""
        if place:
            with suppress(ClientError, BotoCoreError):
                self._s3().delete_object(Bucket=self._bucket, Key=place)

    def _stored(self, key: str, sequence: str, text: bytes) -> dict[str, Any]:
        if len(text) <= PLAIN_BYTES:
            return {"record": {"S": text.decode()}}
        packed = zlib.compress(text)
        if len(packed) <= ITEM_BYTES:
            return {"record_zlib": {"B": packed}}
        place = (
            f"{PREFIX}{hashlib.sha256(key.encode()).hexdigest()[:32]}/{sequence}-{uuid4().hex}"  # a key may be any text
        )
        try:
            self._s3().put_object(Bucket=self._bucket, Key=place, Body=packed)
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailable(
                f"the bucket did not take an event that is too large for an item: {error}"
            ) from error
        return {"record_object": {"S": place}}

    def _text(self, item: dict[str, Any]) -> bytes:
        if "record" in item:
            return bytes(item["record"]["S"].encode())
        if "record_zlib" in item:
            return _inflated(item["record_zlib"]["B"])
        place = item["record_object"]["S"]
        try:
            return _inflated(self._s3().get_object(Bucket=self._bucket, Key=place)["Body"].read())
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailable(f"the bucket did not give {place}: {error}") from error


def without_record(item: dict[str, Any], sequence: str) -> Parked:
    """Return the event of an item with nothing but its id and its history."""
    attributes = {ATTRIBUTE: {"stringValue": item["trail"]["S"], "dataType": "String"}} if "trail" in item else {}
    return Parked(sequence, _text_of(item, "event_id"), {"messageAttributes": attributes})


def place_of(item: dict[str, Any]) -> str:
    """Return where the bucket has the record of an item; empty where it has none."""
    return _text_of(item, "record_object")


def _inflated(packed: bytes) -> bytes:
    return zlib.decompressobj().decompress(packed, _MOST_BYTES)


def _text_of(item: dict[str, Any], name: str) -> str:
    return str(item[name]["S"]) if name in item else ""
