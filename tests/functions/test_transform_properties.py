"""Whatever is put on the stream, and whatever fails: each record is stored, dropped or kept, and none is lost."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backstop import PermanentError, SystemFault, TransientError
from tests.fakes.faults import Fault
from tests.fakes.firehose_answers import MAX_PAYLOAD_BYTES
from tests.fakes.firehose_processor import Invocation
from tests.fakes.handler import Event
from tests.fakes.source import WorkerDied
from tests.stream_lane import Act, ScriptedTransform, StreamLane, stream_lane

CI: Final = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], database=None
)

STORED: Final[dict[str, Act]] = {
    "good": dict,
    "grows": lambda click: {"id": click["id"], "x": "x" * 2_000_000},
    "slow": dict,
}
FAILING: Final[dict[str, Act]] = {
    "transient": TransientError("later"),
    "system": SystemFault("no table"),
    "permanent": PermanentError("never"),
    "a bug": KeyError("sku"),
    "returns a list": lambda click: [click],
    "returns NaN": lambda click: click | {"x": math.nan},
    "returns half a character": lambda click: click | {"x": "\ud800"},
    "returns too much": lambda click: {"x": "x" * 6_000_000},
    "no JSON": dict,
}
SCRIPTS: Final[dict[str, Sequence[Act]]] = {
    **{name: [act] for name, act in (STORED | FAILING).items()},
    "dropped": [lambda click: None],
    "kills once": [WorkerDied("out of memory"), dict],
    "hangs": [dict],
}
SECONDS: Final = {"slow": 14, "hangs": 61}
DEADLY: Final = ("kills once", "hangs")
"""With these a batch may be transformed twice, or be kept as a whole although most of it is good."""


class Put(NamedTuple):
    """A record on the stream: how its click behaves, the click's id, and the record's data."""

    script: str
    click_id: str
    data: bytes


@dataclass(frozen=True)
class Scenario:
    """Records that are put on the stream in waves, a batch being transformed after each, and what fails around it."""

    waves: list[list[str]]
    faults: list[Fault | None]
    refusals: list[bool]
    deaths: list[bool]
    """Whether the worker dies when it has put records back, the first time, the second time, and so on."""

    def run(self, lane: StreamLane) -> list[Put]:
        """Let it all happen, and return what was put on the stream."""
        lane.forget()
        lane.faults.fail("PutRecordBatch", *self.faults)
        refusals, deaths = iter(self.refusals), iter(self.deaths)
        lane.stream.refuses = lambda data: next(refusals, False)
        lane.after_put = lambda: die() if next(deaths, False) else None
        puts = []
        for wave in self.waves:
            puts += [put(lane, script) for script in wave]
            lane.deliver()
        lane.run()
        return puts


def put(lane: StreamLane, script: str) -> Put:
    """Put a record on the stream of which nothing is like in another."""
    click = lane.click()
    lane.handler.will(click["id"], *[slowly(lane, script, act) for act in SCRIPTS[script]])
    whole = json.dumps(click).encode()
    [data] = lane.put(whole[:-1] if script == "no JSON" else whole)
    return Put(script, click["id"], data)


def slowly(lane: StreamLane, script: str, act: Act) -> Act:
    if script not in SECONDS or isinstance(act, BaseException):
        return act

    def run(click: Event) -> Any:
        lane.clock.advance(timedelta(seconds=SECONDS[script]))
        return act(click)

    return run


def die() -> None:
    raise WorkerDied("out of memory")


def scenarios(scripts: Sequence[str], faults: Sequence[Fault], deaths: st.SearchStrategy[bool]) -> Any:
    """Draw records that behave as `scripts`, while calls fail in these ways now and then."""
    often = [*scripts, *["grows", "slow"] * 4]  # or little would ever be put back
    return st.builds(
        Scenario,
        waves=st.lists(st.lists(st.sampled_from(often), min_size=1, max_size=10), min_size=1, max_size=3),
        faults=st.lists(st.sampled_from([None, None, *faults]), max_size=4),
        refusals=st.lists(st.booleans(), max_size=12),
        deaths=st.lists(deaths, max_size=3),
    )


STEADY: Final = scenarios(
    [name for name in SCRIPTS if name not in DEADLY],
    [fault for fault in Fault if not fault.takes_effect],
    st.just(False),
)
ANY: Final = scenarios(list(SCRIPTS), list(Fault), st.booleans())


@pytest.fixture(scope="module")
def lane() -> Iterator[StreamLane]:
    """One warm worker for all cases: nothing of one may show in the next."""
    with stream_lane(ScriptedTransform()) as lane:
        yield lane


def stored(lane: StreamLane, puts: Sequence[Put]) -> Counter[str]:
    """Return how often each click stands in data/; each was put there by a record of its own."""
    found = Counter(lane.stored_ids())
    assert set(found) <= {one.click_id for one in puts}
    return found


def kept(lane: StreamLane, puts: Sequence[Put]) -> Counter[str]:
    """Return how often each click's record stands in errors/, byte for byte as it was put."""
    ids = {one.data: one.click_id for one in puts}
    return Counter(ids[data] for data in lane.kept())


def assert_answer_is_one_that_firehose_takes(invocation: Invocation) -> None:
    answer: Any = invocation.answer
    assert invocation.error is None
    asked = [record["recordId"] for record in invocation.event["records"]]
    assert [entry["recordId"] for entry in answer["records"]] == asked
    assert len(json.dumps(answer, ensure_ascii=False).encode()) <= MAX_PAYLOAD_BYTES


@given(STEADY)
@CI
def test_every_record_ends_exactly_once_in_data_or_in_the_errors_or_is_dropped_by_its_handler(
    lane: StreamLane, scenario: Scenario
) -> None:
    puts = scenario.run(lane)
    in_data, in_errors = stored(lane, puts), kept(lane, puts)
    for one in puts:
        ends = in_data[one.click_id] + in_errors[one.click_id]
        assert ends == 1 or (one.script == "dropped" and ends == 0 and one.click_id in lane.handler.runs)


@given(STEADY)
@CI
def test_a_record_is_kept_only_for_its_own_failure_or_because_the_stream_did_not_take_it_back(
    lane: StreamLane, scenario: Scenario
) -> None:
    puts = scenario.run(lane)
    in_data, in_errors = stored(lane, puts), kept(lane, puts)
    not_put_back = sum(report["error_type"] == "NotPutBack" for report in lane.worker.reports())
    own = {one.click_id for one in puts if one.script in FAILING}
    assert not own & set(in_data)
    assert len(set(in_errors) - own) <= not_put_back
    assert sum(in_errors.values()) == len(lane.worker.reports())


@given(STEADY)
@CI
def test_every_answer_is_one_that_firehose_takes(lane: StreamLane, scenario: Scenario) -> None:
    scenario.run(lane)
    for invocation in lane.invocations:
        assert_answer_is_one_that_firehose_takes(invocation)


@given(ANY)
@CI
def test_no_record_is_lost_although_workers_die_and_answers_too(lane: StreamLane, scenario: Scenario) -> None:
    puts = scenario.run(lane)
    found = stored(lane, puts) + kept(lane, puts)
    for one in puts:
        assert one.click_id in found or (one.script == "dropped" and one.click_id in lane.handler.runs)
    for invocation in lane.invocations:
        if not isinstance(invocation.error, WorkerDied):
            assert_answer_is_one_that_firehose_takes(invocation)
