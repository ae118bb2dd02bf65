"""An error object is read to its last record, or not at all, and what is said of it tells nothing of what is in it."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstop.rounds import Mark
from ops.replay import error_object
from ops.replay.error_object import Kept, Unreadable, read
from tests.backstop import MARKER
from tests.fakes.firehose_functions import put, raising, stream_of
from tests.ops.replay.ground import FAILING, document, zipped

CLICK = f'{{"id": "{MARKER}"}}\n'.encode()
DOCUMENT = document(CLICK)
BARE = json.dumps({"rawData": b64encode(CLICK).decode()})

WRITTEN: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "gzip": zipped,
    "gzip of several members": lambda text: zipped(text[:50], text[50:100], "", text[100:]),
}


def said_of(body: bytes) -> str:
    with pytest.raises(Unreadable) as unreadable:
        read(body)
    return str(unreadable.value)


class TestRead:
    @pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
    @pytest.mark.parametrize(
        "between",
        [
            pytest.param("", id="nothing"),
            pytest.param("\n", id="a line end"),
            pytest.param("\r\n", id="CRLF"),
            pytest.param(" \n\n\t ", id="white space"),
        ],
    )
    def test_documents_in_a_row_whatever_is_between_them(self, between: str, written: Callable[[str], bytes]) -> None:
        documents = [document(b"%d" % number).strip() for number in range(5)]
        kept = read(written(between.join(["", *documents, ""])))
        assert [data for data, _ in kept] == [b"0", b"1", b"2", b"3", b"4"]

    @given(st.lists(st.binary(), min_size=1))
    def test_records_come_byte_for_byte_and_in_their_order(self, records: list[bytes]) -> None:
        body = zipped("".join(map(document, records)))
        assert [mark.before(data) if mark != Mark() else data for data, mark in read(body)] == records

    @pytest.mark.parametrize("compresses", [False, True], ids=["plain", "gzip"])
    @pytest.mark.parametrize(
        "function",
        [pytest.param(FAILING, id="single records"), pytest.param(raising(ValueError()), id="whole batches")],
    )
    def test_what_a_stream_writes(self, function: Callable[[object, object], object], compresses: bool) -> None:
        records = [CLICK, b"", b"\x00\xff", b"x" * 100_000]
        stream = stream_of(function, compresses=compresses)
        put(stream, *records)
        stream.run_until_quiet()
        [body] = stream.objects.values()
        assert read(body) == [Kept(data, Mark()) for data in records]

    def test_the_mark_comes_off_and_is_told(self) -> None:
        marked = Mark(rounds=7, replays=2).before(CLICK)
        assert read(document(marked).encode()) == [Kept(CLICK, Mark(rounds=7, replays=2))]

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"\x00backstop", id="its first word"),
            pytest.param(b"\x00backstop 1 rounds=1 replays=1", id="no line end"),
            pytest.param(b"\x00backstop 1 rounds=-1 replays=1\n", id="a number below none"),
            pytest.param(b"\x00backstop 1 rounds=1 replays=12345\n", id="a number that is too long"),
            pytest.param(b" \x00backstop 1 rounds=1 replays=1\n", id="not at the beginning"),
        ],
    )
    def test_what_only_looks_like_a_mark_belongs_to_the_record(self, data: bytes) -> None:
        assert read(document(data).encode()) == [Kept(data, Mark())]

    def test_an_object_of_as_many_bytes_as_it_may_inflate_to(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(error_object, "MAX_BYTES", len(DOCUMENT))
        assert read(zipped(DOCUMENT)) == [Kept(CLICK, Mark())]

    def test_text_outside_of_ascii(self) -> None:
        assert read(document(b"a", errorMessage="ungültig: \U0001f4a3").encode())[0].data == b"a"


UNREADABLE = {
    "nothing": (b"", "empty"),
    "white space": (b" \n\n", "empty"),
    "gzip of nothing": (zipped(""), "empty"),
    "cut off": (DOCUMENT[:-5].encode(), "not JSON: "),
    "cut off behind a good one": ((DOCUMENT * 2)[:-5].encode(), "line 2"),
    "garbage behind a good one": (f"{DOCUMENT}garbage".encode(), "not JSON: Expecting value at line 2, column 1"),
    "garbage before a good one": (f"garbage{DOCUMENT}".encode(), "not JSON: Expecting value at line 1, column 1"),
    "a byte order mark": (b"\xef\xbb\xbf" + DOCUMENT.encode(), "not JSON: "),
    "no number": (document(b"a", attemptsMade=float("nan")).encode(), "NaN is not JSON"),
    "not UTF-8": (DOCUMENT.encode() + b"\xff", "not UTF-8 at byte"),
    "UTF-16": (DOCUMENT.encode("utf-16"), "not UTF-8 at byte 1"),
    "gzip that is cut off": (zipped(DOCUMENT)[:-9], "gzip that is cut off"),
    "gzip without its checksum": (zipped(DOCUMENT)[:-4], "gzip that is cut off"),
    "gzip that is damaged": (zipped(DOCUMENT)[:-8] + bytes(8), "gzip that cannot be read: "),
    "garbage behind gzip": (zipped(DOCUMENT) + b"garbage", "gzip that cannot be read: "),
    "a second member that is cut off": (zipped(DOCUMENT, DOCUMENT)[:-9], "gzip that is cut off"),
    "gzip in gzip": (zipped(zipped(DOCUMENT)), "not UTF-8 at byte 2"),
    "nested too deep": (b"[" * 100_000 + b"]" * 100_000, "nested deeper than 64 levels"),
    "a number without end": (b'{"rawData": "", "n": ' + b"9" * 5000 + b"}", "a number beyond all bounds"),
    "a list": (f"[{BARE}]".encode(), "document 1 has no rawData"),
    "a text": (b'"rawData"', "document 1 has no rawData"),
    "null": (b"null", "document 1 has no rawData"),
    "no rawData": (f'{DOCUMENT}{{"id": "{MARKER}"}}'.encode(), "document 2 has no rawData"),
    "rawData in other letters": (BARE.replace("rawData", "rawdata").encode(), "document 1 has no rawData"),
    "rawData that is null": (f'{BARE}{BARE}{{"rawData": null}}'.encode(), "document 3 has no rawData"),
    "rawData that is no text": (b'{"rawData": 7}', "document 1 has no rawData"),
    "rawData that is not base64": (
        (DOCUMENT + json.dumps({"rawData": f"{MARKER}!"})).encode(),
        "document 2: its rawData is not base64",
    ),
    "rawData with white space": (b'{"rawData": "eyJ9\\n"}', "document 1: its rawData is not base64"),
    "rawData without its padding": (b'{"rawData": "eyI"}', "document 1: its rawData is not base64"),
    "rawData that is not ASCII": ('{"rawData": "ä"}'.encode(), "document 1: its rawData is not base64"),
}


class TestUnreadable:
    @pytest.mark.parametrize(("body", "said"), UNREADABLE.values(), ids=UNREADABLE)
    def test_it_says_where_and_what_is_wrong_and_quotes_nothing(self, body: bytes, said: str) -> None:
        assert said in said_of(body)
        assert MARKER not in said_of(body)
        assert b64encode(CLICK).decode()[:12] not in said_of(body)

    @given(st.integers(1, len(DOCUMENT) * 3 - 2))
    def test_wherever_it_is_cut_off_no_record_is_read_of_half_a_document(self, end: int) -> None:
        whole, behind = divmod(end, len(DOCUMENT))
        body = (DOCUMENT * 3)[:end].encode()
        if behind in {0, len(DOCUMENT) - 1}:  # between two documents, or only the line end is missing
            assert len(read(body)) == whole + (behind > 0)
        else:
            assert MARKER not in said_of(body)

    @given(st.data())
    def test_wherever_gzip_is_cut_off_nothing_is_read(self, data: st.DataObject) -> None:
        body = zipped(DOCUMENT * 3)
        assert said_of(body[: data.draw(st.integers(2, len(body) - 1))]) == "gzip that is cut off"

    @given(st.binary())
    def test_any_bytes_that_no_stream_wrote_are_unreadable(self, body: bytes) -> None:
        for one in (body, b"\x1f\x8b" + body, zipped(body)):
            with pytest.raises(Unreadable):
                read(one)


class TestGzipBombs:
    @pytest.mark.parametrize("members", [1, 3])
    def test_one_is_not_inflated_any_further(self, members: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(error_object, "MAX_BYTES", 10_000)
        bomb = zipped(*[bytes(11_000 // members)] * members)
        assert said_of(bomb) == "gzip that inflates to more than 10,000 bytes"

    def test_twice_what_firehose_buffers_is_allowed(self) -> None:
        """Firehose buffers 128 MiB at most, and writes them in base64, which is a third more."""
        assert 128 * 1024 * 1024 * 4 / 3 < error_object.MAX_BYTES < 1024 * 1024 * 1024
