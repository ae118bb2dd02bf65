from __future__ import annotations

import json
from typing import Any

import pytest

from ops import cli
from ops.drill.ordered.account import Account, Delays
from ops.drill.ordered.show import summary
from ops.stack import Stack
from tests.ops.command import Command
from tests.ops.ordered.world import World

pytestmark = pytest.mark.usefixtures("found_by_commands", "told")

SMALL = ("drill", "--ordered", "--keys", "3", "--events", "4")


def test_it_prints_the_account_as_one_json_document(command: Command, world: World) -> None:
    ran = command(*SMALL, "--json")

    account = json.loads(ran.out)
    assert (ran.exit_code, ran.err) == (0, "")
    assert (account["sent"], account["order_violations"], account["keys_left"]) == (12, 0, 0)
    assert (account["groups"], account["alerts"]) == (2, 0)
    assert set(account["dead"]) == {"permanent", "crashed"}


def test_people_see_a_table_and_one_sentence(command: Command, world: World) -> None:
    ran = command(*SMALL)

    assert ran.exit_code == 0
    said = " ".join(ran.out.split())
    rows = ("│ sent │ 12 │", "│ order violations │ 0 │", "│ dead, permanent │ 1 │")
    for words in ("Where each status change ended", *rows):
        assert words in said
    assert "unrelated keys: delay p50, p99" in said
    assert "It balances: every event ended where it belongs, and each key in its order." in said
    assert said.endswith("Failures: 5 in 2 groups. Alerts sent: 0")


def test_a_calm_drill_finishes_everything(command: Command, world: World) -> None:
    account = json.loads(command(*SMALL, "--calm", "--json").out)

    assert (account["done"], account["dead"], world.deaths) == (12, {}, 0)


def test_it_says_no_where_it_does_not_balance(command: Command, world: World) -> None:
    world.is_working = False

    ran = command(*SMALL, "--timeout", "10")

    assert ran.exit_code == 1
    assert "It does not balance: see the table.\nFailures: " in ran.out


@pytest.mark.parametrize("is_balanced", [True, False])
def test_keys_that_it_leaves_are_told_of(is_balanced: bool) -> None:
    account = Account(
        1, 1, {}, 0, 0, 0, 0, 0, 0, int(not is_balanced), Delays(1, 1), Delays(None, None), 1, keys_left=2
    )

    assert ("see the table" in summary(account)) is not is_balanced
    assert summary(account).endswith("Keys are left that still wait: see `backstop keys`.")


def test_a_stack_that_skips_dead_heads_is_refused_before_anything_is_sent(command: Command, world: World) -> None:
    world.variables["ON_DEAD_HEAD"] = "skip"

    ran = command(*SMALL)

    assert (ran.exit_code, world.sqs.calls, world.items("orders")) == (2, [], [])
    assert "deploy it with OnDeadHead=hold" in ran.err


def test_more_events_a_key_than_an_item_holds_are_refused(command: Command, world: World) -> None:
    ran = command("drill", "--ordered", "--events", "1001")

    assert (ran.exit_code, world.sqs.calls) == (2, [])
    assert "an ordered drill takes 1000 at most" in ran.err


def test_a_stack_without_an_ordered_lane_is_told_what_it_lacks(stack: Stack, command: Command, world: World) -> None:
    del stack._outputs["ProcessOrderedFunctionName"]

    ran = command(*SMALL)

    assert (ran.exit_code, "stack 'shop' has no output ProcessOrderedFunctionName" in ran.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param((), (20, 20, 1, False), id="nothing said"),
        pytest.param(("--keys", "7"), (7, 20, 1, False), id="some keys"),
        pytest.param(("--events", "9"), (20, 9, 1, False), id="some events"),
        pytest.param(("--seed", "5", "--calm"), (20, 20, 5, True), id="another seed, and calm"),
    ],
)
def test_without_numbers_it_is_20_events_of_20_keys(
    words: tuple[str, ...], expected: tuple[Any, ...], command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[tuple[Any, ...]] = []

    def run(_: Stack, keys: int, events: int, seed: int, __: float, *, is_calm: bool, **___: object) -> int:
        ran.append((keys, events, seed, is_calm))
        return 0

    monkeypatch.setattr(cli, "run_ordered_drill", run)

    assert command("drill", "--ordered", *words).exit_code == 0
    assert ran == [expected]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(("--ordered", "--stream"), "two drills", id="two drills at once"),
        pytest.param(("--keys", "5"), "go with", id="keys of orders"),
        pytest.param(("--stream", "--calm"), "go with", id="a calm stream"),
        pytest.param(("--ordered", "--keys", "0"), "Usage: ", id="no keys"),
        pytest.param(("--ordered", "--keys", "10001"), "Usage: ", id="too many keys"),
    ],
)
def test_wrong_words_are_called_wrong(words: tuple[str, ...], said: str, command: Command) -> None:
    ran = command("drill", *words)

    assert (ran.exit_code, ran.out) == (2, "")
    assert said in ran.err
