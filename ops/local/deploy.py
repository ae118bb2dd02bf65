"""The template in, its stack on the local AWS out, by the real `sam build` and `sam deploy`."""

from __future__ import annotations

import platform
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from ops.local import sam, state
from ops.local.gateway.client import BACKUP, PAYMENTS
from ops.local.state import LocalAws


def deploy(local_aws: LocalAws, stack_name: str) -> None:
    """Build and deploy the template; its sample charges at the gateway, if the local AWS has one.

    Raises CallFailed with what SAM said last.
    """
    overrides = " ".join((_local_overrides(), *_payment_overrides(local_aws)))
    deploy_template(local_aws, stack_name, state.ROOT / "template.yaml", overrides)


def deploy_template(local_aws: LocalAws, stack_name: str, template: Path, overrides: str = "") -> None:
    """Build and deploy any template for the Python and the processor of this machine.

    Raises CallFailed with what SAM said last.
    """
    built = build_folder(stack_name)
    machine = _machine_overrides()
    sam.run(
        local_aws, "build", "--template-file", str(template), "--build-dir", str(built),
        "--cache-dir", str(state.FOLDER / "cache"), "--parameter-overrides", machine,
    )  # fmt: skip
    sam.run(
        local_aws, "deploy", "--stack-name", stack_name, "--template-file", str(built / "template.yaml"),
        "--parameter-overrides", f"{overrides} {machine}".strip(),
    )  # fmt: skip


def build_folder(stack_name: str) -> Path:
    """Return where `sam build` puts what it has built for a stack."""
    return state.FOLDER / "build" / stack_name


def _local_overrides() -> str:
    config = tomllib.loads((state.ROOT / "samconfig.toml").read_text())
    return str(config["local"]["deploy"]["parameters"]["parameter_overrides"])


def _payment_overrides(local_aws: LocalAws) -> Iterator[str]:
    """Return where the sample charges: nowhere without a gateway."""
    if local_aws.gateway_url:
        urls = local_aws.gateway.urls()
        yield f"PaymentUrl={urls[PAYMENTS]}"
        yield f"PaymentBackupUrl={urls[BACKUP]}"


def _machine_overrides() -> str:
    """Return runtime and processor: the emulator runs functions with its own Python, on this machine."""
    architecture = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"
    return f"Runtime=python{sys.version_info.major}.{sys.version_info.minor} Architecture={architecture}"
