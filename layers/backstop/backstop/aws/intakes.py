"""An event source mapping's id in, what it is like out; and what it shall be like in, asked of AWS."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from backstop.aws.refusals import Answered, asked
from backstop.recovery.state import MappingState, SourceMapping

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

_GONE: Final = "ResourceNotFoundException"
_CHANGING: Final = ("ResourceInUseException", "ResourceConflictException")

_STATES: Final = {
    "Enabled": MappingState.ENABLED,
    "Disabled": MappingState.DISABLED,
    "Deleting": MappingState.GONE,
}
"""Of AWS's states; each other one (Creating, Enabling, Disabling, Updating) passes into one of these."""


class Intakes:
    """The event source mappings of workers' intakes."""

    def __init__(self, client: LambdaClient) -> None:
        self._client = client

    def look(self, mapping_id: str) -> SourceMapping:
        """Return a mapping as it is. Raises SystemFault where that cannot be told."""
        try:
            with asked(f"the event source mapping {mapping_id} could not be read", _GONE):
                answer = self._client.get_event_source_mapping(UUID=mapping_id)
        except Answered:
            return SourceMapping(MappingState.GONE)
        state = _STATES.get(answer.get("State", ""), MappingState.CHANGING)
        return SourceMapping(state, answer.get("ScalingConfig", {}).get("MaximumConcurrency"))

    def set(self, mapping_id: str, is_enabled: bool, concurrency: int) -> None:
        """Enable or disable a mapping, with this concurrency (2 to 1000); what else it has stays as it is.

        One that is changing, or gone, stays so: whoever looks again sees it. Raises SystemFault where it was refused.
        """
        with suppress(Answered), asked(f"the event source mapping {mapping_id} did not change", _GONE, *_CHANGING):
            self._client.update_event_source_mapping(
                UUID=mapping_id, Enabled=is_enabled, ScalingConfig={"MaximumConcurrency": concurrency}
            )
