"""The comparison says what it is made to say: poison costs its neighbours something, but not with Backstop."""

from __future__ import annotations

from tests.fakes.simulate import compare


def test_only_backstop_delivers_about_once_and_kills_no_good_event() -> None:
    naive, partial, backstop = compare(events=100, poison=0.04, seed=3)
    assert naive.deliveries_an_event > partial.deliveries_an_event > backstop.deliveries_an_event == 1
    assert naive.good_events_dead > 0 == partial.good_events_dead == backstop.good_events_dead
    assert naive.runs_of_done_events > 0 == partial.runs_of_done_events == backstop.runs_of_done_events
    assert {outcome.poison_dead for outcome in (naive, partial, backstop)} == {4}


def test_workers_that_are_killed_cost_good_events_their_lives_but_not_with_backstop() -> None:
    _, partial, backstop = compare(events=100, poison=0.04, seed=3, poison_kills_workers=True)
    assert partial.good_events_dead > 0 == backstop.good_events_dead
    assert partial.deliveries_an_event > backstop.deliveries_an_event
    assert backstop.poison_dead == 4


def test_the_same_seed_gives_the_same_outcome() -> None:
    assert compare(events=50, poison=0.04, seed=5) == compare(events=50, poison=0.04, seed=5)
