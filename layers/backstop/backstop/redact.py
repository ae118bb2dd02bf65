"""Text that may quote secrets or people in, text that may be logged out."""

from __future__ import annotations

import re
from typing import Final

MASK: Final = "[redacted]"

_TELLING_NAMES: Final = (
    r"pass(?:word|wd|phrase)|passwd|secret(?!smanager:)|token|api[_-]?key|access[_-]?key|private[_-]?key|credential"
    r"|authorization|cookie|session[_-]?id|signature|card[_-]?(?:number|no)"
    r"|(?<![a-z])(?:pass|pwd|auth|session|card|cvv|cvc|iban|ssn)(?![a-z])"
)

_MIXED: Final = "".join(rf"(?=[A-Za-z0-9/+]{{0,39}}{kind})" for kind in ("[a-z]", "[A-Z]", r"\d"))
_SECRET_ACCESS_KEY: Final = rf"(?-i:(?<![A-Za-z0-9/+]){_MIXED}[A-Za-z0-9/+]{{40}}(?![A-Za-z0-9/+=]))"
"""One of AWS's: 40 characters of all kinds, which is all the form that it has."""

# Each with what it leaves standing, so that a reader still sees what kind of thing was there. Repetitions are bounded:
# an error's text may be hostile, and must not cost time that grows with its square.
_RULES: Final = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), replacement)
    for pattern, replacement in (
        (r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", MASK),
        (r"\b(bearer|basic|digest)\s+[A-Za-z0-9._~+/=-]{6,}", rf"\1 {MASK}"),
        (r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*", MASK),
        (r"\b(?:AKIA|ASIA|AIDA|AROA)[A-Z0-9]{12,}\b", MASK),
        (r"\b(?:sk|pk|rk|gh[a-z]|github_pat|xox[a-z])[_-][A-Za-z0-9_-]{8,}", MASK),
        (r"\bAIza[A-Za-z0-9_-]{35}", MASK),
        (_SECRET_ACCESS_KEY, MASK),
        (r"(\w{1,20}://)[^\s/@:]{0,256}:[^\s/@]{1,256}@", rf"\1{MASK}@"),
        (
            rf"""((?:{_TELLING_NAMES})[\w.-]{{0,32}}["']?\s{{0,8}}[=:]\s{{0,8}})(?!\[redacted\](?:[\s,;&}})]|\Z))("(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?|[^\s,;&]*[^\s,;&}}\])])""",
            rf"\1{MASK}",
        ),
        (r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}", "[email]"),
        (r"(?-i:\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b)", "[account]"),
        (r"(?<![\w.])\d(?:[ -]?\d){12,18}(?![\w])", "[card]"),
        (r"(?<!\w)\+\d[\d ()/-]{7,17}\d", "[phone]"),
    )
)

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def redact(text: str) -> str:
    """Replace secrets, credentials and personal data in `text`, and the control characters that a terminal obeys.

    It knows what has a form: keys, tokens, passwords by their name, e-mail addresses, card, account and phone numbers.
    What has none, such as a person's name, it cannot see: `parametrise` drops what is quoted, and payloads are not
    logged in the first place.
    """
    text = _CONTROL.sub(" ", text)
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text
