"""A text in, the same text as a person left it in their editor out."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from ops.failure import CallFailed

_USUAL: Final = ("sensible-editor", "nano", "vim", "vi")


def edit(text: str) -> str:
    """Open a text in $VISUAL, $EDITOR or a usual editor, in a file that nobody else may read and that is gone then.

    Raises CallFailed where there is no editor, where it fails, and where what it saved is not UTF-8.
    """
    words = _editor()
    with tempfile.TemporaryDirectory(prefix="backstop-") as folder:
        file = Path(folder) / "event.json"
        file.write_bytes(f"{text}\n".encode())
        try:
            ended = subprocess.run([*words, str(file)], check=False)
            saved = file.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise CallFailed(f"what {words[0]} saved is not UTF-8, at byte {error.start + 1}") from None
        except OSError as error:
            raise CallFailed(f"{words[0]} cannot be run: {error.strerror}; name another with EDITOR=…") from None
    if ended.returncode:
        raise CallFailed(f"{words[0]} failed (exit code {ended.returncode}): nothing was changed")
    return saved.removesuffix("\n")


def _editor() -> list[str]:
    """Return the editor's name and the words that it is called with."""
    named = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ""
    try:
        words = shlex.split(named)
    except ValueError:
        raise CallFailed(f"EDITOR={named} has a quote that does not end") from None
    found = words or [name for name in _USUAL if shutil.which(name)][:1]
    if not found:
        raise CallFailed("no editor found: name one with EDITOR=…")
    return found
