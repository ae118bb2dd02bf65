"""Circuits and the kill switch in the ordered lane: keys wait in order, and no head dies of what is not its fault."""

from __future__ import annotations

from datetime import timedelta

from backstop import Message, TransientError, circuit
from backstop.aws.release_counts import ReleaseCounts
from tests.fakes.handler import Event
from tests.ordered_lane import OrderedLane


def test_a_key_waits_for_its_circuit_and_goes_on_in_order(ordered: OrderedLane) -> None:
    is_down = True
    calls = 0

    def charge(event: Event, message: Message) -> None:
        nonlocal calls
        with circuit("ordered-bank"):
            calls += 1
            if is_down:
                raise TransientError("503")

    ids = [f"{key}{number}" for key in "abcdefgh" for number in (1, 2)]
    for event_id in ids:
        ordered.handler.will(event_id, charge)
    ordered.send(*"abcdefgh", *"abcdefgh")
    for _ in range(2):
        ordered.deliver()
    assert calls == 5
    refused = [line for line in ordered.reports() if line.get("error_type") == "CircuitOpen" and "verdict" in line]
    assert {(line["verdict"], line["attempt"]) for line in refused} == {("Park", 0)}
    is_down = False
    ordered.run_with_sweeps()
    assert ordered.handler.finished == dict.fromkeys(ids, 1)
    assert all(ordered.runs(key)[-1] == f"{key}2" for key in "abcdefgh")
    assert ordered.dead_letters.messages == []
    assert ordered.items() == []


def test_a_bad_release_holds_some_twenty_keys_for_a_person_and_the_others_wait(ordered: OrderedLane) -> None:
    keys = [f"k{letter}{other}" for letter in "abcdefg" for other in "abcdefgh"]
    for key in keys:
        ordered.handler.will(f"{key}1", KeyError("a bug"), None)
    ordered.send(*keys)
    while ordered.intake.poll():
        pass
    locks = [ordered.lock(key) for key in keys]
    held = [key for key, lock in zip(keys, locks, strict=True) if lock is not None and lock["state"] == "held"]
    assert 0 < len(held) <= 25
    assert len([lock for lock in locks if lock is not None]) == len(keys)
    [hold] = ReleaseCounts(ordered.tables, "circuits").holds()
    assert (hold.function, hold.release) == ("shop-process-ordered", "r1")
    ordered.clock.advance(timedelta(minutes=1))
    ordered.run_with_sweeps()  # by the next release, say
    assert set(ordered.handler.finished) == {f"{key}1" for key in keys if key not in held}
    assert ordered.dead_letters.messages == []
