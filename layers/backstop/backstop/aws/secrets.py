"""The name of a secret in, its text out."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from backstop.errors import SystemFault

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

logging.getLogger("botocore").setLevel(logging.INFO)  # DEBUG would quote each answer, the secret's text too


class Secret:
    """A secret of text, read anew each time, so that a rotated one is used at once."""

    def __init__(self, client: SecretsManagerClient, arn: str) -> None:
        self._client = client
        self._arn = arn
        self._last: str | None = None

    def text(self) -> tuple[str, str]:
        """Return its text as of now, and nothing; or the text that was read last, and why it is not read now.

        Raises SystemFault where none was read before.
        """
        try:
            self._last = self._read()
        except SystemFault as error:
            if self._last is None:
                raise
            return self._last, str(error)
        return self._last, ""

    def _read(self) -> str:
        try:
            text = self._client.get_secret_value(SecretId=self._arn).get("SecretString")
        except (ClientError, BotoCoreError) as error:
            response: Any = getattr(error, "response", None) or {}  # a timeout's is None
            code = response.get("Error", {}).get("Code")
            raise SystemFault(f"the secret {self._arn} could not be read: {code or type(error).__name__}") from error
        if text is None:
            raise SystemFault(f"the secret {self._arn} holds no text")
        return text
