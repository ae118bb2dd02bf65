"""A stack in, what its orders say and what is parked out: the eyes and hands of the ordered lane's drill."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from backstop.aws.parked import ParkedTable
from backstop.aws.parked_record import ParkedRecords
from backstop.drill import ATTRIBUTE
from backstop.errors import StoreUnavailable
from backstop.parking import LeaseLost, Lock, OnDeadHead, Parked, State
from ops.drill.ordered.account import Applied, Order, Waiting
from ops.drill.ordered.plan import Planned
from ops.drill.rehearsed import depth, read_items, require_drills
from ops.failure import CallFailed, sentence
from ops.sending import chunks
from ops.stack import Stack

AT_ONCE: Final = 8
"""Calls at once."""

_KEYS: Final = 99
"""Keys of a call: BatchGetItem takes 100 (DynamoDB quotas), and a look at locks reads one item more."""

_SENDS: Final = 3
_LEASE: Final = timedelta(minutes=1)


class Ground:
    """The queues and tables of the stack that a drill runs on."""

    def __init__(self, stack: Stack, events_a_key: int) -> None:
        require_drills(stack)
        most = _most_parked(stack)
        if events_a_key > most:
            raise CallFailed(
                f"{events_a_key} events a key are too many: stack {stack.name!r} parks {most} (MaxParkedEvents)"
            )
        self._stack = stack
        self._orders = stack.output("OrdersTableName")
        records = ParkedRecords(lambda: stack.s3, stack.output("DataBucketName"))
        self._parked = ParkedTable(stack.dynamodb, stack.output("ParkedTableName"), records, most)

    def store_orders(self, keys: Collection[str]) -> None:
        """Put the drill's orders into their table, without any change."""
        for some in chunks(keys, 25):
            requests: Any = {self._orders: [{"PutRequest": {"Item": {"id": {"S": key}}}} for key in some]}
            if self._stack.dynamodb.batch_write_item(RequestItems=requests).get("UnprocessedItems"):
                raise CallFailed("the table of orders did not take all of the drill's orders: try again")

    def send(self, events: Sequence[Planned]) -> str:
        """Send up to 10 events, none of the same key as another; return why not all were taken, or nothing if all were.

        It tries again what SQS did not take, or may have: within 5 minutes, SQS drops what it has already.
        """
        why = ""
        waiting = {str(event.number): event for event in events}
        for _ in range(_SENDS):
            entries = [_entry(entry_id, event) for entry_id, event in waiting.items()]
            try:
                answer = self._stack.sqs.send_message_batch(
                    QueueUrl=self._stack.queue_urls["OrderedQueue"], Entries=entries
                )
            except (ClientError, BotoCoreError) as error:
                why = sentence(error)
                continue
            why = next((entry.get("Message", entry["Code"]) for entry in answer.get("Failed", ())), "no answer")
            for taken in answer.get("Successful", ()):
                del waiting[taken["Id"]]
            if not waiting:
                return ""
        return why

    def depth(self, queue: str) -> int:
        """Return how many messages are in a queue: waiting, in flight and delayed."""
        return depth(self._stack, queue)

    def count_applied(self, keys: Collection[str]) -> int:
        """Return how many changes the orders say to have seen."""
        items = self._read(keys, ProjectionExpression="changes")
        return sum(int(item["changes"]["N"]) for item in items if "changes" in item)

    def orders(self, keys: Collection[str]) -> dict[str, Order]:
        """Return the orders as they are stored."""
        return {item["id"]["S"]: _order(item) for item in self._read(keys)}

    def locks(self, keys: Collection[str]) -> dict[str, Lock]:
        """Return the locks of those keys that wait."""
        found: dict[str, Lock] = {}
        with _answered():
            for some in chunks(keys, _KEYS):
                seen = self._parked.look(some)
                if seen.unknown:
                    raise CallFailed("the table of parked events did not tell of all keys: try again")
                found |= seen.locks
        return found

    def parked(self, keys: Collection[str]) -> dict[str, list[Waiting]]:
        """Return the parked events of each key, in their order; of those that have a lock, and of any other."""
        with _answered(), ThreadPoolExecutor(AT_ONCE) as pool:
            found = pool.map(lambda key: [_waiting(event) for event in self._parked.events(key)], keys)
            return {key: events for key, events in zip(keys, found, strict=True) if events}

    def clean_up(self, keys: Collection[str]) -> int:
        """Forget what of these keys is held, so that no alarm rings for it; return how many still wait.

        A key that is not held goes on by itself and is left, as is one that an operator has taken meanwhile.
        """
        locks = self.locks(keys).values()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return sum(not is_gone for is_gone in pool.map(self._forget, locks))

    def _forget(self, lock: Lock) -> bool:
        now = datetime.now(UTC)
        try:
            if lock.state is not State.HELD:
                return False
            lock = self._parked.claim(lock, now, now + _LEASE)
            while True:
                lock, events = self._parked.first(lock)
                if not events and self._parked.unlock(lock):
                    return True
                for event in events:
                    self._parked.remove(lock, event)
        except (LeaseLost, StoreUnavailable):
            return False

    def _read(self, keys: Collection[str], **more: str) -> Iterator[Mapping[str, Any]]:
        for some in chunks(keys, _KEYS):
            yield from read_items(self._stack, self._orders, "id", some, **more)


def _most_parked(stack: Stack) -> int:
    """Return how many events of a key the stack parks. Raises CallFailed where it does not hold keys at dead heads."""
    function = stack.output("ProcessOrderedFunctionName")
    found = stack.functions.get_function_configuration(FunctionName=function)
    variables = found.get("Environment", {}).get("Variables", {})
    on_dead_head = variables.get("ON_DEAD_HEAD")
    if on_dead_head != OnDeadHead.HOLD:
        raise CallFailed(
            f"stack {stack.name!r} does not hold a key whose head is dead (OnDeadHead={on_dead_head}), and its events "
            "run out of order then: deploy it with OnDeadHead=hold for an ordered drill"
        )
    return int(variables["MAX_PARKED_EVENTS"])


def _entry(entry_id: str, event: Planned) -> Any:
    return {
        "Id": entry_id,
        "MessageBody": event.body,
        "MessageGroupId": event.key,
        "MessageDeduplicationId": event.event_id,
        "MessageAttributes": {ATTRIBUTE: {"DataType": "String", "StringValue": event.mark.serialise()}},
    }


def _order(item: Mapping[str, Any]) -> Order:
    entries = [entry["M"] for entry in item.get("history", {"L": []})["L"]]
    history = [Applied(entry["token"]["S"], _delay_seconds(entry)) for entry in entries]
    return Order(history, len(item.get("violations", {"SS": []})["SS"]))


def _delay_seconds(entry: dict[str, Any]) -> float:
    """Return the time between sending and applying; SQS's clock and the worker's may differ."""
    sent_at, applied_at = (datetime.fromisoformat(entry[name]["S"]) for name in ("sent_at", "applied_at"))
    return max((applied_at - sent_at).total_seconds(), 0.0)


def _waiting(event: Parked) -> Waiting:
    try:
        trail = json.loads(event.trail or "{}")
        return Waiting(event.event_id, str(trail.get("dead_because", "")))
    except (AttributeError, ValueError, RecursionError):
        return Waiting(event.event_id)


@contextmanager
def _answered() -> Iterator[None]:
    """Raise CallFailed where the table of parked events does not answer."""
    try:
        yield
    except StoreUnavailable as error:
        raise CallFailed(str(error)) from error
