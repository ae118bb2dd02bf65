"""The sample: clicks are normalised, robots dropped, addresses hashed, through the real app.py and handler.py."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.handler import Event
from tests.stream_lane import StreamLane, stream_lane

ADDRESS = "ada@example.com"
SECRET = "Zyxwvut"


@pytest.fixture(scope="module")
def warm() -> Iterator[StreamLane]:
    """One warm worker for all clicks: nothing of one may show in the next."""
    with stream_lane() as lane:
        yield lane


@pytest.fixture
def clicks(warm: StreamLane) -> StreamLane:
    warm.forget()
    return warm


def store(clicks: StreamLane, **fields: Any) -> Event:
    """Put a click on the stream and return what is stored of it."""
    clicks.put(clicks.click(**fields))
    clicks.run()
    [stored] = clicks.stored()
    return stored


class TestAPage:
    @pytest.mark.parametrize(
        ("page", "host", "path"),
        [
            pytest.param("https://shop.example/tea", "shop.example", "/tea", id="plain"),
            pytest.param("http://shop.example/tea", "shop.example", "/tea", id="without TLS"),
            pytest.param("https://shop.example:8443/tea", "shop.example", "/tea", id="a port"),
            pytest.param("https://SHOP.Example/Tea", "shop.example", "/Tea", id="upper case, which counts in a path"),
            pytest.param("https://shop.example", "shop.example", "/", id="no path"),
            pytest.param("https://shop.example/", "shop.example", "/", id="the root"),
            pytest.param("https://shop.example///", "shop.example", "/", id="the root, three times"),
            pytest.param("https://shop.example/tea/", "shop.example", "/tea", id="a slash behind it"),
            pytest.param("https://shop.example/tea//", "shop.example", "/tea", id="slashes behind it"),
            pytest.param("https://shop.example/tea//green", "shop.example", "/tea//green", id="slashes within"),
            pytest.param("https://shop.example/tea/?q=1", "shop.example", "/tea", id="a slash before the query"),
            pytest.param("https://shop.example?q=1/2", "shop.example", "/", id="a query and no path"),
            pytest.param("https://shop.example/tea#top", "shop.example", "/tea", id="a fragment"),
            pytest.param("https://shop.example/t%C3%A9e", "shop.example", "/t%C3%A9e", id="escapes"),
            pytest.param("https://Käse.example/käse", "käse.example", "/käse", id="a host with an umlaut"),
            pytest.param("https://日本.example/茶", "日本.example", "/茶", id="a host in Japanese"),
            pytest.param("https://XN--KSE-QLA.example/", "xn--kse-qla.example", "/", id="the same in ASCII"),
            pytest.param("https://[2001:DB8::1]:8080/tea", "2001:db8::1", "/tea", id="an address of IPv6"),
            pytest.param("https://ada:pass@shop.example/tea", "shop.example", "/tea", id="a user and a password"),
        ],
    )
    def test_is_stored_as_its_host_and_its_path(self, clicks: StreamLane, page: str, host: str, path: str) -> None:
        stored = store(clicks, page=page)
        assert (stored["host"], stored["path"]) == (host, path)

    @pytest.mark.parametrize(
        "page",
        [
            pytest.param(f"https://shop.example/tea?token={SECRET}", id="in the query"),
            pytest.param(f"https://shop.example/tea?a=1&b=2?{SECRET}", id="in a query with two question marks"),
            pytest.param(f"https://shop.example/tea#access_token={SECRET}", id="in the fragment"),
            pytest.param(f"https://shop.example/tea?a#b?{SECRET}", id="in both"),
            pytest.param(f"https://{SECRET}@shop.example/tea", id="as a user"),
            pytest.param(f"https://ada:{SECRET}@shop.example/tea", id="as a password"),
        ],
    )
    def test_leaves_its_secrets_behind(self, clicks: StreamLane, page: str) -> None:
        store(clicks, page=page, referrer=page)
        assert SECRET not in clicks.stream.delivered().decode()

    @pytest.mark.parametrize(
        "page", ["/tea", "shop.example/tea", "https:///tea", "ftp://shop.example/", "https://", ""]
    )
    def test_without_a_scheme_and_a_host_is_no_click(self, clicks: StreamLane, page: str) -> None:
        data = clicks.put(clicks.click(page=page))
        clicks.run()
        assert (clicks.stored(), clicks.kept()) == ([], data)


class TestAReferrer:
    def test_is_stored_as_its_host(self, clicks: StreamLane) -> None:
        assert store(clicks, referrer="https://Search.example:443/?q=tea")["referrer"] == "search.example"

    def test_is_left_out_where_there_is_none(self, clicks: StreamLane) -> None:
        assert store(clicks).keys() == {"id", "at", "host", "path"}


class TestATime:
    @pytest.mark.parametrize(
        ("at", "stored"),
        [
            pytest.param("2026-11-21T10:00:00Z", "2026-11-21T10:00:00.000+00:00", id="UTC"),
            pytest.param("2026-11-21t10:00:00z", "2026-11-21T10:00:00.000+00:00", id="UTC in lower case"),
            pytest.param("2026-11-21T10:00:00+01:00", "2026-11-21T09:00:00.000+00:00", id="east of it"),
            pytest.param("2026-11-21T10:00:00-05:30", "2026-11-21T15:30:00.000+00:00", id="west of it"),
            pytest.param("2026-11-21T00:30:00+01:00", "2026-11-20T23:30:00.000+00:00", id="another day"),
            pytest.param("2027-01-01T00:00:00+14:00", "2026-12-31T10:00:00.000+00:00", id="another year"),
            pytest.param("2026-11-21T10:00:00-00:00", "2026-11-21T10:00:00.000+00:00", id="an unknown zone"),
            pytest.param("2024-02-29T10:00:00Z", "2024-02-29T10:00:00.000+00:00", id="a leap day"),
            pytest.param("2026-11-21T10:00:00.5Z", "2026-11-21T10:00:00.500+00:00", id="half a second"),
            pytest.param("2026-11-21T10:00:00.123456789Z", "2026-11-21T10:00:00.123+00:00", id="nanoseconds"),
            pytest.param("2026-11-21T23:59:59.9999Z", "2026-11-21T23:59:59.999+00:00", id="never rounded up"),
        ],
    )
    def test_is_stored_in_utc(self, clicks: StreamLane, at: str, stored: str) -> None:
        assert store(clicks, at=at)["at"] == stored

    @pytest.mark.parametrize(
        "at",
        [
            pytest.param("2026-02-30T10:00:00Z", id="the 30th of February"),
            pytest.param("2025-02-29T10:00:00Z", id="the 29th of another year"),
            pytest.param("2026-13-01T10:00:00Z", id="the 13th month"),
            pytest.param("2026-11-21T25:00:00Z", id="hour 25"),
            pytest.param("2026-11-21T10:60:00Z", id="minute 60"),
            pytest.param("2026-11-21T10:00:00+25:00", id="a day and more off UTC"),
            pytest.param("0000-01-01T00:00:00Z", id="the year 0"),
            pytest.param("0001-01-01T00:00:00+01:00", id="before the year 1 in UTC"),
            pytest.param("9999-12-31T23:59:59-01:00", id="after the year 9999 in UTC"),
            pytest.param("2026-11-21T10:00:00", id="no zone"),
            pytest.param("2026-11-21", id="a day"),
            pytest.param("1795251600", id="seconds since 1970"),
            pytest.param("", id="none"),
        ],
    )
    def test_that_never_was_fails_its_click(self, clicks: StreamLane, at: str) -> None:
        data = clicks.put(clicks.click(at=at))
        clicks.run()
        assert (clicks.stored(), clicks.kept()) == ([], data)
        [report] = clicks.worker.reports()
        assert report["kind"] == "permanent"


class TestARobot:
    @pytest.mark.parametrize(
        "user_agent",
        [
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
            "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
            "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)",
            "Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)",
            "Googlebot-Image/1.0",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/141.0 Safari/537.36",
            "Screaming Frog SEO CRAWLER/19.0",
        ],
    )
    def test_is_dropped(self, clicks: StreamLane, user_agent: str) -> None:
        clicks.put(clicks.click(user_agent=user_agent))
        clicks.run()
        assert clicks.stream.objects == {}
        assert clicks.worker.printed() == ""

    @pytest.mark.parametrize(
        "user_agent",
        [
            "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/141.0 Safari/537.36",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Version/18.1 Mobile Safari/604.1",
            "Mozilla/5.0 (Linux; Android 14; Robotics X) AppleWebKit/537.36 Chrome/141.0 Mobile Safari/537.36",
            "",
        ],
    )
    def test_is_not_who_goes_by_another_name(self, clicks: StreamLane, user_agent: str) -> None:
        assert store(clicks, user_agent=user_agent)["host"] == "shop.example"


class TestAnAddress:
    def test_is_stored_as_a_hash_that_nobody_without_the_key_can_make(self, clicks: StreamLane) -> None:
        visitor = store(clicks, email=ADDRESS)["visitor"]
        assert len(visitor) == 64
        assert visitor not in {hashlib.new(name, ADDRESS.encode()).hexdigest() for name in ("sha256", "sha3_256")}

    def test_is_one_visitor_however_it_is_spelt(self, clicks: StreamLane) -> None:
        clicks.worker.start()
        transform = sys.modules["handler"].transform
        spellings = [ADDRESS, "ADA@Example.COM", "Ada@example.com"]
        visitors = [transform(clicks.click(email=spelling))["visitor"] for spelling in spellings]
        assert len(set(visitors)) == 1
        assert transform(clicks.click(email="eda@example.com"))["visitor"] != visitors[0]

    @pytest.mark.parametrize(
        "fields",
        [
            pytest.param({"email": ADDRESS}, id="where it belongs"),
            pytest.param({"page": f"https://shop.example/leave/{ADDRESS};session=1/now"}, id="in the middle of a path"),
            pytest.param({"email": ADDRESS.upper()}, id="in upper case"),
            pytest.param({"page": f"https://shop.example/?mail={ADDRESS}"}, id="in the page's query"),
            pytest.param({"page": f"https://{ADDRESS}/tea"}, id="in front of the page's host"),
            pytest.param({"referrer": f"https://mail.example/{ADDRESS}"}, id="in the referrer"),
            pytest.param({"user_agent": f"Mozilla/5.0 ({ADDRESS})"}, id="in the user agent"),
            pytest.param({"customer": ADDRESS, "more": {ADDRESS: [ADDRESS]}}, id="in fields that are not stored"),
        ],
    )
    def test_never_stands_in_what_is_stored_or_printed(self, clicks: StreamLane, fields: Event) -> None:
        store(clicks, **fields)
        assert ADDRESS not in clicks.stream.delivered().decode().lower()
        assert clicks.worker.printed() == ""

    def test_never_stands_in_what_is_printed_of_a_failure(self, clicks: StreamLane) -> None:
        clicks.put(clicks.click(email=f"{ADDRESS} and another"), clicks.click(email=ADDRESS, at="0000-01-01T00:00:00Z"))
        clicks.run()
        assert len(clicks.worker.reports()) == 2
        assert ADDRESS not in clicks.worker.printed().lower()
