from __future__ import annotations

import re
import tomllib

import pytest

from tests.template.document import PARAMETERS, ROOT

CONFIG = tomllib.loads((ROOT / "samconfig.toml").read_text())


@pytest.mark.parametrize("environment", ["default", "local"])
def test_there_is_a_stage_to_deploy_to(environment: str) -> None:
    deploy = CONFIG[environment]["deploy"]["parameters"]
    assert deploy["stack_name"] == "backstop"
    assert deploy["capabilities"] == "CAPABILITY_IAM"


def test_people_look_at_changes_before_they_are_made() -> None:
    assert CONFIG["default"]["deploy"]["parameters"]["confirm_changeset"] is True


def test_only_the_local_stage_allows_drills_and_its_values_are_allowed() -> None:
    overrides = CONFIG["local"]["deploy"]["parameters"]["parameter_overrides"]
    values = dict(pair.split("=") for pair in overrides.split())
    assert values["AllowDrill"] == "true"
    assert "parameter_overrides" not in CONFIG["default"]["deploy"]["parameters"]
    for name, value in values.items():
        assert value in PARAMETERS[name].get("AllowedValues", [value])
        assert PARAMETERS[name]["Type"] != "Number" or int(value) >= PARAMETERS[name]["MinValue"]
        assert re.fullmatch(PARAMETERS[name].get("AllowedPattern", ".*"), value)
