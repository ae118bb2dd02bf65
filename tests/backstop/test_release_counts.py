"""How a release's messages fare: which failures are most of them, and when that is its own fault."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest

from backstop.release_counts import MOST_GROUPS, SLOT, SLOTS, YOUNG, Alike, Counts, ReleaseStanding, slot_of
from tests.backstop import NOW

SLOT_NOW = slot_of(NOW)
A, B = "a" * 16, "b" * 16


def counts(ran: int, *, ago: int = 0, **failed: int) -> Counts:
    """Return counts of one slot; failures by their group's letter."""
    slot = SLOT_NOW - ago
    return Counts({slot: ran}, {(slot, letter * 16): count for letter, count in failed.items()})


TABLE: Mapping[str, tuple[Counts, Alike | None]] = {
    "11 of 20": (counts(20, a=11), Alike(A, 11, 20)),
    "all of 500": (counts(500, a=500), Alike(A, 500, 500)),
    "10 of 20: not more than half": (counts(20, a=10), None),
    "19 of 19: too few to tell": (counts(19, a=19), None),
    "two groups at 40 %": (counts(100, a=40, b=40), None),
    "one group of two": (counts(100, a=30, b=60), Alike(B, 60, 100)),
    "nothing fails": (counts(1000), None),
    "over three minutes": (counts(10, a=10, ago=SLOTS - 1).plus(counts(10, a=10)), Alike(A, 20, 20)),
    "more than three minutes ago": (counts(100, a=100, ago=SLOTS).plus(counts(19, a=19)), None),
    "good ones of more than three minutes ago": (counts(1000, ago=SLOTS).plus(counts(20, a=11)), Alike(A, 11, 20)),
}


@pytest.mark.parametrize(("counted", "found"), TABLE.values(), ids=TABLE)
def test_more_than_half_of_twenty_messages_that_fail_alike_are_the_releases_fault(
    counted: Counts, found: Alike | None
) -> None:
    assert ReleaseStanding(NOW, counted).alike(NOW) == found


@pytest.mark.parametrize(
    "standing",
    [
        pytest.param(ReleaseStanding(NOW - YOUNG, counts(20, a=20)), id="the release is old"),
        pytest.param(ReleaseStanding(NOW, counts(20, a=20), held_group=B), id="it is held for others already"),
        pytest.param(ReleaseStanding(NOW, counts(20, a=20), is_let_go=True), id="a person let it go on"),
    ],
)
def test_what_is_decided_stays_so(standing: ReleaseStanding) -> None:
    assert standing.alike(NOW) is None


def test_a_release_is_new_for_fifteen_minutes() -> None:
    standing = ReleaseStanding(NOW)
    assert standing.is_young(NOW + YOUNG - SLOT)
    assert not standing.is_young(NOW + YOUNG)


def test_recent_counts_are_those_of_six_slots() -> None:
    old, new = counts(5, a=1, ago=SLOTS), counts(7, b=2, ago=SLOTS - 1)
    assert old.plus(new).recent(NOW) == new


def test_slots_follow_each_other_every_thirty_seconds() -> None:
    assert slot_of(NOW + timedelta(seconds=30)) == SLOT_NOW + 1
    assert slot_of(NOW + timedelta(seconds=29.9)) == SLOT_NOW


class TestWhatIsShared:
    def test_are_all_runs_and_the_three_most_frequent_groups(self) -> None:
        shared = counts(100, a=5, b=1, c=9, d=3, e=2).worth_sharing(Counts())
        assert shared == counts(100, a=5, c=9, d=3)

    def test_is_no_group_more_once_an_item_has_many(self) -> None:
        """Each failure of its own kind: the item would grow, and none of them could ever be most of the messages."""
        known = Counts(failed={(SLOT_NOW, f"{number:016x}"): 1 for number in range(MOST_GROUPS)})
        mine = Counts({SLOT_NOW: 3}, {(SLOT_NOW, A): 2, (SLOT_NOW, f"{0:016x}"): 1})
        assert mine.worth_sharing(known) == Counts({SLOT_NOW: 3}, {(SLOT_NOW, f"{0:016x}"): 1})
