"""Locks and the calls about them in, items and expressions of DynamoDB out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from backstop.parking import Lock, State
from backstop.placing import in_order

Item = dict[str, Any]

LOCK: Final = "lock"
EVENT: Final = "event#"
ASIDE: Final = "aside#"
TOTALS: Final = {"key": {"S": "totals"}, "sort": {"S": "totals"}}

HELD_DUE: Final = 253_402_300_799_000
"""Where the index has keys that are held: at the end of the year 9999, in milliseconds since 1970."""


def lock_key(key: str) -> Item:
    """Return the primary key of a key's lock."""
    return {"key": {"S": key}, "sort": {"S": LOCK}}


def event_key(key: str, sequence: str) -> Item:
    """Return the primary key of a parked event."""
    return {"key": {"S": key}, "sort": {"S": f"{EVENT}{in_order(sequence)}"}}


def aside_key(key: str, sequence: str) -> Item:
    """Return the primary key of the mark that an event was put aside."""
    return {"key": {"S": key}, "sort": {"S": f"{ASIDE}{in_order(sequence)}"}}


def aside_item(key: str, sequence: str, expires: datetime, redrives: int = 0) -> Item:
    """Return the mark that an event was put aside; the table deletes it by itself.

    It tells how often the event had been put back before.
    """
    return aside_key(key, sequence) | {"expires": number(int(expires.timestamp())), "redrives": number(redrives)}


def sequence_of(item: Item) -> str:
    """Return the number of an event, without the zeros that only make it sort."""
    number_as_text = str(item["sort"]["S"].partition("#")[2])
    short = number_as_text.lstrip("0") or "0"
    return short if in_order(short) == number_as_text else number_as_text


def lock_item(lock: Lock) -> Item:
    """Return the item of a lock."""
    return lock_key(lock.key) | {
        "state": {"S": lock.state},
        "generation": number(lock.generation),
        "head": {"S": lock.head},
        "waiting": number(lock.waiting),
        "due": due_of(lock.state, lock.due),
        "since": millis(lock.since),
        "returned": number(lock.returned),
    }


def lock_of(item: Item) -> Lock:
    """Return the lock of an item."""
    return Lock(
        key=item["key"]["S"],
        state=State(item["state"]["S"]),
        generation=int(item["generation"]["N"]),
        head=item["head"]["S"],
        waiting=int(item["waiting"]["N"]),
        due=moment(item["due"]),
        since=moment(item["since"]),
        returned=int(item["returned"]["N"]) if "returned" in item else 0,
    )


def due_of(state: State, due: datetime) -> Item:
    """Return when somebody acts next: of a key that is held, nobody does."""
    return number(HELD_DUE) if state is State.HELD else millis(due)


def update(key: Item, change: str, condition: str, values: Mapping[str, Item]) -> Item:
    """Return the parameters of an update. Names in it stand as `#name`."""
    return {
        "Key": key,
        "UpdateExpression": change,
        "ConditionExpression": condition,
        "ExpressionAttributeNames": names(change + condition),
        "ExpressionAttributeValues": dict(values),
    }


def only_if(condition: str) -> Item:
    """Return the parameters of a condition without values."""
    return {"ConditionExpression": condition, "ExpressionAttributeNames": names(condition)}


def asked(condition: str, values: Mapping[str, Item]) -> Item:
    """Return the parameters of a query."""
    return {
        "KeyConditionExpression": condition,
        "ExpressionAttributeNames": names(condition),
        "ExpressionAttributeValues": dict(values),
    }


def names(expression: str) -> dict[str, str]:
    """Return the names that an expression uses: all of ours are written `#name`, for some are reserved words."""
    ours = ("key", "sort", "state", "generation", "head", "waiting", "due", "returned", "trail", "blocked_by")
    return {f"#{name}": name for name in ours if f"#{name}" in expression}


def number(value: int) -> Item:
    """Return a number."""
    return {"N": str(value)}


def text(value: str) -> Item:
    """Return a text."""
    return {"S": value}


def millis(when: datetime) -> Item:
    """Return a time, as milliseconds since 1970."""
    return number(round(when.timestamp() * 1000))


def moment(value: Item) -> datetime:
    """Return the time of a number."""
    return datetime.fromtimestamp(int(value["N"]) / 1000, UTC)
