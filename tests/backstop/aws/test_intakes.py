"""Event source mappings: seen as they are, changed without touching what else they have, left alone while changing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from backstop.aws.intakes import Intakes
from backstop.errors import SystemFault
from backstop.recovery.state import MappingState, SourceMapping
from tests.fakes.functions import REGION, make_function, make_mapping

ID: Final = "00000000-0000-4000-8000-000000000001"


def new_client() -> Any:
    return boto3.Session("test", "test", region_name=REGION).client("lambda")


@pytest.fixture
def client() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("lambda", region_name=REGION)


@pytest.fixture
def mapping_id(client: Any) -> str:
    make_function(client, "shop-process")
    return make_mapping(client, boto3.client("sqs", region_name=REGION), "shop-process", "shop-events", 10)


@pytest.fixture
def stub() -> Iterator[Any]:
    """Answer as a test says; each request is checked against the service's model."""
    with Stubber(new_client()) as stub:
        yield stub


def test_one_is_seen_as_it_is(client: Any, mapping_id: str) -> None:
    assert Intakes(client).look(mapping_id) == SourceMapping(MappingState.ENABLED, 10)


def test_one_is_disabled_and_enabled_with_a_concurrency(client: Any, mapping_id: str) -> None:
    intakes = Intakes(client)
    intakes.set(mapping_id, False, 10)
    assert intakes.look(mapping_id) == SourceMapping(MappingState.DISABLED, 10)
    intakes.set(mapping_id, True, 2)
    assert intakes.look(mapping_id) == SourceMapping(MappingState.ENABLED, 2)


def test_what_else_it_has_stays_as_it_was(client: Any, mapping_id: str) -> None:
    Intakes(client).set(mapping_id, False, 2)
    found = client.get_event_source_mapping(UUID=mapping_id)
    assert found["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert found["BatchSize"] == 10


def test_one_that_is_deleted_is_gone_whoever_looks_or_changes_it(client: Any, mapping_id: str) -> None:
    client.delete_event_source_mapping(UUID=mapping_id)
    Intakes(client).set(mapping_id, True, 2)
    assert Intakes(client).look(mapping_id) == SourceMapping(MappingState.GONE)


@pytest.mark.parametrize(
    ("state", "seen"),
    [
        ("Creating", MappingState.CHANGING),
        ("Enabling", MappingState.CHANGING),
        ("Enabled", MappingState.ENABLED),
        ("Disabling", MappingState.CHANGING),
        ("Disabled", MappingState.DISABLED),
        ("Updating", MappingState.CHANGING),
        ("Deleting", MappingState.GONE),
        ("Rotating", MappingState.CHANGING),
    ],
)
def test_each_of_awss_states_is_one_of_four(stub: Any, state: str, seen: MappingState) -> None:
    stub.add_response("get_event_source_mapping", {"State": state}, {"UUID": ID})
    assert Intakes(stub.client).look(ID) == SourceMapping(seen)


@pytest.mark.parametrize("code", ["ResourceInUseException", "ResourceConflictException"])
def test_one_that_is_changing_stays_so_without_a_fault(stub: Any, code: str) -> None:
    stub.add_client_error("update_event_source_mapping", code)
    Intakes(stub.client).set(ID, True, 2)
    stub.assert_no_pending_responses()


@pytest.mark.parametrize(
    "code", ["TooManyRequestsException", "AccessDeniedException", "InvalidParameterValueException"]
)
def test_any_other_refusal_is_a_fault_that_names_it(stub: Any, code: str) -> None:
    stub.add_client_error("update_event_source_mapping", code)
    with pytest.raises(SystemFault, match=f"{ID} did not change: {code}"):
        Intakes(stub.client).set(ID, True, 2)
    stub.add_client_error("get_event_source_mapping", code)
    with pytest.raises(SystemFault, match=f"{ID} could not be read: {code}"):
        Intakes(stub.client).look(ID)
