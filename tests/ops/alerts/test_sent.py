"""What people were told: once, as it comes, as they got it, and whatever stands in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from backstop.alert import Alert, Digest
from backstop.budget import Reason, Slot, Window
from backstop.groups import Group
from backstop.occurrence import Severity
from backstop.publication import publication
from ops.alerts.sent import POLL, Sent, follow, sent
from ops.stack import Stack
from tests.fakes.clock import START, VirtualClock
from tests.fakes.faults import Fault, Faults
from tests.ops.command import Command, Ran
from tests.ops.groups.ground import HOSTILE, SESSION, A, B, Ground, is_harmless


class Log:
    """The watchers' log, as CloudWatch keeps it."""

    def __init__(self, clock: VirtualClock) -> None:
        self._client = SESSION.client("logs")
        self._clock = clock
        self._client.create_log_group(logGroupName="watch")
        for stream in ("one", "two"):
            self._client.create_log_stream(logGroupName="watch", logStreamName=stream)

    def write(self, line: str, stream: str = "one", seconds_ago: float = 0) -> None:
        at = self._clock.epoch_millis() - int(seconds_ago * 1000)
        self._client.put_log_events(
            logGroupName="watch", logStreamName=stream, logEvents=[{"timestamp": at, "message": line}]
        )

    def alert(self, document: Any, stream: str = "one", seconds_ago: float = 0, **fields: Any) -> None:
        """Write what a watcher writes of an alert."""
        line = {"level": "INFO", "message": "alert sent", "service": "backstop-watch", "alert": document}
        self.write(json.dumps(line | {"doubtful": False} | fields), stream, seconds_ago)


@pytest.fixture
def log(ground: Ground, stack: Stack, clock: VirtualClock) -> Log:
    stack._outputs["WatchLogsName"] = "watch"
    return Log(clock)


def one_of(group: str = A) -> Alert:
    known = Group(
        group, START, START, START, 1, Severity.ERROR,
        error_type="PriceNotPublished", where="prices:find", stage="prod",
    )  # fmt: skip
    return Alert(Slot(Reason.FIRST, 1, (1,)), known, Window(group, START, START, 1), START)


def document(alert: Alert | Digest) -> dict[str, Any]:
    return dict(publication(alert, "shop").document)


def titles(ran: Ran) -> list[str]:
    assert (ran.exit_code, ran.err) == (0, "")
    return [one["alert"]["title"] for one in json.loads(ran.out)["alerts"]]


class TestOnce:
    def test_an_alert_is_a_line(self, log: Log, backstop: Command) -> None:
        log.alert(document(one_of()))
        assert backstop("alerts") == (
            0,
            f"2026-01-05 09:00:00Z  error     g{A}  PriceNotPublished in prices:find\n",
            "",
        )

    def test_a_digest_says_how_many_groups_it_is_about(self, log: Log, backstop: Command) -> None:
        log.alert(document(Digest([one_of(A), one_of(B)], START)))
        assert "  2 groups           2 groups of failures began together\n" in backstop("alerts").out

    def test_one_of_which_no_answer_came_says_so(self, log: Log, backstop: Command) -> None:
        log.alert(document(one_of()), doubtful=True)
        assert backstop("alerts").out.endswith("(in doubt: no answer came from the topic)\n")

    def test_it_can_be_read_as_people_got_it(self, log: Log, backstop: Command) -> None:
        log.alert(document(one_of()))
        assert publication(one_of(), "shop").text in backstop("alerts", "--full").out

    def test_programs_are_told_the_document(self, log: Log, backstop: Command) -> None:
        log.alert(document(one_of()))
        assert json.loads(backstop("alerts", "--json").out) == {
            "alerts": [
                {"sent_at": "2026-01-05T09:00:00.000+00:00", "doubtful": False, "alert": document(one_of())},
            ],
            "total": 1,
        }

    def test_those_of_all_watchers_are_told_in_the_order_of_time(self, log: Log, backstop: Command) -> None:
        for number in range(4):
            log.alert({"title": f"{number}"}, ("one", "two")[number % 2], seconds_ago=60 - number)
        assert titles(backstop("alerts", "--json")) == ["0", "1", "2", "3"]

    def test_other_lines_are_left_out(self, log: Log, backstop: Command) -> None:
        deep = '"alert sent"' + "[" * 100_000
        for line in ("START alert sent", '"alert sent"', '["alert sent"]', '{"alert sent": 1}', deep):
            log.write(line)
        log.write(json.dumps({"message": "alert sent", "alert": "text"}))
        log.write(json.dumps({"message": "alert not sent", "alert": document(one_of()), "why": "denied"}))
        assert titles(backstop("alerts", "--json")) == []

    @pytest.mark.parametrize(
        ("words", "shown"),
        [((), ["b", "c"]), (("--since", "2h"), ["c"]), (("--since", "3d"), ["a", "b", "c"]), (("--limit", "1"), ["c"])],
        ids=["a day", "2 h", "3 days", "the last"],
    )
    def test_how_far_back_and_how_many_can_be_said(
        self, words: tuple[str, ...], shown: list[str], log: Log, backstop: Command
    ) -> None:
        for title, hours in (("a", 40), ("b", 20), ("c", 1)):
            log.alert({"title": title}, seconds_ago=hours * 3600)
        assert titles(backstop("alerts", "--json", *words)) == shown

    def test_that_there_are_more_is_said(self, log: Log, backstop: Command) -> None:
        for number in range(3):
            log.alert({"title": f"{number}"})
        assert "The last 2 of 3 alerts; --limit shows more.\n" in backstop("alerts", "--limit", "2").out

    def test_none_is_a_sentence(self, log: Log, backstop: Command) -> None:
        assert backstop("alerts", "--since", "2h") == (0, "No alert was sent since 2026-01-05 07:00 UTC.\n", "")

    def test_a_time_before_all_logs_is_one(self, log: Log, backstop: Command) -> None:
        log.alert({"title": "a"})
        assert titles(backstop("alerts", "--json", "--since", "1969-01-01")) == ["a"]

    def test_more_than_a_page_are_told(self, log: Log, stack: Stack, backstop: Command) -> None:
        """A call of moto's answers with at most as many as it is asked for, as AWS does at 1 MB."""
        for number in range(7):
            log.alert({"title": f"{number}"})
        limited: Any = {"PaginationConfig": {"PageSize": 3}}
        paginator = stack.logs.get_paginator
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(stack.logs, "get_paginator", lambda name: _Limited(paginator(name), limited))
            assert len(titles(backstop("alerts", "--json"))) == 7


class _Limited:
    """A paginator whose pages are small."""

    def __init__(self, paginator: Any, limited: Any) -> None:
        self._paginator = paginator
        self._limited = limited

    def paginate(self, **request: Any) -> Any:
        return self._paginator.paginate(**request, **self._limited)


class TestAsItComes:
    @pytest.fixture
    def slept(self) -> list[float]:
        return []

    @pytest.fixture
    def coming(self, log: Log, stack: Stack, clock: VirtualClock, slept: list[float]) -> Iterator[Sent]:
        def sleep(seconds: float) -> None:
            slept.append(seconds)
            clock.advance(timedelta(seconds=seconds))
            if len(slept) > 200:
                raise KeyboardInterrupt
            if len(slept) % 50 == 0:
                log.alert({"title": f"after {len(slept)}"}, seconds_ago=100)  # found late

        return follow(lambda since: sent(stack, since), clock.now(), clock.now, sleep)

    def test_each_alert_is_told_once_however_late_it_is_found(
        self, log: Log, coming: Iterator[Sent], slept: list[float]
    ) -> None:
        log.alert({"title": "before"})
        found: list[Any] = []
        with pytest.raises(KeyboardInterrupt):
            found.extend(one.alert["title"] for one in coming)
        assert found == ["before", "after 50", "after 100", "after 150", "after 200"]
        assert set(slept) == {POLL.total_seconds()}

    def test_ctrl_c_ends_it_well(self, log: Log, backstop: Command, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupt(_: float) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("ops.alerts.cli.time.sleep", interrupt)
        log.alert({"title": "a"})
        log.alert({"title": "b"})
        ran = backstop("alerts", "--follow")
        assert (ran.exit_code, ran.out.count("\n"), ran.err) == (0, 2, "")
        ran = backstop("alerts", "--follow", "--json")
        assert [json.loads(line)["alert"]["title"] for line in ran.out.splitlines()] == ["a", "b"]


class TestHostile:
    @pytest.mark.parametrize("words", [(), ("--full",)], ids=["line", "full"])
    def test_what_a_terminal_would_obey_is_spelled_out(
        self, words: tuple[str, ...], log: Log, backstop: Command
    ) -> None:
        for name in ("title", "severity", "group", "text", "groups_in_all"):
            log.alert({name: HOSTILE})
        ran = backstop("alerts", *words)
        assert ran.out.count(r"x\u001b[2J\u202e\u000d[red]") >= 4
        assert is_harmless(ran)

    @pytest.mark.parametrize("value", [None, 3, [], {}], ids=str)
    def test_a_document_that_is_none_of_ours_is_told_as_far_as_it_can_be(
        self, value: object, log: Log, backstop: Command
    ) -> None:
        log.alert(dict.fromkeys(("title", "severity", "group", "text"), value))
        log.alert({})
        assert backstop("alerts", "--full").exit_code == 0

    def test_a_log_that_does_not_answer_is_a_sentence(
        self, log: Log, stack: Stack, faults: Faults, backstop: Command
    ) -> None:
        with faults.installed(stack.logs):
            faults.fail("FilterLogEvents", Fault.UNREACHABLE)
            ran = backstop("alerts")
        assert (ran.exit_code, ran.out) == (2, "")
        assert ran.err.startswith("backstop: AWS does not answer")

    def test_a_log_that_is_not_there_is_a_sentence(self, log: Log, stack: Stack, backstop: Command) -> None:
        stack._outputs["WatchLogsName"] = "none"
        ran = backstop("alerts")
        assert (ran.exit_code, ran.out) == (2, "")
        assert ran.err.startswith("backstop: AWS refused FilterLogEvents: ")

    @pytest.mark.parametrize("words", [("--since", "soon"), ("--limit", "0"), ("fly",), ("--json", "test")])
    def test_wrong_words_are_called_wrong(self, words: tuple[str, ...], log: Log, backstop: Command) -> None:
        ran = backstop("alerts", *words)
        assert (ran.exit_code, ran.out) == (2, "")
