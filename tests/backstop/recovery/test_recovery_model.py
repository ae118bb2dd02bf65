"""Whatever fails, whoever meddles, and wherever recovery is killed: nothing stays paused, scaled or switched for ever.

Each minute recovery looks once, or dies on the way; AWS takes changes slowly, or not at all; people pause and resume.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from backstop.recovery.memory import parse, paused, resumed, serialise
from backstop.recovery.mode import Mode
from backstop.recovery.plan import plan
from backstop.recovery.state import CauseKind, MappingState, SetIntake, SetSwitch, SourceMapping
from backstop.release_counts import Hold
from tests.backstop import NOW
from tests.backstop.recovery.recovery_world import A_MINUTE, BOUNDS, INTAKES, Stack

AN_HOUR = timedelta(hours=1)
SETTLED_AFTER = 240
"""Minutes after which all is as ever: a person's pause, a ramp, two hours on a backup and the trial back."""
BOTH = frozenset(one.function for one in INTAKES)

circuits = st.sampled_from(["payments", "stock"])
intakes = st.sampled_from([one.name for one in INTAKES])
alarms = st.sampled_from([one.age_alarm for one in INTAKES])
dependents = st.sampled_from([frozenset(), frozenset({"process"}), BOTH])
deaths = st.one_of(st.none(), st.none(), st.integers(0, 6))


class Recovery(RuleBasedStateMachine):
    """A stack that all sorts of things happen to, against what must hold of it."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = Stack()
        self.disabled_since: dict[str, datetime] = {}

    @initialize(takes=st.sampled_from([0, 30, 90, 150]))
    def begin(self, takes: int) -> None:
        self.stack.change_takes = timedelta(seconds=takes)

    @rule(dies_after=deaths, minutes=st.sampled_from([1, 1, 2, 3, 5, 8, 70]))
    def time_passes(self, dies_after: int | None, minutes: int) -> None:
        self.stack.minutes(minutes - 1)
        self.stack.now += A_MINUTE
        self.stack.reconcile(dies_after)
        if dies_after is None and not self.stack.refuses:
            self.expect_nothing_more()

    def expect_nothing_more(self) -> None:
        """Check that the same trigger once more does and writes nothing."""
        memory = parse(self.stack.memory)
        again = plan(self.stack.seen(), memory)
        assert (again.memory, again.actions, again.entries) == (memory, (), ())
        pauses = [mine.pause for mine in memory.intakes.values() if mine.pause is not None]
        assert all(pause.until is None or self.stack.now < pause.until for pause in pauses)

    @rule(name=circuits, functions=dependents)
    def a_circuit_opens(self, name: str, functions: frozenset[str]) -> None:
        self.stack.open_since.setdefault(name, self.stack.now)
        self.stack.dependents[name] = functions

    @rule(name=circuits)
    def a_circuit_closes(self, name: str) -> None:
        self.stack.open_since.pop(name, None)

    @rule(is_probed=st.booleans())
    def somebody_probes_or_nobody(self, is_probed: bool) -> None:
        self.stack.is_probed = is_probed

    @rule(alarm=alarms)
    def an_alarm_rings_or_is_quiet(self, alarm: str) -> None:
        self.stack.ringing ^= {alarm}

    @rule()
    def a_release_fails_or_is_replaced(self) -> None:
        hold = Hold("process", "7", "a" * 16, 15, 20, self.stack.now)
        self.stack.holds = () if self.stack.holds else (hold,)

    @rule(mode=st.sampled_from([Mode.ACT, Mode.ACT, Mode.SUGGEST, Mode.OFF]))
    def the_mode_changes(self, mode: Mode) -> None:
        self.stack.mode = mode

    @rule(intake=intakes, minutes=st.integers(1, 59))
    def a_person_pauses(self, intake: str, minutes: int) -> None:
        until = self.stack.now + minutes * A_MINUTE
        memory = paused(parse(self.stack.memory), intake, "ana", until, self.stack.now)
        self.stack.memory = serialise(replace(memory, version=memory.version + 1))

    @rule(intake=intakes)
    def a_person_resumes(self, intake: str) -> None:
        self.stack.holds = ()
        memory = resumed(parse(self.stack.memory), intake, self.stack.now)
        self.stack.memory = serialise(replace(memory, version=memory.version + 1))

    @rule(intake=intakes, state=st.sampled_from([MappingState.ENABLED, MappingState.DISABLED, MappingState.GONE]))
    def somebody_changes_a_mapping(self, intake: str, state: MappingState) -> None:
        self.stack.change(intake, self.stack.mapping(intake)._replace(state=state))

    @rule()
    def the_stack_is_deployed(self) -> None:
        for one in INTAKES:
            self.stack.change(one.name, SourceMapping(MappingState.ENABLED, one.normal))

    @rule(refuses=st.booleans())
    def aws_refuses_or_not(self, refuses: bool) -> None:
        self.stack.refuses = refuses

    @rule()
    def two_runs_at_once(self) -> None:
        self.stack.now += timedelta(seconds=5)
        self.stack.reconcile_twice()

    @invariant()
    def a_pause_has_its_bound(self) -> None:
        for mine in parse(self.stack.memory).intakes.values():
            if mine.pause is not None and mine.pause.cause.kind is not CauseKind.RELEASE:
                assert mine.pause.until is not None
                assert mine.pause.until - mine.pause.since <= BOUNDS.longest_pause

    @invariant()
    def concurrency_stays_within_its_bounds(self) -> None:
        for one in INTAKES:
            concurrency = self.stack.mapping(one.name).concurrency
            assert concurrency is not None
            assert 2 <= concurrency <= BOUNDS.most

    @invariant()
    def what_was_left_behind_is_told_and_forgotten(self) -> None:
        memory = parse(self.stack.memory)
        assert len(memory.untold) <= 20
        assert all(len(one.tried) <= 20 for one in memory.causes.values())

    def teardown(self) -> None:
        """Let all causes end: everything is as ever, some time later, and recovery remembers nothing."""
        stack = self.stack
        stack.open_since, stack.holds, stack.ringing = {}, (), frozenset()
        stack.refuses, stack.mode = False, Mode.ACT
        for one in INTAKES:
            if stack.mapping(one.name).state is MappingState.GONE:
                stack.change(one.name, SourceMapping(MappingState.ENABLED, one.normal))
        stack.minutes(SETTLED_AFTER)
        assert stack.is_as_ever()
        assert replace(parse(stack.memory), version=0) == parse("")


TestRecovery = Recovery.TestCase
TestRecovery.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)

minutes = st.sampled_from([1, 1, 1, 2, 9])
spans = st.lists(st.tuples(minutes, minutes), min_size=10, max_size=50)


@settings(max_examples=50, deadline=None)
@given(spans)
def test_however_a_circuit_flaps_what_is_done_about_it_is_bounded(spans: list[tuple[int, int]]) -> None:
    stack = Stack(dependents={"payments": BOTH})
    for minutes_open, minutes_closed in spans:
        stack.open_since = {"payments": stack.now}
        stack.minutes(minutes_open)
        stack.open_since = {}
        stack.minutes(minutes_closed)
    pauses = [at for at, one in stack.done if isinstance(one, SetIntake) and not one.is_enabled]
    for intake in ("events", "ordered"):
        own = [at for at, one in stack.done if one == SetIntake(intake, is_enabled=False, concurrency=2)]
        assert at_most(8, own), "an hour has 1 + 2 + 4 + 8 + 15 + 15 minutes of cool-downs, and then a new one"
    assert len(pauses) % 2 == 0, "both lanes depend on it alike"
    switches = [at for at, one in stack.done if isinstance(one, SetSwitch) and one.to_backup]
    assert all(later - before >= 15 * A_MINUTE for before, later in pairwise(switches))
    assert at_most(2, [at for at, tell in stack.told if not tell.is_over])


def at_most(count: int, times: list[datetime]) -> bool:
    """Whether no hour has more than so many of some times."""
    return all(later - before >= AN_HOUR for before, later in zip(times, times[count:], strict=False))


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_killed_at_any_point_of_any_minute_it_follows_an_outage_and_its_end(data: st.DataObject) -> None:
    stack = Stack(dependents={"payments": BOTH}, open_since={"payments": NOW})
    ends_at = data.draw(st.integers(1, 29), label="the outage ends in minute")
    for minute in range(30):
        if minute == ends_at:
            stack.open_since = {}
        stack.now += A_MINUTE
        stack.reconcile(data.draw(deaths, label=f"minute {minute}: dies after"))
    stack.minutes(45)
    assert stack.is_as_ever()
    assert sum(tell.is_over for _, tell in stack.told) <= 1
