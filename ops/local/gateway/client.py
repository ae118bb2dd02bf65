"""The gateway's address in, its entrances, their health and their counts out."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import Any, Final
from urllib.parse import urlsplit

from ops.failure import CallFailed
from ops.local.gateway.ledger import Counts

PAYMENTS: Final = "payments"
BACKUP: Final = "payments-backup"

_SECONDS: Final = 5


@dataclass(frozen=True, slots=True)
class Gateway:
    """The payment gateway of a local AWS. Its methods raise CallFailed where it does not answer or refuses."""

    admin_url: str

    def urls(self) -> dict[str, str]:
        """Return where each entrance is, by name."""
        return {name: str(entrance["url"]) for name, entrance in self._ask("GET", "/").items()}

    def counts(self, name: str = PAYMENTS) -> Counts:
        """Return what was counted at an entrance."""
        return Counts(**self._entrance(name)["counts"])

    def mode(self, name: str = PAYMENTS) -> str:
        """Return how an entrance is now."""
        return str(self._entrance(name)["mode"])

    def outage(self, name: str, mode: str, seconds: float, rate: float = 0.0, seed: int = 0) -> None:
        """Let an entrance fail for a while, and be well again. `rate` is that of `flaky`; `ok` ends an outage."""
        self._ask("PUT", f"/{name}", {"mode": mode, "rate": rate, "seconds": seconds, "seed": seed})

    def _entrance(self, name: str) -> dict[str, Any]:
        entrances = self._ask("GET", "/")
        if name not in entrances:
            raise CallFailed(f"the payment gateway has no {name!r}: there is {' and '.join(entrances)}")
        found: dict[str, Any] = entrances[name]
        return found

    def _ask(self, method: str, path: str, content: object = None) -> dict[str, Any]:
        where = urlsplit(self.admin_url)
        try:
            with closing(HTTPConnection(where.hostname or "", where.port, timeout=_SECONDS)) as connection:
                connection.request(method, path, json.dumps(content), {"Content-Type": "application/json"})
                answer = connection.getresponse()
                said: dict[str, Any] = json.loads(answer.read())
        except (OSError, HTTPException, ValueError):
            raise CallFailed("the payment gateway does not answer: make local-down, then make local") from None
        if answer.status != HTTPStatus.OK:
            raise CallFailed(f"the payment gateway refuses: {said.get('error', answer.status)}")
        return said
