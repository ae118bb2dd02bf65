from __future__ import annotations

import traceback
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstop.fingerprint import own_frames
from backstop.tracebacks import HEADER, frames_in, parse, simple_name

ONE = f"""{HEADER}:
  File "/var/runtime/bootstrap.py", line 149, in handle_event_request
    response = request_handler(event, lambda_context)
  File "/opt/python/backstop/process.py", line 12, in run
    handle(event)
    ~~~~~~^^^^^^^
  File "/var/task/app.py", line 3, in lambda_handler
    place(event)
  File "/var/task/shop/__init__.py", line 8, in place
    return json.loads(event)
  File "/var/task/vendor/site-packages/json2/x.py", line 8, in loads
  File "/var/lang/lib/python3.13/json/__init__.py", line 346, in loads
    return _default_decoder.decode(s)
json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)"""


def of(*lines: str) -> str:
    return "\n".join([f"{HEADER}:", *lines])


def formatted(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def raised_below(folder: Path, code: str) -> BaseException:
    """Return what the module `shop` in a folder raises when it is run."""
    scope: dict[str, Any] = {"__name__": "shop"}
    exec(compile(code, str(folder / "shop.py"), "exec"), scope)  # noqa: S102  # so that the file can be anywhere
    try:
        scope["run"]()
    except Exception as error:  # noqa: BLE001  # whatever it is
        return error
    raise AssertionError("nothing was raised")


def test_type_message_and_own_frames_are_read() -> None:
    found = parse(ONE)
    assert found is not None
    assert found.error_type == "json.decoder.JSONDecodeError"
    assert simple_name(found.error_type) == "JSONDecodeError"
    assert found.message == "Expecting value: line 1 column 1 (char 0)"
    assert found.frames == ("app:lambda_handler", "shop:place")
    assert found.where == "shop:place"


@pytest.mark.parametrize("before", ["", "it failed\n", "[ERROR]\t2026\tid\tit failed\n", "[ERROR]\t2026\tid\t"])
@pytest.mark.parametrize("newline", ["\n", "\r", "\r\n"], ids=repr)
def test_lines_may_end_and_begin_in_any_way(before: str, newline: str) -> None:
    assert parse((before + ONE).replace("\n", newline)) == parse(ONE)


def test_a_text_without_a_traceback_has_none() -> None:
    assert parse("ValueError: boom") is None


@pytest.mark.parametrize(
    ("text", "error_type", "message"),
    [
        pytest.param(of("  File", "ValueError"), "ValueError", "", id="no message"),
        pytest.param(of("  File", "ValueError: a", "b", "", "c"), "ValueError", "a\nb\n\nc", id="several lines"),
        pytest.param(of("  File", "ValueError: a: b"), "ValueError", "a: b", id="a colon in the message"),
        pytest.param(of("  File", "f.<locals>.Odd: a"), "f.<locals>.Odd", "a", id="a type within a function"),
        pytest.param(of("  File"), "", "", id="cut off in its frames"),
        pytest.param(f"{HEADER}:", "", "", id="its first line only"),
        pytest.param(of("  File", "no type here"), "", "", id="no type at its end"),
        pytest.param(
            of('  File "x.py", line 3', "    a b", "      ^", "SyntaxError: bad"), "SyntaxError", "bad", id="syntax"
        ),
    ],
)
def test_what_was_raised_stands_at_its_end(text: str, error_type: str, message: str) -> None:
    found = parse(text)
    assert found is not None
    assert (found.error_type, found.message, found.frames) == (error_type, message, ())


CHAIN = """
def inner(): raise KeyError("a")
def run():
    try: inner()
    except KeyError as error: raise ValueError("b") {}
"""


@pytest.mark.parametrize("how", ["from error", ""], ids=["direct cause", "during handling"])
def test_of_a_chain_the_last_one_is_read(tmp_path: Path, how: str) -> None:
    found = parse(formatted(raised_below(tmp_path, CHAIN.format(how))), str(tmp_path))
    assert found is not None
    assert (found.error_type, found.message, found.frames) == ("ValueError", "b", ("shop:run",))


def test_of_a_group_of_errors_the_group_is_read(tmp_path: Path) -> None:
    code = """
def one():
    raise KeyError("a")
def run():
    try: one()
    except KeyError as error: raise ExceptionGroup("some", [error, ValueError("b")])
"""
    found = parse(formatted(raised_below(tmp_path, code)), str(tmp_path))
    assert found is not None
    assert (found.error_type, found.message) == ("ExceptionGroup", "some (2 sub-exceptions)")
    assert found.frames == ("shop:run",)


def test_frames_are_those_that_the_error_itself_would_tell(tmp_path: Path) -> None:
    code = """
def deep(n): return deep(n - 1) if n else last()
def last(): return [1 / zero for zero in (0,)]
def run(): (lambda: deep(20))()
"""
    error = raised_below(tmp_path, code)
    found = parse(formatted(error), str(tmp_path))
    assert found is not None
    expected = [frame.replace("run.", "") for frame in own_frames(error.__traceback__, str(tmp_path))]
    assert list(found.frames) == expected
    assert found.where == "shop:last"


def test_the_innermost_frame_may_be_one_that_came_before() -> None:
    lines = [f'  File "/var/task/a.py", line 1, in {function}' for function in ("f", "g", "f")]
    assert frames_in(lines) == (("a:f", "a:g"), "a:f")


@pytest.mark.parametrize(
    ("file", "frame"),
    [
        ("/var/task/app.py", "app:f"),
        ("/var/task/shop/prices.py", "shop.prices:f"),
        ("/var/task/shop/__init__.py", "shop:f"),
        ("/var/tasks/app.py", ""),
        ("/opt/python/app.py", ""),
        ("/var/runtime/app.py", ""),
        ("/var/lang/lib/python3.13/app.py", ""),
        ("/var/task/python/site-packages/app.py", ""),
        ("<string>", ""),
    ],
)
def test_own_is_what_lies_in_the_functions_own_folder(file: str, frame: str) -> None:
    assert frames_in([f'  File "{file}", line 3, in f\n    code()'.splitlines()[0]])[1] == frame


@given(
    st.text()
    | st.lists(
        st.sampled_from(
            [
                "\n",
                " ",
                "  File ",
                '"/var/task/a.py"',
                ", line 1, in f",
                HEADER,
                ":",
                "  + Exception Group ",
                "  | ",
                "ValueError: x",
            ]
        )
    ).map("".join)
)
def test_any_text_is_read(text: str) -> None:
    found = parse(text)
    assert (found is not None) == (HEADER in text)
    assert found is None or len(found.message) <= 2048


@pytest.mark.parametrize(
    "piece",
    [
        f"{HEADER}:\n",
        '  File "/var/task/a.py", line 1, in f\n',
        '  File "' + "a" * 100,
        "    | " * 10,
        "\nDuring handling of the above exception, another exception occurred:\n",
        "x: ",
        "\u00a0",
        "\r",
    ],
    ids=repr,
)
def test_a_hostile_text_takes_time_in_proportion_to_its_length(piece: str) -> None:
    """A line is at most 256 KiB, later 1 MiB: squares would show as minutes."""
    text = f"{HEADER}:\n" + piece * (1_000_000 // len(piece))
    began = perf_counter()
    parse(text)
    assert perf_counter() - began < 2
