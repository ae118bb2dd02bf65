"""What an operator chooses in, which dead letters that means out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Self

from backstop.letter import Letter

_NUMBERS: Final = re.compile(r"(\d{1,18})")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which dead letters are meant: those of which all that is given here holds. Empty criteria hold of any.

    `died_before` and `frozen_at` are times by which they had died; `frozen_at` is when they were chosen, so that what
    dies later is not swept up. `max_redrives` is how often they may have been redriven before.
    """

    group: str = ""
    kind: str = ""
    reason: str = ""
    queue: str = ""
    """The name of the queue that they came from."""
    before_release: str = ""
    died_before: datetime | None = None
    event_ids: tuple[str, ...] = ()
    frozen_at: datetime | None = None
    max_redrives: int | None = None

    def has(self, letter: Letter) -> bool:
        """Whether a dead letter is meant."""
        trail, expected = letter.trail, (self.group, self.kind, self.reason, self.queue)
        if any(want not in ("", is_) for want, is_ in zip(expected, _of(letter), strict=True)):
            return False
        if self.event_ids and letter.event_id not in self.event_ids:
            return False
        if any(time is not None and letter.died_at > time for time in (self.died_before, self.frozen_at)):
            return False
        if self.max_redrives is not None and trail.redrives > self.max_redrives:
            return False
        return not self.before_release or _is_before(trail.release, self.before_release)

    @property
    def is_of_all(self) -> bool:
        """Whether every dead letter is meant that had died by a time."""
        return self == type(self)(frozen_at=self.frozen_at)

    def serialise(self) -> str:
        """Return it as JSON; what is empty is left out."""
        given = {name: value for name, value in asdict(self).items() if value not in ("", None, ())}
        return json.dumps(given, default=lambda moment: moment.isoformat(timespec="milliseconds"))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `serialise` wrote. Raises ValueError and TypeError where it did not."""
        given = json.loads(text)
        if not isinstance(given, dict):
            raise TypeError("a selection is a JSON object")
        if unknown := given.keys() - _READERS.keys():
            raise ValueError(f"nothing is chosen by {', '.join(sorted(unknown))}")
        return cls(**{name: _READERS[name](value) for name, value in given.items()})


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a criterion is a text")
    return value


def _moment(value: object) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    if moment.tzinfo is None:
        raise ValueError("a time is one of a zone")
    return moment


def _ids(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        raise ValueError("events are a list of their ids")
    return tuple(value)


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("a number is expected")
    return value


_READERS: Final[Mapping[str, Callable[[object], Any]]] = {
    **dict.fromkeys(("group", "kind", "reason", "queue", "before_release"), _text),
    **dict.fromkeys(("died_before", "frozen_at"), _moment),
    "event_ids": _ids,
    "max_redrives": _number,
}


def _of(letter: Letter) -> tuple[str, str, str, str]:
    return letter.trail.group, letter.trail.kind, letter.reason, letter.source_queue


def _is_before(release: str, other: str) -> bool:
    """Whether a release came before another one: numbers in them count as numbers, 1.9 before 1.10.

    What died on no known release came before any.
    """
    return _in_order(release) < _in_order(other)


def _in_order(release: str) -> list[tuple[int, str]]:
    """Return what releases are sorted by: their numbers and the words between them."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in _NUMBERS.split(release) if part]
