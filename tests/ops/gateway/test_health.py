from __future__ import annotations

import pytest

from ops.local.gateway.health import Health, Mode, parse


@pytest.mark.parametrize(
    ("text", "health"),
    [
        ("ok", Health()),
        ("errors", Health(Mode.ERRORS)),
        ("slow", Health(Mode.SLOW)),
        ("refuse", Health(Mode.REFUSE)),
        ("flaky:0.6", Health(Mode.FLAKY, 0.6)),
        ("flaky:0", Health(Mode.FLAKY, 0)),
        ("flaky:1", Health(Mode.FLAKY, 1)),
    ],
)
def test_a_mode_is_read_as_a_person_types_it(text: str, health: Health) -> None:
    assert parse(text) == health


@pytest.mark.parametrize(
    "text", ["", "down", "OK", "flaky", "flaky:", "flaky:much", "flaky:1.1", "flaky:-0.1", "flaky:nan", "errors:0.5"]
)
def test_what_is_no_mode_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)


@pytest.mark.parametrize(
    ("text", "failed"), [("ok", 0), ("errors", 10), ("slow", 0), ("flaky:0.6", 6), ("flaky:0", 0), ("flaky:1", 10)]
)
def test_calls_fail_as_the_dice_say(text: str, failed: int) -> None:
    assert sum(parse(text).fails(dice / 10) for dice in range(10)) == failed
