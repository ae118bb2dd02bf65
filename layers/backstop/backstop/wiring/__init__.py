"""Settings, adapters and flows in, a function's handler out: the only room that knows them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

LambdaHandler = Callable[[Mapping[str, Any], "LambdaContext"], Mapping[str, Any]]
