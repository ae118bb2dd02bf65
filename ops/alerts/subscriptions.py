"""A topic in, who hears of what is published there out: addresses only as far as one knows them again."""

from __future__ import annotations

from contextlib import suppress
from enum import StrEnum
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from ops.stack import Stack


class Standing(StrEnum):
    """Whether a subscription is in force."""

    CONFIRMED = "confirmed"
    PENDING = "pending"
    """Its owner has not followed the link that SNS sent."""
    DELETED = "deleted"


class Subscription(NamedTuple):
    """Who hears of what is published. `filters` says whether by a policy of its own it hears of some only."""

    protocol: str
    endpoint: str
    standing: Standing
    filters: str


_STANDINGS: Final = {"PendingConfirmation": Standing.PENDING, "Deleted": Standing.DELETED}


def subscriptions(stack: Stack, topic_arn: str) -> list[Subscription]:
    """Return the subscriptions of a topic."""
    pages = stack.sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
    found = [one for page in pages for one in page["Subscriptions"]]
    return [_subscription(stack, one["SubscriptionArn"], one["Protocol"], one["Endpoint"]) for one in found]


def masked(protocol: str, endpoint: str) -> str:
    """Return an address without what is personal or secret in it: an address in a log or a screenshot is read."""
    if protocol in {"email", "email-json"}:
        name, _, domain = endpoint.partition("@")
        return f"{name[:1]}***@{domain}"
    if protocol in {"http", "https"}:
        with suppress(ValueError):  # what is no address is masked, too
            return f"{protocol}://{urlsplit(endpoint).hostname}/***"
        return "***"
    if endpoint.startswith("arn:"):
        return endpoint.rpartition(":")[2]
    return f"***{endpoint[-2:]}"


def _subscription(stack: Stack, arn: str, protocol: str, endpoint: str) -> Subscription:
    standing = _STANDINGS.get(arn, Standing.CONFIRMED)
    filters = _filters(stack, arn) if standing is Standing.CONFIRMED else ""
    return Subscription(protocol, masked(protocol, endpoint), standing, filters)


def _filters(stack: Stack, arn: str) -> str:
    """Say whether a subscription has a filter policy: it may keep a test out that it would let a failure through."""
    try:
        attributes = stack.sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    except (ClientError, BotoCoreError):  # another account's
        return "unknown"
    return "yes" if attributes.get("FilterPolicy", "{}") not in {"", "{}"} else "no"
