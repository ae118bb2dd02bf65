from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backstop.errors import (
    CircuitOpen,
    Crashed,
    MalformedEvent,
    NotYet,
    PermanentError,
    StoreUnavailable,
    SystemFault,
    TransientError,
)
from backstop.kinds import Kind
from backstop.message import Record
from backstop.process import RESERVE_MILLIS, TIRED, Batch, settle, split
from backstop.trail import Trail
from backstop.verdict import Dead, Reason, Retry
from tests.backstop import NOW, Team, bodies, record, string

A_DAY_AGO = NOW - timedelta(days=1)
IN_5_S = NOW + timedelta(seconds=5)
REFUSED = CircuitOpen("payments", retry_after=timedelta(seconds=20), open_for=timedelta(seconds=30))


def settled(*records: Record, **team: Any) -> Batch:
    return settle(records, Team(**team).flow())


def with_history(event_id: str, **history: Any) -> dict[str, Any]:
    return record(event_id, queue="retry", attributes={"backstop": string(Trail(**history).serialise())})


def raised_from(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def ids(records: Sequence[Record]) -> list[str]:
    return [record["messageId"] for record in records]


class TestSettle:
    def test_what_is_done_the_first_time_leaves_no_trace(self) -> None:
        assert settled(*bodies("a", "b")) == Batch()

    def test_what_is_done_after_it_failed_has_recovered(self) -> None:
        batch = settled(with_history("a", attempt=1, first_failed_at=NOW, last_failed_at=NOW), record("b"))
        assert [message.event_id for message in batch.recovered] == ["a"]
        assert not batch.failed

    def test_one_message_fails_and_its_neighbours_do_not(self) -> None:
        team = Team(fails={"b": ValueError("boom")})
        batch = settle(bodies("a", "b", "c"), team.flow())
        assert team.ran == ["a", "b", "c"]
        assert [failed.message.event_id for failed in batch.failed] == ["b"]

    @pytest.mark.parametrize(
        ("error", "kind", "verdict"),
        [
            pytest.param(TransientError(), Kind.TRANSIENT, Retry(IN_5_S, is_counted=True), id="transient"),
            pytest.param(RuntimeError(), Kind.UNKNOWN, Retry(IN_5_S, is_counted=True), id="unknown"),
            pytest.param(SystemFault(), Kind.SYSTEM, Retry(IN_5_S, is_counted=False), id="system"),
            pytest.param(StoreUnavailable(), Kind.SYSTEM, Retry(IN_5_S, is_counted=False), id="store unavailable"),
            pytest.param(PermanentError(), Kind.PERMANENT, Dead(Reason.PERMANENT), id="permanent"),
            pytest.param(Crashed(), Kind.PERMANENT, Dead(Reason.CRASHED), id="crashed"),
            pytest.param(
                TransientError(retry_after=60),
                Kind.TRANSIENT,
                Retry(NOW + timedelta(seconds=60), is_counted=True),
                id="asks for time",
            ),
        ],
    )
    def test_an_error_is_judged_by_its_kind(self, error: Exception, kind: Kind, verdict: Retry | Dead) -> None:
        (failed,) = settled(record("a"), fails={"a": error}).failed
        assert (failed.kind, failed.verdict, failed.error) == (kind, verdict, error)

    def test_attempts_are_those_of_the_message(self) -> None:
        (failed,) = settled(with_history("a", attempt=5, first_failed_at=NOW), fails={"a": TransientError()}).failed
        assert failed.verdict == Dead(Reason.EXHAUSTED)

    @pytest.mark.parametrize(
        "history",
        [
            pytest.param({"attempt": 0, "kind": "system", "last_failed_at": NOW}, id="never its own fault"),
            pytest.param({"attempt": 1, "kind": "system", "last_failed_at": A_DAY_AGO}, id="once its own fault"),
            pytest.param({"attempt": 2, "kind": "transient", "waited_seconds": 24 * 3600}, id="our fault in between"),
        ],
    )
    def test_time_that_passed_while_the_fault_was_ours_is_not_the_messages(self, history: dict[str, Any]) -> None:
        """Were it, a message that sat out an outage would be dead of the first conflict after it."""
        waited = with_history("a", first_failed_at=NOW - timedelta(hours=25), **history)
        (failed,) = settled(waited, fails={"a": TransientError()}).failed
        assert failed.verdict == Retry(IN_5_S, is_counted=True)

    def test_time_that_passed_between_its_own_failures_is_the_messages(self) -> None:
        old = with_history("a", attempt=1, kind="transient", first_failed_at=NOW - timedelta(hours=25))
        (failed,) = settled(old, fails={"a": TransientError()}).failed
        assert failed.verdict == Dead(Reason.EXHAUSTED)

    def test_a_fault_of_ours_is_asked_about_less_often_the_longer_it_lasts(self) -> None:
        waited = with_history("a", kind="system", first_failed_at=A_DAY_AGO, last_failed_at=A_DAY_AGO)
        (failed,) = settled(waited, fails={"a": SystemFault()}).failed
        assert failed.verdict == Retry(NOW + timedelta(seconds=900), is_counted=False)

    def test_what_an_open_circuit_refused_waits_for_it_uncounted(self) -> None:
        (failed,) = settled(with_history("a", attempt=5, first_failed_at=A_DAY_AGO), fails={"a": REFUSED}).failed
        assert failed.verdict == Retry(NOW + timedelta(seconds=20 + 15), is_counted=False)
        assert failed.kind is Kind.TRANSIENT

    def test_a_refusal_is_found_below_what_was_raised_from_it(self) -> None:
        (failed,) = settled(record("a"), fails={"a": raised_from(RuntimeError("not charged"), REFUSED)}).failed
        assert failed.verdict == Retry(NOW + timedelta(seconds=20 + 15), is_counted=False)
        assert failed.error is REFUSED

    def test_a_handler_that_takes_a_refusal_for_permanent_is_believed(self) -> None:
        (failed,) = settled(record("a"), fails={"a": raised_from(PermanentError("not charged"), REFUSED)}).failed
        assert failed.verdict == Dead(Reason.PERMANENT)

    def test_time_that_a_circuit_was_open_is_not_the_messages(self) -> None:
        """It was tried once on its own account, and then waited for 25 hours."""
        waited = with_history(
            "a",
            attempt=1,
            kind="transient",
            is_excused=True,
            first_failed_at=NOW - timedelta(hours=25),
            last_failed_at=NOW - timedelta(hours=25),
        )
        (failed,) = settled(waited, fails={"a": TransientError()}).failed
        assert failed.verdict == Retry(IN_5_S, is_counted=True)

    @pytest.mark.parametrize(
        ("error", "is_excused"),
        [
            pytest.param(KeyError("a bug"), True, id="permanent"),
            pytest.param(RuntimeError("what is this"), True, id="unknown"),
            pytest.param(TransientError(), True, id="transient"),
            pytest.param(Crashed(), False, id="killed its workers"),
        ],
    )
    def test_a_failure_that_is_excused_waits_uncounted(self, error: Exception, is_excused: bool) -> None:
        flow = replace(Team(fails={"a": error}).flow(), excuses=lambda error, kind: True)
        (failed,) = settle([record("a")], flow).failed
        assert (failed.verdict == Retry(IN_5_S, is_counted=False)) is is_excused

    def test_a_fault_of_ours_needs_no_excuse(self) -> None:
        asked: list[Kind] = []

        def excuses(error: Exception, kind: Kind) -> bool:
            asked.append(kind)
            return True

        settle([record("a")], replace(Team(fails={"a": SystemFault()}).flow(), excuses=excuses))
        assert asked == []

    def test_a_body_that_is_no_event_is_held_back_with_its_release(self) -> None:
        flow = replace(Team().flow(), excuses=lambda error, kind: isinstance(error, MalformedEvent))
        (failed,) = settle([record("a", body="{")], flow).failed
        assert failed.verdict == Retry(IN_5_S, is_counted=False)

    def test_what_is_held_back_is_asked_about_less_often_the_longer_it_lasts(self) -> None:
        waited = with_history(
            "a", kind="permanent", is_excused=True, first_failed_at=A_DAY_AGO, last_failed_at=A_DAY_AGO
        )
        flow = replace(Team(fails={"a": KeyError()}).flow(), excuses=lambda error, kind: True)
        (failed,) = settle([waited], flow).failed
        assert failed.verdict == Retry(NOW + timedelta(seconds=900), is_counted=False)

    def test_what_is_no_event_is_dead_and_not_run(self) -> None:
        team = Team()
        (failed,) = settle([record("a", body="{")], team.flow()).failed
        assert failed.verdict == Dead(Reason.PERMANENT)
        assert isinstance(failed.error, MalformedEvent)
        assert failed.message.event_id == ""
        assert team.ran == []

    def test_what_runs_elsewhere_waits_for_it_and_nothing_has_failed(self) -> None:
        (failed,) = settled(record("a"), fails={"a": NotYet(IN_5_S)}).failed
        assert failed.verdict == Retry(IN_5_S, is_counted=False)
        assert failed.error is None

    @pytest.mark.parametrize(("minutes", "ran"), [(1, []), (0, ["a"]), (-1, ["a"])], ids=["before", "at", "after"])
    def test_a_message_is_not_run_before_its_time(self, minutes: int, ran: list[str]) -> None:
        team = Team()
        time = NOW + timedelta(minutes=minutes)
        batch = settle([with_history("a", attempt=1, first_failed_at=NOW, not_before=time)], team.flow())
        assert team.ran == ran
        assert [failed.verdict for failed in batch.failed] == ([] if ran else [Retry(time, is_counted=False)])


class Odd(Exception):
    """An error as a library may raise it: what it carries has another shape than it should have."""

    def __init__(self) -> None:
        self.response = {"Error": None, "ResponseMetadata": None}


class Touchy(Exception):
    @property
    def response(self) -> object:
        raise RuntimeError("no response was read")


FOR_EVER = 1e12  # seconds; nanoseconds since 1970 are more still


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(Odd(), id="an odd response"),
        pytest.param(Touchy(), id="an attribute that raises"),
        pytest.param(TransientError(retry_after=FOR_EVER), id="asks for for ever"),
        pytest.param(SystemFault(retry_after=FOR_EVER), id="a fault that asks for for ever"),
        pytest.param(TransientError(retry_after=timedelta.min), id="asks for the beginning of time"),
        pytest.param(SystemFault(retry_after=timedelta.min), id="a fault that asks for the beginning of time"),
        pytest.param(SystemFault(retry_after=-60), id="a fault that asks for the past"),
    ],
)
def test_no_error_however_odd_keeps_its_neighbours_from_being_done(error: Exception) -> None:
    team = Team(fails={"a": error})
    (failed,) = settle(bodies("a", "b"), team.flow()).failed
    assert team.ran == ["a", "b"]
    assert isinstance(failed.verdict, Dead) or failed.verdict.at >= NOW


class TestTime:
    def test_nothing_is_started_when_too_little_is_left(self) -> None:
        assert ids(settled(*bodies("a", "b"), left_millis=RESERVE_MILLIS - 1).unstarted) == ["m-a", "m-b"]

    def test_the_reserve_is_enough_to_start(self) -> None:
        assert settled(*bodies("a"), left_millis=RESERVE_MILLIS) == Batch()

    @pytest.mark.parametrize(
        ("left", "unstarted"),
        [(RESERVE_MILLIS + 6000, []), (RESERVE_MILLIS + 5999, ["m-b"])],
        ids=["just enough", "a millisecond short"],
    )
    def test_another_is_started_while_the_longest_so_far_would_fit(self, left: int, unstarted: list[str]) -> None:
        batch = settled(*bodies("a", "b"), left_millis=left, run_millis={"a": 3000})
        assert ids(batch.unstarted) == unstarted

    def test_a_short_one_does_not_make_the_longest_forgotten(self) -> None:
        batch = settled(*bodies("a", "b", "c"), left_millis=6500, run_millis={"a": 3000, "b": 10})
        assert ids(batch.unstarted) == ["m-b", "m-c"]
        batch = settled(*bodies("a", "b", "c"), left_millis=7005, run_millis={"a": 3000, "b": 10})
        assert ids(batch.unstarted) == ["m-c"]

    def test_what_was_settled_by_then_stays_settled(self) -> None:
        batch = settled(*bodies("a", "b"), left_millis=2000, run_millis={"a": 1500}, fails={"a": PermanentError()})
        assert [failed.message.event_id for failed in batch.failed] == ["a"]
        assert ids(batch.unstarted) == ["m-b"]


class TestTired:
    """SQS makes a dead letter of what it has delivered too often, whether or not anybody ran it."""

    def test_what_was_delivered_often_and_not_started_is_sent_on_to_be_counted_anew(self) -> None:
        records = [record("a", receives=TIRED - 1), record("b", receives=TIRED)]
        batch = settled(*records, left_millis=0)
        assert ids(batch.unstarted) == ["m-a"]
        (sent_on,) = batch.failed
        assert (sent_on.message.message_id, sent_on.verdict) == ("m-b", Retry(NOW, is_counted=False))

    def test_nothing_has_befallen_it(self) -> None:
        history = string(Trail(attempt=2, first_failed_at=NOW).serialise())
        tired = record("b", queue="retry", receives=TIRED, attributes={"backstop": history})
        (sent_on,) = settled(tired, left_millis=0).failed
        assert sent_on.error is None
        assert sent_on.message.trail.attempt == 2

    def test_what_is_started_is_judged_however_often_it_was_delivered(self) -> None:
        assert settled(record("a", receives=TIRED + 1)) == Batch()


class Silent(Team):
    """A team whose idempotency table does not answer."""

    def were_running(self, event_ids: Sequence[str]) -> frozenset[str]:
        raise StoreUnavailable("no answer")


class TestSplit:
    def test_fresh_messages_are_not_asked_about(self) -> None:
        team = Team()
        fresh = bodies("a", "b")
        assert split(fresh, team.flow()) == (fresh, ())
        assert team.asked == []

    def test_what_was_received_before_comes_after_what_was_not(self) -> None:
        records = [record("a", receives=2), record("b"), record("c", receives=3), record("d")]
        together, suspects = split(records, Team().flow())
        assert ids(together) == ["m-b", "m-d", "m-a", "m-c"]
        assert ids(suspects) == []

    def test_what_was_running_when_a_worker_died_is_suspect(self) -> None:
        records = [record("a", receives=2), record("b"), record("c", receives=2)]
        together, suspects = split(records, Team(died_on=frozenset({"a"})).flow())
        assert ids(together) == ["m-b", "m-c"]
        assert ids(suspects) == ["m-a"]

    def test_a_fresh_message_of_the_same_event_is_no_suspect(self) -> None:
        records = [record("a"), record("a", message_id="m-again", receives=2)]
        together, suspects = split(records, Team(died_on=frozenset({"a"})).flow())
        assert (ids(together), ids(suspects)) == (["m-a"], ["m-again"])

    def test_each_event_is_asked_about_once(self) -> None:
        team = Team()
        again = [record("b", receives=2), record("a", receives=2), record("a", message_id="m-2", receives=2)]
        split([*again, record("", body="{", receives=2)], team.flow())
        assert team.asked == [["a", "b"]]

    def test_what_is_no_event_is_no_suspect(self) -> None:
        broken = record("x", body="{", receives=2)
        together, suspects = split([broken], Team(died_on=frozenset({"", "x"})).flow())
        assert (ids(together), ids(suspects)) == (["m-x"], [])

    def test_what_cannot_be_read_is_no_suspect_and_ends_no_batch(self) -> None:
        """Python reads no whole number of over 4,300 digits: its error is another one than that of bad JSON."""
        odd = record("x", body='{"id": "x", "n": ' + "9" * 5000 + "}", receives=2)
        together, suspects = split([odd, record("b")], Team().flow())
        assert (ids(together), ids(suspects)) == (["m-b", "m-x"], [])

    def test_without_an_answer_nobody_is_suspect(self) -> None:
        records = [record("a", receives=2), record("b")]
        together, suspects = split(records, Silent(died_on=frozenset({"a"})).flow())
        assert (ids(together), ids(suspects)) == (["m-b", "m-a"], [])


events = st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=8)
errors = st.sampled_from([TransientError(), SystemFault(), PermanentError(), RuntimeError(), KeyError(), NotYet(NOW)])


@settings(deadline=None)
@given(
    events=events,
    fails=st.dictionaries(st.sampled_from("abcdefgh"), errors),
    run_millis=st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 3000)),
    left_millis=st.integers(0, 10_000),
)
def test_each_message_is_done_judged_or_unstarted_and_only_one_of_these(
    events: list[str], fails: dict[str, Exception], run_millis: dict[str, int], left_millis: int
) -> None:
    team = Team(fails=fails, run_millis=run_millis, left_millis=left_millis)
    batch = settle(bodies(*events), team.flow())
    judged = [failed.message.event_id for failed in batch.failed]
    unstarted = [message_id.removeprefix("m-") for message_id in ids(batch.unstarted)]
    done = [event_id for event_id in team.ran if event_id not in fails]
    assert sorted(judged + unstarted + done) == sorted(events)
    assert team.ran + unstarted == events


def test_judging_knows_the_teams_own_kinds() -> None:
    flow = replace(Team(fails={"a": KeyError("x")}).flow(), kinds={KeyError: Kind.SYSTEM})
    (failed,) = settle(bodies("a"), flow).failed
    assert failed.kind is Kind.SYSTEM
