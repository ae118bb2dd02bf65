"""What a replay meets that it did not write itself, and calls that S3 answers badly: named, and left alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ops.stack import Stack
from tests.ops.command import Command, command
from tests.ops.replay.ground import KEY, Ground

__all__ = ["command"]

OTHER = f"{KEY}-other"


class S3:
    """The bucket's client, but one operation does as a test says: it gets the client and the call's number."""

    def __init__(self, client: Any, operation: str, act: Callable[[Any, int, Any], Any]) -> None:
        self._client = client
        self._operation = operation
        self._act = act
        self._calls = 0

    def __getattr__(self, name: str) -> Any:
        return self._acted if name == self._operation else getattr(self._client, name)

    def _acted(self, **request: Any) -> Any:
        self._calls += 1
        return self._act(self._client, self._calls, request)


def refusal(code: str, status: int, operation: str) -> ClientError:
    metadata: Any = {"HTTPStatusCode": status}
    return ClientError({"Error": {"Code": code, "Message": code}, "ResponseMetadata": metadata}, operation)


@pytest.mark.parametrize(
    "fields",
    [
        {"next": -1},
        {"next": 5},
        {"next": 2.5},
        {"next": True},
        {"next": "2"},
        {"next": float("inf")},
        {"next": 2, "left": [0, 0]},
        {"next": 2, "sending": [0, 0]},
        {"next": 2, "left": [0], "sending": [0]},
        {"next": 2, "left": [2]},
        {"next": 3, "left": "12"},
        {"next": 2, "left": {"0": 1}},
        {"next": 1, "left": None},
        {"version": 2},
        {"records": 4},
    ],
    ids=str,
)
def test_a_checkpoint_that_does_not_add_up_sends_nothing(fields: dict[str, Any], ground: Ground) -> None:
    ground.keep(KEY, b"a", b"b", b"c")
    etag = ground.s3.head_object(Bucket=ground.bucket, Key=KEY)["ETag"]
    whole = {"version": 1, "etag": etag, "records": 3, "next": 0, "left": [], "sending": []}
    ground.write(f"replay/{KEY}.json", json.dumps(whole | fields).encode())

    outcome = ground.replay()

    assert list(outcome.unreadable) == [KEY]
    assert ground.arrived() == []


@pytest.mark.parametrize(("code", "status"), [("NoSuchKey", 404), ("InvalidObjectState", 403), ("AccessDenied", 403)])
def test_an_object_that_cannot_be_fetched_is_named_and_the_others_go_on(code: str, status: int, ground: Ground) -> None:
    ground.keep(KEY, b"a")
    ground.keep(OTHER, b"b")

    def fetch(client: Any, number: int, request: Any) -> Any:
        if request["Key"] == KEY:
            raise refusal(code, status, "GetObject")
        return client.get_object(**request)

    outcome = ground.replay(s3=S3(ground.s3, "get_object", fetch))

    assert list(outcome.unreadable) == [KEY]
    assert ground.unmarked() == [b"b"]


def test_a_write_that_the_client_made_twice_is_no_other_replay(ground: Ground) -> None:
    ground.keep(KEY, b"a")

    def write(client: Any, number: int, request: Any) -> Any:
        if number == 1:
            client.put_object(**request)  # its answer is lost, and the client tries again by itself
        return client.put_object(**request)

    assert ground.replay(s3=S3(ground.s3, "put_object", write)).is_complete
    assert ground.unmarked() == [b"a"]


def test_what_was_done_is_told_where_s3_fails_midway(ground: Ground) -> None:
    ground.keep(KEY, b"a")
    ground.keep(OTHER, b"b")

    def write(client: Any, number: int, request: Any) -> Any:
        if number == 3:
            raise refusal("SlowDown", 503, "PutObject")
        return client.put_object(**request)

    outcome = ground.replay(s3=S3(ground.s3, "put_object", write))

    assert (outcome.sent, outcome.is_complete) == (1, False)
    assert "SlowDown" in outcome.stopped
    assert ground.replay().is_complete
    assert sorted(ground.unmarked()) == [b"a", b"b"]


def test_an_answer_that_says_nothing_of_the_records_leaves_them_in_doubt(ground: Ground) -> None:
    class Silent:
        def put_record_batch(self, **_: Any) -> Any:
            return {"ResponseMetadata": {}}

    ground.keep(KEY, b"a")
    assert ground.replay(firehose=Silent()).in_doubt == {KEY: 1}


def test_consent_to_send_the_doubtful_again_is_for_one_replay(ground: Ground) -> None:
    """Those that it does not come to are in doubt still."""
    ground.keep(KEY, b"a", b"b")
    ground.keep(OTHER, b"c")
    for key, records in ((KEY, 2), (OTHER, 1)):
        etag = ground.s3.head_object(Bucket=ground.bucket, Key=key)["ETag"]
        doubtful = {"version": 1, "etag": etag, "records": records, "next": records, "left": []}
        ground.write(f"replay/{key}.json", json.dumps(doubtful | {"sending": list(range(records))}).encode())
    ground.stream.refuses = lambda data: data.endswith(b"b")

    ground.replay(resend_doubtful=True)
    ground.stream.refuses = lambda data: False
    outcome = ground.replay()

    assert sorted(ground.unmarked()) == [b"a"]
    assert outcome.in_doubt == {KEY: 1, OTHER: 1}


@pytest.mark.parametrize(
    "key",
    ["\x1b[2Jx", "\x9b2Jx", "\u202ex", "a\nb", "a\rb", ":bomb:x:", "[red]x[/red]", "a\\", "[/]", "[link=http://x]y"],
    ids=ascii,
)
@pytest.mark.usefixtures("found_by_commands")
def test_a_key_is_shown_harmlessly(key: str, ground: Ground, stack: Stack, command: Command) -> None:
    ground.write(f"errors/{key}", b"{")
    ran = command("stream", "replay")
    spelt = "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in key)
    assert f"not read: errors/{spelt}: " in ran.err
    assert not {"\x1b", "\x9b", "\u202e", "\r"} & set(ran.err)


@pytest.mark.usefixtures("found_by_commands")
def test_a_time_before_all_times_is_no_time(command: Command) -> None:
    ran = command("stream", "replay", "--since", "999999d")
    assert ran.exit_code == 2
    assert "--since 999999d: a time such as" in ran.err
