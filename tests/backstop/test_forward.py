from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from backstop.channel import Channel, Directory, Trouble
from backstop.forward import forward
from backstop.notice import Notice
from backstop.occurrence import Severity

TEAM, BOSS = Channel("team", "slack://team"), Channel("boss", "slack://boss")
ON_CALL = Channel("on-call", "pagerduty://hush", Severity.CRITICAL)
TYPO = Trouble("typo", "its url is no address")
NOTICE = Notice("[prod] ERROR: It fails", "where: here", Severity.ERROR, "g1")


@dataclass
class Post:
    """Delivers to all channels but those that are down."""

    down: set[str] = field(default_factory=set)
    delivered: list[tuple[str, Notice]] = field(default_factory=list)

    def deliver(self, notice: Notice, channels: Sequence[Channel]) -> list[str]:
        self.delivered += [(channel.name, notice) for channel in channels if channel.name not in self.down]
        return ["HTTP 500" if channel.name in self.down else "" for channel in channels]

    @property
    def titles(self) -> list[tuple[str, str]]:
        return [(name, notice.title) for name, notice in self.delivered]


def test_all_who_want_a_notice_have_it() -> None:
    post = Post()
    forwarded = forward(NOTICE, Directory((TEAM, ON_CALL, BOSS)), post.deliver)
    assert post.delivered == [("team", NOTICE), ("boss", NOTICE)]
    assert (forwarded.reached, forwarded.troubles, forwarded.is_lost) == (("team", "boss"), (), False)


@pytest.mark.parametrize("directory", [Directory((TEAM, ON_CALL)), Directory(()), Directory((TEAM,), (TYPO,))])
def test_nobody_is_told_of_what_is_no_news(directory: Directory) -> None:
    post = Post()
    forwarded = forward(replace(NOTICE, is_news=False, is_for_all=True), directory, post.deliver)
    assert (post.delivered, forwarded.reached, forwarded.is_lost) == ([], (), False)


def test_those_who_have_it_are_told_who_has_not() -> None:
    post = Post(down={"boss"})
    forwarded = forward(NOTICE, Directory((TEAM, BOSS)), post.deliver)
    assert post.titles == [("team", NOTICE.title), ("team", "Trouble with channel boss")]
    told = post.delivered[1][1]
    assert told.body == "Channel boss: it could not be reached: HTTP 500\n\nThe alert it missed: [prod] ERROR: It fails"
    assert (told.severity, told.is_over) == (Severity.WARNING, False)
    assert forwarded.reached == ("team",)
    assert not forwarded.is_lost


def test_those_who_did_not_want_it_are_told_where_nobody_else_has_it() -> None:
    post = Post(down={"team", "boss"})
    forwarded = forward(NOTICE, Directory((TEAM, BOSS, ON_CALL)), post.deliver)
    assert post.titles == [("on-call", "Trouble with 2 channels")]
    assert post.delivered[0][1].body.endswith("The alert it missed: [prod] ERROR: It fails\n\nwhere: here")
    assert post.delivered[0][1].severity is NOTICE.severity
    assert (forwarded.reached, forwarded.is_lost) == (("on-call",), False)


def test_those_who_did_not_want_it_are_left_alone_where_somebody_has_it() -> None:
    post = Post(down={"boss"})
    forward(NOTICE, Directory((TEAM, BOSS, ON_CALL)), post.deliver)
    assert "on-call" not in {name for name, _ in post.delivered}


def test_a_notice_that_nobody_has_is_lost() -> None:
    down = Post(down={"team", "on-call"})
    forwarded = forward(NOTICE, Directory((TEAM, ON_CALL)), down.deliver)
    assert forwarded.is_lost
    assert [trouble.channel for trouble in forwarded.troubles] == ["team", "on-call"]
    assert forward(NOTICE, Directory((), (TYPO,)), Post().deliver).is_lost


def test_a_notice_that_nobody_wants_is_not_lost_and_no_trouble_is_told() -> None:
    post = Post()
    forwarded = forward(NOTICE, Directory((ON_CALL,), (TYPO,)), post.deliver)
    assert not post.delivered
    assert (forwarded.reached, forwarded.is_lost) == ((), False)


def test_what_is_wrong_with_the_secret_is_told_with_what_failed() -> None:
    post = Post(down={"boss"})
    forward(NOTICE, Directory((TEAM, BOSS), (TYPO,)), post.deliver)
    told = post.delivered[-1][1]
    assert told.title == "Trouble with 2 channels"
    assert told.body.splitlines()[:2] == [
        "Channel typo: its url is no address",
        "Channel boss: it could not be reached: HTTP 500",
    ]


def test_trouble_with_channels_is_one_incident() -> None:
    post = Post(down={"boss"})
    forward(NOTICE, Directory((TEAM, BOSS)), post.deliver)
    forward(NOTICE, Directory((TEAM,), (TYPO,)), post.deliver)
    assert [notice.key for _, notice in post.delivered] == ["g1", "backstop-channels"] * 2
