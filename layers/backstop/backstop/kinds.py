"""What is known of errors that are not ours: tables from their names and codes to their kinds."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What a failure says about trying again."""

    TRANSIENT = "transient"
    PERMANENT = "permanent"
    SYSTEM = "system"
    UNKNOWN = "unknown"


# By qualified name, so that knowing a library costs no import of it. A subclass counts as its base.
KIND_BY_NAME: Final[Mapping[str, Kind]] = {
    # The network, as Python and its HTTP clients report it.
    "builtins.ConnectionError": Kind.TRANSIENT,
    "builtins.TimeoutError": Kind.TRANSIENT,
    "builtins.InterruptedError": Kind.TRANSIENT,
    "builtins.BlockingIOError": Kind.TRANSIENT,
    "socket.gaierror": Kind.TRANSIENT,
    "http.client.IncompleteRead": Kind.TRANSIENT,
    "http.client.BadStatusLine": Kind.TRANSIENT,
    "requests.exceptions.ConnectionError": Kind.TRANSIENT,
    "requests.exceptions.Timeout": Kind.TRANSIENT,
    "requests.exceptions.ChunkedEncodingError": Kind.TRANSIENT,
    "httpx.TransportError": Kind.TRANSIENT,
    "urllib3.exceptions.TimeoutError": Kind.TRANSIENT,
    "urllib3.exceptions.ProtocolError": Kind.TRANSIENT,
    "aiohttp.client_exceptions.ClientConnectionError": Kind.TRANSIENT,
    "botocore.exceptions.ConnectionError": Kind.TRANSIENT,
    "botocore.exceptions.HTTPClientError": Kind.TRANSIENT,
    # Ours: permission, configuration, a missing resource.
    "ssl.SSLCertVerificationError": Kind.SYSTEM,
    "builtins.PermissionError": Kind.SYSTEM,
    "builtins.FileNotFoundError": Kind.SYSTEM,
    "builtins.ImportError": Kind.SYSTEM,
    "builtins.MemoryError": Kind.SYSTEM,
    "botocore.exceptions.NoCredentialsError": Kind.SYSTEM,
    "botocore.exceptions.PartialCredentialsError": Kind.SYSTEM,
    "botocore.exceptions.CredentialRetrievalError": Kind.SYSTEM,
    "botocore.exceptions.NoRegionError": Kind.SYSTEM,
    # The message's: the same bytes fail the same way each time.
    "fastjsonschema.exceptions.JsonSchemaException": Kind.PERMANENT,
    "jsonschema.exceptions.ValidationError": Kind.PERMANENT,
    "builtins.ValueError": Kind.PERMANENT,  # JSON and Unicode errors are ValueErrors
    "builtins.TypeError": Kind.PERMANENT,
    "builtins.LookupError": Kind.PERMANENT,  # KeyError, IndexError
    "builtins.AttributeError": Kind.PERMANENT,
    "builtins.ArithmeticError": Kind.PERMANENT,
    "builtins.AssertionError": Kind.PERMANENT,
    "builtins.NameError": Kind.PERMANENT,
    "builtins.NotImplementedError": Kind.PERMANENT,
    "builtins.RecursionError": Kind.PERMANENT,
}

# AWS error codes that say more than their HTTP status does. Throttling as botocore.retries.standard lists it.
KIND_BY_AWS_CODE: Final[Mapping[str, Kind]] = dict.fromkeys(
    (
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "ThrottlingError",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "ProvisionedThroughputExceededException",
        "ProvisionedThroughputExceeded",
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "SlowDown",
        "EC2ThrottledException",
        "TransactionInProgressException",
        "TransactionConflict",
        "TransactionConflictException",
        "RequestTimeout",
        "RequestTimeoutException",
        "OverLimit",
        "KmsThrottled",
        "KMS.ThrottlingException",
    ),
    Kind.TRANSIENT,
) | dict.fromkeys(
    (
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "AuthorizationErrorException",
        "UnauthorizedOperation",
        "NotAuthorized",
        "KMSAccessDeniedException",
        "KmsAccessDenied",
        "KmsDisabled",
        "KmsNotFound",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "IncompleteSignature",
        "MissingAuthenticationToken",
        "OptInRequired",
        "ResourceNotFoundException",
        "ResourceNotFound",
        "QueueDoesNotExist",
        "AWS.SimpleQueueService.NonExistentQueue",
        "NoSuchBucket",
        "NotFoundException",
    ),
    Kind.SYSTEM,
)
