"""The environment in, what a function is told by its template out."""

from backstop.settings.recovery import RecoverySettings
from backstop.settings.watchers import IN_DYNAMODB, NotifySettings, RedriveSettings, WatchSettings
from backstop.settings.workers import OrderedSettings, ProcessSettings, TransformSettings, WorkerSettings

__all__ = [
    "IN_DYNAMODB",
    "NotifySettings",
    "OrderedSettings",
    "ProcessSettings",
    "RecoverySettings",
    "RedriveSettings",
    "TransformSettings",
    "WatchSettings",
    "WorkerSettings",
]
