from __future__ import annotations

from itertools import count, pairwise
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstop.batches import pack


def of_sizes(*sizes: int) -> list[SimpleNamespace]:
    return [SimpleNamespace(size=size) for size in sizes]


@pytest.mark.parametrize(
    ("sizes", "batches"),
    [
        pytest.param([], [], id="none"),
        pytest.param([1], [1], id="one"),
        pytest.param([1] * 25, [10, 10, 5], id="ten at most"),
        pytest.param([1] * 10, [10], id="ten exactly"),
        pytest.param([1000] * 3, [1, 1, 1], id="each as large as a batch"),
        pytest.param([999, 1, 1], [2, 1], id="1,000 bytes exactly"),
        pytest.param([500, 501, 1], [1, 2], id="one byte over"),
        pytest.param([1, 1000, 1], [1, 1, 1], id="a big one between small ones"),
        pytest.param([1, 1001, 1], [1, 1, 1], id="one over the limit goes alone"),
        pytest.param([1001], [1], id="one over the limit and no other"),
        pytest.param([0] * 11, [10, 1], id="of no size"),
    ],
)
def test_a_batch_is_at_most_ten_things_and_1000_bytes(sizes: list[int], batches: list[int]) -> None:
    assert [len(batch) for batch in pack(of_sizes(*sizes), 10, 1000)] == batches


@given(st.lists(st.integers(0, 100), max_size=40), st.integers(1, 8), st.integers(1, 100))
def test_all_are_packed_in_their_order_and_no_batch_could_have_taken_the_next_one(
    sizes: list[int], max_entries: int, max_bytes: int
) -> None:
    things = of_sizes(*sizes)
    batches = list(pack(things, max_entries, max_bytes))
    assert [thing for batch in batches for thing in batch] == things
    assert all(0 < len(batch) <= max_entries for batch in batches)
    assert all(size_of(batch) <= max_bytes for batch in batches if len(batch) > 1)
    for batch, following in pairwise(batches):
        assert len(batch) == max_entries or size_of(batch) + following[0].size > max_bytes


def test_things_are_taken_only_as_batches_are_asked_for() -> None:
    numbers = count()
    batches = pack((SimpleNamespace(size=number) for number in numbers), 3, 1000)
    assert [thing.size for thing in next(batches)] == [0, 1, 2]
    assert next(numbers) == 4  # the fourth thing showed that the batch was full


def size_of(batch: list[SimpleNamespace]) -> int:
    return sum(thing.size for thing in batch)
