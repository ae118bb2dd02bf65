"""How far it has come is never forgotten and never made up, and only one replay at a time writes it down."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.failure import CallFailed
from ops.replay.checkpoint import Checkpoint, CheckpointUnusable, Store
from tests.ops.replay.ground import KEY, Ground, numbered

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ETAG = '"an etag"'
WRITTEN = f"replay/{KEY}.json"
BEGUN = Checkpoint(ETAG, 10).begin([1, 2, 5])


class TestRecords:
    def test_all_wait_at_first(self) -> None:
        assert (Checkpoint(ETAG, 3).waiting, Checkpoint(ETAG, 3).sent) == ([0, 1, 2], 0)

    def test_those_of_a_call_that_was_begun_neither_wait_nor_are_they_sent(self) -> None:
        assert (BEGUN.waiting, BEGUN.sending, BEGUN.sent) == ([0, 3, 4, 6, 7, 8, 9], (1, 2, 5), 0)

    def test_those_that_an_answer_took_are_sent_and_those_that_it_refused_wait_again(self) -> None:
        ended = BEGUN.end([1, 2, 5], [2])
        assert (ended.waiting, ended.sending, ended.sent) == ([0, 2, 3, 4, 6, 7, 8, 9], (), 2)

    def test_those_in_doubt_stay_in_doubt_over_other_calls(self) -> None:
        later = BEGUN.begin([6, 7]).end([6, 7], [])
        assert (later.waiting, later.sending, later.sent) == ([0, 3, 4, 8, 9], (1, 2, 5), 2)

    def test_those_in_doubt_stay_so_until_a_call_for_them_is_answered(self) -> None:
        again = BEGUN.begin([1, 2])
        assert (again.waiting, again.sending) == (BEGUN.waiting, BEGUN.sending)
        assert again.end([1], []).sending == (2, 5)

    @given(st.data())
    def test_each_is_in_one_place_at_any_time_and_where_it_belongs(self, data: st.DataObject) -> None:
        places = dict.fromkeys(range(data.draw(st.integers(1, 12))), "waiting")
        checkpoint = Checkpoint(ETAG, len(places))
        while "waiting" in places.values() and data.draw(st.booleans(), "goes on"):
            batch = data.draw(st.lists(st.sampled_from(at("waiting", places)), min_size=1, unique=True))
            checkpoint = checkpoint.begin(batch)
            places |= dict.fromkeys(batch, "sending")
            if data.draw(st.booleans(), "is answered"):
                refused = data.draw(st.lists(st.sampled_from(batch), unique=True))
                checkpoint = checkpoint.end(batch, refused)
                places |= dict.fromkeys(batch, "sent") | dict.fromkeys(refused, "waiting")
            if bool(at("sending", places)) and data.draw(st.booleans(), "sends the doubtful again"):
                again = data.draw(st.lists(st.sampled_from(at("sending", places)), unique=True))
                checkpoint = checkpoint.begin(again).end(again, [])
                places |= dict.fromkeys(again, "sent")
            assert (checkpoint.waiting, list(checkpoint.sending)) == (at("waiting", places), at("sending", places))
            assert checkpoint.sent == len(at("sent", places))


def at(place: str, places: dict[int, str]) -> list[int]:
    return [position for position, where in places.items() if where == place]


class TestStore:
    def test_without_one_nothing_was_sent(self, ground: Ground, s3: S3Client) -> None:
        assert Store(s3, ground.bucket).read(KEY, ETAG, 10) == Checkpoint(ETAG, 10)

    def test_whoever_comes_later_reads_what_was_written_last(self, ground: Ground, s3: S3Client) -> None:
        store = Store(s3, ground.bucket)
        for checkpoint in (Checkpoint(ETAG, 10), BEGUN, BEGUN.end([1, 2, 5], [5])):
            store.write(KEY, checkpoint)
            assert Store(s3, ground.bucket).read(KEY, ETAG, 10) == checkpoint

    def test_each_object_has_its_own(self, ground: Ground, s3: S3Client) -> None:
        store = Store(s3, ground.bucket)
        store.write(KEY, BEGUN)
        assert store.read(f"{KEY}.json", ETAG, 10) == Checkpoint(ETAG, 10)
        assert set(ground.contents()) == {WRITTEN}

    @pytest.mark.parametrize("reads_first", [False, True], ids=["none was there", "one was there"])
    def test_two_that_read_the_same_cannot_both_write(self, ground: Ground, s3: S3Client, reads_first: bool) -> None:
        if reads_first:
            Store(s3, ground.bucket).write(KEY, Checkpoint(ETAG, 10))
        one, other = Store(s3, ground.bucket), Store(s3, ground.bucket)
        for store in (one, other):
            store.read(KEY, ETAG, 10)
        one.write(KEY, BEGUN)
        with pytest.raises(CallFailed, match=f"^another replay is at work on {KEY}: this one stops$"):
            other.write(KEY, Checkpoint(ETAG, 10).begin([7]))
        assert Store(s3, ground.bucket).read(KEY, ETAG, 10) == BEGUN

    def test_whoever_was_overtaken_can_write_no_more(self, ground: Ground, s3: S3Client) -> None:
        one, other = Store(s3, ground.bucket), Store(s3, ground.bucket)
        one.write(KEY, BEGUN)
        other.read(KEY, ETAG, 10)
        other.write(KEY, BEGUN.begin([6]))
        for _ in range(2):
            with pytest.raises(CallFailed, match="another replay"):
                one.write(KEY, BEGUN.end([1, 2, 5], []))


def fields(**but: Any) -> dict[str, Any]:
    return {"version": 1, "etag": ETAG, "records": 3, "next": 2, "left": [0], "sending": [1]} | but


def without(name: str) -> dict[str, Any]:
    return {other: value for other, value in fields().items() if other != name}


UNUSABLE = {
    "empty": b"",
    "garbage": b"garbage",
    "cut off": json.dumps(fields()).encode()[:-4],
    "not UTF-8": b'{"version": "\xff"}',
    "nested too deep": b"[" * 100_000,
    "null": b"null",
    "a list": b"[1]",
    "a text": b'"version"',
    **{f"no {name}": without(name) for name in fields()},
    "a later version": fields(version=2),
    "a text for a number": fields(next="two"),
    "null for positions": fields(left=None),
    "texts for positions": fields(left=["a"]),
    "a position that is left and not reached": fields(left=[2]),
    "a position in doubt that is not reached": fields(sending=[7]),
    "a position before the first": fields(left=[-1]),
    "the etag of another version": fields(etag='"another"'),
    "another count of records": fields(records=4),
}


def stored(body: Any, etag: str) -> bytes:
    """Return the bytes of a checkpoint, and let it be of the object as far as it means to be."""
    if isinstance(body, bytes):
        return body
    return json.dumps(body | {"etag": etag} if body.get("etag") == ETAG else body).encode()


class TestUnusable:
    @pytest.mark.parametrize("body", UNUSABLE.values(), ids=UNUSABLE)
    def test_one_is_named(self, ground: Ground, s3: S3Client, body: Any) -> None:
        ground.write(WRITTEN, stored(body, ETAG))
        with pytest.raises(CheckpointUnusable, match=f"^{WRITTEN} (cannot be read|does not add up|is of another)"):
            Store(s3, ground.bucket).read(KEY, ETAG, 3)

    @pytest.mark.parametrize("body", UNUSABLE.values(), ids=UNUSABLE)
    def test_its_object_is_left_alone_and_the_others_go_on(self, ground: Ground, body: Any) -> None:
        ground.keep(KEY, *numbered(3))
        ground.keep(f"{KEY}-later", b"later")
        ground.write(WRITTEN, stored(body, ground.contents()[KEY].etag))
        before = ground.contents()

        outcome = ground.replay(resend_doubtful=True)

        assert list(outcome.unreadable) == [KEY]
        assert WRITTEN in outcome.unreadable[KEY]
        assert (outcome.objects, outcome.sent, outcome.is_complete) == (1, 1, False)
        assert ground.unmarked() == [b"later"]
        assert before.items() <= ground.contents().items()

    def test_one_with_nothing_wrong_is_of_use(self, ground: Ground) -> None:
        """Or the test above would see nothing."""
        records = numbered(3)
        ground.keep(KEY, *records)
        ground.write(WRITTEN, stored(fields(), ground.contents()[KEY].etag))
        assert ground.replay().in_doubt == {KEY: 1}
        assert ground.unmarked() == [records[0], records[2]]

    def test_an_object_that_was_written_anew_is_not_taken_for_the_old_one(self, ground: Ground) -> None:
        ground.keep(KEY, *numbered(3))
        ground.replay()
        ground.keep(KEY, *numbered(3, "other"))
        outcome = ground.replay()
        assert outcome.unreadable == {KEY: f"{WRITTEN} is of another version of it"}
        assert ground.unmarked() == numbered(3)

    def test_whoever_deletes_it_sends_all_again_as_it_says(self, ground: Ground, s3: S3Client) -> None:
        ground.keep(KEY, *numbered(3))
        ground.replay()
        ground.write(WRITTEN, b"garbage")
        said = ground.replay().unreadable[KEY]
        assert said.endswith("if you delete it, all of the object is sent again")
        s3.delete_object(Bucket=ground.bucket, Key=WRITTEN)
        assert ground.replay().is_complete
        assert ground.unmarked() == numbered(3) * 2
