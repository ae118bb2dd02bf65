"""Backstop: what a handler's author needs."""

from backstop.errors import PermanentError, SystemFault, TransientError
from backstop.kinds import Kind
from backstop.message import Message
from backstop.retry import retry

__all__ = ["Kind", "Message", "PermanentError", "SystemFault", "TransientError", "retry"]
