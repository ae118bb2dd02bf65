"""A command that also has subcommands in: which of them is called, so that no option is about the wrong one."""

from __future__ import annotations

import typer


def is_called(context: typer.Context) -> bool:
    """Return whether a subcommand is called, and not the command itself.

    Raises BadParameter for options before it: `keys --stack a discard KEY` must not be taken for `keys discard KEY`.
    """
    if context.invoked_subcommand is None:
        return False
    for name in context.params:
        source = context.get_parameter_source(name)
        if source is not None and source.name != "DEFAULT":
            raise typer.BadParameter(f"options stand behind {context.invoked_subcommand!r}, not before it", context)
    return True
