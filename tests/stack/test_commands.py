"""The commands of the README, run as a reader would, against the local AWS."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from samcli.yamlhelper import yaml_parse

from ops.local import state
from ops.local.invoke import sample_events, shown_answers
from ops.stack import Stack
from tests.ops.command import Command, command  # noqa: F401  # a fixture
from tests.template.filters import lets_through

README = (state.ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
LINES = [line.split("#")[0].strip() for block in BLOCKS for line in block.splitlines()]
TEMPLATE: dict[str, Any] = yaml_parse((state.ROOT / "template.yaml").read_text())
FUNCTIONS: dict[str, dict[str, Any]] = {
    name: resource["Properties"]
    for name, resource in TEMPLATE["Resources"].items()
    if resource["Type"] == "AWS::Serverless::Function" and "Condition" not in resource
}
"""Those of any stack: the local AWS has no others."""
EVENTS = sample_events(TEMPLATE)
ANSWERS = shown_answers(README)


def order(order_id: str) -> str:
    items = [{"sku": "tea", "quantity": 1}]
    return json.dumps(
        {"id": order_id, "customer": "c", "currency": "EUR", "placed_at": "2026-11-21T00:00:00Z", "items": items}
    )


@pytest.mark.usefixtures("found_by_commands")
def test_status_lists_every_queue_function_and_alarm_of_the_template(stack: Stack, command: Command) -> None:  # noqa: F811
    ran = command("status", "--local", "--json")

    shown = json.loads(ran.out)
    assert {queue["queue"] for queue in shown["queues"]} == set(stack.resources("AWS::SQS::Queue"))
    intake = {function["function"]: function["intake"] for function in shown["functions"]}
    assert set(intake) == set(FUNCTIONS)
    assert "backstop-events Enabled" in intake["ProcessFunction"]
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


def declared(function: str) -> dict[str, Any]:
    """Return the variables of a function as the template declares them."""
    common: dict[str, Any] = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    own: dict[str, Any] = FUNCTIONS[function]["Environment"]["Variables"]
    return common | own


@pytest.mark.usefixtures("found_by_commands")
def test_env_gives_each_function_the_variables_that_the_template_declares_and_no_others(command: Command) -> None:  # noqa: F811
    ran = command("env", "--local")

    assert (ran.exit_code, ran.err) == (0, "")
    given = json.loads(ran.out)
    assert {name: set(variables) for name, variables in given.items()} == {
        name: set(declared(name)) for name in FUNCTIONS
    }


@pytest.mark.usefixtures("found_by_commands")
def test_env_gives_names_as_they_are_deployed(stack: Stack, command: Command) -> None:  # noqa: F811
    given = json.loads(command("env", "--local").out)

    names = deployed_names(stack)
    for function in FUNCTIONS:
        for variable, value in declared(function).items():
            is_as_declared(value, given[function][variable], names)


def is_as_declared(value: Any, given: str, names: dict[str, str]) -> None:
    match value:
        case {"Ref": str(name)}:
            assert given == names[name]
        case {"Fn::Sub": str(text)}:
            assert given == re.sub(r"\$\{(.+?)\}", lambda found: names[found[1]], text)
        case {"Fn::FindInMap": ["Timing", _, str(column)]}:
            assert given == TEMPLATE["Mappings"]["Timing"]["local"][column]
        case str(text):
            assert given == text
        case {"Fn::GetAtt": [str(name), "Id"]}:
            assert re.fullmatch(rf"arn:aws:\w+:us-east-1:\d{{12}}:\S+{names[name]}\S*", given)
        case {"Fn::If": ["HasPaymentBackup", there, ""]}:  # the local AWS has one
            is_as_declared(there, given, names)
        case _:
            pytest.fail(f"{value} is declared in a way that this test does not know")


def deployed_names(stack: Stack) -> dict[str, str]:
    """Return what the template's names stand for in the deployed stack: resources and parameters."""
    [found] = stack.cloudformation.describe_stacks(StackName=stack.name)["Stacks"]
    pages = stack.cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack.name)
    return (
        {"AWS::StackName": stack.name}
        | {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in found["Parameters"]}
        | {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for page in pages
            for resource in page["StackResourceSummaries"]
        }
    )


def is_sqs_event(event: dict[str, Any]) -> None:
    """Check an event as SQS's source gives it to a function (AWS Lambda Developer Guide)."""
    assert set(event) == {"Records"}
    for record in event["Records"]:
        assert set(record) == {
            "messageId", "receiptHandle", "body", "attributes", "messageAttributes", "md5OfBody", "eventSource",
            "eventSourceARN", "awsRegion",
        }  # fmt: skip
        assert {"ApproximateReceiveCount", "SentTimestamp"} <= set(record["attributes"])
        assert record["md5OfBody"] == hashlib.md5(record["body"].encode(), usedforsecurity=False).hexdigest()
        assert (record["eventSource"], record["eventSourceARN"].split(":")[2]) == ("aws:sqs", "sqs")
    assert len({record["messageId"] for record in event["Records"]}) == len(event["Records"]) > 0


def is_firehose_event(event: dict[str, Any]) -> None:
    """Check an event as a stream gives it to its transformation (Amazon Data Firehose Developer Guide)."""
    assert set(event) == {"invocationId", "deliveryStreamArn", "region", "records"}
    assert event["deliveryStreamArn"].split(":")[2] == "firehose"
    for record in event["records"]:
        assert set(record) == {"recordId", "approximateArrivalTimestamp", "data"}
        assert isinstance(record["approximateArrivalTimestamp"], int)
        assert base64.b64decode(record["data"], validate=True)
    assert len({record["recordId"] for record in event["records"]}) == len(event["records"]) > 0


def is_log_delivery(event: dict[str, Any]) -> None:
    """Check an event as a subscription of CloudWatch Logs gives it to a function (Amazon CloudWatch Logs User Guide).

    Its lines are such as the filter that it names lets through.
    """
    delivery = lines_of(event)
    assert set(delivery) == {"messageType", "owner", "logGroup", "logStream", "subscriptionFilters", "logEvents"}
    assert delivery["messageType"] == "DATA_MESSAGE"
    [pattern] = [
        resource["Properties"]["FilterPattern"]
        for resource in TEMPLATE["Resources"].values()
        if resource["Type"] == "AWS::Logs::SubscriptionFilter"
        and [resource["Properties"]["FilterName"]] == delivery["subscriptionFilters"]
    ]
    for line in delivery["logEvents"]:
        assert set(line) == {"id", "timestamp", "message"}
        assert re.fullmatch(r"\d{56}", line["id"])
        assert lets_through(pattern["Fn::If"][2], line["message"])
    assert len({line["id"] for line in delivery["logEvents"]}) == len(delivery["logEvents"]) > 0


def lines_of(event: dict[str, Any]) -> dict[str, Any]:
    """Return what a delivery of log lines says, inflated."""
    assert (set(event), set(event["awslogs"])) == ({"awslogs"}, {"data"})
    delivery: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"], validate=True)))
    return delivery


def is_turn(event: dict[str, Any]) -> None:
    """Check an event as RedriveStateMachine gives it to a function."""
    assert set(event) == {"job"}
    assert re.fullmatch(r"r\d{8}-\d{6}-[0-9a-f]{4}", event["job"])


def is_the_minute(event: dict[str, Any]) -> None:
    assert event == {"reconcile": True}


SHAPES: dict[str, Callable[[dict[str, Any]], None]] = {
    "ProcessFunction": is_sqs_event,
    "ProcessOrderedFunction": is_sqs_event,
    "TransformFunction": is_firehose_event,
    "WatchFunction": is_log_delivery,
    "RedriveFunction": is_turn,
    "RecoverFunction": is_the_minute,
}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_function_has_a_sample_event_that_is_named_as_its_folder(function: str) -> None:
    folder = Path(FUNCTIONS[function]["CodeUri"]).name

    SHAPES[function](json.loads((state.ROOT / "events" / f"{folder}.json").read_text()))


def test_there_is_no_sample_event_of_anything_else() -> None:
    assert set((state.ROOT / "events").iterdir()) == set(EVENTS.values())


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_readme_shows_an_answer_of_each_function_that_accounts_for_its_sample_event(function: str) -> None:
    event = json.loads(EVENTS[function].read_text())
    match ANSWERS[function]:
        case {"batchItemFailures": failures}:
            ids = {record["messageId"] for record in event["Records"]}
            assert {failure["itemIdentifier"] for failure in failures} <= ids
        case {"records": records}:
            assert [record["recordId"] for record in records] == [record["recordId"] for record in event["records"]]
            assert {record["result"] for record in records} <= {"Ok", "Dropped", "ProcessingFailed"}
        case {"occurrences": occurrences, "untold": 0}:
            assert occurrences == len(lines_of(event)["logEvents"])
        case {"woken_by": ["the minute"], "done": True}:
            is_the_minute(event)
        case {"job": job, "is_over": True}:
            assert job == event["job"]
        case answer:
            pytest.fail(f"{answer} is no answer of a function")


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("sam local invoke ")])
def test_the_readmes_invocations_name_a_function_its_event_and_the_file_that_was_written_before(line: str) -> None:
    _, _, _, function, *words = shlex.split(line)

    assert words == ["--event", str(EVENTS[function].relative_to(state.ROOT)), "--env-vars", "env.json"]
    assert "backstop env > env.json" in LINES[: LINES.index(line)]


@pytest.mark.parametrize(
    ("target", "command_line"),
    [("sam-local", "backstop local invoke"), ("test", "backstop local invoke --if-possible")],
)
def test_make_invokes_functions_in_containers_last(target: str, command_line: str) -> None:
    """By name where that was asked for; where it is possible, with the tests."""
    make = shutil.which("make") or pytest.skip("no make here")
    done = subprocess.run([make, "--dry-run", target], cwd=state.ROOT, capture_output=True, text=True, check=True)

    lines = [line for line in done.stdout.splitlines() if ".venv/bin/" in line]
    assert lines[-1] == f".venv/bin/{command_line}"


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("make ")])
def test_the_readmes_make_targets_exist(line: str) -> None:
    target = shlex.split(line)[1]
    assert re.search(rf"^{target}:", (state.ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("backstop ")])
def test_the_readmes_commands_are_understood(line: str, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """Without a local AWS they get as far as finding none: their words and options are right."""
    monkeypatch.setattr(state, "find", lambda: None)  # one that runs on this machine is not to be drilled
    typed = takewhile(lambda word: word not in {">", "|"}, shlex.split(line)[1:])  # the rest is the shell's
    words = [word for word in typed if word not in {"--stack", "rehearsal"}]

    ran = command(*words, *(["--local"] if words[0] != "local" else []))

    assert (ran.exit_code, "no local AWS runs" in ran.err) == (2, True)
