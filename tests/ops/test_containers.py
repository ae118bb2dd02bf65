"""What is asked of `docker` and made of its answers, by a stand-in for it; and the command `backstop local invoke`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ops.failure import CallFailed
from ops.local import cli as local_cli
from ops.local import containers, emulator, invoke
from ops.local.containers import Engine, Unavailable, door_to, require
from ops.local.invoke import Invoked
from ops.local.state import LocalAws
from tests.ops.command import Command

IMAGE = "public.ecr.aws/lambda/python:3.13-x86_64"
ENGINE = Engine("x86_64", IMAGE)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only folder in which tools are found."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def install_docker(tools: Path, *, version: str = "echo amd64", image: str = IMAGE, hosts: str = "") -> None:
    """Install an engine that has one image, and whose containers have these lines in /etc/hosts."""
    script = f"""#!/bin/sh
case "$*" in
"version --format {{{{.Server.Arch}}}}") {version} ;;
"image inspect --format {{{{.Id}}}} {image}") echo sha256:0123 ;;
"run --rm --add-host host.docker.internal:host-gateway --entrypoint cat {image} /etc/hosts") /bin/cat <<'END'
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
{hosts}
172.17.0.2\t0123456789ab
END
;;
*) echo "Error: No such thing: $*" >&2; exit 1 ;;
esac
"""
    docker = tools / "docker"
    docker.write_text(script)
    docker.chmod(0o755)


@pytest.mark.parametrize(
    ("named", "architecture"), [("amd64", "x86_64"), ("x86_64", "x86_64"), ("arm64", "arm64"), ("aarch64", "arm64")]
)
def test_functions_run_on_the_engines_processor(named: str, architecture: str, tools: Path) -> None:
    image = f"public.ecr.aws/lambda/python:3.13-{architecture}"
    install_docker(tools, version=f"echo {named}", image=image)

    assert require("python3.13") == Engine(architecture, image)


def test_the_image_is_that_of_the_runtime(tools: Path) -> None:
    install_docker(tools, image="public.ecr.aws/lambda/python:3.11-x86_64")

    assert require("python3.11").image == "public.ecr.aws/lambda/python:3.11-x86_64"


def test_without_an_engine_it_says_to_install_one(tools: Path) -> None:
    assert not list(tools.iterdir())

    with pytest.raises(Unavailable, match=r"^no container engine answers: install Docker Engine and start it$"):
        require("python3.13")


@pytest.mark.parametrize(
    "version",
    [
        pytest.param("echo; echo 'Cannot connect to the Docker daemon' >&2; exit 1", id="its daemon is down"),
        pytest.param("echo amd64; exit 1", id="it fails after it has answered"),
        pytest.param("true", id="it says nothing"),
        pytest.param("echo '<no value>'", id="it knows no server"),
    ],
)
def test_an_engine_that_does_not_answer_is_none(version: str, tools: Path) -> None:
    install_docker(tools, version=version)

    with pytest.raises(Unavailable, match="no container engine answers: install Docker Engine and start it"):
        require("python3.13")


def test_an_engine_that_hangs_is_none(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "_SECONDS", 0.1)
    install_docker(tools, version="exec /bin/sleep 60")

    with pytest.raises(Unavailable, match="no container engine answers: install Docker Engine and start it"):
        require("python3.13")


def test_on_a_processor_that_no_function_runs_on_nothing_can_run(tools: Path) -> None:
    install_docker(tools, version="echo riscv64", image="public.ecr.aws/lambda/python:3.13-riscv64")

    with pytest.raises(Unavailable):
        require("python3.13")


@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_a_missing_image_is_named_with_how_to_get_it(architecture: str, tools: Path) -> None:
    """One of another processor does not do."""
    install_docker(tools, version=f"echo {architecture}", image="public.ecr.aws/lambda/python:3.13-another")

    with pytest.raises(Unavailable, match=f"docker pull public.ecr.aws/lambda/python:3.13-{architecture}$"):
        require("python3.13")


@pytest.mark.parametrize(
    "line", ["", "10.0.0.9\tnot.host.docker.internal", "10.0.0.9\thost.docker.internal.example"], ids=repr
)
def test_an_engine_that_does_not_name_this_machine_is_told_and_leaves_nothing(line: str, tools: Path) -> None:
    install_docker(tools, hosts=line)
    before = threading.active_count()

    with pytest.raises(Unavailable, match="containers cannot reach this machine: docker run "), door_to(1, ENGINE):
        pytest.fail("the door is open")

    assert threading.active_count() == before


def test_an_engine_that_runs_no_container_is_told(tools: Path) -> None:
    install_docker(tools, image="another")

    with pytest.raises(Unavailable, match=containers.HOST), door_to(1, ENGINE):
        pytest.fail("the door is open")


@pytest.fixture
def local_aws(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what becomes of the local AWS of a command."""
    happened: list[str] = []

    def start(port: int | None = None) -> LocalAws:
        happened.append("started")
        return LocalAws(0, port or 4566)

    monkeypatch.setattr(emulator, "start", start)
    monkeypatch.setattr(emulator, "stop", lambda _: happened.append("stopped"))
    return happened


@pytest.mark.parametrize(("words", "exit_code"), [((), 2), (("--if-possible",), 0)], ids=["by name", "if possible"])
@pytest.mark.parametrize(
    ("engine", "said"),
    [
        pytest.param(None, "no container engine answers: install Docker Engine and start it", id="no engine"),
        pytest.param(
            {"version": "echo; exit 1"},
            "no container engine answers: install Docker Engine and start it",
            id="its daemon is down",
        ),
        pytest.param({"image": "another"}, "docker pull public.ecr.aws/lambda/python:3.13-x86_64", id="no image"),
        pytest.param({"version": "echo riscv64"}, "", id="no processor of Lambda's"),
    ],
)
def test_where_nothing_can_run_in_a_container_the_command_says_so_and_starts_nothing(
    engine: dict[str, str] | None,
    said: str,
    words: tuple[str, ...],
    exit_code: int,
    tools: Path,
    local_aws: list[str],
    command: Command,
) -> None:
    if engine is not None:
        install_docker(tools, **engine)

    ran = command("local", "invoke", *words)

    assert (ran.exit_code, ran.out, local_aws) == (exit_code, "", [])
    assert ran.err.startswith("Nothing ran in a container: ")
    assert ran.err.endswith(f"{said}\n")
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(("words", "exit_code"), [((), 2), (("--if-possible",), 0)], ids=["by name", "if possible"])
def test_where_containers_cannot_reach_this_machine_the_command_says_so_and_leaves_nothing_running(
    words: tuple[str, ...],
    exit_code: int,
    tools: Path,
    local_aws: list[str],
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install_docker(tools)
    monkeypatch.setattr(invoke, "deploy", lambda *_: None)
    monkeypatch.setattr(invoke, "_set_up_sample", lambda _: None)
    monkeypatch.setattr(invoke, "function_settings", lambda _: {})

    ran = command("local", "invoke", *words)

    assert (ran.exit_code, local_aws) == (exit_code, ["started", "stopped"])
    assert "Nothing ran in a container: containers cannot reach this machine: docker run " in ran.err


RIGHT = Invoked("A", {"a": []}, {"a": []})
WRONG = Invoked("B", {"a": [1]}, {"a": []})
UNSAID = Invoked("C", {"a": []}, None)


@pytest.fixture
def invoking(tools: Path, local_aws: list[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return what lets functions answer, one after the other; or fail."""

    def let(*happens: Invoked | CallFailed) -> None:
        def answers(*_: object) -> Iterator[Invoked]:
            for one in happens:
                if isinstance(one, CallFailed):
                    raise one
                yield one

        monkeypatch.setattr(local_cli, "invoke_all", answers)

    install_docker(tools)
    return let


@pytest.mark.parametrize(
    ("happens", "exit_code"),
    [
        pytest.param([RIGHT, RIGHT], 0, id="all as shown"),
        pytest.param([RIGHT, UNSAID], 0, id="one that is not shown"),
        pytest.param([WRONG, RIGHT], 1, id="the first differs"),
        pytest.param([RIGHT, WRONG], 1, id="the last differs"),
        pytest.param([WRONG] * 256, 1, id="as many differ as exit codes can count"),
    ],
)
@pytest.mark.parametrize("words", [(), ("--if-possible",)], ids=["by name", "if possible"])
def test_an_answer_that_differs_is_told_and_a_no(
    words: tuple[str, ...],
    happens: list[Invoked],
    exit_code: int,
    invoking: Callable[..., None],
    local_aws: list[str],
    command: Command,
) -> None:
    invoking(*happens)

    ran = command("local", "invoke", *words)

    assert (ran.exit_code, local_aws) == (exit_code, ["started", "stopped"])
    assert ran.err.splitlines() == [f"{one.function}: {one.verdict}" for one in happens]


def test_a_function_that_gives_no_answer_is_told_and_ends_the_local_aws(
    invoking: Callable[..., None], local_aws: list[str], command: Command
) -> None:
    """Something is wrong there: it is not that nothing can run."""
    invoking(RIGHT, CallFailed("B gave no answer that is JSON: nothing"))

    ran = command("local", "invoke", "--if-possible")

    assert (ran.exit_code, local_aws) == (2, ["started", "stopped"])
    assert ran.err.endswith("backstop: B gave no answer that is JSON: nothing\n")
