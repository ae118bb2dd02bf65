"""What an operator pauses stands still at once, for its time, and is written down."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from backstop.recovery.state import CauseKind
from tests.fakes.clock import VirtualClock
from tests.ops.command import Command
from tests.ops.intake.ground import HOSTILE, WHO, Ground

ENABLED = {"m-events": "Enabled", "m-ordered": "Enabled"}
UNTIL = "2026-01-05 10:00:00 UTC"


class TestAPause:
    def test_disables_the_mapping_at_once_and_no_other(self, ground: Ground, backstop: Command) -> None:
        ran = backstop("pause", "events", "--yes")
        assert (ran.exit_code, ran.err) == (0, "")
        assert ground.states() == ENABLED | {"m-events": "Disabling"}
        assert ground.functions.invocations == [{"reconcile": True}]
        assert f"events: paused since 2026-01-05 09:00:00 UTC because of person {WHO}, until {UNTIL}" in ran.out
        assert "its mapping is changing" in ran.out
        assert ran.out.endswith("Done.\n")

    def test_is_remembered_as_the_operators_and_written_down(self, ground: Ground, backstop: Command) -> None:
        backstop("pause", "events", "--for", "30m", "--yes")
        pause = ground.pause_of()
        assert pause is not None
        assert (pause.cause.kind, pause.cause.name) == (CauseKind.PERSON, WHO)
        assert pause.until == ground.clock.now() + timedelta(minutes=30)
        assert ground.audit() == [("pause events --for 30m --yes", "intake events", "done")]
        [written] = ground.log.entries(ground.clock.now() - timedelta(hours=1), 10)
        assert (written.entry.strategy, written.entry.target, str(written.entry.cause)) == (
            "pause",
            "events",
            f"person {WHO}",
        )

    def test_is_of_all_intakes_where_none_is_named(self, ground: Ground, backstop: Command) -> None:
        backstop("pause", "--yes")
        assert set(ground.states().values()) == {"Disabling"}
        assert ground.audit() == [("pause all --for 1h --yes", "intake all", "done")]

    def test_lasts_for_its_time_whatever_the_reconciler_does_and_ends_by_itself(
        self, ground: Ground, backstop: Command
    ) -> None:
        backstop("pause", "events", "--for", "10m", "--yes")
        for _ in range(9):
            ground.minute()
        assert ground.states()["m-events"] == "Disabled"
        for _ in range(2):
            ground.minute()
        assert ground.states()["m-events"] in {"Enabling", "Updating", "Enabled"}
        assert ground.pause_of() is None

    def test_may_last_longer_than_recovery_pauses_by_itself(
        self, ground: Ground, clock: VirtualClock, backstop: Command
    ) -> None:
        backstop("pause", "events", "--for", "5h", "--yes")
        clock.advance(timedelta(hours=4))
        ground.minute()
        assert (ground.pause_of() is None, ground.states()["m-events"]) == (False, "Disabled")

    def test_that_is_under_way_says_that_it_takes_its_time(self, backstop: Command) -> None:
        assert "A mapping takes a minute or two to change" in backstop("pause", "events", "--yes").out

    @pytest.mark.parametrize("mode", ["act", "suggest", "off"])
    def test_is_done_whatever_recovery_may_do_by_itself(self, mode: str, ground: Ground, backstop: Command) -> None:
        ground.functions.variables["RECOVERY_MODE"] = mode
        assert backstop("pause", "events", "--yes").exit_code == 0
        assert ground.states()["m-events"] == "Disabling"

    def test_of_what_stands_still_already_gives_it_a_new_end(self, ground: Ground, backstop: Command) -> None:
        backstop("pause", "events", "--for", "1h", "--yes")
        ran = backstop("pause", "events", "--for", "2h", "--yes")
        assert (ran.exit_code, ran.err) == (0, "")
        pause = ground.pause_of()
        assert pause is not None
        assert pause.until == ground.clock.now() + timedelta(hours=2)

    def test_takes_over_from_a_circuit(self, ground: Ground, backstop: Command) -> None:
        ground.open("payments", "shop-process")
        ground.reconcile()
        assert "because of circuit payments" in backstop("pause", "events").out
        backstop("pause", "events", "--for", "5h", "--yes")
        pause = ground.pause_of()
        assert pause is not None
        assert pause.cause.kind is CauseKind.PERSON

    def test_tells_programs_what_holds_then(self, ground: Ground, backstop: Command) -> None:
        ran = backstop("pause", "events", "--yes", "--json")
        assert (ran.exit_code, ran.err) == (0, "")
        assert json.loads(ran.out) == {
            "changed": True,
            "intakes": [
                {
                    "intake": "events",
                    "function": "shop-process",
                    "mapping": "changing",
                    "concurrency": 2,
                    "paused_for": f"person {WHO}",
                    "since": "2026-01-05T09:00:00.000+00:00",
                    "until": "2026-01-05T10:00:00.000+00:00",
                    "held_release": "",
                }
            ],
            "notes": [],
        }


class TestAsking:
    def test_where_nobody_sits_nothing_is_changed(self, ground: Ground, backstop: Command) -> None:
        before = ground.snapshot()
        ran = backstop("pause", "events")
        assert (ran.exit_code, ran.err) == (0, "")
        assert "Dry run: nothing was changed; --yes does it." in ran.out
        told = json.loads(backstop("pause", "events", "--json").out)
        assert (told["changed"], told["intakes"][0]["mapping"]) == (False, "enabled")
        assert ground.snapshot() == before

    def test_a_person_is_asked(self, ground: Ground, backstop: Command) -> None:
        assert backstop("pause", types="y").exit_code == 0
        assert set(ground.states().values()) == {"Disabling"}

    @pytest.mark.parametrize("typed", ["n", ""])
    def test_anything_but_a_yes_changes_nothing(self, typed: str, ground: Ground, backstop: Command) -> None:
        before = ground.snapshot()
        assert backstop("pause", types=typed).exit_code == 1
        assert ground.snapshot() == before


class TestWrongCalls:
    @pytest.mark.parametrize(
        ("words", "said"),
        [
            pytest.param(("evnts",), "there is no intake 'evnts': there are events, ordered; or all", id="a typo"),
            pytest.param((HOSTILE,), "there is no intake ", id="what a terminal would obey"),
            pytest.param(("events", "--for", "25h"), "--for 25h: a span such as", id="too long"),
            pytest.param(("events", "--for", "soon"), "--for soon: a span such as", id="no span"),
        ],
    )
    def test_are_a_sentence_and_change_nothing(
        self, words: tuple[str, ...], said: str, ground: Ground, backstop: Command
    ) -> None:
        before = ground.snapshot()
        ran = backstop("pause", *words, "--yes")
        assert (ran.exit_code, ran.out) == (2, "")
        assert said in ran.err
        assert ground.snapshot() == before

    def test_a_day_is_allowed(self, backstop: Command) -> None:
        assert backstop("pause", "events", "--for", "24h", "--yes").exit_code == 0

    def test_a_stack_without_recovery_is_named(self, ground: Ground, backstop: Command) -> None:
        del ground.stack._outputs["RecoverFunctionName"]
        ran = backstop("pause", "--yes")
        assert (ran.exit_code, ran.err) == (
            2,
            "backstop: stack 'shop' has no output RecoverFunctionName: is it a Backstop stack?\n",
        )
