"""Dead letters on the local AWS: seen by cause, sent back by choice, once, whoever dies in between."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ops.local.state import LocalAws
from ops.stack import Stack
from tests.ops.command import Command, Ran, command  # noqa: F401  # a fixture
from tests.stack.killing import killing_workers
from tests.stack.test_alerts import is_done, order, stock
from tests.stack.waiting import wait_for

Backstop = Callable[..., Ran]

FIXED = [f"fixed-{number}" for number in range(40)]
BROKEN = [f"broken-{number}" for number in range(15)]


@pytest.fixture
def backstop(command: Command, found_by_commands: None) -> Backstop:  # noqa: F811
    return lambda *words: command(*words, "--local")


@pytest.fixture(scope="module")
def groups(stack: Stack) -> dict[str, str]:
    """Let orders die of two causes; returns their groups, by the error's type."""
    stock(stack, "mug", currency="USD")
    stock(stack, "vase", count=0)
    for event in FIXED:
        order(stack, event, "mug")
    for event in BROKEN:
        order(stack, event, "vase")
    wait_for(lambda: {*FIXED, *BROKEN} <= letters(stack).keys())
    return {json.loads(told)["error_type"]: json.loads(told)["group"] for told in letters(stack).values()}


def letters(stack: Stack) -> dict[str, str]:
    """Return the histories of the dead letters, by the events' ids; all are seen again at once."""
    url, found = stack.queue_urls["DeadLetterQueue"], list[Any]()
    names = {"MessageAttributeNames": ["All"], "MaxNumberOfMessages": 10, "VisibilityTimeout": 30}
    while messages := stack.sqs.receive_message(QueueUrl=url, **names).get("Messages"):  # type: ignore[arg-type]
        found += messages
    for message in found:
        stack.sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    return {
        json.loads(message["Body"])["id"]: message["MessageAttributes"]["backstop"]["StringValue"]
        for message in found
        if message["Body"].startswith("{") and "backstop" in message.get("MessageAttributes", {})
    }


def redriven(backstop: Backstop, *words: str) -> str:
    """Begin a redrive and return its id."""
    begun = backstop("redrive", *words, "--yes", "--json")
    assert begun.exit_code == 0, begun.err
    return str(json.loads(begun.out)["job"])


def over(backstop: Backstop, job: str) -> dict[str, Any]:
    """Wait until a redrive is over."""

    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = json.loads(backstop("redrive", "status", job, "--json").out)
        return None if found["state"] == "running" else found

    return dict(wait_for(look, seconds=240))


def test_a_group_that_is_still_broken_stops_at_the_canary(
    backstop: Backstop, groups: dict[str, str], stack: Stack
) -> None:
    others = {event: told for event, told in letters(stack).items() if event in FIXED}

    found = over(backstop, redriven(backstop, "--group", groups["OutOfStock"]))

    assert (found["state"], found["moved"] <= 11, found["failed_again"] > 0) == ("stopped", True, True)
    assert {event: told for event, told in letters(stack).items() if event in FIXED} == others
    wait_for(lambda: {*BROKEN} <= letters(stack).keys())


def test_what_is_fixed_goes_back_once_although_its_mover_is_killed_and_nothing_else_does(
    backstop: Backstop, groups: dict[str, str], stack: Stack, local_aws: LocalAws
) -> None:
    group, before = groups["CurrencyMismatch"], letters(stack)
    meant = {event for event, told in before.items() if json.loads(told).get("group") == group}
    others = {event: told for event, told in before.items() if event not in meant}
    for sku in ("mug", "coffee"):  # that of other tests
        stock(stack, sku, currency="EUR")

    with killing_workers(local_aws, every_seconds=1, for_seconds=16, of="RedriveFunction") as killed:
        job = redriven(backstop, "--group", group, "--rate", "5")
        found = over(backstop, job)

    assert killed() > 0, f"the rehearsal killed no mover: {found}"
    assert (found["state"], found["moved"], found["in_doubt"]) == ("done", len(meant), 0)
    assert meant >= {*FIXED}
    wait_for(lambda: all(is_done(stack, event) for event in meant))
    assert letters(stack) == others
    where = json.loads(backstop("where", FIXED[0], "--json").out)
    assert job in json.dumps(where)
    audit = json.loads(backstop("audit-trail", "--json").out)
    assert job in json.dumps(audit)


def test_letters_are_exported_discarded_and_put_back(
    backstop: Backstop, groups: dict[str, str], stack: Stack, tmp_path: Any
) -> None:
    before, file = letters(stack), tmp_path / "letters.ndjson"

    assert backstop("dlq", "export", "--group", groups["OutOfStock"], "--to", str(file)).exit_code == 0
    assert letters(stack) == before
    assert backstop("dlq", "discard", "--group", groups["OutOfStock"], "--yes").exit_code == 0
    assert not letters(stack).keys() & {*BROKEN}
    assert backstop("dlq", "import", str(file), "--yes").exit_code == 0

    assert letters(stack) == before


def test_an_ordered_event_goes_back_into_its_place_and_the_newer_ones_of_its_key_wait_for_it(
    backstop: Backstop, stack: Stack
) -> None:
    for number, status in enumerate(("placed", "paid", "packed"), 1):
        change(stack, "late", number, status)  # of an order that is not stored yet: the first fails, the others wait
    wait_for(lambda: json.loads(backstop("keys", "show", "late", "--json").out).get("waiting") == 3)
    assert backstop("keys", "skip", "late", "--yes").exit_code == 0
    wait_for(lambda: "late-1" in letters(stack))

    found = over(backstop, redriven(backstop, "--event", "late-1", "--no-canary"))
    stack.dynamodb.put_item(TableName=stack.output("OrdersTableName"), Item={"id": {"S": "late"}})

    assert (found["state"], found["moved"], "late-1" in letters(stack)) == ("done", 1, False)
    history = wait_for(lambda: changes(stack, "late", 3))
    assert history == ["placed", "paid", "packed"]


def change(stack: Stack, order_id: str, number: int, status: str) -> None:
    """Send a change of an order's status."""
    event: dict[str, Any] = {"id": f"{order_id}-{number}", "order": order_id, "number": number, "status": status}
    stack.sqs.send_message(
        QueueUrl=stack.queue_urls["OrderedQueue"],
        MessageBody=json.dumps(event | {"changed_at": "2026-11-21T09:00:00Z"}),
        MessageGroupId=order_id,
        MessageDeduplicationId=event["id"],
    )


def changes(stack: Stack, order_id: str, count: int) -> list[str]:
    """Return the changes that an order has had, once there are so many."""
    found: Any = stack.dynamodb.get_item(TableName=stack.output("OrdersTableName"), Key={"id": {"S": order_id}})
    assert "violations" not in found["Item"], "an event overtook another one"
    history = [one["M"]["status"]["S"] for one in found["Item"].get("history", {"L": []})["L"]]
    return history if len(history) == count else []


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ({"rescue": True}, {"rescued": 0}),
        ({"auto": True}, {"job": "", "state": "unknown", "is_over": True, "wait_seconds": 0}),
    ],
    ids=["rescue", "auto"],
)
def test_what_its_schedules_ask_for_is_allowed_to_it(stack: Stack, asked: dict[str, Any], answer: Any) -> None:
    function = stack.output("RedriveFunctionName")

    found = stack.functions.invoke(FunctionName=function, Payload=json.dumps(asked))

    assert json.loads(found["Payload"].read()) == answer


def test_the_local_aws_says_that_it_cannot_move_a_queue_by_itself(backstop: Backstop) -> None:
    ran = backstop("redrive", "--native")

    assert (ran.exit_code, ran.err.count("\n")) == (2, 1)
