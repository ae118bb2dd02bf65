"""The environment of a function that runs events in, what it is told by its template out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from backstop.backoff import Backoff, Shape
from backstop.parking import Limits, OnDeadHead
from backstop.recovery.mode import Mode
from backstop.settings.reader import Reader, by_name
from backstop.verdict import Policy


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
    circuits_table: str
    recovery_mode: Mode

    @classmethod
    def read(cls, read: Reader) -> Self:
        """Read the settings; raises SystemFault, naming what is missing or wrong."""
        return cls(
            source_queue_urls=read("SOURCE_QUEUE_URLS", by_name),
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
            circuits_table=read("CIRCUITS_TABLE", str),
            recovery_mode=read("RECOVERY_MODE", Mode),
        )


@dataclass(frozen=True, slots=True)
class ProcessSettings:
    """What `process` is told by its template."""

    worker: WorkerSettings
    retry_queue_url: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; raises SystemFault, naming what is missing or wrong."""
        read = Reader(environment)
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
        return {**self.worker.source_queue_urls, **by_name(self.drain_queue_url)}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; raises SystemFault, naming what is missing or wrong."""
        read = Reader(environment)
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
        read = Reader(environment)
        return cls(
            stream=read("STREAM_NAME", str),
            stage=read("STAGE", str),
            release=read("RELEASE", str),
            function=read("AWS_LAMBDA_FUNCTION_NAME", str),
            own_root=read("LAMBDA_TASK_ROOT", str),
        )
