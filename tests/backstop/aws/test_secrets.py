from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws

from backstop.aws.secrets import Secret
from backstop.errors import SystemFault

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


@pytest.fixture
def client() -> Iterator[SecretsManagerClient]:
    with mock_aws():
        yield boto3.client("secretsmanager", region_name="eu-west-1")


@pytest.fixture
def arn(client: SecretsManagerClient) -> str:
    return client.create_secret(Name="channels", SecretString="first")["ARN"]


def test_is_read_as_it_is_now(client: SecretsManagerClient, arn: str) -> None:
    secret = Secret(client, arn)
    assert secret.text() == ("first", "")
    client.put_secret_value(SecretId=arn, SecretString="second")
    assert secret.text() == ("second", "")


def test_that_cannot_be_read_is_the_last_that_was(client: SecretsManagerClient, arn: str) -> None:
    secret = Secret(client, arn)
    secret.text()
    client.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
    text, why = secret.text()
    assert text == "first"
    assert why == f"the secret {arn} could not be read: ResourceNotFoundException"


def test_that_was_never_read_is_a_fault(client: SecretsManagerClient) -> None:
    with pytest.raises(SystemFault, match="ResourceNotFoundException"):
        Secret(client, "arn:aws:secretsmanager:eu-west-1:123456789012:secret:none").text()


def test_without_an_answer_is_a_fault() -> None:
    config = Config(connect_timeout=0.2, retries={"total_max_attempts": 1})
    session = boto3.Session("test", "test", region_name="eu-west-1")
    nobody = session.client("secretsmanager", endpoint_url="http://127.0.0.1:1", config=config)
    with pytest.raises(SystemFault, match="EndpointConnectionError"):
        Secret(nobody, "channels").text()


def test_of_bytes_is_a_fault(client: SecretsManagerClient) -> None:
    arn = client.create_secret(Name="bytes", SecretBinary=b"first")["ARN"]
    with pytest.raises(SystemFault, match="holds no text"):
        Secret(client, arn).text()
