"""What recovery did in, JSON lines in its own log out: nobody watches that one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aws_lambda_powertools import Logger

from backstop.recovery.state import Entry
from backstop.redact import redact


class RecoveryLines:
    """Writes what woke recovery, and what became of it. `circumstances` (function, stage, release) are in each line."""

    def __init__(self, **circumstances: str) -> None:
        self._logger = Logger(service="backstop-recover", level="INFO")
        self._logger.append_keys(**circumstances)

    def begin(self, request_id: str) -> None:
        """Let each line name this invocation."""
        self._logger.append_keys(request_id=request_id)

    def woken(self, by: Sequence[str]) -> None:
        """Say what woke recovery besides the minute."""
        self._logger.info("woken", extra={"by": list(by)})

    def done(self, entry: Entry) -> None:
        """Say what was done, or suggested."""
        done = {"strategy": entry.strategy, "target": entry.target, "cause": str(entry.cause), "why": redact(entry.why)}
        self._logger.info("suggested" if entry.is_suggested else "done", extra=done)

    def was_second(self) -> None:
        """Say that another run, or an operator, was first, so that nothing was done."""
        self._logger.info("another one was first: nothing was done")

    def sent(self, document: Mapping[str, Any], *, is_doubtful: bool) -> None:
        """Say what people were told; `is_doubtful` where no answer said that the topic has it."""
        self._logger.info("told", extra={"alert": document, "doubtful": is_doubtful})

    def failed(self, why: str) -> None:
        """Say what could not be seen, done or told: the next minute tries again."""
        self._logger.error("not done", extra={"why": redact(why)})
