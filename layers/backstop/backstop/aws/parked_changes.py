"""A lock and what is to happen to it in, the change out that DynamoDB makes only where the lock is as was thought."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from backstop.aws.parked_items import Item, due_of, lock_key, millis, number, text, update
from backstop.parking import Lock, State

_COUNT_UP: Final = "SET #generation = #generation + :one"
_RUN: Final = f"{_COUNT_UP}, #state = :running, #due = :until"
_GIVE_BACK: Final = "SET #state = :state, #due = :due"
_MINE: Final = "#generation = :mine"
_UNCHANGED: Final = f"{_MINE} AND (#returned = :returned OR attribute_not_exists(#returned))"
"""Nothing was put back since the lock was read. A lock of an earlier release does not count that: nothing was."""


def leased(key: str, now: datetime, until: datetime) -> Item:
    """Take the lease of a key that is due."""
    condition = "attribute_exists(#sort) AND #state <> :held AND #due <= :now"
    return _taken(key, _RUN, condition, {":held": text(State.HELD), ":now": millis(now)} | _running(until))


def claimed(lock: Lock, now: datetime, until: datetime) -> Item:
    """Take the lease of a key that is as it was read. One that is held stays so: whoever has the lease may die."""
    seen = {":seen": number(lock.generation), ":state": text(lock.state)}
    if lock.state is State.HELD:
        return _taken(lock.key, _COUNT_UP, "#generation = :seen AND #state = :state", seen)
    condition = "#generation = :seen AND #state = :state AND (#state = :waiting OR #due <= :now)"
    waiting = {":waiting": text(State.WAITING), ":now": millis(now)}
    return _taken(lock.key, _RUN, condition, seen | waiting | _running(until))


def given_back(lock: Lock, state: State, due: datetime) -> Item:
    """Give the lease back."""
    return update(lock_key(lock.key), _GIVE_BACK, _MINE, _given_back(lock, state, due))


def postponed(lock: Lock, head: str, state: State, due: datetime) -> Item:
    """Give the lease back for a head, unless another one may be the head by now."""
    values = _given_back(lock, state, due) | {":head": text(head), ":returned": number(lock.returned)}
    return update(lock_key(lock.key), f"{_GIVE_BACK}, #head = :head", _UNCHANGED, values)


def one_more(key: str, most: int) -> Item:
    """Count an event that is parked behind the others of its key."""
    condition = "attribute_exists(#sort) AND #waiting < :most"
    return update(
        lock_key(key), "SET #waiting = #waiting + :one", condition, {":one": number(1), ":most": number(most)}
    )


def one_less(lock: Lock, *, is_unchanged: bool) -> Item:
    """Count off an event that is gone; where that `is_unchanged`, only if nothing was put back since."""
    values = {":one": number(1), ":mine": number(lock.generation)}
    returned = {":returned": number(lock.returned)} if is_unchanged else {}
    condition = _UNCHANGED if is_unchanged else _MINE
    return update(lock_key(lock.key), "SET #waiting = #waiting - :one", condition, values | returned)


def one_returned(key: str, most: int) -> Item:
    """Count an event that is put back into its place, unless its key is held."""
    change = "SET #waiting = #waiting + :one, #returned = if_not_exists(#returned, :none) + :one"
    condition = "attribute_exists(#sort) AND #state <> :held AND #waiting < :most"
    values = {":one": number(1), ":none": number(0), ":held": text(State.HELD), ":most": number(most)}
    return update(lock_key(key), change, condition, values)


def let_go(lock: Lock) -> tuple[str, Item]:
    """Return condition and values with which a lock is deleted: no event was parked since it was read."""
    values = {":mine": number(lock.generation), ":waiting": number(lock.waiting)}
    return f"{_MINE} AND #waiting = :waiting", values


def _taken(key: str, change: str, condition: str, values: Item) -> Item:
    return update(lock_key(key), change, condition, values | {":one": number(1)})


def _running(until: datetime) -> Item:
    return {":running": text(State.RUNNING), ":until": millis(until)}


def _given_back(lock: Lock, state: State, due: datetime) -> Item:
    return {":mine": number(lock.generation), ":state": text(state), ":due": due_of(state, due)}
