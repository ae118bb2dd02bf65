"""Orders through the whole stack on the local AWS, against a bare handler with one put."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from statistics import median
from time import perf_counter, sleep

from benchmarks.table import Row
from ops.drill import plan
from ops.drill.ground import Ground
from ops.local import emulator
from ops.local.deploy import deploy, deploy_template
from ops.local.state import ROOT, LocalAws
from ops.sending import Entry, send
from ops.stack import Stack, local_session, queue_counts

_EVENTS = 500
_ROUNDS = 3


def measure() -> list[Row]:
    with emulator.running() as local_aws:
        bare, backstop = _deployed(local_aws)
        ground = Ground(backstop)
        found = []
        for number in range(_ROUNDS + 1):
            planned = plan.make(_EVENTS, number, f"bench{number}", datetime.now(UTC))
            ground.stock_up(planned)
            bodies = [event.body for event in planned.events if event.sort is plan.Sort.GOOD]
            taken = [_run(stack, queue, bodies) for stack, queue in ((bare, "BareQueue"), (backstop, "EventsQueue"))]
            if number:  # the first round starts workers
                found.append(taken[1] / taken[0])
    return [Row("end to end", f"{_EVENTS} orders on the local AWS", median(found), "a bare handler with one put")]


def _deployed(local_aws: LocalAws) -> tuple[Stack, Stack]:
    deploy_template(local_aws, "bare", ROOT / "benchmarks/bare/template.yaml")
    deploy(replace(local_aws, gateway_url=""), "backstop")  # the other one charges nothing, either
    return (
        Stack("bare", local_session(), local_aws.endpoint_url),
        Stack("backstop", local_session(), local_aws.endpoint_url),
    )


def _run(stack: Stack, queue: str, bodies: list[str]) -> float:
    """Return the seconds from the first event sent to the last one let go."""
    url = stack.queue_urls[queue]
    started = perf_counter()
    for _ in send(stack.sqs, url, [Entry.of(number, body) for number, body in enumerate(bodies)]):
        pass
    _wait_until(lambda: sum(queue_counts(stack, url)) == 0)
    return perf_counter() - started


def _wait_until(is_over: Callable[[], bool]) -> None:
    while not is_over():
        sleep(0.02)
