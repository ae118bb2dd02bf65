from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstop.channel import MAX_CHANNELS, Channel, directory
from backstop.notice import Notice
from backstop.occurrence import Severity

LIKE_JSON = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["channels", "url"]), inner),
    max_leaves=5,
)
URLS = ["slack://a/b/c", "pagerduty://i@k"]


def urls(secret: str) -> list[str]:
    return [channel.url for channel in directory(secret).channels]


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(json.dumps({"channels": [{"name": "x", "url": url} for url in URLS]}), id="channels"),
        pytest.param(json.dumps({"channels": URLS}), id="channels that are addresses"),
        pytest.param(json.dumps(URLS), id="a list of addresses"),
        pytest.param(json.dumps([{"url": url} for url in URLS]), id="a list of channels"),
        pytest.param(json.dumps({"team": URLS[0], "on-call": URLS[1]}), id="addresses by name"),
        pytest.param("\n".join(["# ours", URLS[0], "", f"  {URLS[1]} ", "#slack://x/y/z"]), id="lines"),
        pytest.param("\r\n".join(URLS), id="lines of another system"),
    ],
)
def test_each_form_is_understood(secret: str) -> None:
    assert urls(secret) == URLS
    assert not directory(secret).troubles


def test_a_channel_has_a_name_and_what_it_wants() -> None:
    [channel] = directory('{"channels": [{"name": "on-call", "url": "slack://a", "at_least": "error"}]}').channels
    assert (channel.name, channel.at_least) == ("on-call", Severity.ERROR)


def test_a_channel_without_a_name_goes_by_its_place_and_its_service() -> None:
    names = [channel.name for channel in directory(json.dumps([*URLS, "https://a/hush"])).channels]
    assert names == ["1 (slack)", "2 (pagerduty)", "3 (https)"]


def test_addresses_by_name_are_told_of_by_name() -> None:
    names = [channel.name for channel in directory('{"team": "slack://a", "on-call": "slack://b"}').channels]
    assert names == ["team", "on-call"]


@pytest.mark.parametrize(
    ("entry", "named", "what"),
    [
        ("hush", "1 (no address)", "no address"),
        ("hush://", "1 (no address)", "no address"),
        (f"{'hush' * 10}://x", "1 (no address)", "no address"),
        ({"name": "x"}, "x", "no address"),
        ({"name": "x", "url": 7}, "x", "no address"),
        ({"name": "slack://hush", "url": "hush"}, "1 (no address)", "no address"),
        (None, "1 (no address)", "no address"),
        (["slack://hush"], "1 (no address)", "no address"),
        ({"name": "x", "url": "slack://hush", "at_least": "hush"}, "x", "at_least"),
        ({"name": "x", "url": "slack://hush", "at_least": 3}, "x", "at_least"),
    ],
    ids=repr,
)
def test_what_is_not_understood_is_told_without_what_it_says(entry: object, named: str, what: str) -> None:
    read = directory(json.dumps([entry, "slack://team"]))
    [trouble] = read.troubles
    assert trouble.channel == named
    assert what in trouble.what
    assert "hush" not in repr(read)
    assert read.channels[-1].url == "slack://team"


@pytest.mark.parametrize("secret", ["{", "[", '{"channels"', "[" * 100_000], ids=lambda secret: secret[:12])
def test_json_that_is_none_is_not_read_as_lines(secret: str) -> None:
    read = directory(secret)
    assert not read.channels
    assert [trouble.channel for trouble in read.troubles] == ["secret"]


def test_more_channels_than_anybody_has_are_left_out() -> None:
    read = directory("\n".join(["slack://a"] * (MAX_CHANNELS + 9)))
    assert len(read.channels) == MAX_CHANNELS
    assert [trouble.channel for trouble in read.troubles] == ["secret"]


@pytest.mark.parametrize("severity", Severity)
@pytest.mark.parametrize("at_least", Severity)
def test_a_channel_hears_what_is_as_urgent_as_it_wants(severity: Severity, at_least: Severity) -> None:
    order = ["info", "warning", "error", "critical"]
    is_heard = order.index(severity) >= order.index(at_least)
    channel = Channel("x", "slack://a", at_least)
    assert channel.hears(Notice("t", "b", severity)) is is_heard
    assert channel.hears(Notice("t", "b", severity, is_for_all=True))


@given(st.text() | LIKE_JSON.map(json.dumps))
def test_no_secret_is_refused(secret: str) -> None:
    for channel in directory(secret).channels:
        assert "://" in channel.url
