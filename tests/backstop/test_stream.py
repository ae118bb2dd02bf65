from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from base64 import b64encode
from contextlib import suppress
from itertools import repeat
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backstop.errors import MalformedEvent
from backstop.stream import MAX_BYTES, decode, inflate, reader
from tests.backstop import MARKER

SCHEMA: dict[str, Any] = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}
read = reader(SCHEMA)

MIB = 1024 * 1024
A, B = {"id": "a"}, {"id": "b", "x": "é"}
ONE, OTHER = (json.dumps(event, ensure_ascii=False).encode() for event in (A, B))


def bomb(mib: int) -> bytes:
    """Return gzip that inflates to so many MiB of spaces, without ever having them in memory."""
    press = zlib.compressobj(1, wbits=16 + zlib.MAX_WBITS)
    return b"".join([*(press.compress(part) for part in repeat(b" " * MIB, mib)), press.flush()])


def peak_of_refusing(data: bytes, max_bytes: int) -> int:
    """Return the memory that it took, at most, to see that this gzip inflates to too much."""
    tracemalloc.start()
    try:
        with pytest.raises(MalformedEvent, match=f"more than {max_bytes:,} bytes"):
            inflate(data, max_bytes)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


class TestDecode:
    @given(st.binary())
    def test_whatever_was_encoded_comes_back(self, data: bytes) -> None:
        assert decode(b64encode(data).decode()) == data

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param("YQ", id="no padding"),
            pytest.param("YQ=", id="half its padding"),
            pytest.param("YQ===", id="too much padding"),
            pytest.param("=YQ=", id="padding in front"),
            pytest.param("YQ==YQ==", id="more behind the padding"),
            pytest.param("Y", id="a lonely character"),
            pytest.param("YWJj\n", id="a line's end"),
            pytest.param("YW Jj", id="a blank"),
            pytest.param("-_-_", id="the alphabet of addresses"),
            pytest.param("YWé=", id="not ASCII"),
            pytest.param("YWJ\ud800", id="half a character"),
            pytest.param("YWJ\x00", id="a null character"),
            pytest.param(f"<{MARKER}>", id="what must not be told"),
            pytest.param(None, id="nothing"),
            pytest.param(5, id="a number"),
            pytest.param(True, id="true"),
            pytest.param(["YQ=="], id="a list"),
            pytest.param({"YQ==": 1}, id="an object"),
        ],
    )
    def test_what_is_not_strictly_base64_is_malformed(self, data: object) -> None:
        with pytest.raises(MalformedEvent) as caught:
            decode(data)
        assert str(caught.value) == "not base64"


class TestInflate:
    @given(st.lists(st.binary(max_size=100), min_size=1, max_size=5))
    def test_members_follow_each_other(self, parts: list[bytes]) -> None:
        assert inflate(b"".join(gzip.compress(part) for part in parts), 1000) == b"".join(parts)

    @pytest.mark.parametrize("length", range(1, len(gzip.compress(ONE))))
    def test_what_is_cut_off_anywhere_is_malformed(self, length: int) -> None:
        with pytest.raises(MalformedEvent, match="cut off"):
            inflate(gzip.compress(ONE)[:length], MAX_BYTES)

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(gzip.compress(ONE) + b"garbage", id="garbage behind it"),
            pytest.param(gzip.compress(ONE) + b"\x00" * 8, id="nulls behind it"),
            pytest.param(gzip.compress(ONE) + zlib.compress(OTHER), id="zlib behind it"),
            pytest.param(gzip.compress(ONE)[:-8] + b"\x00" * 8, id="a wrong checksum"),
            pytest.param(gzip.compress(ONE)[:-4] + b"\x00" * 4, id="a wrong length"),
            pytest.param(b"\x1f\x8b\x07" + gzip.compress(ONE)[3:], id="an unknown method"),
            pytest.param(gzip.compress(ONE)[:10] + b"\xff" * 20, id="no blocks"),
        ],
    )
    def test_what_is_no_sound_gzip_is_malformed(self, data: bytes) -> None:
        with pytest.raises(MalformedEvent, match="gzip that cannot be read"):
            inflate(data, MAX_BYTES)

    @given(st.binary(max_size=200))
    def test_bytes_of_any_kind_never_fail_in_another_way(self, data: bytes) -> None:
        for begun in (b"\x1f\x8b", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"):
            with suppress(MalformedEvent):
                inflate(begun + data, 1000)

    @pytest.mark.parametrize(
        "sizes",
        [[1000], [400, 600], [1000, 0], [0, 1000], [1] * 1000],
        ids=["one member", "two", "an empty one behind", "an empty one in front", "a thousand"],
    )
    def test_the_limit_itself_is_allowed_and_a_byte_more_is_not(self, sizes: list[int]) -> None:
        data = b"".join(gzip.compress(b"x" * size) for size in sizes)
        assert inflate(data, 1000) == b"x" * 1000
        with pytest.raises(MalformedEvent, match="more than 999 bytes"):
            inflate(data, 999)
        with pytest.raises(MalformedEvent, match="more than 1,000 bytes"):
            inflate(data + gzip.compress(b"x"), 1000)

    def test_a_bomb_takes_no_more_memory_than_what_it_may_inflate_to(self) -> None:
        assert peak_of_refusing(bomb(128), MIB) < 4 * MIB

    def test_neither_does_a_bomb_of_many_members(self) -> None:
        assert peak_of_refusing(gzip.compress(b" " * 1000) * 10_000, MIB) < 4 * MIB


class TestReader:
    @pytest.mark.parametrize(
        ("data", "events"),
        [
            pytest.param(ONE, [A], id="one event"),
            pytest.param(b" \r\n\t" + ONE + b"\n", [A], id="white space around it"),
            pytest.param(ONE + b"\n" + OTHER + b"\n", [A, B], id="a line each"),
            pytest.param(ONE + OTHER + ONE, [A, B, A], id="without anything between them"),
            pytest.param(gzip.compress(ONE + OTHER), [A, B], id="gzip"),
            pytest.param(gzip.compress(ONE) + gzip.compress(OTHER), [A, B], id="gzip, a member each"),
            pytest.param(
                gzip.compress(OTHER[:-3]) + gzip.compress(OTHER[-3:]), [B], id="gzip, an event in two members"
            ),
            pytest.param(gzip.compress(b"") + gzip.compress(ONE), [A], id="gzip, an empty member"),
        ],
    )
    def test_a_record_carries_one_event_or_more(self, data: bytes, events: list[Any]) -> None:
        assert read(data) == events

    @pytest.mark.parametrize(
        ("data", "why"),
        [
            pytest.param(b"", "empty", id="nothing"),
            pytest.param(b" \n", "empty", id="white space"),
            pytest.param(gzip.compress(b""), "empty", id="gzip of nothing"),
            pytest.param(MARKER.encode(), "not JSON", id="no JSON"),
            pytest.param(ONE + MARKER.encode(), "not JSON", id="no JSON behind an event"),
            pytest.param(ONE + b"," + ONE, "not JSON", id="a comma between them"),
            pytest.param(b"\xef\xbb\xbf" + ONE, "not JSON", id="a byte order mark"),
            pytest.param(b'{"id": "' + MARKER.encode(), "not JSON", id="cut off"),
            pytest.param(b'{"id": NaN}', "NaN is not JSON", id="NaN"),
            pytest.param(b'{"id": ' + b"9" * 5000 + b"}", "beyond all bounds", id="5,000 digits"),
            pytest.param(b'{"id": "a", "x": 1e999}', "beyond all bounds", id="1e999"),
            pytest.param(b'{"id": "' + MARKER.encode() + b'\xff"}', "not UTF-8 at byte 17", id="not UTF-8"),
            pytest.param(ONE.decode().encode("utf-16"), "not UTF-8 at byte 1", id="UTF-16"),
            pytest.param(b'{"id": "\\ud800"}', "not UTF-8: a lone surrogate", id="half a character"),
            pytest.param(b"[" * 100_000, "nested deeper than 64", id="100,000 lists"),
            pytest.param(ONE + b'{"id":' * 65 + b"1" + b"}" * 65, "nested deeper than 64", id="65 objects, behind one"),
            pytest.param(b"[" + ONE + b"]", "this is a list", id="a list of events"),
            pytest.param(b'"' + MARKER.encode() + b'"', "this is a str", id="a text"),
            pytest.param(ONE + b"null", "this is a NoneType", id="null behind an event"),
            pytest.param(b'{"id": ["' + MARKER.encode() + b'"]}', "id must be string", id="not the schema's"),
            pytest.param(ONE + b'{"ID": "' + MARKER.encode() + b'"}', "must contain", id="the second not the schema's"),
            pytest.param(gzip.compress(gzip.compress(ONE)), "not UTF-8", id="gzip in gzip"),
            pytest.param(gzip.compress(MARKER.encode()), "not JSON", id="gzip of no JSON"),
            pytest.param(gzip.compress(ONE)[:-1], "cut off", id="gzip that is cut off"),
            pytest.param(b"\x1f\x8b" + MARKER.encode(), "gzip", id="no gzip"),
            pytest.param(zlib.compress(ONE), "not UTF-8", id="zlib"),
            pytest.param(b"\x00" + ONE, "not JSON", id="a null character in front"),
        ],
    )
    def test_anything_else_is_malformed_as_a_whole_and_its_data_is_not_told(self, data: bytes, why: str) -> None:
        with pytest.raises(MalformedEvent, match=why) as caught:
            read(data)
        assert MARKER not in str(caught.value)

    @pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["as it is", "gzip"])
    def test_5_mib_are_read_and_a_byte_more_is_not(self, pack: Any) -> None:
        event = ONE + b" " * (MAX_BYTES - len(ONE))
        assert read(pack(event)) == [A]
        with pytest.raises(MalformedEvent, match="more than 5,242,880 bytes"):
            read(pack(event + b" "))

    def test_an_event_of_a_stream_needs_no_id_unless_the_schema_says_so(self) -> None:
        assert reader({"type": "object"})(b"{}") == [{}]

    @settings(deadline=None)
    @given(st.binary(max_size=300))
    def test_bytes_of_any_kind_are_read_or_malformed(self, data: bytes) -> None:
        for one in (data, gzip.compress(data), b"\x1f\x8b" + data):
            with suppress(MalformedEvent):
                assert read(one)
