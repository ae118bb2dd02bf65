from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from ops.local.gateway.ledger import Charge, Charged, Counts, Ledger, Tally

TEA = Charge("a", 250, "EUR")


def test_a_charge_is_made_once_a_key() -> None:
    ledger = Ledger()

    assert [ledger.charge("key", TEA) for _ in range(3)] == [
        (Charged.NOW, False),
        (Charged.BEFORE, False),
        (Charged.BEFORE, False),
    ]


def test_an_order_under_another_key_is_charged_again_and_that_is_seen() -> None:
    ledger = Ledger()
    ledger.charge("key", TEA)

    assert ledger.charge("another", TEA) == (Charged.NOW, True)
    assert ledger.charge("a third", TEA._replace(order="b")) == (Charged.NOW, False)


def test_a_declined_order_stays_declined_and_is_not_kept() -> None:
    ledger = Ledger()

    assert [ledger.charge("key", Charge("declined-a", 1, "EUR")) for _ in range(2)] == [(Charged.DECLINED, False)] * 2
    assert ledger.charges == {}


def test_threads_that_charge_at_once_make_one_charge_a_key() -> None:
    ledger = Ledger()
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda number: ledger.charge(f"key-{number % 50}", TEA), range(1000)))

    assert [outcome for outcome, _ in outcomes].count(Charged.NOW) == 50


def test_calls_are_counted_since_an_outage_began_and_while_it_lasted() -> None:
    tally = Tally()
    tally.called()
    tally.health_is(ok=False)
    for _ in range(3):
        tally.called()
        tally.failed()
    tally.health_is(ok=True)
    tally.called()
    tally.charged(is_second=False)

    assert tally.counts == Counts(calls=5, failed=3, charges=1, charged_twice=0, since_outage=4, in_outage=3)


def test_without_an_outage_no_call_is_one_since_it_began() -> None:
    tally = Tally()
    tally.called()
    tally.health_is(ok=True)
    tally.called()

    assert tally.counts == Counts(calls=2)


def test_the_next_outage_is_counted_anew() -> None:
    tally = Tally()
    for _ in range(2):
        tally.health_is(ok=False)
        tally.called()

    assert tally.counts == Counts(calls=2, since_outage=1, in_outage=1)
