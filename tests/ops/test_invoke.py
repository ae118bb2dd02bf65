"""Functions invoked by stand-ins for `docker` and `sam`: what these are given, and what is told of their answers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from samcli.yamlhelper import yaml_parse

from ops.failure import CallFailed
from ops.local import containers, invoke, state
from ops.local.containers import Engine
from ops.local.deploy import build_folder
from ops.local.state import LocalAws
from ops.stack import Stack

PYTHON = sys.executable
LOCAL_AWS = LocalAws(0, 4566)
MACHINE = "Runtime=python3.13 Architecture=arm64"
SETTINGS = {
    "ProcessFunction": {"STAGE": "local", "ORDERS_TABLE": "backstop-orders-1A2B"},
    "ProcessOrderedFunction": {"STAGE": "local", "PARKED_TABLE": "backstop-parked-3C4D"},
    "TransformFunction": {"STAGE": "local", "STREAM_NAME": "backstop-clicks"},
    "WatchFunction": {"STAGE": "local", "FAILURE_GROUPS_TABLE": "backstop-groups-5E6F"},
}
"""Those of a stack without NotifyFunction: no secret names its channels."""
BUILT = """
Parameters: {Stage: {Type: String}}
Globals: {Function: {Environment: {Variables: {STAGE: !Ref Stage}}}}
Resources:
  ProcessFunction: {Type: AWS::Serverless::Function, Properties: {CodeUri: ProcessFunction}}
"""
FAKE_SAM = f"""#!{PYTHON}
import json, os, sys
from pathlib import Path

words = sys.argv[1:]
here = Path(__file__).parent
given = dict(zip(words, words[1:]))
[function] = [word for word in words if word.endswith("Function")]
call = {{
    "words": words,
    "environment": dict(os.environ),
    "settings": json.loads(Path(given["--env-vars"]).read_text()),
    "template": Path(given["--template-file"]).read_text(),
}}
(here / f"{{function}}.call").write_text(json.dumps(call))
print("START RequestId: 0123", file=sys.stderr)
exec((here / "answer").read_text())
"""


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only folder in which tools are found: `make` is there, and a `sam` that runs what `answers` says."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setattr(state, "FOLDER", tmp_path / "kept")
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setenv("PATH", str(folder))
    install(folder, "make", "#!/bin/sh\n")
    install(folder, "sam", FAKE_SAM)
    return folder


def install(tools: Path, name: str, script: str) -> None:
    (tools / name).write_text(script)
    (tools / name).chmod(0o755)


class Call:
    """How `sam` was called, as it wrote it down."""

    def __init__(self, tools: Path, function: str = "ProcessFunction") -> None:
        call = json.loads((tools / f"{function}.call").read_text())
        self.words: list[str] = call["words"]
        self.environment: dict[str, str] = call["environment"]
        self.settings: dict[str, dict[str, str]] = call["settings"]
        self.template: dict[str, Any] = yaml_parse(call["template"])

    def given(self, option: str) -> str:
        return self.words[self.words.index(option) + 1]


def build() -> None:
    built = build_folder(invoke.STACK)
    built.mkdir(parents=True)
    (built / "template.yaml").write_text(BUILT)


@pytest.fixture
def answers(tools: Path) -> Any:
    """Return what invokes a function in a stand-in for its container, which runs a line of Python."""
    build()

    def run(line: str, function: str = "ProcessFunction") -> Any:
        (tools / "answer").write_text(line)
        return invoke._invoke(LOCAL_AWS, SETTINGS, function, invoke.EVENTS / "process.json", MACHINE)

    return run


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        pytest.param("""print('{"batchItemFailures": []}')""", {"batchItemFailures": []}, id="an object"),
        pytest.param("print('a line of a log'); print('{}'); print(); print('[1]'); print()", [1], id="the last line"),
        pytest.param("print('null')", None, id="nothing, said"),
        pytest.param(
            """print('{"errorMessage": "no table", "errorType": "SystemFault"}')""",
            {"errorMessage": "no table", "errorType": "SystemFault"},
            id="an error of the function's",
        ),
        pytest.param("print('{}', end=''); print('[1]', file=sys.stderr)", {}, id="logs that are no answer"),
    ],
)
def test_the_answer_is_the_last_line_that_sam_printed(line: str, answer: object, answers: Any) -> None:
    assert answers(line) == answer


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param("pass", "ProcessFunction gave no answer that is JSON: nothing", id="nothing"),
        pytest.param("print('  '); print()", "ProcessFunction gave no answer that is JSON: nothing", id="blanks"),
        pytest.param(
            "print('Task timed out')", "ProcessFunction gave no answer that is JSON: Task timed out", id="no JSON"
        ),
        pytest.param(
            "print('{}'); print('bye')", "ProcessFunction gave no answer that is JSON: {}\nbye", id="after it"
        ),
        pytest.param(
            "sys.exit('Error: Running AWS SAM projects locally requires a container runtime.')",
            "sam local invoke failed: Error: Running AWS SAM projects locally requires a container runtime.",
            id="sam fails",
        ),
        pytest.param("print('{}'); sys.exit(1)", "sam local invoke failed: ", id="sam fails after an answer"),
    ],
)
def test_no_answer_is_a_failure_that_says_what_came_instead(line: str, said: str, answers: Any) -> None:
    with pytest.raises(CallFailed) as failed:
        answers(line)

    assert str(failed.value).startswith(said)


def test_a_long_text_that_is_no_answer_is_told_in_part(answers: Any) -> None:
    with pytest.raises(CallFailed) as failed:
        answers("print('x' * 100_000 + ' the end')")

    assert str(failed.value).endswith("the end")
    assert len(str(failed.value)) < 500


@pytest.mark.parametrize("function", SETTINGS)
def test_sam_is_told_which_function_with_which_event_on_which_machine(function: str, tools: Path, answers: Any) -> None:
    answers("print('{}')", function)

    call = Call(tools, function)
    assert call.words[:2] == ["local", "invoke"]
    assert function in call.words
    assert Path(call.given("--event")) == state.ROOT / "events" / "process.json"
    assert call.given("--parameter-overrides") == MACHINE
    assert call.given("--add-host") == "host.docker.internal:host-gateway"
    assert "--skip-pull-image" in call.words, "nothing is fetched that is not there"


def test_a_container_has_the_deployed_variables_and_reaches_the_local_aws_from_within(
    tools: Path, answers: Any
) -> None:
    answers("print('{}')")

    inside = {"AWS_ENDPOINT_URL": "http://host.docker.internal:4566"}
    assert Call(tools).settings == {name: own | inside for name, own in SETTINGS.items()}


def test_the_address_is_declared_as_sam_passes_declared_variables_only_and_nothing_else_is_changed(
    tools: Path, answers: Any
) -> None:
    ours = (state.ROOT / "template.yaml").read_text()
    built = build_folder(invoke.STACK) / "template.yaml"
    built.write_text(ours)

    answers("print('{}')")

    template = Call(tools).template
    assert "AWS_ENDPOINT_URL" in template["Globals"]["Function"]["Environment"]["Variables"]
    del template["Globals"]["Function"]["Environment"]["Variables"]["AWS_ENDPOINT_URL"]
    assert template == yaml_parse(ours)
    assert built.read_text() == ours


def test_no_account_of_the_callers_gets_into_a_container(
    tools: Path, answers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN"):
        monkeypatch.setenv(name, "production")

    answers("print('{}')")

    assert "production" not in Call(tools).environment.values()
    assert Call(tools).environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"


@pytest.fixture
def door(tools: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the port that containers can reach, while they can: all is deployed but what SETTINGS leaves out."""
    door: list[int] = []

    @contextmanager
    def open_door(port: int, _: Engine) -> Iterator[None]:
        door.append(port)
        yield
        door.clear()

    monkeypatch.setattr(containers, "door_to", open_door)
    monkeypatch.setattr(invoke, "deploy", lambda *_: build())
    monkeypatch.setattr(invoke, "_set_up_sample", lambda _: None)
    monkeypatch.setattr(invoke, "function_settings", lambda _: SETTINGS)
    (tools / "answer").write_text("""print('{"batchItemFailures": []}')""")
    return door


def test_each_function_is_invoked_with_its_own_event_while_containers_can_reach_the_local_aws(
    tools: Path, door: list[int]
) -> None:
    found = []
    for invoked in invoke.invoke_all(LOCAL_AWS, Engine("arm64", "image")):
        call = Call(tools, invoked.function)
        assert call.given("--parameter-overrides") == MACHINE
        assert door == [4566]
        found.append((invoked.function, Path(call.given("--event")).name, invoked.is_as_shown))

    assert found == [
        ("ProcessFunction", "process.json", True),
        ("ProcessOrderedFunction", "process_ordered.json", True),
        ("TransformFunction", "transform.json", False),
        ("WatchFunction", "watch.json", False),
    ]
    assert door == []


def test_nothing_is_charged_from_a_container_which_does_not_reach_the_gateway(
    tools: Path, door: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed: list[LocalAws] = []
    monkeypatch.setattr(invoke, "deploy", lambda local_aws, _: deployed.append(local_aws))

    build()
    list(invoke.invoke_all(LocalAws(0, 4566, "http://127.0.0.1:4567"), Engine("arm64", "image")))

    assert deployed == [LocalAws(0, 4566)]


def test_a_function_that_the_stack_does_not_have_is_left_out(tools: Path, door: list[int]) -> None:
    assert "NotifyFunction" in invoke.sample_events(invoke._template())

    invoked = [one.function for one in invoke.invoke_all(LOCAL_AWS, Engine("arm64", "image"))]

    assert invoked == list(SETTINGS)
    assert not (tools / "NotifyFunction.call").exists()


def test_samples_find_what_their_events_are_about(stack: Stack, tables: None) -> None:
    """A product with a price and one without, and a key that is the same each time."""
    secret = stack.session.client("secretsmanager").create_secret(Name="key", SecretString="another")["ARN"]
    vars(stack)["resources"] = {"AWS::SecretsManager::Secret": {"EmailKey": secret}}.__getitem__

    for _ in range(2):
        invoke._set_up_sample(stack)

    event = json.loads((state.ROOT / "events" / "process.json").read_text())
    products = {item["sku"]["S"]: item for item in stack.dynamodb.scan(TableName="catalog")["Items"]}
    ordered = [json.loads(record["body"])["items"][0]["sku"] for record in event["Records"][:2]]
    assert ["price" in products[sku] for sku in ordered] == [True, False]
    key = stack.session.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
    assert f"hash was made with the key `{key}`" in (state.ROOT / "README.md").read_text()
