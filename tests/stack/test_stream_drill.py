"""The stream's drill on the local AWS: the deployed stream, function, bucket and log."""

from __future__ import annotations

from ops.drill.stream.command import rehearse
from ops.stack import Stack

CLICKS = 130


def test_a_drill_of_the_stream_balances_and_finds_clicks_robots_and_failures(stack: Stack) -> None:
    account = rehearse(stack, CLICKS, 7, timeout_seconds=120)

    assert account.is_balanced
    assert account.clicks == CLICKS
    assert min(account.delivered, account.dropped, account.failed) > 0
