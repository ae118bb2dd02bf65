"""What a person is told to type can be typed as it stands."""

from __future__ import annotations

import shlex

import boto3
import pytest

from ops.stack import Stack
from ops.typed import typed

SESSION = boto3.Session("test", "test", region_name="eu-west-1")


@pytest.mark.parametrize("argument", ["e-1", "-x", "--yes", "a b", "it's", "$(rm x)"])
def test_an_argument_is_one_word_and_no_option(argument: str) -> None:
    words = shlex.split(typed(Stack("shop", SESSION), "dlq", "edit", "--settle", "e1", argument=argument))
    assert words[:6] == ["backstop", "dlq", "edit", "--settle", "e1", "--stack"]
    assert words[6] == "shop"
    assert words[7:] == (["--", argument] if argument.startswith("-") else [argument])


def test_the_local_aws_is_named() -> None:
    assert typed(Stack("shop", SESSION, "http://localhost:4566"), "status") == "backstop status --stack shop --local"
