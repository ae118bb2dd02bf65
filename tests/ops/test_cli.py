from __future__ import annotations

import io
import sys

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from ops import status
from ops.failure import CallFailed
from ops.local import state
from ops.stack import Stack
from tests.ops.command import Command


def fails_with(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def show(*_: object, **__: object) -> int:
        raise error

    monkeypatch.setattr(status, "show", show)


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("fly",), id="a command that is none"),
        pytest.param(("local", "fly"), id="a local command that is none"),
        pytest.param(("status", "--colour"), id="an option that is none"),
        pytest.param(("status", "more"), id="a word too many"),
        pytest.param(("send",), id="no file"),
        pytest.param(("send", "f", "--from-line", "0"), id="line 0"),
        pytest.param(("drill", "--events", "0"), id="no events"),
        pytest.param(("drill", "--events", "1000001"), id="too many events"),
        pytest.param(("drill", "--events", "many"), id="no number"),
        pytest.param(("drill", "--timeout", "0"), id="no time"),
        pytest.param(("local", "demo", "--port", "65536"), id="a port that is none"),
    ],
)
def test_wrong_words_are_called_wrong(words: tuple[str, ...], command: Command) -> None:
    ran = command(*words)

    assert (ran.exit_code, ran.out) == (2, "")
    assert "Usage: " in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("error", "said"),
    [
        pytest.param(CallFailed("[what] failed"), "[what] failed", id="a call that failed"),
        pytest.param(
            ClientError({"Error": {"Code": "AccessDenied", "Message": "not you"}}, "DescribeStacks"),
            "AWS refused DescribeStacks: not you",
            id="AWS refused",
        ),
        pytest.param(
            ClientError({"Error": {"Code": "Throttling"}}, "DescribeStacks"),
            "AWS refused DescribeStacks: Throttling",
            id="AWS refused without a word",
        ),
        pytest.param(
            ConnectTimeoutError(endpoint_url="https://aws.example"),
            'the call to AWS failed: Connect timeout on endpoint URL: "https://aws.example"',
            id="AWS was not reached",
        ),
        pytest.param(
            KeyError("Stacks"),
            "unexpectedly failed (KeyError: 'Stacks'); BACKSTOP_DEBUG=1 shows where",
            id="nobody thought of it",
        ),
    ],
)
@pytest.mark.usefixtures("found_by_commands")
def test_a_failure_is_one_sentence(
    error: Exception, said: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails_with(error, monkeypatch)

    assert command("status") == (2, "", f"backstop: {said}\n")


@pytest.mark.usefixtures("found_by_commands")
def test_who_debugs_sees_the_traceback(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    fails_with(KeyError("Stacks"), monkeypatch)
    monkeypatch.setenv("BACKSTOP_DEBUG", "1")

    with pytest.raises(KeyError):
        command("status")


def test_who_is_not_signed_in_is_told_how(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")

    ran = command("status")

    assert ran.exit_code == 2
    assert ran.err == (
        "backstop: no AWS credentials found: sign in (aws sso login) or name a profile (AWS_PROFILE=…)\n"
    )


def test_who_names_no_region_is_told_how(command: Command) -> None:
    ran = command("status")

    assert ran.exit_code == 2
    assert "no AWS region given: set AWS_" in ran.err


def test_the_region_is_found_where_the_sentence_says_to_set_it(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = command("status").err
    [name] = [word.strip(",") for word in said.split() if word.startswith("AWS_")]
    monkeypatch.setenv(name, "eu-west-1")

    assert "no AWS credentials found" in command("status").err


def test_a_profile_that_is_not_there_is_named(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")

    ran = command("status")

    assert (ran.exit_code, ran.out) == (2, "")
    assert "(nobody) could not be found: check AWS_PROFILE" in ran.err


@pytest.mark.parametrize("words", [("status",), ("drill",), ("send", "f")], ids=" ".join)
def test_without_a_local_aws_it_says_how_to_start_one(
    words: tuple[str, ...], command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "find", lambda: None)

    assert command(*words, "--local") == (2, "", "backstop: no local AWS runs: start it with make local\n")


@pytest.mark.usefixtures("found_by_commands")
def test_a_stack_that_allows_no_drills_says_which_parameter_does(stack: Stack, command: Command) -> None:
    stack._outputs["DrillsAllowed"] = "false"

    ran = command("drill", "--events", "1")

    assert ran.exit_code == 2
    assert "stack 'shop' allows no drills: deploy it with AllowDrill=true" in ran.err


@pytest.mark.usefixtures("found_by_commands")
def test_a_stack_of_something_else_is_named(stack: Stack, command: Command) -> None:
    stack._outputs.clear()

    ran = command("drill", "--events", "1")

    assert (ran.exit_code, ran.err) == (
        2,
        "backstop: stack 'shop' has no output DrillsAllowed: is it a Backstop stack?\n",
    )


@pytest.mark.usefixtures("found_by_commands")
def test_sending_to_a_stack_of_something_else_names_it(
    stack: Stack, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack._outputs.clear()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))

    ran = command("send", "-")

    assert (ran.exit_code, "is it a Backstop stack?" in ran.err) == (2, True)
