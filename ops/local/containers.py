"""The machine's container engine in, what `sam local invoke` needs of it out: its processor, an image, a way back."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, closing, contextmanager, suppress
from threading import Thread
from typing import Final, NamedTuple

IMAGE: Final = "public.ecr.aws/lambda/python"
HOST: Final = "host.docker.internal"
"""What a container calls this machine."""

_ARCHITECTURES: Final = {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}
_CHUNK_BYTES: Final = 65_536
_SECONDS: Final = 30
"""How long the engine is waited for."""


class Unavailable(Exception):
    """Raised where nothing can run in a container: its text says what is missing, and how to get it."""


class Engine(NamedTuple):
    """What containers run on: a processor, and the image of the functions' runtime."""

    architecture: str
    image: str


def require(runtime: str) -> Engine:
    """Return what a function of this runtime runs on. Raises Unavailable."""
    processor = _docker("version", "--format", "{{.Server.Arch}}")
    if not processor or not processor.isidentifier():
        raise Unavailable("no container engine answers: install Docker Engine and start it")
    architecture = _ARCHITECTURES.get(processor)
    if architecture is None:
        raise Unavailable(f"there is no Lambda on the engine's processor, {processor}: it is x86_64 or arm64")
    image = f"{IMAGE}:{runtime.removeprefix('python')}-{architecture}"
    if _docker("image", "inspect", "--format", "{{.Id}}", image) is None:
        raise Unavailable(f"the runtime's image is not here: docker pull {image}")
    return Engine(architecture, image)


@contextmanager
def door_to(port: int, engine: Engine) -> Iterator[None]:
    """Let containers reach a port of this machine's loopback, at the same port of HOST.

    On Linux containers see this machine at their bridge's gateway only: what arrives there is passed on. Nobody else
    can reach that address. Where the engine runs in a machine of its own (macOS), HOST leads to the loopback already.
    """
    gateway = _gateway(engine.image)
    opened: Future[asyncio.AbstractEventLoop] = Future()
    shut = asyncio.Event()
    thread = Thread(target=asyncio.run, args=(_stand_open(gateway, port, opened, shut),), daemon=True)
    thread.start()
    loop = opened.result()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(shut.set)
        thread.join()


def _gateway(image: str) -> str:
    """Return what HOST is to a container: only the engine knows."""
    words = ("run", "--rm", "--add-host", f"{HOST}:host-gateway", "--entrypoint", "cat", image, "/etc/hosts")
    lines = [line.split() for line in (_docker(*words) or "").splitlines()]
    address = next((line[0] for line in lines if HOST in line), None)
    if address is None:
        raise Unavailable(f"containers cannot reach this machine: docker {' '.join(words)} does not name it")
    return address


async def _stand_open(host: str, port: int, opened: Future[asyncio.AbstractEventLoop], shut: asyncio.Event) -> None:
    """Pass on what arrives until told to shut; `asyncio.run` then ends the connections that are left."""
    connections: set[asyncio.Task[None]] = set()  # a loop alone does not keep its tasks

    def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(_pass_on(reader, writer, port))
        connections.add(connection)
        connection.add_done_callback(connections.discard)

    with ExitStack() as listening:
        with suppress(OSError):  # not an address of this machine: there is nothing to pass on
            listening.callback((await asyncio.start_server(pass_on, host, port)).close)
        opened.set_result(asyncio.get_running_loop())
        await shut.wait()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    with suppress(OSError), closing(writer):
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        with closing(inner_writer):
            await asyncio.gather(_pipe(reader, inner_writer), _pipe(inner_reader, writer))


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    if not writer.is_closing():
        writer.write_eof()


def _docker(*words: str) -> str | None:
    """Ask the engine; None where it has no answer."""
    docker = shutil.which("docker")
    if docker is None:
        return None
    try:
        done = subprocess.run(
            [docker, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
