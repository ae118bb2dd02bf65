"""Records in, put on a stream; why each of those that it did not take was not taken out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import chain, repeat
from typing import TYPE_CHECKING, Final, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from backstop.batches import pack
from backstop.retry import retry

if TYPE_CHECKING:
    from mypy_boto3_firehose import FirehoseClient
    from mypy_boto3_firehose.type_defs import PutRecordBatchResponseEntryTypeDef

MAX_RECORDS: Final = 500
MAX_CALL_BYTES: Final = 4 * 1024 * 1024
"""Records that a PutRecordBatch call takes, and their bytes (Firehose quotas)."""

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
    none of its records: better twice than never. After a call without an answer none is made: each could take as long.
    """
    whys = ["not tried"] * len(data)
    waiting = [Entry(position, one) for position, one in enumerate(data)]

    @retry(on=_Refused, attempts=3, wait_initial=0.2)
    def put_waiting() -> None:
        batches = list(pack(waiting, MAX_RECORDS, MAX_CALL_BYTES))
        waiting.clear()
        for number, batch in enumerate(batches):
            try:
                answers = client.put_record_batch(
                    DeliveryStreamName=stream, Records=[{"Data": entry.data} for entry in batch]
                )["RequestResponses"]
            except ClientError as error:
                _note(whys, batch, repeat(str(error)))
            except BotoCoreError as error:
                _note(whys, chain.from_iterable(batches[number:]), repeat(str(error)))
                return
            else:
                _note(whys, batch, chain(map(_why, answers), repeat("no answer for it")))
                waiting.extend(entry for entry, one in zip(batch, answers, strict=False) if "ErrorCode" in one)
        if waiting:
            raise _Refused

    with suppress(_Refused):
        put_waiting()
    return whys


def _why(answer: PutRecordBatchResponseEntryTypeDef) -> str:
    return f"{answer['ErrorCode']}: {answer.get('ErrorMessage', '')}" if "ErrorCode" in answer else ""


def _note(whys: list[str], entries: Iterable[Entry], reasons: Iterable[str]) -> None:
    for entry, why in zip(entries, reasons, strict=False):
        whys[entry.position] = why
