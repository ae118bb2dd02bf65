"""`backstop redrive`: what is chosen is counted, agreed to, written down, and begun; nothing else is done."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from backstop.kinds import Kind
from backstop.redrive import REST, State
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Fault, Faults
from tests.ops.command import Ran
from tests.ops.dlq.ground import A, B, Ground
from tests.ops.redrive.conftest import Redrives

Redrive = Callable[..., Ran]


@pytest.fixture(autouse=True)
def _letters(ground: Ground, clock: VirtualClock) -> None:
    for number in range(12):
        ground.die(f"a-{number}", group=A, kind=Kind.TRANSIENT, dead_because="exhausted", release="1.9")
    for number in range(3):
        ground.die(f"b-{number}", group=B, kind=Kind.PERMANENT, dead_because="permanent", release="1.10")


class TestADryRun:
    def test_tells_what_would_go_where_and_changes_nothing(self, redrive: Redrive, redrives: Redrives) -> None:
        ran = redrive("--all")
        assert ran.exit_code == 0
        assert "To be redriven: 15 letters, 10 a second, as a canary first: 1, 10, 100, about 3 min.\n" in ran.out
        assert ran.out.rstrip().endswith("Dry run: nothing was changed; --yes does it.")
        assert (redrives.jobs.all(), redrives.runs(), redrives.ground.audit()) == ([], [], [])

    @pytest.mark.parametrize(
        ("words", "letters"),
        [
            pytest.param(["--group", A], 12, id="group"),
            pytest.param(["--group", f"g{B}"], 3, id="group, with its g"),
            pytest.param(["--kind", "transient"], 12, id="kind"),
            pytest.param(["--reason", "permanent"], 3, id="reason"),
            pytest.param(["--reason", "moved"], 0, id="moved by SQS"),
            pytest.param(["--queue", "EventsQueue"], 15, id="queue"),
            pytest.param(["--queue", "OrderedQueue"], 0, id="another queue"),
            pytest.param(["--before-release", "1.10"], 12, id="release"),
            pytest.param(["--older-than", "1h"], 0, id="age"),
            pytest.param(["--event", "a-1", "--event", "b-1"], 2, id="events"),
            pytest.param(["--kind", "transient", "--event", "b-1"], 0, id="all that is said holds"),
            pytest.param(["--all"], 15, id="all"),
        ],
    )
    def test_counts_what_is_chosen(self, redrive: Redrive, words: list[str], letters: int) -> None:
        document = json.loads(redrive(*words, "--json").out)
        assert (document["job"], document["letters"]) == (None, letters)
        assert sum(one["letters"] for one in document["by"]) == letters

    def test_estimates_its_time(self, redrive: Redrive) -> None:
        assert json.loads(redrive("--all", "--no-canary", "--rate", "5", "--json").out)["seconds"] == 3.0
        assert json.loads(redrive("--all", "--rate", "5", "--json").out)["seconds"] == 183.0


class TestARedrive:
    def test_is_written_down_and_begun(self, redrive: Redrive, redrives: Redrives, clock: VirtualClock) -> None:
        ran = redrive("--group", A, "--rate", "50", "--yes")
        job = redrives.job()
        assert ran.exit_code == 0
        assert f"backstop redrive status --stack shop {job.id}" in ran.out
        assert redrives.runs() == [(f"{job.id}-1", {"job": job.id})]
        assert (job.selection.group, job.selection.frozen_at) == (A, clock.now())
        assert (job.rate, job.is_canary, job.step, job.expected, job.state) == (50.0, True, 0, 12, State.RUNNING)
        assert job.places == ("shop-dead", "shop-ordered-dead.fifo")
        assert job.command == f"redrive --group {A} --rate 50.0 --yes"
        assert redrives.ground.audit() == [(job.command, f"redrive {job.id}", 12, "done")]
        assert job.by.endswith(":user/moto")

    def test_without_a_canary_that_takes_what_dies_meanwhile(self, redrive: Redrive, redrives: Redrives) -> None:
        redrive("--all", "--no-canary", "--include-new", "--yes")
        job = redrives.job()
        assert (job.is_canary, job.step, job.selection.frozen_at) == (False, REST, None)

    @pytest.mark.parametrize(("typed", "jobs", "exit_code"), [("15", 1, 0), ("14", 0, 1), ("", 0, 1), ("yes", 0, 1)])
    def test_is_agreed_to_by_the_number_of_letters(
        self, redrive: Redrive, redrives: Redrives, typed: str, jobs: int, exit_code: int
    ) -> None:
        assert redrive("--all", types=typed).exit_code == exit_code
        assert len(redrives.jobs.all()) == jobs

    def test_of_nothing_is_not_begun(self, redrive: Redrive, redrives: Redrives) -> None:
        ran = redrive("--group", "c" * 16, "--yes")
        assert (ran.exit_code, redrives.jobs.all()) == (0, [])
        assert "No dead letters are meant" in ran.out

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            pytest.param([], "say which letters", id="nothing chosen"),
            pytest.param(["--all", "--group", A], "say which letters", id="all, and some"),
            pytest.param(["--group", ""], "an empty one would choose any letter", id="an empty name"),
            pytest.param(["--all", "--rate", "501"], "less than or equal to 500", id="too fast"),
            pytest.param(["--all", "--rate", "0"], "greater than or equal to 0.1", id="no pace"),
            pytest.param(["--older-than", "soon"], "--older-than soon", id="no time"),
            pytest.param(["--native", "--group", A], "--native moves a whole queue", id="native, by choice"),
        ],
    )
    def test_that_is_not_clear_is_refused(
        self, redrive: Redrive, redrives: Redrives, words: list[str], said: str
    ) -> None:
        ran = redrive(*words)
        assert ran.exit_code == 2
        assert said in " ".join(ran.err.replace("│", " ").split())
        assert redrives.jobs.all() == []

    def test_that_cannot_be_written_down_is_not_begun(
        self, redrive: Redrive, redrives: Redrives, faults: Faults
    ) -> None:
        faults.fail_always("PutItem", Fault.DENIED)
        ran = redrive("--all", "--yes")
        assert ran.exit_code == 2
        assert (redrives.jobs.all(), redrives.runs()) == ([], [])

    def test_that_cannot_be_started_says_so_and_is_known_to_have_failed(
        self, redrive: Redrive, redrives: Redrives
    ) -> None:
        redrives.ground.stack._outputs["RedriveStateMachineArn"] += "-gone"
        ran = redrive("--all", "--yes")
        assert ran.exit_code == 2
        [(_, _, _, result)] = redrives.ground.audit()
        assert result.startswith("failed: ")
