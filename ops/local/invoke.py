"""The sample events in, each function's answer from a container out, beside the one that the README shows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from samcli.yamlhelper import yaml_dump, yaml_parse

from ops.failure import CallFailed
from ops.function_settings import function_settings
from ops.local import containers, sam, state
from ops.local.deploy import build_folder, deploy
from ops.local.state import LocalAws
from ops.stack import Stack, local_session

STACK: Final = "backstop"
EVENTS: Final = state.ROOT / "events"
SAMPLE_KEY: Final = "sam-local"
"""The sample's key on this local AWS, so that hashes are the same each time."""

_SHOWN: Final = re.compile(r"^sam local invoke (\w+) [^\n]*\n```\s*```json\n(.*?)^```", re.MULTILINE | re.DOTALL)


class Invoked(NamedTuple):
    """What a function answered to its sample event, and what the README says that it answers, if it says so."""

    function: str
    answer: Any
    shown: Any

    @property
    def is_as_shown(self) -> bool:
        """Whether the README is right, if it says anything."""
        return self.shown is None or self.answer == self.shown

    @property
    def verdict(self) -> str:
        """What to tell of it."""
        if self.shown is None:
            return f"answered {json.dumps(self.answer)}"
        if self.is_as_shown:
            return "answered as the README shows"
        return f"answered {json.dumps(self.answer)}, and the README shows {json.dumps(self.shown)}"


def invoke_all(local_aws: LocalAws, engine: containers.Engine) -> Iterator[Invoked]:
    """Deploy to a local AWS and invoke each function with its sample event, in a container of its own.

    A function that the stack does not have, as its condition does not hold there, is left out.
    """
    machine = f"Runtime={default_runtime()} Architecture={engine.architecture}"
    deploy(replace(local_aws, gateway_url=""), STACK)  # a container does not reach it: nothing is charged
    stack = Stack(STACK, local_session(), local_aws.endpoint_url)
    _set_up_sample(stack)
    settings = function_settings(stack)
    shown = shown_answers((state.ROOT / "README.md").read_text())
    with containers.door_to(local_aws.port, engine):
        for name, event in sample_events(_template()).items():
            if name in settings:
                yield Invoked(name, _invoke(local_aws, settings, name, event, machine), shown.get(name))


def default_runtime() -> str:
    """Return the runtime that the template deploys by default."""
    return str(_template()["Parameters"]["Runtime"]["Default"])


def _template() -> dict[str, Any]:
    document: dict[str, Any] = yaml_parse((state.ROOT / "template.yaml").read_text())
    return document


def sample_events(template: dict[str, Any]) -> dict[str, Path]:
    """Return the functions' sample events: those named as the folder of the function's code."""
    folders = {
        name: Path(resource["Properties"]["CodeUri"]).name
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    return {name: EVENTS / f"{folder}.json" for name, folder in folders.items()}


def shown_answers(readme: str) -> dict[str, Any]:
    """Return what a README says that functions answer: the JSON behind each `sam local invoke`.

    Raises CallFailed where it is no JSON.
    """
    try:
        return {name: json.loads(answer) for name, answer in _SHOWN.findall(readme)}
    except ValueError as error:
        raise CallFailed(f"README.md: an answer that it shows is no JSON: {error}") from None


def _invoke(
    local_aws: LocalAws, settings: Mapping[str, dict[str, str]], function: str, event: Path, machine: str
) -> Any:
    built = build_folder(STACK)
    template = _with_endpoint(built / "template.yaml")
    endpoint = {"AWS_ENDPOINT_URL": f"http://{containers.HOST}:{local_aws.port}"}
    variables = built / "env.json"
    variables.write_text(json.dumps({name: own | endpoint for name, own in settings.items()}))
    output = sam.run(
        local_aws, "local invoke", function, "--template-file", str(template), "--event", str(event),
        "--env-vars", str(variables), "--parameter-overrides", machine, "--skip-pull-image",
        "--add-host", f"{containers.HOST}:host-gateway",
    )  # fmt: skip
    try:
        return json.loads(output.strip().splitlines()[-1])
    except (ValueError, IndexError):
        raise CallFailed(f"{function} gave no answer that is JSON: {output.strip()[-200:] or 'nothing'}") from None


def _with_endpoint(template: Path) -> Path:
    """Write the built template once more, with a variable for the address of AWS: only declared ones are passed on."""
    document = yaml_parse(template.read_text())
    document["Globals"]["Function"]["Environment"]["Variables"]["AWS_ENDPOINT_URL"] = ""
    changed = template.with_name("sam-local.yaml")
    changed.write_text(yaml_dump(document))
    return changed


def _set_up_sample(stack: Stack) -> None:
    """Give the samples what their events are about: a product with a price and one without, and a key."""
    for sku, price in (("tea", {"price": {"N": "450"}}), ("tea-not-priced-yet", {})):
        item: Any = {"sku": {"S": sku}, "currency": {"S": "EUR"}, "stock": {"N": "100"}} | price
        stack.dynamodb.put_item(TableName=stack.output("CatalogTableName"), Item=item)
    secrets = stack.session.client("secretsmanager", endpoint_url=stack.endpoint_url)
    secrets.put_secret_value(
        SecretId=stack.resources("AWS::SecretsManager::Secret")["EmailKey"], SecretString=SAMPLE_KEY
    )
