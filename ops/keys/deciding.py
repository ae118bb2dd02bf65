"""An operator's decision about a key in; carried out so that nothing is lost whatever ends in between.

The order of the calls says how: the audit's entry, the lease, the dead letter, the head, the key given back, a wake-up.
Ended in between, a key that was held stays held, and one that was not is woken by the sweep once the lease is over. The
same decision, called again, does the rest. It may send a dead letter twice; it takes out no second event.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, Self

from backstop.aws import sqs
from backstop.aws.parked import ParkedTable
from backstop.errors import StoreUnavailable
from backstop.message import Outgoing, outgoing, queue_name, read
from backstop.parking import LeaseLost, Lock, Parked, State
from backstop.sequence import wake_up
from backstop.trail import Trail
from backstop.verdict import Reason
from ops import audit
from ops.keys.found import Found, not_parked
from ops.stack import Stack
from ops.terminal import harmless

LEASE: Final = timedelta(seconds=60)
"""For how long nobody else acts on the key: longer than the calls take, and what a process that ended costs."""


class Decision(StrEnum):
    """What becomes of the head of a key."""

    RETRY = "retry"
    SKIP = "skip"
    DISCARD = "discard"


class Refused(Exception):
    """Raised when a decision is not carried out, or not to its end; its text says why and what holds now."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done to a key. `head` is what is taken out; None where nothing is."""

    decision: Decision
    found: Found
    head: Parked | None


def subject_of(key: str) -> str:
    """Return what the audit calls a key."""
    return f"key {key}"


def plan(decision: Decision, found: Found, event: str | None, now: datetime) -> Plan:
    """Return what a decision means for a key as it is. `event` is what its head has to be. Raises Refused.

    A head that has not been tried is taken out only where it is named: whoever calls again what was interrupted means
    the head that is gone.
    """
    key, name = harmless(found.lock.key), harmless(found.head_name)
    if found.is_run(now):
        raise Refused(f"key {key} is being worked on right now: try again in a moment")
    if found.is_rid_of_its_head and event in (None, found.lock.head):
        return Plan(decision, found, None)
    if found.head is None:
        raise Refused(not_parked(found.lock.key))
    if event not in (None, found.head_name):
        raise Refused(f"the head of key {key} is {name}, not {harmless(event or '')}: nothing was changed")
    if decision is Decision.RETRY:
        return Plan(decision, found, None)
    if found.head.blocked_by and event is None:
        raise Refused(
            f"the head of key {key}, {name}, has not failed: it is tried once its turn comes. "
            f"To {decision} it all the same: --event {name}"
        )
    return Plan(decision, found, found.head)


@dataclass(frozen=True, slots=True)
class Deciding:
    """Carries plans out on a stack: all that it takes is known before anything is changed."""

    stack: Stack
    table: ParkedTable
    dead_letter_queue_url: str
    drain_queue_url: str

    @classmethod
    def on(cls, stack: Stack, table: ParkedTable) -> Self:
        """Return what decides on a stack. Raises CallFailed where it has no ordered lane."""
        return cls(stack, table, stack.output("DeadLetterQueueUrl"), stack.output("DrainQueueUrl"))

    def carry_out(self, planned: Plan, command: str) -> list[str]:
        """Do what is planned and write down who did it; returns what did not matter but is worth telling.

        Raises Refused where it is not done, and what botocore raises where it cannot even be written down.
        """
        count = int(planned.head is not None or planned.decision is Decision.RETRY)
        entry = audit.record(self.stack, command, subject_of(planned.found.lock.key), count)
        try:
            notes = self._act(planned)
        except Refused as refused:
            audit.conclude(self.stack, entry, str(refused))
            raise
        except StoreUnavailable as error:
            audit.conclude(self.stack, entry, str(error))
            raise Refused(f"stopped: {error}. The same call goes on from there, in a minute at most") from error
        unwritten = audit.conclude(self.stack, entry)
        return [*notes, f"that it is done could not be written down: {unwritten}"] if unwritten else notes

    def _act(self, planned: Plan) -> list[str]:
        now = datetime.now(UTC)
        lock = self._claim(planned.found.lock, now)
        if planned.head is not None:
            if planned.decision is Decision.SKIP:
                self._bury(planned.head, planned.found, lock, now)
            self._remove(planned.head, lock)
        try:
            self.table.give_back(lock, State.WAITING, now)
        except LeaseLost:  # whoever has it lets the others go on
            return []
        whys = sqs.send_bodies(self.stack.sqs, self.drain_queue_url, [wake_up(lock.key)], 0)
        return [f"the key was not woken ({whys[0]}): the sweep does that within a minute"] if whys else []

    def _claim(self, lock: Lock, now: datetime) -> Lock:
        try:
            return self.table.claim(lock, now, now + LEASE)
        except LeaseLost:
            key = harmless(lock.key)
            raise Refused(f"key {key} changed in the meantime: nothing was done. Look again") from None

    def _bury(self, head: Parked, found: Found, lock: Lock, now: datetime) -> None:
        """Send the head to the dead letters; where they do not take it, the key is as it was. Raises Refused."""
        letter = _letter(head, found, now)
        why = "its history does not fit: ten attributes used, or over 1 MiB"
        if letter is not None:
            refused = sqs.send(self.stack.sqs, self.dead_letter_queue_url, [letter])
            if not refused:
                return
            why = refused[0].why
        before = State.HELD if found.lock.state is State.HELD else State.WAITING
        with suppress(LeaseLost):  # it is another one's by now
            self.table.give_back(lock, before, found.lock.due)
        raise Refused(f"the dead-letter queue did not take the head: {why}. The key is as it was")

    def _remove(self, head: Parked, lock: Lock) -> None:
        try:
            self.table.put_aside(lock, head, datetime.now(UTC))
        except LeaseLost:
            raise Refused(
                f"key {harmless(lock.key)} was taken over by another worker or operator meanwhile: "
                "its head was not taken out by this command. Look again"
            ) from None


def _letter(head: Parked, found: Found, now: datetime) -> Outgoing | None:
    """Return the head as a dead letter: with the reason that it died of, or as one that an operator skipped."""
    history = found.history
    trail: Trail = replace(
        history,
        verdict="dead",
        dead_because=history.dead_because if history.verdict == "dead" and history.dead_because else Reason.SKIPPED,
        event_id=head.event_id,
        key=found.lock.key,
        source_queue=history.source_queue or queue_name(head.record),
        sequence=head.sequence,
        not_before=None,
    )
    return outgoing(read(head.record, head.event_id, frozenset(), now), trail, 0)
