"""The environment of a function that watches or redrives in, what it is told by its template out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self

from backstop.budget import Budget
from backstop.settings.reader import Reader, by_name

IN_DYNAMODB: Final = "dynamodb"
"""What AlertStore says where no server is named."""


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """What `watch` is told by its template."""

    groups_table: str
    failed_events_table: str
    failed_events_expiry: timedelta
    topic_arn: str
    budget: Budget
    store: str
    """Where windows are kept: IN_DYNAMODB, or the address of a Valkey or Redis server."""
    stack: str
    stage: str
    release: str
    function: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; raises SystemFault, naming what is missing or wrong."""
        read = Reader(environment)
        return cls(
            groups_table=read("FAILURE_GROUPS_TABLE", str),
            failed_events_table=read("FAILED_EVENTS_TABLE", str),
            failed_events_expiry=timedelta(days=read("FAILED_EVENT_DAYS", int)),
            topic_arn=read("ALERT_TOPIC_ARN", str),
            budget=Budget(
                limit=read("ALERT_LIMIT", int),
                window=timedelta(seconds=read("ALERT_WINDOW_SECONDS", int)),
                quiet=timedelta(seconds=read("ALERT_QUIET_SECONDS", int)),
                digest_after=read("DIGEST_AFTER", int),
            ),
            store=read("ALERT_STORE", str),
            stack=read("STACK_NAME", str),
            stage=read("STAGE", str),
            release=read("RELEASE", str),
            function=read("AWS_LAMBDA_FUNCTION_NAME", str),
        )


@dataclass(frozen=True, slots=True)
class NotifySettings:
    """What `notify` is told by its template."""

    channels_secret: str
    """The ARN of the secret that names the channels."""
    stage: str
    release: str
    function: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; raises SystemFault, naming what is missing or wrong."""
        read = Reader(environment)
        return cls(
            channels_secret=read("CHANNELS_SECRET", str),
            stage=read("STAGE", str),
            release=read("RELEASE", str),
            function=read("AWS_LAMBDA_FUNCTION_NAME", str),
        )


@dataclass(frozen=True, slots=True)
class RedriveSettings:
    """What `redrive` is told by its template."""

    redrive_table: str
    circuits_table: str
    failed_events_table: str
    groups_table: str
    parked_table: str
    bucket: str
    drain_queue_url: str
    dead_letter_queue_urls: Mapping[str, str]
    """The queues that dead letters lie in, their addresses by name."""
    source_queue_urls: Mapping[str, str]
    """The queues that dead letters come from, their addresses by name."""
    default_queue_url: str
    """Where a letter goes of which is not known where it came from."""
    watch: timedelta
    rescue_after: timedelta
    parked_events: int
    """How many events of a key may be parked."""
    in_hand: timedelta
    """How long a worker of the ordered lane may be at what it has taken in."""
    stage: str
    release: str
    function: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; raises SystemFault, naming what is missing or wrong."""
        read = Reader(environment)
        return cls(
            redrive_table=read("REDRIVE_TABLE", str),
            circuits_table=read("CIRCUITS_TABLE", str),
            failed_events_table=read("FAILED_EVENTS_TABLE", str),
            groups_table=read("FAILURE_GROUPS_TABLE", str),
            parked_table=read("PARKED_TABLE", str),
            bucket=read("DATA_BUCKET", str),
            drain_queue_url=read("DRAIN_QUEUE_URL", str),
            dead_letter_queue_urls=read("DEAD_LETTER_QUEUE_URLS", by_name),
            source_queue_urls=read("SOURCE_QUEUE_URLS", by_name),
            default_queue_url=read("DEFAULT_QUEUE_URL", str),
            watch=timedelta(seconds=read("CANARY_WATCH_SECONDS", int)),
            rescue_after=timedelta(days=read("RESCUE_AFTER_DAYS", int)),
            parked_events=read("MAX_PARKED_EVENTS", int),
            in_hand=timedelta(seconds=read("IN_HAND_SECONDS", int)),
            stage=read("STAGE", str),
            release=read("RELEASE", str),
            function=read("AWS_LAMBDA_FUNCTION_NAME", str),
        )
