"""What is known of a release in, the attributes of its item out, and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from backstop.release_counts import Counts, Hold, ReleaseStanding

Item = Mapping[str, Any]

_PREFIX: Final = "release#"
_RAN: Final = "ran"
_FAILED: Final = "failed"


def id_of(function: str, release: str) -> str:
    """Return what a release's item is called."""
    return f"{_PREFIX}{function}#{release}"


def id_of_live(function: str) -> str:
    """Return what the item is called that names a function's live release."""
    return f"{_PREFIX}{function}"


def is_live(release: str, item: Item) -> bool:
    """Return whether a function's item names this release."""
    return item.get("live") == {"S": release}


def seconds(moment: datetime) -> dict[str, str]:
    """Return a time as DynamoDB's own expiry reads it."""
    return {"N": str(int(moment.timestamp()))}


def moment_in(item: Item, name: str) -> datetime:
    """Return a time of an item's."""
    return datetime.fromtimestamp(int(item[name]["N"]), UTC)


def attributes_of(counts: Counts) -> dict[str, int]:
    """Return counts as attributes: `ran.59000000`, `failed.59000000.0123456789abcdef`."""
    ran = {f"{_RAN}.{slot}": count for slot, count in counts.ran.items()}
    return ran | {f"{_FAILED}.{slot}.{group}": count for (slot, group), count in counts.failed.items()}


def facts_of(hold: Hold, by: str) -> dict[str, dict[str, str]]:
    """Return the attributes that hold a release. `by` is the process that does."""
    return {
        "held_group": {"S": hold.group},
        "held_by": {"S": by},
        "held_at": seconds(hold.since),
        "held_failed": {"N": str(hold.failed)},
        "held_ran": {"N": str(hold.ran)},
    }


def standing_in(item: Item) -> ReleaseStanding:
    """Read what all workers know of a release."""
    is_let_go = "is_let_go" in item
    held_group = "" if is_let_go or "held_group" not in item else item["held_group"]["S"]
    return ReleaseStanding(moment_in(item, "since"), _counts_in(item), held_group, is_let_go)


def hold_in(item: Item) -> Hold | None:
    """Read why a release is held; None where it is not, or was let go."""
    if "held_group" not in item or "is_let_go" in item:
        return None
    _, function, release = item["id"]["S"].split("#", 2)
    failed, ran = int(item["held_failed"]["N"]), int(item["held_ran"]["N"])
    return Hold(function, release, item["held_group"]["S"], failed, ran, moment_in(item, "held_at"))


def _counts_in(item: Item) -> Counts:
    ran: dict[int, int] = {}
    failed: dict[tuple[int, str], int] = {}
    for name, value in item.items():
        what, _, rest = name.partition(".")
        slot, _, group = rest.partition(".")
        if what == _RAN:
            ran[int(slot)] = int(value["N"])
        elif what == _FAILED:
            failed[int(slot), group] = int(value["N"])
    return Counts(ran, failed)
