"""Records in, put on a stream; why each of those that it did not take was not taken out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from backstop.batches import pack
from backstop.retry import retry

if TYPE_CHECKING:
    from mypy_boto3_firehose import FirehoseClient

MAX_RECORDS: Final = 500
MAX_CALL_BYTES: Final = 4 * 1024 * 1024
"""Records that a PutRecordBatch call takes, and their bytes (Firehose quotas)."""

_SLOW_DOWN: Final = "the stream is throttled"
_FRAME: Final = len('{"Data": ""}, ')


class Entry(NamedTuple):
    """A record of a call, and where it stands among those to put."""

    position: int
    data: bytes

    @property
    def size(self) -> int:
        """The bytes of the call that it takes: its data in base64, which is more than Firehose may count."""
        return 4 * ((len(self.data) + 2) // 3) + _FRAME


class _Refused(Exception):
    """Raised while single records of a call were refused: the stream asks to slow down."""


def put(client: FirehoseClient, stream: str, data: Sequence[bytes]) -> list[str]:
    """Put records on a stream; return, for each, why it was not taken, or nothing if it was.

    Single records that a call refused are tried again for a moment. A call that fails, in whole or in doubt, has taken
    none of its records: better twice than never.
    """
    whys = [_SLOW_DOWN] * len(data)

    @retry(on=_Refused, attempts=3, wait_initial=0.2)
    def put_waiting() -> None:
        waiting = [Entry(position, data[position]) for position, why in enumerate(whys) if why == _SLOW_DOWN]
        for batch in pack(waiting, MAX_RECORDS, MAX_CALL_BYTES):
            for entry, why in zip(batch, _put(client, stream, batch), strict=True):
                whys[entry.position] = why
        if _SLOW_DOWN in whys:
            raise _Refused

    with suppress(_Refused):
        put_waiting()
    return whys


def _put(client: FirehoseClient, stream: str, batch: Sequence[Entry]) -> list[str]:
    try:
        answer = client.put_record_batch(DeliveryStreamName=stream, Records=[{"Data": entry.data} for entry in batch])
    except (ClientError, BotoCoreError) as error:
        return [f"{error}"] * len(batch)
    whys = [_SLOW_DOWN if "ErrorCode" in one else "" for one in answer["RequestResponses"]]
    return whys + ["no answer for it"] * (len(batch) - len(whys))
