"""What became of a stream's records in, the objects of its bucket out: named, joined and compressed as by Firehose."""

from __future__ import annotations

import gzip
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any, Final

from botocore.exceptions import ClientError

from tests.fakes.sqs_messages import refusal

ERROR_TYPE: Final = "processing-failed"
BY_THE_HOUR: Final = "!{timestamp:yyyy/MM/dd/HH/}"

_ERROR_TYPE: Final = "!{firehose:error-output-type}"
_RANDOM: Final = "!{firehose:random-string}"
_FIELD: Final = re.compile(r"'([^']*)'|(([A-Za-z])\3*)")
_FORMATS: Final = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}


class Destination:
    """The bucket of a stream, and where in it data and errors go.

    What AWS buffers once more is simplified: each batch of the function makes one object of data and one of errors.
    """

    def __init__(
        self, stream: str, prefix: str = "", error_prefix: str = "", *, compresses: bool = False, seed: int = 0
    ) -> None:
        _check(prefix, error_prefix)
        self.objects: dict[str, bytes] = {}
        self._stream = stream
        self._prefix = prefix if "!{timestamp:" in prefix else prefix + BY_THE_HOUR
        self._error_prefix = _full_error_prefix(prefix, error_prefix)
        self._extension = ".gz" if compresses else ""
        self._random = Random(seed)
        self._errors: set[str] = set()
        for pattern in (self._prefix, self._error_prefix):
            self._evaluate(pattern, datetime(2000, 1, 1, tzinfo=UTC))  # an expression that is none shows at once

    def deliver(self, data: Sequence[bytes], oldest: datetime) -> None:
        """Write records as one object, with nothing between them.

        Amazon Data Firehose Developer Guide, "Understand data delivery in Amazon Data Firehose": without delimiters.
        """
        self._write(self._prefix, b"".join(data), oldest)

    def deliver_errors(self, documents: Sequence[Mapping[str, Any]], oldest: datetime) -> None:
        """Write error documents as one object, a line each, compressed as data is (not documented)."""
        lines = "".join(json.dumps(document, separators=(",", ":")) + "\n" for document in documents)
        self._errors.add(self._write(self._error_prefix, lines.encode(), oldest))

    def delivered(self) -> bytes:
        """Return all data that was delivered, in its order."""
        return b"".join(_inflated(key, body) for key, body in self.objects.items() if key not in self._errors)

    def errors(self) -> list[dict[str, Any]]:
        """Return all error documents, in their order."""
        bodies = [_inflated(key, body) for key, body in self.objects.items() if key in self._errors]
        return [json.loads(line) for body in bodies for line in body.splitlines()]

    def _write(self, prefix: str, body: bytes, oldest: datetime) -> str:
        """Write an object and return its key.

        Amazon Data Firehose Developer Guide, "Configure Amazon S3 object name format" and "Understand custom prefixes
        for Amazon S3 objects": the prefix tells when the oldest record of the object arrived. That the suffix tells the
        same moment is not documented.
        """
        suffix = f"{self._stream}-1-{oldest:%Y-%m-%d-%H-%M-%S}-{self._uuid()}{self._extension}"
        key = self._evaluate(prefix, oldest) + suffix
        self.objects[key] = gzip.compress(body, mtime=0) if self._extension else body
        return key

    def _evaluate(self, prefix: str, moment: datetime) -> str:
        def value(found: re.Match[str]) -> str:
            if found[0] == _ERROR_TYPE:
                return ERROR_TYPE
            if found[0] == _RANDOM:
                return self._uuid()[:11]
            raise _invalid(f"{found[0]} is no expression")

        timed = re.sub(r"!\{timestamp:([^}]*)\}", lambda found: _format(found[1], moment), prefix)
        return re.sub(r"!\{[^}]*\}?", value, timed)

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))


def _check(prefix: str, error_prefix: str) -> None:
    """Refuse what CreateDeliveryStream refuses ("Understand custom prefixes for Amazon S3 objects", semantic rules)."""
    if _ERROR_TYPE in prefix:
        raise _invalid(f"Prefix cannot contain {_ERROR_TYPE}")
    if "!{" in prefix and not error_prefix:
        raise _invalid("ErrorOutputPrefix cannot be null when Prefix contains expressions")
    if "!{" in error_prefix and _ERROR_TYPE not in error_prefix:
        raise _invalid(f"ErrorOutputPrefix with expressions must contain {_ERROR_TYPE}")


def _full_error_prefix(prefix: str, error_prefix: str) -> str:
    """Return the error prefix with what AWS adds where it has no expressions (of one that is given: not documented)."""
    if "!{" in error_prefix:
        return error_prefix
    return f"{error_prefix or prefix}{_ERROR_TYPE}/{BY_THE_HOUR}"


def _format(pattern: str, moment: datetime) -> str:
    """Format a moment by the part of Java's DateTimeFormatter patterns that this fake knows."""

    def value(found: re.Match[str]) -> str:
        if found[1] is not None:
            return found[1]
        if found[2] not in _FORMATS:
            raise _invalid(f"{found[2]} in a timestamp is not known here")
        return moment.astimezone(UTC).strftime(_FORMATS[found[2]])

    return _FIELD.sub(value, pattern)


def _invalid(message: str) -> ClientError:
    return refusal("InvalidArgumentException", message, "CreateDeliveryStream")


def _inflated(key: str, body: bytes) -> bytes:
    return gzip.decompress(body) if key.endswith(".gz") else body
