"""One group in, why its failures are one out; two in, what tells them apart."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from rich.console import Console

from backstop.alert import label
from backstop.fingerprint import Fingerprint, explain
from backstop.groups import Group
from ops.groups.found import find
from ops.stack import Stack
from ops.tables import rows, say, warn

Parts = tuple[tuple[str, str], ...]


class Compared(NamedTuple):
    """What two groups are made of: the parts that they share, and those that differ, by name, in each."""

    same: dict[str, list[str]]
    differ: dict[str, tuple[list[str], list[str]]]


def why(stack: Stack, name: str, *, as_json: bool) -> int:
    """Print why failures are in a group; returns 0, or 1 where that was not kept. Raises NotFound."""
    group = find(stack, name).group
    says = explain(Fingerprint(group.parts))
    if as_json:
        print(json.dumps({"group": label(group.group), "parts": group.parts, "says": says}))
        return int(not says)
    if not says:
        warn(_not_kept(group))
        return 1
    say(f"Failures are in group {label(group.group)} because")
    for one in says:
        say(f"  {one}")
    return 0


def why_apart(stack: Stack, name: str, other: str, *, as_json: bool) -> int:
    """Print what two groups do not share; returns 0, or 1 where there is nothing to tell. Raises NotFound."""
    groups = [find(stack, one).group for one in (name, other)]
    names = [label(group.group) for group in groups]
    compared = compare(groups[0].parts, groups[1].parts)
    if as_json:
        print(json.dumps({"groups": names, "differ": compared.differ, "same": compared.same}))
        return int(not compared.differ)
    untold = _untold(groups, compared)
    if untold:
        warn(untold)
        return 1
    Console(highlight=False).print(rows("They differ in", _differences(names, compared)))
    if compared.same:
        say(f"They share: {', '.join(compared.same)}.")
    return 0


def compare(one: Parts, other: Parts) -> Compared:
    """Return what two lists of parts share and what not; a name that stands there often has its values in order."""
    left, right = _by_name(one), _by_name(other)
    names = dict.fromkeys((*left, *right))
    pairs = {name: (left.get(name, []), right.get(name, [])) for name in names}
    return Compared(
        {name: values for name, (values, others) in pairs.items() if values == others},
        {name: pair for name, pair in pairs.items() if pair[0] != pair[1]},
    )


def _untold(groups: list[Group], compared: Compared) -> str:
    """Say why nothing can be told, if so."""
    if groups[0].group == groups[1].group:
        return f"{label(groups[0].group)} is one group"
    unkept = [group for group in groups if not group.parts]
    if unkept:
        return _not_kept(unkept[0])
    return "" if compared.differ else "as far as it was kept, both are made of the same: their parts were cut"


def _not_kept(group: Group) -> str:
    return f"what group {label(group.group)} is made of was not kept"


def _by_name(parts: Parts) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in parts:
        found.setdefault(name, []).append(value)
    return found


def _differences(names: list[str], compared: Compared) -> list[dict[str, Any]]:
    return [
        {"part": part} | {name: " > ".join(values) or "-" for name, values in zip(names, pair, strict=True)}
        for part, pair in compared.differ.items()
    ]
