"""An entrance of the payment gateway, a mode and a span in; an outage that ends by itself, and how to watch it out."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from ops.failure import CallFailed
from ops.local.gateway.client import BACKUP
from ops.local.gateway.entrance import SLOW_SECONDS
from ops.local.gateway.health import MODES, Health, Mode, parse
from ops.local.state import LocalAws
from ops.terminal import harmless
from ops.times import lasting

LONGEST: Final = timedelta(days=1)

_WHAT: Final = {
    Mode.ERRORS: "answers 503",
    Mode.SLOW: f"charges and answers after {SLOW_SECONDS:.0f} s, when nobody waits for it any more",
    Mode.REFUSE: "refuses connections",
}

_NOTE: Final = {BACKUP: " Nobody calls it but a stack that was switched to it."}


def start_outage(local_aws: LocalAws, name: str, mode: str, span: str) -> str:
    """Let an entrance of the gateway fail for a while, or end its outage; return what to tell of it.

    Raises CallFailed where there is no such entrance, mode or span.
    """
    wanted, lasts = _read(mode), lasting("--for", span, LONGEST)
    gateway = local_aws.gateway
    if name not in gateway.urls():
        raise CallFailed(f"there is no downstream {harmless(name)}: it is {' or '.join(gateway.urls())}")
    gateway.outage(name, wanted.mode, lasts.total_seconds(), wanted.rate)
    if wanted.is_ok:
        return f"{name} is well."
    return f"For {span}, {name} {_what(wanted)}; then it is well again.{_NOTE.get(name, '')}\n{_how_to_watch(name)}"


def _read(mode: str) -> Health:
    try:
        return parse(mode)
    except ValueError:
        raise CallFailed(f"--mode {harmless(mode)}: {MODES} (a share of its calls, 0 to 1)") from None


def _what(health: Health) -> str:
    return _WHAT.get(health.mode, f"answers 503 to {health.rate:.0%} of its calls")


def _how_to_watch(name: str) -> str:
    return f"""
  .venv/bin/backstop circuits --local                   # how the circuit stands
  .venv/bin/backstop recovery --local                   # what was done about it
  .venv/bin/backstop local outage {name} --mode ok    # ends it now"""
