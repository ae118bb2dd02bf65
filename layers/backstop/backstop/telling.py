"""An alert and the slot that it needs in; the slot taken, people told, and the slot confirmed or given back out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, NamedTuple

from backstop.alert import Alert, Digest
from backstop.budget import Slot, Slots, Window, confirmed, given_back, taken, taken_over
from backstop.errors import NotPublished
from backstop.groups import Group, Store

_TRIES: Final = 20
"""More watchers than that never change the slots of one group at once: a window has ten at most."""


class Due(NamedTuple):
    """An alert that is called for, and what it is about."""

    group: Group
    window: Window
    slot: Slot
    seen_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Telling:
    """What telling people needs. `publish` raises NotPublished where the topic surely does not have an alert."""

    store: Store
    publish: Callable[[Alert | Digest], None]
    now: Callable[[], datetime]

    def tell(self, due: Due, again: Callable[[Window], Slot | None]) -> bool:
        """Tell people, if the slot is free; `again` says what is called for where others changed the slots meanwhile.

        Returns False where the topic surely does not have it: its slot is given back then.
        """
        took = self._take(due, again)
        return took is None or self._tell_of([took])

    def tell_together(self, dues: Sequence[Due], again: Callable[[Window], Slot | None]) -> bool:
        """Tell people of many groups in one digest; each uses a slot of its own."""
        together = [due._replace(slot=replace(due.slot, in_digest=True)) for due in dues]
        took = [one for due in together if (one := self._take(due, again)) is not None]
        return not took or self._tell_of(took)

    def tell_anew(self, dues: Sequence[Due]) -> bool:
        """Tell people of that for which somebody took slots who has died since: of one group, or of many in a digest.

        Each slot is taken over, so that nobody else does it, too, and not again each minute where it cannot be settled.
        """
        took = [one for due in dues if (one := self._take_over(due)) is not None]
        return not took or self._tell_of(took)

    def _tell_of(self, dues: Sequence[Due]) -> bool:
        alerts = [Alert(due.slot, due.group, due.window, self.now(), due.seen_before) for due in dues]
        alerts.sort(key=lambda alert: alert.severity.urgency)
        try:
            self.publish(alerts[0] if len(alerts) == 1 else Digest(alerts, self.now()))
        except NotPublished:
            self._settle(dues, given_back)
            return False
        self._settle(dues, confirmed)
        return True

    def _take(self, due: Due, again: Callable[[Window], Slot | None]) -> Due | None:
        """Take the slot; None where another watcher has taken it, or the window is over."""
        window, wanted = due.window, due.slot
        for _ in range(_TRIES):
            slots, slot = taken(window.slots, wanted, self.now())
            if self.store.replace(window, slots):
                return due._replace(window=replace(window, slots=slots), slot=slot)
            found = self.store.look(due.group.group)
            if found is None or found[1].opened != window.opened:
                return None
            window = replace(window, slots=found[1].slots)
            better = again(window)
            if better is None:
                return None
            wanted = replace(better, in_digest=due.slot.in_digest)
        return None

    def _take_over(self, due: Due) -> Due | None:
        """Take a slot over; None where its window has changed: if it still is pending, another follow-up sees to it."""
        slots, slot = taken_over(due.window.slots, due.slot, self.now())
        if not self.store.replace(due.window, slots):
            return None
        return due._replace(window=replace(due.window, slots=slots), slot=slot)

    def _settle(self, dues: Sequence[Due], change: Callable[[Slots, Slot], Slots]) -> None:
        for due in dues:
            self._settle_one(due, change)

    def _settle_one(self, due: Due, change: Callable[[Slots, Slot], Slots]) -> None:
        """Say what became of a slot; where its window is over, nobody asks any more."""
        window = due.window
        for _ in range(_TRIES):
            if self.store.replace(window, change(window.slots, due.slot)):
                return
            found = self.store.look(due.group.group)
            if found is None or found[1].opened != window.opened:
                return
            window = replace(window, slots=found[1].slots)
