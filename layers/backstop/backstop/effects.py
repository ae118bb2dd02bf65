"""Verdicts in, carried out; the ids of the messages that stay with SQS out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil
from typing import Final, NamedTuple, Protocol, assert_never

from backstop.fingerprint import NOTHING_KNOWN, Surroundings
from backstop.message import Message, Outgoing, Record, Refused, outgoing
from backstop.process import Batch, Failed, Flow, settle, split
from backstop.report import Description, Report, describe, trail_after
from backstop.verdict import Dead, Policy, Retry

MAX_DELAY: Final = timedelta(seconds=900)
"""The longest that SQS delays a message (SQS quotas)."""


class Destination(StrEnum):
    """Where a message that was not done is sent."""

    RETRY = "retry"
    DEAD = "dead"


class Acts(Protocol):
    """What every lane does to its queue's messages and tells of them. No method raises for a message's sake."""

    def give_back(self, records: Sequence[Record]) -> None:
        """Make records that were not started visible again at once, as far as that works."""

    def let_go(self, records: Sequence[Record]) -> None:
        """Delete records from their queue ahead of the answer to it, as far as that works."""

    def report(self, report: Report) -> None:
        """Write one pipeline event."""

    def left_to_sqs(self, message: Message, why: str) -> None:
        """Say that a message could not be sent on or parked, so that SQS will deliver it again."""

    def count(self) -> None:
        """Publish how much was reported since the last count."""


class Effects(Acts, Protocol):
    """What acting on verdicts needs of the outside world."""

    def send(self, destination: Destination, messages: Sequence[Outgoing]) -> Sequence[Refused]:
        """Send the messages and return those that were not taken."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a verdict's report and history say besides the failure itself."""

    own_root: str
    release: str
    policy: Policy
    now: Callable[[], datetime]
    surroundings: Surroundings = NOTHING_KNOWN

    def of(self, failed: Failed) -> Surroundings:
        """Return what is known of a failure besides its error."""
        return self.surroundings._replace(kind=failed.kind)


class _Planned(NamedTuple):
    failed: Failed
    description: Description
    sent: Outgoing


def process(records: Sequence[Record], flow: Flow, effects: Effects, circumstances: Circumstances) -> list[str]:
    """Settle a batch and carry its verdicts out; return the ids of the messages that stay with SQS, each once.

    Suspects, which may kill this worker too, are run last and one by one: what came before a suspect is done, sent on
    and let go by then, so that it need not come again.
    """
    together, suspects = split(records, flow)
    staying = act(settle(together, flow), effects, circumstances)
    before = together
    for suspect in suspects:
        effects.let_go([record for record in before if record["messageId"] not in staying])
        staying += act(settle([suspect], flow), effects, circumstances)
        before = [suspect]
    return list(dict.fromkeys(staying))


def act(batch: Batch, effects: Effects, circumstances: Circumstances) -> list[str]:
    """Carry the verdicts out and return the ids of the messages that stay with SQS.

    A message is let go only when it is done or the other queue has taken it. What is reported has happened.
    """
    staying = [str(record["messageId"]) for record in batch.unstarted]
    if batch.unstarted:
        effects.give_back(batch.unstarted)
    plans: dict[Destination, list[_Planned]] = {Destination.RETRY: [], Destination.DEAD: []}
    for failed in batch.failed:
        destination, planned = _plan(failed, circumstances)
        if planned is None:
            effects.left_to_sqs(failed.message, "its history does not fit: ten attributes used, or over 1 MiB")
            staying.append(failed.message.message_id)
        else:
            plans[destination].append(planned)
    for destination, planned_messages in plans.items():
        staying.extend(_send(destination, planned_messages, effects, circumstances))
    for message in batch.recovered:
        effects.report(Report.recovered(message, circumstances.policy.max_attempts))
    effects.count()
    return staying


def _plan(failed: Failed, circumstances: Circumstances) -> tuple[Destination, _Planned | None]:
    now = circumstances.now()
    description = describe(failed.error, circumstances.own_root, circumstances.of(failed))
    delay_seconds, not_before = 0, None
    match failed.verdict:
        case Retry(at=at):
            destination = Destination.RETRY
            delay_seconds = ceil(min(max(at - now, timedelta(0)), MAX_DELAY).total_seconds())
            not_before = at if at - now > MAX_DELAY else None
        case Dead():
            destination = Destination.DEAD
        case _:
            assert_never(failed.verdict)
    trail = trail_after(
        failed.message, failed.verdict, failed.kind, description, now, circumstances.release, not_before
    )
    sent = outgoing(failed.message, trail, delay_seconds)
    return destination, None if sent is None else _Planned(failed, description, sent)


def _send(
    destination: Destination, planned: Sequence[_Planned], effects: Effects, circumstances: Circumstances
) -> Iterable[str]:
    if not planned:
        return
    refused = {id(one.outgoing): one.why for one in effects.send(destination, [plan.sent for plan in planned])}
    for failed, description, sent in planned:
        if id(sent) in refused:
            effects.left_to_sqs(failed.message, f"the {destination} queue did not take it: {refused[id(sent)]}")
            yield failed.message.message_id
        elif failed.error is not None:
            effects.report(
                Report.failed(
                    failed.message, failed.verdict, sent.trail, description, circumstances.policy.attempts(failed.kind)
                )
            )


def response(ids: Sequence[str]) -> Mapping[str, list[dict[str, str]]]:
    """Return the answer that Lambda's SQS source takes for "these have failed, the others are done"."""
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in ids]}
