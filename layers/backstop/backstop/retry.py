"""A flaky call in, the same call tried a few times within the invocation out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Final, ParamSpec, TypeVar

from backstop import invocation

P = ParamSpec("P")
T = TypeVar("T")

_LONGEST: Final = timedelta(seconds=5)
_SHARE: Final = 0.5


def retry(
    on: type[Exception] | tuple[type[Exception], ...] | Callable[[Exception], bool],
    *,
    attempts: int = 3,
    wait_initial: float = 0.1,
    wait_max: float = 1.0,
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorate a call that may fail for a moment: try it again within the invocation, with backoff and jitter.

    `on` says which errors are worth it; that is never guessed. `attempts` counts the first try, waits are in seconds.
    It takes at most half of what is left of the invocation, 5 s outside of one; then the last error is raised, and
    the message's own retry takes over. For waits of more than moments, raise TransientError instead.
    """

    def decorate(call: Callable[P, T]) -> Callable[P, T]:
        @wraps(call)
        def retried(*args: P.args, **kwargs: P.kwargs) -> T:
            import stamina  # costs a cold start, and only a retried call needs it

            caller = stamina.RetryingCaller(
                attempts=attempts, timeout=_budget(), wait_initial=wait_initial, wait_max=wait_max
            )
            return caller.on(on)(call, *args, **kwargs)

        return retried

    return decorate


def _budget() -> timedelta:
    left = invocation.remaining()
    return _LONGEST if left is None else left * _SHARE
