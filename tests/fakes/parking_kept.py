"""Locks and events in, the same out as a table would tell them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from backstop.parking import Lock, Parked
from backstop.trail import ATTRIBUTE


def kept(lock: Lock) -> Lock:
    """Return a lock as the table tells it: its times in whole milliseconds."""
    return replace(lock, due=_to_millis(lock.due), since=_to_millis(lock.since))


def _to_millis(moment: datetime) -> datetime:
    return datetime.fromtimestamp(round(moment.timestamp() * 1000) / 1000, moment.tzinfo)


def with_trail(event: Parked, head: Parked) -> Parked:
    """Return an event with the history of its head, and nothing else of that."""
    attributes = dict(event.record["messageAttributes"])
    if ATTRIBUTE in head.record["messageAttributes"]:
        attributes[ATTRIBUTE] = head.record["messageAttributes"][ATTRIBUTE]
    return replace(event, record={**event.record, "messageAttributes": attributes})
