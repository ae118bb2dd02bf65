"""The template's recovery as data, for the tests of its function, its role and its alarms."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from tests.template.document import FUNCTIONS, names_in, text_of

RECOVER: Final[dict[str, Any]] = FUNCTIONS["RecoverFunction"]
VARIABLES: Final[dict[str, Any]] = RECOVER["Environment"]["Variables"]
ROLE: Final = "RecoverRole"
MAPPING_ARN: Final = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:event-source-mapping:${%s}"
SWITCH_ARN: Final = "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter${PaymentSwitch}"


class Told(NamedTuple):
    """What the function is told of an intake: names of resources, and its normal concurrency."""

    function: str
    mapping: str
    normal: int
    age_alarm: str


def _told(variable: str) -> Told:
    function, mapping, normal, age_alarm = text_of(VARIABLES[variable]).split(",")
    return Told(_name(function), _name(mapping), int(normal), _name(age_alarm))


def _name(text: str) -> str:
    (name,) = names_in(text)
    return name


INTAKES: Final = {
    "EventsQueue": _told("EVENTS_INTAKE"),
    "OrderedQueue": _told("ORDERED_INTAKE"),
}
"""By the queue that each is of."""
