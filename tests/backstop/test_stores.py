"""The contract of a store of groups, kept in memory, in DynamoDB (on moto) and on a real Redis or Valkey server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.backstop.store_contract import CountContract, GroupContract
from tests.backstop.store_contract_windows import CloseContract, FirstsContract, ReplaceContract
from tests.backstop.store_stands import Stand, stand_in_memory, stand_on_moto, stand_on_valkey
from tests.backstop.valkey_server import Server, running_server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture(params=["memory", "dynamodb", "valkey"])
def stand(request: pytest.FixtureRequest) -> Iterator[Stand]:
    match request.param:
        case "memory":
            setting = stand_in_memory()
        case "dynamodb":
            setting = stand_on_moto()
        case _:
            setting = stand_on_valkey(request.getfixturevalue("server"))
    with setting as stand:
        yield stand


class TestCount(CountContract):
    pass


class TestGroup(GroupContract):
    pass


class TestReplace(ReplaceContract):
    pass


class TestClose(CloseContract):
    pass


class TestFirsts(FirstsContract):
    pass
