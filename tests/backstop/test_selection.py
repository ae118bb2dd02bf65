"""Which dead letters an operator means."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstop.letter import MOVED_BY_SQS, Letter, letter
from backstop.selection import Selection
from backstop.trail import ATTRIBUTE, Trail
from tests.backstop import NOW, QUEUES, record, string

A, B = "a" * 16, "b" * 16
HOUR = timedelta(hours=1)
DIED = Trail(
    event_id="a",
    last_failed_at=NOW - HOUR,
    source_queue="events",
    verdict="dead",
    dead_because="exhausted",
    kind="transient",
    group=A,
    release="1.4.0",
    redrives=1,
)


def dead(**trail: Any) -> Letter:
    text = replace(DIED, **trail).serialise()
    return letter(record("a", attributes={ATTRIBUTE: string(text)}), QUEUES, NOW)


MOVED = letter(record("m", DeadLetterQueueSourceArn="arn:aws:sqs:x:1:retry"), QUEUES, NOW)


class TestALetterIsMeant:
    @pytest.mark.parametrize(
        ("selection", "is_meant"),
        [
            pytest.param(Selection(), True, id="by nothing in particular"),
            pytest.param(Selection(group=A), True, id="by its group"),
            pytest.param(Selection(group=B), False, id="not by another"),
            pytest.param(Selection(group=A[:4]), False, id="nor by the beginning of it"),
            pytest.param(Selection(kind="transient"), True, id="by its kind"),
            pytest.param(Selection(kind="permanent"), False, id="not by another kind"),
            pytest.param(Selection(reason="exhausted"), True, id="by its reason"),
            pytest.param(Selection(reason="crashed"), False, id="not by another reason"),
            pytest.param(Selection(reason=MOVED_BY_SQS), False, id="nor as moved by SQS"),
            pytest.param(Selection(queue="events"), True, id="by its queue"),
            pytest.param(Selection(queue="retry"), False, id="not by another queue"),
            pytest.param(Selection(event_ids=("x", "a")), True, id="by its event"),
            pytest.param(Selection(event_ids=("x",)), False, id="not by another event"),
            pytest.param(Selection(died_before=NOW - HOUR), True, id="dead by then"),
            pytest.param(Selection(died_before=NOW - HOUR - timedelta(milliseconds=1)), False, id="dead later"),
            pytest.param(Selection(frozen_at=NOW - HOUR), True, id="dead when it was chosen"),
            pytest.param(Selection(frozen_at=NOW - 2 * HOUR), False, id="dead after it was chosen"),
            pytest.param(Selection(died_before=NOW, frozen_at=NOW - 2 * HOUR), False, id="both times hold"),
            pytest.param(Selection(max_redrives=1), True, id="redriven often enough"),
            pytest.param(Selection(max_redrives=0), False, id="redriven too often"),
            pytest.param(Selection(before_release="1.4.1"), True, id="before a release"),
            pytest.param(Selection(before_release="1.4.0"), False, id="not before its own"),
            pytest.param(Selection(group=A, kind="transient", queue="events"), True, id="where all holds"),
            pytest.param(Selection(group=A, kind="permanent"), False, id="not where half of it does"),
        ],
    )
    def test_(self, selection: Selection, is_meant: bool) -> None:
        assert selection.has(dead()) is is_meant

    @pytest.mark.parametrize(
        ("selection", "is_meant"),
        [
            pytest.param(Selection(), True, id="by nothing in particular"),
            pytest.param(Selection(reason=MOVED_BY_SQS), True, id="as moved by SQS"),
            pytest.param(Selection(reason="exhausted"), False, id="by no other reason"),
            pytest.param(Selection(queue="retry"), True, id="by the queue that SQS names"),
            pytest.param(Selection(group=A), False, id="by no group"),
            pytest.param(Selection(kind="unknown"), False, id="by no kind"),
            pytest.param(Selection(event_ids=("m",)), True, id="by the id in its body"),
            pytest.param(Selection(max_redrives=0), True, id="never redriven"),
            pytest.param(Selection(before_release="0"), True, id="as it died on no known release"),
            pytest.param(Selection(frozen_at=NOW), True, id="sent before it was chosen"),
            pytest.param(Selection(frozen_at=NOW - HOUR), False, id="sent after it was chosen"),
        ],
    )
    def test_that_sqs_moved(self, selection: Selection, is_meant: bool) -> None:
        assert selection.has(MOVED) is is_meant

    @pytest.mark.parametrize(
        ("release", "other"),
        [
            ("1.9", "1.10"),
            ("1.4.0", "1.4.1"),
            ("1.4", "1.4.0"),
            ("v1.9.9", "v2"),
            ("2026-01-05", "2026-01-10"),
            ("", "1"),
            ("", "anything"),
            ("build-9", "build-10"),
            ("0009", "10"),
        ],
    )
    def test_that_died_on_a_release_before_another(self, release: str, other: str) -> None:
        assert Selection(before_release=other).has(dead(release=release))
        assert not release or not Selection(before_release=release).has(dead(release=other))

    @given(*[st.from_regex(r"[\w.-]{1,64}", fullmatch=True)] * 2)
    def test_by_releases_that_are_anything(self, release: str, other: str) -> None:
        """Of two releases at most one comes before the other."""
        before = [
            Selection(before_release=one).has(dead(release=another))
            for one, another in ((release, other), (other, release))
        ]
        assert before != [True, True]


class TestOfAll:
    @pytest.mark.parametrize("selection", [Selection(), Selection(frozen_at=NOW)])
    def test_that_chooses_nothing_but_a_time(self, selection: Selection) -> None:
        assert selection.is_of_all

    @pytest.mark.parametrize(
        "chosen",
        [
            {"group": A},
            {"kind": "system"},
            {"reason": "crashed"},
            {"queue": "events"},
            {"before_release": "1"},
            {"died_before": NOW},
            {"event_ids": ("a",)},
            {"max_redrives": 0},
        ],
        ids=str,
    )
    def test_is_none_that_chooses(self, chosen: dict[str, Any]) -> None:
        assert not Selection(frozen_at=NOW, **chosen).is_of_all


moments = st.none() | st.datetimes(timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)
selections = st.builds(
    Selection,
    group=st.text(),
    kind=st.text(),
    reason=st.text(),
    queue=st.text(),
    before_release=st.text(),
    died_before=moments,
    event_ids=st.lists(st.text()).map(tuple),
    frozen_at=moments,
    max_redrives=st.none() | st.integers(0, 10),
)


class TestWrittenDown:
    @given(selections)
    def test_and_read_it_is_the_same(self, selection: Selection) -> None:
        assert Selection.parse(selection.serialise()) == selection

    def test_it_holds_what_is_chosen_and_no_more(self) -> None:
        frozen = datetime(2026, 1, 5, 9, tzinfo=UTC)
        assert json.loads(Selection(group=A, max_redrives=0, frozen_at=frozen).serialise()) == {
            "group": A,
            "max_redrives": 0,
            "frozen_at": "2026-01-05T09:00:00.000+00:00",
        }

    def test_a_moment_between_two_milliseconds_never_sweeps_up_what_died_later(self) -> None:
        frozen = datetime(2026, 1, 5, 9, 0, 0, 999_999, tzinfo=UTC)
        read = Selection.parse(Selection(frozen_at=frozen).serialise())
        assert read.frozen_at is not None
        assert read.frozen_at <= frozen

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("", id="nothing"),
            pytest.param("not JSON", id="no JSON"),
            pytest.param("[]", id="a list"),
            pytest.param("null", id="null"),
            pytest.param("7", id="a number"),
            pytest.param('{"groups": "a"}', id="a criterion that is none"),
            pytest.param('{"frozen_at": "soon"}', id="a time that is none"),
            pytest.param('{"frozen_at": 7}', id="a number for a time"),
            pytest.param('{"frozen_at": "2026-01-05T09:00:00"}', id="a time in no zone"),
            pytest.param('{"event_ids": 7}', id="a number for events"),
            pytest.param('{"event_ids": "abc"}', id="a text for events"),
            pytest.param('{"event_ids": [7]}', id="a number for an event"),
            pytest.param('{"group": 7}', id="a number for a group"),
            pytest.param('{"group": ""}', id="an empty word"),
            pytest.param('{"max_redrives": "2"}', id="a text for a number"),
            pytest.param('{"max_redrives": true}', id="a claim for a number"),
        ],
    )
    def test_what_was_not_written_so_is_refused(self, text: str) -> None:
        """Read otherwise it would mean other letters than were chosen."""
        with pytest.raises((ValueError, TypeError)):
            Selection.parse(text)
