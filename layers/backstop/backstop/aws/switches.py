"""Circuits' SSM parameters in, which of their downstreams are on the backup out; and what they shall be on in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backstop.aws.refusals import asked

BACKUP: Final = "backup"
PRIMARY: Final = "primary"


class Switches:
    """The parameters by which clients of downstreams choose. `parameters` are their names, by the circuits' names."""

    def __init__(self, client: Any, parameters: Mapping[str, str]) -> None:
        self._client = client
        self._parameters = parameters

    def look(self) -> Mapping[str, bool]:
        """Return whether each circuit's downstream is on its backup; one without a parameter is left out.

        Raises SystemFault where that cannot be told.
        """
        if not self._parameters:
            return {}
        with asked("the switches could not be read"):
            answer = self._client.get_parameters(Names=sorted(set(self._parameters.values())))
        values = {found["Name"]: found["Value"] for found in answer["Parameters"]}
        return {circuit: values[name] == BACKUP for circuit, name in self._parameters.items() if name in values}

    def set(self, circuit: str, to_backup: bool) -> None:
        """Switch a circuit's downstream to its backup, or back. Raises SystemFault where that did not work."""
        name = self._parameters[circuit]
        with asked(f"the switch {name} did not change"):
            self._client.put_parameter(Name=name, Value=BACKUP if to_backup else PRIMARY, Overwrite=True)
