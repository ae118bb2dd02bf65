"""A dead order that can be mended, an editor that does it, and what becomes of the copy while the command waits."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from backstop.aws.failed_events import FailedEvents
from backstop.occurrence import Occurrence
from backstop.trail import ATTRIBUTE, Trail
from ops.dlq import edit as editing
from tests.fakes.queue import QueuedMessage
from tests.ops.command import Command
from tests.ops.dlq.ground import Ground
from tests.ops.dlq.kept import Bucket, bucket

__all__ = ["bucket"]

ORDER = {
    "id": "o-1",
    "customer": "c",
    "currency": "EURO",
    "placed_at": "2026-01-05T08:00:00Z",
    "items": [{"sku": "A", "quantity": 1}],
}
BODY = json.dumps(ORDER, separators=(",", ":"))
MENDED = BODY.replace("EURO", "EUR")
SCRIPT = """
import json, pathlib, sys
steps = pathlib.Path(__file__).with_name("steps.json")
old, new, *later = json.loads(steps.read_text())
steps.write_text(json.dumps(later or [old, new]))
file = pathlib.Path(sys.argv[1])
pathlib.Path(__file__).with_name("opened.txt").write_bytes(file.read_bytes())
file.write_bytes(file.read_bytes().replace(old.encode(), new.encode()))
"""

Edits = Callable[..., None]


@pytest.fixture
def edits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Edits:
    """Let an editor replace one text by another; called again, the next one by the one after it."""
    script = tmp_path / "an editor.py"
    script.write_text(SCRIPT)
    monkeypatch.setenv("EDITOR", f"{sys.executable} '{script}'")
    monkeypatch.delenv("VISUAL", raising=False)

    def replace(*olds_and_news: str) -> None:
        (tmp_path / "steps.json").write_text(json.dumps(olds_and_news))

    replace("EURO", "EUR")
    return replace


class Worker:
    """What happens while the command waits: at each look, one thing befalls what was sent."""

    def __init__(self, ground: Ground) -> None:
        self.verdicts: list[str] = ["Done"]
        self.waited = 0.0
        self.then: Callable[[], object] = lambda: None
        self._ground = ground
        self._lines = count()

    def sleep(self, seconds: float) -> None:
        self.waited += seconds
        self._ground.clock.advance(timedelta(seconds=seconds))
        if self.verdicts and (verdict := self.verdicts.pop(0)):
            self.befall(verdict)
        self.then()

    def befall(self, verdict: str, redrive_id: str | None = None) -> None:
        """Let the logs tell what became of the copy."""
        told = Occurrence(
            line=f"{next(self._lines):012}",
            at=self._ground.clock.now(),
            group="",
            event_id="o-1",
            verdict=verdict,
            redrive_id=copy_of(self._ground)[0] if redrive_id is None else redrive_id,
        )
        FailedEvents(self._ground.client, "events", timedelta(days=35)).record([told])


@pytest.fixture
def worker(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> Worker:
    worker = Worker(ground)
    monkeypatch.setattr(editing, "edit", partial(editing.edit, sleep=worker.sleep))
    monkeypatch.setattr(editing, "finish", partial(editing.finish, sleep=worker.sleep))
    return worker


@pytest.fixture
def edit(dlq: Command, bucket: Bucket, edits: Edits, worker: Worker) -> Command:
    """Run `backstop dlq edit` on an order, agreed to beforehand."""
    return lambda *words: dlq("edit", "o-1", "--yes", *words)


def sent(ground: Ground, queue: str = "shop-events") -> list[QueuedMessage]:
    return ground.sqs.queue(queue).messages


def copy_of(ground: Ground) -> tuple[str, Trail]:
    """Return the mark and the history of the copy that was sent."""
    [copy] = sent(ground)
    text = copy.attributes[ATTRIBUTE]["StringValue"]
    trail = Trail.written(text, frozenset({"shop-events"}), ground.clock.now())
    return trail.redrive_id, trail


def entries(ground: Ground) -> list[tuple[str, str]]:
    return [(command, result) for command, _, _, result in ground.audit()]
