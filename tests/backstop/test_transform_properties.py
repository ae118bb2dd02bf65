"""Whatever a batch holds, whatever a transform does and whatever the stream takes back: what holds in every case."""

from __future__ import annotations

import gzip
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from functools import reduce
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backstop.errors import SystemFault, TransientError
from backstop.rounds import MAX_ROUNDS, Mark, unmark
from backstop.transform import Answer, Record, Transform
from tests.backstop import MARKER
from tests.backstop.test_transform import (
    Stream,
    answered,
    as_it_is,
    click,
    drop_robots,
    quoting,
    records,
    refuse,
    results,
    take,
)

CI: Final = settings(deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError(MARKER)


class Unreadable(Exception):
    """An error whose every attribute fails, as those of some clients do."""

    @property
    def response(self) -> Any:
        raise RuntimeError(MARKER)

    sqlstate = status = code = response


def raising(error: Exception) -> Transform:
    def transform(event: dict[str, Any]) -> Any:
        raise error.with_traceback(None)

    return transform


def returning(value: Any) -> Transform:
    return lambda event: value


def put_into_itself(event: dict[str, Any]) -> Any:
    event["name"] = event
    return event


DEEP: Final[dict[str, Any]] = reduce(lambda inner, _: {"x": inner}, range(100_000), {})
FAILURES: Final[Mapping[str, tuple[Transform, str, str]]] = {
    "raises": (quoting, "ValueError", "permanent"),
    "raises KeyError": (lambda event: event[event["name"]], "KeyError", "permanent"),
    "raises TransientError": (raising(TransientError("later")), "TransientError", "transient"),
    "raises SystemFault": (raising(SystemFault("no key")), "SystemFault", "system"),
    "raises ConnectionError": (raising(ConnectionError("gone")), "ConnectionError", "transient"),
    "raises a team's own": (raising(Unprintable()), "Unprintable", "unknown"),
    "raises what cannot be read": (raising(Unreadable("?")), "Unreadable", "unknown"),
    "raises half a character": (raising(RuntimeError("\ud800")), "RuntimeError", "unknown"),
    "raises MemoryError": (raising(MemoryError()), "MemoryError", "system"),
    "raises StopIteration": (raising(StopIteration()), "StopIteration", "unknown"),
    "raises a group": (raising(ExceptionGroup("several", [ValueError(MARKER)])), "ExceptionGroup", "unknown"),
    "returns 100,000 levels": (returning(DEEP), "RecursionError", "permanent"),
    "returns a list": (returning([MARKER]), "TypeError", "permanent"),
    "returns a text": (returning(MARKER), "TypeError", "permanent"),
    "returns true": (returning(True), "TypeError", "permanent"),
    "returns bytes within": (returning({"x": MARKER.encode()}), "TypeError", "permanent"),
    "returns a set within": (returning({"x": {MARKER}}), "TypeError", "permanent"),
    "returns a key that is none": (returning({(MARKER,): 1}), "TypeError", "permanent"),
    "returns NaN": (returning({"x": float("nan")}), "ValueError", "permanent"),
    "returns Infinity": (returning({"x": [float("-inf")]}), "ValueError", "permanent"),
    "returns half a character": (returning({"x": MARKER + "\udc00"}), "UnicodeEncodeError", "permanent"),
    "returns half a character as a key": (returning({MARKER + "\ud800": 1}), "UnicodeEncodeError", "permanent"),
    "returns 5,000 digits": (returning({"x": 10**5000}), "ValueError", "permanent"),
    "returns itself in itself": (put_into_itself, "ValueError", "permanent"),
}


@pytest.mark.parametrize(("transform", "error_type", "kind"), FAILURES.values(), ids=FAILURES)
def test_a_transform_that_fails_fails_its_record_alone_and_nothing_is_told_of_it(
    transform: Transform, error_type: str, kind: str
) -> None:
    def fail_on_b(event: dict[str, Any]) -> dict[str, Any] | None:
        return transform(event) if event["id"] == "b" else event

    stream = Stream()
    batch = records(click("a"), click("b", name=MARKER), click("c"))
    answers = answered(batch, fail_on_b, stream)
    assert results(answers) == ["Ok", "ProcessingFailed", "Ok"]
    assert answers[1]["data"] == batch[1]["data"]
    [report] = stream.reports
    assert (report.error_type, report.kind) == (error_type, kind)
    assert (report.record_id, report.event_id, report.attempt) == ("r-1", "b", 1)
    assert MARKER not in json.dumps(report.fields())
    json.dumps(report.fields(), ensure_ascii=False).encode()


BOMB: Final = gzip.compress(b" " * 11 * 1024 * 1024)
DOCUMENTS: Final = st.sampled_from(
    [
        click("a"),
        click("robot"),
        click("a") + b"\n" + click("robot") + click("b"),
        click("é", x="\U0001f600"),
        b"{}",
        b"",
        b"null",
        b'{"id": NaN}',
        b'{"id": "\\ud800"}',
        b'{"id": 1, "x": ' + b"9" * 5000 + b"}",
        b'{"x": ' + b"9" * 4000 + b"}",
        b"[" * 10_000,
        b'{"x": ' * 64 + b"1" + b"}" * 64,
        gzip.compress(click("a")),
        gzip.compress(click("a"))[:-3],
        gzip.compress(click("a")) + b"?",
        BOMB,
    ]
)
DATA: Final = (
    DOCUMENTS
    | st.binary(max_size=40)
    | st.builds(Mark.before, st.builds(Mark, st.integers(0, MAX_ROUNDS + 1)), DOCUMENTS)
)
BASE64: Final = DATA.map(lambda data: b64encode(data).decode())
SPOILT: Final = (
    BASE64.map(lambda text: text + "=")
    | BASE64.map(lambda text: text[:-1])
    | BASE64.map(lambda text: text + "é")
    | st.text(max_size=20)
    | st.text(st.characters(categories=["Cs"]), min_size=1, max_size=3)
    | st.none()
    | st.integers()
    | st.lists(st.text(max_size=3), max_size=2)
)
RECORDS: Final = st.fixed_dictionaries({"recordId": st.text(max_size=60)}, optional={"data": BASE64 | SPOILT})


@given(
    st.lists(RECORDS, max_size=6),
    st.sampled_from([as_it_is, drop_robots, *(transform for transform, _, _ in FAILURES.values())]),
    st.integers(0, 8),
    st.booleans(),
)
@CI
def test_whatever_it_is_given_a_batch_is_answered_in_full(
    batch: list[Record], transform: Transform, readings: int, takes_back: bool
) -> None:
    clock = iter([60_000] * readings)
    stream = Stream(take if takes_back else refuse)
    answers = answered(batch, transform, stream, lambda: next(clock, 0))
    failed = [one["recordId"] for one in answers if one["result"] == "ProcessingFailed"]
    assert sorted(report.record_id for report in stream.reports) == sorted(failed)
    assert stream.counted == [len(stream.taken)]
    for there, one in zip(batch, answers, strict=True):
        assert one["result"] != "ProcessingFailed" or one["data"] in (there.get("data"), "")
        if one["result"] == "Ok":
            lines = b64decode(one["data"]).decode().split("\n")
            assert all(type(json.loads(line)) is dict for line in lines[:-1])
            assert lines[-1] == ""


class Scripted(NamedTuple):
    """A record and what its transform does: store so many characters, drop it, fail; or it is no event at all."""

    script: int | str
    rounds: int
    is_refused: bool


SIZES: Final = (10, 1_000, 1_300_000, 3_000_000, 4_600_000)


def run(event: dict[str, Any]) -> dict[str, Any] | None:
    script = event["script"]
    if script == "fails":
        raise ValueError("no")
    return None if script == "drops" else {"id": event["id"], "x": "y" * script}


def data_of(number: int, scripted: Scripted) -> bytes:
    data = click(f"{number}", script=scripted.script)
    data = data[:-1] if scripted.script == "is no event" else data
    return Mark(scripted.rounds, 3).before(data) if scripted.rounds else data


def fates(data: bytes, script: int | str, one: Answer, stream: Stream) -> list[str]:
    """Return all that became of a record, from what can be seen outside."""
    mark, original = unmark(data)
    times = stream.taken.count(mark._replace(rounds=mark.rounds + 1).before(original))
    back = ["put back"] * times if one["result"] == "Dropped" else ["put back, and answered for"] * times
    match one["result"], script:
        case "Dropped", "drops" if not back:
            return ["dropped by its transform"]
        case "Ok", int() if json.loads(b64decode(one["data"])) == run(json.loads(original)):
            return [*back, "delivered"]
        case "ProcessingFailed", _:
            return [*back, "failed"]
        case _:
            return back


@given(
    st.lists(
        st.builds(
            Scripted,
            st.sampled_from([*SIZES, "drops", "fails", "is no event"]),
            st.sampled_from([0, 0, 0, 1, MAX_ROUNDS - 1, MAX_ROUNDS, MAX_ROUNDS + 1]),
            st.booleans(),
        ),
        max_size=7,
    ),
    st.integers(0, 9) | st.just(99),
)
@settings(CI, max_examples=60)
def test_each_record_is_delivered_or_dropped_or_failed_or_put_back_and_only_one_of_these(
    batch: list[Scripted], readings: int
) -> None:
    clock = iter([60_000] * readings)
    data = [data_of(number, scripted) for number, scripted in enumerate(batch)]
    refused = {unmark(one)[1] for one, scripted in zip(data, batch, strict=True) if scripted.is_refused}
    stream = Stream(why_not=lambda marked: "no" * (unmark(marked)[1] in refused))
    answers = answered(records(*data), run, stream, lambda: next(clock, 0))
    seen = [fates(*one, stream) for one in zip(data, (one.script for one in batch), answers, strict=True)]
    assert [len(each) for each in seen] == [1] * len(batch)
    assert seen.count(["put back"]) == len(stream.taken)
    failed = [f"r-{number}" for number, each in enumerate(seen) if each == ["failed"]]
    assert sorted(report.record_id for report in stream.reports) == failed
