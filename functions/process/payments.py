"""A priced order in, charged at the payment gateway once, however often it is run; nothing without a gateway."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from http import HTTPStatus
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

from aws_lambda_powertools.utilities.parameters import SSMProvider
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from backstop import PermanentError, SystemFault, circuit, remaining

TIMEOUT = 2.0
"""Seconds: a gateway that is slow may not eat the invocation, which other orders need, too."""
RESERVE = 0.5
"""Seconds of the invocation that no call may use: one that outlasts it looks like an order that kills its worker."""
SWITCH_AGE = 5
"""Seconds for which the switch is good as it was read."""


class PaymentDeclined(PermanentError):
    """The gateway declined to charge the order: asking again does not change that."""


def charge(order: Mapping[str, Any], total: int, token: str) -> None:
    """Charge an order. Its token is the same each time that it is run, so that the gateway charges it once."""
    url = gateway_url()
    if url:
        post(url, {"order": order["id"], "amount": total, "currency": order["currency"]}, token)


@circuit("payments")
def post(url: str, content: Mapping[str, Any], token: str) -> None:
    """Send a charge. What urllib raises is classified as it is: timeouts, refused connections, 503 are transient."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": token}
    request = Request(f"{url}/charges", json.dumps(content).encode(), headers)  # noqa: S310  # gateway_url checks it
    try:
        opener().open(request, timeout=patience()).close()
    except HTTPError as error:
        error.close()
        if error.code == HTTPStatus.PAYMENT_REQUIRED:
            raise PaymentDeclined("the gateway declined the charge") from error
        raise


def patience() -> float:
    """Return how long to wait for the gateway, in seconds."""
    left = remaining()
    return TIMEOUT if left is None else max(min(TIMEOUT, left.total_seconds() - RESERVE), 0.1)


def gateway_url() -> str:
    """Return where to charge: at the primary gateway, or at the backup while the switch says so; empty for nowhere.

    The backup has to be another way to the same provider. It must know the tokens that the primary has seen, or an
    order whose answer was lost is charged twice.
    """
    url, backup = os.environ.get("PAYMENT_URL", ""), os.environ.get("PAYMENT_BACKUP_URL", "")
    if url and backup and switch().get(os.environ.get("PAYMENT_SWITCH", ""), max_age=SWITCH_AGE) == "backup":
        url = backup
    if url and not is_http(url):
        raise SystemFault("PAYMENT_URL and PAYMENT_BACKUP_URL are addresses such as https://payments.example.com")
    return url.rstrip("/")


def is_http(url: str) -> bool:
    """Whether it is an address that can be called, and not a file, say."""
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


class Switch(SSMProvider):
    """Powertools' parameters, for a payment that does not wait for a switch.

    Where SSM does not answer, what it said last is good, or `primary` if it never did, until SWITCH_AGE is over.
    """

    known = "primary"

    def _get(self, name: str, decrypt: bool = False, **sdk_options: Any) -> str:
        with suppress(BotoCoreError, ClientError):
            self.known = super()._get(name, decrypt, **sdk_options)
        return self.known


@cache
def switch() -> Switch:
    """Return what reads the switch, made at first use."""
    return Switch(boto_config=Config(connect_timeout=1, read_timeout=1, retries={"total_max_attempts": 1}))


class NoRedirects(HTTPRedirectHandler):
    """Redirects are errors: urllib would make a GET of a charge, and take whatever page comes for a success."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""


@cache
def opener() -> OpenerDirector:
    """Return what sends charges, made at first use."""
    return build_opener(NoRedirects)
