"""Which dead letters there are and why, and that looking at them changes nothing and does no harm."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Fault, Faults
from tests.fakes.sqs import FakeSqs
from tests.ops.command import Command, Ran
from tests.ops.dlq.conftest import is_harmless
from tests.ops.dlq.ground import DEAD, HOSTILE, ORDERED_DEAD, REASON, A, B, Ground
from tests.ops.keys.conftest import Rows


def told(ran: Ran) -> Any:
    assert (ran.exit_code, ran.err) == (0, "")
    return json.loads(ran.out)


def events(ran: Ran) -> list[str]:
    return [one["event"] for one in told(ran)["letters"]]


class TestALetter:
    def test_is_told_with_why_it_is_dead_and_where_it_came_from(
        self, ground: Ground, clock: VirtualClock, dlq: Command, rows: Rows
    ) -> None:
        ground.die("e-1", key="k", redrives=2)
        clock.advance(timedelta(hours=3))
        ran = dlq("show")
        assert (ran.exit_code, ran.err) == (0, "")
        assert rows(ran) == [
            ["event", "reason", "kind", "error type", "group", "attempts", "died", "from", "key", "release", "redrives",
             "why"],
            ["e-1", "exhausted", "transient", "PriceNotPublished", f"g{A}", "6", "3 h ago", "shop-events", "k", "1.4.0",
             "2", REASON],
        ]  # fmt: skip

    def test_has_no_columns_for_what_no_letter_has(self, ground: Ground, dlq: Command, rows: Rows) -> None:
        ground.die("e-1")
        header = rows(dlq("show"))[0]
        assert not {"key", "redrives"} & set(header)
        assert {"event", "why"} <= set(header)

    def test_is_told_to_programs(self, ground: Ground, clock: VirtualClock, dlq: Command) -> None:
        ground.die("e-1")
        clock.advance(timedelta(seconds=90))
        assert told(dlq("show", "--json")) == {
            "letters": [
                {
                    "event": "e-1",
                    "message": ground.messages()[0].message_id,
                    "reason": "exhausted",
                    "kind": "transient",
                    "error_type": "PriceNotPublished",
                    "group": f"g{A}",
                    "attempts": 6,
                    "died_at": "2026-01-05T09:00:00.000+00:00",
                    "age_seconds": 90,
                    "source_queue": "shop-events",
                    "queue": DEAD,
                    "key": "",
                    "release": "1.4.0",
                    "redrives": 0,
                    "why": REASON,
                }
            ],
            "total": 1,
            "unseen": 0,
            "is_cut": False,
        }

    def test_shows_its_body_only_where_that_is_asked_for(self, ground: Ground, dlq: Command) -> None:
        ground.die("e-1")
        for words in ((), ("--json",)):
            assert "Zanzibar" not in dlq("show", *words).out
            assert "Zanzibar" in dlq("show", "--reveal", *words).out

    def test_that_is_no_event_is_shown_all_the_same(self, ground: Ground, dlq: Command, rows: Rows) -> None:
        ground.put(DEAD, "", body="not JSON")
        assert rows(dlq("show"))[1][:2] == ["no event", "moved by SQS"]
        assert f"{ground.messages()[0].message_id}: not JSON\n" in dlq("show", "--reveal").out

    @pytest.mark.parametrize("field", ["event_id", "key", "reason"])
    def test_does_no_harm_whatever_it_says(self, field: str, ground: Ground, dlq: Command) -> None:
        ground.die("e-1", body=json.dumps({"id": HOSTILE}) + HOSTILE, **{field: HOSTILE})
        ran = dlq("show", "--reveal")
        assert (is_harmless(ran), "[red]" in ran.out) == (True, True)

    def test_whose_history_is_anything_at_all_does_no_harm(self, ground: Ground, dlq: Command) -> None:
        told = {"version": 1, "verdict": "dead", "attempt": 10**30, "group": HOSTILE, "source_queue": HOSTILE}
        for text in (json.dumps(told), HOSTILE, "[" * 10_000, "null"):
            ground.put(DEAD, HOSTILE, attributes={"backstop": {"DataType": "String", "StringValue": text}})
        ground.put(DEAD, "e", attributes={"backstop": {"DataType": "Binary", "BinaryValue": b"\xff"}})
        ground.move("f", source=HOSTILE)
        ran = dlq("show", "--reveal")
        assert (ran.exit_code, is_harmless(ran)) == (0, True)
        assert len(events(dlq("show", "--json"))) == 6


class TestWhatSqsMoved:
    def test_is_told_with_what_the_logs_know(self, ground: Ground, dlq: Command) -> None:
        ground.fail("e-1", error_type="OutOfMemory", error="used it all")
        ground.move("e-1", "e-2")
        known, unknown = sorted(told(dlq("show", "--json"))["letters"], key=lambda one: str(one["event"]))
        assert [known[name] for name in ("reason", "error_type", "why", "group", "attempts", "release", "kind")] == [
            "moved by SQS", "OutOfMemory", "used it all", f"g{B}", 3, "1.4.1", "transient",
        ]  # fmt: skip
        assert known["source_queue"] == "shop-events"
        assert [unknown[name] for name in ("reason", "error_type", "why", "group", "attempts")] == [
            "moved by SQS", "", "", "", 0,
        ]  # fmt: skip

    def test_of_an_ordered_key_is_told_with_its_key(self, ground: Ground, dlq: Command) -> None:
        ground.move("e-1", queue=ORDERED_DEAD, key="k", source="shop-ordered.fifo")
        [letter] = told(dlq("show", "--json"))["letters"]
        assert (letter["key"], letter["queue"], letter["source_queue"]) == ("k", ORDERED_DEAD, "shop-ordered.fifo")

    def test_is_shown_where_the_logs_cannot_be_read(self, ground: Ground, faults: Faults, dlq: Command) -> None:
        faults.fail_always("Query", Fault.DENIED)
        ground.move("e-1")
        ran = dlq("show", "--json")
        assert (ran.exit_code, [one["event"] for one in json.loads(ran.out)["letters"]]) == (0, ["e-1"])
        assert "what the logs know of letters that SQS moved could not be read" in ran.err

    def test_is_asked_about_only_where_it_is_shown(self, ground: Ground, faults: Faults, dlq: Command) -> None:
        ground.die("a")
        ground.move(*(f"e-{one}" for one in range(20)))
        dlq("show", "--limit", "3")
        assert faults.calls["Query"] == 3


class TestWhichAreShown:
    @pytest.fixture(autouse=True)
    def letters(self, ground: Ground, clock: VirtualClock) -> None:
        ground.die("old")
        clock.advance(timedelta(hours=1))
        ground.die("b", group=B, kind="permanent", dead_because="permanent", source_queue="shop-retry")
        clock.advance(timedelta(hours=1))
        ground.move("moved")
        clock.advance(timedelta(hours=1))
        ground.die("new")

    @pytest.mark.parametrize(
        ("words", "shown"),
        [
            pytest.param((), ["new", "moved", "b", "old"], id="all, the newest first"),
            pytest.param(("--group", f"g{A}"), ["new", "old"], id="group"),
            pytest.param(("--group", B.upper()), ["b"], id="group, as one may type it"),
            pytest.param(("--group", "0123456789abcdef"), [], id="a group of no letter"),
            pytest.param(("--kind", "permanent"), ["b"], id="kind"),
            pytest.param(("--reason", "exhausted"), ["new", "old"], id="reason"),
            pytest.param(("--reason", "moved"), ["moved"], id="moved by SQS"),
            pytest.param(("--queue", "shop-retry"), ["b"], id="queue"),
            pytest.param(("--queue", "RetryQueue"), ["b"], id="queue, by its resource"),
            pytest.param(("--event", "b", "--event", "old"), ["b", "old"], id="events"),
            pytest.param(("--event", "b", "--group", A), [], id="all criteria hold"),
            pytest.param(("--limit", "2"), ["new", "moved"], id="the newest two"),
        ],
    )
    def test_are_those_that_are_asked_for(self, words: tuple[str, ...], shown: list[str], dlq: Command) -> None:
        assert events(dlq("show", "--json", *words)) == shown

    def test_are_named_by_the_first_digits_of_a_group_that_is_known(self, ground: Ground, dlq: Command) -> None:
        ran = dlq("show", "--group", "gbb")
        assert (ran.exit_code, "no group gbb is known" in ran.err) == (1, True)
        ground.fail("b", group=B)
        assert events(dlq("show", "--json", "--group", "gbb")) == ["b"]

    def test_are_counted_beyond_the_limit(self, dlq: Command) -> None:
        assert dlq("show", "--limit", "3").out.endswith("The newest 3 of 4 letters; --limit shows more.\n")
        assert told(dlq("show", "--limit", "3", "--json"))["total"] == 4

    def test_what_is_no_group_is_said(self, dlq: Command) -> None:
        ran = dlq("show", "--group", "x\x1b[2J")
        assert (ran.exit_code, is_harmless(ran), "is no group" in ran.err) == (2, True, True)


class TestLooking:
    @pytest.mark.parametrize("words", [(), ("--json",), ("--reveal",), ("--event", "e-7"), ("--limit", "1")])
    def test_leaves_every_letter_as_it_lay(self, words: tuple[str, ...], ground: Ground, dlq: Command) -> None:
        ground.die(*(f"e-{one}" for one in range(300)), attributes={"shop": {"DataType": "String", "StringValue": "n"}})
        ground.move(*(f"o-{one}" for one in range(5)), queue=ORDERED_DEAD, key="k")
        before = ground.contents()
        assert dlq("show", *words).exit_code == 0
        assert (ground.contents(), ground.hidden()) == (before, 0)

    def test_of_nothing_says_so(self, dlq: Command) -> None:
        assert dlq("show").out == "No dead letters.\n"
        assert dlq("show", "--group", A).out == "No dead letters of that kind.\n"
        assert told(dlq("show", "--json"))["letters"] == []

    def test_says_what_may_be_missing(self, ground: Ground, sqs: FakeSqs, dlq: Command) -> None:
        ground.die("a")
        sqs.receive_message(QueueUrl=sqs.queue(DEAD).url)
        ran = dlq("show")
        assert ran.out == "No dead letters.\n"
        assert "DeadLetterQueue: letters in somebody's hands just now, which may be missing here: 1" in ran.err

    @pytest.mark.parametrize("operation", ["ReceiveMessage", "GetQueueAttributes"])
    def test_that_sqs_refuses_is_told_in_a_sentence(
        self, operation: str, ground: Ground, faults: Faults, dlq: Command
    ) -> None:
        ground.die("a")
        faults.fail_always(operation, Fault.DENIED)
        ran = dlq("show")
        assert (ran.exit_code, ran.out, ran.err.count("\n")) == (2, "", 1)
        assert ran.err.startswith("backstop: ")

    def test_needs_nothing_but_leave_to_read(self, ground: Ground, sqs: FakeSqs, dlq: Command) -> None:
        ground.die("a")
        dlq("show")
        assert {call.operation for call in sqs.calls} == {
            "GetQueueAttributes", "ReceiveMessage", "ChangeMessageVisibilityBatch",
        }  # fmt: skip
        assert ground.audit() == []
