"""The commands of the README, run as a reader would, against the local AWS."""

from __future__ import annotations

import io
import json
import re
import shlex
from pathlib import Path

import pytest

from ops.local import state
from ops.stack import Stack
from tests.ops.command import Command, command  # noqa: F401  # a fixture

README = (state.ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
LINES = [line.split("#")[0].strip() for block in BLOCKS for line in block.splitlines()]


def order(order_id: str) -> str:
    items = [{"sku": "tea", "quantity": 1}]
    return json.dumps(
        {"id": order_id, "customer": "c", "currency": "EUR", "placed_at": "2026-11-21T00:00:00Z", "items": items}
    )


@pytest.mark.usefixtures("found_by_commands")
def test_status_lists_every_queue_function_and_alarm_of_the_template(stack: Stack, command: Command) -> None:  # noqa: F811
    ran = command("status", "--local", "--json")

    shown = json.loads(ran.out)
    assert [queue["queue"] for queue in shown["queues"]] == ["EventsQueue", "RetryQueue", "DeadLetterQueue"]
    assert [function["function"] for function in shown["functions"]] == ["ProcessFunction"]
    assert "backstop-events Enabled" in shown["functions"][0]["intake"]
    assert {alarm["alarm"] for alarm in shown["alarms"]} == set(stack.resources("AWS::CloudWatch::Alarm"))
    assert ran.exit_code == int(any(alarm["state"] == "ALARM" for alarm in shown["alarms"]))


@pytest.mark.usefixtures("found_by_commands")
def test_status_is_a_table_for_people(command: Command) -> None:  # noqa: F811
    assert "DeadLettersAlarm" in command("status", "--local").out


@pytest.mark.usefixtures("found_by_commands")
def test_send_sends_good_lines_and_names_bad_ones(command: Command, tmp_path: Path) -> None:  # noqa: F811
    file = tmp_path / "events.ndjson"
    good = [order(f"sent-{number}") for number in range(25)]
    file.write_bytes("\n".join([*good[:3], "{", "", "[]", *good[3:]]).encode() + b'\n{"id": "\xff"}\n')

    ran = command("send", str(file), "--local", "--json")

    assert ran.exit_code == 1
    shown = json.loads(ran.out)
    assert (shown["sent"], shown["next_line"]) == (25, None)
    assert set(shown["bad"]) == {"4", "6", "29"}
    assert "line 4: not JSON" in ran.err


@pytest.mark.usefixtures("found_by_commands")
def test_send_reads_standard_input(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(order("from-stdin").encode())))

    assert json.loads(command("send", "-", "--local", "--json").out)["sent"] == 1


@pytest.mark.usefixtures("found_by_commands")
def test_a_stack_that_is_not_there_is_named(command: Command) -> None:  # noqa: F811
    ran = command("status", "--local", "--stack", "nowhere")

    assert ran.exit_code == 2
    assert "no stack 'nowhere'" in ran.err


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("make ")])
def test_the_readmes_make_targets_exist(line: str) -> None:
    target = shlex.split(line)[1]
    assert re.search(rf"^{target}:", (state.ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("backstop ")])
def test_the_readmes_commands_are_understood(line: str, command: Command) -> None:  # noqa: F811
    """Without a local AWS they get as far as finding none: their words and options are right."""
    words = [word for word in shlex.split(line)[1:] if word not in {"--stack", "rehearsal"}]

    ran = command(*words, "--local")

    assert (ran.exit_code, "no local AWS runs" in ran.err) == (2, True)
