"""What a command is about to do in, whether it may out: agreed to by `--yes`, or by a person who says so."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import typer

from ops.tables import say
from ops.terminal import is_a_person

_DRY_RUN: Final = "Dry run: nothing was changed; --yes does it."
_UNCHANGED: Final = "Nothing was changed."


def agrees(number: int, what: str, *, is_agreed: bool) -> bool | None:
    """Ask for the number of things that something is done to; None where nobody sits there to be asked.

    `what` is what typing it does: `delete them for good`.
    """
    if is_agreed:
        return True
    if not is_a_person():
        say(_DRY_RUN)
        return None
    typed = typer.prompt(f"Type the number of letters to {what}", default="", show_default=False)
    if typed.strip() == str(number):
        return True
    say(_UNCHANGED)
    return False


@dataclass(frozen=True, slots=True)
class Asked:
    """How a command was called. `words` is the command as it was typed."""

    words: str
    is_agreed: bool
    as_json: bool


def disagreed(asked: Asked, question: str, fields: Callable[[], Mapping[str, Any]]) -> int | None:
    """Ask for a yes, where what is done can be taken back; returns what the command ends with where none is given.

    A program is not asked, but told how it stands: `fields`.
    """
    if asked.is_agreed:
        return None
    if asked.as_json:
        print(json.dumps({"changed": False, **fields(), "notes": []}))
        return 0
    if not is_a_person():
        say(_DRY_RUN)
        return 0
    if typer.confirm(question):
        return None
    say(_UNCHANGED)
    return 1
