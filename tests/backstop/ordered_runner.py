"""How the small world runs an event: once, as `backstop.aws.idempotency` does, and as its script says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from backstop.errors import Crashed, NotYet, PermanentError, StoreUnavailable, TransientError
from backstop.event import Event
from backstop.message import Message
from tests.backstop.ordered_worker import Worker
from tests.fakes.clock import VirtualClock
from tests.fakes.source import WorkerDied

ATTEMPTS: Final = 3
MAX_CRASHES: Final = 2
SLOW: Final = timedelta(seconds=12)


@dataclass
class Script:
    """What the runs of an event do, one after the other; the last stands for all later ones."""

    acts: list[str]
    """`ok`, `slow` (which is ok in the end), `transient`, `permanent`, or `kills` its worker."""
    transients: int = 0
    deaths: int = 0
    """How often it failed for a while, and how often its worker died while it ran: facts, not plans."""
    is_permanent: bool = False

    def next(self) -> str:
        """Return what this run does."""
        return self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]

    def may_be_dead(self) -> bool:
        """Whether its own failures are enough to make it a dead letter."""
        return self.is_permanent or self.transients >= ATTEMPTS or self.deaths >= MAX_CRASHES


class Watch(Protocol):
    """Who is told what an event does."""

    def begins(self, event_id: str) -> None:
        """Note that an event is run that was not done."""

    def takes_effect(self, event_id: str) -> None:
        """Note that an event's effect happens."""

    def ends(self) -> None:
        """Note that what the current worker ran is over."""


@dataclass
class _Kept:
    """A record of the idempotency table: in progress until a moment, or done."""

    until: datetime
    crashes: int = 0
    lineage: str = ""
    is_done: bool = False


class Runner:
    """The idempotency table and the team's handler."""

    def __init__(self, clock: VirtualClock, current: Callable[[], Worker], watch: Watch) -> None:
        self.scripts: dict[str, Script] = {}
        self._clock = clock
        self._current = current
        self._watch = watch
        self._records: dict[str, _Kept] = {}

    def is_done(self, event_id: str) -> bool:
        """Whether an event is known to be done."""
        return event_id in self._records and self._records[event_id].is_done

    def were_running(self, event_ids: Sequence[str]) -> frozenset[str]:
        """Return those events that were running when a worker died."""
        with self._current().around("were running"):
            return frozenset(event_id for event_id in event_ids if self._is_abandoned(event_id))

    def run(self, event: Event, message: Message) -> None:
        """Run an event unless it is done."""
        event_id, worker = event["id"], self._current()
        script = self.scripts[event_id]
        if self._is_done_or_begins(event_id, message):
            return
        self._watch.begins(event_id)
        try:
            try:
                self._handle(event_id, script)
            except (TransientError, PermanentError):
                self._delete_record(event_id, script)
                raise
            with worker.around("complete"):
                self._records[event_id].is_done = True
        except WorkerDied:
            script.deaths += 1
            raise
        finally:
            self._watch.ends()

    def _is_done_or_begins(self, event_id: str, message: Message) -> bool:
        """Put the record that says that an event is running, unless it is done."""
        worker = self._current()
        with worker.around("put record"):
            old = self._records.get(event_id)
            if old is None:
                self._records[event_id] = _Kept(worker.deadline, 0, message.lineage)
        if old is None:
            return False
        if old.is_done:
            return True
        if not self._is_abandoned(event_id):
            raise NotYet(old.until)
        was_running = message.was_received_before and old.lineage == message.lineage
        crashes = old.crashes + 1 if was_running else 0
        if crashes >= MAX_CRASHES:
            raise Crashed(f"{crashes} workers died")
        with worker.around("take record over"):
            if self._records.get(event_id) is not old:
                raise NotYet(self._clock.now() + timedelta(seconds=1))
            self._records[event_id] = _Kept(worker.deadline, crashes, message.lineage)
        return False

    def _is_abandoned(self, event_id: str) -> bool:
        kept = self._records.get(event_id)
        return kept is not None and not kept.is_done and kept.until <= self._clock.now()

    def _delete_record(self, event_id: str, script: Script) -> None:
        try:
            with self._current().around("delete record"):
                del self._records[event_id]
        except StoreUnavailable:
            script.deaths += event_id in self._records  # what stays looks as if its worker had died

    def _handle(self, event_id: str, script: Script) -> None:
        """Do what the script says."""
        match script.next():
            case "transient":
                script.transients += 1
                raise TransientError("not now")
            case "permanent":
                script.is_permanent = True
                raise PermanentError("never")
            case "kills":
                raise WorkerDied(event_id)
            case "slow":
                self._clock.advance(SLOW)
                self._current().require_alive()
            case act:
                assert act == "ok"
        self._current().stand("effect")
        self._watch.takes_effect(event_id)
