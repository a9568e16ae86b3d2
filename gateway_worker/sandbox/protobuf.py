"""Protocol buffer classes from a table in code.

The sandbox needs a dozen small messages of a schema that has thousands. Each module lists the
fields it reads or writes; everything else survives as an unknown field.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

Field = tuple[int, str] | tuple[int, str, bool]
"""(number, type) or (number, type, repeated). The type is a scalar's name or a message's name."""

Schema = Mapping[str, Mapping[str, Field]]

_FIELD: Final = descriptor_pb2.FieldDescriptorProto
_SCALARS: Final = {
    "bytes": _FIELD.TYPE_BYTES,
    "string": _FIELD.TYPE_STRING,
    "bool": _FIELD.TYPE_BOOL,
    "uint32": _FIELD.TYPE_UINT32,
    "uint64": _FIELD.TYPE_UINT64,
    "int32": _FIELD.TYPE_INT32,
    "int64": _FIELD.TYPE_INT64,
    "sint32": _FIELD.TYPE_SINT32,
    "fixed32": _FIELD.TYPE_FIXED32,
    "fixed64": _FIELD.TYPE_FIXED64,
    "sfixed64": _FIELD.TYPE_SFIXED64,
    "float": _FIELD.TYPE_FLOAT,
    "double": _FIELD.TYPE_DOUBLE,
}


def build_messages(package: str, schema: Schema) -> dict[str, type[Any]]:
    """Make one message class per entry of the schema, keyed by its name.

    Fields keep presence (`HasField` works on scalars). An enumeration is written as `int32`, which
    is the same on the wire. Each call has a pool of its own, so nothing can clash with classes that
    another library registered.

    Args:
        package: a name for error messages; must be a valid protobuf package.
        schema: messages and their fields; a type that is no scalar names a message of this schema.

    Raises:
        KeyError: a field names a type that is neither a scalar nor in the schema.
    """
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package)
    file.syntax = "proto2"
    for name, fields in schema.items():
        message = file.message_type.add(name=name)
        for field_name, spec in fields.items():
            number, kind, repeated = (*spec, False)[:3]
            entry = message.field.add(name=field_name, number=number)
            entry.label = _FIELD.LABEL_REPEATED if repeated else _FIELD.LABEL_OPTIONAL
            if kind in _SCALARS:
                entry.type = _SCALARS[kind]
            elif kind in schema:
                entry.type = _FIELD.TYPE_MESSAGE
                entry.type_name = f".{package}.{kind}"
            else:
                raise KeyError(f"{name}.{field_name}: unknown type {kind!r}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}"))
        for name in schema
    }
