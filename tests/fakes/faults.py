"""Which AWS calls fail and how: rules in, the errors that botocore would raise out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from types import SimpleNamespace
from typing import Any, Final

from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

Request = Mapping[str, Any]

_ENDPOINT: Final = "https://aws.example"
_CODES: Final = {
    ("sqs", "throttled"): "RequestThrottled",
    ("sqs", "denied"): "AccessDenied",
    ("dynamodb", "throttled"): "ProvisionedThroughputExceededException",
    ("dynamodb", "denied"): "AccessDeniedException",
    ("sns", "throttled"): "Throttled",
    ("sns", "denied"): "AuthorizationError",
    ("logs", "throttled"): "ThrottlingException",
    ("logs", "denied"): "AccessDeniedException",
    ("firehose", "throttled"): "ServiceUnavailableException",
    ("firehose", "denied"): "AccessDeniedException",
    ("lambda", "throttled"): "TooManyRequestsException",
    ("lambda", "denied"): "AccessDeniedException",
    ("ssm", "throttled"): "ThrottlingException",
    ("ssm", "denied"): "AccessDeniedException",
    ("cloudwatch", "throttled"): "Throttling",
    ("cloudwatch", "denied"): "AccessDenied",
}


class Fault(StrEnum):
    """How a call fails. All but the last fail before anything has happened."""

    THROTTLED = "throttled"
    DENIED = "denied"
    UNREACHABLE = "unreachable"
    ANSWER_LOST = "answer lost"

    @property
    def takes_effect(self) -> bool:
        """Whether the service did what it was asked for although the caller sees a failure."""
        return self is Fault.ANSWER_LOST


@dataclass(slots=True)
class _Rule:
    operation: str
    faults: list[Fault | None]
    always: Fault | None
    matches: Callable[[Request], bool]

    def next(self) -> Fault | None:
        return self.faults.pop(0) if self.faults else self.always


class Faults:
    """The rules by which calls fail, and a count of the calls."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self._rules: list[_Rule] = []

    def fail(self, operation: str, *faults: Fault | None, when: Callable[[Request], bool] | None = None) -> None:
        """Let the next calls of `operation` fail in these ways, one a call; None lets a call through."""
        self._rules.append(_Rule(operation, list(faults), None, when or _any))

    def fail_always(self, operation: str, fault: Fault, when: Callable[[Request], bool] | None = None) -> None:
        """Let every call of `operation` fail until `clear`."""
        self._rules.append(_Rule(operation, [], fault, when or _any))

    def clear(self) -> None:
        """Let every call through from now on."""
        self._rules.clear()

    def next(self, operation: str, request: Request) -> Fault | None:
        """Count a call and say how it fails, if it does: the first rule that has something to say decides."""
        self.calls[operation] += 1
        for rule in self._rules:
            if rule.operation == operation and rule.matches(request):
                fault = rule.next()
                if fault is not None:
                    return fault
        return None

    @contextmanager
    def installed(self, client: Any) -> Iterator[None]:
        """Let the calls of a boto3 client fail by these rules, inside botocore, above its retries."""
        service = client.meta.service_model.service_name

        def before(model: Any, params: Request, context: dict[str, Any], **_: object) -> Any:
            fault = self.next(model.name, params)
            context["fault"] = fault
            if fault is Fault.UNREACHABLE:
                raise error_of(fault, service, model.name)
            if fault is None or fault.takes_effect:
                return None
            return SimpleNamespace(status_code=400), _answer(fault, service)

        def after(model: Any, context: dict[str, Any], **_: object) -> None:
            if context.get("fault") is Fault.ANSWER_LOST:
                raise error_of(Fault.ANSWER_LOST, service, model.name)

        events = client.meta.events
        events.register(f"before-call.{service}", before)
        events.register(f"after-call.{service}", after)
        try:
            yield
        finally:
            events.unregister(f"before-call.{service}", before)
            events.unregister(f"after-call.{service}", after)


def error_of(fault: Fault, service: str, operation: str) -> Exception:
    """Return what botocore raises for a fault."""
    if fault is Fault.UNREACHABLE:
        return EndpointConnectionError(endpoint_url=_ENDPOINT)
    if fault is Fault.ANSWER_LOST:
        return ReadTimeoutError(endpoint_url=_ENDPOINT)
    return ClientError(_answer(fault, service), operation)


def _answer(fault: Fault, service: str) -> Any:
    return {
        "Error": {"Code": _CODES[service, fault.value], "Message": f"a test says: {fault.value}"},
        "ResponseMetadata": {"HTTPStatusCode": 400},
    }


def _any(_: Request) -> bool:
    return True
