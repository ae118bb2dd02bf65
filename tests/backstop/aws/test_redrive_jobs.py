"""The table of redrives: what is written down comes back, once, whatever answer was lost and whoever else writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from backstop.aws.redrive_claims import claim
from backstop.aws.redrive_jobs import RedriveJobs
from backstop.errors import StoreUnavailable
from backstop.redrive import LEASE, Batch, Job, Sending, Sent, State
from backstop.selection import Selection
from tests.backstop import NOW
from tests.fakes.faults import Fault, Faults
from tests.fakes.parking_contract import client_of
from tests.template.tables import make_table

TABLE: Final = "redrives"
JOB: Final = Job("r1", Selection(group="a" * 16), ("shop-dead",), 10.0, True, NOW)
LETTERS: Final = tuple(Sending(f"m-{number}", f"e-{number}") for number in range(10))
BATCH: Final = Batch(13, Sent.SENDING, NOW, LETTERS)

moments = st.integers(min_value=1, max_value=4_000_000_000_000).map(
    lambda millis: datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=millis)
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
numbers = st.integers(min_value=0, max_value=1_000_000)
selections = st.builds(
    Selection,
    group=texts,
    reason=texts,
    died_before=st.none() | moments,
    frozen_at=st.none() | moments,
    event_ids=st.lists(texts, max_size=3).map(tuple),
    max_redrives=st.none() | numbers,
)
jobs = st.builds(
    Job,
    id=st.just("r1"),
    selection=selections,
    places=st.lists(texts, max_size=3).map(tuple),
    rate=st.integers(min_value=1, max_value=500).map(float) | st.sampled_from([0.1, 0.25, 2.5]),
    is_canary=st.booleans(),
    begun_at=moments,
    by=texts,
    command=texts,
    expected=numbers,
    state=st.sampled_from(State),
    note=texts,
    step=st.integers(min_value=0, max_value=3),
    watching_since=st.none() | moments,
    places_done=numbers,
    runs=numbers,
    resends_doubtful=st.booleans(),
    hidden_until=st.none() | moments,
)
sendings = st.lists(st.builds(Sending, texts, texts, st.booleans()), max_size=10).map(tuple)
batches = st.builds(
    Batch,
    number=st.integers(min_value=1, max_value=99_999_999),
    state=st.sampled_from(Sent),
    at=moments,
    letters=sendings,
    count=numbers,
    doubtful=sendings,
)


@pytest.fixture
def table() -> Iterator[RedriveJobs]:
    with mock_aws():
        client: Any = client_of("dynamodb")
        make_table(client, TABLE, "RedriveTable")
        yield RedriveJobs(client, TABLE)


@pytest.fixture
def faults(table: RedriveJobs) -> Iterator[Faults]:
    """Let calls to the table fail."""
    faults = Faults()
    with faults.installed(table._client):
        yield faults


class RepeatingClient:
    """A client that got no answer to its first call of each kind, and has made it again by itself."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        def call(**request: Any) -> Any:
            getattr(self._client, name)(**request)
            return getattr(self._client, name)(**request)

        return call


@pytest.fixture
def repeating(table: RedriveJobs) -> RedriveJobs:
    """Return the same table, where each call is made twice."""
    client: Any = RepeatingClient(table._client)
    return RedriveJobs(client, TABLE)


class TestAJob:
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
    @given(job=jobs, number=st.integers(min_value=0))
    def test_comes_back_as_it_was_written(self, table: RedriveJobs, job: Job, number: int) -> None:
        job = replace(job, id=f"r{number}-{hash(job)}")
        assert table.create(job)
        assert table.look(job.id) == job

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
    @given(job=jobs)
    def test_that_changes_comes_back_as_it_is_now(self, table: RedriveJobs, job: Job) -> None:
        first = replace(JOB, id=f"r-{hash(job)}")
        table.create(first)
        changed = replace(
            first,
            state=job.state,
            note=job.note,
            step=job.step,
            watching_since=job.watching_since,
            places_done=job.places_done,
            resends_doubtful=job.resends_doubtful,
            runs=job.runs,
            hidden_until=job.hidden_until,
        )
        known = table.look(first.id)
        assert known is not None
        assert table.reopen(changed, known.state)
        assert table.look(first.id) == changed

    def test_of_that_id_is_made_once(self, table: RedriveJobs) -> None:
        assert table.create(JOB)
        assert not table.create(replace(JOB, by="somebody else"))
        assert table.look("r1") == JOB

    def test_that_is_not_known_is_none(self, table: RedriveJobs) -> None:
        table.begin("r1", BATCH)
        assert table.look("r1") is None

    def test_is_ours_where_only_the_first_answer_was_lost(self, repeating: RedriveJobs) -> None:
        assert repeating.create(JOB)

    @pytest.mark.parametrize("rate", [10.0, 0.5])
    def test_is_written_with_numbers_as_dynamodb_gives_them_back(self, table: RedriveJobs, rate: float) -> None:
        """Else the same job would not be known again: DynamoDB says 10 of 10.0, which moto does not."""
        table.create(replace(JOB, rate=rate))
        item = table._client.get_item(TableName=TABLE, Key={"job": {"S": "r1"}, "part": {"S": "job"}})["Item"]
        written = [value["N"] for value in item.values() if "N" in value]
        assert [number for number in written if number.endswith(".0")] == []

    def test_changes_only_while_it_runs(self, table: RedriveJobs) -> None:
        table.create(JOB)
        table.lease("r1", "one", NOW)
        assert table.change(replace(JOB, state=State.CANCELLED), "one")
        assert not table.change(replace(JOB, step=2), "one")
        known = table.look("r1")
        assert known == replace(JOB, state=State.CANCELLED, turned_at=NOW)

    def test_is_changed_by_nobody_who_has_it_no_more(self, table: RedriveJobs) -> None:
        table.create(JOB)
        assert not table.change(replace(JOB, step=2), "one")
        table.lease("r1", "one", NOW)
        table.lease("r1", "other", NOW + LEASE)
        assert not table.change(replace(JOB, step=2), "one")
        assert table.change(replace(JOB, step=2), "other")

    def test_that_nobody_made_does_not_come_to_be_by_a_change(self, table: RedriveJobs) -> None:
        assert not table.change(JOB, "one")
        assert table.look("r1") is None

    def test_is_ended_although_the_answer_to_that_was_lost(self, table: RedriveJobs, repeating: RedriveJobs) -> None:
        table.create(JOB)
        table.lease("r1", "one", NOW)
        assert repeating.change(replace(JOB, state=State.DONE, note="through"), "one")

    def test_is_reopened_once(self, table: RedriveJobs, repeating: RedriveJobs) -> None:
        table.create(replace(JOB, state=State.STOPPED))
        assert repeating.reopen(replace(JOB, runs=2), State.STOPPED)
        assert not table.reopen(replace(JOB, runs=3), State.STOPPED)
        assert table.look("r1") == replace(JOB, runs=2)

    def test_that_somebody_else_has_ended_otherwise_is_not_taken_for_ours(self, table: RedriveJobs) -> None:
        table.create(replace(JOB, state=State.CANCELLED))
        assert not table.change(replace(JOB, state=State.DONE), "one")

    def test_is_listed_with_the_newest_first_and_without_batches_and_claims(self, table: RedriveJobs) -> None:
        for number in (2, 1, 3):
            table.create(replace(JOB, id=f"r{number}", begun_at=NOW + timedelta(hours=number)))
            table.begin(f"r{number}", BATCH)
        claim(table._client, TABLE, "a" * 16, "r9", NOW, NOW + timedelta(minutes=15))
        assert [job.id for job in table.all()] == ["r3", "r2", "r1"]


class TestABatch:
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
    @given(batch=batches)
    def test_comes_back_as_it_was_written(self, table: RedriveJobs, batch: Batch) -> None:
        job_id = f"r-{hash(batch)}"
        assert table.begin(job_id, batch)
        assert table.batches(job_id) == [batch]

    def test_is_begun_by_one_mover(self, table: RedriveJobs) -> None:
        assert table.begin("r1", BATCH)
        assert not table.begin("r1", replace(BATCH, letters=LETTERS[:5]))
        assert table.batches("r1") == [BATCH]

    def test_is_ours_where_only_the_first_answer_was_lost(self, repeating: RedriveJobs) -> None:
        assert repeating.begin("r1", BATCH)

    def test_that_has_come_further_is_not_begun_again(self, table: RedriveJobs) -> None:
        table.begin("r1", BATCH)
        table.write("r1", replace(BATCH, state=Sent.SENT, count=10))
        assert not table.begin("r1", BATCH)

    def test_of_another_job_may_have_its_number(self, table: RedriveJobs) -> None:
        assert table.begin("r1", BATCH)
        assert table.begin("r2", BATCH)

    def test_that_is_forgotten_leaves_its_number_free(self, table: RedriveJobs) -> None:
        table.begin("r1", BATCH)
        table.forget("r1", BATCH)
        assert table.batches("r1") == []
        assert table.begin("r1", replace(BATCH, letters=LETTERS[:5]))

    def test_of_another_mover_is_not_forgotten(self, table: RedriveJobs) -> None:
        table.begin("r1", BATCH)
        table.forget("r1", replace(BATCH, letters=LETTERS[:5]))
        assert table.batches("r1") == [BATCH]

    def test_that_is_not_known_is_forgotten_all_the_same(self, table: RedriveJobs) -> None:
        table.forget("r1", BATCH)
        assert table.batches("r1") == []

    def test_of_many_is_read_in_their_order_however_many_pages_that_takes(self, table: RedriveJobs) -> None:
        long = tuple(Sending("m" * 1000, f"{number}" * 50_000) for number in range(4))  # 200 KB: 5 of them make a page
        for number in (12, 1, 100, 2, 10_000_000, 9, 13):
            table.write("r1", Batch(number, Sent.SENT, NOW, long, 4))
        assert [batch.number for batch in table.batches("r1")] == [1, 2, 9, 12, 13, 100, 10_000_000]


class TestAClaim:
    def test_is_had_by_one_until_its_time_is_over(self, table: RedriveJobs) -> None:
        later = NOW + timedelta(minutes=15)
        assert claim(table._client, TABLE, "a" * 16, "r1", NOW, later)
        assert not claim(table._client, TABLE, "a" * 16, "r2", NOW, later)
        assert not claim(table._client, TABLE, "a" * 16, "r2", later - timedelta(seconds=1), later)
        assert claim(table._client, TABLE, "a" * 16, "r2", later, later + timedelta(minutes=15))

    def test_of_another_group_is_another_one(self, table: RedriveJobs) -> None:
        later = NOW + timedelta(minutes=15)
        assert claim(table._client, TABLE, "a" * 16, "r1", NOW, later)
        assert claim(table._client, TABLE, "b" * 16, "r2", NOW, later)

    def test_is_ours_where_only_the_first_answer_was_lost(self, table: RedriveJobs) -> None:
        client: Any = RepeatingClient(table._client)
        assert claim(client, TABLE, "a" * 16, "r1", NOW, NOW + timedelta(minutes=15))


class TestALease:
    def test_is_one_movers_until_it_runs_out_or_is_given_back(self, table: RedriveJobs) -> None:
        table.create(JOB)
        almost = NOW + LEASE - timedelta(seconds=1)
        assert table.lease("r1", "one", NOW)
        assert not table.lease("r1", "other", almost)
        assert table.lease("r1", "one", almost), "it is renewed"
        assert not table.lease("r1", "other", NOW + LEASE)
        assert table.lease("r1", "other", almost + LEASE), "whoever had it has died"
        table.release("r1", "one")
        assert not table.lease("r1", "one", almost + LEASE), "what is given back late is another one's"
        table.release("r1", "other")
        assert table.lease("r1", "one", almost + LEASE)

    @pytest.mark.parametrize("state", [State.CANCELLED, State.DONE, State.STOPPED])
    def test_is_nobodys_where_the_job_is_over(self, table: RedriveJobs, state: State) -> None:
        table.create(JOB)
        assert table.lease("r1", "one", NOW)
        assert table.reopen(replace(JOB, state=state), State.RUNNING)
        assert not table.lease("r1", "one", NOW)

    def test_is_not_to_be_had_of_a_job_that_is_not_there(self, table: RedriveJobs) -> None:
        assert not table.lease("r1", "one", NOW)
        assert table.look("r1") is None

    def test_keeps_when_somebody_was_at_it(self, table: RedriveJobs) -> None:
        table.create(JOB)
        table.lease("r1", "one", NOW)
        found = table.look("r1")
        assert found is not None
        assert found.turned_at == NOW


class TestATableThatDoesNotAnswer:
    @pytest.mark.parametrize("fault", Fault)
    def test_is_unavailable_whatever_is_asked(self, table: RedriveJobs, faults: Faults, fault: Fault) -> None:
        for operation in ("GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem"):
            faults.fail_always(operation, fault)
        asks: list[Callable[[], object]] = [
            lambda: table.look("r1"),
            lambda: table.all(),
            lambda: table.batches("r1"),
            lambda: table.create(JOB),
            lambda: table.change(JOB, "one"),
            lambda: table.reopen(JOB, State.STOPPED),
            lambda: table.begin("r1", BATCH),
            lambda: table.write("r1", BATCH),
            lambda: table.forget("r1", BATCH),
            lambda: table.lease("r1", "one", NOW),
            lambda: table.release("r1", "one"),
            lambda: claim(table._client, TABLE, "a" * 16, "r1", NOW, NOW),
        ]
        for ask in asks:
            with pytest.raises(StoreUnavailable, match="the table of redrives did not answer"):
                ask()
