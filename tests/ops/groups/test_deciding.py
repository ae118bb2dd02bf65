"""What operators decide about a group: what holds then, who is named for it, and what the audit says."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from backstop.aws.groups_items import group_of
from backstop.groups import State
from ops.stack import Stack
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Fault, Faults
from tests.ops.command import Command
from tests.ops.groups.ground import HOSTILE, WHO, A, B, Ground

DECISIONS = [("ack",), ("silence", "--for", "2h"), ("resolve",), ("reopen",), ("note", "look at the prices")]
PEOPLES = {"acked_at", "acked_by", "silenced_until", "silenced_by", "resolved_at", "resolved_by", "note", "noted_by"}
NINE = "1767603600000"


def words(decision: tuple[str, ...], group: str) -> list[str]:
    """Return a decision about a group, as it is typed."""
    return ["groups", decision[0], group, *decision[1:]]


def peoples(ground: Ground, group: str = A) -> dict[str, Any]:
    """Return what people wrote about a group."""
    return {name: next(iter(value.values())) for name, value in ground.item(group).items() if name in PEOPLES}


def state(ground: Ground) -> State:
    return group_of(ground.item()).state(ground.clock.now())


@pytest.fixture(autouse=True)
def failing(ground: Ground) -> None:
    ground.fail(A)


class TestADecision:
    @pytest.mark.parametrize(
        ("decision", "said", "kept"),
        [
            (("ack",), "acked: nothing more is told of it until it is over", {"acked_at": NINE, "acked_by": WHO}),
            (
                ("silence", "--for", "2h"), "silenced: nothing is told of it until 2026-01-05 11:00:00 UTC",
                {"silenced_until": "1767610800000", "silenced_by": WHO},
            ),
            (
                ("resolve",), "resolved: if it comes back, that is told",
                {"resolved_at": NINE, "resolved_by": WHO},
            ),
            (("reopen",), "open: people are told of it", {}),
            (("note", "look at the prices"), "open: people are told of it",
             {"note": "look at the prices", "noted_by": WHO}),
        ],
        ids=["ack", "silence", "resolve", "reopen", "note"],
    )  # fmt: skip
    def test_is_kept_with_who_made_it_and_said(
        self, decision: tuple[str, ...], said: str, kept: dict[str, str], ground: Ground, backstop: Command
    ) -> None:
        ran = backstop(*words(decision, f"g{A}"))
        assert ran == (0, f"g{A}: PriceNotPublished in prices:find\n{said}\n", "")
        assert peoples(ground) == kept

    @pytest.mark.parametrize("decision", DECISIONS, ids=lambda decision: decision[0])
    def test_is_written_down_and_changes_nothing_that_watchers_write(
        self, decision: tuple[str, ...], ground: Ground, backstop: Command
    ) -> None:
        ground.fail(B)
        before, other = ground.item(), ground.item(B)
        assert backstop(*words(decision, A[:3])).exit_code == 0
        after = ground.item()
        assert {name: value for name, value in after.items() if name not in PEOPLES} == before
        assert ground.item(B) == other
        typed = f"groups {decision[0]} g{A}" + "".join(f" {word}" for word in decision[1:])
        assert ground.audit() == [(typed.replace("look at the prices", "'look at the prices'"), f"group g{A}", "done")]

    @pytest.mark.parametrize("decision", DECISIONS, ids=lambda decision: decision[0])
    def test_can_be_made_twice(self, decision: tuple[str, ...], ground: Ground, backstop: Command) -> None:
        backstop(*words(decision, A))
        once = ground.item()
        assert backstop(*words(decision, A)).exit_code == 0
        assert ground.item() == once
        assert len(ground.audit()) == 2


class TestOneAfterAnother:
    @pytest.mark.parametrize(
        ("decisions", "then"),
        [
            ([("ack",), ("resolve",)], State.RESOLVED),
            ([("silence", "--for", "2h"), ("resolve",)], State.RESOLVED),
            ([("resolve",), ("ack",)], State.ACKED),
            ([("resolve",), ("silence", "--for", "2h")], State.SILENCED),
            ([("silence", "--for", "2h"), ("silence", "--for", "1m"), ("ack",)], State.SILENCED),
            ([("ack",), ("reopen",)], State.OPEN),
            ([("silence", "--for", "2h"), ("reopen",)], State.OPEN),
            ([("resolve",), ("reopen",)], State.OPEN),
        ],
        ids=lambda value: "-".join(one[0] for one in value) if isinstance(value, list) else "",
    )
    def test_the_last_word_holds(
        self, decisions: list[tuple[str, ...]], then: State, ground: Ground, backstop: Command
    ) -> None:
        for decision in decisions:
            assert backstop(*words(decision, A)).exit_code == 0
        assert state(ground) is then

    def test_a_note_outlives_them_all_until_it_is_taken_away(self, ground: Ground, backstop: Command) -> None:
        backstop("groups", "note", A, "mine")
        for decision in DECISIONS[:4]:
            backstop(*words(decision, A))
        assert peoples(ground) == {"note": "mine", "noted_by": WHO}
        assert backstop("groups", "note", A, "").exit_code == 0
        assert peoples(ground) == {}


class TestResolved:
    def test_what_fails_again_is_open(self, ground: Ground, clock: VirtualClock, backstop: Command) -> None:
        backstop("groups", "resolve", A)
        clock.advance(timedelta(seconds=1))
        ground.fail(A)
        assert state(ground) is State.OPEN

    def test_holds_though_this_machine_s_clock_is_behind_the_watchers(
        self, ground: Ground, clock: VirtualClock, backstop: Command
    ) -> None:
        later = clock.epoch_millis() + 90_000
        ground.change(A, counted_at={"N": str(later)})
        assert "resolved: " in backstop("groups", "resolve", A).out
        assert peoples(ground)["resolved_at"] == str(later)


class TestANote:
    def test_carries_no_secret_and_neither_does_the_audit(self, ground: Ground, backstop: Command) -> None:
        secret = "sk_live_4eC39HqLyjWDarjtT1zdp7dc"
        assert backstop("groups", "note", A, f"ask ann@example.com about {secret}").exit_code == 0
        everything = f"{ground.item()}{ground.audit()}"
        assert secret not in everything
        assert "ann@" not in everything
        assert peoples(ground)["note"] == "ask [email] about [redacted]"

    def test_is_one_line_that_obeys_nobody(self, ground: Ground, backstop: Command) -> None:
        backstop("groups", "note", A, f"a\nNext:\t rm{HOSTILE}")
        assert peoples(ground)["note"] == "a Next: rmx [2J [red]"

    def test_has_a_length_that_an_alert_can_carry(self, ground: Ground, backstop: Command) -> None:
        assert backstop("groups", "note", A, "n" * 512).exit_code == 0
        ran = backstop("groups", "note", A, "n" * 513)
        assert ran == (2, "", "backstop: a note has at most 512 characters, and this one 513\n")
        assert len(ground.audit()) == 1


class TestASilence:
    @pytest.mark.parametrize("span", ["30s", "30m", "2h", "3d", "30d"])
    def test_lasts_as_long_as_said(self, span: str, ground: Ground, backstop: Command) -> None:
        assert backstop("groups", "silence", A, "--for", span).exit_code == 0

    @pytest.mark.parametrize("span", ["0m", "31d", "for ever", "2", "", "-2h", "2026-11-21T09:00", "999999h"])
    def test_is_neither_nothing_nor_for_ever(self, span: str, ground: Ground, backstop: Command) -> None:
        ran = backstop("groups", "silence", A, f"--for={span}")
        assert ran == (2, "", f"backstop: --for {span}: a span such as 30m, 2h, 3d, at most 30d\n")
        assert (peoples(ground), ground.audit()) == ({}, [])

    def test_is_not_made_without_a_span(self, ground: Ground, backstop: Command) -> None:
        assert backstop("groups", "silence", A).exit_code == 2
        assert ground.audit() == []


class TestWhereItCannotBeDone:
    @pytest.mark.parametrize("fault", [Fault.DENIED, Fault.THROTTLED, Fault.UNREACHABLE])
    def test_a_table_that_does_not_answer_is_a_sentence_and_the_audit_says_so(
        self, fault: Fault, ground: Ground, faults: Faults, backstop: Command
    ) -> None:
        faults.fail("UpdateItem", fault)
        ran = backstop("groups", "ack", A)
        assert (ran.exit_code, ran.out) == (2, "")
        assert ran.err.startswith("backstop: AWS ")
        [(command, _, result)] = ground.audit()
        assert (command, result.startswith("failed: ")) == (f"groups ack g{A}", True)
        assert peoples(ground) == {}

    def test_what_cannot_be_written_down_is_not_done(self, ground: Ground, faults: Faults, backstop: Command) -> None:
        faults.fail("PutItem", Fault.DENIED)
        assert backstop("groups", "ack", A).exit_code == 2
        assert peoples(ground) == {}

    def test_that_the_audit_knows_no_end_is_told(self, ground: Ground, faults: Faults, backstop: Command) -> None:
        faults.fail("UpdateItem", None, Fault.THROTTLED)
        ran = backstop("groups", "ack", A)
        assert (ran.exit_code, state(ground)) == (0, State.ACKED)
        assert "could not be written down" in ran.err

    def test_a_group_that_is_forgotten_meanwhile_is_not_made_anew(
        self, ground: Ground, stack: Stack, backstop: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        record = stack.dynamodb.put_item

        def forget_first(**request: Any) -> Any:
            ground.client.delete_item(TableName="groups", Key={"group": {"S": A}})
            return record(**request)

        monkeypatch.setattr(stack.dynamodb, "put_item", forget_first)
        ran = backstop("groups", "ack", A)
        assert (ran.exit_code, f"no group g{A} is known" in ran.err) == (1, True)
        assert ground.item() == {}
        assert ground.audit()[0][2].startswith("failed: ")

    def test_a_group_that_is_not_as_it_was_written_is_a_sentence(self, ground: Ground, backstop: Command) -> None:
        ground.change(A, severity={"S": "purple"})
        for words in (("ack", A), ("show", A), ("why", A)):
            ran = backstop("groups", *words)
            assert (ran.exit_code, ran.out) == (2, "")
            assert ran.err.startswith(f"backstop: the item of group {A} is not as it was written")


def test_a_decision_is_seen_in_the_listing(ground: Ground, backstop: Command) -> None:
    backstop("groups", "note", A, "mine")
    backstop("groups", "ack", A)
    [one] = json.loads(backstop("groups", "--json").out)["groups"]
    assert (one["state"], one["note"]) == ("acked", "mine")
