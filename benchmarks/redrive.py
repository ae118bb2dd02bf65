"""Dead letters sent back on the local AWS: by a redrive, by a loop one by one; and by a mover that is killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from random import Random
from threading import Event, Thread
from time import perf_counter, sleep
from typing import Any

from backstop.letter import Letter
from backstop.redrive import Progress, State
from backstop.trail import ATTRIBUTE, Trail
from backstop.turn import Redrive, take_turn
from benchmarks.redrive_ground import DEAD, EVENTS, FAILED, RedriveGround, now
from benchmarks.table import Row
from ops.local import emulator
from ops.local.state import ROOT
from ops.stack import Stack, local_session

_TOGETHER, _ALONE, _PACED = 2_000, 300, 300
_RATE = 50.0
_FAST = 100_000.0
_GROUPS, _OTHERS, _MEANT = 20, 9_000, 1_000
_KILLS = 20
_TURN = timedelta(seconds=300)


def measure() -> list[Row]:
    with emulator.running() as local_aws:
        ground = RedriveGround(Stack("bench", local_session(), local_aws.endpoint_url))
        ground.make()
        return [*_speed(ground), *_killed(ground, local_aws.endpoint_url)]


def _speed(ground: RedriveGround) -> list[Row]:
    ground.bury(_names("alone", _ALONE))
    alone = _seconds(lambda: _one_by_one(ground)) / _ALONE
    ground.bury(_names("together", _TOGETHER))
    with _counted(ground) as calls:
        _redrive(ground, "together", _FAST)
    ground.bury(_names("paced", _PACED))
    _redrive(ground, "paced", _RATE)
    case = f"{_TOGETHER:,} dead letters on the local AWS"
    together = 1 / _rate_of(ground, "together")
    off = abs(_rate_of(ground, "paced") / _RATE - 1)
    return [
        Row("redriving, time a letter from first to last", case, together / alone, "a loop that moves one by one", 0.2),
        Row("redriving, calls of SQS a letter", case, sum(calls.values()) / _TOGETHER, "", 0.35),
        Row("redriving, off its pace", f"{_PACED} dead letters, --rate {_RATE:g}", off, "", 0.1),
    ]


def _one_by_one(ground: RedriveGround) -> None:
    dead, events = ground.url(DEAD), ground.url(EVENTS)
    while messages := ground.sqs.receive_message(QueueUrl=dead, MessageAttributeNames=["All"]).get("Messages"):
        [message] = messages
        attributes = message["MessageAttributes"]
        ground.sqs.send_message(QueueUrl=events, MessageBody=message["Body"], MessageAttributes=attributes)
        ground.sqs.delete_message(QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"])


def _redrive(ground: RedriveGround, job_id: str, rate: float) -> None:
    job = ground.begin(job_id, rate)
    while not job.is_over:
        job, wait = take_turn(job, Redrive(ground.moving(_TURN), lambda *_: {}, timedelta(0)))
        sleep(wait.total_seconds())


def _rate_of(ground: RedriveGround, job_id: str) -> float:
    """Return the letters a second that a job has moved, from its first batch to its last."""
    batches = ground.jobs.batches(job_id)
    seconds = (batches[-1].at - batches[0].at).total_seconds()
    return sum(batch.count for batch in batches[:-1]) / seconds


def _killed(ground: RedriveGround, endpoint_url: str) -> list[Row]:
    """Redrive one group of twenty while its mover is killed at random, and see what became of every letter."""
    _empty(ground)
    meant = _names("meant", _MEANT)
    ground.bury(meant, "f" * 16)
    for group in range(1, _GROUPS):
        ground.bury(_names(f"other-{group}", _OTHERS // (_GROUPS - 1)), f"{group:016x}")
    before = _kept(ground, lambda event: not event.startswith("meant"))
    ground.begin("killed", _FAST, group="f" * 16)
    with _workers(ground) as arrived:
        kills = _kill_again_and_again(ground, endpoint_url)
        in_doubt = Progress(ground.jobs.batches("killed")).in_doubt
        if in_doubt:
            _resend_doubtful(ground, endpoint_url)
        sleep(2)
    after = _kept(ground, lambda _: True)
    counted = Counter(event for event in arrived if event.startswith("meant"))
    case = f"{_MEANT:,} of {len(before) + _MEANT:,} dead letters, one of {_GROUPS} groups, mover killed {kills} times"
    return [
        Row("redriving, moved twice", case, sum(count > 1 for count in counted.values()), "", 0),
        Row("redriving, not moved", case, len({*meant} - {*counted}), "", 0),
        Row("redriving, held back until somebody said so", case, in_doubt, ""),
        Row("redriving, other letters not as they were", case, len(set(before.items()) ^ set(after.items())), "", 0),
    ]


def _kill_again_and_again(ground: RedriveGround, endpoint_url: str) -> int:
    """Run the mover until the job is over; kill it twenty times. Returns how often that was."""
    random, kills = Random(7), 0
    command = [sys.executable, "-m", "benchmarks.redrive_mover", endpoint_url, "killed"]
    while True:
        mover = subprocess.Popen(command, cwd=ROOT)
        try:
            mover.wait(random.uniform(1.5, 4) if kills < _KILLS else None)
        except subprocess.TimeoutExpired:
            mover.send_signal(signal.SIGKILL)
            mover.wait()
            kills += 1
        job = ground.jobs.look("killed")
        if job is None or job.is_over:
            return kills


def _resend_doubtful(ground: RedriveGround, endpoint_url: str) -> None:
    """Do as `redrive resume --resend-doubtful` does."""
    job = ground.jobs.look("killed")
    assert job is not None
    resumed = replace(job, state=State.RUNNING, places_done=0, runs=2, resends_doubtful=True)
    assert ground.jobs.reopen(resumed, State.DONE)
    subprocess.run([sys.executable, "-m", "benchmarks.redrive_mover", endpoint_url, "killed"], cwd=ROOT, check=True)


@contextmanager
def _workers(ground: RedriveGround) -> Iterator[list[str]]:
    """Take what arrives, and tell of it as the log does; yields the events that came."""
    arrived: list[str] = []
    is_over = Event()
    thread = Thread(target=lambda: _work(ground, arrived, is_over))
    thread.start()
    try:
        yield arrived
    finally:
        is_over.set()
        thread.join()


def _work(ground: RedriveGround, arrived: list[str], is_over: Event) -> None:
    url = ground.url(EVENTS)
    while not is_over.is_set():
        answer = ground.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
        for message in answer.get("Messages", ()):
            arrived.append(json.loads(message["Body"])["id"])
            trail = Trail.written(message["MessageAttributes"][ATTRIBUTE]["StringValue"], frozenset(), now())
            row = {
                "event_id": arrived[-1],
                "at": now().isoformat(),
                "state": "recovered",
                "redrive_id": trail.redrive_id,
            }
            ground.dynamodb.put_item(TableName=FAILED, Item={name: {"S": text} for name, text in row.items()})
            ground.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def _kept(ground: RedriveGround, is_meant: Callable[[str], bool]) -> dict[str, str]:
    """Return the dead letters as they are, by their ids; all of them are seen again at once."""
    place = ground.moving(_TURN).places[DEAD]
    found: list[Letter] = []
    while letters := place.take(300):
        found += letters
    place.release(found)
    whole = {
        one.message_id: json.dumps([one.event_id, one.record["body"], one.record["messageAttributes"]]) for one in found
    }
    return {message_id: text for message_id, text in whole.items() if is_meant(json.loads(text)[0])}


def _empty(ground: RedriveGround) -> None:
    ground.sqs.purge_queue(QueueUrl=ground.url(EVENTS))


@contextmanager
def _counted(ground: RedriveGround) -> Iterator[Counter[str]]:
    """Count the calls of SQS."""
    calls: Counter[str] = Counter()

    def count(model: Any, **_: object) -> None:
        calls[model.name] += 1

    clients = (ground.sqs, ground.once)
    for client in clients:
        client.meta.events.register("before-call.sqs", count)
    yield calls
    for client in clients:
        client.meta.events.unregister("before-call.sqs", count)


def _names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}-{number}" for number in range(count)]


def _seconds(call: Callable[[], object]) -> float:
    started = perf_counter()
    call()
    return perf_counter() - started
