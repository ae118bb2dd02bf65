"""The environment in, what a function is told by its template out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self, TypeVar

from backstop.backoff import Backoff, Shape
from backstop.budget import Budget
from backstop.errors import SystemFault
from backstop.parking import Limits, OnDeadHead
from backstop.verdict import Policy

T = TypeVar("T")

IN_DYNAMODB: Final = "dynamodb"
"""What AlertStore says where no server is named."""


def _by_name(urls: str) -> Mapping[str, str]:
    return {url.rpartition("/")[2]: url for url in urls.split(",")}


class _Reader:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def __call__(self, name: str, convert: Callable[[str], T]) -> T:
        value = self._environment.get(name, "")
        if not value:
            raise SystemFault(f"the environment variable {name} is missing: set it on the function in template.yaml")
        try:
            return convert(value)
        except ValueError:
            raise SystemFault(
                f"the environment variable {name} is {value!r}: not a value it can have (see template.yaml)"
            ) from None


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What every function that runs a queue's messages is told by its template."""

    source_queue_urls: Mapping[str, str]
    """The queues that it reads messages from, their addresses by name."""
    dead_letter_queue_url: str
    idempotency_table: str
    idempotency_expiry: timedelta
    policy: Policy
    stage: str
    release: str
    function: str
    own_root: str
    allows_drills: bool

    @classmethod
    def read(cls, read: _Reader) -> Self:
        """Read the settings; raises SystemFault, naming what is missing or wrong."""
        return cls(
            source_queue_urls=read("SOURCE_QUEUE_URLS", _by_name),
            dead_letter_queue_url=read("DEAD_LETTER_QUEUE_URL", str),
            idempotency_table=read("IDEMPOTENCY_TABLE", str),
            idempotency_expiry=timedelta(days=read("IDEMPOTENCY_DAYS", int)),
            policy=Policy(
                backoff=Backoff(
                    base=timedelta(seconds=read("RETRY_BASE_SECONDS", int)),
                    limit=timedelta(seconds=read("RETRY_LIMIT_SECONDS", int)),
                    shape=read("RETRY_SHAPE", Shape),
                ),
                max_attempts=read("MAX_ATTEMPTS", int),
                max_age=timedelta(hours=read("MAX_RETRY_HOURS", int)),
            ),
            stage=read("STAGE", str),
            release=read("RELEASE", str),
            function=read("AWS_LAMBDA_FUNCTION_NAME", str),
            own_root=read("LAMBDA_TASK_ROOT", str),
            allows_drills=read("ALLOW_DRILL", str) == "true",
        )


@dataclass(frozen=True, slots=True)
class ProcessSettings:
    """What `process` is told by its template."""

    worker: WorkerSettings
    retry_queue_url: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; raises SystemFault, naming what is missing or wrong."""
        read = _Reader(environment)
        return cls(worker=WorkerSettings.read(read), retry_queue_url=read("RETRY_QUEUE_URL", str))


@dataclass(frozen=True, slots=True)
class OrderedSettings:
    """What `process_ordered` is told by its template."""

    worker: WorkerSettings
    drain_queue_url: str
    parked_table: str
    parked_bucket: str
    limits: Limits
    on_dead_head: OnDeadHead

    @property
    def queue_urls(self) -> Mapping[str, str]:
        """All queues that it reads, their addresses by name."""
        return {**self.worker.source_queue_urls, **_by_name(self.drain_queue_url)}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; raises SystemFault, naming what is missing or wrong."""
        read = _Reader(environment)
        return cls(
            worker=WorkerSettings.read(read),
            drain_queue_url=read("DRAIN_QUEUE_URL", str),
            parked_table=read("PARKED_TABLE", str),
            parked_bucket=read("PARKED_BUCKET", str),
            limits=Limits(read("MAX_PARKED_EVENTS", int), read("MAX_PARKED_KEYS", int)),
            on_dead_head=read("ON_DEAD_HEAD", OnDeadHead),
        )


@dataclass(frozen=True, slots=True)
class TransformSettings:
    """What `transform` is told by its template."""

    stream: str
    """The name of the stream whose records it transforms."""
    stage: str
    release: str
    function: str
    own_root: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; raises SystemFault, naming what is missing or wrong."""
        read = _Reader(environment)
        return cls(
            stream=read("STREAM_NAME", str),
            stage=read("STAGE", str),
            release=read("RELEASE", str),
            function=read("AWS_LAMBDA_FUNCTION_NAME", str),
            own_root=read("LAMBDA_TASK_ROOT", str),
        )


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
        read = _Reader(environment)
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
        read = _Reader(environment)
        return cls(
            channels_secret=read("CHANNELS_SECRET", str),
            stage=read("STAGE", str),
            release=read("RELEASE", str),
            function=read("AWS_LAMBDA_FUNCTION_NAME", str),
        )
