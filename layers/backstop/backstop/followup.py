"""The open windows in, each minute; people told out of what was left: ends, digests, and alerts that did not go out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from backstop.budget import STORM, Reason, Slot, Window, wanted, wanted_at_the_end
from backstop.errors import StoreUnavailable
from backstop.groups import State
from backstop.telling import Due, Telling
from backstop.watch import Watching

WATCHER: Final = timedelta(seconds=90)
"""After this time a watcher that took a slot has died: its function's timeout is 60 s (template.yaml)."""

_CALM: Final = timedelta(seconds=90)
"""When no group has begun for this time, a digest waits for no more of them."""
_UNDER_WAY: Final = timedelta(seconds=15)
"""A watcher that has just opened a window is about to tell of it."""


def follow_up(watching: Watching) -> int:
    """Tell people what watchers left; returns how many alerts the topic surely does not have.

    It may run at any time, twice at once, or not for a while: slots are taken by comparing and setting. Raises
    StoreUnavailable where the store does not answer.
    """
    now = watching.now()
    telling = Telling(watching.store, watching.publish, watching.now)
    dues = [due for window in watching.store.open_windows() for due in _dues(window, watching, now)]
    lost = [due for due in dues if due.slot.since]
    fresh = [due for due in dues if not due.slot.since]
    ends = [due for due in fresh if due.slot.reason is Reason.END]
    firsts = [due for due in fresh if due.slot.reason is Reason.FIRST]
    others = [due for due in fresh if due.slot.reason not in {Reason.END, Reason.FIRST}]
    most = watching.budget.digest_after
    untold = sum(not telling.tell_anew(some) for some in _apart(lost, most))
    untold += sum(not telling.tell(due, _grown(watching)) for due in others)
    untold += _tell_firsts(firsts, telling, watching, now)
    if most and len(ends) > most:
        return untold + (not telling.tell_together(ends, _ended(watching)))
    return untold + sum(not telling.tell(due, _ended(watching)) for due in ends)


def _dues(window: Window, watching: Watching, now: datetime) -> list[Due]:
    """Return what is to be told of a window, and close it where nothing is, and it is over."""
    lost = [slot for slot in window.slots.pending if slot.since <= (now - WATCHER).timestamp()]
    slot = None if lost else _called_for(window, watching, now)
    slots = lost if slot is None else [slot]
    dues: list[Due] = []
    if slots:
        try:
            found = watching.store.look(window.group)
        except StoreUnavailable:
            return []  # one that cannot be read holds up no other one
        if found is None or found[1].opened != window.opened:
            return []
        state = found[0].state(now)
        dues = [Due(found[0], window, slot) for slot in slots if _is_told(slot, state)]
    is_being_told = len(lost) < len(window.slots.pending)  # or its teller has just died: that shows a minute later
    if not dues and not is_being_told and window.is_quiet(now, watching.budget):
        watching.store.close(window)
    return dues


def _called_for(window: Window, watching: Watching, now: datetime) -> Slot | None:
    """Return the end, or what no watcher has told of: they had no time, or left it to the digest."""
    end = wanted_at_the_end(window, watching.budget) if window.is_quiet(now, watching.budget) else None
    if end is not None or window.opened > now - _UNDER_WAY:
        return end
    return wanted(window, 0, watching.budget)


def _is_told(slot: Slot, state: State) -> bool:
    """Whether people want to hear of it: whoever works on a group, of its end, and nobody where it is silenced."""
    if state is State.SILENCED:
        return False
    return state is not State.ACKED or slot.reason is Reason.END


def _tell_firsts(firsts: Sequence[Due], telling: Telling, watching: Watching, now: datetime) -> int:
    """Tell of groups that began: in one digest where they are many, once no more of them begin."""
    if not firsts:
        return 0
    again, most = _grown(watching), watching.budget.digest_after
    newest, oldest = max(due.window.opened for due in firsts), min(due.window.opened for due in firsts)
    is_storm = bool(most) and (len(firsts) > most or watching.store.add_firsts(0, newest) > most)
    if not is_storm:
        return sum(not telling.tell(due, again) for due in firsts)
    if newest > now - _CALM and oldest > now - STORM:
        return 0
    return int(not telling.tell_together(firsts, again))


def _apart(dues: Sequence[Due], most: int) -> list[Sequence[Due]]:
    """Return what is told in one alert each: everything by itself, or all in a digest where that is too much."""
    return [dues] if most and len(dues) > most else [[due] for due in dues]


def _grown(watching: Watching) -> Callable[[Window], Slot | None]:
    return lambda window: wanted(window, 0, watching.budget)


def _ended(watching: Watching) -> Callable[[Window], Slot | None]:
    return lambda window: wanted_at_the_end(window, watching.budget)
