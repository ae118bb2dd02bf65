from __future__ import annotations

import json
import secrets
from typing import Any

import pytest

from ops import cli
from ops.drill.stream.command import rehearse
from ops.stack import Stack
from tests.fakes.faults import Fault
from tests.ops.command import Command
from tests.ops.stream.world import World

pytestmark = pytest.mark.usefixtures("found_by_commands", "told")


def test_it_prints_the_account_as_one_json_document(command: Command) -> None:
    ran = command("drill", "--stream", "--events", "60", "--json")

    account = json.loads(ran.out)
    assert (ran.exit_code, ran.err) == (0, "")
    assert (account["clicks"], account["lost"]) == (60, 0)
    assert (account["groups"], account["alerts"]) == (2, 0)


def test_people_see_a_table_how_failures_are_counted_and_one_sentence(command: Command) -> None:
    ran = command("drill", "--stream", "--events", "60")

    assert ran.exit_code == 0
    said = " ".join(ran.out.split())
    assert "Where each click ended" in said
    assert "│ clicks sent │ 60 │" in said
    assert "Failed records are counted by their pipeline events" in said
    assert "It balances: every click ended where it belongs. Failures: 5 in 2 groups." in said


def test_it_says_no_where_it_does_not_balance(command: Command, world: World) -> None:
    world.is_working = False

    ran = command("drill", "--stream", "--events", "10", "--timeout", "100")

    assert ran.exit_code == 1
    said = " ".join(ran.out.split())
    assert "It does not balance: see the table. What looks lost may still be buffered" in said


def test_it_does_not_speak_of_what_is_lost_where_nothing_is(command: Command, world: World) -> None:
    world.lane.put(b"another sender's")

    ran = command("drill", "--stream", "--events", "10")

    assert ran.exit_code == 1
    assert "It does not balance: see the table.\nFailures: " in ran.out


def test_a_stack_that_allows_no_drills_says_which_parameter_does(stack: Stack, world: World, command: Command) -> None:
    stack._outputs["DrillsAllowed"] = "false"

    ran = command("drill", "--stream")

    assert (ran.exit_code, world.lane.stream.buffered) == (2, [])
    assert "stack 'shop' allows no drills: deploy it with AllowDrill=true" in ran.err


def test_a_stack_without_a_stream_is_told_what_it_lacks(stack: Stack, command: Command) -> None:
    del stack._outputs["ClicksStreamName"]

    ran = command("drill", "--stream")

    assert (ran.exit_code, "stack 'shop' has no output ClicksStreamName" in ran.err) == (2, True)


def test_a_stream_that_takes_nothing_is_one_sentence(command: Command, world: World) -> None:
    world.lane.faults.fail_always("PutRecordBatch", Fault.DENIED)

    ran = command("drill", "--stream", "--events", "10")

    assert (ran.exit_code, ran.err.count("backstop: the stream took 0 records")) == (2, 1)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param((), ("orders", 2000), id="orders"),
        pytest.param(("--stream",), ("clicks", 500), id="clicks"),
        pytest.param(("--events", "7"), ("orders", 7), id="some orders"),
        pytest.param(("--stream", "--events", "7"), ("clicks", 7), id="some clicks"),
    ],
)
def test_without_a_number_it_is_2000_orders_or_500_clicks(
    words: tuple[str, ...], expected: tuple[str, int], command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[tuple[str, int]] = []

    def runs(kind: str) -> Any:
        def run(_: Stack, count: int, *__: object, **___: object) -> int:
            ran.append((kind, count))
            return 0

        return run

    monkeypatch.setattr(cli, "run_drill", runs("orders"))
    monkeypatch.setattr(cli, "run_stream_drill", runs("clicks"))

    assert command("drill", *words).exit_code == 0
    assert ran == [expected]


def test_a_rehearsal_returns_its_account_and_prints_nothing(
    stack: Stack, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    account = rehearse(stack, 60, 1, 300)

    assert (account.is_balanced, account.as_json()["clicks"]) == (True, 60)
    assert capsys.readouterr() == ("", "")
    assert len(world.lane.stored()) == account.delivered


def test_each_rehearsal_has_ids_of_its_own(stack: Stack, world: World) -> None:
    accounts = [rehearse(stack, 60, 1, 300) for _ in range(2)]

    assert all(account.is_balanced for account in accounts)
    ids = world.lane.stored_ids()
    assert len(ids) == len(set(ids)) == sum(account.delivered for account in accounts)


def test_a_drill_whose_id_is_nothing_but_digits_is_accounted_for(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log redacts what looks like a card's number: an id that does could not be found again."""
    monkeypatch.setattr(secrets, "token_hex", lambda length: "1" * 2 * length)

    assert rehearse(stack, 130, 999_999_999, 300).is_balanced
