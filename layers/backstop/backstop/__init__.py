"""Backstop: what a handler's author needs."""

from backstop.circuit import circuit
from backstop.errors import CircuitOpen, PermanentError, SystemFault, TransientError
from backstop.invocation import remaining
from backstop.kinds import Kind
from backstop.message import Message
from backstop.retry import retry

__all__ = [
    "CircuitOpen",
    "Kind",
    "Message",
    "PermanentError",
    "SystemFault",
    "TransientError",
    "circuit",
    "remaining",
    "retry",
]
