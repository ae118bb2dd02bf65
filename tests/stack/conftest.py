"""One local AWS with the real template deployed, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ops.local import emulator, state
from ops.local.deploy import deploy
from ops.stack import Stack, local_session


@pytest.fixture(scope="session")
def local_aws() -> Iterator[state.LocalAws]:
    with emulator.running() as local_aws:
        deploy(local_aws, "backstop")
        yield local_aws


@pytest.fixture(scope="session")
def stack(local_aws: state.LocalAws) -> Stack:
    return Stack("backstop", local_session(), local_aws.endpoint_url)


@pytest.fixture
def found_by_commands(local_aws: state.LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `--local` mean this local AWS, whatever else runs on the machine."""
    monkeypatch.setattr(state, "find", lambda: local_aws)
