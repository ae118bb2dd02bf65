"""What became of notices in, JSON lines in the function's log out; no address of a channel is among them."""

from __future__ import annotations

from aws_lambda_powertools import Logger

from backstop.forward import Forwarded
from backstop.notice import Notice
from backstop.redact import redact


class NoticeLog:
    """Writes who was told of what. `circumstances` (function, stage, release) stand in each line."""

    def __init__(self, **circumstances: str) -> None:
        self._logger = Logger(service="backstop", level="INFO")
        self._logger.append_keys(**circumstances)

    def begin(self, request_id: str) -> None:
        """Let each line name this invocation."""
        self._logger.append_keys(request_id=request_id)

    def forwarded(self, notice: Notice, forwarded: Forwarded) -> None:
        """Say who was told of a notice, and what is wrong with the others."""
        title = redact(notice.title)
        for trouble in forwarded.troubles:
            fields = {"channel": trouble.channel, "why": redact(trouble.what), "notice": title}
            self._logger.error("trouble with a channel", extra=fields)
        if forwarded.is_lost:
            self._logger.error("nobody was told", extra={"notice": title})
        else:
            self._logger.info("told", extra={"channels": list(forwarded.reached), "notice": title})

    def secret_not_read(self, why: str) -> None:
        """Say that the channels are those that were read before."""
        self._logger.warning("the channels are those that were read before", extra={"why": redact(why)})
