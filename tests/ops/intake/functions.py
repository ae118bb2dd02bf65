"""The part of Lambda that operators' commands call: functions' settings, event source mappings, and an invocation."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from botocore.exceptions import ClientError

RECOVER: Final = "shop-recover"
_SETTLED: Final = {"Enabling": "Enabled", "Updating": "Enabled", "Disabling": "Disabled"}


@dataclass
class Functions:
    """Answers as Lambda does; `recovers` is what RecoverFunction does when it is invoked."""

    recovers: Callable[[], object] = dict
    variables: dict[str, str] = field(default_factory=dict)
    mappings: dict[str, dict[str, Any]] = field(default_factory=dict)
    invocations: list[Any] = field(default_factory=list)
    fails: dict[str, str] | None = None
    """What RecoverFunction raises."""
    refuses: bool = False
    """Whether nobody may invoke it."""
    refuses_changes: bool = False
    """Whether nobody may change a mapping."""

    def get_function_configuration(self, FunctionName: str) -> Any:  # noqa: N803  # as boto3 has it
        assert FunctionName == RECOVER
        return {"FunctionName": RECOVER, "Environment": {"Variables": dict(self.variables)}}

    def get_event_source_mapping(self, UUID: str) -> Any:  # noqa: N803
        return dict(self._mapping(UUID, "GetEventSourceMapping"))

    def update_event_source_mapping(self, UUID: str, Enabled: bool, **changes: Any) -> Any:  # noqa: N803
        mapping = self._mapping(UUID, "UpdateEventSourceMapping")
        if self.refuses_changes:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "UpdateEventSourceMapping")
        on_its_way = "Updating" if mapping["State"] == "Enabled" else "Enabling"
        mapping.update(changes, State=on_its_way if Enabled else "Disabling")
        return dict(mapping)

    def invoke(self, FunctionName: str, Payload: bytes) -> Any:  # noqa: N803
        assert FunctionName == RECOVER
        if self.refuses:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not you"}}, "Invoke")
        self.invocations.append(json.loads(Payload))
        if self.fails is not None:
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(json.dumps(self.fails).encode())}
        self.recovers()
        return {"Payload": io.BytesIO(b"null")}

    def settle(self) -> None:
        """Let changes of mappings come to their end."""
        for mapping in self.mappings.values():
            mapping["State"] = _SETTLED.get(mapping["State"], mapping["State"])

    def _mapping(self, mapping_id: str, operation: str) -> dict[str, Any]:
        if mapping_id not in self.mappings:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "gone"}}, operation)
        return self.mappings[mapping_id]
