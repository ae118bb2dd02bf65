"""What an operator holds open lets no call through for its time; what is closed lets all through."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from backstop.circuits.state import CircuitState
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Fault, Faults
from tests.ops.command import Command
from tests.ops.intake.ground import HOSTILE, WHO, Ground


class TestOpen:
    def test_holds_a_circuit_open_for_its_time(self, ground: Ground, clock: VirtualClock, backstop: Command) -> None:
        ground.open("payments", "shop-process")
        ran = backstop("circuits", "open", "payments", "--for", "2h", "--yes")
        assert (ran.exit_code, ran.err) == (0, "")
        standing = ground.circuits.read("payments")
        assert standing.state is CircuitState.OPEN
        assert standing.forced_until == clock.now() + timedelta(hours=2)
        assert f"circuit payments is open since 2026-01-05 09:00:00 UTC: held open by {WHO}" in ran.out
        assert "held open until 2026-01-05 11:00:00 UTC" in ran.out

    def test_lasts_an_hour_where_nothing_is_said(self, ground: Ground, clock: VirtualClock, backstop: Command) -> None:
        ground.open()
        backstop("circuits", "open", "payments", "--yes")
        assert ground.circuits.read("payments").forced_until == clock.now() + timedelta(hours=1)

    def test_is_written_down_before_and_after(self, ground: Ground, backstop: Command) -> None:
        ground.open()
        backstop("circuits", "open", "payments", "--yes")
        assert ground.audit() == [("circuits open --for 1h --yes payments", "circuit payments", "done")]

    def test_says_what_depends_on_it_before_it_asks(self, ground: Ground, backstop: Command) -> None:
        ground.open("payments", "shop-process", "shop-process-ordered")
        ran = backstop("circuits", "open", "payments")
        assert "depends on it: shop-process, shop-process-ordered\n" in ran.out
        assert "open: no call goes through, not even a probe, before 2026-01-05 10:00:00 UTC" in ran.out
        assert "Dry run: nothing was changed" in ran.out

    def test_lets_recovery_pause_what_depends_on_it(self, ground: Ground, backstop: Command) -> None:
        ground.open("payments", "shop-process")
        backstop("circuits", "open", "payments", "--yes")
        ground.reconcile()
        assert ground.states()["m-events"] == "Disabling"

    def test_of_a_name_that_is_not_known_creates_nothing_and_names_those_there_are(
        self, ground: Ground, backstop: Command
    ) -> None:
        for name in ("tax", "payments"):
            ground.open(name)
        before = ground.snapshot()
        ran = backstop("circuits", "open", "paymets", "--yes")
        assert (ran.exit_code, ran.out) == (1, "")
        assert "no circuit 'paymets' is known; known are payments, tax." in ran.err
        assert "backstop circuits open --new --stack shop paymets" in ran.err
        assert ground.snapshot() == before

    def test_says_where_none_is_known(self, backstop: Command) -> None:
        assert "none is known yet" in backstop("circuits", "open", "payments", "--yes").err

    def test_names_few_of_many(self, ground: Ground, backstop: Command) -> None:
        for number in range(12):
            ground.open(f"c-{number:02}")
        assert "c-08, c-09 and 2 more." in backstop("circuits", "close", "payments", "--yes").err

    def test_of_one_that_is_new_is_done_where_that_is_said(self, ground: Ground, backstop: Command) -> None:
        assert backstop("circuits", "open", "payments", "--new", "--yes").exit_code == 0
        assert ground.circuits.read("payments").state is CircuitState.OPEN
        assert ground.audit()[0][0] == "circuits open --for 1h --new --yes payments"

    @pytest.mark.parametrize("name", ["", " ", "release#shop-process#1", "a b", "x" * 65, HOSTILE, "\udcff"], ids=ascii)
    def test_of_a_name_that_no_circuit_can_have_is_refused(self, name: str, ground: Ground, backstop: Command) -> None:
        before = ground.snapshot()
        ran = backstop("circuits", "open", "--new", "--yes", "--", name)
        assert (ran.exit_code, ran.out) == (2, "")
        assert "a circuit's name is 1 to 64 letters" in ran.err
        assert ground.snapshot() == before

    @pytest.mark.parametrize("span", ["25h", "2d", "0s", "1", "soon"])
    def test_for_a_time_that_is_none_or_too_long_is_refused(self, span: str, ground: Ground, backstop: Command) -> None:
        ground.open()
        before = ground.snapshot()
        ran = backstop("circuits", "open", "payments", "--for", span, "--yes")
        assert (ran.exit_code, f"--for {span}: a span such as" in ran.err) == (2, True)
        assert ground.snapshot() == before


class TestClose:
    def test_closes_a_circuit_that_is_open(self, ground: Ground, backstop: Command) -> None:
        ground.open()
        ran = backstop("circuits", "close", "payments", "--yes")
        assert (ran.exit_code, ran.err) == (0, "")
        assert ground.circuits.read("payments").state is CircuitState.CLOSED
        assert "circuit payments is closed\n" in ran.out
        assert ground.audit() == [("circuits close --yes payments", "circuit payments", "done")]

    def test_closes_one_that_is_held_open(self, ground: Ground, backstop: Command) -> None:
        backstop("circuits", "open", "payments", "--new", "--yes")
        assert backstop("circuits", "close", "payments", "--yes").exit_code == 0
        standing = ground.circuits.read("payments")
        assert (standing.state, standing.forced_until) == (CircuitState.CLOSED, None)

    def test_of_one_that_is_closed_changes_nothing_and_is_fine(self, ground: Ground, backstop: Command) -> None:
        ground.open()
        backstop("circuits", "close", "payments", "--yes")
        before = ground.snapshot()
        ran = backstop("circuits", "close", "payments", "--yes")
        assert ran == (0, "circuit payments is closed: nothing was changed.\n", "")
        assert json.loads(backstop("circuits", "close", "payments", "--yes", "--json").out)["changed"] is False
        assert ground.snapshot() == before

    def test_of_a_name_that_is_not_known_is_a_no(self, ground: Ground, backstop: Command) -> None:
        ground.open()
        ran = backstop("circuits", "close", "tax", "--yes")
        assert (ran.exit_code, "no circuit 'tax' is known; known are payments." in ran.err) == (1, True)
        told = json.loads(backstop("circuits", "close", "tax", "--yes", "--json").out)
        assert (told["changed"], told["circuit"]) == (False, None)


@pytest.mark.parametrize("words", [("open", "payments"), ("close", "payments")], ids=["open", "close"])
class TestBoth:
    @pytest.fixture(autouse=True)
    def opened(self, ground: Ground) -> None:
        ground.open()

    def test_change_nothing_where_nobody_sits(self, words: tuple[str, ...], ground: Ground, backstop: Command) -> None:
        before = ground.snapshot()
        ran = backstop("circuits", *words)
        assert (ran.exit_code, ran.err) == (0, "")
        assert "Dry run: nothing was changed; --yes does it." in ran.out
        told = json.loads(backstop("circuits", *words, "--json").out)
        assert (told["changed"], told["circuit"]["state"]) == (False, "open")
        assert ground.snapshot() == before

    def test_ask_a_person(self, words: tuple[str, ...], ground: Ground, backstop: Command) -> None:
        before = ground.snapshot()
        assert backstop("circuits", *words, types="n").exit_code == 1
        assert ground.snapshot() == before
        assert backstop("circuits", *words, types="y").exit_code == 0
        assert len(ground.audit()) == 1

    def test_tell_programs_what_holds_then(self, words: tuple[str, ...], ground: Ground, backstop: Command) -> None:
        ran = backstop("circuits", *words, "--yes", "--json")
        assert (ran.exit_code, ran.err) == (0, "")
        told = json.loads(ran.out)
        assert (told["changed"], told["notes"]) == (True, [])
        assert told["circuit"]["state"] == ("open" if words[0] == "open" else "closed")

    def test_that_fail_are_a_sentence_and_written_down(
        self, words: tuple[str, ...], ground: Ground, faults: Faults, backstop: Command
    ) -> None:
        circuit = lambda request: b'"circuits"' in request["body"]  # noqa: E731
        for operation in ("PutItem", "UpdateItem"):
            faults.fail_always(operation, Fault.DENIED, circuit)
        ran = backstop("circuits", *words, "--yes")
        assert (ran.exit_code, "the table of circuits did not answer" in ran.err) == (2, True)
        [(_, _, result)] = ground.audit()
        assert result.startswith("failed: ")

    def test_that_cannot_be_written_down_are_not_done(
        self, words: tuple[str, ...], ground: Ground, faults: Faults, backstop: Command
    ) -> None:
        before = ground.circuits.read("payments")
        faults.fail_always("PutItem", Fault.DENIED, lambda request: b'"audit"' in request["body"])
        assert backstop("circuits", *words, "--yes").exit_code == 2
        assert ground.circuits.read("payments") == before

    def test_that_are_done_but_not_written_down_say_so(
        self, words: tuple[str, ...], ground: Ground, faults: Faults, backstop: Command
    ) -> None:
        before = ground.circuits.read("payments")
        faults.fail_always("UpdateItem", Fault.DENIED, lambda request: b'"audit"' in request["body"])
        ran = backstop("circuits", *words, "--yes")
        assert (ran.exit_code, ran.err.startswith("backstop: that it is done could not be written down: ")) == (0, True)
        assert ground.circuits.read("payments").generation > before.generation
