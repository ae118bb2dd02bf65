"""A call to a downstream in, the same call out, unless its circuit is open."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from types import TracebackType
from typing import Any, NamedTuple, ParamSpec, TypeVar

from backstop.circuits.breaker import Call, Circuits
from backstop.circuits.limits import Seconds, checked_name, checked_thresholds
from backstop.circuits.state import Thresholds
from backstop.errors import CircuitOpen

P = ParamSpec("P")
T = TypeVar("T")


class _Entered(NamedTuple):
    name: str
    call: Call | None
    """None where no circuits are installed, and for what is called within a call of the same circuit."""


_installed: Circuits | None = None
_thresholds: dict[str, Thresholds] = {}
"""The thresholds of each circuit of this process."""
_entered: ContextVar[tuple[_Entered, ...]] = ContextVar("entered", default=())
"""The circuits whose calls run here, the innermost last."""


def install(circuits: Circuits | None) -> None:
    """Let all circuits of this process be kept; None lets all calls through."""
    global _installed
    _installed = circuits


class Guard:
    """Lets calls through while their circuit is closed. Threads may share one."""

    def __init__(self, name: str, thresholds: Thresholds, fallback: Callable[..., Any] | None) -> None:
        self._name = name
        self._given = thresholds
        self._fallback = fallback

    def __enter__(self) -> None:
        if self._fallback is not None:
            raise TypeError(f"circuit {self._name}: a fallback takes the place of a function: use it as a decorator")
        self._enter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end(error)

    def __call__(self, call: Callable[P, T]) -> Callable[P, T]:
        """Decorate a function that calls the downstream."""
        if iscoroutinefunction(call) or isgeneratorfunction(call) or isasyncgenfunction(call):
            raise TypeError(f"circuit {self._name}: what it decorates returns before it has run: use `with` inside it")

        @wraps(call)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
            try:
                self._enter()
            except CircuitOpen:
                if self._fallback is None:
                    raise
            else:
                return self._run(call, *args, **kwargs)
            instead: T = self._fallback(*args, **kwargs)
            return instead

        return guarded

    def _run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            result = call(*args, **kwargs)
        except BaseException as error:
            self._end(error)
            raise
        self._end(None)
        return result

    def _enter(self) -> None:
        entered = _entered.get()
        is_within = any(one.name == self._name for one in entered)
        call = None
        if _installed is not None and not is_within:
            breaker = _installed.breaker(self._name, self._given)
            call = breaker.enter(has_fallback=self._fallback is not None)
        _entered.set((*entered, _Entered(self._name, call)))

    def _end(self, error: BaseException | None) -> None:
        entered = _entered.get()
        place = max(place for place, one in enumerate(entered) if one.name == self._name)
        _entered.set(entered[:place] + entered[place + 1 :])
        call = entered[place].call
        if call is not None:
            call.end(error)


def circuit(
    name: str,
    *,
    failures: int = 5,
    rate: float = 0.5,
    calls: int = 10,
    window: Seconds = 60,
    open_for: Seconds = 30,
    successes: int = 3,
    fallback: Callable[..., Any] | None = None,
) -> Guard:
    """Guard a call to a downstream, as a context manager or a decorator: while it is down, no call goes through.

    `name` is the downstream's: all functions that use it share one circuit, and should give it the same parameters. It
    opens on `failures` (1 to 1000) transient failures in a row within one execution environment, or when at least
    `rate` (above 0, 1 at most) of at least `calls` (1 to 100,000) of all environments within `window` (10 s to an hour)
    failed so. After `open_for` (1 s to an hour) one call at a time goes through to find out, and `successes` (1 to 100)
    of them in a row close it. Windows and times are seconds, or a `timedelta`.

    A call that does not go through raises CircuitOpen: leave it to Backstop, and the message waits at no cost. A
    decorator's `fallback` is called instead, with the same arguments. Where the circuits' table does not answer, and
    outside of Backstop's workers, all calls go through.

    Raises ValueError or TypeError for parameters out of their range, or other than those of the same name before.
    """
    thresholds = checked_thresholds(
        checked_name(name),
        failures=failures,
        rate=rate,
        calls=calls,
        window=window,
        open_for=open_for,
        successes=successes,
    )
    if fallback is not None and not callable(fallback):
        raise TypeError(f"circuit {name}: fallback is a function of the same arguments, not {fallback!r}")
    known = _thresholds.setdefault(name, thresholds)
    if known != thresholds:
        raise ValueError(f"circuit {name}: {_difference(known, thresholds)}")
    return Guard(name, thresholds, fallback)


def _difference(known: Thresholds, given: Thresholds) -> str:
    names = Thresholds.__dataclass_fields__
    name = next(name for name in names if getattr(known, name) != getattr(given, name))
    return f"{name} is {getattr(given, name)} here, and {getattr(known, name)} elsewhere in this process"
