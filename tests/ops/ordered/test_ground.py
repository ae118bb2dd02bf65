from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backstop.drill import Mark, mark_of
from backstop.parking import Lock, Parked, State
from backstop.trail import Trail
from ops.drill.ordered.account import Applied, Order, Waiting
from ops.drill.ordered.ground import Ground
from ops.drill.ordered.plan import Planned
from ops.failure import CallFailed
from ops.stack import Stack
from tests.fakes.faults import Fault
from tests.ops.ordered.world import World

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
DEAD = Trail(verdict="dead", dead_because="crashed")


@pytest.fixture
def ground(stack: Stack, world: World) -> Ground:
    return Ground(stack, 10)


def event(key: str, number: int = 1) -> Planned:
    return Planned(key, f"{key}-{number}", f'{{"n": {number}}}', Mark("d", number))


def parked(sequence: int, event_id: str, trail: Trail | None = None) -> Parked:
    record = {
        "messageId": event_id, "body": "{}", "eventSourceARN": "a:shop-ordered.fifo", "attributes": {},
        "messageAttributes": {},
    }  # fmt: skip
    event = Parked(str(sequence), event_id, record)
    return event if trail is None else event.after(trail)


def park(world: World, key: str, state: State, *followers: str, trail: Trail | None = DEAD) -> None:
    """Let a key wait with a head, and with followers behind it."""
    world.parked.park_head(Lock(key, state, 7, f"{key}-1", 1, NOW, NOW), parked(1, f"{key}-1", trail))
    for place, follower in enumerate(followers, 2):
        world.parked.park_behind(key, parked(place, follower))


def change(token: str, seconds: float) -> dict[str, Any]:
    texts = {
        "token": token,
        "sent_at": NOW.isoformat(timespec="milliseconds"),
        "applied_at": (NOW + timedelta(seconds=seconds)).isoformat(timespec="milliseconds"),
    }
    return {"M": {name: {"S": text} for name, text in texts.items()}}


def test_a_stack_that_allows_no_drills_is_left_alone(stack: Stack, world: World) -> None:
    stack._outputs["DrillsAllowed"] = "false"

    with pytest.raises(CallFailed, match="'shop' allows no drills: deploy it with AllowDrill=true"):
        Ground(stack, 10)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        pytest.param({"ON_DEAD_HEAD": "skip"}, "deploy it with OnDeadHead=hold", id="it skips dead heads"),
        pytest.param({"ON_DEAD_HEAD": ""}, "deploy it with OnDeadHead=hold", id="it does not say"),
        pytest.param({"MAX_PARKED_EVENTS": "9"}, "stack 'shop' parks 9", id="it parks too few"),
    ],
)
def test_a_stack_is_refused_that_could_not_hold_what_the_drill_parks(
    variables: dict[str, str], said: str, stack: Stack, world: World
) -> None:
    world.variables.update(variables)

    with pytest.raises(CallFailed, match=said):
        Ground(stack, 10)


def test_as_many_events_as_the_stack_parks_are_allowed(stack: Stack, world: World) -> None:
    world.variables["MAX_PARKED_EVENTS"] = "10"

    Ground(stack, 10)


def test_it_stores_more_orders_than_one_call_takes_without_any_change(ground: Ground, world: World) -> None:
    keys = [f"k{number}" for number in range(130)]

    ground.store_orders(keys)

    assert ground.orders(keys) == dict.fromkeys(keys, Order([]))
    assert ground.count_applied(keys) == 0
    assert {len(item) for item in world.items("orders")} == {1}


def test_it_sends_each_event_with_its_key_its_mark_and_an_id_that_tells_duplicates(
    ground: Ground, world: World
) -> None:
    assert ground.send([event("a", 3), event("b", 4)]) == ""
    assert ground.send([event("a", 3)]) == ""

    first, second = world.ordered.messages
    assert (first.group, second.group, first.body) == ("a", "b", '{"n": 3}')
    assert mark_of(first.attributes["backstop-drill"]["StringValue"]) == Mark("d", 3)


def test_it_tries_again_only_what_was_not_taken_and_then_says_why(ground: Ground, world: World) -> None:
    world.sqs.refuses = lambda operation, entry: entry["MessageGroupId"] == "b"

    why = ground.send([event("a"), event("b", 2)])

    assert why == "a test says: this entry is not taken"
    assert [len(call.request["Entries"]) for call in world.sqs.calls] == [2, 1, 1]


def test_it_says_why_a_call_breaks_each_time(ground: Ground, world: World) -> None:
    world.sqs.faults.fail_always("SendMessageBatch", Fault.DENIED)

    assert ground.send([event("a")]).startswith("AWS refused SendMessageBatch")


def test_it_reads_an_order_as_it_is(ground: Ground, world: World) -> None:
    item = {
        "id": {"S": "k"},
        "changes": {"N": "2"},
        "history": {"L": [change("t1", 1.5), change("t2", -0.2)]},
        "violations": {"SS": ["t3", "t4"]},
    }
    world.dynamodb.put_item(TableName="orders", Item=item)

    assert ground.orders(["k", "none"]) == {"k": Order([Applied("t1", 1.5), Applied("t2", 0.0)], 2)}
    assert ground.count_applied(["k", "none"]) == 2


def test_it_reads_on_where_dynamodb_left_keys_out(
    ground: Ground, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground.store_orders(["a", "b", "c"])
    read = world.dynamodb.batch_get_item

    def read_one(RequestItems: Any) -> Any:  # noqa: N803  # boto3's name
        first, *others = RequestItems["orders"]["Keys"]
        answer = read(RequestItems={"orders": RequestItems["orders"] | {"Keys": [first]}})
        answer["UnprocessedKeys"] = {"orders": RequestItems["orders"] | {"Keys": others}} if others else {}
        return answer

    monkeypatch.setattr(world.dynamodb, "batch_get_item", read_one)

    assert set(ground.orders(["a", "b", "c"])) == {"a", "b", "c"}


def test_it_finds_what_waits_among_many_keys(ground: Ground, world: World) -> None:
    park(world, "k150", State.HELD, "x", "y")
    park(world, "k151", State.WAITING, trail=Trail(attempt=1))
    park(world, "another's", State.HELD)
    keys = [f"k{number}" for number in range(200)]

    assert {key: (lock.state, lock.waiting) for key, lock in ground.locks(keys).items()} == {
        "k150": (State.HELD, 3),
        "k151": (State.WAITING, 1),
    }
    assert ground.parked(keys) == {
        "k150": [Waiting("k150-1", "crashed"), Waiting("x"), Waiting("y")],
        "k151": [Waiting("k151-1")],
    }


def test_it_finds_parked_events_that_no_lock_guards(ground: Ground, world: World) -> None:
    park(world, "k", State.HELD, "x")
    world.dynamodb.delete_item(TableName="parked", Key={"key": {"S": "k"}, "sort": {"S": "lock"}})

    assert ground.locks(["k"]) == {}
    assert ground.parked(["k"]) == {"k": [Waiting("k-1", "crashed"), Waiting("x")]}


def test_it_cleans_up_its_own_held_keys_and_nothing_else(ground: Ground, world: World) -> None:
    park(world, "mine", State.HELD, *[f"mine-{place}" for place in range(2, 26)])
    park(world, "mine too", State.HELD)
    park(world, "goes on", State.WAITING, "x")
    park(world, "another's", State.HELD, "y")

    left = ground.clean_up(["mine", "mine too", "goes on", "never waited"])

    assert left == 1
    assert {(item["key"]["S"], item["sort"]["S"].split("#")[0]) for item in world.items("parked")} == {
        (key, sort) for key in ("goes on", "another's") for sort in ("lock", "event")
    }


def test_a_held_key_that_an_operator_takes_meanwhile_is_left(
    ground: Ground, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    park(world, "k", State.HELD, "x")
    stale = ground.locks(["k"])
    world.parked.claim(stale["k"], NOW, NOW)
    monkeypatch.setattr(ground, "locks", lambda keys: stale)

    assert ground.clean_up(["k"]) == 1
    assert ground.parked(["k"]) == {"k": [Waiting("k-1", "crashed"), Waiting("x")]}


def test_a_table_that_does_not_answer_is_one_sentence(ground: Ground, world: World) -> None:
    world.dynamodb.delete_table(TableName="parked")

    for ask in (ground.locks, ground.parked):
        with pytest.raises(CallFailed, match="the table of parked events did not answer"):
            ask(["k"])


def test_it_counts_what_waits_what_is_in_flight_and_what_is_delayed(ground: Ground, world: World) -> None:
    for delay in (0, 0, 60):
        world.sqs.send_message(QueueUrl=world.drains.url, MessageBody="{}", DelaySeconds=delay)
    world.sqs.receive_message(QueueUrl=world.drains.url)

    assert ground.depth("DrainQueue") == 3
