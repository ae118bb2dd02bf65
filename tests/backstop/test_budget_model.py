"""Whatever is counted, told, given back and over, in whatever order: people hear at most so often, each thing once.

Watchers count and decide at once or later, publishing works, surely fails or is never heard of again, the follow-up
asks again each minute, failures end and come back, windows give way.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from backstop.budget import (
    Budget,
    Reason,
    Slot,
    Slots,
    Window,
    confirmed,
    given_back,
    next_slots,
    taken,
    wanted,
    wanted_at_the_end,
)
from tests.backstop import NOW

AN_HOUR = timedelta(hours=1)
QUIET = timedelta(minutes=10)

amounts = st.sampled_from([1, 1, 2, 8, 90, 900, 40_000])
places = st.integers(0, 5)


class Growth(NamedTuple):
    """What a watcher has counted, and not decided upon yet."""

    before: int
    after: int
    was_resolved: bool


class Telling(RuleBasedStateMachine):
    """One group's windows, against what must hold of them."""

    def __init__(self) -> None:
        super().__init__()
        self.begin(5)

    @initialize(limit=st.integers(1, 10))
    def begin(self, limit: int) -> None:
        self.budget = Budget(limit, AN_HOUR, QUIET, digest_after=20)
        self.now = NOW
        self.window = Window("a", NOW, NOW, 0)
        self.undecided: list[Growth] = []
        self.under_way: list[Slot] = []
        self.heard: list[Slot] = []
        """What has arrived, or may have."""

    @rule(amount=amounts, was_resolved=st.sampled_from([False, False, True]), decides=st.booleans())
    def count(self, amount: int, was_resolved: bool, decides: bool) -> None:
        before = self.window.count
        self.window = replace(self.window, count=before + amount, counted_at=self.now)
        self.undecided.append(Growth(before, before + amount, was_resolved))
        if decides:
            self.decide(-1, in_digest=False)

    @precondition(lambda self: self.undecided)
    @rule(place=places, in_digest=st.booleans())
    def decide(self, place: int, in_digest: bool) -> None:
        """Let a watcher decide upon what it counted, by the slots as they are by now."""
        own = self.undecided.pop(place % len(self.undecided))
        window = replace(self.window, count=own.after)
        self.take(wanted(window, own.before, self.budget, was_resolved=own.was_resolved), in_digest)

    @rule(in_digest=st.booleans())
    def follow_up(self, in_digest: bool) -> None:
        self.take(wanted(self.window, 0, self.budget), in_digest)

    @rule()
    def end(self) -> None:
        self.take(wanted_at_the_end(self.window, self.budget), in_digest=False)

    @precondition(lambda self: self.under_way)
    @rule(place=places, is_known=st.booleans())
    def publishing_works(self, place: int, is_known: bool) -> None:
        """Let an alert arrive; whether the slot is confirmed is another matter."""
        slot = self.under_way.pop(place % len(self.under_way))
        self.heard.append(slot)
        if is_known:
            self.put(confirmed(self.window.slots, slot))

    @precondition(lambda self: self.under_way)
    @rule(place=places, times=st.integers(1, 2))
    def publishing_fails(self, place: int, times: int) -> None:
        slot = self.under_way.pop(place % len(self.under_way))
        over_at = self.window.slots.over_at
        for _ in range(times):
            self.put(given_back(self.window.slots, slot))
        if slot.reason is Reason.END:
            assert over_at != slot.count or not self.is_told or wanted_at_the_end(self.window, self.budget)
        elif self.window.slots.sent < self.most_before_the_end and over_at is None:
            again = wanted(self.window, 0, self.budget)
            assert again is not None
            assert {*slot.milestones} <= {*again.milestones}

    @rule(still_fails=st.booleans(), amount=amounts)
    def next_window(self, still_fails: bool, amount: int) -> None:
        """Let a window give way; who was about to tell of it tells no more."""
        past = self.window
        self.now = past.opened + AN_HOUR
        past = replace(past, counted_at=self.now - (QUIET / 2 if still_fails else QUIET))
        slots = next_slots(past, self.now, self.budget)
        assert slots.carried in (0, past.slots.carried + past.count)
        self.window = Window("a", self.now, self.now, amount, slots)
        self.undecided, self.under_way, self.heard = [Growth(0, amount, was_resolved=False)], [], []

    def take(self, slot: Slot | None, in_digest: bool) -> None:
        """Take a slot, if one is wanted."""
        if slot is None:
            return
        assert slot.reason is not Reason.STILL or self.window.slots.carried
        slot = replace(slot, in_digest=in_digest and slot.reason is Reason.FIRST)
        slots, own = taken(self.window.slots, slot, self.now)
        self.under_way.append(own)
        self.put(slots)
        if slot.reason is not Reason.END:
            assert slots.sent <= self.most_before_the_end

    def put(self, slots: Slots) -> None:
        """Put slots in place, as a store does."""
        self.window = replace(self.window, slots=Slots.parse(slots.serialise()))

    @property
    def most_before_the_end(self) -> int:
        """How many alerts leave a slot for the end, where there is more than one."""
        return max(self.budget.limit - 1, 1)

    @property
    def used(self) -> list[Slot]:
        """What people have heard, may have heard, or are about to."""
        return self.heard + self.under_way

    @property
    def is_told(self) -> bool:
        """Whether people have been told of the failure by itself."""
        slots = self.window.slots
        return slots.sent + slots.carried_sent > slots.digests

    @invariant()
    def people_hear_of_a_window_at_most_so_often(self) -> None:
        assert len(self.used) == self.window.slots.sent <= self.budget.limit

    @invariant()
    def each_milestone_is_told_of_once(self) -> None:
        told = [milestone for slot in self.used for milestone in slot.milestones]
        assert sorted(told) == sorted(self.window.slots.milestones)
        assert len(told) == len({*told})
        assert {*told} <= {*self.budget.milestones}

    @invariant()
    def what_is_not_known_is_pending(self) -> None:
        assert {*self.under_way} <= {*self.window.slots.pending} <= {*self.used}

    @invariant()
    def the_end_has_its_slot(self) -> None:
        ends = [slot for slot in self.used if slot.reason is Reason.END]
        if self.budget.limit > 1 and self.is_told and not ends and self.window.slots.over_at is None:
            assert wanted_at_the_end(self.window, self.budget) == Slot(Reason.END, self.window.count)

    def teardown(self) -> None:
        """Let the follow-up ask until nothing is left: each milestone that a slot was free for has been told of.

        What was not told of before its end is told of by the end.
        """
        while (slot := wanted(self.window, 0, self.budget)) is not None:
            self.take(slot, in_digest=False)
        self.people_hear_of_a_window_at_most_so_often()
        passed = {one for one in self.budget.milestones if one <= self.window.count}
        slots = self.window.slots
        assert slots.sent >= self.most_before_the_end or slots.over_at is not None or passed <= {*slots.milestones}


Telling.TestCase.settings = settings(max_examples=300, stateful_step_count=40, deadline=None, derandomize=True)
TestTelling = Telling.TestCase
