"""The command `backstop` as its caller sees it: words in; exit code, output and errors out."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from ops import cli


class Ran(NamedTuple):
    exit_code: int
    out: str
    err: str


Command = Callable[..., Ran]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    def run(*words: str) -> Ran:
        monkeypatch.setattr("sys.argv", ["backstop", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return Ran(int(ended.value.code or 0), captured.out, captured.err)

    return run
