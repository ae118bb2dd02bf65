"""A drill and its dice in, clicks such as browsers and robots make out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import count
from random import Random
from typing import Any, Final

Click = dict[str, Any]

_PERSONS: Final = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1",
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0",
)
_ROBOTS: Final = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/142.0.0.0",
    "ExampleCrawler/1.0",
)
_PAGES: Final = ("tea?", "tea/earl-grey?", "tea/?", "coffee?", "cups?size=2&", "?")
_OFFSETS_HOURS: Final = (0, 1, -5, 9)


def domain_of(drill: str) -> str:
    """Return the domain of all e-mail addresses of a drill, so that each is known wherever it turns up."""
    return f"{drill}.example"


@dataclass
class Clicks:
    """Makes clicks, numbered in their order. Some pages carry the visitor's address, too, as careless senders' do."""

    drill: str
    now: datetime
    random: Random

    def __post_init__(self) -> None:
        self._numbers = count()

    def make(self, *, is_robot: bool = False, has_email: bool = True) -> Click:
        """Make a click as the sample's schema has it."""
        random = self.random
        click_id = f"{self.drill}-c{next(self._numbers):06d}"
        address = f"Ada.{random.randrange(10_000)}@{domain_of(self.drill)}"
        leak = f"&mail={address}" if has_email and random.random() < 0.5 else ""
        click = {
            "id": click_id,
            "at": self._moment().isoformat(timespec="seconds"),
            "page": f"https://Shop.example/{random.choice(_PAGES)}click={click_id}{leak}",
            "user_agent": random.choice(_ROBOTS if is_robot else _PERSONS),
        }
        if random.random() < 0.5:
            click["referrer"] = "https://search.example/?q=tea"
        return {**click, "email": address} if has_email else click

    def _moment(self) -> datetime:
        return self.now.astimezone(timezone(timedelta(hours=self.random.choice(_OFFSETS_HOURS))))
