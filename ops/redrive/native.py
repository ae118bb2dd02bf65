"""A dead-letter queue in, SQS's own move of all that lies in it out: begun, shown, cancelled.

SQS moves a whole queue and knows nothing of letters: it neither chooses nor tries a few first. What it moves carries
its history, so that workers take it for redriven.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from ops import audit
from ops.agreeing import agrees
from ops.failure import CallFailed, sentence
from ops.redrive.native_moves import Move, arn_of, moves
from ops.stack import QueueCounts, Stack, queue_counts
from ops.tables import facts, rows, say, warn
from ops.terminal import span
from ops.typed import typed

DESTINATIONS: Final = {"DeadLetterQueue": "EventsQueue", "OrderedDeadLetterQueue": "OrderedQueue"}
"""Where the letters of each queue go. SQS has to be told: of what was sent there, it knows no source."""
RATES: Final = range(1, 501)
"""Letters a second (StartMessageMoveTask, MaxNumberOfMessagesPerSecond)."""

_MEANS: Final = (
    "All of it is moved, whatever it died of: no choice, no canary, and what dies meanwhile may be moved, too.",
    "Attempts start anew for what says that it is dead; what SQS itself moved here goes on with those it has left.",
    "No redrive id of its own marks it: what fails again is found by its group and its time.",
)
_MEANS_TOO: Final = {
    "DeadLetterQueue": "Heads that were skipped in the ordered lane lie here, too: they go to EventsQueue, which is "
    "not where they belong.",
    "OrderedDeadLetterQueue": "Order is not kept: letters come after the newer events of their keys, which do not wait "
    "for them.",
}


@dataclass(frozen=True, slots=True)
class Meant:
    """A move that is meant. `rate` is letters a second; None where SQS chooses. The counts are approximate."""

    queue: str
    rate: int | None
    lying: QueueCounts
    ahead: QueueCounts

    @property
    def destination(self) -> str:
        """The queue that it goes to, by its resource's name."""
        return DESTINATIONS[self.queue]

    def fields(self, task: str | None) -> dict[str, Any]:
        """Return what a program is told. `task` is what SQS calls the move once it has begun."""
        return {
            "queue": self.queue,
            "to": self.destination,
            "letters": self.lying.waiting,
            "in_flight": self.lying.in_flight,
            "ahead": self.ahead.waiting,
            "rate": self.rate,
            "task": task,
        }


def start(stack: Stack, queue: str, rate: int | None, *, is_agreed: bool, as_json: bool) -> int:
    """Let SQS move all of a dead-letter queue; returns 0 where that has begun, or would, and 1 where it has not.

    Without `is_agreed` a person is asked, unless a program reads; where there is none, it is only said what would be
    done. `rate` is letters a second, 1 to 500; None is as fast as SQS likes. Raises CallFailed where the call is wrong,
    and what botocore raises before anything is begun.
    """
    _has_moves(stack, typed(stack, "redrive", "--all"))
    meant = _meant(stack, queue, rate)
    if not as_json:
        _tell(meant)
    if not meant.lying.waiting or (as_json and not is_agreed):
        _print(meant, None, "No letters can be moved: nothing was changed.", as_json=as_json)
        return 0
    agreed = agrees(meant.lying.waiting, "move them", is_agreed=is_agreed)
    if not agreed:
        return 0 if agreed is None else 1
    task = _begin(stack, meant, is_agreed=is_agreed)
    if task is not None:
        follow = typed(stack, "redrive", "status", "--native")
        _print(meant, task, f"SQS moves them from now on. Follow it: {follow}", as_json=as_json)
    return int(task is None)


def status(stack: Stack, *, as_json: bool) -> int:
    """Print the last moves of the dead-letter queues, those that SQS still tells of; returns 0."""
    _has_moves(stack, typed(stack, "redrive", "status"))
    found = [move.fields() for move in moves(stack)]
    if as_json:
        print(json.dumps({"moves": found}))
    elif found:
        columns = [name for name in found[0] if name != "task"]
        Console(highlight=False).print(rows("", [{name: one[name] for name in columns} for one in found]))
    else:
        say("SQS knows of no moves: nothing was moved by it lately.")
    return 0


def cancel(stack: Stack) -> int:
    """End the moves that run; returns 0 where all of them are ended, and 1 where none runs or one goes on.

    Raises what botocore raises before anything is done: all of it is written down first.
    """
    _has_moves(stack, typed(stack, "redrive", "cancel", argument="JOB"))
    running = [move for move in moves(stack) if move.is_running]
    if not running:
        warn("SQS moves nothing just now: there is nothing to cancel")
        return 1
    words = shlex.join(["redrive", "cancel", "--native"])
    entries = [audit.record(stack, words, _subject(move.queue), 0) for move in running]
    ended = [_end(stack, move, entry) for move, entry in zip(running, entries, strict=True)]
    return int(not all(ended))


def _has_moves(stack: Stack, instead: str) -> None:
    """Raise CallFailed on the local AWS; `instead` is what to type there."""
    if stack.endpoint_url is not None:
        raise CallFailed(f"the local AWS has no moves of SQS's own (StartMessageMoveTask); without --native: {instead}")


def _meant(stack: Stack, queue: str, rate: int | None) -> Meant:
    if queue not in DESTINATIONS:
        raise CallFailed(f"--native moves a dead-letter queue: --queue {' or '.join(DESTINATIONS)}")
    if rate is not None and rate not in RATES:
        raise CallFailed(f"--rate: with --native, {RATES[0]} to {RATES[-1]} letters a second")
    lying, ahead = (stack.output(f"{name}Url") for name in (queue, DESTINATIONS[queue]))
    return Meant(queue, rate, queue_counts(stack, lying), queue_counts(stack, ahead))


def _tell(meant: Meant) -> None:
    lying, pace = meant.lying, "as fast as SQS likes"
    if meant.rate is not None:
        pace = f"{meant.rate:,} a second, about {span(timedelta(seconds=lying.waiting / meant.rate))}"
    known = {
        "from": meant.queue,
        "to": meant.destination,
        "letters": f"about {lying.waiting:,}",
        "in somebody's hands": f"{lying.in_flight:,}: not to be moved just now" if lying.in_flight else "",
        "rate": pace,
        "waiting there already": f"{meant.ahead.waiting:,}",
    }
    Console(highlight=False, soft_wrap=True).print(facts(known))
    for text in (*_MEANS, _MEANS_TOO[meant.queue]):
        say(f"- {text}")


def _begin(stack: Stack, meant: Meant, *, is_agreed: bool) -> str | None:
    """Write down what is begun, and begin it; returns what SQS calls it, None where SQS refuses."""
    pace = {} if meant.rate is None else {"MaxNumberOfMessagesPerSecond": meant.rate}
    request: Any = {"SourceArn": arn_of(stack, meant.queue), "DestinationArn": arn_of(stack, meant.destination), **pace}
    entry = audit.record(stack, _words(meant, is_agreed=is_agreed), _subject(meant.queue), meant.lying.waiting)
    try:
        task = stack.sqs.start_message_move_task(**request)["TaskHandle"]
    except (ClientError, BotoCoreError) as error:
        why = _why_not(stack, meant.queue, error)
        _conclude(stack, entry, why)
        warn(why)
        return None
    _conclude(stack, entry)
    return task


def _why_not(stack: Stack, queue: str, error: ClientError | BotoCoreError) -> str:
    """Say why a move has not begun, or that this is not known: the client calls again where an answer is lost."""
    look = typed(stack, "redrive", "status", "--native")
    about = error.response.get("ResponseMetadata", {}) if isinstance(error, ClientError) else {}
    if not isinstance(error, ClientError) or about.get("HTTPStatusCode", 0) >= 500:
        return f"{sentence(error)}; it may have begun all the same: {look}"
    if "already a task running" not in error.response["Error"].get("Message", ""):
        return f"nothing was moved: {sentence(error)}"
    own = ", perhaps begun by this call" if about.get("RetryAttempts") else ""
    return f"SQS moves {queue} already{own}, and one move at a time is all it does: {look}"


def _end(stack: Stack, move: Move, entry: audit.Entry) -> bool:
    """Cancel a move and write down what came of it; returns whether it is ended."""
    try:
        answer = stack.sqs.cancel_message_move_task(TaskHandle=move.task)
    except (ClientError, BotoCoreError) as error:
        is_over = isinstance(error, stack.sqs.exceptions.ResourceNotFoundException)
        why = "it was over before it could be cancelled" if is_over else sentence(error)
        _conclude(stack, entry, why)
        warn(f"{move.queue}: not cancelled: {why}")
        return False
    moved = answer.get("ApproximateNumberOfMessagesMoved", 0)
    _conclude(stack, entry, count=moved)
    out_of = "" if move.to_move is None else f" of {move.to_move:,}"
    say(
        f"{move.queue}: cancelled. About {moved:,}{out_of} letters are moved, perhaps a few more: they stay where they "
        "are, the rest stays where it lies."
    )
    return True


def _words(meant: Meant, *, is_agreed: bool) -> str:
    """Return the command as it would be typed."""
    pace = [] if meant.rate is None else ["--rate", str(meant.rate)]
    return shlex.join(["redrive", "--native", "--queue", meant.queue, *pace, *(["--yes"] if is_agreed else [])])


def _subject(queue: str) -> str:
    """Return what the audit calls what is moved."""
    return f"queue {queue}"


def _conclude(stack: Stack, entry: audit.Entry, failure: str = "", count: int | None = None) -> None:
    if unwritten := audit.conclude(stack, entry, failure, count):
        warn(f"what came of it could not be written down: {unwritten}")


def _print(meant: Meant, task: str | None, text: str, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(meant.fields(task)))
    else:
        say(text)
