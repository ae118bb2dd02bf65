"""A command's words and its stack in, what a person types to call it out."""

from __future__ import annotations

import shlex

from ops.stack import Stack


def typed(stack: Stack, *words: str, argument: str | None = None) -> str:
    """Return a command for a stack. `argument` is what it is about, whatever that begins with."""
    about_it = ["--stack", stack.name, *(["--local"] if stack.endpoint_url else [])]
    if argument is None:
        return shlex.join(["backstop", *words, *about_it])
    apart = ["--"] if argument.startswith("-") else []
    return shlex.join(["backstop", *words, *about_it, *apart, argument])
