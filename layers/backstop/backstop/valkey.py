"""Tallies in, windows and their budgets in Valkey or Redis out; what people read of a group stays in its table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, Protocol

from backstop import valkey_scripts as scripts
from backstop.budget import STORM, Budget, Slots, Window, next_slots
from backstop.errors import StoreUnavailable
from backstop.groups import Counted, Group, State
from backstop.occurrence import Tally

MAX_BATCHES: Final = 256
"""Batches of a group that are remembered, so that one that is delivered again is not counted again."""

_KEPT: Final = timedelta(days=2)
"""How long a window is remembered after it is over."""
_TRIES: Final = 8


class Client(Protocol):
    """What the store needs of a client: `redis.Redis` and `redis.RedisCluster` have it. Texts come back as `str`."""

    def eval(self, script: str, numkeys: int, /, *keys_and_args: str | int) -> Any:
        """Run a script."""


class Groups(Protocol):
    """Where what people read of groups is kept: it outlives the windows. Raises StoreUnavailable."""

    def describe(self, tally: Tally, now: datetime) -> tuple[Group, Group | None]:
        """Add a tally to its group, once a batch; returns the group as it is now and was, None if it was not known."""

    def look_at_group(self, group: str) -> Group | None:
        """Return a group as it is now."""

    def end_ack(self, group: str) -> None:
        """Let an `ack` end with the failure that it was for."""


class _Known(NamedTuple):
    """A window as the server has it."""

    window: Window
    is_open: bool
    version: str


@dataclass(frozen=True, slots=True)
class ValkeyStore:
    """The interface `Store`, for those who run such a server. `prefix` begins all of its keys."""

    client: Client
    groups: Groups
    budget: Budget
    prefix: str

    def count(self, tally: Tally, now: datetime) -> Counted:
        """Count a tally: in its table, then in its window. Each counts a batch once, so that half may be done again."""
        group, was = self.groups.describe(tally, now)
        what, known, past = self._count(tally, now)
        self._run(scripts.LIST, [self._index], known.version, tally.group, self._kept_millis)
        window = known.window
        if what == "repeat":
            return Counted(group, window, window.count, is_repeat=True)
        return Counted(
            group,
            window,
            before=window.count - tally.count,
            replaced=past if what == "opened" else None,
            seen_before=None if was is None else was.last_seen,
            was_resolved=was is not None and was.state(now) is State.RESOLVED,
        )

    def look(self, group: str) -> tuple[Group, Window] | None:
        """Return a group and its window as they are now."""
        known = self._read(group)
        found = None if known is None else self.groups.look_at_group(group)
        return None if known is None or found is None else (found, known.window)

    def replace(self, window: Window, slots: Slots) -> bool:
        """Put other slots in the place of the window's."""
        were = window.slots.serialise()
        key = self._key(window.group)
        return bool(self._run(scripts.REPLACE, [key], _millis(window.opened), were, slots.serialise()))

    def open_windows(self) -> Iterator[Window]:
        """Return the windows that are not closed."""
        listed: Sequence[str] = self._run(scripts.LISTED, [self._index])
        for group, version in zip(listed[::2], listed[1::2], strict=True):
            known = self._read(group)
            if known is not None and known.is_open:
                yield known.window
            else:
                self._unlist(group, version)

    def close(self, window: Window) -> None:
        """Take a window out of the open ones, if it still is as it was.

        An `ack` ends before that: whoever dies in between leaves a window that is closed later, not an `ack` for ever.
        """
        known = self._read(window.group)
        if known is None or known.window != window:
            return
        self.groups.end_ack(window.group)
        count, slots = str(window.count), window.slots.serialise()
        version = self._run(scripts.CLOSE, [self._key(window.group)], _millis(window.opened), count, slots)
        if version is not None:
            self._unlist(window.group, version)

    def add_firsts(self, count: int, now: datetime) -> int:
        """Add to the groups that began in the current five minutes."""
        span = int(now.timestamp() // STORM.total_seconds())
        return int(self._run(scripts.ADD, [f"{self.prefix}firsts:{span}"], count, _length(12 * STORM)))

    @property
    def _index(self) -> str:
        return f"{self.prefix}open"

    @property
    def _kept_millis(self) -> int:
        return _length(self.budget.window + self.budget.quiet + _KEPT)

    def _key(self, group: str, what: str = "window") -> str:
        """Return a key of a group; a cluster has all with the same name in braces in one place."""
        return f"{self.prefix}{{{group}}}:{what}"

    def _count(self, tally: Tally, now: datetime) -> tuple[str, _Known, Window | None]:
        """Count a tally in its window; returns what was done, the window, and the one that is past, if there was."""
        past: _Known | None = None
        for _ in range(_TRIES):
            slots = Slots() if past is None else next_slots(past.window, now, self.budget)
            instead = ("" if past is None else past.version, slots.serialise())
            what, values = self._run(scripts.COUNT, self._keys(tally), *self._growth(tally, now), *instead)
            known = _known(tally.group, values)
            if known is not None and what != "past":
                return what, known, None if past is None else past.window
            past = known
        raise StoreUnavailable(f"others keep changing the window of group {tally.group}")

    def _keys(self, tally: Tally) -> list[str]:
        return [self._key(tally.group), self._key(tally.group, "batches")]

    def _growth(self, tally: Tally, now: datetime) -> tuple[str | int, ...]:
        past = _millis(now - self.budget.window)
        return tally.batch, tally.count, _millis(now), past, self._kept_millis, MAX_BATCHES

    def _read(self, group: str) -> _Known | None:
        return _known(group, self._run(scripts.READ, [self._key(group)]))

    def _unlist(self, group: str, version: str) -> None:
        self._run(scripts.UNLIST, [self._index], group, version)

    def _run(self, script: str, keys: Sequence[str], *values: str | int) -> Any:
        with _answered():
            return self.client.eval(script, len(keys), *keys, *values)


@contextmanager
def _answered() -> Iterator[None]:
    """Translate what a client raises: StoreUnavailable."""
    # Here, for whoever has a client has paid for it, and nobody else shall.
    from redis.exceptions import RedisClusterException, RedisError

    try:
        yield
    except (RedisError, RedisClusterException) as error:  # which is none of the first
        raise StoreUnavailable(f"the store of windows did not answer: {type(error).__name__}: {error}") from error


def _known(group: str, values: Sequence[str | None]) -> _Known | None:
    """Read a window; None where there is none. Raises StoreUnavailable where it is not as it was written."""
    opened, counted_at, count, slots, is_open, version = values
    if version is None:
        return None
    try:
        window = Window(group, _moment(opened), _moment(counted_at), int(count or ""), Slots.parse(slots or ""))
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise StoreUnavailable(f"the window of group {group} is not as it was written: {error}") from error
    return _Known(window, is_open == "1", version)


def _millis(when: datetime) -> str:
    return str(round(when.timestamp() * 1000))


def _moment(millis: str | None) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(millis or ""))


def _length(time: timedelta) -> int:
    return time // timedelta(milliseconds=1)
