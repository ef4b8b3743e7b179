"""The JSON schema of cccamd.toml knows what the reader knows."""

import json

from typer.testing import CliRunner

from cccamd.cli import command_line
from cccamd.setup.toml.parser import _KNOWN


def test_it_has_every_table_and_the_bounds_of_their_numbers() -> None:
    result = CliRunner().invoke(command_line(["schema"]), ["schema"])
    found = json.loads(result.output)
    assert set(found["properties"]) == set(_KNOWN)
    days = found["properties"]["journal"]["properties"]["days"]
    assert (days["type"], days["minimum"] <= 90 <= days["maximum"]) == ("integer", True)
    assert "kind" in found["properties"]["card"]["items"]["required"]
    assert found["properties"]["card"]["items"]["additionalProperties"] is True
    assert found["properties"]["limits"]["additionalProperties"] is False
    limits, mqtt = (found["properties"][name]["properties"] for name in ("limits", "mqtt"))
    assert limits["ecm_deadline"]["type"] == "number"
    assert (mqtt["host"]["type"], mqtt["port"]["type"]) == ("string", "integer")
    assert found["properties"]["network"]["properties"]["allow"]["items"] == {"type": "string"}
    caid = found["properties"]["card"]["items"]["properties"]["caid"]
    assert "type" not in caid, "digits, or a number"
