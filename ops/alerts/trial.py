"""A stack in, a test alert on its topic and who is to get it out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console

from backstop.aws.topic import Topic
from backstop.errors import NotPublished
from backstop.publication import trial_publication
from ops import audit
from ops.alerts.subscriptions import Standing, Subscription, subscriptions
from ops.stack import Stack
from ops.tables import rows, say, warn

SUBJECT = "alerts"
"""What the audit calls them."""


def send_test(stack: Stack, *, as_json: bool) -> int:
    """Publish a test as the watchers publish alerts; returns 0 where somebody is to get it, else 1."""
    arn = stack.output("AlertTopicArn")
    publication = trial_publication(stack.name, _stage(stack), datetime.now(UTC))
    entry = audit.record(stack, "alerts test", SUBJECT, 1)
    try:
        is_sure = Topic(stack.sns, arn).publish(publication)
    except NotPublished as error:
        audit.conclude(stack, entry, str(error))
        return _tell_that_it_is_not_sent(str(error), as_json=as_json)
    audit.conclude(stack, entry, "" if is_sure else "no answer came")
    heard_by = subscriptions(stack, arn)
    if as_json:
        told = [one._asdict() for one in heard_by]
        print(json.dumps({"sent": True, "doubtful": not is_sure, "why": "", "subscriptions": told}))
    else:
        _tell(publication.subject, heard_by, is_sure=is_sure)
    return int(not is_sure or not _confirmed(heard_by))


def _stage(stack: Stack) -> str:
    """Return the stage that the watchers' alerts name."""
    configuration = stack.functions.get_function_configuration(FunctionName=stack.output("WatchFunctionName"))
    return configuration.get("Environment", {}).get("Variables", {}).get("STAGE", "")


def _confirmed(heard_by: Sequence[Subscription]) -> int:
    return sum(one.standing is Standing.CONFIRMED for one in heard_by)


def _tell_that_it_is_not_sent(why: str, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"sent": False, "doubtful": False, "why": why, "subscriptions": []}))
    else:
        warn(f"not sent: {why}")
    return 1


def _tell(subject: str, heard_by: Sequence[Subscription], *, is_sure: bool) -> None:
    if is_sure:
        say(f"Sent: {subject}")
    else:
        warn("no answer came from the topic: it may have the test or not. Try again")
    if not heard_by:
        warn("nobody hears of it: AlertTopic has no subscription. Set AlertEmail or ChannelsSecretArn, or subscribe")
        return
    Console(highlight=False).print(rows("Who hears of it", [one._asdict() for one in heard_by]))
    if not _confirmed(heard_by):
        warn("nobody hears of it: no subscription is confirmed. Follow the link in the mail that SNS sent")
    elif is_sure:
        say("Look there now: what does not arrive within a minute does not arrive in an emergency either.")
    if any(one.filters == "yes" for one in heard_by):
        say("A subscription that filters may leave it out: its severity is info, its reason test.")
