"""A notice and the channels in, who was told out; a channel that could not be reached is told of through the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from backstop.channel import Channel, Directory, Trouble
from backstop.notice import Notice
from backstop.occurrence import Severity

Deliver = Callable[[Notice, Sequence[Channel]], Sequence[str]]
"""Gives a notice to channels; returns, for each, why it was not reached, or nothing if it was."""

_KEY: Final = "backstop-channels"
"""The incident that all trouble with channels belongs to: an outage of a chat is one, however many alerts it misses."""


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What became of a notice."""

    reached: tuple[str, ...]
    """The names of the channels that have it, or were told of it in place of those that should have it."""
    troubles: tuple[Trouble, ...]
    is_lost: bool = False
    """Whether it was for somebody, and nobody has it."""


def forward(notice: Notice, directory: Directory, deliver: Deliver) -> Forwarded:
    """Give a notice to each channel that hears it, and tell of those that were not reached through the others.

    Where no channel that hears it was reached, all the others are told of it in their place. A channel that does not
    take such a report is not told of once more.
    """
    hearing = [channel for channel in directory.channels if channel.hears(notice)]
    reached, missed = _given(notice, hearing, deliver)
    troubles = (*directory.troubles, *missed)
    if not directory.channels:
        return Forwarded((), troubles, is_lost=notice.is_news)
    if not hearing or not troubles:
        return Forwarded(_names(reached), troubles)
    others = reached or [channel for channel in directory.channels if channel not in hearing]
    told, untold = _given(_of(troubles, notice, knows_it=bool(reached)), others, deliver)
    has_it = reached or told
    return Forwarded(_names(has_it), (*troubles, *untold), is_lost=not has_it)


def _given(notice: Notice, channels: Sequence[Channel], deliver: Deliver) -> tuple[list[Channel], list[Trouble]]:
    whys = deliver(notice, channels) if channels else []
    answers = list(zip(channels, whys, strict=True))
    reached = [channel for channel, why in answers if not why]
    return reached, [Trouble(channel.name, f"it could not be reached: {why}") for channel, why in answers if why]


def _names(channels: Sequence[Channel]) -> tuple[str, ...]:
    return tuple(channel.name for channel in channels)


def _of(troubles: Sequence[Trouble], notice: Notice, *, knows_it: bool) -> Notice:
    """Write down what is wrong with channels, with the text of what they missed for those who have not got it."""
    names = list(dict.fromkeys(trouble.channel for trouble in troubles))
    title = f"Trouble with channel {names[0]}" if len(names) == 1 else f"Trouble with {len(names)} channels"
    lines = [f"Channel {trouble.channel}: {trouble.what}" for trouble in troubles]
    lines += ["", f"The alert it missed: {notice.title}"]
    if not knows_it:
        lines += ["", notice.body]
    severity = Severity.WARNING if knows_it else notice.severity
    return Notice(title, "\n".join(lines), severity, _KEY, is_for_all=True)
