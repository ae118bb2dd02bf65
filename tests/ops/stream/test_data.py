from __future__ import annotations

import gzip
import json

import pytest

from ops.drill.stream.data import Contents, contents


def line(click_id: object, **fields: object) -> bytes:
    return json.dumps({"id": click_id, **fields}).encode() + b"\n"


TWO = line("d-c1") + line("d-c2")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(TWO, id="as it is"),
        pytest.param(gzip.compress(TWO), id="gzip"),
        pytest.param(gzip.compress(line("d-c1")) + gzip.compress(line("d-c2")), id="gzip after gzip"),
        pytest.param(TWO.removesuffix(b"\n"), id="no newline at the end"),
        pytest.param(line("other-c1") + TWO + line("other-c2"), id="among another drill's"),
        pytest.param(line("x") + b"no JSON\n\n" + b"\xff\xfe\n" + line(17) + b"[1]\n" + TWO, id="among strangers'"),
    ],
)
def test_the_drills_clicks_are_found(body: bytes) -> None:
    assert contents(body, "d-") == Contents(["d-c1", "d-c2"], strange=0, addresses=0)


def test_a_click_that_stands_there_twice_is_found_twice() -> None:
    assert contents(TWO + TWO, "d-").ids == ["d-c1", "d-c2", "d-c1", "d-c2"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"id": "d-c1", "at": "2026\n', id="cut off"),
        pytest.param(b'{"id": "d-c1"}{"id": "d-c2"}\n', id="no newline between two"),
        pytest.param(b'[{"id": "d-c1"}]\n', id="a list"),
        pytest.param(line(17, page="https://shop.example/?click=d-c1"), id="an id that is none"),
        pytest.param(line("else", page="https://shop.example/?click=d-c1"), id="under another id"),
        pytest.param(b'"d-c1"\n', id="a string"),
        pytest.param(b'{"id": "d-c1", "more": ' + b"[" * 100_000 + b"\n", id="nested beyond reading"),
    ],
)
def test_a_line_of_the_drills_that_is_no_click_is_strange(body: bytes) -> None:
    assert contents(body + TWO, "d-") == Contents(["d-c1", "d-c2"], strange=1, addresses=0)


@pytest.mark.parametrize(
    "address", ["Ada.1@d-.example", "ada.1@D-.EXAMPLE", "mailto:ada.1@d-.example", "ada.1%40d-.example"]
)
def test_the_drills_addresses_in_clear_are_counted(address: str) -> None:
    found = contents(line("d-c1", page=f"/?mail={address}", email=address) + TWO, "d-")

    assert (found.addresses, found.strange) == (2, 0)


def test_other_addresses_are_not_the_drills() -> None:
    assert contents(line("d-c1", by="ada@shop.example") + line("x", email="ada@d.example"), "d-").addresses == 0


def test_what_only_looks_like_gzip_is_read_as_it_is() -> None:
    """The local AWS stores a record as it came when the function fails."""
    for body in (gzip.compress(TWO)[:-12], b"\x1f\x8bno gzip", b"\x1f\x8b"):
        assert contents(body + b"\n" + line("d-c3"), "d-").ids == ["d-c3"]
