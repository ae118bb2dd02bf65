"""Secrets of many kinds, made up from a seed: what must never be told, wherever it was said."""

from __future__ import annotations

import base64
import json
import string
from collections.abc import Callable
from random import Random
from typing import Final

_WORDS: Final = string.ascii_letters + string.digits
_UPPER: Final = string.ascii_uppercase + string.digits


def planted(count: int, seed: int = 0) -> list[str]:
    """Return so many secrets, each kind as often as another."""
    random = Random(seed)
    return [_MADE_BY[number % KINDS](random) for number in range(count)]


def _some(random: Random, characters: str, length: int) -> str:
    return "".join(random.choices(characters, k=length))


def _card(random: Random) -> str:
    """Return a card's number with its check digit (ISO/IEC 7812), in one piece or in four."""
    digits = random.choice(["4", "51", "6011"])
    digits += _some(random, string.digits, 15 - len(digits))
    doubled = sum(sum(divmod(int(digit) * (2 - place % 2), 10)) for place, digit in enumerate(digits))
    number = digits + str(-doubled % 10)
    return random.choice(["", " ", "-"]).join(number[start : start + 4] for start in range(0, 16, 4))


def _email(random: Random) -> str:
    return (
        f"{_some(random, _WORDS, 8)}.{_some(random, _WORDS, 6)}@{_some(random, string.ascii_lowercase, 7)}.example.com"
    )


def _aws_key(random: Random) -> str:
    return random.choice(["AKIA", "ASIA"]) + _some(random, _UPPER, 16)


def _payment_key(random: Random) -> str:
    return f"sk_live_{_some(random, _WORDS, 24)}"


def _repository_token(random: Random) -> str:
    return f"ghp_{_some(random, _WORDS, 36)}"


def _chat_token(random: Random) -> str:
    return f"xoxb-{_some(random, string.digits, 11)}-{_some(random, _WORDS, 24)}"


def _cloud_key(random: Random) -> str:
    return f"AIza{_some(random, _WORDS, 35)}"


def _web_token(random: Random) -> str:
    """Return a signed JSON Web Token (RFC 7519)."""
    parts = [{"alg": "HS256", "typ": "JWT"}, {"sub": _some(random, _WORDS, 12)}]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, _some(random, _WORDS + "-_", 43)])


def _account(random: Random) -> str:
    return f"DE{_some(random, string.digits, 20)}"


def _long_secret(random: Random) -> str:
    """Return what an AWS secret access key looks like: 40 characters that mean nothing."""
    return _some(random, _WORDS + "+/", 40)


def _hex_key(random: Random) -> str:
    return _some(random, "0123456789abcdef", random.choice([32, 40, 64]))


_MADE_BY: Final[list[Callable[[Random], str]]] = [
    _card,
    _email,
    _aws_key,
    _payment_key,
    _repository_token,
    _chat_token,
    _cloud_key,
    _web_token,
    _account,
    _long_secret,
    _hex_key,
]
KINDS: Final = len(_MADE_BY)
"""How many kinds there are: the first secret is a card's number, as is each so many later."""
