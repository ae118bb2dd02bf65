"""Which event a function is invoked with, which answer the README shows, and how the two are compared."""

from __future__ import annotations

import pytest

from ops.failure import CallFailed
from ops.local import state
from ops.local.invoke import Invoked, sample_events, shown_answers


def shown(function: str, answer: str) -> str:
    return f"```sh\nsam local invoke {function} --event events/x.json\n```\n\n```json\n{answer}\n```\n"


@pytest.mark.parametrize(
    ("readme", "answers"),
    [
        pytest.param("# Backstop\n", {}, id="no invocation"),
        pytest.param(
            shown("A", "{}") + "so that\n\n" + shown("B", "[1]"), {"A": {}, "B": [1]}, id="one after the other"
        ),
        pytest.param(shown("A", '{"records": [\n  {"a": 1},\n  2\n]}'), {"A": {"records": [{"a": 1}, 2]}}, id="lines"),
        pytest.param(
            "```sh\nsam build\nsam local invoke A --event e\n```\n```json\n{}\n```\n",
            {"A": {}},
            id="other commands before",
        ),
        pytest.param(
            "```sh\nsam local invoke A --event e\n```\n\n" + shown("B", "{}"), {"B": {}}, id="one without an answer"
        ),
        pytest.param(shown("A", "{}").replace("json\n", "\n"), {}, id="a block that is not said to be JSON"),
        pytest.param("```json\n{\n```\n" + shown("A", "{}"), {"A": {}}, id="JSON that is no answer"),
    ],
)
def test_an_answer_is_the_json_behind_an_invocation(readme: str, answers: dict[str, object]) -> None:
    assert shown_answers(readme) == answers


@pytest.mark.parametrize("answer", ["{", "", "{'a': 1}", "{} {}", "NaN,"])
def test_an_answer_that_is_no_json_is_the_readmes_fault(answer: str) -> None:
    with pytest.raises(CallFailed, match=r"^README\.md: an answer that it shows is no JSON: "):
        shown_answers(shown("A", "{}") + shown("B", answer))


def test_a_sample_event_is_named_as_its_functions_folder() -> None:
    resources = {
        "Queue": {"Type": "AWS::SQS::Queue"},
        "A": {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "functions/one"}},
        "B": {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "functions/two/"}},
        "Layer": {"Type": "AWS::Serverless::LayerVersion", "Properties": {"ContentUri": "layers/backstop"}},
    }

    assert sample_events({"Resources": resources}) == {
        "A": state.ROOT / "events" / "one.json", "B": state.ROOT / "events" / "two.json",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("invoked", "is_as_shown", "verdict"),
    [
        pytest.param(
            Invoked("A", {"a": [], "b": 1}, {"b": 1, "a": []}), True, "answered as the README shows", id="the same"
        ),
        pytest.param(
            Invoked("A", {"a": [1]}, {"a": []}),
            False,
            'answered {"a": [1]}, and the README shows {"a": []}',
            id="another",
        ),
        pytest.param(Invoked("A", {"a": []}, None), True, 'answered {"a": []}', id="the README shows none"),
    ],
)
def test_an_answer_is_compared_with_the_one_that_is_shown(invoked: Invoked, is_as_shown: bool, verdict: str) -> None:
    assert (invoked.is_as_shown, invoked.verdict) == (is_as_shown, verdict)
