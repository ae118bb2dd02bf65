"""The address of a Valkey or Redis server in, its client out."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from backstop.errors import SystemFault
from backstop.valkey import Client

if TYPE_CHECKING:
    from redis import RedisCluster

_SCHEMES: Final = frozenset({"redis", "rediss", "unix"})
_CLUSTER: Final = "cluster=true"
_RETRIES: Final = 2


def connect(address: str) -> Client:
    """Return the client of an address: redis://host:6379, rediss:// with TLS; with ?cluster=true, of a cluster.

    It connects at first use. Raises SystemFault where the address is none, which it does not repeat: it may have a
    password in it.
    """
    parts = urlsplit(address)
    if parts.scheme not in _SCHEMES or not (parts.netloc or parts.path):
        raise SystemFault("the address of the alert store begins neither with redis:// nor with rediss://")
    if parts.query == _CLUSTER:
        return _LateCluster(parts._replace(query="").geturl())
    from redis import Redis

    client: Client = Redis.from_url(address, **_options())
    return client


class _LateCluster:
    """The client of a cluster, which would ask it for its nodes at once, made at first use."""

    def __init__(self, address: str) -> None:
        self._address = address

    @cached_property
    def _client(self) -> RedisCluster:
        from redis import RedisCluster

        return RedisCluster.from_url(self._address, **_options())

    def eval(self, script: str, numkeys: int, /, *keys_and_args: str | int) -> Any:
        """Run a script where its keys are."""
        return self._client.eval(script, numkeys, *keys_and_args)


def _options() -> dict[str, Any]:
    """Return timeouts that fit into an invocation; a connection that idled while Lambda slept is tried anew."""
    from redis.backoff import ExponentialWithJitterBackoff
    from redis.retry import Retry

    return {
        "socket_connect_timeout": 1,
        "socket_timeout": 2,
        "retry": Retry(ExponentialWithJitterBackoff(cap=0.2, base=0.05), _RETRIES),
        "decode_responses": True,
        "encoding_errors": "replace",
    }
