"""Requests for an entrance's health in, what it is and what was counted out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from http import HTTPStatus
from typing import Any

from ops.local.gateway.answering import Answering, Listener, Malformed
from ops.local.gateway.entrance import Entrance
from ops.local.gateway.health import Health, health


def administered(entrances: Mapping[str, Entrance]) -> Listener:
    """Return where the entrances are told how healthy to be: it listens."""
    listener = Listener(partial(_Administering, entrances))
    listener.listen()
    return listener


class _Administering(Answering):
    """`GET /` shows all entrances; `PUT /NAME` sets the health of one."""

    def __init__(self, entrances: Mapping[str, Entrance], *arguments: Any) -> None:
        self._entrances = entrances
        super().__init__(*arguments)

    def do_GET(self) -> None:  # noqa: N802  # the name that http.server looks for
        """Show each entrance: where it is, how it is, what was counted there."""
        self.answer(HTTPStatus.OK, {name: _shown(entrance) for name, entrance in self._entrances.items()})

    def do_PUT(self) -> None:  # noqa: N802  # the name that http.server looks for
        """Set an entrance's health."""
        entrance = self._entrances.get(self.path.removeprefix("/"))
        try:
            wanted, seconds, seed = _read(self.body())
        except Malformed as error:
            self.answer(HTTPStatus.BAD_REQUEST, {"error": str(error)})
            return
        if entrance is None:
            self.answer(HTTPStatus.NOT_FOUND, {"error": f"there is {' and '.join(self._entrances)}"})
            return
        entrance.be(wanted, seconds, seed)
        self.answer(HTTPStatus.OK, _shown(entrance))


def _shown(entrance: Entrance) -> dict[str, Any]:
    how = entrance.health
    return {
        "url": entrance.listener.url,
        "mode": how.mode,
        "rate": how.rate,
        "counts": asdict(entrance.tally.counts),
    }


def _read(body: dict[str, Any]) -> tuple[Health, float, int]:
    match body:
        case {"mode": str(mode), "rate": float() | int() as rate, "seconds": float() | int() as seconds, "seed": seed}:
            pass
        case _:
            raise Malformed("mode, rate, seconds and seed are expected")
    try:
        wanted = health(mode, rate)
    except ValueError:
        raise Malformed(f"there is no {mode} at a rate of {rate}") from None
    if not 0 < seconds <= 86_400 or not isinstance(seed, int):
        raise Malformed("it lasts up to a day, and a seed is a whole number")
    return wanted, seconds, seed
