"""`redrive status`, `cancel` and `resume`: how a job stands, and what becomes of one that is over or interrupted."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from backstop.redrive import REST, Batch, Job, Sending, Sent, State
from backstop.selection import Selection
from tests.fakes.clock import VirtualClock
from tests.ops.command import Ran
from tests.ops.redrive.conftest import SESSION, Redrives

Redrive = Callable[..., Ran]
JOB = "r20260105-090000-abcd"
HOSTILE = "x\x1b[2J[red]"


@pytest.fixture
def begin(redrives: Redrives, clock: VirtualClock) -> Callable[..., Job]:
    def begin(*, is_run: bool = True, sent: int = 0, doubtful: int = 0, **known: Any) -> Job:
        fresh = Job(JOB, Selection(group="a" * 16), ("shop-dead",), 10.0, True, clock.now(), expected=30)
        job = replace(fresh, **known)
        redrives.jobs.create(job)
        letters = tuple(Sending(f"m-{number}", f"e-{number}") for number in range(sent + doubtful))
        batch = Batch(1, Sent.SENT, clock.now(), letters[:sent], sent, letters[sent:])
        redrives.jobs.write(JOB, batch)
        SESSION.client("stepfunctions").start_execution(
            stateMachineArn=redrives.machine, name=f"{JOB}-1", input=json.dumps({"job": JOB})
        )
        if not is_run:
            redrives.end_run(f"{JOB}-1")
        return job

    return begin


class TestStatus:
    def test_lists_the_newest_first(self, redrive: Redrive, begin: Callable[..., Job], redrives: Redrives) -> None:
        begin(sent=3)
        redrives.jobs.create(replace(redrives.job(), id="r-older", begun_at=redrives.job().begun_at - timedelta(1)))
        listed = json.loads(redrive("status", "--json").out)["redrives"]
        assert [one["job"] for one in listed] == [JOB, "r-older"]
        assert JOB in redrive("status").out

    def test_of_none_says_so(self, redrive: Redrive) -> None:
        assert redrive("status").out == "Nothing was redriven yet.\n"

    @pytest.mark.parametrize(
        ("known", "state", "exit_code"),
        [
            pytest.param({}, "running", 0, id="running"),
            pytest.param({"is_run": False}, "interrupted", 1, id="nobody moves it"),
            pytest.param({"is_run": False, "state": State.DONE}, "done", 0, id="done"),
            pytest.param({"is_run": False, "state": State.STOPPED, "note": "10 of 11"}, "stopped", 1, id="stopped"),
            pytest.param({"state": State.CANCELLED}, "cancelled", 0, id="cancelled, and still ending"),
        ],
    )
    def test_says_how_one_stands(
        self, redrive: Redrive, begin: Callable[..., Job], known: dict[str, Any], state: str, exit_code: int
    ) -> None:
        begin(sent=3, **known)
        ran = redrive("status", JOB, "--json")
        document = json.loads(ran.out)
        assert (ran.exit_code, document["state"]) == (exit_code, state)
        assert (document["moved"], document["expected"], document["in_doubt"]) == (3, 30, 0)

    def test_of_one_whose_run_is_not_known_yet_waits_for_its_first_turn(
        self, redrive: Redrive, redrives: Redrives, clock: VirtualClock
    ) -> None:
        """Step Functions tells of a run a moment after it was begun."""
        redrives.jobs.create(Job(JOB, Selection(), ("shop-dead",), 10.0, True, clock.now()))
        assert json.loads(redrive("status", JOB, "--json").out)["state"] == "running"
        clock.advance(timedelta(minutes=10))
        assert json.loads(redrive("status", JOB, "--json").out)["state"] == "interrupted"

    def test_says_what_to_type_where_nobody_moves_it(self, redrive: Redrive, begin: Callable[..., Job]) -> None:
        begin(is_run=False)
        assert f"backstop redrive resume --stack shop {JOB}" in redrive("status", JOB).out

    def test_says_what_is_held_back_and_how_to_send_it(self, redrive: Redrive, begin: Callable[..., Job]) -> None:
        begin(is_run=False, sent=20, doubtful=10, state=State.DONE)
        out = redrive("status", JOB).out
        assert "10 letters may have been sent, and are held back" in out
        assert f"backstop redrive resume --resend-doubtful --stack shop {JOB}" in out

    def test_counts_what_failed_again(self, redrive: Redrive, begin: Callable[..., Job], redrives: Redrives) -> None:
        begin(sent=2)
        for event, state in (("e-0", "dead"), ("e-1", "recovered")):
            row = {"event_id": event, "at": "2026-01-05T09:00:00.000#1", "state": state, "redrive_id": JOB}
            item = {name: {"S": value} for name, value in row.items()}
            redrives.ground.client.put_item(TableName="events", Item=item)
        assert json.loads(redrive("status", JOB, "--json").out)["failed_again"] == 1

    def test_obeys_nothing_that_a_note_says(self, redrive: Redrive, begin: Callable[..., Job]) -> None:
        begin(note=HOSTILE)
        assert "\x1b" not in redrive("status", JOB).out + redrive("status").out

    def test_of_an_unknown_one_is_refused(self, redrive: Redrive) -> None:
        ran = redrive("status", "r-none")
        assert (ran.exit_code, "there is no redrive 'r-none'" in ran.err) == (2, True)


class TestCancel:
    def test_ends_one_that_runs(self, redrive: Redrive, begin: Callable[..., Job], redrives: Redrives) -> None:
        begin(sent=3)
        ran = redrive("cancel", JOB)
        assert (ran.exit_code, redrives.job().state) == (0, State.CANCELLED)
        assert ran.out == "Cancelled: 3 letters are moved, the rest stays where it is.\n"
        assert redrives.ground.audit() == [(f"redrive cancel {JOB}", f"redrive {JOB}", 30, "done")]

    def test_of_one_that_is_over_says_so(self, redrive: Redrive, begin: Callable[..., Job]) -> None:
        begin(state=State.DONE)
        ran = redrive("cancel", JOB)
        assert (ran.exit_code, f"redrive {JOB} is over: done" in ran.err) == (1, True)


class TestResume:
    @pytest.mark.parametrize("state", [State.CANCELLED, State.RUNNING])
    def test_goes_on_with_one_that_nobody_moves(
        self, redrive: Redrive, begin: Callable[..., Job], redrives: Redrives, state: State
    ) -> None:
        begin(is_run=False, state=state, step=1, sent=1, note="x")
        assert redrive("resume", JOB).exit_code == 0
        job = redrives.job()
        assert (job.state, job.step, job.runs, job.note, job.resends_doubtful) == (State.RUNNING, 1, 2, "", False)
        assert redrives.runs()[1] == (f"{JOB}-2", {"job": JOB})
        assert redrives.ground.audit() == [(f"redrive resume {JOB}", f"redrive {JOB}", 30, "done")]

    def test_sends_what_is_in_doubt_where_it_is_told_to(
        self, redrive: Redrive, begin: Callable[..., Job], redrives: Redrives
    ) -> None:
        begin(is_run=False, state=State.DONE, sent=20, doubtful=10)
        refused = redrive("resume", JOB)
        assert (refused.exit_code, "10 letters in doubt: --resend-doubtful" in refused.err) == (1, True)
        assert redrive("resume", JOB, "--resend-doubtful").exit_code == 0
        assert (redrives.job().step, redrives.job().resends_doubtful) == (REST, True)

    @pytest.mark.parametrize(
        ("known", "said"),
        [
            pytest.param({}, "is under way", id="running"),
            pytest.param({"state": State.CANCELLED}, "try again in a moment", id="still ending"),
            pytest.param({"state": State.STOPPED, "is_run": False}, "redrive what is left anew", id="stopped"),
            pytest.param({"state": State.DONE, "is_run": False}, "is done", id="done"),
        ],
    )
    def test_says_why_it_cannot(
        self,
        redrive: Redrive,
        begin: Callable[..., Job],
        redrives: Redrives,
        known: dict[str, Any],
        said: str,
    ) -> None:
        begin(**known)
        ran = redrive("resume", JOB)
        assert (ran.exit_code, said in ran.err) == (1, True)
        assert len(redrives.runs()) == 1
