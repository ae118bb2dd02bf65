"""A call to AWS that changes or reads this stack in, what its refusal means out: never botocore's own errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from backstop.aws.answers import response_of
from backstop.errors import SystemFault


class Answered(Exception):
    """Raised when a call was refused with a code that its caller expects."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@contextmanager
def asked(what_failed: str, *expected: str) -> Iterator[None]:
    """Translate what a call inside raises: Answered for an expected code, else SystemFault (`what_failed`: why)."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        code = response_of(error).get("Error", {}).get("Code")
        if code in expected:
            raise Answered(str(code)) from error
        raise SystemFault(f"{what_failed}: {code or type(error).__name__}") from error
