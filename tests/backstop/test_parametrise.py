from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backstop.parametrise import parametrise
from tests.backstop import MARKER


@pytest.mark.parametrize(
    ("text", "parametrised"),
    [
        pytest.param("no price for 'c-1'", "no price for <quoted>", id="single quotes"),
        pytest.param('no price for "c-1"', "no price for <quoted>", id="double quotes"),
        pytest.param("no price for `c-1`", "no price for <quoted>", id="backticks"),
        pytest.param(r"bad 'it\'s'", "bad <quoted>", id="quote within"),
        pytest.param("'a' is not 'b'", "<quoted> is not <quoted>", id="two quoted"),
        pytest.param("{'a': 1, 'b': 2}", "{<quoted>: <number>, <quoted>: <number>}", id="dict"),
        pytest.param("can't read the user's 'c-1'", "can't read the user's <quoted>", id="English apostrophes"),
        pytest.param("mail zoe@example.com", "mail <email>", id="e-mail"),
        pytest.param("GET https://shop.example/orders/17?x=1 failed", "GET <url> failed", id="address"),
        pytest.param('"GET /orders/17 HTTP/1.1" status: 404', "GET <path> status: <number>", id="request line"),
        pytest.param("order 550e8400-e29b-41d4-a716-446655440000", "order <uuid>", id="uuid"),
        pytest.param("trace 1-67891233-abcdef012345678912345678", "trace <trace>", id="X-Ray"),
        pytest.param(
            "parent 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "parent <trace>", id="W3C trace context"
        ),
        pytest.param("at 2026-01-01T12:00:00.123+01:00", "at <date>", id="moment"),
        pytest.param("on 2026-01-01", "on <date>", id="date"),
        pytest.param("on 01/Jan/2026:12:00:00 +0100", "on <date>", id="date of a web server's log"),
        pytest.param("on Thu, Jan 1 12:00:00 2026", "on <date>", id="date with names"),
        pytest.param("timeout at 10.0.0.17:5432", "timeout at <host>", id="IPv4 and port"),
        pytest.param("timeout at [2001:db8::17]:5432", "timeout at <host>", id="IPv6 and port"),
        pytest.param("no route to fe80::1%eth0", "no route to <address>", id="IPv6 with a zone"),
        pytest.param("lost db-7.shop.example.com:5432", "lost <host>", id="host and port"),
        pytest.param("card 00:1b:63:84:45:e6", "card <mac>", id="MAC"),
        pytest.param("object at 0x7f1c2b3a", "object at <hex>", id="address in memory"),
        pytest.param("shop.Order@1b2c3d4e is closed", "shop.Order@<hex> is closed", id="Java object"),
        pytest.param("etag 9b2cf535f27731c9", "etag <hash>", id="hash"),
        pytest.param("no file /tmp/x/order.json", "no file <path>", id="path"),
        pytest.param(r"no file C:\Temp\order.json", "no file <path>", id="path on Windows"),
        pytest.param("at shop.Order.place(Order.java:17)", "at <name>(Order.java:<number>)", id="Java frame"),
        pytest.param("took 12.5 s", "took <duration>", id="duration"),
        pytest.param("took 30ms", "took <duration>", id="duration with its unit behind it"),
        pytest.param("lifetime <1 sec", "lifetime <duration>", id="less than a duration"),
        pytest.param("lifetime 00:01:02", "lifetime <duration>", id="duration like a clock"),
        pytest.param("read 1.5 KiB of 12 bytes", "read <size> of <size>", id="sizes"),
        pytest.param("-5 below +3", "<number> below <number>", id="signs"),
        pytest.param("1,024.50 or 0.5", "<number> or <number>", id="thousands, fractions"),
        pytest.param("line 1 column 5 (char 4)", "line <number> column <number> (char <number>)", id="JSON"),
        pytest.param("ids [17, 18, 19]", "ids [<number>]", id="list"),
        pytest.param("lock=7, name=x, ws=null", "lock=<number>, name=<value>, ws=<value>", id="key=value"),
        pytest.param("session opened for user anna by 7", "session opened for user <name> by <number>", id="user"),
        pytest.param("no IPv6, no sha256", "no IPv6, no sha256", id="words with digits"),
        pytest.param("java.io.IOException: closed", "java.io.IOException: closed", id="type of an error"),
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
        pytest.param(f"no 'dogs' home {MARKER}' here", id="apostrophe and a blank within"),
        pytest.param(f"no 'rock 'n' roll {MARKER}' here", id="quotes within"),
        pytest.param(f"no 'it's {MARKER}' here", id="apostrophe in a word within"),
        pytest.param(f"no 'a' in 'cats' and {MARKER}' here", id="closed once more than opened"),
        pytest.param(f"no “{MARKER}” and «{MARKER}»", id="typographic"),
        pytest.param(f"no such file `{MARKER}'", id="as GNU quotes"),
        pytest.param(f"17's '{MARKER}'", id="apostrophe behind a number"),
        pytest.param(f"no ' {MARKER} ' here", id="blanks inside the quotes"),
    ],
)
def test_what_is_quoted_is_not_told(text: str) -> None:
    assert MARKER not in parametrise(text)


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
    "short hashes": ("5f3a91bc", "9c0d12aa", "12345678"),
    "letters and a number": ("ORD1001", "ORD2001", "ORD70"),
    "hosts": ("10.0.0.17", "db.example.com", "db-7.shop.internal:5432", "2001:db8::1"),
    "durations": ("5 s", "12ms", "00:01:02", "<1 sec", "2 hours"),
    "sizes": ("5 B", "12KB", "1.5 MiB", "4096 bytes"),
    "paths": ("/tmp/a", "/var/lib/b/c.json", "/srv/Shared Files/d/e.txt"),  # noqa: S108  # a text, no file
    "lists": ("17", "17, 18", "17, 18, 19", "1,2,3"),
    "lists of ids": ("node-1", "node-1 node-2", "node-1, node-2, node-33"),
}


@pytest.mark.parametrize("ids", IDS.values(), ids=IDS)
def test_the_same_message_with_other_values_is_the_same(ids: tuple[str, ...]) -> None:
    assert len({parametrise(f"no stock for {one} today") for one in ids}) == 1


def test_messages_that_say_something_else_stay_apart() -> None:
    texts = [
        "login of 7 failed",
        "login of 7 succeeded",
        "state is LOOKING",
        "state is LEADING",
        "authentication failure; uid=0 user=root",
        "authentication failure; uid=0 user=guest",
        "java.io.IOException: 7",
        "java.io.EOFException: 7",
        '"GET /orders/7 HTTP/1.1" failed',
        '"PUT /orders/7 HTTP/1.1" failed',
    ]
    assert all(parametrise(one) != parametrise(other) for one, other in combinations(texts, 2))


@settings(deadline=None)
@given(st.text())
def test_any_text_can_be_parametrised(text: str) -> None:
    assert parametrise(text) == parametrise(text).strip()


PIECES = st.sampled_from(
    [
        "user",
        "for",
        "from ",
        "to ",
        "x1",
        "12",
        " 7 s",
        "0x1f",
        "10.0.0.1",
        "a.example.com",
        "::1",
        "'",
        '"',
        "`",
        "=",
        ", ",
        ";",
        ":",
        "/",
        "/a/b",
        "\\",
        "C:\\a",
        "a@b.c",
        "-",
        "+",
        ".",
        "(",
        ")\n    ",
        "[",
        "]",
        "{",
        "}",
        "<",
        ">",
        "<number>",
        "<host>",
        "5 kb",
        "1,000",
        "2026-01-01",
        "12:30:01",
        "#",
        "_",
        "com.a.b",
        "é",
        "deadbeef",
        "00000001",
        "don't",
        "'s \n    ",
        "key",
        "null",
        "Name@1a2b",
        "error ",
        " ",
    ]
)


@settings(deadline=None, max_examples=300, derandomize=True)
@given(st.lists(PIECES, max_size=6).map("".join))
@example("com.a.b/a/b/c>")
@example("17's 'a' b's")
def test_a_text_that_was_parametrised_stays_as_it_is(text: str) -> None:
    once = parametrise(text)
    assert parametrise(once) == once


HOSTILE = [
    "'",
    '"',
    "'a ",
    "a' ",
    "\\",
    "`",
    "a.",
    "1.",
    "1:",
    "a-",
    "a/",
    "\\a",
    "a=",
    "=,1",
    "a=b, ",
    "f:",
    "0x",
    "1-",
]
HOSTILE += ["a@", "a{", "(", "[1", "{1", "<", "> 1", "for user ", "<path> ", "://", "2026-01-01 ", "jan 1 ", "\n", "²"]


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_hostile_text_of_64_kilobytes_comes_to_an_end(piece: str) -> None:
    """Patterns that look back and forth over the whole text would take minutes here."""
    text = piece * (65_536 // len(piece))
    assert len(parametrise(text)) <= 12 * len(text)
