"""What is typed: groups by their names or the beginning of one, and words that are wrong."""

from __future__ import annotations

import pytest

from tests.ops.command import Command
from tests.ops.groups.ground import A, B, Ground, is_harmless
from tests.ops.groups.test_deciding import DECISIONS, words


@pytest.fixture(autouse=True)
def failing(ground: Ground) -> None:
    ground.fail(A)


@pytest.mark.parametrize("decision", [*DECISIONS, ("show",), ("why",)], ids=lambda decision: decision[0])
class TestNames:
    @pytest.mark.parametrize("name", ["", "g", "x" * 16, A + "0", "[red]", "\x1b[2J", "\udcff", "g g", "#firsts#1"])
    def test_a_name_that_is_none_is_called_wrong(
        self, name: str, decision: tuple[str, ...], ground: Ground, backstop: Command
    ) -> None:
        ran = backstop(*words(decision, name))
        assert (ran.exit_code, ran.out) == (2, "")
        assert " is no group: g and 16 digits" in ran.err
        assert is_harmless(ran)
        assert ground.audit() == []

    @pytest.mark.parametrize("name", ["g" + "c" * 16, "c" * 16, "c"], ids=["whole", "without g", "beginning"])
    def test_nobody_knows_is_a_no(
        self, name: str, decision: tuple[str, ...], ground: Ground, backstop: Command
    ) -> None:
        ran = backstop(*words(decision, name))
        assert (ran.exit_code, ran.out) == (1, "")
        assert ran.err.startswith(f"backstop: no group g{name.removeprefix('g')} is known: ")
        assert ground.audit() == []
        assert "c" * 16 not in {item["group"]["S"] for item in ground.client.scan(TableName="groups")["Items"]}

    def test_of_several_groups_names_them_and_is_a_no(
        self, decision: tuple[str, ...], ground: Ground, backstop: Command
    ) -> None:
        for number in range(7):
            ground.fail(f"aa{number}".ljust(16, "0"))
        ran = backstop(*words(decision, "gAA"))
        assert (ran.exit_code, ran.out) == (1, "")
        some = ", ".join(f"gaa{number}".ljust(17, "0") for number in range(5))
        assert ran.err == f"backstop: gaa is the beginning of 8 groups: {some}, …\n"
        assert ground.audit() == []

    @pytest.mark.parametrize("name", [A, f"g{A}", f"G{A.upper()}", "a", "ga", f" g{A[:8]} "])
    def test_of_one_group_is_that(
        self, name: str, decision: tuple[str, ...], ground: Ground, backstop: Command
    ) -> None:
        ground.fail(B, event="e-2")
        ran = backstop(*words(decision, name))
        assert (ran.exit_code, f"g{A}" in ran.out, B in ran.out) == (0, True, False)


class TestWrongWords:
    @pytest.mark.parametrize(
        "words",
        [
            pytest.param(("--since", "2h", "--all"), id="all since"),
            pytest.param(("--json", "show", A), id="an option before"),
            pytest.param(("--stack", "other", "ack", A), id="another stack"),
            pytest.param(("--state", "dead"), id="a state that is none"),
            pytest.param(("--limit", "0"), id="no groups"),
            pytest.param((A,), id="a command that is none"),
        ],
    )
    def test_wrong_words_are_called_wrong_and_do_nothing(
        self, words: tuple[str, ...], ground: Ground, backstop: Command
    ) -> None:
        ground.fail()
        ran = backstop("groups", *words)
        assert (ran.exit_code, ran.out, "Usage: " in ran.err) == (2, "", True)
        assert ground.audit() == []

    @pytest.mark.parametrize("since", ["yesterday", "2w", "", "999999d", "2026-13-01", "\x1b[2J", "-2h", "\uff12h"])
    def test_a_time_that_is_none_is_a_sentence(self, since: str, backstop: Command) -> None:
        ran = backstop("groups", f"--since={since}")
        assert (ran.exit_code, ran.out) == (2, "")
        assert ran.err.startswith("backstop: --since ")
        assert is_harmless(ran)
