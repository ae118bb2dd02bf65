from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import pytest

from backstop.aws import clients


@pytest.fixture(autouse=True)
def region(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let clients be made here, and leave none of them behind."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    forget: Any = clients.client
    forget.cache_clear()
    yield
    forget.cache_clear()


SERVICES: list[Literal["sqs", "dynamodb"]] = ["sqs", "dynamodb"]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_one_client(service: Literal["sqs", "dynamodb"]) -> None:
    assert clients.client(service) is clients.client(service)
    assert clients.client(service).meta.service_model.service_name == service


@pytest.mark.parametrize("service", SERVICES)
def test_a_call_that_hangs_is_given_up_within_seconds(service: Literal["sqs", "dynamodb"]) -> None:
    """Three tries of 4 s and the waits between them: less than the 30 s that an invocation has."""
    config: Any = clients.client(service).meta.config
    assert (config.connect_timeout, config.read_timeout) == (1, 3)
    assert config.retries["total_max_attempts"] == 3
