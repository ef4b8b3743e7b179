"""A kind's own keys in its `[[card]]` table, which its pydantic model checks (docs/plugins.md).

Loaded with the first such table: a server without local cards needs no pydantic.
"""

from collections.abc import Collection
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cccamd.localcards import CardOptions, LocalCard
from cccamd.setup.toml.reader import Finding, TableReader, unknown_key
from cccamd.setup.toml.scanning import KeyPath


def read_options(
    kind: type[LocalCard],
    own: dict[str, Any],
    path: KeyPath,
    *,
    reader: TableReader,
    common: Collection[str],
) -> CardOptions | None:
    """Check the keys and note all that is wrong with them; None if anything is.

    No value is ever shown: any of them may be a secret, only the kind knows which. `common` are
    keys that the table may have besides.
    """
    model = kind.Options
    assert issubclass(model, CardOptions), "as the registry of kinds has seen to"
    try:
        return model.model_validate(own)
    except ValidationError as error:
        if reader.is_full:  # as many words as problems would take long
            reader.count(error.error_count())
        else:
            details = _innermost(error)
            findings = (_finding(detail, model, common) for detail in details)
            reader.tell(findings, path, label="[[card]]", number=len(details))
    except Exception as fault:  # a plug-in's own check: its text may repeat a secret
        text = f"the kind's own check raised {type(fault).__name__}"
        reader.tell([Finding((), text)], path, label="[[card]]", number=1)
    return None


def _innermost(error: ValidationError) -> list[ErrorDetails]:
    """List the findings but those about a list or table that has findings inside.

    Pydantic adds such a one: a list without its bad elements is too short.
    """
    details = error.errors(include_url=False, include_input=False)
    outer = {detail["loc"][:depth] for detail in details for depth in range(len(detail["loc"]))}
    return [detail for detail in details if detail["loc"] not in outer]


def _finding(detail: ErrorDetails, model: type[BaseModel], common: Collection[str]) -> Finding:
    """Put one of pydantic's findings into words."""
    keys = [part for part in detail["loc"] if isinstance(part, str) and part != "[key]"]
    key = ".".join(keys)
    if detail["type"] == "extra_forbidden":
        known = {*model.model_fields, *common} if len(keys) == 1 else ()
        return Finding(detail["loc"], unknown_key(key, known), about_key=True)
    expected = _expected(detail, model)
    if detail["type"] == "missing":
        return Finding(detail["loc"], f"{key} is missing; {expected}", about_key=True)
    return Finding(detail["loc"], f"{key}: {expected}" if key else expected)


def _expected(detail: ErrorDetails, model: type[BaseModel]) -> str:
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    field = model.model_fields.get(str(detail["loc"][0])) if detail["loc"] else None
    if field is not None and field.description:
        return f"expected {field.description}"
    return str(detail["msg"])
