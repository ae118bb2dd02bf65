"""The team's handler in a test: it does with each event what it is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from backstop import Kind, Message

Event = dict[str, Any]
Act = BaseException | Callable[[Event, Any], object] | None
"""What the handler does with an event: nothing but finish, raise, or run something first."""


class ScriptedHandler:
    """The team's handler, told what to do with each event; one that it is told nothing of is simply done."""

    def __init__(self) -> None:
        self.runs: list[str] = []
        """The ids of events in the order in which they were run."""
        self.finished: Counter[str] = Counter()
        """How often each event was run to its end: its effects."""
        self.messages: list[Message] = []
        self.kinds: dict[type[BaseException], Kind] = {}
        """The handler's own table of errors."""
        self._acts: dict[str, list[Act]] = {}

    def will(self, event_id: str, *acts: Act) -> None:
        """Say what each run of an event does; the last act stands for all later runs."""
        self._acts[event_id] = list(acts)

    def forget(self) -> None:
        """Forget what was told and what was done."""
        for remembered in (self.runs, self.messages, self.finished, self._acts):
            remembered.clear()

    def handle(self, event: Event, message: Message) -> None:
        """Do as told."""
        self.messages.append(message)
        self.run(event, message)

    def run(self, event: Event, message: Message | None = None) -> None:
        """Do as told, where nobody says anything of the message."""
        event_id = event["id"]
        self.runs.append(event_id)
        acts = self._acts.get(event_id, [None])
        act = acts.pop(0) if len(acts) > 1 else acts[0]
        if isinstance(act, BaseException):
            raise act.with_traceback(None)  # an error that is raised again would keep the frames of its former life
        if act is not None:
            act(event, message)
        self.finished[event_id] += 1
