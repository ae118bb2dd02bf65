"""A click in, the click as it is stored out: normalised, robots dropped, e-mail addresses hashed."""

import hashlib
import hmac
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import SplitResult, urlsplit

from backstop import PermanentError

ADDRESS = re.compile(r"[^/]*@[^/]*")  # a part of a path that holds an e-mail address
ROBOT = re.compile(r"(?<!cu)bot\b|crawler|spider|slurp|headless|preview|monitor", re.IGNORECASE)


class AddressUnreadable(PermanentError):
    """A page's or a referrer's address has no host, or is none."""


def transform(click: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the click to store, or None for a robot's. Fields that are not named here are not stored."""
    if ROBOT.search(click["user_agent"]):
        return None
    page = split(click["page"])
    stored = {
        "id": click["id"],
        "at": datetime.fromisoformat(click["at"].upper()).astimezone(UTC).isoformat(timespec="milliseconds"),
        "host": page.hostname,
        "path": ADDRESS.sub("-", page.path).rstrip("/") or "/",  # the query may carry anything: it is not stored
    }
    if "referrer" in click:
        stored["referrer"] = split(click["referrer"]).hostname
    if "email" in click:
        stored["visitor"] = pseudonym(click["email"])
    return stored


def split(address: str) -> SplitResult:
    """Split a page's address; its error does not quote it."""
    try:
        parts = urlsplit(address)
    except ValueError:
        raise AddressUnreadable("not an address") from None
    if not parts.hostname:
        raise AddressUnreadable("an address without a host")
    return parts


def pseudonym(email: str) -> str:
    """Return a keyed hash: the same for the same address, and of no use to whoever has no key.

    Without a key, whoever has a list of addresses could hash them and compare.
    """
    return hmac.new(email_key(), email.lower().encode(), hashlib.sha256).hexdigest()


@cache
def email_key() -> bytes:
    """Return the key, read at first use."""
    import boto3  # only where it is needed: it costs a cold start
    from botocore.config import Config

    impatient = Config(connect_timeout=1, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 3})
    secrets = boto3.client("secretsmanager", config=impatient)
    return str(secrets.get_secret_value(SecretId=os.environ["EMAIL_KEY"])["SecretString"]).encode()
