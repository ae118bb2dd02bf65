"""Charges over HTTP in, their answers out, as healthy as an entrance is told to be."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from random import Random
from threading import RLock, Timer
from time import sleep
from typing import Any, Final

from ops.local.gateway.answering import Answering, Listener, Malformed
from ops.local.gateway.health import WELL, Health, Mode
from ops.local.gateway.ledger import Charge, Charged, Ledger, Tally

SLOW_SECONDS: Final = 10.0
"""How late a slow answer is."""


@dataclass
class Entrance:
    """One way to the provider: a port, its health, and what was counted there."""

    ledger: Ledger
    slow_seconds: float = SLOW_SECONDS
    tally: Tally = field(default_factory=Tally)
    health: Health = WELL
    _dice: Random = field(default_factory=Random)
    ends: Timer | None = None
    """What ends the outage."""
    _alone: RLock = field(default_factory=RLock)

    def __post_init__(self) -> None:
        self.listener = Listener(partial(_Charging, self))
        self.listener.listen()

    def be(self, health: Health, seconds: float, seed: int) -> None:
        """Be as healthy as that for a while, then well again. The same seed fails the same calls."""
        with self._alone:
            if self.ends is not None:
                self.ends.cancel()
            self._become(health, seed)
            if not health.is_ok:
                self.ends = Timer(seconds, self._get_well, [health])
                self.ends.daemon = True
                self.ends.start()

    def _become(self, health: Health, seed: int = 0) -> None:
        self.health = health
        self._dice = Random(seed)
        self.tally.health_is(ok=health.is_ok)
        if health.mode is Mode.REFUSE:
            self.listener.refuse()
        else:
            self.listener.listen()

    def _get_well(self, after: Health) -> None:
        with self._alone:
            if self.health is after:  # and no outage that began while this one ended
                self._become(WELL)

    def close(self) -> None:
        """Let its port go."""
        with self._alone:
            if self.ends is not None:
                self.ends.cancel()
            self.listener.close()

    def fails(self) -> bool:
        """Whether the call that arrives now is answered with 503."""
        return self.health.fails(self._dice.random())


class _Charging(Answering):
    """Answers one connection to an entrance."""

    def __init__(self, entrance: Entrance, *arguments: Any) -> None:
        self._entrance = entrance
        super().__init__(*arguments)

    def do_POST(self) -> None:  # noqa: N802  # the name that http.server looks for
        """Charge."""
        tally, health = self._entrance.tally, self._entrance.health
        tally.called()
        try:
            key, charge = self._read()
        except Malformed as error:
            self.answer(HTTPStatus.BAD_REQUEST, {"error": str(error)})
            return
        if health.mode is Mode.REFUSE:  # a connection that was opened before
            tally.failed()
            self.close_connection = True
        elif self._entrance.fails():
            tally.failed()
            self.answer(HTTPStatus.SERVICE_UNAVAILABLE, {"error": "down"})
        else:
            self._charge(key, charge, is_slow=health.mode is Mode.SLOW)

    def _read(self) -> tuple[str, Charge]:
        body, key = self.body(), self.headers.get("Idempotency-Key", "")
        if self.path != "/charges" or not key:
            raise Malformed("POST /charges takes charges, with an Idempotency-Key")
        match body:
            case {"order": str(order), "amount": int(amount), "currency": str(currency)} if amount >= 0:
                return key, Charge(order, amount, currency)
        raise Malformed("a charge has an order, an amount in the currency's smallest unit, and a currency")

    def _charge(self, key: str, charge: Charge, *, is_slow: bool) -> None:
        outcome, is_second = self._entrance.ledger.charge(key, charge)
        if outcome is Charged.NOW:
            self._entrance.tally.charged(is_second=is_second)
        if is_slow:
            self._entrance.tally.failed()
            sleep(self._entrance.slow_seconds)
        self.answer(outcome, charge._asdict())
