from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from backstop.drill import Fault, Mark
from backstop.parking import State
from ops.drill.ordered.account import Account, Applied, Delays, Found, Order, Waiting, balance
from ops.drill.ordered.plan import Plan, Planned


def events_of(key: str, first: int, *faults: Fault | None) -> tuple[Planned, ...]:
    return tuple(
        Planned(key, f"{key}{place}", "{}", Mark("d", first + place, fault)) for place, fault in enumerate(faults)
    )


CALM = events_of("calm", 0, None, None, None)
SHAKY = events_of("shaky", 10, None, Fault.TRANSIENT, Fault.EXIT_ONCE)
HELD = events_of("held", 20, None, Fault.PERMANENT, None, None)
KILLER = events_of("killer", 30, Fault.EXIT, None)
PLAN = Plan("d", {"calm": CALM, "shaky": SHAKY, "held": HELD, "killer": KILLER}, frozenset({"calm"}))


def order(*events: Planned, violations: int = 0, delay: float = 1.0) -> Order:
    return Order([Applied(event.token, delay) for event in events], violations)


def waiting(events: Sequence[Planned], dead_because: str = "") -> list[Waiting]:
    head, *others = events
    return [Waiting(head.event_id, dead_because), *(Waiting(event.event_id) for event in others)]


ORDERS = {"calm": order(*CALM), "shaky": order(*SHAKY, delay=3), "held": order(HELD[0], delay=2), "killer": Order()}
PARKED = {"held": waiting(HELD[1:], "permanent"), "killer": waiting(KILLER, "crashed")}
STATES = {"held": State.HELD, "killer": State.HELD}
BALANCED = Found(
    sent=frozenset(event.number for event in PLAN.events), orders=ORDERS, parked=PARKED, states=STATES, queued=0,
    seconds=12.34,
)  # fmt: skip
MUST_BE_NOTHING = ("lost", "effects_twice", "order_violations", "good_events_dead", "keys_not_as_planned", "queued")


def with_orders(**orders: Order) -> dict[str, Any]:
    return {"orders": ORDERS | orders}


def with_parked(**parked: list[Waiting]) -> dict[str, Any]:
    return {"parked": PARKED | parked}


def test_a_drill_balances_where_each_key_is_done_or_held_at_its_dead_head() -> None:
    account = balance(PLAN, BALANCED)

    assert account == Account(
        sent=12, done=7, dead={"crashed": 1, "permanent": 1}, parked=3, queued=0, lost=0, effects_twice=0,
        order_violations=0, good_events_dead=0, keys_not_as_planned=0, unrelated_delay_seconds=Delays(1.0, 1.0),
        other_delay_seconds=Delays(3.0, 3.0), seconds=12.3, keys_left=0,
    )  # fmt: skip
    assert account.is_balanced


WRONGS: dict[str, tuple[dict[str, Any], dict[str, int]]] = {
    "the last of a key is nowhere": (
        with_orders(calm=order(*CALM[:2])),
        {"lost": 1, "keys_not_as_planned": 1},
    ),
    "one is nowhere and the next was applied": (
        with_orders(calm=order(CALM[0], CALM[2])),
        {"lost": 1, "order_violations": 1, "keys_not_as_planned": 1},
    ),
    "an order is nowhere": (
        {"orders": {key: found for key, found in ORDERS.items() if key != "shaky"}},
        {"lost": 3, "keys_not_as_planned": 1},
    ),
    "a follower is not parked": (
        with_parked(held=waiting(HELD[1:3], "permanent")),
        {"lost": 1, "keys_not_as_planned": 1},
    ),
    "a dead head is gone, its followers wait": (
        with_parked(killer=waiting(KILLER[1:])),
        {"lost": 1, "keys_not_as_planned": 1},
    ),
    "one is still queued": (
        {**with_orders(calm=order(*CALM[:2])), "queued": 1},
        {"queued": 1, "keys_not_as_planned": 1},
    ),
    "another one's message is queued": ({"queued": 1}, {"queued": 1}),
    "one was applied twice, at once": (with_orders(calm=order(CALM[0], *CALM)), {"effects_twice": 1}),
    "one was applied again, later": (with_orders(calm=order(*CALM, CALM[0])), {"effects_twice": 1}),
    "one was applied three times": (with_orders(calm=order(CALM[0], CALM[0], *CALM)), {"effects_twice": 2}),
    "two were swapped": (with_orders(calm=order(CALM[1], CALM[0], CALM[2])), {"order_violations": 1}),
    "the table counts violations": (with_orders(calm=order(*CALM, violations=2)), {"order_violations": 2}),
    "violations of a key that has no history": (
        with_orders(killer=order(violations=1)),
        {"order_violations": 1},
    ),
    "an event of another key is in a history": (
        with_orders(killer=order(CALM[0])),
        {"order_violations": 1},
    ),
    "a follower overtook its dead head": (
        {
            **with_orders(held=order(HELD[0], HELD[2])),
            **with_parked(held=[*waiting([HELD[1], HELD[3]], "permanent")]),
        },
        {"order_violations": 1, "keys_not_as_planned": 1},
    ),
    "a good event is dead": (
        {
            **with_orders(calm=order(CALM[0])),
            **with_parked(calm=waiting(CALM[1:], "exhausted")),
            "states": STATES | {"calm": State.HELD},
        },
        {"good_events_dead": 1, "keys_not_as_planned": 1},
    ),
    "one that fails once is dead": (
        {
            **with_orders(shaky=order(*SHAKY[:2])),
            **with_parked(shaky=waiting(SHAKY[2:], "crashed")),
            "states": STATES | {"shaky": State.HELD},
        },
        {"good_events_dead": 1, "keys_not_as_planned": 1},
    ),
    "a follower is dead, too": (
        with_parked(held=[Waiting(HELD[1].event_id, "permanent"), Waiting(HELD[2].event_id, "crashed"),
                          Waiting(HELD[3].event_id)]),
        {"good_events_dead": 1, "keys_not_as_planned": 1},
    ),
    "a dead head was applied": (
        with_orders(held=order(*HELD[:2])),
        {"good_events_dead": 1},
    ),
    "a dead head is applied and not dead": (
        {
            "orders": ORDERS | {"killer": order(*KILLER)},
            "parked": {"held": PARKED["held"]},
            "states": {"held": State.HELD},
        },
        {"keys_not_as_planned": 1},
    ),
    "a head is parked and not dead yet": (
        with_parked(killer=waiting(KILLER)),
        {"keys_not_as_planned": 1},
    ),
    "a key with a dead head waits for its time": (
        {"states": STATES | {"held": State.WAITING}},
        {"keys_not_as_planned": 1},
    ),
    "a key with a dead head has lost its lock": (
        {"states": {"killer": State.HELD}},
        {"keys_not_as_planned": 1},
    ),
    "a key that is done is held": (
        {"states": STATES | {"calm": State.HELD}},
        {"keys_not_as_planned": 1},
    ),
    "a key that is done has something parked": (
        with_parked(calm=[Waiting("another")]),
        {"keys_not_as_planned": 1},
    ),
    "an event is applied and yet parked": (
        with_parked(calm=waiting(CALM[2:])),
        {"keys_not_as_planned": 1},
    ),
    "followers are parked in another order": (
        with_parked(held=[*waiting(HELD[1:2], "permanent"), *waiting(HELD[3:]), *waiting(HELD[2:3])]),
        {"keys_not_as_planned": 1},
    ),
    "an event is parked twice": (
        with_parked(held=[*waiting(HELD[1:], "permanent"), *waiting(HELD[3:])]),
        {"keys_not_as_planned": 1},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("changed", "wrong"), WRONGS.values(), ids=WRONGS)
def test_it_does_not_balance_where(changed: dict[str, Any], wrong: dict[str, int]) -> None:
    account = balance(PLAN, replace(BALANCED, **changed))

    assert {name: getattr(account, name) for name in MUST_BE_NOTHING if getattr(account, name)} == wrong
    assert not account.is_balanced


@pytest.mark.parametrize("changed", [changed for changed, _ in WRONGS.values()], ids=WRONGS)
def test_an_event_is_counted_in_one_place(changed: dict[str, Any]) -> None:
    account = balance(PLAN, replace(BALANCED, **changed))

    placed = account.done + sum(account.dead.values()) + account.parked + account.lost
    assert account.sent - account.queued <= placed <= account.sent


def test_what_was_not_sent_is_not_missed() -> None:
    sent = frozenset(event.number for event in (*CALM[:2], *SHAKY, HELD[0]))
    found = replace(
        BALANCED, sent=sent, orders=ORDERS | {"calm": order(*CALM[:2])}, parked={}, states={}
    )  # fmt: skip

    account = balance(PLAN, found)

    assert (account.sent, account.done, account.lost, account.is_balanced) == (6, 6, 0, True)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        pytest.param([], Delays(None, None), id="none"),
        pytest.param([2.0], Delays(2.0, 2.0), id="one"),
        pytest.param([4.0, 1.0, 3.0, 2.0], Delays(2.0, 4.0), id="four, unsorted"),
        pytest.param([float(number) for number in range(1, 101)], Delays(50.0, 99.0), id="a hundred"),
        pytest.param([*[1.0] * 99, 1000.0], Delays(1.0, 1.0), id="one in a hundred is late"),
        pytest.param([*[1.0] * 98, 1000.0, 1000.0], Delays(1.0, 1000.0), id="two in a hundred are late"),
        pytest.param([0.12345], Delays(0.123, 0.123), id="to milliseconds"),
    ],
)
def test_delays_are_by_nearest_rank(seconds: list[float], expected: Delays) -> None:
    assert Delays.of(seconds) == expected


def test_delays_of_unrelated_keys_are_told_apart_from_the_others() -> None:
    account = balance(PLAN, replace(BALANCED, orders=ORDERS | {"calm": order(*CALM, delay=50)}))

    assert account.unrelated_delay_seconds == Delays(50, 50)
    assert account.other_delay_seconds == Delays(3, 3)


def test_json_has_these_names_in_this_order() -> None:
    account = json.loads(json.dumps(balance(PLAN, BALANCED).as_json()))

    assert list(account) == [
        "sent", "done", "dead", "parked", "queued", "lost", "effects_twice", "order_violations", "good_events_dead",
        "keys_not_as_planned", "unrelated_delay_seconds", "other_delay_seconds", "seconds", "keys_left",
    ]  # fmt: skip
    assert account["unrelated_delay_seconds"] == {"p50": 1.0, "p99": 1.0}
