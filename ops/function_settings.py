"""A stack in, the environment of each of its functions out, as `sam local invoke --env-vars` takes it."""

from __future__ import annotations

from ops.stack import Stack


def function_settings(stack: Stack) -> dict[str, dict[str, str]]:
    """Return the variables of each function, by its name in the template."""
    return {
        name: stack.functions.get_function_configuration(FunctionName=physical)
        .get("Environment", {})
        .get("Variables", {})
        for name, physical in stack.resources("AWS::Lambda::Function").items()
    }
