"""A log batch's failures in; groups counted and people told out, within the budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, NamedTuple

from backstop.alert import Alert, Digest
from backstop.budget import Budget, Reason, Slot, Window, wanted
from backstop.errors import StoreUnavailable
from backstop.groups import Counted, State, Store
from backstop.occurrence import Occurrence, Tally, tallies
from backstop.telling import Due, Telling

_UNTOLD: Final = frozenset({State.ACKED, State.SILENCED})
"""The states of which nobody wants to hear: but the end, where somebody works on it."""

_MOST_FAULTS: Final = 2
"""Groups that a store may fail to count before the rest of a batch does not ask it any more."""


@dataclass(frozen=True, slots=True)
class Watching:
    """What watching needs: the store, and what stands in for it where it does not answer."""

    store: Store
    fallback: Store
    budget: Budget
    publish: Callable[[Alert | Digest], None]
    now: Callable[[], datetime]


class Outcome(NamedTuple):
    """What watching a batch came to: alerts that the topic does not have, and why the store did not answer."""

    untold: int
    faults: tuple[StoreUnavailable, ...]


def watch(occurrences: Sequence[Occurrence], batch: str, watching: Watching) -> Outcome:
    """Count a batch's failures, one write a group, and tell people what is called for, the most urgent first.

    Where the store does not answer, people are told all the same, and a limit is kept in memory: the caller says that
    the batch failed, so that it comes again and is counted then.
    """
    count = _count(tallies(occurrences, batch), watching)
    told = _tell(count.counted, watching.store, watching)
    if not count.left:
        return Outcome(told.untold, (*count.faults, *told.faults))
    now = watching.now()
    stand_in = [watching.fallback.count(tally, now) for tally in count.left]
    told_too = _tell(stand_in, watching.fallback, watching)
    return Outcome(told.untold + told_too.untold, (*count.faults, *told.faults))


class _Count(NamedTuple):
    """What the store counted, what it did not, and why."""

    counted: Sequence[Counted]
    left: Sequence[Tally]
    faults: tuple[StoreUnavailable, ...]


def _count(found: Sequence[Tally], watching: Watching) -> _Count:
    counted: list[Counted] = []
    left: list[Tally] = []
    faults: list[StoreUnavailable] = []
    for tally in found:
        if len(faults) == _MOST_FAULTS:
            left.append(tally)
            continue
        try:
            counted.append(watching.store.count(tally, watching.now()))
        except StoreUnavailable as fault:
            faults.append(fault)
            left.append(tally)
    return _Count(counted, left, tuple(faults))


def _tell(counted: Sequence[Counted], store: Store, watching: Watching) -> Outcome:
    """Tell people what counts call for. Where a slot cannot be taken or settled, the follow-up will."""
    now = watching.now()
    dues = [(one, due) for one in counted if (due := _due(one, watching.budget, now)) is not None]
    firsts = [due for _, due in dues if due.slot.reason is Reason.FIRST]
    is_storm = _is_storm(len(firsts), store, watching)
    telling = Telling(store, watching.publish, watching.now)
    untold, faults = 0, []
    if is_storm and store is watching.fallback:  # nobody follows up what is kept in memory
        untold += not telling.tell_together(firsts, lambda window: wanted(window, 0, watching.budget))
    for one, due in dues:
        if is_storm and due.slot.reason is Reason.FIRST:
            continue
        try:
            untold += not telling.tell(due, _again(one, watching.budget))
        except StoreUnavailable as fault:
            faults.append(fault)
    return Outcome(untold, tuple(faults))


def _due(one: Counted, budget: Budget, now: datetime) -> Due | None:
    if one.is_repeat or one.group.state(now) in _UNTOLD:
        return None
    slot = wanted(one.window, one.before, budget, was_resolved=one.was_resolved)
    return None if slot is None else Due(one.group, one.window, slot, one.seen_before if one.before == 0 else None)


def _again(one: Counted, budget: Budget) -> Callable[[Window], Slot | None]:
    """Return what says whether a tally still calls for an alert: its own part of the count, whatever others added."""

    def again(window: Window) -> Slot | None:
        own = replace(window, count=one.window.count)
        return wanted(own, one.before, budget, was_resolved=one.was_resolved)

    return again


def _is_storm(firsts: int, store: Store, watching: Watching) -> bool:
    """Whether so many groups begin at once that a digest tells of them: the follow-up's, a minute or two later."""
    if not firsts or not watching.budget.digest_after:
        return False
    try:
        return store.add_firsts(firsts, watching.now()) > watching.budget.digest_after
    except StoreUnavailable:
        return False  # told one by one rather than not at all
