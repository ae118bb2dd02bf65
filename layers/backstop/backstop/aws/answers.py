"""A call to DynamoDB in, its answer out, with what its refusals mean: never botocore's own errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from backstop.errors import StoreUnavailable


class Refused(Exception):
    """Raised when a change's condition does not hold; `item` is what stood against it, where that was asked for."""

    def __init__(self, item: Mapping[str, Any] | None) -> None:
        super().__init__()
        self.item = item


class Cancelled(Exception):
    """Raised when a transaction was cancelled, with a code a change."""

    def __init__(self, codes: list[str]) -> None:
        super().__init__()
        self.codes = codes


def response_of(error: Exception) -> Mapping[str, Any]:
    """Return the answer that botocore's error carries; an empty one where there was none: a timeout's is None."""
    return getattr(error, "response", None) or {}


@contextmanager
def answered(no_answer: str) -> Iterator[None]:
    """Translate what a call inside raises: Refused, Cancelled, else StoreUnavailable, which begins with `no_answer`."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        response = response_of(error)
        code = response.get("Error", {}).get("Code")
        if code == "ConditionalCheckFailedException":
            raise Refused(response.get("Item")) from error
        if code == "TransactionCanceledException":
            reasons = response.get("CancellationReasons", ())
            raise Cancelled([str(reason.get("Code") or "None") for reason in reasons]) from error
        raise StoreUnavailable(f"{no_answer}: {code or error}") from error
