"""What AWS refuses, who else writes and when a command ends: nothing is lost by it, and each is a sentence."""

from __future__ import annotations

import pytest

from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Fault, Faults
from tests.ops.command import Command
from tests.ops.intake.ground import HOSTILE, Ground

ENABLED = {"m-events": "Enabled", "m-ordered": "Enabled"}


class TestAPause:
    def test_a_mapping_that_is_gone_cannot_be_paused(self, ground: Ground, backstop: Command) -> None:
        del ground.functions.mappings["m-events"]
        ran = backstop("pause", "events", "--yes")
        assert (ran.exit_code, "There is no mapping to pause" in ran.err) == (1, True)
        assert ground.audit() == []
        assert backstop("pause", "all", "--yes").exit_code == 0
        assert (ground.pause_of("events"), ground.states()) == (None, {"m-ordered": "Disabling"})

    @pytest.mark.parametrize(
        ("failure", "said"),
        [
            pytest.param({"refuses": True}, "AWS refused Invoke: not you", id="nobody may invoke it"),
            pytest.param(
                {"fails": {"errorType": "SystemFault", "errorMessage": HOSTILE}},
                "RecoverFunction failed: SystemFault: x",
                id="it fails",
            ),
            pytest.param({"fails": {}}, "RecoverFunction failed: WatchLogs says why", id="it says nothing"),
        ],
    )
    def test_where_recovery_does_not_answer_it_is_done_without_it(
        self, failure: dict[str, object], said: str, ground: Ground, backstop: Command
    ) -> None:
        vars(ground.functions).update(failure)
        ran = backstop("pause", "events", "--yes")
        assert ran.exit_code == 0
        assert f"it was done without RecoverFunction, which did not answer: {said}" in ran.err
        assert "within a minute" not in ran.err
        assert ground.states()["m-events"] == "Disabling"
        ground.minute()
        assert backstop("resume", "events", "--yes").exit_code == 0
        assert ground.states()["m-events"] == "Enabling"

    def test_where_nothing_may_be_changed_the_reconciler_does_it(self, ground: Ground, backstop: Command) -> None:
        vars(ground.functions).update({"refuses": True, "refuses_changes": True})
        ran = backstop("pause", "events", "--yes")
        assert ran.exit_code == 0
        assert "it is not done at once, but by the reconciler within a minute" in ran.err
        assert "its mapping is still enabled" in ran.err
        vars(ground.functions).update({"refuses": False, "refuses_changes": False})
        ground.reconcile()
        assert ground.states()["m-events"] == "Disabling"

    def test_another_one_who_writes_first_does_not_undo_it(
        self, ground: Ground, backstop: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The reconciler runs between what the command reads and what it writes."""
        remember, runs = type(ground.log).remember, iter([True, True, False])

        def late(self: object, *arguments: object) -> bool:
            if next(runs, False):
                monkeypatch.setattr(type(ground.log), "remember", remember)
                ground.reconcile()
                monkeypatch.setattr(type(ground.log), "remember", late)
            return remember(self, *arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(type(ground.log), "remember", late)
        assert backstop("pause", "events", "--yes").exit_code == 0
        assert ground.pause_of() is not None
        assert ground.log.memory().version >= 3

    def test_what_changes_all_the_time_is_given_up(
        self, ground: Ground, backstop: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(type(ground.log), "remember", lambda *_: False)
        ran = backstop("pause", "events", "--yes")
        assert (ran.exit_code, "changes all the time: intakes are as they were" in ran.err) == (2, True)
        [(_, _, result)] = ground.audit()
        assert result.startswith("failed: what recovery remembers changes all the time")
        assert ground.states() == ENABLED

    def test_a_table_that_does_not_answer_is_a_sentence_and_is_written_down(
        self, ground: Ground, faults: Faults, backstop: Command
    ) -> None:
        faults.fail_always("TransactWriteItems", Fault.DENIED)
        ran = backstop("pause", "events", "--yes")
        assert (ran.exit_code, "the table of recovery did not answer" in ran.err) == (2, True)
        [(_, _, result)] = ground.audit()
        assert result.startswith("failed: the table of recovery did not answer")

    def test_that_it_is_done_but_not_written_down_is_said(
        self, ground: Ground, faults: Faults, backstop: Command
    ) -> None:
        faults.fail_always("UpdateItem", Fault.DENIED, lambda request: b'"audit"' in request["body"])
        ran = backstop("pause", "events", "--yes")
        assert (ran.exit_code, ran.err.startswith("backstop: that it is done could not be written down: ")) == (0, True)
        assert ground.states()["m-events"] == "Disabling"

    def test_what_cannot_be_written_down_is_not_done(self, ground: Ground, faults: Faults, backstop: Command) -> None:
        faults.fail_always("PutItem", Fault.DENIED, lambda request: b'"audit"' in request["body"])
        assert backstop("pause", "events", "--yes").exit_code == 2
        assert (ground.pause_of(), ground.states()) == (None, ENABLED)

    @pytest.mark.parametrize("setting", [None, "shop-process"], ids=["missing", "wrong"])
    def test_a_setting_that_is_not_as_it_should_be_is_named(
        self, setting: str | None, ground: Ground, backstop: Command
    ) -> None:
        ground.functions.variables["EVENTS_INTAKE"] = setting or ""
        ran = backstop("pause", "events", "--yes")
        assert ran.exit_code == 2
        assert ran.err.startswith("backstop: RecoverFunction: ")
        assert "EVENTS_INTAKE" in ran.err


def test_what_ends_after_it_is_remembered_is_done_by_the_reconciler(
    ground: Ground, clock: VirtualClock, backstop: Command
) -> None:
    """The command is killed before RecoverFunction is invoked."""

    class Killed(BaseException):
        pass

    def die() -> None:
        raise Killed

    ground.functions.recovers = die
    with pytest.raises(Killed):
        backstop("pause", "events", "--yes")
    ground.minute()
    assert ground.states()["m-events"] == "Disabling"
