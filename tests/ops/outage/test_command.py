from __future__ import annotations

import json
from datetime import timedelta

import pytest

from ops.local import state
from tests.fakes.sqs import FakeSqs
from tests.ops.command import Command
from tests.ops.outage.world import Downstream

SMALL = ("drill", "--local", "--outage", "20s", "--events", "40")


@pytest.mark.usefixtures("local")
def test_it_prints_the_account_as_one_json_document(command: Command, downstream: Downstream) -> None:
    ran = command(*SMALL, "--mode", "flaky:0.6", "--json")

    account = json.loads(ran.out)
    assert (ran.exit_code, ran.err) == (0, "")
    assert (account["sent"], account["charges"], account["wrongs"]) == (40, 40, [])
    assert account["outage"] == {"mode": "flaky", "seconds": 20, "rate": 0.6}
    assert (account["groups"], account["alerts"]) == (2, 0)


@pytest.mark.usefixtures("local")
def test_people_see_a_table_and_what_is_wrong(command: Command, downstream: Downstream) -> None:
    downstream.closes_late = timedelta(days=1)

    ran = command(*SMALL, "--timeout", "100")

    assert ran.exit_code == 1
    assert "An outage of 20 s (errors): what became of it" in ran.out
    assert "- the circuit has not closed again" in ran.out
    assert "Failures: 5 in 2 groups. Alerts sent: 0" in ran.out


def test_nobody_breaks_a_real_gateway(command: Command, downstream: Downstream, sqs: FakeSqs) -> None:
    ran = command("drill", "--outage", "20s")

    assert (ran.exit_code, ran.out, sqs.calls) == (2, "", [])
    assert "--outage breaks the local AWS's payment gateway, and no real one: say --local" in ran.err


@pytest.mark.usefixtures("local")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(("--outage", "20"), "--outage 20", id="no span"),
        pytest.param(("--outage", "20s", "--mode", "tired"), "--mode tired: errors, slow", id="no way to fail"),
        pytest.param(("--outage", "20s", "--mode", "ok"), "--mode ok: errors, slow", id="no failure"),
        pytest.param(("--outage", "20s", "--timeout", "20"), "longer --timeout", id="longer than it is waited for"),
        pytest.param(("--mode", "slow"), "--mode goes with --outage", id="a mode of no outage"),
        pytest.param(("--outage", "20s", "--stream"), "two drills", id="a stream"),
        pytest.param(("--outage", "20s", "--ordered"), "two drills", id="the ordered lane"),
        pytest.param(("--outage", "20s", "--calm"), "--calm go with --ordered", id="an ordered drill's option"),
    ],
)
def test_wrong_words_are_refused_before_anything_is_broken(
    words: tuple[str, ...], said: str, command: Command, downstream: Downstream, sqs: FakeSqs
) -> None:
    ran = command("drill", "--local", *words)

    assert (ran.exit_code, ran.out, sqs.calls, downstream.outage) == (2, "", [], None)
    assert said in " ".join(ran.err.replace("│", " ").split())


def test_without_a_local_aws_it_says_how_to_start_one(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "find", lambda: None)

    assert command(*SMALL) == (2, "", "backstop: no local AWS runs: start it with make local\n")
