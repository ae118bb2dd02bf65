"""A variable's name in, its value out; what is missing or wrong is named."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from backstop.errors import SystemFault

T = TypeVar("T")


def by_name(urls: str) -> Mapping[str, str]:
    """Return queues' addresses by their names; commas part them."""
    return {url.rpartition("/")[2]: url for url in urls.split(",")}


class Reader:
    """Reads variables, each by its name."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def __call__(self, name: str, convert: Callable[[str], T]) -> T:
        """Return a variable as `convert` makes it. Raises SystemFault where it is missing, or cannot be that."""
        value = self._environment.get(name, "")
        if not value:
            raise SystemFault(f"the environment variable {name} is missing: set it on the function in template.yaml")
        try:
            return convert(value)
        except ValueError:
            raise SystemFault(
                f"the environment variable {name} is {value!r}: not a value it can have (see template.yaml)"
            ) from None
