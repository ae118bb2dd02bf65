from __future__ import annotations

import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, NoCredentialsError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from backstop.message import MAX_BYTES
from ops import audit, sending_file
from ops.failure import CallFailed
from ops.stack import Stack
from tests.fakes.faults import Fault, Faults
from tests.fakes.sqs import FakeSqs
from tests.ops.command import Command
from tests.template.document import RESOURCES

SESSION = boto3.Session("test", "test", region_name="eu-west-1")  # of all tests here: reading a model takes its time


def event(name: object) -> str:
    return json.dumps({"id": str(name)})


def arrived(sqs: FakeSqs) -> list[str]:
    return [message.body for message in sqs.queue("shop-events").messages]


def send(stack: Stack, file: Path, content: bytes | str = b"", from_line: int = 1) -> int:
    if content:
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    return sending_file.send_file(file, stack, from_line=from_line, as_json=True)


@pytest.fixture
def stack(stack: Stack) -> Iterator[Stack]:
    """Let the stack keep what operators do."""
    properties = RESOURCES["AuditTable"]["Properties"]
    layout: Any = {name: properties[name] for name in ("AttributeDefinitions", "KeySchema", "BillingMode")}
    with mock_aws():
        vars(stack).update(dynamodb=SESSION.client("dynamodb"), sts=SESSION.client("sts"))
        stack._outputs["AuditTableName"] = "audit"
        stack.dynamodb.create_table(TableName="audit", **layout)
        yield stack


def written_down(stack: Stack) -> list[tuple[str, int, str]]:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    return [(entry.command, entry.count, entry.result) for entry in audit.entries(stack, since)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "events.ndjson"


def shown(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def test_every_line_is_sent_as_it_is(
    stack: Stack, sqs: FakeSqs, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ['{"id":"a",  "n": 1.50}', '{"id": "ü", "x": "\\u00fc"}', '{"x": {}, "id": "c"}']

    assert send(stack, file, "\n".join(lines) + "\n") == 0
    assert arrived(sqs) == lines
    assert shown(capsys) == {"sent": 3, "bad": {}, "next_line": None}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b'{"id": "a"}\n{"id": "b"}', id="no line end at the end"),
        pytest.param(b'{"id": "a"}\r\n{"id": "b"}\r\n', id="CRLF"),
        pytest.param(b'\n  \n{"id": "a"}\n\n{"id": "b"}\n\n', id="blank lines"),
        pytest.param(b'\xef\xbb\xbf{"id": "a"}\n{"id": "b"}\n', id="a byte order mark"),
        pytest.param(b'  {"id": "a"}\t\n{"id": "b"} \n', id="white space around"),
    ],
)
def test_how_lines_end_does_not_matter(stack: Stack, sqs: FakeSqs, file: Path, content: bytes) -> None:
    assert send(stack, file, content) == 0
    assert arrived(sqs) == [event("a"), event("b")]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        pytest.param(b'{"id": "\xff"}', "not UTF-8 at byte 9", id="not UTF-8"),
        pytest.param(b'{"id": "a"', "not JSON: Expecting ',' delimiter at column 11", id="not JSON"),
        pytest.param(b'\xef\xbb\xbf{"id": "a"}', "not JSON: Unexpected UTF-8 BOM", id="a byte order mark further down"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, "nested too deep", id="nested too deep"),
        pytest.param(b'["id"]', "not a JSON object", id="a list"),
        pytest.param(b'"id"', "not a JSON object", id="a string"),
        pytest.param(b"null", "not a JSON object", id="null"),
        pytest.param(b"{}", "no `id` of 1 to 256 characters", id="no id"),
        pytest.param(b'{"id": 7}', "no `id` of 1 to 256 characters", id="a number for an id"),
        pytest.param(b'{"id": ""}', "no `id` of 1 to 256 characters", id="an empty id"),
        pytest.param(event("x" * 257).encode(), "no `id` of 1 to 256 characters", id="an id that is too long"),
        pytest.param(
            b'{"id": "a", "n": ' + b"1" * 5000 + b"}", "Exceeds the limit", id="a number with thousands of digits"
        ),
        pytest.param(event("a").encode() + b'{"id": "b"}', "not JSON: Extra data", id="two objects in one line"),
    ],
)
def test_a_bad_line_is_named_and_its_neighbours_are_sent(
    stack: Stack, sqs: FakeSqs, file: Path, capsys: pytest.CaptureFixture[str], line: bytes, why: str
) -> None:
    assert send(stack, file, b'{"id": "a"}\n' + line + b'\n{"id": "b"}\n') == 1

    told = capsys.readouterr()
    answer = json.loads(told.out)
    assert answer["bad"]["2"].startswith(why)
    assert (answer["sent"], answer["next_line"]) == (2, None)
    assert f"line 2: {why}" in told.err
    assert arrived(sqs) == [event("a"), event("b")]


def padded(size: int) -> str:
    """Return an event of so many bytes."""
    empty = '{"id": "a", "x": ""}'
    return empty.replace('""', '"' + "x" * (size - len(empty)) + '"')


def test_a_line_may_be_as_large_as_a_message(stack: Stack, sqs: FakeSqs, file: Path) -> None:
    assert send(stack, file, padded(MAX_BYTES)) == 0
    assert len(arrived(sqs)) == 1


def test_a_line_that_is_larger_is_bad(stack: Stack, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert send(stack, file, padded(MAX_BYTES + 1)) == 1
    assert shown(capsys)["bad"] == {"1": "1,048,577 bytes; SQS takes at most 1,048,576"}


def test_calls_hold_ten_events_and_one_mebibyte_at_most(stack: Stack, sqs: FakeSqs, file: Path) -> None:
    small = [event(number) for number in range(25)]
    large = [padded(400_000) for _ in range(5)]

    assert send(stack, file, "\n".join(small + large)) == 0
    sizes = Counter(len(call.request["Entries"]) for call in sqs.calls)
    assert sizes == {10: 2, 7: 1, 2: 1, 1: 1}
    assert Counter(arrived(sqs)) == Counter(small + large)


def test_a_line_that_sqs_refuses_is_bad_and_named(
    stack: Stack, sqs: FakeSqs, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sqs.refuses = lambda _operation, entry: "7" in entry["MessageBody"]

    assert send(stack, file, "\n".join(map(event, range(10)))) == 1
    answer = shown(capsys)
    assert answer["bad"] == {"8": "a test says: this entry is not taken"}
    assert (answer["sent"], answer["next_line"]) == (9, None)


def test_what_sqs_does_not_take_for_its_characters_is_bad_and_named(
    stack: Stack, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert send(stack, file, event("a") + '\n{"id": "b", "x": "\uffff"}\n') == 1
    assert shown(capsys)["bad"] == {"2": "Invalid binary character in the message."}


def test_a_line_that_no_answer_names_is_not_taken_for_sent(
    stack: Stack, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stack.sqs, "send_message_batch", lambda **_: {"Successful": [{"Id": "1"}]})

    assert send(stack, file, event("a") + "\n" + event("b")) == 1
    answer = shown(capsys)
    assert answer["sent"] == 1
    assert set(answer["bad"]) == {"2"}


def test_twenty_bad_lines_are_shown_and_all_are_in_the_json(
    stack: Stack, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert send(stack, file, "{\n" * 25) == 1

    told = capsys.readouterr()
    assert set(json.loads(told.out)["bad"]) == {str(number) for number in range(1, 26)}
    assert len(re.findall(r"  line \d+: ", told.err)) == 20
    assert "and 5 more" in told.err


def test_an_empty_file_sends_nothing(stack: Stack, sqs: FakeSqs, file: Path) -> None:
    file.touch()

    assert send(stack, file) == 0
    assert sqs.calls == []


def test_it_goes_on_where_it_is_told_to(stack: Stack, sqs: FakeSqs, file: Path) -> None:
    assert send(stack, file, "{\n" + "\n".join(map(event, range(2, 6))), from_line=4) == 0
    assert arrived(sqs) == [event(4), event(5)]


@pytest.mark.parametrize("fault", list(Fault))
def test_a_connection_that_stays_broken_tells_where_to_go_on(
    stack: Stack, sqs: FakeSqs, file: Path, capsys: pytest.CaptureFixture[str], fault: Fault
) -> None:
    sqs.faults.fail("SendMessageBatch", None, None)
    sqs.faults.fail_always("SendMessageBatch", fault, when=lambda request: request["Entries"][0]["Id"] == "21")

    assert send(stack, file, "\n".join(map(event, range(1, 31)))) == 1
    told = capsys.readouterr()
    answer = json.loads(told.out)
    assert (answer["sent"], answer["next_line"], answer["bad"]) == (20, 21, {})
    assert "Every good line before line 21 is sent." in told.err


def test_reading_stops_soon_after_the_connection_broke(stack: Stack, sqs: FakeSqs, file: Path) -> None:
    sqs.faults.fail_always("SendMessageBatch", Fault.UNREACHABLE)

    assert send(stack, file, "\n".join(map(event, range(2000)))) == 1
    assert len(sqs.calls) < 40


def test_credentials_that_are_gone_half_way_break_it_off(
    stack: Stack, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_: object) -> None:
        raise NoCredentialsError

    monkeypatch.setattr(stack.sqs, "send_message_batch", fail)

    assert send(stack, file, event("a")) == 1
    assert shown(capsys)["next_line"] == 1


def lines_of(good: list[bool]) -> list[str]:
    return [event(number) if is_good else "{" for number, is_good in enumerate(good)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    good=st.lists(st.booleans(), min_size=1, max_size=300),
    faults=st.lists(st.sampled_from([None, None, *Fault]), max_size=30),
)
def test_whatever_breaks_whoever_goes_on_where_told_loses_no_line(
    stack: Stack,
    sqs: FakeSqs,
    file: Path,
    capsys: pytest.CaptureFixture[str],
    good: list[bool],
    faults: list[Fault | None],
) -> None:
    sqs.queue("shop-events").messages.clear()
    sqs.faults.clear()
    sqs.faults.fail("SendMessageBatch", *faults)
    lines = lines_of(good)
    file.write_text("\n".join(lines))
    from_line: int | None = 1
    while from_line is not None:
        assert send(stack, file, from_line=from_line) in {0, 1}
        from_line = shown(capsys)["next_line"]
        before = lines if from_line is None else lines[: from_line - 1]
        assert {line for line in before if line != "{"} <= set(arrived(sqs))

    assert set(arrived(sqs)) == set(lines) - {"{"}


def test_whoever_stops_it_is_told_where_to_go_on(
    stack: Stack, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line that was read as the person stopped it is not sent: it is the one to go on with."""
    parse = json.loads

    def stop(text: str) -> Any:
        if text == event("b"):
            raise KeyboardInterrupt
        return parse(text)

    monkeypatch.setattr(json, "loads", stop)

    assert send(stack, file, "{\n" + event("b") + "\n" + event("c")) == 1
    monkeypatch.undo()
    assert shown(capsys)["next_line"] == 2


def test_a_file_that_is_not_there_is_named(stack: Stack, file: Path) -> None:
    with pytest.raises(CallFailed, match=re.escape(f"{file} cannot be read: No such file or directory")):
        send(stack, file)


def test_a_folder_is_no_file(stack: Stack, tmp_path: Path) -> None:
    with pytest.raises(CallFailed, match="cannot be read: Is a directory"):
        send(stack, tmp_path)


@pytest.mark.usefixtures("found_by_commands")
def test_a_dash_is_standard_input(sqs: FakeSqs, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(event("a").encode() + b"\n{")))

    ran = command("send", "-", "--json")

    assert ran.exit_code == 1
    assert json.loads(ran.out)["sent"] == 1
    assert arrived(sqs) == [event("a")]


@pytest.mark.usefixtures("found_by_commands")
def test_people_are_told_without_json(command: Command, file: Path) -> None:
    file.write_text(event("a"))

    ran = command("send", str(file))

    assert (ran.exit_code, ran.out) == (0, "")
    assert "1 sent, 0 bad." in ran.err


@pytest.mark.usefixtures("found_by_commands")
def test_the_command_to_go_on_with_is_about_the_same_file_and_stack(
    sqs: FakeSqs, command: Command, tmp_path: Path
) -> None:
    sqs.faults.fail_always("SendMessageBatch", Fault.UNREACHABLE)
    file = tmp_path / "my events.ndjson"
    file.write_text(event("a"))

    ran = command("send", str(file), "--stack", "shop")

    assert f"backstop send '{file}' --from-line 1 --stack shop" in ran.err


class TestWhatIsWrittenDown:
    def test_is_the_call_and_how_much_was_sent(self, stack: Stack, file: Path) -> None:
        assert send(stack, file, f"{event('a')}\n{event('b')}\n") == 0
        assert written_down(stack) == [(f"send {file} --from-line 1", 2, "done")]

    def test_says_what_was_not_sent(self, stack: Stack, file: Path) -> None:
        send(stack, file, f"no\n{event('b')}\n")
        assert [(count, result) for _, count, result in written_down(stack)] == [(1, "failed: 1 bad lines")]

    def test_is_nothing_where_no_file_is(self, stack: Stack, file: Path) -> None:
        with pytest.raises(CallFailed):
            send(stack, file)
        assert written_down(stack) == []

    def test_is_what_allows_it_in_the_first_place(self, stack: Stack, sqs: FakeSqs, file: Path) -> None:
        faults = Faults()
        faults.fail_always("PutItem", Fault.DENIED)
        with faults.installed(stack.dynamodb), pytest.raises(ClientError):
            send(stack, file, event("a"))
        assert arrived(sqs) == []

    def test_that_could_not_be_concluded_is_told(
        self, stack: Stack, sqs: FakeSqs, file: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        faults = Faults()
        faults.fail_always("UpdateItem", Fault.DENIED)
        with faults.installed(stack.dynamodb):
            assert send(stack, file, event("a")) == 0
        assert "could not be written down: " in capsys.readouterr().err
        assert [result for *_, result in written_down(stack)] == ["begun"]
