from __future__ import annotations

import os
import re
from itertools import combinations
from types import TracebackType
from typing import Any

import pytest

from backstop.fingerprint import (
    Fingerprint,
    Surroundings,
    explain,
    fingerprint,
    fingerprint_of,
    innermost_own_frame,
    own_frames,
)

ROOT = "/var/task"
BOOM = ValueError("boom")
KNOWN = [
    Surroundings(kind="x"),
    Surroundings(function="x"),
    Surroundings(stage="x"),
    Surroundings(downstream="x"),
    Surroundings(method="x"),
    Surroundings(route="x"),
]


class Told(Exception):
    """An error whose author says what it is grouped by."""

    def __init__(self, fingerprint: object) -> None:
        super().__init__("told")
        self.fingerprint = fingerprint


class Unasked(Exception):
    @property
    def fingerprint(self) -> str:
        raise RuntimeError("not now")


def raised_from(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def test_another_type_place_text_or_surrounding_is_another_group() -> None:
    groups = [
        fingerprint(BOOM, "boom", ["handler:handle"]).group,
        fingerprint(KeyError("boom"), "boom", ["handler:handle"]).group,
        fingerprint(BOOM, "boom", ["handler:place"]).group,
        fingerprint(BOOM, "boom", ["handler:handle", "handler:place"]).group,
        fingerprint(BOOM, "boom", []).group,
        fingerprint(BOOM, "bang", []).group,
        fingerprint(BOOM, "handler:handle", []).group,
        *(fingerprint(BOOM, "boom", [], known).group for known in KNOWN),
    ]
    assert all(one != other for one, other in combinations(groups, 2))


@pytest.mark.parametrize("frames", [["handler:handle"], []], ids=["own frames", "no own frame"])
@pytest.mark.parametrize("known", KNOWN, ids=str)
def test_an_error_that_only_a_text_tells_of_is_in_the_same_group(known: Surroundings, frames: list[str]) -> None:
    assert fingerprint_of("ValueError", "boom", frames, known) == fingerprint(BOOM, "boom", frames, known)


def test_of_a_type_that_nobody_knows_nothing_is_said() -> None:
    assert [name for name, _ in fingerprint_of("", "boom", []).parts] == ["version", "message"]


def test_with_own_frames_the_text_makes_no_group() -> None:
    assert fingerprint(BOOM, "a", ["handler:handle"]) == fingerprint(BOOM, "b", ["handler:handle"])


def test_what_is_vendored_makes_no_group() -> None:
    assert fingerprint(BOOM, "", [], Surroundings(vendored=frozenset({"requests"}))) == fingerprint(BOOM, "", [])


@pytest.mark.parametrize(
    ("error", "explicit"),
    [
        pytest.param(Told("prices"), ["prices"], id="text"),
        pytest.param(Told(["prices", "read"]), ["prices", "read"], id="list"),
        pytest.param(Told(("prices", "read")), ["prices", "read"], id="tuple"),
        pytest.param(raised_from(ValueError("x"), Told("prices")), ["prices"], id="of its cause"),
        pytest.param(raised_from(Told("orders"), Told("prices")), ["orders"], id="its own before its cause's"),
        pytest.param(raised_from(Unasked(), Told("prices")), ["prices"], id="cannot be asked"),
        pytest.param(Told(""), [], id="empty text"),
        pytest.param(Told([]), [], id="empty list"),
        pytest.param(Told(["prices", 5]), [], id="not only texts"),
        pytest.param(Told(5), [], id="a number"),
        pytest.param(Told(lambda: "prices"), [], id="a method"),
    ],
)
def test_the_author_of_an_error_says_what_it_is_grouped_by(error: Exception, explicit: list[str]) -> None:
    parts = fingerprint(error, "boom", ["handler:handle"]).parts
    assert [value for name, value in parts if name == "fingerprint"] == explicit
    assert ("frame" in dict(parts)) is not bool(explicit)


def test_a_ring_of_causes_comes_to_an_end() -> None:
    error = ValueError("boom")
    assert fingerprint(raised_from(error, raised_from(KeyError("x"), error)), "boom", []).group


def test_two_texts_are_not_one_long_text() -> None:
    assert fingerprint(Told(["ab", "c"]), "", []).group != fingerprint(Told(["a", "bc"]), "", []).group


def test_a_group_is_16_digits_and_stays_what_it_is() -> None:
    """Groups are stored: another one for the same failure is another VERSION."""
    assert fingerprint(BOOM, "boom", ["handler:handle"]).group == "c904328b4eb84335"
    assert re.fullmatch("[0-9a-f]{16}", fingerprint(BOOM, "\ud800", []).group)


def test_versions_do_not_meet() -> None:
    parts = fingerprint(BOOM, "boom", []).parts
    assert parts[0] == ("version", "2")
    assert Fingerprint((("version", "3"), *parts[1:])).group != Fingerprint(parts).group


def test_why_two_failures_are_in_a_group_can_be_told() -> None:
    known = Surroundings(kind="transient", function="shop", vendored=frozenset({"requests"}))
    assert explain(fingerprint(BOOM, "boom {}", ["handler:handle"], known)) == (
        "both are a ValueError",
        "both passed through handler:handle",
        "kind is transient in both",
        "function is shop in both",
        "grouped by version 2 of the fingerprint",
    )
    assert "neither passed through own code, and both say: boom {}" in explain(fingerprint(BOOM, "boom {}", []))


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
        pytest.param(
            [("/var/task/handler.py", "handler"), ("/var/task/requests/api.py", "requests.api")],
            "handler:place",
            id="called a library beside it",
        ),
        pytest.param(
            [("/var/task/handler.py", "handler"), ("/var/task/six.py", "six")],
            "handler:place",
            id="called a module beside it",
        ),
        pytest.param(
            [("/var/task/shop/requests/api.py", "shop.requests.api")],
            "shop.requests.api:place",
            id="a package of a library's name within its own",
        ),
    ],
)
def test_a_failure_is_where_the_teams_own_code_was_innermost(files: list[tuple[str, str]], where: str) -> None:
    assert innermost_own_frame(traceback_through(*files), ROOT, {"requests", "six"}) == where


def test_an_error_that_was_never_raised_is_nowhere() -> None:
    assert innermost_own_frame(None, ROOT) == ""
    assert own_frames(None, ROOT) == ()


def test_a_method_is_named_with_its_class() -> None:
    class Prices:
        def read(self) -> None:
            raise KeyError("c-1")

    with pytest.raises(KeyError) as caught:
        Prices().read()
    where = innermost_own_frame(caught.tb, __file__.rpartition("/")[0])
    assert where.endswith("test_a_method_is_named_with_its_class.Prices.read")


def test_all_own_frames_count_and_each_once() -> None:
    """However deep a recursion goes, it is the same failure."""
    once = [("/var/task/app.py", "app"), ("/opt/python/x.py", "x"), ("/var/task/walk.py", "walk")]
    deep = [*once, *once[-1:] * 3, *once]
    assert own_frames(traceback_through(*once), ROOT) == ("app:place", "walk:place")
    assert own_frames(traceback_through(*deep), ROOT) == own_frames(traceback_through(*once), ROOT)


def test_layers_and_the_standard_library_are_not_own_even_where_the_root_is_above_them() -> None:
    files = [("/app/handler.py", "handler"), ("/opt/python/x.py", "x"), (f"{os.path.dirname(os.__file__)}/y.py", "y")]  # noqa: PTH120  # as written in a frame
    frames = own_frames(traceback_through(*files), "/")
    assert "handler:place" in frames
    assert not {"x:place", "y:place"} & set(frames)


@pytest.mark.parametrize(
    ("module", "frame"),
    [
        pytest.param("shop.$Proxy12", "shop.$Proxy:place", id="proxy"),
        pytest.param("shop.__enter_123", "shop.__enter:place", id="generated"),
        pytest.param("shop.0x7f1c2b3a", "shop.0x:place", id="address in memory"),
        pytest.param("shop.v2.s3", "shop.v2.s3:place", id="a number that is a name"),
    ],
)
def test_names_that_differ_in_each_process_are_made_alike(module: str, frame: str) -> None:
    assert own_frames(traceback_through(("/var/task/a.py", module)), ROOT) == (frame,)


def test_functions_without_a_name_are_named_after_where_they_are() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        (lambda: [1 / zero for zero in (0,)])()
    frames = own_frames(caught.tb, __file__.rpartition("/")[0])
    assert frames[-1].endswith("are_named_after_where_they_are.lambda")
