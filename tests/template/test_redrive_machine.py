from __future__ import annotations

from typing import Any, Final

import pytest

from tests.template.document import FUNCTIONS, RESOURCES, TEMPLATE, each, target, text_of
from tests.template.machine import PROPERTIES, STATES, after, said
from tests.template.permissions import Grant, grants, trust

TIMING: Final[dict[str, dict[str, int]]] = TEMPLATE["Mappings"]["Timing"]
JOB: Final = "r20260105-090000-0a1b"
GOES_ON: Final = {"job": JOB, "state": "running", "is_over": False, "wait_seconds": 3}
IS_OVER: Final = {"job": JOB, "state": "done", "is_over": True, "wait_seconds": 0}
MOST_EVENTS: Final = 25_000
"""What an execution's history has room for (Step Functions quotas)."""


def test_takes_as_long_as_a_job_does() -> None:
    """EXPRESS ends after five minutes."""
    assert PROPERTIES["Type"] == "STANDARD"
    assert "TimeoutSeconds" not in PROPERTIES["Definition"]


def test_begins_with_what_it_is_given() -> None:
    begin = STATES[PROPERTIES["Definition"]["StartAt"]]
    assert (begin["Type"], begin["Next"]) == ("Pass", "Turn")
    assert "Output" not in begin


@pytest.mark.parametrize("asked", [{"job": JOB}, {"auto": True}], ids=["a job", "whatever is due"])
def test_a_turn_is_asked_for_with_that(asked: dict[str, Any]) -> None:
    arguments = said(STATES["Turn"]["Arguments"], input=asked)
    assert arguments == {"FunctionName": "${RedriveFunctionArn}", "Payload": asked}
    assert target(PROPERTIES["DefinitionSubstitutions"]["RedriveFunctionArn"]) == "RedriveFunction"


def test_what_the_function_answers_says_how_it_goes_on() -> None:
    result = {"StatusCode": 200, "Payload": GOES_ON}
    assert said(STATES["Turn"]["Output"], result=result) == GOES_ON


def test_waits_as_long_as_the_answer_says_and_takes_the_next_turn() -> None:
    pause = STATES[after(GOES_ON)]
    assert (pause["Type"], pause["Next"]) == ("Wait", "Turn")
    assert said(pause["Seconds"], input=GOES_ON) == 3
    assert said(pause["Output"], input=GOES_ON) == {"job": JOB}


@pytest.mark.parametrize("turns", [1, 300, 1000])
def test_ends_well_once_the_answer_says_so(turns: int) -> None:
    assert STATES[after(IS_OVER, turns)] == {"Type": "Succeed"}


@each(TIMING)
def test_gives_up_a_turn_only_when_its_function_has_ended(name: str) -> None:
    """Else the next one would begin beside it."""
    assert FUNCTIONS["RedriveFunction"]["Timeout"] == {"Fn::FindInMap": ["Timing", {"Ref": "Timing"}, "TurnSeconds"]}
    assert STATES["Turn"]["TimeoutSeconds"] > TIMING[name]["TurnSeconds"]


def test_takes_a_turn_that_died_again_for_a_quarter_of_an_hour() -> None:
    (retry,) = STATES["Turn"]["Retry"]
    delays = [min(2 * 2**number, retry["MaxDelaySeconds"]) for number in range(retry["MaxAttempts"])]
    assert (retry["ErrorEquals"], retry["IntervalSeconds"], retry["BackoffRate"]) == (["States.ALL"], 2, 2)
    assert len(delays) + 1 == 20
    assert sum(delays) > 15 * 60


def test_goes_on_in_another_execution_before_its_history_is_full() -> None:
    """A turn enters and leaves three states and runs a task; each try of it that failed before leaves three events."""
    limit = next(turns for turns in range(MOST_EVENTS) if after(GOES_ON, turns) == "GoOn")
    a_turn = 3 * 2 + 3 + 3 * STATES["Turn"]["Retry"][0]["MaxAttempts"]
    assert limit * a_turn < MOST_EVENTS
    assert said(STATES["Turn"]["Assign"], turns=limit - 1) == {"turns": limit}


def test_the_other_execution_is_of_the_same_machine_and_the_same_job() -> None:
    states = {"StateMachine": {"Id": "this machine"}}
    arguments = said(STATES["GoOn"]["Arguments"], input=GOES_ON, context=states)
    assert arguments == {"StateMachineArn": "this machine", "Input": {"job": JOB}}


@each(["Turn", "GoOn"])
def test_what_fails_all_the_time_ends_with_what_to_type(name: str) -> None:
    (caught,) = STATES[name]["Catch"]
    stopped = STATES[caught["Next"]]
    assert (caught["ErrorEquals"], stopped["Type"]) == (["States.ALL"], "Fail")
    kept = said(caught["Output"], input={"job": JOB})
    assert said(stopped["Cause"], input=kept).endswith(f"backstop redrive resume {JOB}")
    assert said(stopped["Cause"], input={"auto": True}).endswith("backstop redrive resume JOB")


def test_tells_in_a_log_of_its_own_why_it_failed() -> None:
    logging = PROPERTIES["Logging"]
    (destination,) = logging["Destinations"]
    assert (logging["Level"], logging["IncludeExecutionData"]) == ("ERROR", True)
    assert target(destination["CloudWatchLogsLogGroup"]["LogGroupArn"]) == "RedriveMachineLogs"
    name = RESOURCES["RedriveMachineLogs"]["Properties"]["LogGroupName"]["Fn::Sub"]
    assert name.startswith("/aws/vendedlogs/states/")


def test_its_role_invokes_the_function_and_begins_itself_and_nothing_else() -> None:
    itself = "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:stateMachine:" + text_of(PROPERTIES["Name"])
    role = target(PROPERTIES["Role"])
    assert {grant for grant in grants(role) if grant.service != "logs"} == {
        Grant("lambda:InvokeFunction", "${RedriveFunction.Arn}"),
        Grant("states:StartExecution", itself),
    }
    assert trust(role)["Principal"] == {"Service": "states.amazonaws.com"}
    assert trust(role)["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
