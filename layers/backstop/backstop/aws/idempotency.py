"""An event's id and what runs it in; run once out, or not at all: done, run elsewhere, or a killer of its workers.

Powertools' idempotency on DynamoDB: one record an event, in progress until the invocation's deadline, then completed.
Its record also counts how many workers died while they ran the event.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer, IdempotencyConfig, idempotent_function
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyInconsistentStateError,
    IdempotencyItemAlreadyExistsError,
    IdempotencyPersistenceLayerError,
)
from botocore.exceptions import BotoCoreError, ClientError

from backstop.errors import Crashed, NotYet, StoreUnavailable

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import DataRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_dynamodb import DynamoDBClient

MAX_CRASHES: Final = 2
"""How many workers an event may kill before it is not run again."""

_NO_ANSWER: Final = "the idempotency table did not answer"
_MAX_KEYS: Final = 100
"""Keys that a BatchGetItem call takes (DynamoDB quotas)."""


class Idempotency:
    """Runs each event once. One a function, with the table and the name (`prefix`) that its records go by."""

    def __init__(self, client: DynamoDBClient, table: str, prefix: str, expires_after: timedelta) -> None:
        self._store = _CrashCountingStore(table_name=table, boto3_client=client)
        self._config = IdempotencyConfig(
            raise_on_no_idempotency_key=True,
            expires_after_seconds=int(expires_after.total_seconds()),
            hash_function="sha256",
        )
        self._store.configure(self._config, key_prefix=prefix)
        self._run = idempotent_function(
            _call, data_keyword_argument="event_id", persistence_store=self._store, config=self._config,
            key_prefix=prefix,
        )  # fmt: skip

    def begin(self, context: LambdaContext) -> None:
        """Let in-progress records end with this invocation."""
        self._config.register_lambda_context(context)

    def run(self, event_id: str, call: Callable[[], None], *, was_received_before: bool, lineage: str = "") -> None:
        """Call `call` unless the event is done already; whatever it raises is raised on, and the event may run again.

        A worker died over it where its record ran out, its message `was_received_before`, and the record is of the same
        `lineage`: of a message that was not re-sent since, as it is after each failure that was judged.

        Raises Crashed without a call where workers died over it, NotYet where another delivery of it runs now, and
        StoreUnavailable where the table did not answer: before the call, or after it, when the event may be run again.
        """
        self._store.was_received_before = was_received_before
        self._store.lineage = lineage
        try:
            self._run(event_id=event_id, call=call)
        except _Raised as carried:
            raise carried.error from carried.error.__cause__
        except IdempotencyAlreadyInProgressError:
            raise NotYet(self._store.busy_until) from None
        except IdempotencyInconsistentStateError:
            raise NotYet(datetime.now(UTC) + timedelta(seconds=1)) from None
        except IdempotencyPersistenceLayerError as error:
            if isinstance(error.__cause__, Crashed):
                raise error.__cause__ from None
            raise StoreUnavailable(_NO_ANSWER) from error.__cause__

    def were_running(self, event_ids: Sequence[str]) -> frozenset[str]:
        """Return those events whose record says that a worker died while running them.

        Raises StoreUnavailable where the table did not answer.
        """
        key_of = {self._store.key_of(event_id): event_id for event_id in event_ids}
        keys = list(key_of)
        found: set[str] = set()
        for start in range(0, len(keys), _MAX_KEYS):
            found |= self._store.abandoned(keys[start : start + _MAX_KEYS])
        return frozenset(key_of[key] for key in found)


def _call(*, event_id: str, call: Callable[[], None]) -> None:  # Powertools reads the id
    try:
        call()
    except Exception as error:  # noqa: BLE001  # whatever it is, it is the handler's
        raise _Raised(error) from None


class _Raised(Exception):
    """Carries what a handler raised past Powertools, which tries some errors again and may hide others."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class _CrashCountingStore(DynamoDBPersistenceLayer):
    """Powertools' store, but an in-progress record that has run out is taken over with a count, not overwritten."""

    was_received_before = False
    lineage = ""
    busy_until = datetime.min.replace(tzinfo=UTC)

    def key_of(self, event_id: str) -> str:
        return str(self._get_hashed_idempotency_key(data=event_id))  # type: ignore[arg-type]

    def abandoned(self, keys: Sequence[str]) -> set[str]:
        request: Any = {"Keys": [{self.key_attr: {"S": key}} for key in keys], "ConsistentRead": True}
        try:
            answer = self.client.batch_get_item(RequestItems={self.table_name: request})
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailable(_NO_ANSWER) from error
        items = answer["Responses"].get(self.table_name, [])
        return {item[self.key_attr]["S"] for item in items if self._is_abandoned(item)}

    def delete_record(self, data: Any, exception: Exception) -> None:
        """Remove the record of an event whose handler raised. What cannot be removed runs out with the invocation."""
        with suppress(ClientError, BotoCoreError):
            super().delete_record(data, exception)

    def _put_record(self, data_record: DataRecord) -> None:
        fresh = "attribute_not_exists(#id) OR #expiry < :now"
        now = {":now": {"N": str(int(datetime.now(UTC).timestamp()))}}
        old = self._put_if(data_record, 0, fresh, now)
        if old is None:
            return
        if self._is_abandoned(old):
            crashes = int(old["crashes"]["N"]) + 1 if self._was_running(old) else 0
            if crashes >= MAX_CRASHES:
                raise Crashed(f"{crashes} workers died while they ran it: out of memory, a timeout or a native crash")
            unchanged = {":seen": old[self.in_progress_expiry_attr]}
            old = self._put_if(data_record, crashes, "#in_progress_expiry = :seen", unchanged)
            if old is None:
                return
        record = self._item_to_data_record(old)
        self.busy_until = datetime.fromtimestamp(int(record.in_progress_expiry_timestamp or 0) / 1000, UTC)
        raise IdempotencyItemAlreadyExistsError(old_data_record=record)

    def _put_if(
        self, data_record: DataRecord, crashes: int, condition: str, values: dict[str, Any]
    ) -> dict[str, Any] | None:
        """Put the in-progress record; where the condition does not hold, return the one that is there instead."""
        names = {"#id": self.key_attr, "#expiry": self.expiry_attr, "#in_progress_expiry": self.in_progress_expiry_attr}
        try:
            self.client.put_item(
                TableName=self.table_name,
                Item={
                    self.key_attr: {"S": data_record.idempotency_key},
                    self.status_attr: {"S": data_record.status},
                    self.expiry_attr: {"N": str(data_record.expiry_timestamp)},
                    self.in_progress_expiry_attr: {"N": str(data_record.in_progress_expiry_timestamp)},
                    "crashes": {"N": str(crashes)},
                    "lineage": {"S": self.lineage},
                },
                ConditionExpression=condition,
                ExpressionAttributeNames={name: value for name, value in names.items() if name in condition},
                ExpressionAttributeValues=values,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException" and "Item" in error.response:
                return dict(error.response["Item"])  # type: ignore[typeddict-item]
            raise
        return None

    def _was_running(self, abandoned: dict[str, Any]) -> bool:
        """Whether this very try was cut off. A try that was judged may leave a record, too: one not to be removed."""
        return self.was_received_before and "crashes" in abandoned and abandoned["lineage"]["S"] == self.lineage

    def _is_abandoned(self, item: dict[str, Any]) -> bool:
        """Whether a worker died while it ran this event: in progress, and its invocation's deadline is past."""
        if item[self.status_attr]["S"] != "INPROGRESS" or self.in_progress_expiry_attr not in item:
            return False
        return int(item[self.in_progress_expiry_attr]["N"]) <= datetime.now(UTC).timestamp() * 1000
