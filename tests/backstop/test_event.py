from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backstop.errors import MalformedEvent
from backstop.event import MAX_DEPTH, MAX_ID_LENGTH, checker, decode_all, parser
from tests.backstop import MARKER, PARSE

SCHEMA: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {
        "whole": {"type": "integer"},
        "cents": {"type": "number", "multipleOf": 0.01},
        "one_of": {"enum": ["a", "b"]},
        "constant": {"const": 1},
        "short": {"type": "string", "maxLength": 2},
        "pattern": {"type": "string", "pattern": "^a$"},
        "when": {"type": "string", "format": "date-time"},
        "unique": {"type": "array", "uniqueItems": True},
        "either": {"anyOf": [{"type": "integer"}, {"type": "boolean"}]},
        "never": {"not": {"type": "string"}},
        "list": {"type": "array", "items": {"type": "integer"}},
        "with_default": {"default": 5},
    },
}
parse = parser(SCHEMA)

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def nested(depth: int, opening: str = "[", closing: str = "]") -> str:
    """Return an event that is `depth` levels deep, itself included."""
    inner = opening * (depth - 1) + closing.join([""] * depth)
    return '{"id": "a", "x": ' + inner.replace("{", '{"x":', depth - 2) + "}"


class TestWhatIsAnEvent:
    def test_an_object_with_an_id(self) -> None:
        assert PARSE('{"id": "a", "n": 1}') == {"id": "a", "n": 1}

    def test_white_space_around_it(self) -> None:
        assert PARSE(' \t\r\n{"id": "a"}\n ') == {"id": "a"}

    def test_the_last_of_two_same_keys(self) -> None:
        assert PARSE('{"id": "a", "id": "b", "n": {"x": 1, "x": 2}}') == {"id": "b", "n": {"x": 2}}

    def test_a_default_is_not_put_in(self) -> None:
        assert parse('{"id": "a"}') == {"id": "a"}

    @pytest.mark.parametrize("event_id", ["a", "x" * MAX_ID_LENGTH, "訂單-1", "😀", " "])
    def test_any_text_of_bounded_length_is_an_id(self, event_id: str) -> None:
        assert PARSE(json.dumps({"id": event_id}))["id"] == event_id

    def test_1_mib(self) -> None:
        body = '{"id": "a", "text": "' + "x" * (1024 * 1024 - 23) + '"}'
        assert len(body) == 1024 * 1024
        assert len(PARSE(body)["text"]) == 1024 * 1024 - 23

    @pytest.mark.parametrize(("opening", "closing"), ["[]", "{}"], ids=["lists", "objects"])
    def test_64_levels(self, opening: str, closing: str) -> None:
        assert PARSE(nested(MAX_DEPTH, opening, closing))["id"] == "a"

    def test_brackets_in_texts_are_no_levels(self) -> None:
        assert PARSE(json.dumps({"id": "a", "x": "[{" * 1000}))["id"] == "a"

    def test_any_number_of_neighbours(self) -> None:
        assert len(PARSE(json.dumps({"id": "a", "x": [[]] * 1000}))["x"]) == 1000

    def test_whole_numbers_of_any_size(self) -> None:
        assert parse(f'{{"id": "a", "whole": {10**400}}}')["whole"] == 10**400

    def test_pairs_of_surrogates(self) -> None:
        assert PARSE('{"id": "\\ud83d\\ude00"}') == {"id": "😀"}

    @settings(deadline=None)
    @given(VALUES)
    def test_whatever_json_can_say(self, value: object) -> None:
        assert PARSE(json.dumps({"id": "a", "x": value})) == {"id": "a", "x": value}


NO_JSON = {
    "not JSON": "id=a",
    "half": '{"id": "a"',
    "more behind it": '{"id": "a"} x',
    "single quotes": "{'id': 'a'}",
    "trailing comma": '{"id": "a",}',
    "byte order mark": '\ufeff{"id": "a"}',
    "other white space": '\xa0{"id": "a"}',
    "control character": '{"id": "a\x00"}',
    "NaN": '{"id": "a", "n": NaN}',
    "Infinity": '{"id": "a", "n": Infinity}',
    "-Infinity": '{"id": "a", "n": [-Infinity]}',
    "65 lists": nested(65),
    "65 objects": nested(65, "{", "}"),
    "10,000 lists": nested(10_000),
    "10,000 objects": nested(10_000, "{", "}"),
    "10,000 lists, never closed": "[" * 10_000,
    "lone surrogate": '{"id": "a", "x": "\\ud800"}',
    "lone surrogate in a key": '{"id": "a", "\\udc00": 1}',
    "lone surrogate, unescaped": '{"id": "a", "x": "\ud800"}',
    "surrogates the wrong way round": '{"id": "\\ude00\\ud83d"}',
    "1 MiB of brackets": "[" * (1024 * 1024),
    "1 MiB, cut off": '{"id": "a", "x": "' + "x" * (1024 * 1024 - 18),
    "what must not be told": MARKER,
    "what must not be told, cut off": f'{{"id": "{MARKER}',
}
MALFORMED = NO_JSON | {
    "empty": "",
    "white space": "  ",
    "two events": '{"id": "a"}{"id": "b"}',
    "null": "null",
    "list": '[{"id": "a"}]',
    "text": '"a"',
    "number": "5",
    "true": "true",
    "no id": "{}",
    "id in another case": '{"ID": "a"}',
    "empty id": '{"id": ""}',
    "null id": '{"id": null}',
    "number as id": '{"id": 5}',
    "true as id": '{"id": true}',
    "list as id": '{"id": ["a"]}',
    "long id": json.dumps({"id": "x" * (MAX_ID_LENGTH + 1)}),
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_event_is_malformed(body: str) -> None:
    with pytest.raises(MalformedEvent) as caught:
        PARSE(body)
    assert 0 < len(str(caught.value)) < 100


BAD_VALUES = {
    "behind it": f'{{"id": "a"}} {MARKER}',
    "not JSON": MARKER,
    "not JSON within": f'{{"id": {MARKER}}}',
    "a text": f'"{MARKER}"',
    "control character": f'{{"id": "{MARKER}\n"}}',
    "lone surrogate": f'{{"id": "a", "x": "{MARKER}\\ud800"}}',
    "long id": json.dumps({"id": MARKER * 100}),
    "list as id": json.dumps({"id": [MARKER]}),
} | {
    name: json.dumps({"id": "a", name: value})
    for name, value in {
        "whole": MARKER,
        "cents": MARKER,
        "one_of": MARKER,
        "constant": MARKER,
        "short": MARKER,
        "pattern": MARKER,
        "when": MARKER,
        "unique": [MARKER, MARKER],
        "either": MARKER,
        "never": MARKER,
        "list": [1, MARKER],
    }.items()
}


@pytest.mark.parametrize("body", BAD_VALUES.values(), ids=BAD_VALUES)
def test_what_is_wrong_is_told_without_the_value_that_is_wrong(body: str) -> None:
    with pytest.raises(MalformedEvent) as caught:
        parse(body)
    assert MARKER not in str(caught.value)


def test_a_schemas_error_says_where() -> None:
    with pytest.raises(MalformedEvent, match=r"list\[1\] must be integer"):
        parse('{"id": "a", "list": [1, "x"]}')


@pytest.mark.parametrize(
    "number", ["1e999", "-1e999", "9" * 400, "9" * 5000], ids=["1e999", "-1e999", "400 digits", "5,000 digits"]
)
def test_a_number_beyond_all_bounds_is_malformed_too(number: str) -> None:
    """An error of another type would end the whole batch where suspects are looked for."""
    with pytest.raises(MalformedEvent):
        parse(f'{{"id": "a", "cents": {number}}}')


class TestValuesInARow:
    @pytest.mark.parametrize(
        ("text", "values"),
        [
            pytest.param("", [], id="nothing"),
            pytest.param(" \t\r\n", [], id="white space"),
            pytest.param('{"id": "a"}', [{"id": "a"}], id="one"),
            pytest.param(' {"a": 1}\n\n{"a": 2} ', [{"a": 1}, {"a": 2}], id="white space around and between them"),
            pytest.param('{"a": 1}{"a": 2}{}', [{"a": 1}, {"a": 2}, {}], id="nothing between them"),
            pytest.param('"a""b"[1]null', ["a", "b", [1], None], id="of any type"),
            pytest.param('"{}" {"a": "}{"}', ["{}", {"a": "}{"}], id="brackets in texts"),
            pytest.param('{"a": "\\ud83d\\ude00"}{}', [{"a": "😀"}, {}], id="pairs of surrogates"),
            pytest.param("[]" * 1000, [[]] * 1000, id="many"),
            pytest.param(nested(MAX_DEPTH) * 3, [json.loads(nested(MAX_DEPTH))] * 3, id="64 levels, thrice"),
        ],
    )
    def test_are_read_one_after_the_other(self, text: str, values: list[Any]) -> None:
        assert decode_all(text, len(values)) == values

    @settings(deadline=None)
    @given(st.lists(VALUES, max_size=5), st.sampled_from(["\n", " ", "\r\n\t"]))
    def test_are_whatever_json_can_say(self, values: list[Any], between: str) -> None:
        assert decode_all(between.join(json.dumps(value) for value in values), len(values)) == values

    @pytest.mark.parametrize("behind", [False, True], ids=["alone", "behind an event"])
    @pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON)
    def test_are_malformed_if_one_of_them_is(self, body: str, behind: bool) -> None:
        with pytest.raises(MalformedEvent) as caught:
            decode_all(f'{{"id": "{MARKER}"}}' * behind + body, 100)
        assert 0 < len(str(caught.value)) < 100
        assert MARKER not in str(caught.value)

    def test_an_error_says_where_it_is(self) -> None:
        with pytest.raises(MalformedEvent, match="at line 2, column 9"):
            decode_all('{"a": 1}\n{"a": 1}x', 10)


class TestChecker:
    check = staticmethod(checker(SCHEMA))

    def test_lets_through_what_the_schema_allows_as_it_is(self) -> None:
        assert self.check(event := {"whole": 5}) is event

    @pytest.mark.parametrize("value", [None, True, 5, "a", [{"id": "a"}]], ids=repr)
    def test_only_an_object_is_an_event(self, value: object) -> None:
        with pytest.raises(MalformedEvent, match="an event is a JSON object"):
            self.check(value)

    @pytest.mark.parametrize("event", [{"whole": MARKER}, {"cents": 10**400}], ids=["wrong type", "beyond all bounds"])
    def test_what_the_schema_does_not_allow_is_malformed(self, event: Any) -> None:
        with pytest.raises(MalformedEvent) as caught:
            self.check(event)
        assert MARKER not in str(caught.value)
