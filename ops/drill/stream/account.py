"""What is really in the bucket and in the log in, where each click of a drill ended out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from ops.drill.stream.plan import Plan, Planned


class Failure(NamedTuple):
    """A failed record, as the log tells of it: `event_id` is empty where the record was too broken to have one."""

    record_id: str
    event_id: str


@dataclass(frozen=True, slots=True)
class Found:
    """What was found: nothing here is taken from the plan.

    `sent` are the numbers of the records that the stream took, `delivered` how often each of the drill's ids stands
    under data/, `strange` and `addresses` as in `Contents`, `failures` the failed records, each once.
    """

    sent: frozenset[int]
    delivered: Mapping[str, int]
    strange: int
    addresses: int
    failures: Sequence[Failure]
    seconds: float


@dataclass(frozen=True, slots=True)
class Account:
    """Where the clicks of a drill ended: each in exactly one place, if it balances.

    A malformed record counts as one click. `dropped` are the robots that are nowhere: their end can only be seen by
    their absence. `lost` are good clicks, and malformed records, that are nowhere. So are those of a batch whose
    function failed as a whole: AWS keeps it under errors/, and there is no pipeline event.
    """

    records: int
    clicks: int
    delivered: int
    dropped: int
    failed: int
    lost: int
    delivered_wrongly: int
    good_records_failed: int
    addresses_in_clear: int
    delivered_twice: int
    seconds: float

    @property
    def is_balanced(self) -> bool:
        """Whether every click ended, and where it belongs. Twice is allowed: Firehose delivers at least once."""
        wrong = self.lost + self.delivered_wrongly + self.good_records_failed + self.addresses_in_clear
        return not wrong and self.clicks == self.delivered + self.dropped + self.failed

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return asdict(self)


def balance(plan: Plan, found: Found) -> Account:
    """Account for a drill.

    A record that is no JSON has no id, so its failure cannot say which record it was: such failures are counted, first
    against the malformed records, and those that are left over against good records. That is also where the failures
    of another sender show: a drill has its stream for itself.
    """
    sent = [record for record in plan.records if record.number in found.sent]
    named = _named_in(found.failures, sent)
    others = [record for record in sent if record.number not in named]
    nameless = sum(not failure.event_id for failure in found.failures)
    malformed = sum(record.is_malformed for record in others)
    left_over = max(nameless - malformed, 0)
    good = {click_id for record in sent for click_id in record.good}
    wrongly = found.delivered.keys() - {click_id for record in plan.records for click_id in record.good}
    return Account(
        records=len(sent),
        clicks=sum(len(record.ids) for record in sent),
        delivered=len(good & found.delivered.keys()),
        dropped=sum(robot not in found.delivered for record in others for robot in record.robots),
        failed=len(named) + nameless,
        lost=max(malformed - nameless, 0) + _lost(others, found.delivered, left_over),
        delivered_wrongly=len(wrongly) + found.strange,
        good_records_failed=sum(not record.is_malformed for record in sent if record.number in named) + left_over,
        addresses_in_clear=found.addresses,
        delivered_twice=sum(times - 1 for times in found.delivered.values()),
        seconds=round(found.seconds, 1),
    )


def _named_in(failures: Sequence[Failure], records: Sequence[Planned]) -> set[int]:
    """Return the numbers of the records whose failures name one of their clicks."""
    carried = {click_id: record.number for record in records for click_id in record.ids}
    return {carried[failure.event_id] for failure in failures if failure.event_id in carried}


def _lost(records: Sequence[Planned], delivered: Mapping[str, int], failed: int) -> int:
    """Count the good clicks that are nowhere, but for those of as many records as failed without a name.

    Only a record of which nothing was delivered can have failed.
    """
    absent = [[click_id for click_id in record.good if click_id not in delivered] for record in records]
    whole = [len(ids) for record, ids in zip(records, absent, strict=True) if ids and len(ids) == len(record.good)]
    return sum(map(len, absent)) - sum(whole[:failed])
