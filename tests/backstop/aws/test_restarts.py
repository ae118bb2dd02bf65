"""Restarts: one variable is set, once; all others stay, and a deployment in between wins."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from backstop.aws.restarts import RESTARTED_AT, Functions
from backstop.errors import SystemFault
from tests.fakes.functions import REGION, make_function

NAME: Final = "shop-process"
NOW: Final = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
LONG_AGO: Final = "2026-01-01T00:00:00.000+0000"
VARIABLES: Final = {"RELEASE": "r7", "QUEUE": "events"}
READ: Final = {"FunctionName": NAME}


@pytest.fixture
def client() -> Iterator[Any]:
    with mock_aws():
        client: Any = boto3.client("lambda", region_name=REGION)
        make_function(client, NAME, **VARIABLES)
        yield client


@pytest.fixture
def stub() -> Iterator[Any]:
    """Answer as a test says; each request is checked against the service's model."""
    with Stubber(boto3.Session("test", "test", region_name=REGION).client("lambda")) as stub:
        yield stub


def configuration(**fields: Any) -> dict[str, Any]:
    """Return what AWS says of a function."""
    known = {
        "CodeSha256": "abc=",
        "LastModified": LONG_AGO,
        "RevisionId": "revision-1",
        "LastUpdateStatus": "Successful",
        "Environment": {"Variables": VARIABLES},
    }
    return known | fields


def restart_of(**fields: Any) -> dict[str, Any]:
    """Return the request that restarts a function, as far as it is known."""
    variables = {**VARIABLES, RESTARTED_AT: NOW.isoformat()}
    return {"FunctionName": NAME, "RevisionId": "revision-1", "Environment": {"Variables": variables}} | fields


def test_what_is_deployed_is_the_release_and_the_code(client: Any) -> None:
    found = Functions(client).look(NAME)
    assert found.release == "r7"
    assert found.code == client.get_function_configuration(FunctionName=NAME)["CodeSha256"]


def test_a_function_keeps_its_other_variables(client: Any) -> None:
    at = datetime.now(UTC) + timedelta(minutes=1)
    Functions(client).restart(NAME, at)
    environment = client.get_function_configuration(FunctionName=NAME)["Environment"]
    assert environment["Variables"] == {**VARIABLES, RESTARTED_AT: at.isoformat()}
    assert Functions(client).look(NAME).renewed_at == at


def test_a_restart_names_the_revision_that_was_read(stub: Any) -> None:
    stub.add_response("get_function_configuration", configuration(), READ)
    stub.add_response("update_function_configuration", {}, restart_of())
    Functions(stub.client).restart(NAME, NOW)
    stub.assert_no_pending_responses()


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"LastUpdateStatus": "InProgress"}, id="being updated"),
        pytest.param({"LastModified": "2026-01-05T09:00:00.000+0000"}, id="updated since"),
        pytest.param({"Environment": {"Variables": {RESTARTED_AT: NOW.isoformat()}}}, id="restarted already"),
    ],
)
def test_a_function_whose_environments_are_new_is_left_alone(stub: Any, fields: dict[str, Any]) -> None:
    stub.add_response("get_function_configuration", configuration(**fields), READ)
    Functions(stub.client).restart(NAME, NOW)
    stub.assert_no_pending_responses()


@pytest.mark.parametrize("code", ["PreconditionFailedException", "ResourceConflictException"])
def test_a_deployment_in_between_wins_and_is_no_fault(stub: Any, code: str) -> None:
    stub.add_response("get_function_configuration", configuration(), READ)
    stub.add_client_error("update_function_configuration", code, expected_params=restart_of())
    Functions(stub.client).restart(NAME, NOW)
    stub.assert_no_pending_responses()


def test_a_refusal_is_a_fault_that_names_the_function(stub: Any) -> None:
    stub.add_response("get_function_configuration", configuration(), READ)
    stub.add_client_error("update_function_configuration", "AccessDeniedException")
    with pytest.raises(SystemFault, match=f"{NAME} was not restarted: AccessDeniedException"):
        Functions(stub.client).restart(NAME, NOW)


def test_variables_that_cannot_be_read_are_never_written(stub: Any) -> None:
    error = {"Error": {"ErrorCode": "AccessDeniedException", "Message": "the key says no"}}
    for _ in range(2):
        stub.add_response("get_function_configuration", configuration(Environment=error), READ)
    with pytest.raises(SystemFault, match=f"variables of the function {NAME}.*AccessDeniedException"):
        Functions(stub.client).restart(NAME, NOW)
    with pytest.raises(SystemFault, match=f"variables of the function {NAME}"):
        Functions(stub.client).look(NAME)


def test_a_function_that_is_gone_is_a_fault(client: Any) -> None:
    with pytest.raises(SystemFault, match="gone could not be read: ResourceNotFoundException"):
        Functions(client).look("gone")
