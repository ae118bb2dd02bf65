"""What is shipped is what is tested: the same versions, each named by its content."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHIPPED = ["layers/backstop", "functions/notify", "functions/watch"]
LOCKS = [*(f"{folder}/requirements.txt" for folder in SHIPPED), "requirements-dev.txt", "requirements-checkov.txt"]
PIN = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)


def pins(lock: str) -> set[tuple[str, str]]:
    return set(PIN.findall((ROOT / lock).read_text()))


@pytest.mark.parametrize("folder", SHIPPED)
def test_tests_run_the_versions_that_are_shipped(folder: str) -> None:
    assert pins(f"{folder}/requirements.txt") <= pins("requirements-dev.txt")


@pytest.mark.parametrize("lock", LOCKS)
def test_each_pin_has_a_hash_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    entries = re.split(r"\n(?=\S)", text.strip())
    assert len(entries) == len(pins(lock))
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "//" not in text


@pytest.mark.parametrize("folder", SHIPPED)
def test_what_is_asked_for_is_pinned_and_make_lock_pins_it_anew(folder: str) -> None:
    lines = (ROOT / folder / "requirements.in").read_text().splitlines()
    asked = {re.split(r"[<>=;\[ ]", line)[0] for line in lines if line and not line.startswith("#")}
    assert asked <= {name for name, _ in pins(f"{folder}/requirements.txt")}
    assert f"{folder}/requirements " in (ROOT / "Makefile").read_text()
