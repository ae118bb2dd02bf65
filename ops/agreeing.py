"""What a command is about to do in, whether it may out: agreed to by `--yes`, or by a person who types a number."""

from __future__ import annotations

import typer

from ops.tables import say
from ops.terminal import is_a_person


def agrees(number: int, what: str, *, is_agreed: bool) -> bool | None:
    """Ask for the number of things that something is done to; None where nobody sits there to be asked.

    `what` is what typing it does: `delete them for good`.
    """
    if is_agreed:
        return True
    if not is_a_person():
        say("Dry run: nothing was changed; --yes does it.")
        return None
    typed = typer.prompt(f"Type the number of letters to {what}", default="", show_default=False)
    if typed.strip() == str(number):
        return True
    say("Nothing was changed.")
    return False
