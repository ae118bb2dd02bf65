"""A job's next turn, or the hour's rescue, in; dead letters moved out: the Lambda handler of `redrive`."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import cached_property, partial
from math import ceil
from typing import TYPE_CHECKING, Any, Final

from backstop import invocation
from backstop.automatic import QUIET, RATE, busy, candidates, choose, eligible
from backstop.aws import clients, metrics
from backstop.aws.circuits import CircuitTable
from backstop.aws.known_groups import known_groups
from backstop.aws.letters import LetterQueue
from backstop.aws.logs import PipelineLog
from backstop.aws.redrive_claims import claim
from backstop.aws.redrive_jobs import RedriveJobs
from backstop.aws.redrive_sends import send_back
from backstop.aws.redriven import failed_again
from backstop.aws.rescued import NAME, Rescued
from backstop.circuits.waiting import open_circuit
from backstop.errors import StoreUnavailable
from backstop.letter import Letter
from backstop.mover import look_through
from backstop.moving import Addressed, Answer, Moving, Place
from backstop.putting_back import Returning, return_letters
from backstop.redrive import Job, job_id
from backstop.report import Report
from backstop.rescue import rescue
from backstop.settings.watchers import RedriveSettings
from backstop.turn import Redrive, take_turn
from backstop.wiring import LambdaHandler, ordered
from backstop.wiring.clock import now
from backstop.wiring.worker import Telling

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_NO_JOB: Final = {"job": "", "state": "unknown", "is_over": True, "wait_seconds": 0}


def redrive_function() -> LambdaHandler:
    """Make the Lambda handler that moves dead letters back, turn by turn, and rescues those that would expire."""
    return _Redrive().handler


class _Redrive:
    def handler(self, event: Mapping[str, Any], context: LambdaContext) -> Mapping[str, Any]:
        self._log.begin(context.aws_request_id)
        remaining = partial(_remaining, context.get_remaining_time_in_millis)
        with invocation.running(context.get_remaining_time_in_millis):
            if event.get("rescue") is True:
                return self._rescue(remaining)
            if event.get("auto") is True:
                return self._begin(remaining)
            return self._turn(str(event.get("job", "")), remaining)

    def _turn(self, job_id: str, remaining: Callable[[], timedelta]) -> Mapping[str, Any]:
        job = self._jobs.look(job_id)
        if job is None:
            return {**_NO_JOB, "job": job_id}
        telling = Telling(self._log, self._settings.function)
        moving = self._moving(telling, remaining)
        heard_of = partial(failed_again, clients.client("dynamodb"), self._settings.failed_events_table)
        try:
            turn = take_turn(job, Redrive(moving, heard_of, self._settings.watch, self._open_circuit))
        finally:
            telling.count()
        return _answer(turn.job, turn.wait)

    def _rescue(self, remaining: Callable[[], timedelta]) -> Mapping[str, Any]:
        """Rescue what would expire; the next hour goes on with what there is no time for."""
        rescued, died_before = self._rescued, now() - self._settings.rescue_after
        kept = sum(rescue(place, rescued.keep, died_before, remaining) for place in self._queues.values())
        metrics.measure({"LettersRescued": kept}, self._settings.function)  # 0, too: without data, the rescue stands
        return {"rescued": kept}

    def _begin(self, remaining: Callable[[], timedelta]) -> Mapping[str, Any]:
        """Begin a redrive that nobody has asked for, if a group may be redriven so and no circuit is open."""
        moment = now()
        if self._open_circuit():
            return _NO_JOB
        found = [one for place in self._queues.values() for one in look_through(place, remaining)]
        some = candidates(found, moment)
        names = [one.group for one in some]
        groups = known_groups(clients.client("dynamodb"), self._settings.groups_table, names)
        chosen = choose(some, groups, busy(found, self._jobs.all(), moment), moment)
        if chosen is None:
            return _NO_JOB
        job = Job(
            id=job_id(moment, secrets.token_hex(2)),
            selection=replace(eligible(moment), group=chosen.group),
            places=tuple(self._queues),
            rate=RATE,
            is_canary=True,
            begun_at=moment,
            by="AutoRedrive",
            expected=chosen.letters,
        )
        table, until = self._settings.redrive_table, moment + QUIET
        if not claim(clients.client("dynamodb"), table, chosen.group, job.id, moment, until):
            return _NO_JOB
        with suppress(StoreUnavailable):  # it may have been made all the same: its first turn will tell
            self._jobs.create(job)
        return _answer(job, timedelta(0))

    def _moving(self, telling: Telling, remaining: Callable[[], timedelta]) -> Moving:
        return Moving(
            mover=secrets.token_hex(8),
            jobs=self._jobs,
            places={**self._queues, NAME: self._rescued},
            destination=self._destination,
            send=self._send,
            put_back=self._put_back,
            tell=lambda letter, job: telling.report(Report.redriven(letter, job, self._destination(letter))),
            leave=self._log.not_redriven,
            remaining=remaining,
            now=now,
            pause=time.sleep,
        )

    def _open_circuit(self) -> str:
        """Return a circuit that events wait for; none where that cannot be told, as calls go through then, too."""
        circuits = CircuitTable(clients.client("dynamodb"), self._settings.circuits_table)
        try:
            return open_circuit(circuits.all(), now())
        except StoreUnavailable:
            return ""

    def _destination(self, letter: Letter) -> str:
        """Return the name of the queue that a letter came from; never one that is not this stack's."""
        default = self._settings.default_queue_url.rpartition("/")[2]
        return letter.source_queue if letter.source_queue in self._settings.source_queue_urls else default

    def _send(self, queue: str, addressed: Sequence[Addressed]) -> Answer:
        return send_back(clients.client_once("sqs"), self._settings.source_queue_urls[queue], addressed)

    def _put_back(self, letters: Sequence[Letter], redrive_id: str) -> Answer:
        """Put letters of the ordered lane back into their places, key by key."""
        returned = return_letters(letters, redrive_id, self._returning)
        return Answer(returned.refused, staying=returned.staying)

    @cached_property
    def _returning(self) -> Returning:
        settings = self._settings
        return Returning(
            parking=ordered.parked_table(settings.parked_table, settings.bucket, settings.parked_events),
            wake=self._wake,
            new_generation=ordered.new_generation,
            now=now,
            in_hand=settings.in_hand,
        )

    def _wake(self, keys: Sequence[str], delay_seconds: int) -> None:
        ordered.wake(keys, delay_seconds, self._settings.drain_queue_url, self._log)

    @cached_property
    def _settings(self) -> RedriveSettings:
        return RedriveSettings.from_environment()

    @cached_property
    def _jobs(self) -> RedriveJobs:
        return RedriveJobs(clients.client("dynamodb"), self._settings.redrive_table)

    @property
    def _queues(self) -> dict[str, Place]:
        settings = self._settings
        names = frozenset(settings.source_queue_urls)
        return {
            name: LetterQueue(clients.client("sqs"), url, names, now)
            for name, url in settings.dead_letter_queue_urls.items()
        }

    @property
    def _rescued(self) -> Rescued:
        """The bucket's letters, from the first on."""
        settings = self._settings
        return Rescued(clients.client("s3"), settings.bucket, frozenset(settings.source_queue_urls), now)

    @cached_property
    def _log(self) -> PipelineLog:
        settings = self._settings
        return PipelineLog(function=settings.function, stage=settings.stage, release=settings.release)


def _answer(job: Job, wait: timedelta) -> Mapping[str, Any]:
    return {
        "job": job.id,
        "state": job.state,
        "is_over": job.is_over,
        "wait_seconds": ceil(wait.total_seconds()),
    }


def _remaining(remaining_millis: Callable[[], int]) -> timedelta:
    return timedelta(milliseconds=remaining_millis())
