"""A flaky call in, the same call tried a few times within the invocation out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import cache, wraps
from types import ModuleType
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from backstop import invocation

if TYPE_CHECKING:
    from stamina import RetryingCaller

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
            budget = _budget().total_seconds()
            if budget <= 0:
                return call(*args, **kwargs)
            longest_wait = min(wait_max, budget / 4)
            caller: RetryingCaller = _stamina().RetryingCaller(
                attempts=attempts,
                timeout=budget - longest_wait,  # the last wait begins before it and ends within the budget
                wait_initial=min(wait_initial, longest_wait),
                wait_max=longest_wait,
            )
            return caller.on(on)(call, *args, **kwargs)

        return retried

    return decorate


@cache
def _stamina() -> ModuleType:
    """Import it at first use: it costs a cold start, and only a retried call needs it.

    Its hooks would log what calls raised, payloads included: they are off for the whole process. Set your own after.
    """
    import stamina

    stamina.instrumentation.set_on_retry_hooks(())
    return stamina


def _budget() -> timedelta:
    left = invocation.remaining()
    return _LONGEST if left is None else left * _SHARE
