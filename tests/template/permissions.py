"""A role of the template in, what it may do and who may take it out."""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.template.document import ROLES, as_list, names_in, text_of, walk


class Grant(NamedTuple):
    """An action that is allowed on a resource, which is written as `!Sub` would."""

    action: str
    resource: str

    @property
    def service(self) -> str:
        """The service of AWS whose action it is."""
        return self.action.partition(":")[0]


def statements(role: str) -> list[dict[str, Any]]:
    """Return all statements of a role's policies, those under a condition included."""
    return [one for one in walk(ROLES[role]["Policies"]) if isinstance(one, dict) and "Effect" in one]


def grants(role: str) -> set[Grant]:
    """Return what a role's policies allow."""
    return {
        Grant(action, text_of(resource))
        for statement in statements(role)
        if statement["Effect"] == "Allow"
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }


def grants_of(role: str, service: str) -> set[Grant]:
    """Return what a role's policies allow at one service of AWS."""
    return {grant for grant in grants(role) if grant.service == service}


def actions_on(role: str, resource: str) -> set[str]:
    """Return the actions that a role may do on a resource of the template, or on what is in it."""
    return {grant.action for grant in grants(role) if resource in names_in(grant.resource)}


def trust(role: str) -> dict[str, Any]:
    """Return the one statement that says who may take a role."""
    (statement,) = ROLES[role]["AssumeRolePolicyDocument"]["Statement"]
    assert isinstance(statement, dict)
    return statement
