from __future__ import annotations

import re

from tests.template.document import GLOBALS, OUTPUTS, PARAMETERS, RESOURCES, TEMPLATE, each, references


@each(PARAMETERS)
def test_each_says_what_it_is_and_what_it_may_be(name: str) -> None:
    parameter = PARAMETERS[name]
    assert len(parameter["Description"]) > 20
    assert {"AllowedValues", "AllowedPattern", "MinValue"} & parameter.keys()
    assert parameter["Type"] != "Number" or "Default" in parameter


@each(name for name, one in PARAMETERS.items() if "AllowedPattern" in one)
def test_a_default_fits_its_pattern_and_a_pattern_is_whole(name: str) -> None:
    parameter = PARAMETERS[name]
    assert re.fullmatch(parameter["AllowedPattern"], str(parameter["Default"]))
    assert all(part.startswith("^") or part == "^$" for part in parameter["AllowedPattern"].split("|"))
    assert "ConstraintDescription" in parameter


@each(name for name, one in PARAMETERS.items() if one["Type"] == "Number")
def test_a_default_number_is_within_its_bounds(name: str) -> None:
    parameter = PARAMETERS[name]
    default = parameter["Default"]
    assert parameter.get("MinValue", default) <= default <= parameter.get("MaxValue", default)


@each(name for name, one in PARAMETERS.items() if "AllowedValues" in one)
def test_a_default_is_one_of_those_that_are_allowed(name: str) -> None:
    assert PARAMETERS[name]["Default"] in PARAMETERS[name]["AllowedValues"]


def test_each_is_used_and_stands_in_a_group() -> None:
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(name for group in groups for name in group["Parameters"]) == sorted(PARAMETERS)
    assert references([RESOURCES, OUTPUTS, TEMPLATE["Conditions"], GLOBALS]) >= PARAMETERS.keys()


def test_drills_are_not_allowed_unless_somebody_says_so() -> None:
    assert PARAMETERS["AllowDrill"]["Default"] == "false"
