"""An intake in, how it stands out: paused or not, why, until when, and whether a release of its function is held."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from backstop.alert import label
from backstop.recovery.state import Intake, MappingState, Memory, Pause, SourceMapping
from backstop.release_counts import Hold
from ops.recovery.remembered import pauses
from ops.stack import Stack
from ops.terminal import harmless
from ops.times import iso, told
from ops.typed import typed


@dataclass(frozen=True, slots=True)
class Standing:
    """What recovery wants of an intake, and what its mapping is; `hold` is that of its function's release."""

    intake: Intake
    mapping: SourceMapping
    pause: Pause | None
    hold: Hold | None

    @property
    def is_still(self) -> bool:
        """Whether no events come in, or none are to."""
        return self.pause is not None or self.mapping.state is MappingState.DISABLED

    def fields(self) -> dict[str, Any]:
        """Return what a program is told."""
        pause = self.pause
        return {
            "intake": self.intake.name,
            "function": self.intake.function,
            "mapping": self.mapping.state,
            "concurrency": self.mapping.concurrency,
            "paused_for": "" if pause is None else str(pause.cause),
            "since": None if pause is None else iso(pause.since),
            "until": None if pause is None or pause.until is None else iso(pause.until),
            "held_release": "" if self.hold is None else self.hold.release,
        }

    def in_words(self) -> str:
        """Return what a person is told, in a sentence."""
        mapping = f"its mapping is {self.mapping.state}"
        if self.mapping.concurrency is not None:
            mapping += f", with a concurrency of {self.mapping.concurrency}"
        stands = "not paused" if self.pause is None else pause_in_words(self.pause)
        return f"{self.intake.name}: {stands}; {mapping}"


def pause_in_words(pause: Pause) -> str:
    """Say since when, why and until when an intake stands still."""
    ends = "until a person or a newer release resumes it" if pause.until is None else f"until {told(pause.until)}"
    return f"paused since {told(pause.since)} because of {pause.cause}, {ends}"


def standings(
    intakes: Iterable[Intake], mappings: Mapping[str, SourceMapping], memory: Memory, holds: Iterable[Hold]
) -> list[Standing]:
    """Return how intakes stand."""
    paused, held = pauses(memory), {one.function: one for one in holds}
    return [Standing(one, mappings[one.name], paused.get(one.name), held.get(one.function)) for one in intakes]


def hold_in_words(hold: Hold) -> str:
    """Say which release is held, and why: what failed, and its share."""
    share = f", {hold.failed / hold.ran:.0%}" if hold.ran else ""
    return (
        f"release {hold.release} of {hold.function} is held since {told(hold.since)}: "
        f"{hold.failed:,} of {hold.ran:,} messages{share}, failed as {label(hold.group)}"
    )


def what_fails(stack: Stack, hold: Hold) -> str:
    """Return the command that shows what a held release fails with."""
    return harmless(typed(stack, "groups", "show", argument=label(hold.group)))
