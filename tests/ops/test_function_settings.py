from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.stub import Stubber

from ops.function_settings import function_settings
from ops.local import state
from ops.stack import Stack
from tests.ops.command import Command

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
FUNCTIONS = {"ProcessFunction": "shop-process-1A2B", "TransformFunction": "shop-transform-3C4D"}
PROCESS = {"STAGE": "prod", "ORDERS_TABLE": "shop-orders-5E6F"}
TRANSFORM = {"STAGE": "prod", "STREAM_NAME": "shop-clicks", "NOTE": "grün"}


class Aws:
    """What CloudFormation and Lambda answer, each call once and in this order."""

    def __init__(self, stack: Stack) -> None:
        clients: dict[str, Any] = {service: stack.session.client(service) for service in ("cloudformation", "lambda")}
        self.cloudformation, self.functions = (Stubber(client) for client in clients.values())
        vars(stack).update(cloudformation=clients["cloudformation"], functions=clients["lambda"])

    def has(self, *pages: dict[str, str]) -> None:
        """Let the stack be of these functions, and of a queue; listed in so many answers."""
        for number, page in enumerate(pages):
            queue = summary(f"Queue{number}", f"shop-queue-{number}", "AWS::SQS::Queue")
            listed = [queue, *(summary(*function, "AWS::Lambda::Function") for function in page.items())]
            asked = {"StackName": "shop"} | ({"NextToken": f"page {number}"} if number else {})
            more = {"NextToken": f"page {number + 1}"} if number + 1 < len(pages) else {}
            self.cloudformation.add_response("list_stack_resources", {"StackResourceSummaries": listed} | more, asked)

    def gives(self, physical: str, variables: dict[str, str] | None) -> None:
        environment = {} if variables is None else {"Environment": {"Variables": variables}}
        self.functions.add_response("get_function_configuration", environment, {"FunctionName": physical})


def summary(logical: str, physical: str, resource_type: str) -> dict[str, Any]:
    return {
        "LogicalResourceId": logical,
        "PhysicalResourceId": physical,
        "ResourceType": resource_type,
        "LastUpdatedTimestamp": NOON,
        "ResourceStatus": "CREATE_COMPLETE",
    }


@pytest.fixture
def aws(stack: Stack) -> Iterator[Aws]:
    aws = Aws(stack)
    with aws.cloudformation, aws.functions:
        yield aws


def test_each_function_has_its_own_variables_under_its_name_in_the_template(aws: Aws, stack: Stack) -> None:
    aws.has(FUNCTIONS)
    aws.gives("shop-process-1A2B", PROCESS)
    aws.gives("shop-transform-3C4D", TRANSFORM)

    assert function_settings(stack) == {"ProcessFunction": PROCESS, "TransformFunction": TRANSFORM}


def test_functions_of_a_stack_that_is_listed_in_parts_are_all_found(aws: Aws, stack: Stack) -> None:
    """A stack may have 500 resources; CloudFormation names 100 at once."""
    aws.has({"ProcessFunction": "shop-process-1A2B"}, {}, {"TransformFunction": "shop-transform-3C4D"})
    aws.gives("shop-process-1A2B", PROCESS)
    aws.gives("shop-transform-3C4D", TRANSFORM)

    assert list(function_settings(stack)) == ["ProcessFunction", "TransformFunction"]


def test_a_function_without_variables_has_none(aws: Aws, stack: Stack) -> None:
    """AWS leaves them out then."""
    aws.has({"ProcessFunction": "shop-process-1A2B"})
    aws.gives("shop-process-1A2B", None)

    assert function_settings(stack) == {"ProcessFunction": {}}


def test_a_stack_without_functions_has_no_settings(aws: Aws, stack: Stack) -> None:
    aws.has({})

    assert function_settings(stack) == {}


@pytest.mark.usefixtures("found_by_commands")
def test_the_command_prints_one_json_document_and_nothing_else(aws: Aws, command: Command) -> None:
    """So that a shell can put it into a file."""
    aws.has(FUNCTIONS)
    aws.gives("shop-process-1A2B", PROCESS)
    aws.gives("shop-transform-3C4D", TRANSFORM)

    ran = command("env")

    assert (ran.exit_code, ran.err) == (0, "")
    assert json.loads(ran.out) == {"ProcessFunction": PROCESS, "TransformFunction": TRANSFORM}


@pytest.mark.usefixtures("found_by_commands")
def test_where_aws_refuses_halfway_nothing_is_printed_but_a_sentence(aws: Aws, command: Command) -> None:
    """Half a document in a file would look like all of it."""
    aws.has(FUNCTIONS)
    aws.gives("shop-process-1A2B", PROCESS)
    aws.functions.add_client_error("get_function_configuration", "AccessDeniedException", "not you")

    assert command("env") == (2, "", "backstop: AWS refused GetFunctionConfiguration: not you\n")


def test_without_a_local_aws_the_command_says_how_to_start_one(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "find", lambda: None)

    assert command("env", "--local") == (2, "", "backstop: no local AWS runs: start it with make local\n")
