"""The base of recipes: what is given of a part leaves the rest of that part at the recipe's own default."""

import copy
import types
import typing
from typing import Any, ClassVar

from pydantic import BaseModel, GetJsonSchemaHandler, model_validator
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, to_jsonable_python

from schemas.identity import FrozenModel


class Recipe(FrozenModel):
    """Base of every recipe, and of parts that hold stages with settings of their own.

    `ScaleQuest(solve={"sampling": {"n": 3}})` asks for 3 solutions at the recipe's temperature, not at that of
    `Sampling`. Python, a Prefect form, a deployment and the command line all build a recipe from such dicts.
    """

    common_fields: ClassVar[tuple[str, ...]] = ()
    """Paths of the fields that people change, e.g. `solve.sampling.n`: `--help` shows these alone."""

    @model_validator(mode="before")
    @classmethod
    def _fill_in_nested_defaults(cls, values: Any) -> Any:
        return _fill_in(cls, None, values) if isinstance(values, dict) else values

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema behind Prefect's form: each nested field states the recipe's default, not that of its class."""
        described = handler(schema)
        _state_defaults(handler.resolve_ref_schema(described), cls, None, handler)
        return described


def list_defaults(model: type[BaseModel], instance: BaseModel | None = None) -> dict[str, Any]:
    """Fields of `model` and their defaults: the values of `instance`, or else what the class declares.

    Fields that are required, or computed from other fields, have no default and are left out.
    """
    if instance is None:
        fields = {
            name: field
            for name, field in model.model_fields.items()
            if not (field.is_required() or field.default_factory_takes_validated_data)
        }
        return {name: field.get_default(call_default_factory=True) for name, field in fields.items()}
    stated = instance.model_fields_set
    return {
        name: getattr(instance, name)
        for name, field in model.model_fields.items()
        if name in stated or not field.default_factory_takes_validated_data
    }


def find_part(field: FieldInfo, default: Any) -> BaseModel | None:
    """The model over which a dict for this field is laid; for a part that is left out by default, its class's own."""
    if isinstance(default, BaseModel):
        return default
    inner = find_nested_model(field)
    if default is not None or inner is None or any(f.is_required() for f in inner.model_fields.values()):
        return None
    return inner()


def find_nested_model(field: FieldInfo) -> type[BaseModel] | None:
    """The model that a field holds, also where it may be None."""
    is_union = typing.get_origin(field.annotation) in (typing.Union, types.UnionType)
    options = typing.get_args(field.annotation) if is_union else (field.annotation,)
    models = [option for option in options if isinstance(option, type) and issubclass(option, BaseModel)]
    return models[0] if len(models) == 1 else None


def _fill_in(model: type[BaseModel], instance: BaseModel | None, values: dict[str, Any]) -> dict[str, Any]:
    """`values`, in which every dict for a part holds that part's other fields as well, at their defaults."""
    defaults = list_defaults(model, instance)
    filled = {}
    for name, value in values.items():
        filled[name] = value
        if isinstance(value, dict) and name in defaults:
            part = find_part(model.model_fields[name], defaults[name])
            if part is not None:
                filled[name] = _list_stated(part) | _fill_in(type(part), part, value)
    return filled


def _list_stated(part: BaseModel) -> dict[str, Any]:
    """The fields of `part` as dicts, without those that are computed from others: these are computed anew."""
    return {
        name: _list_stated(value) if isinstance(value, BaseModel) else value
        for name, value in list_defaults(type(part), part).items()
    }


def _state_defaults(
    schema: JsonSchemaValue, model: type[BaseModel], instance: BaseModel | None, handler: GetJsonSchemaHandler
) -> None:
    """Write the defaults into the properties of `schema`; a part gets a schema of its own in place of its class's."""
    for name, default in list_defaults(model, instance).items():
        described = schema["properties"][name]
        described["default"] = to_jsonable_python(default)
        part = find_part(model.model_fields[name], default)
        options = described.get("anyOf", [described])
        holder = next((option for option in options if "$ref" in option or "properties" in option), None)
        if part is None or holder is None:
            continue
        own = {key: value for key, value in holder.items() if key in ("default", "description")}
        inner = copy.deepcopy(handler.resolve_ref_schema(holder))
        _state_defaults(inner, type(part), part, handler)
        holder.clear()
        holder.update(inner | own)
    if instance is not None:
        schema.pop("required", None)  # the part is there by default, and so is each of its fields
