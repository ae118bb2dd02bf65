"""What recovery remembers is read as it was written; what is damaged costs no more than itself."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstop.recovery.memory import parse, paused, resumed, serialise
from backstop.recovery.mode import Mode
from backstop.recovery.plan import plan
from backstop.recovery.state import (
    Cause,
    CauseKind,
    CauseMemory,
    IntakeMemory,
    MappingState,
    Memory,
    Pause,
    SourceMapping,
    SwitchMemory,
    Tell,
)
from tests.backstop import NOW
from tests.backstop.recovery.recovery_words import DISABLED, RESUME_EVENTS, events_are, open_for
from tests.backstop.recovery.recovery_world import A_MINUTE, a_world

FULL = Memory(
    version=7,
    intakes={
        "events": IntakeMemory(Pause(Cause(CauseKind.CIRCUIT, "payments"), NOW, NOW + A_MINUTE), paused_at=(NOW,)),
        "ordered": IntakeMemory(concurrency=4, stepped_at=NOW, trial_until=NOW + A_MINUTE, is_resuming=True),
        "held": IntakeMemory(Pause(Cause(CauseKind.RELEASE, "process"), NOW, None)),
    },
    switches={"payments": SwitchMemory(to_backup=True, since=NOW, failures=2)},
    causes={"circuit payments": CauseMemory(NOW, ("pause events",), told_at=NOW, seen_at=NOW, is_over=True)},
    restarts={"process": NOW},
    untold=(Tell("circuit payments", "title", "text", is_over=True),),
)


def damaged(*path: str | int, value: Any) -> str:
    """Return the document with something else in one place."""
    document = json.loads(serialise(FULL))
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return json.dumps(document)


def test_what_is_written_is_read() -> None:
    assert parse(serialise(FULL)) == FULL


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7", '{"version": 2}', "[" * 100_000])
def test_what_is_no_document_is_an_empty_memory(text: str) -> None:
    assert parse(text) == Memory()


def without(part: str, name: str) -> Memory:
    left: Any = {part: {key: one for key, one in getattr(FULL, part).items() if key != name}}
    return replace(FULL, **left)


DAMAGED: dict[str, tuple[str, Memory]] = {
    "an intake that is none": (damaged("intakes", "events", value=7), without("intakes", "events")),
    "intakes that are none": (damaged("intakes", value=[]), replace(FULL, intakes={})),
    "a circuit's pause without an end would never end": (
        damaged("intakes", "events", "pause", "until", value=None),
        replace(FULL, intakes=dict(FULL.intakes) | {"events": IntakeMemory(paused_at=(NOW,))}),
    ),
    "a pause for what is no cause": (
        damaged("intakes", "events", "pause", "cause", value=["moon", "full"]),
        replace(FULL, intakes=dict(FULL.intakes) | {"events": IntakeMemory(paused_at=(NOW,))}),
    ),
    "a concurrency that no mapping takes": (
        damaged("intakes", "ordered", "concurrency", value=1),
        replace(FULL, intakes=dict(FULL.intakes) | {"ordered": replace(FULL.intakes["ordered"], concurrency=None)}),
    ),
    "a time that is none": (
        damaged("intakes", "ordered", "stepped_at", value="yesterday"),
        replace(FULL, intakes=dict(FULL.intakes) | {"ordered": replace(FULL.intakes["ordered"], stepped_at=None)}),
    ),
    "a switch that is neither": (damaged("switches", "payments", "to_backup", value="yes"), replace(FULL, switches={})),
    "a cause that is none": (damaged("causes", "moon full", value={"since": NOW.isoformat()}), FULL),
    "a cause without a beginning": (damaged("causes", "circuit payments", "since", value=0), replace(FULL, causes={})),
    "a restart at no time": (damaged("restarts", "process", value=True), replace(FULL, restarts={})),
    "nothing to tell": (damaged("untold", value=["hello"]), replace(FULL, untold=())),
    "a number that is none": (damaged("number", value=True), replace(FULL, version=0)),
}


@pytest.mark.parametrize(("text", "expected"), DAMAGED.values(), ids=DAMAGED)
def test_what_is_not_as_it_was_written_is_left_out_and_the_rest_is_kept(text: str, expected: Memory) -> None:
    assert parse(text) == expected


places = st.sampled_from(
    [
        ("number",),
        ("intakes",),
        ("intakes", "events"),
        ("intakes", "events", "pause"),
        ("intakes", "events", "pause", "cause"),
        ("intakes", "ordered", "stepped_at"),
        ("intakes", "ordered", "paused_at"),
        ("switches", "payments"),
        ("causes", "circuit payments", "tried"),
        ("causes", "circuit payments", "since"),
        ("restarts",),
        ("untold",),
    ]
)
anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("2026-01-01T00:00:00"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


@given(places, anything)
def test_whatever_stands_in_it_recovery_goes_on(path: tuple[str, ...], value: object) -> None:
    memory = parse(damaged(*path, value=value))
    done = plan(a_world(), memory)
    assert parse(serialise(done.memory)) == done.memory


def test_a_person_pauses_whatever_it_was_paused_for_before_and_no_circuit_ends_it() -> None:
    memory = paused(parse(serialise(FULL)), "events", "ana", NOW + 30 * A_MINUTE, NOW)
    pause = memory.intakes["events"].pause
    assert pause == Pause(Cause(CauseKind.PERSON, "ana"), NOW, NOW + 30 * A_MINUTE)
    done = plan(a_world(29, mappings=events_are(DISABLED)), memory)
    assert done.memory.intakes["events"].pause == pause


def test_a_person_resumes_while_a_circuit_is_open_and_it_is_not_paused_again_at_once() -> None:
    memory = resumed(plan(open_for(1, "process"), Memory()).memory, "events", NOW)
    done = plan(open_for(1, "process", mappings=events_are(DISABLED)), memory)
    assert (done.actions, done.entries) == ((RESUME_EVENTS,), ())
    is_running = events_are(SourceMapping(MappingState.ENABLED, 2))
    assert plan(open_for(5, "process", now=4, mappings=is_running), done.memory).actions == ()
    later = plan(open_for(6, "process", now=5, mappings=is_running), done.memory)
    assert later.memory.intakes["events"].pause is not None


@pytest.mark.parametrize("mode", Mode)
def test_a_person_resumes_what_was_disabled_elsewhere_whatever_recovery_may_do(mode: Mode) -> None:
    world = a_world(mode=mode, mappings=events_are(DISABLED))
    [action] = plan(world, resumed(Memory(), "events", NOW)).actions
    assert (action.intake, action.is_enabled) == ("events", True)  # type: ignore[union-attr]


def test_a_person_resumes_what_runs_and_nothing_changes() -> None:
    assert plan(a_world(), resumed(Memory(), "events", NOW)).actions == ()
    later = plan(a_world(60), resumed(Memory(), "events", NOW))
    assert (later.actions, later.memory.intakes) == ((), {})
