"""Options that several commands take, each with its one name, bounds and help."""

from __future__ import annotations

from typing import Annotated

import typer

StackName = Annotated[str, typer.Option("--stack", help="The stack's name.")]
IsLocal = Annotated[bool, typer.Option("--local", help="On the local AWS instead of your account.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, for programs.")]
Events = Annotated[int, typer.Option(min=1, max=1_000_000, help="How many orders.")]
DrillEvents = Annotated[
    int | None,
    typer.Option(
        "--events",
        min=1,
        max=1_000_000,
        help="How many orders (2000); with --stream how many clicks (500), with --ordered how many events a key (20).",
    ),
]
Seed = Annotated[int, typer.Option(min=0, max=999_999_999, help="The same seed plans the same drill.")]
