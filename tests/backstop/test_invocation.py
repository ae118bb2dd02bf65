from __future__ import annotations

from datetime import timedelta

import pytest

from backstop.invocation import remaining, running


def test_outside_of_an_invocation_nothing_is_known_of_its_end() -> None:
    assert remaining() is None


def test_what_is_left_is_read_each_time() -> None:
    left = iter([3000, 500, 0])
    with running(lambda: next(left)):
        assert [remaining(), remaining(), remaining()] == [
            timedelta(seconds=3),
            timedelta(milliseconds=500),
            timedelta(0),
        ]


def test_an_invocation_ends_with_its_block_even_when_that_fails() -> None:
    with pytest.raises(RuntimeError, match="boom"), running(lambda: 3000):
        raise RuntimeError("boom")
    assert remaining() is None


def test_the_inner_invocation_counts_while_it_runs() -> None:
    with running(lambda: 3000):
        with running(lambda: 1000):
            assert remaining() == timedelta(seconds=1)
        assert remaining() == timedelta(seconds=3)
