"""What recovery tells is of the documented schema, and comes to on-call services as one incident with its end."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest

from backstop.notice import notice
from backstop.occurrence import Severity
from backstop.publication import serialise
from backstop.recovery.alert import REASON, recovery_alert
from backstop.recovery.state import Tell

SCHEMA = Path(__file__).parents[3] / "docs" / "alert.schema.json"
VALIDATE: Callable[[Any], Any] = fastjsonschema.compile(json.loads(SCHEMA.read_text()))
NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
BEGUN = Tell(
    "circuit payments",
    "payments is down for 15 minutes",
    "What was tried:\n  pause events\n\nNext:\n  backstop circuits\n  or wait\n  backstop resume events\n",
)
OVER = Tell("circuit payments", "payments is up again", "It was down for an hour", is_over=True)


@pytest.mark.parametrize("tell", [BEGUN, OVER, Tell("k" * 5000, "t" * 5000, "")])
def test_each_document_is_of_the_schema(tell: Tell) -> None:
    VALIDATE(json.loads(serialise(recovery_alert(tell, "shop", "prod", NOW).document)))


@pytest.mark.parametrize("field", ["group", "is_over", "failure_severity"])
def test_a_document_that_lacks_a_field_is_not(field: str) -> None:
    document = dict(recovery_alert(BEGUN, "shop", "prod", NOW).document)
    del document[field]
    with pytest.raises(fastjsonschema.JsonSchemaException):
        VALIDATE(document)


def test_people_read_what_is_the_matter_and_what_to_type() -> None:
    written = recovery_alert(BEGUN, "shop", "prod", NOW)
    assert written.subject == "[prod] ERROR: payments is down for 15 minutes"
    assert written.text == (
        "payments is down for 15 minutes\n\n"
        "What was tried:\n  pause events\n\n"
        "Next:\n  backstop circuits --stack shop\n  or wait\n  backstop resume events --stack shop\n"
    )
    assert written.document["next"] == ["backstop circuits --stack shop", "backstop resume events --stack shop"]


def test_filters_find_its_severity_stage_and_reason() -> None:
    attributes = recovery_alert(BEGUN, "shop", "prod", NOW).attributes
    assert attributes == {"severity": "error", "stage": "prod", "reason": REASON}
    assert recovery_alert(OVER, "shop", "prod", NOW).attributes["severity"] == "info"


def test_an_on_call_service_gets_an_incident_and_its_end() -> None:
    begun, over = (
        notice(serialise(written.document), written.subject)
        for written in (recovery_alert(one, "shop", "prod", NOW) for one in (BEGUN, OVER))
    )
    assert begun.title == "[prod] ERROR: payments is down for 15 minutes"
    assert begun.body.startswith("What was tried:")
    assert (begun.severity, begun.is_over) == (Severity.ERROR, False)
    assert (over.severity, over.is_over) == (Severity.ERROR, True), "its channels are those that heard of the beginning"
    assert over.ends == (begun.key,)


def test_two_stacks_have_incidents_of_their_own() -> None:
    assert (
        recovery_alert(BEGUN, "a", "prod", NOW).document["group"]
        != recovery_alert(BEGUN, "b", "prod", NOW).document["group"]
    )


def test_no_secret_is_told() -> None:
    tell = Tell("circuit payments", "down: password=hunter2", "Authorization: Bearer abcdefghijkl")
    written = recovery_alert(tell, "shop", "prod", NOW)
    said = f"{written.subject} {written.text} {serialise(written.document)}"
    assert "hunter2" not in said
    assert "abcdefghijkl" not in said
