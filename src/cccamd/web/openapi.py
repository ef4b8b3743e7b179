"""The OpenAPI description of `/api`, made of the same table as the routes."""

from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter

from cccamd.web.apireports import Problem, Readiness
from cccamd.web.endpoints import Endpoint, Query

_REF = "#/components/schemas/{model}"


def describe_api(program: str, endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """Describe all paths, as OpenAPI 3.1 wants it."""
    models = {endpoint.model.__name__: endpoint.model for endpoint in endpoints}
    models[Problem.__name__] = Problem
    _, schemas = TypeAdapter.json_schemas(
        [(name, "serialization", TypeAdapter(model)) for name, model in models.items()],
        ref_template=_REF,
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "cccamd",
            "version": program,
            "description": "A running cccamd server, read only. Ids are hex texts; times are"
            " seconds, and names that end in _at are seconds since 1970.",
        },
        "paths": {endpoint.path: {"get": _operation(endpoint)} for endpoint in endpoints},
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"login": {"type": "http", "scheme": "basic"}},
        },
        "security": [{}, {"login": []}],
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    responses = {"200": _response("The answer", endpoint.model.__name__)}
    if endpoint.query is not Query:
        responses["400"] = _response("A parameter is wrong", Problem.__name__)
    if endpoint.model is Readiness:
        responses["503"] = _response("Not ready", Readiness.__name__)
    return {
        "operationId": endpoint.path.rpartition("/")[2],
        "summary": endpoint.summary,
        "parameters": _parameters(endpoint.query),
        "responses": responses,
    }


def _response(text: str, model: str) -> dict[str, Any]:
    schema = {"$ref": _REF.format(model=model)}
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _parameters(query: type[Query]) -> list[dict[str, Any]]:
    properties = query.model_json_schema().get("properties", {})
    return [_parameter(name, dict(schema)) for name, schema in properties.items()]


def _parameter(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    description = schema.pop("description", None)
    optional = schema.get("anyOf")  # "this or null": a parameter is just left out
    shown = optional[0] if optional else schema
    parameter = {"name": name, "in": "query", "required": False, "schema": shown}
    return parameter if description is None else {**parameter, "description": description}
