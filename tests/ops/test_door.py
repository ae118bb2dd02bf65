"""The door through which containers reach the local AWS: what comes to the gateway in, passed on to the loopback."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from threading import Thread

import pytest

from ops.local.containers import Engine, door_to

ENGINE = Engine("x86_64", "public.ecr.aws/lambda/python:3.13-x86_64")
GATEWAY = "127.0.0.2"
"""An address of this machine that is not the loopback's usual one: it stands for the bridge's gateway."""
NOBODYS = "192.0.2.1"
"""An address that is none of any machine's (RFC 5737)."""

needs_gateway = pytest.mark.skipif(sys.platform != "linux", reason="only Linux answers at all of 127.0.0.0/8")


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only folder in which tools are found."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def install_docker(tools: Path, address: str) -> None:
    """Install an engine whose containers know this machine by an address."""
    docker = tools / "docker"
    docker.write_text(f"#!/bin/sh\necho '127.0.0.1 localhost'; echo '{address} host.docker.internal'\n")
    docker.chmod(0o755)


class Upside(BaseHTTPRequestHandler):
    """Answers with what it was sent, the last byte first."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[::-1])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    request_queue_size = 100  # who is not let in at once is refused on some machines


@pytest.fixture
def port() -> Iterator[int]:
    """Return a port of the loopback, where someone answers."""
    with Server(("127.0.0.1", 0), Upside) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def ask(host: str, port: int, body: bytes) -> bytes:
    connection = HTTPConnection(host, port, timeout=30)
    try:
        connection.request("POST", "/", body)
        return connection.getresponse().read()
    finally:
        connection.close()


@needs_gateway
class TestDoor:
    @pytest.fixture(autouse=True)
    def engine(self, tools: Path) -> None:
        install_docker(tools, GATEWAY)

    def test_what_is_sent_to_the_gateway_arrives_at_the_loopback_and_its_answer_comes_back(self, port: int) -> None:
        with door_to(port, ENGINE):
            assert ask(GATEWAY, port, b"event") == b"tneve"

    def test_before_and_after_nobody_listens_at_the_gateway(self, port: int) -> None:
        with pytest.raises(ConnectionRefusedError):
            ask(GATEWAY, port, b"before")
        with door_to(port, ENGINE):
            ask(GATEWAY, port, b"event")
        with pytest.raises(ConnectionRefusedError):
            ask(GATEWAY, port, b"after")

    def test_a_connection_carries_many_requests(self, port: int) -> None:
        with door_to(port, ENGINE):
            connection = HTTPConnection(GATEWAY, port, timeout=30)
            for body in (b"one", b"two", b"three"):
                connection.request("POST", "/", body)
                assert connection.getresponse().read() == body[::-1]
            connection.close()

    def test_connections_do_not_wait_for_each_other(self, port: int) -> None:
        """The first is served last, while all of them are open."""
        with door_to(port, ENGINE), ExitStack() as opened:
            connections = [HTTPConnection(GATEWAY, port, timeout=30) for _ in range(20)]
            for connection in connections:
                opened.callback(connection.close)
                connection.putrequest("POST", "/")
                connection.putheader("Content-Length", "2")
                connection.endheaders(b"a")
            for connection in reversed(connections):
                connection.send(b"b")
                assert connection.getresponse().read() == b"ba"

    def test_large_bodies_pass_both_ways_unchanged(self, port: int) -> None:
        bodies = [Random(seed).randbytes(6_000_000) for seed in range(4)]
        with door_to(port, ENGINE), ThreadPoolExecutor(4) as callers:
            answers = list(callers.map(lambda body: ask(GATEWAY, port, body), bodies))
        assert [answer == body[::-1] for answer, body in zip(answers, bodies, strict=True)] == [True] * 4

    def test_a_connection_that_was_left_open_ends_with_the_door(self, port: int) -> None:
        connection = HTTPConnection(GATEWAY, port, timeout=30)
        with door_to(port, ENGINE):
            connection.request("POST", "/", b"event")
            connection.getresponse().read()
        assert connection.sock.recv(1) == b""
        connection.close()

    def test_who_breaks_off_halfway_does_no_harm_to_others(self, port: int) -> None:
        with door_to(port, ENGINE):
            for _ in range(5):
                connection = HTTPConnection(GATEWAY, port, timeout=30)
                connection.putrequest("POST", "/")
                connection.putheader("Content-Length", "1000000")
                connection.endheaders(b"a")
                connection.close()
            assert ask(GATEWAY, port, b"event") == b"tneve"

    def test_who_has_said_all_and_listens_is_answered(self, port: int) -> None:
        with door_to(port, ENGINE), socket.create_connection((GATEWAY, port), timeout=30) as caller:
            caller.sendall(b"POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nevent")
            caller.shutdown(socket.SHUT_WR)
            with caller.makefile("rb") as answer:
                assert answer.read().endswith(b"tneve")

    def test_where_nobody_answers_any_more_a_connection_ends(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as ended:
            port = ended.getsockname()[1]
        with door_to(port, ENGINE), socket.create_connection((GATEWAY, port), timeout=30) as caller:
            assert caller.recv(1) == b""

    def test_it_is_shut_when_what_is_done_with_it_fails(self, port: int) -> None:
        before = threading.active_count()
        with pytest.raises(ZeroDivisionError), door_to(port, ENGINE):
            raise ZeroDivisionError
        assert threading.active_count() == before
        with pytest.raises(ConnectionRefusedError):
            ask(GATEWAY, port, b"after")

    def test_it_can_be_opened_again(self, port: int) -> None:
        for _ in range(3):
            with door_to(port, ENGINE):
                assert ask(GATEWAY, port, b"event") == b"tneve"


def test_where_the_gateway_is_no_address_of_this_machine_there_is_nothing_to_pass_on(tools: Path) -> None:
    """The engine runs in a machine of its own, and its containers reach the loopback as it is."""
    install_docker(tools, NOBODYS)
    before = threading.active_count()

    with socket.create_server(("127.0.0.1", 0)) as loopback, door_to(loopback.getsockname()[1], ENGINE):
        socket.create_connection(loopback.getsockname()).close()

    assert threading.active_count() == before
