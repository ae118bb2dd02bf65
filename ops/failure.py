"""What went wrong in, one sentence for the person who called out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
)

from backstop.errors import StoreUnavailable


class CallFailed(Exception):
    """Raised when a command cannot do what it was called for; its text says what, where and how to fix it."""


def sentence(error: BotoCoreError | ClientError) -> str:
    """Say what AWS's refusal means to the person who called."""
    if isinstance(error, NoCredentialsError):
        return "no AWS credentials found: sign in (aws sso login) or name a profile (AWS_PROFILE=…)"
    if isinstance(error, NoRegionError):
        return "no AWS region given: set AWS_DEFAULT_REGION, or a region in your profile"
    if isinstance(error, ProfileNotFound):
        return f"{error}: check AWS_PROFILE"
    if isinstance(error, EndpointConnectionError):
        return f"AWS does not answer ({error}): check the network, or start the local AWS with make local"
    if isinstance(error, ClientError):
        details = error.response["Error"]
        return f"AWS refused {error.operation_name}: {details.get('Message') or details.get('Code')}"
    return f"the call to AWS failed: {error}"


@contextmanager
def told_in_a_sentence() -> Iterator[None]:
    """Turn a table or a queue that does not answer into a call that failed."""
    try:
        yield
    except StoreUnavailable as error:
        raise CallFailed(str(error)) from error
