"""Which group goes back without being asked for: what an outage left that is over, and that nobody works on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest

from backstop.automatic import LEFT_ALONE, QUIET, Chosen, busy, candidates, choose, eligible
from backstop.groups import Group
from backstop.letter import Letter, letter
from backstop.occurrence import Severity
from backstop.redrive import Job, State
from backstop.selection import Selection
from backstop.trail import Trail
from tests.backstop import NOW, QUEUES, record, string

A: Final = "a" * 16
B: Final = "b" * 16
EARLIER: Final = NOW - timedelta(hours=1)
A_MOMENT: Final = timedelta(milliseconds=1)


def dead(event_id: str, group: str = A, **known: Any) -> Letter:
    trail = Trail(event_id=event_id, verdict="dead", kind="transient", group=group, last_failed_at=EARLIER)
    attributes = {"backstop": string(replace(trail, **known).serialise())}
    return letter(record(event_id, attributes=attributes), QUEUES, NOW)


def some(count: int, group: str = A, **known: Any) -> list[Letter]:
    return [dead(f"{group[0]}-{number}", group, **known) for number in range(count)]


def group(name: str = A, **known: Any) -> dict[str, Group]:
    return {name: replace(Group(name, EARLIER, EARLIER, EARLIER, 5, Severity.ERROR), **known)}


MOVED_BY_SQS: Final = [letter(record("m"), QUEUES, NOW)]
ROWS: Final[Mapping[str, tuple[Sequence[Letter], Mapping[str, Group], set[str], Chosen | None]]] = {
    "an outage that is over": (some(3), group(), set(), Chosen(A, 3)),
    "no dead letters": ([], group(), set(), None),
    "a permanent failure": (some(3, kind="permanent"), group(), set(), None),
    "a fault of ours": (some(3, kind="system"), group(), set(), None),
    "a failure of no known kind": (some(3, kind="unknown"), group(), set(), None),
    "redriven once": (some(3, redrives=1), group(), set(), Chosen(A, 3)),
    "redriven twice": (some(3, redrives=2), group(), set(), None),
    "some redriven twice": ([*some(3), *some(4, redrives=2)], group(), set(), Chosen(A, 3)),
    "died a quarter of an hour ago": (some(3, last_failed_at=NOW - QUIET), group(), set(), Chosen(A, 3)),
    "died since": (some(3, last_failed_at=NOW - QUIET + A_MOMENT), group(), set(), None),
    "the group failed a quarter of an hour ago": (some(3), group(last_seen=NOW - QUIET), set(), Chosen(A, 3)),
    "the group failed since": (some(3), group(last_seen=NOW - QUIET + A_MOMENT), set(), None),
    "somebody works on it": (some(3), group(acked_at=EARLIER), set(), None),
    "silenced": (some(3), group(silenced_until=NOW + QUIET), set(), Chosen(A, 3)),
    "silenced, and somebody works on it": (
        some(3),
        group(silenced_until=NOW + QUIET, acked_at=EARLIER),
        set(),
        None,
    ),
    "resolved after somebody worked on it": (
        some(3),
        group(acked_at=EARLIER, resolved_at=NOW),
        set(),
        Chosen(A, 3),
    ),
    "resolved": (some(3), group(resolved_at=NOW), set(), Chosen(A, 3)),
    "a group that nobody knows": (some(3), {}, set(), None),
    "being redriven": (some(3), group(), {A}, None),
    "of two groups the greater one": (
        [*some(2), *some(3, B)],
        group() | group(B),
        set(),
        Chosen(B, 3),
    ),
    "of two groups the one that may": ([*some(2), *some(3, B)], group() | group(B, last_seen=NOW), set(), Chosen(A, 2)),
    "of two groups the one that is not being redriven": (
        [*some(2), *some(3, B)],
        group() | group(B),
        {B},
        Chosen(A, 2),
    ),
    "moved by SQS: of no known group": (MOVED_BY_SQS, group(), set(), None),
}


@pytest.mark.parametrize(("letters", "groups", "is_busy", "expected"), ROWS.values(), ids=ROWS.keys())
def test_chooses(
    letters: Sequence[Letter], groups: Mapping[str, Group], is_busy: set[str], expected: Chosen | None
) -> None:
    assert choose(candidates(letters, NOW), groups, is_busy, NOW) == expected


def test_what_may_go_back_is_frozen_when_it_is_chosen() -> None:
    assert eligible(NOW).frozen_at == NOW


@pytest.mark.parametrize(
    ("running", "expected"),
    [
        ([], set()),
        ([Selection(group=B)], {B}),
        ([Selection(kind="transient")], {A, B}),
        ([Selection()], {A, B}),
        ([Selection(kind="permanent")], set()),
        ([Selection(event_ids=("a-0",)), Selection(event_ids=("nobody",))], {A}),
        ([Selection(group="c" * 16)], {"c" * 16}),
    ],
    ids=["nothing", "its group", "its kind", "all", "another kind", "one of its events", "a group without letters"],
)
def test_a_group_is_being_redriven_by(running: list[Selection], expected: set[str]) -> None:
    assert busy([*some(2), *some(1, B)], map(running_job, running), NOW) == expected


@pytest.mark.parametrize(
    ("known", "is_busy"),
    [
        ({}, True),
        ({"turned_at": NOW - LEFT_ALONE}, False),
        ({"turned_at": NOW - LEFT_ALONE + timedelta(seconds=1)}, True),
        ({"begun_at": NOW - LEFT_ALONE}, False),
        ({"begun_at": NOW - LEFT_ALONE, "turned_at": NOW}, True),
        ({"state": State.DONE}, False),
        ({"state": State.STOPPED}, False),
        ({"state": State.CANCELLED}, False),
    ],
    ids=["running", "left alone", "not for long enough", "never taken up", "long", "done", "stopped", "cancelled"],
)
def test_a_group_is_being_redriven_as_long_as_somebody_is_at_it(known: dict[str, Any], is_busy: bool) -> None:
    job = replace(running_job(Selection(group=A)), **known)
    assert busy(some(1), [job], NOW) == ({A} if is_busy else set())


def running_job(selection: Selection) -> Job:
    return Job("r1", selection, ("shop-dead",), 10.0, True, NOW)
