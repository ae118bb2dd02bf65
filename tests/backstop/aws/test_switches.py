"""Switches: parameters that exist are read and set, and none is made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from backstop.aws.switches import Switches
from backstop.errors import SystemFault
from tests.fakes.faults import Fault, Faults

NAME = "shop-PaymentSwitch-1A2B"


@pytest.fixture
def client() -> Iterator[Any]:
    with mock_aws():
        client: Any = boto3.client("ssm", region_name="eu-west-1")
        client.put_parameter(Name=NAME, Value="primary", Type="String", AllowedPattern="^(primary|backup)$")
        yield client


def test_one_is_read_as_it_is(client: Any) -> None:
    switches = Switches(client, {"payments": NAME})
    assert switches.look() == {"payments": False}
    client.put_parameter(Name=NAME, Value="backup", Overwrite=True)
    assert switches.look() == {"payments": True}


def test_one_is_switched_and_back(client: Any) -> None:
    switches = Switches(client, {"payments": NAME})
    switches.set("payments", True)
    assert switches.look() == {"payments": True}
    assert client.get_parameter(Name=NAME)["Parameter"]["Value"] == "backup"
    switches.set("payments", False)
    assert client.get_parameter(Name=NAME)["Parameter"]["Value"] == "primary"


def test_a_parameter_that_is_not_there_is_no_switch(client: Any) -> None:
    assert Switches(client, {"payments": NAME, "stock": "gone"}).look() == {"payments": False}


def test_without_backups_nothing_is_asked(client: Any) -> None:
    faults = Faults()
    with faults.installed(client):
        assert Switches(client, {}).look() == {}
    assert not faults.calls


def test_a_refusal_is_a_fault_that_names_the_parameter(client: Any) -> None:
    faults, switches = Faults(), Switches(client, {"payments": NAME})
    faults.fail_always("PutParameter", Fault.DENIED)
    faults.fail_always("GetParameters", Fault.THROTTLED)
    with faults.installed(client):
        with pytest.raises(SystemFault, match=f"{NAME} did not change: AccessDeniedException"):
            switches.set("payments", True)
        with pytest.raises(SystemFault, match="switches could not be read: ThrottlingException"):
            switches.look()
