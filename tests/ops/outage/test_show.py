from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from backstop.recovery.mode import Mode
from ops.drill.outage.account import Account
from ops.drill.outage.plan import Outage
from ops.drill.outage.show import account_table, outage_in_words, summary
from ops.local.gateway.health import Mode as Failing
from tests.ops.outage.accounts import CALLED, WELL, account


def seen(found: Account) -> str:
    """Return what a person sees, in words with one space between them."""
    console = Console(file=io.StringIO(), width=120)
    console.print(account_table(found))
    console.print(summary(found))
    assert isinstance(console.file, io.StringIO)
    return " ".join(console.file.getvalue().split())


def test_people_see_what_an_outage_did() -> None:
    told = seen(account())

    for row in (
        "An outage of 60 s (errors): what became of it",
        "│ done │ 5000 │",
        "│ calls to the gateway while it was out │ 60 │",
        "│ a naive consumer's, at least │ 3,000 │",
        "│ ratio │ 2.00% (at most 3%) │",
        "│ charges │ 5,000 │",
        "│ intake paused │ 09:00:08 UTC │",
        "│ intake resumed │ 09:01:30 UTC │",
        "It balances: the outage cost no order, and all went on by itself.",
    ):
        assert row in told


def test_each_wrong_is_a_line_of_its_own() -> None:
    found = account(called=replace(CALLED, charged_twice=2), recovered=replace(WELL, is_closed=False))

    assert summary(found).splitlines() == [
        "[bold red]It does not balance:",
        "- 2 orders were charged twice",
        "- the circuit has not closed again",
    ]


@pytest.mark.parametrize("mode", [Mode.SUGGEST, Mode.OFF])
def test_where_recovery_may_not_act_people_are_told_why_no_intake_was_paused(mode: Mode) -> None:
    told = seen(account(steps=(), recovered=replace(WELL, mode=mode)))

    assert f"│ intake paused │ no: RecoveryMode is {mode} │" in told
    assert told.endswith(f"No intake was paused: RecoveryMode is {mode} on this stack.")


def test_where_no_outage_began_there_is_no_time_and_no_ratio() -> None:
    told = seen(account(before=None))

    assert "│ outage began │ it did not │" in told
    assert "│ ratio │ - │" in told


def test_a_flaky_gateway_has_a_rate_and_no_limit() -> None:
    flaky = Outage(Failing.FLAKY, 90, 0.6)

    assert outage_in_words(flaky) == "An outage of 90 s (flaky 60%)"
    assert "│ ratio │ 1.33% │" in seen(account(flaky))
