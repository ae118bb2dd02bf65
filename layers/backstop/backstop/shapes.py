"""What parameters look like in a message: patterns, each with the name that takes the parameter's place."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

compiled = cache(re.compile)
"""Compile a pattern once, when it is first needed: no cold start pays for what only a failure uses."""

REQUEST: Final = (r"[\"'](get|head|post|put|patch|delete|options) \S{1,4096} http/[\d.]{1,3}[\"']", r"\1 <path>")
"""The one quoted value of which something stays: a request line keeps its method."""

_DAY: Final = r"(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}"
_MONTH: Final = r"(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]{0,6}"
_CLOCK: Final = r"\d{1,2}:\d\d(?::\d\d(?:[.,]\d{1,9})?)?"
_ZONE: Final = r"(?: ?(?:Z|UTC|GMT|[+-]\d\d:?\d\d|[AP]M|[CEMPW]E?[SD]T)\b)?"
_TIME: Final = rf"{_CLOCK}{_ZONE}"
_BEFORE: Final = r"(?<![\w.<~-])"
_UNITS: Final = (
    r"(?:[mhd]| ?(?:s|ns|us|µs|ms|(?:nano|micro|milli)?sec(?:ond)?s?|milli?s|min(?:ute)?s?|hours?|hrs?|days?|weeks?))"
)
_SIZES: Final = r"(?:[kmgtp]| ?(?:[kmgtp]?i?b|(?:kilo|mega|giga|tera|kibi|mebi|gibi)?bytes?))"
_NUMBER: Final = r"[+-]?\d{1,30}(?:[.,]\d{1,30})?"

# Shapes that reach over more than one token, the longer ones first. All repetitions are bounded or of one class that
# nothing follows, and begin where a token begins, so that a hostile text takes time in proportion to its length.
SHAPES: Final = (
    (r"(?<![\w.<])[a-z][a-z0-9+.-]{0,20}://[^\s,;)\]}>\"'<]+", "<url>"),
    (r"(?<=\w)@(?=[0-9a-f]{0,15}\d)[0-9a-f]{4,16}(?!\w)", "@<hex>"),
    (r"(?<![\w.%+<-])[\w.%+-]{1,64}@(?:[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,8}|[a-z][\w-]{0,62})", "<email>"),
    (r"(?<![\w<])arn:[a-z-]{2,12}:[^\s,;)\]}>\"'<]+", "<arn>"),
    (r"(?<![\w-])(?:root=)?1-[0-9a-f]{8}-[0-9a-f]{24}(?![\w-])", "<trace>"),
    (r"(?<![\w-])[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?![\w-])", "<trace>"),
    (r"(?<![0-9a-f])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![0-9a-f])", "<uuid>"),
    (rf"{_BEFORE}\d{{4}}[-/]\d{{1,2}}[-/]\d{{1,2}}(?:[T_:, -]{{1,2}}{_TIME})?(?!\w)", "<date>"),
    (rf"{_BEFORE}\d{{4}}-\d\d-\d\d[ _T]\d\d[,-]\d\d[,-]\d\d(?:[.,]\d{{1,9}})?", "<date>"),
    (rf"{_BEFORE}\d{{1,2}}[-/.]\d{{1,2}}[-/.]\d{{4}}(?:[T, :]{{1,2}}{_TIME})?(?!\w)", "<date>"),
    (rf"{_BEFORE}\d{{1,2}}[-/ ]{_MONTH}[-/ ]\d{{2,4}}(?:[ :T]{_TIME})?(?!\w)", "<date>"),
    (
        rf"{_BEFORE}(?:{_DAY},? )?(?:{_MONTH} {{1,2}}\d{{1,2}}|\d{{1,2}} {_MONTH}),?(?: \d{{4}})?"
        rf" {_TIME}(?: \d{{4}})?(?!\w)",
        "<date>",
    ),
    (r"(?<![\w:])(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}(?:(?::[0-9a-f]{2}){2})?(?![\w:])", "<mac>"),
    (
        r"(?<![\w.>])(?<!::)\[?(?=(?:[0-9a-f]{1,4}:){0,6}:|(?:[0-9a-f]{1,4}:){6,7}[0-9a-f])(?:[0-9a-f]{0,4}:){2,8}"
        r"(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]{1,4})?(?:%\w{1,16})?(?:\]:\d{1,5})?(?![\w:<])",
        "<host>",
    ),
    (rf"{_BEFORE}/?\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?:[:/]\d{{1,5}})?(?![\w.]*\w)", "<host>"),
    (r"(?<![\w:.-])[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.\d(?!\w)", "<device>"),
    (r"(?<![\w.~-])0[0-9a-f]{7,15}(?!\.?\w)", "<number>"),
    (r"(?<![\w/\\.<>$-])[\w.$-]{1,64}(?:[/\\][\w.$-]{1,64}){3,40}", "<path>"),
    (r"(?<![\w.<])(?:[a-z]:\\|\\\\)[^\s:*?\"<>|,;]+", "<path>"),
    (
        r"(?<![\w.>/<])(?:[~.]{0,2})/{1,2}[^\s/:,;=()\[\]{}\"'<>|]+"
        r"(?:/{1,2}(?:\[[^\s\[\]]{1,64}\]|[^\s:,;()\[\]{}\"'|])*)?(?::\d{1,9})?",
        "<path>",
    ),
    (r"(?<![\w.<>-])(?=[a-z_-]{1,62}\d)[a-z][\w-]{0,62}:\d{2,5}(?![\w:]|\.\d)", "<host>"),
    (rf"(?<![\w.:<-])<? ?{_NUMBER}{_UNITS}(?![\w/-])", "<duration>"),
    (rf"(?<![\w.:<]){_CLOCK}(?![\w:])", "<duration>"),
    (rf"(?<![\w.:<-]){_NUMBER}{_SIZES}(?![\w/-])", "<size>"),
    (r"(?<![\w<])0x[0-9a-f]+", "<hex>"),
)

# What English says in front of or behind a name that is nobody's word, and how parameters follow one another.
PHRASES: Final = (
    (r"\b((?:for|invalid|illegal|unknown|of|by|as) user) (?!from\b)(?:<[a-z]{2,9}>|[\w.$@\\-]{1,64})", r"\1 <name>"),
    (r"\b(for) (?!<)[\w.$@\\-]{1,64}(?= from <)", r"\1 <name>"),
    (r"<path>(?:(?: [\w.-]{1,32}){1,2}[/\\][^\s:,;()\[\]{}\"'|]*){1,8}", "<path>"),
    (r"\b(from|to|via) (?:<(?:host|id)>|[A-Z]{2,16}\(<number>\)|#<number>#)", r"\1 <address>"),
    (r"(?<![\w.<>-])(?:[\w.-]{1,64}|<(?:id|name|host)>)/<host>", "<host>"),
    (r"<name>(?:/(?:<name>|\.?[\w.]{1,128})){1,8}", "<name>"),
    (r"(<(?:host|name|address)>)(?::<number>)? ?[(\[](?:<[a-z]{2,9}>)?[)\]]", r"\1"),
)
