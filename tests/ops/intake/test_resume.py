"""What an operator resumes comes in again, whatever paused it; a release that is held is let go."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from tests.ops.command import Command
from tests.ops.intake.ground import WHO, Ground

ON = {"Enabling", "Updating", "Enabled"}
GROUP = "g" + "a" * 16


class TestAResumption:
    def test_enables_the_mapping_at_once_at_a_low_concurrency(self, ground: Ground, backstop: Command) -> None:
        backstop("pause", "events", "--yes")
        ground.minute()
        ran = backstop("resume", "events", "--yes")
        assert (ran.exit_code, ran.err) == (0, "")
        assert ground.functions.mappings["m-events"] == {
            "State": "Enabling",
            "ScalingConfig": {"MaximumConcurrency": 2},
        }
        assert "events: not paused; its mapping is changing, with a concurrency of 2" in ran.out

    def test_is_written_down(self, ground: Ground, backstop: Command) -> None:
        backstop("pause", "events", "--yes")
        ground.minute()
        backstop("resume", "events", "--yes")
        assert ground.audit()[1] == ("resume events --yes", "intake events", "done")
        lines = [one.entry for one in ground.log.entries(ground.clock.now() - timedelta(hours=1), 10)]
        assert ("resume", "events", f"person {WHO}") in [(one.strategy, one.target, str(one.cause)) for one in lines]

    def test_is_not_undone_by_a_circuit_that_is_still_open(self, ground: Ground, backstop: Command) -> None:
        ground.open("payments", "shop-process")
        ground.reconcile()
        assert ground.pause_of() is not None
        backstop("resume", "events", "--yes")
        ground.minute()
        assert ground.pause_of() is None
        assert ground.states()["m-events"] in ON

    def test_is_of_what_was_disabled_elsewhere_too(self, ground: Ground, backstop: Command) -> None:
        ground.functions.mappings["m-events"]["State"] = "Disabled"
        assert backstop("resume", "events", "--yes").exit_code == 0
        assert ground.states()["m-events"] == "Enabling"
        ground.minute()
        assert ground.states()["m-events"] in ON

    def test_of_all_is_of_those_that_stand_still(self, ground: Ground, backstop: Command) -> None:
        backstop("pause", "ordered", "--yes")
        ground.functions.settle()
        ran = backstop("resume", "--yes")
        assert ran.exit_code == 0
        assert ground.functions.mappings["m-events"] == {
            "State": "Enabled",
            "ScalingConfig": {"MaximumConcurrency": 10},
        }
        assert ground.states()["m-ordered"] == "Enabling"

    def test_of_what_is_not_paused_changes_nothing_and_is_fine(self, ground: Ground, backstop: Command) -> None:
        before = ground.snapshot()
        ran = backstop("resume", "events", "--yes")
        assert (ran.exit_code, ran.err) == (0, "")
        assert "Nothing is paused: nothing was changed." in ran.out
        told = json.loads(backstop("resume", "--yes", "--json").out)
        assert (told["changed"], len(told["intakes"])) == (False, 2)
        assert ground.snapshot() == before

    def test_an_unknown_intake_is_a_sentence_that_names_those_there_are(self, backstop: Command) -> None:
        ran = backstop("resume", "orders", "--yes")
        assert (ran.exit_code, ran.err) == (
            2,
            "backstop: there is no intake 'orders': there are events, ordered; or all\n",
        )

    def test_where_recovery_does_not_answer_it_says_that_the_mapping_is_still_disabled(
        self, ground: Ground, backstop: Command
    ) -> None:
        backstop("pause", "events", "--yes")
        ground.functions.settle()
        ground.functions.refuses = ground.functions.refuses_changes = True
        ran = backstop("resume", "events", "--yes")
        assert (ran.exit_code, "events: its mapping is still disabled" in ran.err) == (0, True)
        ground.functions.refuses_changes = False
        ground.reconcile()
        assert ground.states()["m-events"] == "Enabling"


class TestAHeldRelease:
    @pytest.fixture(autouse=True)
    def held(self, ground: Ground) -> None:
        ground.hold()
        ground.reconcile()
        ground.functions.settle()
        assert ground.states() == {"m-events": "Disabled", "m-ordered": "Enabled"}

    def test_is_shown_with_what_fails_before_anything_is_done(self, ground: Ground, backstop: Command) -> None:
        before = ground.snapshot()
        ran = backstop("resume", "events")
        assert ran.exit_code == 0
        assert (
            "release 1.4.0 of shop-process is held since 2026-01-05 09:00:00 UTC: 34 of 40 messages, 85%, failed as "
            f"{GROUP}\n" in ran.out
        )
        assert f"  backstop groups show --stack shop {GROUP}\n" in ran.out
        assert "Resumed, such messages become dead letters" in ran.out
        assert "Dry run: nothing was changed" in ran.out
        assert ground.snapshot() == before

    def test_is_let_go_for_good(self, ground: Ground, backstop: Command) -> None:
        assert backstop("resume", "events", types="y").exit_code == 0
        assert ground.releases.holds() == []
        for _ in range(3):
            ground.minute()
        assert ground.states()["m-events"] in ON
        lines = [one.entry.why for one in ground.log.entries(ground.clock.now() - timedelta(hours=1), 10)]
        assert "lets release 1.4.0 of shop-process go" in lines

    def test_is_let_go_where_recovery_did_not_pause_for_it(self, ground: Ground, backstop: Command) -> None:
        ground.functions.variables["RECOVERY_MODE"] = "off"
        ground.minute()
        assert ground.pause_of() is None
        assert backstop("resume", "events", "--yes").exit_code == 0
        assert ground.releases.holds() == []

    def test_stays_held_where_a_person_says_no(self, ground: Ground, backstop: Command) -> None:
        assert backstop("resume", types="n").exit_code == 1
        assert len(ground.releases.holds()) == 1
        assert ground.audit() == []

    def test_stays_held_where_another_intake_is_resumed(self, ground: Ground, backstop: Command) -> None:
        backstop("pause", "ordered", "--yes")
        assert "release" not in backstop("resume", "ordered", "--yes").out
        assert len(ground.releases.holds()) == 1

    def test_is_told_to_programs(self, backstop: Command) -> None:
        told = json.loads(backstop("resume", "events", "--json").out)
        assert (told["changed"], told["intakes"][0]["held_release"]) == (False, "1.4.0")
        assert told["intakes"][0]["paused_for"] == "release shop-process"
