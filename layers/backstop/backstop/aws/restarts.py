"""A function's name in, which release of it runs since when out; and new execution environments for it."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from backstop.aws.refusals import Answered, asked
from backstop.errors import SystemFault
from backstop.recovery.observing import Deployed

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

RESTARTED_AT: Final = "RESTARTED_AT"
"""The variable that a restart sets: any change of a function's configuration makes its environments anew."""
_OTHERS_WERE_FIRST: Final = ("PreconditionFailedException", "ResourceConflictException")
"""It was changed since it was read, or is being changed: its environments are made anew all the same."""


class Functions:
    """The workers' functions, as they are deployed."""

    def __init__(self, client: LambdaClient) -> None:
        self._client: Any = client

    def look(self, function: str) -> Deployed:
        """Return what is deployed of a function. Raises SystemFault where that cannot be told."""
        found = self._read(function)
        variables = found["Environment"]["Variables"]
        return Deployed(str(variables.get("RELEASE", "")), found["CodeSha256"], _renewed_at(found))

    def restart(self, function: str, at: datetime) -> None:
        """Let a function have no execution environment that is older than `at`; where that is so, do nothing.

        Its other variables stay as they are; whoever changes it meanwhile does the same. Raises SystemFault.
        """
        found = self._read(function)
        if found.get("LastUpdateStatus") == "InProgress" or _renewed_at(found) >= at.replace(microsecond=0):
            return
        variables = {**found["Environment"]["Variables"], RESTARTED_AT: at.astimezone(UTC).isoformat()}
        wanted = {"FunctionName": function, "Environment": {"Variables": variables}}
        revision = {"RevisionId": found["RevisionId"]} if found.get("RevisionId") else {}
        with suppress(Answered), asked(f"the function {function} was not restarted", *_OTHERS_WERE_FIRST):
            self._client.update_function_configuration(**wanted, **revision)

    def _read(self, function: str) -> Any:
        with asked(f"the function {function} could not be read"):
            found = self._client.get_function_configuration(FunctionName=function)
        environment = found.setdefault("Environment", {"Variables": {}})
        if "Variables" not in environment:  # a key of the account's own encrypts them: what is not read is not written
            code = environment.get("Error", {}).get("ErrorCode", "no reason given")
            raise SystemFault(f"the variables of the function {function} could not be read: {code}")
        return found


def _renewed_at(found: Any) -> datetime:
    """Return when all of a function's environments were made anew at the latest."""
    restarted_at = found["Environment"]["Variables"].get(RESTARTED_AT, "")
    return max(_moment(found["LastModified"]), _moment(restarted_at))


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
