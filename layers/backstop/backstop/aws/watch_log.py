"""What a watcher did in, JSON lines in its own log out: nobody watches that one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Logger

from backstop.redact import redact


class WatchLog:
    """Writes what was told, and what could not be. `circumstances` (function, stage, release) stand in each line."""

    def __init__(self, **circumstances: str) -> None:
        self._logger = Logger(service="backstop-watch", level="INFO")
        self._logger.append_keys(**circumstances)

    def begin(self, request_id: str) -> None:
        """Let each line name this invocation."""
        self._logger.append_keys(request_id=request_id)

    def sent(self, document: Mapping[str, Any], *, is_doubtful: bool) -> None:
        """Say what people were told; `is_doubtful` where no answer said that the topic has it."""
        self._logger.info("alert sent", extra={"alert": document, "doubtful": is_doubtful})

    def not_sent(self, document: Mapping[str, Any], why: str) -> None:
        """Say what people were not told: it is tried again a minute later."""
        self._logger.error("alert not sent", extra={"alert": document, "why": redact(why)})

    def not_kept(self, why: str) -> None:
        """Say that a batch's failures could not be counted, or their events not kept: it comes again."""
        self._logger.error("batch not kept", extra={"why": redact(why)})
