"""The editor is the person's own, and what it is given is for nobody else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.ops.command import Command
from tests.ops.dlq.ground import Ground
from tests.ops.dlq.mending import (
    BODY,
    bucket,
    edit,
    edits,
    sent,
    worker,
)

__all__ = ["bucket", "edit", "edits", "worker"]


class TestTheEditor:
    @pytest.mark.parametrize(
        ("name", "why"),
        [
            pytest.param("false", "false failed (exit code 1): nothing was changed", id="fails"),
            pytest.param("/no/such/editor", "cannot be run: No such file or directory", id="is not there"),
            pytest.param("vi 'x", "has a quote that does not end", id="is no command"),
        ],
    )
    def test_that_does_not_work_is_a_sentence(
        self, name: str, why: str, ground: Ground, edit: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ground.die("o-1", body=BODY)
        monkeypatch.setenv("VISUAL", name)
        ran = edit()
        assert (ran.exit_code, why in ran.err, ran.err.count("\n"), sent(ground)) == (2, True, 1, [])

    def test_that_saves_no_utf_8_is_a_sentence(
        self, ground: Ground, edit: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ground.die("o-1", body=BODY)
        script = tmp_path / "latin.py"
        script.write_text(r"import pathlib, sys; pathlib.Path(sys.argv[1]).write_bytes(b'\xff')")
        monkeypatch.setenv("EDITOR", f"{sys.executable} {script}")
        assert "is not UTF-8, at byte 1" in edit().err

    def test_gets_a_file_that_nobody_else_may_read_and_that_is_gone_then(
        self, ground: Ground, edit: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ground.die("o-1", body=BODY)
        script = tmp_path / "looks.py"
        script.write_text(
            "import os, sys; open(sys.argv[0] + '.log', 'w').write("
            "f'{os.stat(os.path.dirname(sys.argv[1])).st_mode & 0o077} {sys.argv[1]}')"
        )
        monkeypatch.setenv("EDITOR", f"{sys.executable} {script}")
        edit()
        mode, name = Path(f"{script}.log").read_text().split(" ", 1)
        assert (mode, Path(name).exists(), Path(name).suffix) == ("0", False, ".json")
