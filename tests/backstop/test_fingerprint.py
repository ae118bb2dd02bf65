from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import combinations
from types import TracebackType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backstop.fingerprint import fingerprint, innermost_own_frame, parametrise
from tests.backstop import MARKER

ROOT = "/var/task"


@pytest.mark.parametrize(
    ("text", "parametrised"),
    [
        pytest.param("no price for 'c-1'", "no price for <quoted>", id="single quotes"),
        pytest.param('no price for "c-1"', "no price for <quoted>", id="double quotes"),
        pytest.param("no price for `c-1`", "no price for <quoted>", id="backticks"),
        pytest.param(r"bad 'it\'s'", "bad <quoted>", id="quote within"),
        pytest.param("'a' is not 'b'", "<quoted> is not <quoted>", id="two quoted"),
        pytest.param("{'a': 1, 'b': 2}", "{<quoted>: <number>, <quoted>: <number>}", id="dict"),
        pytest.param("mail zoe@example.com", "mail <email>", id="e-mail"),
        pytest.param("GET https://shop.example/orders/17?x=1 failed", "GET <url> failed", id="address"),
        pytest.param("order 550e8400-e29b-41d4-a716-446655440000", "order <uuid>", id="uuid"),
        pytest.param("at 2026-01-01T12:00:00.123+01:00", "at <date>", id="moment"),
        pytest.param("on 2026-01-01", "on <date>", id="date"),
        pytest.param("from 10.0.0.17:5432", "from <ip>", id="IP and port"),
        pytest.param("object at 0x7f1c2b3a", "object at <hex>", id="address in memory"),
        pytest.param("etag 9b2cf535f27731c9", "etag <hash>", id="hash"),
        pytest.param("no file /tmp/x/order.json", "no file <path>", id="path"),
        pytest.param("took 12.5 s", "took <number> s", id="fraction"),
        pytest.param("took 30s", "took <number>s", id="number with unit"),
        pytest.param("-5 below +3", "<number> below <number>", id="signs"),
        pytest.param("1,024.50 or 1e-9", "<number> or <number>", id="thousands, powers"),
        pytest.param("line 1 column 5 (char 4)", "line <number> column <number> (char <number>)", id="JSON"),
        pytest.param("  a \n\t b  ", "a b", id="white space"),
        pytest.param("list index out of range", "list index out of range", id="nothing"),
        pytest.param("decade facade", "decade facade", id="words of hex letters"),
    ],
)
def test_what_differs_from_one_occurrence_to_the_next_is_named(text: str, parametrised: str) -> None:
    assert parametrise(text) == parametrised


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"can't read '{MARKER}'", id="apostrophe before"),
        pytest.param(f"'{MARKER}' isn't known", id="apostrophe behind"),
        pytest.param(f"doesn't know \"{MARKER}\" or '{MARKER}'", id="both quotes"),
        pytest.param(f"could not read '{MARKER * 100}", id="never closed, as its text was cut off"),
        pytest.param(f"could not read '{MARKER}\\", id="cut off in the middle of an escape"),
        pytest.param(f"could not read {MARKER.encode()!r}", id="bytes"),
        pytest.param(f"could not read rb'{MARKER}' or u'{MARKER}'", id="with letters before the quotes"),
        pytest.param(f"name='{MARKER}', names=['{MARKER}']", id="within brackets"),
    ],
)
def test_what_is_quoted_is_not_told(text: str) -> None:
    assert MARKER not in parametrise(text)


@settings(deadline=None)
@given(st.text())
def test_any_text_can_be_parametrised(text: str) -> None:
    assert parametrise(text) == parametrise(text).strip()


IDS: Mapping[str, tuple[str, ...]] = {
    "numbers": ("17", "1024", "-3"),
    "with a prefix": ("order-17", "order-1024"),
    "uuids": ("550e8400-e29b-41d4-a716-446655440000", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
    "hashes": ("9b2cf535f27731c974343645a3985328", "e59ff97941044f85df5297e1c302d260"),
    "dates": ("2026-01-01", "2025-12-31T23:59:59Z"),
    "quoted": ("'anna'", "'bob and eve'"),
    "addresses of people": ("anna@example.com", "bob@mail.example.org"),
    "addresses": ("https://a.example/1", "https://b.example/2?x=y"),
    "a letter and a number": ("A17", "A27"),
    "ULIDs": ("01ARZ3NDEKTSV4RRFFQ69G5FAV", "01BX5ZZKBKACTAV9WEVGEMMVRZ"),
    "short hashes": ("5f3a91bc", "9c0d12aa"),
    "letters and a number": ("ORD1001", "ORD2001", "ORD70"),
}


@pytest.mark.parametrize("ids", IDS.values(), ids=IDS)
def test_the_same_bug_with_other_ids_is_in_the_same_group(ids: tuple[str, ...]) -> None:
    groups = {fingerprint("ValueError", "handler:handle", parametrise(f"no stock for {one} today")) for one in ids}
    assert len(groups) == 1


def test_another_type_place_or_text_is_another_group() -> None:
    groups = [
        fingerprint("ValueError", "handler:handle", "boom"),
        fingerprint("KeyError", "handler:handle", "boom"),
        fingerprint("ValueError", "handler:place", "boom"),
        fingerprint("ValueError", "", "boom"),
        fingerprint("ValueError", "handler:handle", "bang"),
    ]
    assert all(one != other for one, other in combinations(groups, 2))


def test_a_group_is_16_digits_and_stays_what_it_is() -> None:
    """Groups are stored: another one for the same failure is another VERSION."""
    assert fingerprint("ValueError", "handler:handle", "boom") == "bc0d24e6a5c652d0"
    assert re.fullmatch("[0-9a-f]{16}", fingerprint("", "", "\ud800"))


def traceback_through(*files: tuple[str, str]) -> TracebackType | None:
    """Return the traceback of an error that passed through these files, the outermost first; each is (path, module)."""
    call: Any = _fail
    for path, module in reversed(files):
        scope: dict[str, Any] = {"__name__": module, "inner": call}
        exec(compile("def place():\n    inner()\n", path, "exec"), scope)  # noqa: S102  # so that a file can be anywhere
        call = scope["place"]
    try:
        call()
    except ValueError as error:
        return error.__traceback__
    return None


def _fail() -> None:
    raise ValueError("boom")


@pytest.mark.parametrize(
    ("files", "where"),
    [
        pytest.param([("/var/task/handler.py", "handler")], "handler:place", id="own code"),
        pytest.param(
            [("/var/task/app.py", "app"), ("/var/task/prices/read.py", "prices.read")],
            "prices.read:place",
            id="the innermost of the own",
        ),
        pytest.param(
            [("/var/task/handler.py", "handler"), ("/opt/python/backstop/retry.py", "backstop.retry")],
            "handler:place",
            id="called a layer",
        ),
        pytest.param(
            [("/var/task/handler.py", "handler"), ("/var/task/lib/site-packages/shop/api.py", "shop.api")],
            "handler:place",
            id="called a vendored library",
        ),
        pytest.param([("/opt/python/backstop/process.py", "backstop.process")], "", id="no own frame"),
        pytest.param([("/var/tasks/handler.py", "handler")], "", id="a folder with a longer name"),
        pytest.param([("<string>", "handler")], "", id="no file"),
    ],
)
def test_a_failure_is_where_the_teams_own_code_was_innermost(files: list[tuple[str, str]], where: str) -> None:
    assert innermost_own_frame(traceback_through(*files), ROOT) == where


def test_an_error_that_was_never_raised_is_nowhere() -> None:
    assert innermost_own_frame(None, ROOT) == ""


def test_a_method_is_named_with_its_class() -> None:
    class Prices:
        def read(self) -> None:
            raise KeyError("c-1")

    with pytest.raises(KeyError) as caught:
        Prices().read()
    where = innermost_own_frame(caught.tb, __file__.rpartition("/")[0])
    assert where.endswith("test_a_method_is_named_with_its_class.<locals>.Prices.read")
