from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import time_machine
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyInconsistentStateError,
    IdempotencyPersistenceLayerError,
)
from botocore.exceptions import ClientError, EndpointConnectionError
from moto import mock_aws

from backstop.aws.idempotency import Idempotency
from backstop.errors import Crashed, NotYet, PermanentError, StoreUnavailable
from tests.backstop import NOW

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DEADLINE = timedelta(seconds=30)
DAY = timedelta(days=1)
TABLE = "idempotency"
SESSION = boto3.Session(region_name="eu-west-1")  # of all tests here: reading a service's model takes its time


class WorkerDied(BaseException):
    """Stands for the end of a worker's process: nothing after it is run."""


@dataclass
class Handler:
    """What an event runs: it fails as is said, and counts."""

    fails: BaseException | None = None
    runs: int = 0

    def __call__(self) -> None:
        self.runs += 1
        if self.fails is not None:
            raise self.fails


@dataclass
class Worker:
    """An execution environment of the function: an invocation with 30 s left, at the table that all of them share."""

    client: DynamoDBClient
    prefix: str = "process"

    def run(self, event_id: str, handler: Handler, *, again: bool = False) -> None:
        self.idempotency().run(event_id, handler, was_received_before=again)

    def die_over(self, event_id: str, *, again: bool = False) -> None:
        with pytest.raises(WorkerDied):
            self.run(event_id, Handler(WorkerDied()), again=again)

    def suspects(self, *event_ids: str) -> frozenset[str]:
        return self.idempotency().were_running(event_ids)

    def idempotency(self) -> Idempotency:
        idempotency = Idempotency(self.client, TABLE, self.prefix, DAY)
        context: Any = SimpleNamespace(get_remaining_time_in_millis=lambda: int(DEADLINE.total_seconds() * 1000))
        idempotency.begin(context)
        return idempotency


@pytest.fixture
def time() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def client(time: time_machine.Traveller) -> Iterator[DynamoDBClient]:
    with mock_aws():
        client = SESSION.client("dynamodb")
        client.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield client


@pytest.fixture
def worker(client: DynamoDBClient) -> Worker:
    return Worker(client)


def on(client: DynamoDBClient, event: str, act: Any) -> None:
    """Let `act` see what the client does, and answer in DynamoDB's place with whatever it returns."""
    client.meta.events.register(event, act)


def calls_of(client: DynamoDBClient) -> list[str]:
    """Return the operations that are called from now on."""
    calls: list[str] = []
    on(client, "before-call.dynamodb", lambda model, **_: calls.append(model.name))
    return calls


Failing = Callable[["DynamoDBClient", str], None]


def be_unreachable(client: DynamoDBClient, operation: str) -> None:
    def fail(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://dynamodb.example")

    on(client, f"before-call.dynamodb.{operation}", fail)


def failing_with(code: str, status: int) -> Failing:
    def fail(client: DynamoDBClient, operation: str) -> None:
        answer = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
        on(client, f"before-call.dynamodb.{operation}", lambda **_: (SimpleNamespace(status_code=status), answer))

    return fail


FAILURES: Mapping[str, Failing] = {
    "unreachable": be_unreachable,
    "throttled": failing_with("ProvisionedThroughputExceededException", 400),
    "denied": failing_with("AccessDeniedException", 400),
    "no table": failing_with("ResourceNotFoundException", 400),
    "internal": failing_with("InternalServerError", 500),
    "condition without an item": failing_with("ConditionalCheckFailedException", 400),
}
each_failure = pytest.mark.parametrize("fail", FAILURES.values(), ids=FAILURES)


class TestOnce:
    def test_a_fresh_event_costs_a_put_and_an_update(self, worker: Worker, client: DynamoDBClient) -> None:
        calls = calls_of(client)
        worker.run("a", handler := Handler())
        assert handler.runs == 1
        assert calls == ["PutItem", "UpdateItem"]

    def test_a_duplicate_costs_a_put_and_is_not_run(self, worker: Worker, client: DynamoDBClient) -> None:
        worker.run("a", Handler())
        calls = calls_of(client)
        worker.run("a", handler := Handler(), again=True)
        assert handler.runs == 0
        assert calls == ["PutItem"]

    def test_events_do_not_know_of_each_other(self, worker: Worker) -> None:
        worker.run("a", Handler())
        worker.run("b", handler := Handler())
        assert handler.runs == 1

    def test_functions_do_not_know_of_each_other(self, worker: Worker, client: DynamoDBClient) -> None:
        worker.run("a", Handler())
        Worker(client, "transform").run("a", handler := Handler())
        assert handler.runs == 1

    def test_what_is_done_is_known_until_it_expires(self, worker: Worker, time: time_machine.Traveller) -> None:
        worker.run("a", handler := Handler())
        time.shift(DAY)
        worker.run("a", handler)
        assert handler.runs == 1
        time.shift(timedelta(seconds=1))
        worker.run("a", handler)
        assert handler.runs == 2

    def test_neither_ids_nor_answers_are_kept(self, worker: Worker, client: DynamoDBClient) -> None:
        worker.run("zoe@example.com", Handler())
        assert "zoe" not in repr(client.scan(TableName=TABLE)["Items"])


class TestFailure:
    def test_an_event_that_failed_runs_again(self, worker: Worker) -> None:
        with pytest.raises(PermanentError, match="boom"):
            worker.run("a", Handler(PermanentError("boom")))
        worker.run("a", handler := Handler(), again=True)
        assert handler.runs == 1

    @pytest.mark.parametrize(
        "error",
        [
            pytest.param(ValueError("boom"), id="own"),
            pytest.param(ClientError({"Error": {"Code": "Throttling"}}, "GetItem"), id="AWS"),
            pytest.param(EndpointConnectionError(endpoint_url="u"), id="network"),
            pytest.param(NotYet(NOW), id="not yet"),
            pytest.param(Crashed("boom"), id="crashed"),
            pytest.param(IdempotencyAlreadyInProgressError("boom"), id="its own idempotency, in progress"),
            pytest.param(IdempotencyInconsistentStateError("boom"), id="its own idempotency, inconsistent"),
            pytest.param(IdempotencyPersistenceLayerError("boom", ValueError("x")), id="its own idempotency, no store"),
        ],
    )
    def test_a_handlers_error_is_raised_as_it_is(self, worker: Worker, error: Exception) -> None:
        handler = Handler(error)
        with pytest.raises(type(error)) as caught:
            worker.run("a", handler)
        assert caught.value is error
        assert handler.runs == 1


class TestRunsElsewhere:
    def test_it_waits_for_the_other_invocations_deadline(self, worker: Worker, time: time_machine.Traveller) -> None:
        worker.die_over("a")
        time.shift(timedelta(seconds=10))
        with pytest.raises(NotYet) as caught:
            worker.run("a", handler := Handler())
        assert caught.value.until == NOW + DEADLINE
        assert handler.runs == 0

    def test_a_moment_before_the_deadline_it_still_waits(self, worker: Worker, time: time_machine.Traveller) -> None:
        worker.die_over("a")
        time.shift(DEADLINE - timedelta(milliseconds=1))
        with pytest.raises(NotYet):
            worker.run("a", Handler())


AFTER_IT = DEADLINE


class TestDeadWorkers:
    def test_a_killer_is_not_run_a_third_time(self, worker: Worker, time: time_machine.Traveller) -> None:
        worker.die_over("a")
        time.shift(AFTER_IT)
        worker.die_over("a", again=True)
        time.shift(AFTER_IT)
        with pytest.raises(Crashed, match="2 workers died"):
            worker.run("a", handler := Handler(), again=True)
        assert handler.runs == 0

    def test_an_event_whose_worker_died_once_may_yet_be_done(
        self, worker: Worker, time: time_machine.Traveller
    ) -> None:
        worker.die_over("a")
        time.shift(AFTER_IT)
        worker.run("a", Handler(), again=True)
        worker.run("a", duplicate := Handler(), again=True)
        assert duplicate.runs == 0

    def test_a_copy_that_no_worker_had_before_is_not_blamed(self, worker: Worker, time: time_machine.Traveller) -> None:
        worker.die_over("a")
        for _ in range(3):
            time.shift(AFTER_IT)
            worker.die_over("a")

    def test_a_killer_that_was_redriven_runs_anew(self, worker: Worker, time: time_machine.Traveller) -> None:
        worker.die_over("a")
        time.shift(AFTER_IT)
        worker.die_over("a", again=True)
        time.shift(AFTER_IT)
        with pytest.raises(Crashed):
            worker.run("a", Handler(), again=True)
        worker.run("a", redriven := Handler())
        assert redriven.runs == 1

    def test_failing_is_not_dying(self, worker: Worker, time: time_machine.Traveller) -> None:
        worker.die_over("a")
        time.shift(AFTER_IT)
        with pytest.raises(ValueError, match="boom"):
            worker.run("a", Handler(ValueError("boom")), again=True)
        worker.die_over("a", again=True)
        time.shift(AFTER_IT)
        worker.run("a", handler := Handler(), again=True)
        assert handler.runs == 1

    @pytest.mark.parametrize("again", [True, False], ids=["received before", "another delivery"])
    def test_of_two_that_take_over_one_runs(
        self, worker: Worker, client: DynamoDBClient, time: time_machine.Traveller, again: bool
    ) -> None:
        worker.die_over("a")
        time.shift(AFTER_IT)
        in_between(client, lambda: worker.die_over("a", again=True))
        with pytest.raises(NotYet) as caught:
            worker.run("a", handler := Handler(), again=again)
        assert handler.runs == 0
        assert caught.value.until == NOW + AFTER_IT + DEADLINE

    def test_what_another_finished_in_between_is_done(
        self, worker: Worker, client: DynamoDBClient, time: time_machine.Traveller
    ) -> None:
        worker.die_over("a")
        time.shift(AFTER_IT)
        in_between(client, lambda: worker.run("a", Handler(), again=True))
        worker.run("a", handler := Handler(), again=True)
        assert handler.runs == 0


def in_between(client: DynamoDBClient, other: Callable[[], None]) -> None:
    """Let something happen after the next put has found a record, and before the one that takes it over."""
    puts = iter([lambda: None, other])

    def before(**_: Any) -> None:
        next(puts, lambda: None)()

    on(client, "before-call.dynamodb.PutItem", before)


class TestStoreUnavailable:
    @each_failure
    def test_an_event_is_not_run_when_nothing_is_known_of_it(
        self, worker: Worker, client: DynamoDBClient, fail: Failing
    ) -> None:
        fail(client, "PutItem")
        with pytest.raises(StoreUnavailable):
            worker.run("a", handler := Handler())
        assert handler.runs == 0

    @each_failure
    def test_an_event_that_cannot_be_marked_as_done_is_not_done(
        self, worker: Worker, client: DynamoDBClient, fail: Failing
    ) -> None:
        fail(client, "UpdateItem")
        with pytest.raises(StoreUnavailable):
            worker.run("a", handler := Handler())
        assert handler.runs == 1

    @each_failure
    def test_a_record_that_cannot_be_deleted_hides_no_error_and_runs_out(
        self, worker: Worker, client: DynamoDBClient, time: time_machine.Traveller, fail: Failing
    ) -> None:
        fail(client, "DeleteItem")
        with pytest.raises(ValueError, match="boom"):
            worker.run("a", Handler(ValueError("boom")))
        time.shift(AFTER_IT)
        worker.run("a", handler := Handler())
        assert handler.runs == 1

    @each_failure
    def test_nobody_is_suspect_nor_innocent(self, worker: Worker, client: DynamoDBClient, fail: Failing) -> None:
        fail(client, "BatchGetItem")
        with pytest.raises(StoreUnavailable):
            worker.suspects("a")


class TestWereRunning:
    def test_names_those_whose_worker_died(self, worker: Worker, time: time_machine.Traveller) -> None:
        worker.die_over("dead")
        worker.run("done", Handler())
        time.shift(AFTER_IT)
        worker.die_over("running")
        assert worker.suspects("dead", "done", "running", "unheard of") == {"dead"}

    def test_asks_about_a_hundred_at_a_time(
        self, worker: Worker, client: DynamoDBClient, time: time_machine.Traveller
    ) -> None:
        for event_id in ("e-0", "e-100", "e-249"):
            worker.die_over(event_id)
        time.shift(AFTER_IT)
        calls = calls_of(client)
        assert worker.suspects(*(f"e-{number}" for number in range(250))) == {"e-0", "e-100", "e-249"}
        assert calls == ["BatchGetItem"] * 3

    def test_costs_nothing_when_nobody_is_asked_about(self, worker: Worker, client: DynamoDBClient) -> None:
        calls = calls_of(client)
        assert worker.suspects() == frozenset()
        assert calls == []
