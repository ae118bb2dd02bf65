from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from backstop.process import RESERVE_MILLIS
from backstop.sequence import Pace, wake_up, wanted


def paced(*left: int) -> Iterator[bool]:
    """Yield whether another event is allowed, as so many milliseconds are left: at the start, then before each."""
    times = iter(left)
    pace = Pace(lambda: next(times))
    for _ in left[1:]:
        yield pace.allows_another()


class TestPace:
    @pytest.mark.parametrize(
        ("left", "allowed"),
        [
            pytest.param([30_000, 30_000], [True], id="all is left"),
            pytest.param([RESERVE_MILLIS, RESERVE_MILLIS], [True], id="just enough for what takes no time"),
            pytest.param([RESERVE_MILLIS - 1, RESERVE_MILLIS - 1], [False], id="less than what acting takes"),
            pytest.param([30_000, 30_000, 20_000, 11_000], [True, True, True], id="the longest fits once more"),
            pytest.param([30_000, 30_000, 20_000, 10_999], [True, True, False], id="the longest fits no more"),
            pytest.param([30_000, 30_000, 18_000, 17_999, 12_999], [True, True, True, False], id="the longest counts"),
            pytest.param([30_000, 20_000], [True], id="what came before the first counts as one"),
            pytest.param([30_000, 15_000], [False], id="what came before the first took half of it all"),
        ],
    )
    def test_allows_another_where_the_longest_so_far_would_fit(self, left: list[int], allowed: list[bool]) -> None:
        assert list(paced(*left)) == allowed


class TestWakeUps:
    @pytest.mark.parametrize("key", ["a", "", "sweep", '"', "ключ", "\ud800"], ids=ascii)
    def test_name_their_key(self, key: str) -> None:
        assert wanted(wake_up(key)) == key

    def test_are_text_that_any_queue_takes(self) -> None:
        assert wake_up("ключ\ud800").isascii()

    def test_that_ask_for_a_sweep_name_none(self) -> None:
        assert wanted('{"sweep": true}') is None

    @pytest.mark.parametrize("body", ["", "{", "7", "null", "[]", "{}", '{"key": null}', '{"sweep": 1}'])
    def test_that_are_none_are_refused(self, body: str) -> None:
        with pytest.raises(ValueError, match=r"."):
            wanted(body)


def test_a_key_can_be_read_by_a_person() -> None:
    assert json.loads(wake_up("tenant-7")) == {"key": "tenant-7"}
