"""The template's stream as data, for the tests of its settings, its roles and its alarms."""

from __future__ import annotations

from typing import Any, Final

from tests.template.document import properties_of

STREAM: Final = properties_of("AWS::KinesisFirehose::DeliveryStream")["ClicksStream"]
DESTINATION: Final[dict[str, Any]] = STREAM["ExtendedS3DestinationConfiguration"]
PROCESSING: Final[dict[str, Any]] = DESTINATION["ProcessingConfiguration"]
PREFIXES: Final = ("Prefix", "ErrorOutputPrefix")


def processor() -> dict[str, Any]:
    """Return the parameters of the stream's one processor, by name."""
    (only,) = PROCESSING["Processors"]
    assert only["Type"] == "Lambda"
    return {parameter["ParameterName"]: parameter["ParameterValue"] for parameter in only["Parameters"]}
