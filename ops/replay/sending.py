"""Records in, put on the stream by one call; which of them were not taken, if that is known, out."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError, SSLError

from ops.failure import CallFailed, sentence

if TYPE_CHECKING:
    from mypy_boto3_firehose import FirehoseClient

_THROTTLED: Final = frozenset({"ServiceUnavailableException", "ThrottlingException", "LimitExceededException"})
_PERHAPS_SENT: Final = (HTTPClientError, IncompleteReadError, SSLError)
"""What botocore raises once a request may be on its way: no answer, half of one, a connection that broke."""


class InDoubt(Exception):
    """Raised when a call may have been carried out and its answer is not known."""


def put(client: FirehoseClient, stream: str, records: Sequence[bytes]) -> list[int]:
    """Put records on the stream by one call; return which of them, by their place, it was too busy to take.

    Raises CallFailed where surely none was taken and another try is of no use, InDoubt where nobody knows. The client
    must not try again by itself: a call that is carried out twice puts its records twice.
    """
    try:
        answer = client.put_record_batch(DeliveryStreamName=stream, Records=[{"Data": data} for data in records])
    except ClientError as error:
        if error.response["Error"].get("Code") in _THROTTLED:
            return list(range(len(records)))
        if error.response["ResponseMetadata"]["HTTPStatusCode"] >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise InDoubt(sentence(error)) from error
        raise CallFailed(sentence(error)) from error
    except _PERHAPS_SENT as error:
        raise InDoubt(sentence(error)) from error
    except BotoCoreError as error:
        raise CallFailed(sentence(error)) from error
    answers = answer.get("RequestResponses", [])
    if len(answers) != len(records):
        raise InDoubt("Firehose did not answer for each record")
    return [place for place, one in enumerate(answers) if "ErrorCode" in one]
