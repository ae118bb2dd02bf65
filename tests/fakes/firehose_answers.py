"""What a stream's function answered in, what Firehose makes of each record out."""

from __future__ import annotations

import json
from binascii import Error, a2b_base64
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, NoReturn

MAX_PAYLOAD_BYTES: Final = 6 * 1024 * 1024
"""What a synchronous invocation carries each way (Lambda Developer Guide, "Lambda quotas": 6 MB).

Lambda was seen to take 100 bytes more of an answer.
"""

RESULTS: Final = frozenset({"Ok", "Dropped", "ProcessingFailed"})


class Failure(NamedTuple):
    """Why a record, or a whole batch, was not transformed: the code and the message of its error documents."""

    code: str
    message: str


# Codes and messages: Amazon Data Firehose Developer Guide, "Monitor Amazon Data Firehose Using CloudWatch Logs", where
# nothing else is said.
FUNCTION_ERROR: Final = Failure(  # not documented, seen on AWS
    "Lambda.FunctionError", "The Lambda function was successfully invoked but it returned an error result."
)
UNREADABLE: Final = Failure(
    "Lambda.JsonProcessingException",
    "There was an error parsing returned records from the Lambda function. Ensure that the returned records follow the "
    "status model required by Amazon Data Firehose.",
)
WRONG_FORMAT: Final = Failure(  # not documented, seen on AWS
    "Lambda.FunctionError",
    "Check your function and make sure the output is in required format. In addition to that, make sure the processed "
    "records contain valid result status of Dropped, Ok, or ProcessingFailed",
)
MISSING: Final = Failure(
    "Lambda.MissingRecordId",
    "One or more record Ids were not returned. Ensure that the Lambda function returns all received record Ids.",
)
DUPLICATED: Final = Failure(
    "Lambda.DuplicatedRecordId",
    "Multiple records were returned with the same record ID. Ensure that the Lambda function returns unique record IDs "
    "for each record.",
)
NO_DATA: Final = Failure(  # not documented, seen on AWS
    "Lambda.InvalidReturnFormat",
    "The data field cannot be null when the SourceType is DirectPut or KinesisStreamAsSource and processing result is "
    "Ok.",
)
SAID_SO: Final = Failure("Lambda.ProcessingFailedStatus", "ProcessingFailed status set for record")  # seen on AWS

Outcome = bytes | Failure | None
"""What becomes of a record: its data is delivered, it failed, or it is dropped."""


class InvocationFailed(Exception):
    """Raised when an invocation came to nothing: all of its records are tried again, or have failed."""

    def __init__(self, failure: Failure, why: str) -> None:
        super().__init__(why)
        self.failure = failure


def read_answer(answer: object, record_ids: Sequence[str]) -> list[Outcome]:
    """Say what becomes of each record; raises InvocationFailed where the answer as a whole is of no use.

    Amazon Data Firehose Developer Guide, "Required parameters for data transformation": each record comes back under
    its id, with a result, and with data in base64. The rest of this is not documented. An answer that is not JSON or
    has no list of records fails as a whole, and so does, as seen on AWS, one with an unknown result or with data that
    is not base64; an `Ok` without data and an id that is missing or doubled fail by themselves; an id that nobody
    asked for is ignored.
    """
    returned: defaultdict[str, list[Outcome]] = defaultdict(list)
    for entry in _records(_serialised(answer)):
        outcome = _outcome(entry)
        if isinstance(record_id := entry.get("recordId"), str):
            returned[record_id].append(outcome)
    return [_only(returned.get(record_id, [])) for record_id in record_ids]


def _serialised(answer: object) -> str:
    """Do as Lambda's Python runtime does with what a handler returns: from Python 3.12 on, it escapes no text."""
    try:
        text = json.dumps(answer, ensure_ascii=False)
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise InvocationFailed(FUNCTION_ERROR, f"the answer cannot be written as JSON: {error}") from error
    if size > MAX_PAYLOAD_BYTES:
        raise InvocationFailed(FUNCTION_ERROR, f"the answer is {size:,} bytes")
    return text


def _records(text: str) -> list[dict[str, Any]]:
    try:
        answer = json.loads(text, parse_constant=_reject)
    except ValueError as error:
        raise InvocationFailed(UNREADABLE, f"the answer is not JSON: {error}") from error
    records = answer.get("records") if isinstance(answer, dict) else None
    if not isinstance(records, list) or not all(isinstance(entry, dict) for entry in records):
        raise InvocationFailed(UNREADABLE, "the answer has no list of records")
    return records


def _reject(name: str) -> NoReturn:
    raise ValueError(name)


def _outcome(entry: dict[str, Any]) -> Outcome:
    result, data = entry.get("result"), entry.get("data")
    if not isinstance(result, str) or result not in RESULTS:
        raise InvocationFailed(WRONG_FORMAT, f"{result!r} is no result")
    if result == "Dropped":
        return None
    if result == "ProcessingFailed":
        return SAID_SO
    if data is None:
        return NO_DATA
    try:
        return a2b_base64(data, strict_mode=True)
    except (Error, TypeError, ValueError) as error:
        raise InvocationFailed(WRONG_FORMAT, f"data that is not base64: {error}") from error


def _only(outcomes: Sequence[Outcome]) -> Outcome:
    if not outcomes:
        return MISSING
    return outcomes[0] if len(outcomes) == 1 else DUPLICATED
