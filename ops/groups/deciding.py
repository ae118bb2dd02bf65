"""What an operator decides about a group in; written down, done, and what holds then out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from backstop.alert import label
from backstop.aws.groups_items import millis, number
from backstop.groups import Group
from backstop.redact import redact
from ops import audit
from ops.failure import CallFailed
from ops.groups.found import Known, known, not_known
from ops.stack import Stack

LONGEST_SILENCE: Final = timedelta(days=30)
"""What is silenced for longer is forgotten: resolve it, or mend it."""
MAX_NOTE: Final = 512
"""Characters of a note: it stands in alerts."""

_DECIDED: Final = ("acked_at", "acked_by", "silenced_until", "silenced_by", "resolved_at", "resolved_by")


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to hold of a group: attributes, and those that go. `by` is where stands who decided it."""

    word: str
    """The subcommand, with its options."""
    sets: Mapping[str, Any] = field(default_factory=dict)
    by: str = ""
    removes: Sequence[str] = ()


def ack(now: datetime) -> Decision:
    """Let it be worked on: then it is not taken for mended."""
    return Decision("ack", {"acked_at": number(millis(now))}, "acked_by", ("resolved_at", "resolved_by"))


def silence(now: datetime, lasting: timedelta) -> Decision:
    """Let nothing be told of it for so long."""
    return Decision("silence", {"silenced_until": number(millis(now + lasting))}, "silenced_by")


def resolve(group: Group, now: datetime) -> Decision:
    """Take it for mended: nobody works on it any more, and if it comes back, that is to be heard.

    Watchers compare it with their own clock's time of the last occurrence: it is not to be before that.
    """
    others = [name for name in _DECIDED if not name.startswith("resolved")]
    return Decision("resolve", {"resolved_at": number(millis(max(now, group.counted_at)))}, "resolved_by", others)


def reopen() -> Decision:
    """Take back what was decided."""
    return Decision("reopen", removes=_DECIDED)


def note(text: str) -> Decision:
    """Let it carry a note, redacted, in one line; an empty one takes it away. Raises CallFailed if it is too long."""
    kept = redact(" ".join("".join(one if one.isprintable() else " " for one in text).split()))
    if len(kept) > MAX_NOTE:
        raise CallFailed(f"a note has at most {MAX_NOTE} characters, and this one {len(kept):,}")
    if not kept:
        return Decision("note", removes=("note", "noted_by"))
    return Decision("note", {"note": {"S": kept}}, "noted_by")


def subject_of(group: str) -> str:
    """Return what the audit calls a group."""
    return f"group {label(group)}"


def carry_out(stack: Stack, group: str, decision: Decision, command: str) -> tuple[Known, str]:
    """Do what was decided and write down who did it; returns what is known of the group then.

    With it comes why the audit's entry could not be concluded, or nothing. Raises NotFound where the group is
    forgotten by now, and what botocore raises where it cannot be done, or not even be written down.
    """
    entry = audit.record(stack, command, subject_of(group), 1)
    try:
        item = _update(stack, group, decision, entry.who)
    except (ClientError, BotoCoreError) as error:
        audit.conclude(stack, entry, str(error))
        if isinstance(error, stack.dynamodb.exceptions.ConditionalCheckFailedException):
            raise not_known(group) from None
        raise
    return known(item), audit.conclude(stack, entry)


def _update(stack: Stack, group: str, decision: Decision, who: str) -> Mapping[str, Any]:
    """Change a group that is there: watchers write the other attributes meanwhile, and none of these."""
    sets = dict(decision.sets) | ({decision.by: {"S": who}} if decision.by else {})
    expressions = (
        "SET " + ", ".join(f"#{name} = :{name}" for name in sets) if sets else "",
        "REMOVE " + ", ".join(f"#{name}" for name in decision.removes) if decision.removes else "",
    )
    values: dict[str, Any] = {"ExpressionAttributeValues": {f":{name}": value for name, value in sets.items()}}
    return stack.dynamodb.update_item(
        TableName=stack.output("FailureGroupsTableName"),
        Key={"group": {"S": group}},
        UpdateExpression=" ".join(filter(None, expressions)),
        ConditionExpression="attribute_exists(#group)",
        ExpressionAttributeNames={f"#{name}": name for name in ("group", *sets, *decision.removes)},
        ReturnValues="ALL_NEW",
        **(values if sets else {}),
    )["Attributes"]
