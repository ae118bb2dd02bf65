"""Records that carry no click, through the real app.py: each fails alone, and is kept as it came."""

from __future__ import annotations

import gzip
import json
import zlib
from base64 import b64encode
from typing import Any

import pytest

from tests.stream_lane import StreamLane

MARKER = "Zyxwvut"
"""What nobody may read in a log line: it stands in payloads only."""

CLICK = {
    "id": "click-x",
    "at": "2026-01-05T09:00:00Z",
    "page": "https://shop.example/" + MARKER,
    "user_agent": MARKER,
}
WHOLE = json.dumps(CLICK).encode()

HOSTILE = {
    "nothing": b"",
    "white space": b" \n",
    "no JSON": MARKER.encode(),
    "cut off": WHOLE[:-5],
    "cut off behind a whole click": WHOLE + WHOLE[:-5],
    "no JSON behind a whole click": WHOLE + MARKER.encode(),
    "a list of clicks": b"[" + WHOLE + b"]",
    "a text": json.dumps(MARKER).encode(),
    "a number": b"5",
    "no fields": b"{}",
    "without an id": json.dumps({name: value for name, value in CLICK.items() if name != "id"}).encode(),
    "an id that is none": json.dumps(CLICK | {"id": {MARKER: 1}}).encode(),
    "an id of more than one line": json.dumps(CLICK | {"id": f"{MARKER}\n"}).encode(),
    "a wrong type": json.dumps(CLICK | {"page": [MARKER]}).encode(),
    "a page without a host": json.dumps(CLICK | {"page": f"/{MARKER}"}).encode(),
    "a time without a zone": json.dumps(CLICK | {"at": "2026-01-05T09:00:00"}).encode(),
    "a time that is none": json.dumps(CLICK | {"at": MARKER}).encode(),
    "an address that is none": json.dumps(CLICK | {"email": MARKER}).encode(),
    "NaN": WHOLE[:-1] + b', "x": NaN}',
    "a number beyond all bounds": WHOLE[:-1] + b', "x": 1e999}',
    "5,000 digits": WHOLE[:-1] + b', "x": ' + b"9" * 5000 + b"}",
    "nested too deep": WHOLE[:-1] + b', "x": ' + b"[" * 100_000,
    "half a character": WHOLE[:-1] + b', "x": "\\ud800"}',
    "not UTF-8": WHOLE[:-1] + b', "x": "\xff"}',
    "UTF-16": json.dumps(CLICK).encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + WHOLE,
    "gzip that is cut off": gzip.compress(WHOLE)[:-6],
    "gzip with a wrong checksum": gzip.compress(WHOLE)[:-8] + b"\x00" * 8,
    "gzip with garbage behind it": gzip.compress(WHOLE) + MARKER.encode(),
    "gzip in gzip": gzip.compress(gzip.compress(WHOLE)),
    "gzip of 64 MiB": gzip.compress(b" " * 64 * 1024 * 1024, compresslevel=1),
    "no gzip": b"\x1f\x8b" + MARKER.encode(),
    "zlib": zlib.compress(WHOLE),
    "nothing but a mark": b"\x00backstop 1 rounds=1 replays=0\n",
    "a mark that is none": b"\x00backstop 1 rounds=-1 replays=x\n" + WHOLE,
    "two marks": b"\x00backstop 1 rounds=1 replays=0\n" * 2 + WHOLE,
}


class TestARecordThatIsNoClick:
    @pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
    def test_is_kept_as_it_came_and_its_neighbours_are_delivered(self, stream: StreamLane, data: bytes) -> None:
        stream.put(stream.click("before"), data, stream.click("after"))
        stream.run()
        [document] = stream.stream.errors()
        assert document["rawData"] == b64encode(data).decode()
        assert (document["errorCode"], document["attemptsMade"]) == ("Lambda.ProcessingFailedStatus", 1)
        assert stream.stored_ids() == ["before", "after"]

    @pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
    def test_is_reported_once_as_malformed_and_never_quoted(self, stream: StreamLane, data: bytes) -> None:
        stream.put(stream.click(), data)
        stream.run()
        [report] = stream.worker.reports()
        [_, broken] = stream.invocations[0].event["records"]
        assert (report["error_type"], report["kind"]) == ("MalformedEvent", "permanent")
        assert report["record_id"] == broken["recordId"]
        assert report["error"]
        assert MARKER not in stream.worker.printed()

    def test_is_no_less_alone_among_others_of_its_like(self, stream: StreamLane) -> None:
        for number, data in enumerate(HOSTILE.values()):
            stream.put(stream.click(f"click-{number}"), data)
        stream.run()
        assert stream.kept() == [without_mark(data) for data in HOSTILE.values()]
        assert stream.stored_ids() == [f"click-{number}" for number in range(len(HOSTILE))]
        assert [invocation.error for invocation in stream.invocations] == [None]


class TestARecordThatFirehoseWouldNotHandOver:
    @pytest.mark.parametrize(
        "data",
        [
            pytest.param("%%%" + MARKER, id="not base64"),
            pytest.param("YQ", id="base64 without its padding"),
            pytest.param("YQ==\n", id="base64 with a line's end"),
            pytest.param("é" + MARKER, id="not ASCII"),
            pytest.param("\ud800", id="half a character"),
            pytest.param("", id="nothing"),
            pytest.param(None, id="null"),
            pytest.param(5, id="a number"),
            pytest.param([MARKER], id="a list"),
            pytest.param({"data": MARKER}, id="an object"),
        ],
    )
    def test_fails_alone_with_an_answer_that_can_be_sent(self, stream: StreamLane, data: Any) -> None:
        good = b64encode(json.dumps(stream.click()).encode()).decode()
        answers = stream.invoke(good, data, good)
        assert [answer["result"] for answer in answers] == ["Ok", "ProcessingFailed", "Ok"]
        json.dumps(answers, ensure_ascii=False, allow_nan=False).encode()
        assert MARKER not in stream.worker.printed()
        [report] = stream.worker.reports()
        assert (report["record_id"], report["error_type"]) == ("record-1", "MalformedEvent")

    def test_fails_where_its_data_is_missing(self, stream: StreamLane) -> None:
        [answer] = stream.answer({"records": [{"recordId": "a"}]})
        assert (answer["recordId"], answer["result"]) == ("a", "ProcessingFailed")

    def test_fails_with_all_others_where_two_go_by_one_id(self, stream: StreamLane) -> None:
        """Firehose could not tell which of the two an answer is for."""
        record = {"recordId": "a", "data": b64encode(json.dumps(stream.click()).encode()).decode()}
        answers = stream.answer({"records": [record, record | {"recordId": "b"}, record]})
        assert [(answer["recordId"], answer["result"]) for answer in answers] == [
            ("a", "ProcessingFailed"),
            ("b", "ProcessingFailed"),
            ("a", "ProcessingFailed"),
        ]
        assert {report["error_type"] for report in stream.worker.reports()} == {"SameRecordId"}


def without_mark(data: bytes) -> bytes:
    """Return what is left of a record without the mark that a producer wrote in front of it."""
    mark = b"\x00backstop 1 rounds=1 replays=0\n"
    return data.removeprefix(mark)


class TestAMarkOfAProducersOwn:
    @pytest.mark.parametrize("rounds", [0, 1, 32, 9999])
    def test_changes_nothing_about_a_click_that_there_is_room_for(self, stream: StreamLane, rounds: int) -> None:
        mark = f"\x00backstop 1 rounds={rounds} replays=0\n".encode()
        stream.put(mark + json.dumps(stream.click("a")).encode())
        stream.run()
        assert stream.stored_ids() == ["a"]
        assert stream.worker.printed() == ""
