"""A body is laid out for a person only where it can be taken back to the last character."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstop.event import parser
from ops.dlq.revision import REDRIVE_ID, Invalid, difference, draft, place_of, redrive_id, require_valid

values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(exclude_categories=["Cs"])),
    ),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)),
    max_leaves=20,
)  # fmt: skip


@given(value=values, style=st.sampled_from([(",", ":"), (", ", ": ")]), is_ascii=st.booleans())
def test_any_json_is_laid_out_and_taken_back(value: Any, style: tuple[str, str], is_ascii: bool) -> None:
    body = json.dumps(value, separators=style, ensure_ascii=is_ascii)
    laid_out = draft(body)
    assert laid_out.style is not None
    assert json.loads(laid_out.text) == value
    assert laid_out.body_of(laid_out.text) == body


@given(body=st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_is_taken_back(body: str) -> None:
    assert draft(body).body_of(draft(body).text) == body


def test_values_stay_as_they_were_typed() -> None:
    body = r'{"n":1.0,"big":12345678901234567890123,"e":1E+2,"u":"\u00fc\/","twice":1,"twice":2,"none":{},"l":[]}'
    laid_out = draft(body)
    assert laid_out.text == (
        '{\n  "n": 1.0,\n  "big": 12345678901234567890123,\n  "e": 1E+2,\n  "u": "\\u00fc\\/",\n'
        '  "twice": 1,\n  "twice": 2,\n  "none": {},\n  "l": []\n}'
    )
    assert laid_out.body_of(laid_out.text.replace("1.0", "1.10")) == body.replace("1.0", "1.10")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param('{"id": "a",  "n": 1}', id="white space of its own"),
        pytest.param('{"a":1, "b":2}', id="two styles"),
        pytest.param('{"a": 1}\n', id="a line end"),
        pytest.param("{not json", id="no JSON"),
        pytest.param('{"a": NaN}', id="NaN"),
        pytest.param("[" * 70 + "]" * 70, id="nested too deep"),
        pytest.param('{"a":1}{"b":2}', id="two values"),
    ],
)
def test_what_could_not_be_taken_back_is_edited_as_it_is(body: str) -> None:
    assert (draft(body).text, draft(body).style) == (body, None)


SCHEMA = {"properties": {"items": {"type": "array", "items": {"properties": {"quantity": {"type": "integer"}}}}}}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param('{"id": "a",\n"n": }', "not JSON: Expecting value at line 2, column 6", id="no JSON"),
        pytest.param("[]", "an event is a JSON object", id="a list"),
        pytest.param("{}", "an event has an `id`", id="no id"),
        pytest.param('{"id": "b"}', "its `id` is b, not a", id="another id"),
        pytest.param(
            '{"id": "a", "items": [{"quantity": "x"}]}',
            "not what the schema allows: data.items[0].quantity must be integer",
            id="the schema",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, why: str) -> None:
    parse = parser(SCHEMA)
    require_valid('{"id": "a", "items": [{"quantity": 1}]}', "a", parse)
    with pytest.raises(Invalid) as error:
        require_valid(text, "a", parse)
    assert str(error.value).startswith(why)


def test_the_difference_is_line_by_line() -> None:
    assert difference("a\nb", "a\nc") == ["--- as it died", "+++ as edited", "@@ -1,2 +1,2 @@", " a", "-b", "+c"]


def test_an_edit_is_found_by_its_event_and_its_id() -> None:
    name = redrive_id(datetime(2026, 1, 5, 9, tzinfo=UTC), "1f2e")
    assert (name, bool(REDRIVE_ID.fullmatch(name))) == ("e20260105-090000-1f2e", True)
    places = {place_of(event_id, name) for event_id in ("a", "b", "../c", "\x1b", "é", "\udcff")}
    assert len(places) == 6
    assert all(one.isascii() and one.isprintable() and one.endswith("/20260105-090000-1f2e.json") for one in places)
