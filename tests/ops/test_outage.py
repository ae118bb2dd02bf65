"""`backstop local outage`: what it does to the gateway of the local AWS, what it tells, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from ops.local import state
from ops.local.gateway.admin import administered
from ops.local.gateway.client import BACKUP, PAYMENTS
from ops.local.gateway.entrance import Entrance
from ops.local.gateway.health import WELL, Health, parse
from ops.local.gateway.ledger import Ledger
from ops.local.state import LocalAws
from tests.ops.command import Command


@pytest.fixture
def entrances(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Entrance]]:
    """Return the entrances of a gateway, that of the local AWS that commands find."""
    ledger = Ledger()
    with ExitStack() as closed:
        entrances = {name: closed.enter_context(closing(Entrance(ledger))) for name in (PAYMENTS, BACKUP)}
        listener = closed.enter_context(closing(administered(entrances)))
        monkeypatch.setattr(state, "find", lambda: LocalAws(0, 4566, listener.url))
        yield entrances


@pytest.mark.parametrize(
    ("words", "health", "told"),
    [
        ((), "errors", "For 30s, payments answers 503; then it is well again."),
        (("--mode", "slow", "--for", "2m"), "slow", "For 2m, payments charges and answers after 10 s, when nobody"),
        (("--mode", "refuse", "--for", "1h"), "refuse", "For 1h, payments refuses connections; then"),
        (("--mode", "flaky:0.6"), "flaky:0.6", "For 30s, payments answers 503 to 60% of its calls; then"),
    ],
)
def test_an_outage_begins_and_it_is_told_how_to_watch_it(
    words: tuple[str, ...], health: str, told: str, entrances: dict[str, Entrance], command: Command
) -> None:
    ran = command("local", "outage", "payments", *words)

    assert (ran.exit_code, ran.out) == (0, "")
    assert ran.err.startswith(told)
    assert "backstop circuits --local" in ran.err
    assert [entrance.health for entrance in entrances.values()] == [parse(health), WELL]


def test_an_outage_lasts_as_long_as_was_said(entrances: dict[str, Entrance], command: Command) -> None:
    command("local", "outage", "payments", "--for", "2m")

    ends = entrances[PAYMENTS].ends
    assert ends is not None
    assert ends.interval == 120


def test_the_backup_fails_on_its_own(entrances: dict[str, Entrance], command: Command) -> None:
    ran = command("local", "outage", "payments-backup", "--mode", "errors")

    assert ran.exit_code == 0
    assert [entrance.health for entrance in entrances.values()] == [WELL, parse("errors")]


def test_an_outage_can_be_ended(entrances: dict[str, Entrance], command: Command) -> None:
    entrances[PAYMENTS].be(Health(parse("refuse").mode), 3600, seed=0)

    ran = command("local", "outage", "payments", "--mode", "ok")

    assert (ran.exit_code, ran.err) == (0, "payments is well.\n")
    assert entrances[PAYMENTS].health == WELL


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("invoices",), "there is no downstream invoices: it is payments or payments-backup"),
        (("pay\x1b[31m/../ x",), "there is no downstream pay\\u001b[31m/../ x: it is payments or payments-backup"),
        (("payments", "--mode", "down"), "--mode down: ok, errors, slow, refuse or flaky:0.6 (a share of its calls"),
        (("payments", "--mode", "flaky"), "--mode flaky: ok, errors"),
        (("payments", "--mode", "flaky:60"), "--mode flaky:60: ok, errors"),
        (("payments", "--for", "30"), "--for 30: a span such as 30m, 2h, 3d, at most 1d"),
        (("payments", "--for", "0s"), "--for 0s: "),
        (("payments", "--for", "2d"), "--for 2d: "),
        (("payments", "--for", ""), "--for : "),
    ],
)
def test_bad_words_are_told_in_a_sentence_and_nothing_fails(
    words: tuple[str, ...], told: str, entrances: dict[str, Entrance], command: Command
) -> None:
    ran = command("local", "outage", *words)

    assert (ran.exit_code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert ran.err.startswith(f"backstop: {told}")
    assert [entrance.health for entrance in entrances.values()] == [WELL, WELL]


@pytest.mark.parametrize(
    ("local_aws", "told"),
    [
        (None, "no local AWS runs: start it with make local"),
        (LocalAws(0, 4566), "this local AWS has no payment gateway: make local-down, then make local"),
        (LocalAws(0, 4566, "http://127.0.0.1:1"), "the payment gateway does not answer: make local-down, then make"),
    ],
    ids=["no local AWS", "no gateway", "a gateway that is gone"],
)
def test_without_a_gateway_it_says_how_to_start_one(
    local_aws: LocalAws | None, told: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "find", lambda: local_aws)

    ran = command("local", "outage", "payments")

    assert (ran.exit_code, ran.err.count("\n")) == (2, 1)
    assert ran.err.startswith(f"backstop: {told}")
