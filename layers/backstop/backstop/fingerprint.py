"""A failure in, its group out: what makes it the same failure as another one, and why."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterator
from pathlib import PurePath
from traceback import walk_tb
from types import FrameType, TracebackType
from typing import Final, NamedTuple

from backstop.shapes import compiled

VERSION: Final = 2
"""Groups of different versions never meet: a change of what follows, or of `parametrise`, is a new one."""

_MAX_CAUSES: Final = 16
_MAX_EXPLICIT: Final = 8
_MAX_EXPLICIT_LENGTH: Final = 256
_STANDARD_LIBRARY: Final = PurePath(os.__file__).parent
_LAYERS: Final = PurePath("/opt")
_INSTALLED: Final = frozenset({"site-packages", "dist-packages"})

# What Python, proxies and generators of code put into names: it may differ in each process.
_GENERATED: Final = (
    (r"\.<(?:locals|listcomp|setcomp|dictcomp|genexpr)>", ""),
    (r"<(lambda|module)>", r"\1"),
    (r"0x[0-9a-fA-F]{1,16}", "0x"),
    (r"(\$[A-Za-z]{0,32})\d{1,20}", r"\1"),
    (r"_\d{1,20}(?=[.:]|\Z)", ""),
)


class Surroundings(NamedTuple):
    """What is known of a failure besides the error itself: as much of it as the caller knows.

    `vendored` are the top-level names of the libraries that are installed beside the team's own code.
    """

    kind: str = ""
    function: str = ""
    stage: str = ""
    downstream: str = ""
    method: str = ""
    route: str = ""
    vendored: frozenset[str] = frozenset()


NOTHING_KNOWN: Final = Surroundings()


class Fingerprint(NamedTuple):
    """What a failure is grouped by, each part with its name, in order."""

    parts: tuple[tuple[str, str], ...] = ()

    @property
    def group(self) -> str:
        """The failure's group: 16 hexadecimal digits, the same for the same bug or outage."""
        text = "".join(f"{len(one)}:{one}" for part in self.parts for one in part)  # no two lists of parts alike
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def fingerprint(
    error: BaseException, message: str, frames: Collection[str], surroundings: Surroundings = NOTHING_KNOWN
) -> Fingerprint:
    """Return what a failure is grouped by.

    What the error's author says comes first (`fingerprint`, a text or some, on the error or on one that it was raised
    from), else its type and the own `frames` that it passed through, else its type and `message`, parametrised already.
    """
    explicit = _explicit(error)
    if explicit:
        return _made_of([("fingerprint", one) for one in explicit], surroundings)
    return fingerprint_of(type(error).__name__, message, frames, surroundings)


def fingerprint_of(
    error_type: str, message: str, frames: Collection[str], surroundings: Surroundings = NOTHING_KNOWN
) -> Fingerprint:
    """Return what a failure is grouped by of which only a text tells: its type's name, its message, its own frames.

    An empty name says that nothing is known of the type.
    """
    of_type = [("type", stable_name(error_type))] if error_type else []
    what = [("frame", frame) for frame in frames] or [("message", message)]
    return _made_of(of_type + what, surroundings)


def _made_of(parts: list[tuple[str, str]], surroundings: Surroundings) -> Fingerprint:
    known = surroundings._asdict()
    around = [(name, str(known[name])) for name in known if name != "vendored" and known[name]]
    return Fingerprint((("version", str(VERSION)), *parts, *around))


def explain(fingerprint: Fingerprint) -> tuple[str, ...]:
    """Say what two failures of a group have in common, a sentence each, the most telling first."""
    says = {
        "version": "grouped by version {} of the fingerprint",
        "fingerprint": "their author gave them the fingerprint {}",
        "type": "both are a {}",
        "frame": "both passed through {}",
        "message": "neither passed through own code, and both say: {}",
    }
    ordered = sorted(fingerprint.parts, key=lambda part: part[0] == "version")
    return tuple(says.get(name, f"{name} is {{}} in both").format(value) for name, value in ordered)


def own_frames(traceback: TracebackType | None, own_root: str, vendored: Collection[str] = ()) -> tuple[str, ...]:
    """Return `module:function` of the frames whose file is the team's own, the outermost first, each once.

    So that the depth of a recursion does not matter. Own is what lies below `own_root` and is neither in a folder of
    installed packages nor one of the `vendored` top-level names; layers and the standard library are never own.
    """
    frames = (frame for frame, _ in walk_tb(traceback))
    return tuple(dict.fromkeys(_own(frames, own_root, vendored)))


def innermost_own_frame(traceback: TracebackType | None, own_root: str, vendored: Collection[str] = ()) -> str:
    """Return `module:function` of the innermost frame that is the team's own (see `own_frames`), or an empty string."""
    where = ""
    for where in _own((frame for frame, _ in walk_tb(traceback)), own_root, vendored):  # noqa: B007  # the last one
        pass
    return where


def _own(frames: Iterator[FrameType], own_root: str, vendored: Collection[str]) -> Iterator[str]:
    root = PurePath(own_root)
    for frame in frames:
        path = PurePath(frame.f_code.co_filename)
        if _is_own(path, root, vendored):
            module = frame.f_globals.get("__name__", path.stem)
            yield stable_name(f"{module}:{frame.f_code.co_qualname}")


def _is_own(path: PurePath, root: PurePath, vendored: Collection[str]) -> bool:
    if not path.is_relative_to(root) or _INSTALLED.intersection(path.parts):
        return False
    for foreign in (_STANDARD_LIBRARY, _LAYERS):
        if path.is_relative_to(foreign) and not root.is_relative_to(foreign):
            return False
    top = path.relative_to(root).parts[:1]
    return not top or top[0].partition(".")[0] not in vendored


def stable_name(name: str) -> str:
    """Return the name of a type, module or function without what differs in each process."""
    for pattern, replacement in _GENERATED:
        name = compiled(pattern).sub(replacement, name)
    return name


def _explicit(error: BaseException) -> tuple[str, ...]:
    cause: BaseException | None = error
    for _ in range(_MAX_CAUSES):  # a chain may be a ring
        if cause is None:
            break
        given = _given(cause)
        if given:
            return given
        cause = cause.__cause__
    return ()


def _given(error: BaseException) -> tuple[str, ...]:
    """Return what an error's author gave as its fingerprint; what is neither a text nor some is none."""
    try:
        given = getattr(error, "fingerprint", ())
        texts = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, (list, tuple)) else ()
    except Exception:  # noqa: BLE001  # an error that cannot even be asked is still its message's failure
        return ()
    kept = texts[:_MAX_EXPLICIT]
    return tuple(str(one)[:_MAX_EXPLICIT_LENGTH] for one in kept) if all(isinstance(o, str) and o for o in kept) else ()
