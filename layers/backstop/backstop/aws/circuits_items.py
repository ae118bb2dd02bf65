"""What Backstop knows of a circuit besides Powertools in, attributes of its item out, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from backstop.circuits.state import Calls, CircuitState, Opening, Standing
from backstop.circuits.window import Window, live

Item = dict[str, Any]

RELEASE: Final = "release#"
"""What the ids of items begin with that are no circuits."""
OWN: Final = ("generation", "since", "open_for", "why", "probes", "successes", "openings", "forced_until", "changed_by")
"""What each change writes anew, or removes. `dependents` and the window's slots change by themselves."""

_CALLS: Final = "calls_"
_FAILURES: Final = "failures_"


class Condition(NamedTuple):
    """What must hold of an item. Attributes are written `#name` everywhere, for some are reserved words."""

    expression: str
    values: Mapping[str, Any] = {}  # never changed


CLOSED: Final = Condition("attribute_not_exists(#state) OR #state = :closed", {":closed": {"S": CircuitState.CLOSED}})
ANY: Final = Condition("attribute_not_exists(#state) OR attribute_exists(#state)")


def probed_by(prober: str) -> Condition:
    """Return that it is this one's turn."""
    return Condition("#half_open_owner = :prober", {":prober": {"S": prober}})


def addition(seen: Standing, calls: Window, expiration: int) -> tuple[str, Item]:
    """Return what adds calls to a window, and removes what has left it."""
    counts = {
        name: count
        for slot, counted in calls.items()
        for name, count in zip(slot_names(slot), counted, strict=True)
        if count
    }
    expression = (
        "SET #state = if_not_exists(#state, :closed), #failure_count = if_not_exists(#failure_count, :zero), "
        "#expiration = :expiration ADD " + ", ".join(f"#{name} :{name}" for name in counts)
    )
    known = live(seen.window, max(calls))
    stale = [f"#{name}" for slot in seen.window if slot not in known for name in slot_names(slot)]
    values = {"zero": 0, "expiration": expiration, **counts}
    return (
        f"{expression} REMOVE {', '.join(stale)}" if stale else expression,
        {f":{name}": {"N": str(value)} for name, value in values.items()},
    )


def left_out(seen: Standing, after: Standing) -> list[str]:
    """Return what a change removes besides: slots of the window, and who depended on it before it opened."""
    slots = [name for slot in seen.window if slot not in after.window for name in slot_names(slot)]
    is_opening = seen.state is CircuitState.CLOSED and after.state is CircuitState.OPEN
    return [*slots, "dependents"] if is_opening else slots


def own_item(standing: Standing, changed_by: str) -> Item:
    """Return the attributes that Powertools does not know; what is empty is left out."""
    openings = [[seconds(one.at), one.environment, one.function] for one in standing.openings]
    texts = {"why": standing.why, "changed_by": changed_by, "openings": json.dumps(openings) if openings else ""}
    numbers = {
        "generation": standing.generation,
        "since": seconds(standing.since) if standing.since else 0,
        "open_for": standing.open_for.total_seconds(),
        "probes": standing.probes,
        "successes": standing.successes,
        "forced_until": seconds(standing.forced_until) if standing.forced_until else 0,
    }
    item = {name: {"S": text} for name, text in texts.items() if text}
    return item | {name: {"N": f"{number}"} for name, number in numbers.items() if number}


def with_own(standing: Standing, data: Mapping[str, Any]) -> Standing:
    """Return what is known of a circuit, with what the attributes say that Powertools does not know."""
    openings = json.loads(data.get("openings", "[]"))
    return Standing(
        standing.name,
        standing.state,
        int(data.get("generation", 0)),
        opened_at=standing.opened_at,
        since=moment(data.get("since")),
        open_for=timedelta(seconds=float(data["open_for"])) if "open_for" in data else standing.open_for,
        why=str(data.get("why", "")),
        prober=standing.prober,
        lease_until=standing.lease_until,
        probes=int(data.get("probes", 0)),
        successes=int(data.get("successes", 0)),
        openings=tuple(Opening(_at(at), environment, function) for at, environment, function in openings),
        dependents=frozenset(data.get("dependents", ())),
        forced_until=moment(data.get("forced_until")),
        window=_window(data),
    )


def slot_names(slot: int) -> tuple[str, str]:
    """Return the attributes that a slot of the window is kept in."""
    return f"{_CALLS}{slot}", f"{_FAILURES}{slot}"


def seconds(moment: datetime) -> int:
    """Return a time in epoch seconds."""
    return int(moment.timestamp())


def moment(seconds: Any) -> datetime | None:
    """Return the time of epoch seconds; None for none."""
    return _at(seconds) if seconds else None


def _at(seconds: Any) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


def _window(data: Mapping[str, Any]) -> dict[int, Calls]:
    slots = [int(name.removeprefix(_CALLS)) for name in data if name.startswith(_CALLS)]
    return {slot: Calls(*(int(data.get(name, 0)) for name in slot_names(slot))) for slot in slots}
