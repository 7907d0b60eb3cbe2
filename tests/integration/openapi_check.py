"""Values against schemas of an OpenAPI 3.1 document: the part of JSON Schema that Airflow's document uses."""
import datetime
import re
import uuid

TYPES = {
    "null": lambda v: v is None,
    "boolean": lambda v: isinstance(v, bool),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "string": lambda v: isinstance(v, str),
    "array": lambda v: isinstance(v, list),
    "object": lambda v: isinstance(v, dict),
}


class Checker:
    """`problems(value, schema)` lists where a value does not fit, each as "place: what"."""

    def __init__(self, document):
        self.document = document

    def problems(self, value, schema, place="$"):
        if schema in ({}, True):
            return []
        if "$ref" in schema:
            return self.problems(value, self.resolve(schema["$ref"]), place)
        for word in ("anyOf", "oneOf"):
            if word in schema:
                found = [self.problems(value, one, place) for one in schema[word]]
                if all(found):
                    return min(found, key=len)
        found = self.of_type(value, schema, place)
        if found:
            return found
        if isinstance(value, dict):
            return self.of_members(value, schema, place)
        if isinstance(value, list):
            items = schema.get("items", {})
            return [p for i, one in enumerate(value) for p in self.problems(one, items, f"{place}[{i}]")]
        return self.of_text(value, schema, place) if isinstance(value, str) else []

    def resolve(self, reference):
        node = self.document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
        return node

    def of_type(self, value, schema, place):
        wanted = schema.get("type")
        if wanted and not any(TYPES[one](value) for one in ([wanted] if isinstance(wanted, str) else wanted)):
            return [f"{place}: {value!r:.60} is no {wanted}"]
        if "enum" in schema and value not in schema["enum"]:
            return [f"{place}: {value!r} is none of {schema['enum']}"]
        if "const" in schema and value != schema["const"]:
            return [f"{place}: {value!r} is not {schema['const']!r}"]
        return []

    def of_members(self, value, schema, place):
        found = [f"{place}: lacks {name}" for name in schema.get("required", []) if name not in value]
        properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
        for name, member in value.items():
            if name in properties:
                found += self.problems(member, properties[name], f"{place}.{name}")
            elif others is False:
                found.append(f"{place}: has {name}")
            elif isinstance(others, dict):
                found += self.problems(member, others, f"{place}.{name}")
        return found

    @staticmethod
    def of_text(value, schema, place):
        kind = schema.get("format")
        try:
            if kind == "date-time":
                datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
            elif kind == "uuid":
                uuid.UUID(value)
            elif kind == "duration" and not re.fullmatch(r"-?P(\d+Y)?(\d+D)?(T(\d+H)?(\d+M)?([\d.]+S)?)?", value):
                raise ValueError(value)
        except ValueError:
            return [f"{place}: {value!r} is no {kind}"]
        return []
