"""The template's state machine as data, and what its expressions say of an input."""

from __future__ import annotations

from typing import Any, Final

import jsonata  # type: ignore[import-untyped]  # it has no types; the local AWS reads expressions with it too

from tests.template.document import RESOURCES

PROPERTIES: Final[dict[str, Any]] = RESOURCES["RedriveStateMachine"]["Properties"]
STATES: Final[dict[str, dict[str, Any]]] = PROPERTIES["Definition"]["States"]


def said(written: Any, **facts: Any) -> Any:
    """Return what a value of a state says: an expression is evaluated, with `input`, `result` or `turns` as given."""
    if isinstance(written, dict):
        return {name: said(value, **facts) for name, value in written.items()}
    if not (isinstance(written, str) and written.startswith("{%")):
        return written
    bindings = {"states": facts, "turns": facts.get("turns", 0)}
    return jsonata.Jsonata.jsonata(written.removeprefix("{%").removesuffix("%}")).evaluate(None, bindings)


def after(answer: dict[str, Any], turns: int = 1) -> str:
    """Return the name of the state that follows a turn with that answer."""
    choice = STATES[STATES["Turn"]["Next"]]
    chosen = (rule["Next"] for rule in choice["Choices"] if said(rule["Condition"], input=answer, turns=turns))
    return str(next(chosen, choice["Default"]))
