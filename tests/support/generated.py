"""Commands that nobody has thought of: whatever the contract's models allow, and that broken.

They are drawn from the JSON Schema of each command's data, as a client in another language would
write them, and not from our models.
"""

import copy
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, get_args

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from gateway_contracts import FLEET, Command, new_id
from gateway_contracts.envelope import CommandEnvelope

Value = Any
Schema = Mapping[str, Any]
MODELS: Final[tuple[type[CommandEnvelope], ...]] = get_args(get_args(Command)[0])
_MOST_ITEMS: Final = 5
_MOST_CHARACTERS: Final = 80
_ALPHABET: Final = st.characters(codec="utf-8", exclude_characters="\x00")
_JUNK: Final = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(_ALPHABET, max_size=30),
    st.just([]),
    st.just({}),
    st.just([[[]]]),
    st.just("x" * 70_000),
    st.just("\x00"),
    st.just({"kind": "text"}),
    st.just({"source": "url", "url": "https://127.0.0.1/"}),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """A command as a backend publishes it.

    Attributes:
        id: Its id.
        subject: The session.
        body: Its bytes.
    """

    id: str
    subject: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where commands go to.

    Attributes:
        kept: Sessions that stay as they are; only messages and questions go there.
        others: Names of sessions that may be made, moved and deleted.
        recipients: Numbers of phones that exist.
    """

    kept: Sequence[str]
    others: Sequence[str]
    recipients: Sequence[str]


def generated_commands(count: int, *, places: Places, number: int) -> list[Generated]:
    """Return so many commands; the same number gives the same ones, but for their ids."""
    found: list[Generated] = []
    rounds = itertools.count(number)
    while len(found) < count:

        @seed(next(rounds))
        @settings(
            max_examples=count - len(found),
            phases=[Phase.generate],
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(_commands(places))
        def collect(command: dict[str, Any]) -> None:
            found.append(_published(command))

        collect()
    return found[:count]


def _published(command: dict[str, Any]) -> Generated:
    # Kept out of what is drawn: two alike are to be two.
    command = {**command, "id": new_id()}
    body = json.dumps(command, allow_nan=True, ensure_ascii=False)
    return Generated(
        id=command["id"], subject=command["subject"], body=body.encode(errors="surrogatepass")
    )


@st.composite
def _commands(draw: st.DrawFn, places: Places) -> dict[str, Any]:
    model = draw(st.sampled_from(MODELS))
    if draw(st.integers(0, 2)):  # what there is most to say about
        model = next(one for one in MODELS if _type_of(one) == "wa.message.send.v1")
    kind = _type_of(model)
    is_gentle = not kind.startswith("wa.session.") or kind.endswith(
        (".get_status.v1", ".get_qr.v1", ".replay.v1")
    )
    sessions = [*places.kept, *places.kept, *places.others] if is_gentle else places.others
    if kind in _OF_THE_FLEET:
        sessions = [FLEET]
    command: dict[str, Any] = {
        "specversion": "1.0",
        "source": f"/backends/fuzz-{draw(st.integers(0, 99))}",
        "type": kind,
        "subject": draw(st.sampled_from([*sessions, "nobody"])),
    }
    data = copy.deepcopy(draw(_data_of(model)))
    if data is not None:
        if "to" in data and draw(st.integers(0, 3)):
            data["to"] = draw(st.sampled_from(places.recipients))
        command["data"] = data
    if draw(st.booleans()):
        return command
    for _ in range(draw(st.integers(1, 3))):
        _break(draw, command)
    return command


def _break(draw: st.DrawFn, command: dict[str, Any]) -> None:
    """Take away a value somewhere in a command's data, add one, or put junk in its place."""
    at: Any = command
    key: Any = "data"
    while draw(st.integers(0, 4)):
        inner = at.get(key) if isinstance(at, dict) else at[key]
        if not inner or not isinstance(inner, dict | list):
            break
        names = sorted(inner) if isinstance(inner, dict) else range(len(inner))
        at, key = inner, draw(st.sampled_from(names))
    match draw(st.integers(0, 3)):
        case 0 if isinstance(at, dict) and key != "data":
            del at[key]
        case 1 if isinstance(at, dict) and at is not command:
            at[draw(st.text(_ALPHABET, max_size=10))] = copy.deepcopy(draw(_JUNK))
        case 2:
            command[draw(st.sampled_from(["expirytime", "traceparent", "time", "x"]))] = draw(_JUNK)
        case _:
            at[key] = copy.deepcopy(draw(_JUNK))


def _type_of(model: type[CommandEnvelope]) -> str:
    return str(model.model_fields["type"].default)


_OF_THE_FLEET: Final = frozenset({"wa.analytics.fleet.v1", "wa.session.list.v1"})
_STRATEGIES: dict[str, st.SearchStrategy[Any]] = {}


def _data_of(model: type[CommandEnvelope]) -> st.SearchStrategy[Any]:
    kind = _type_of(model)
    if kind not in _STRATEGIES:
        schema = model.model_json_schema()
        data = schema["properties"].get("data")
        found: st.SearchStrategy[Any] = st.none()
        if data is not None:
            found = _Reader(schema.get("$defs", {})).strategy(data)
        _STRATEGIES[kind] = found
    return _STRATEGIES[kind]


class _Reader:
    """Turns a JSON Schema into what draws its values.

    Args:
        definitions: What `$ref` refers to.
    """

    def __init__(self, definitions: Schema) -> None:
        self._definitions = definitions
        self._known: dict[str, st.SearchStrategy[Value]] = {}

    def strategy(self, schema: Schema) -> st.SearchStrategy[Value]:
        """Return what draws values of a schema."""
        if "$ref" in schema:
            name = str(schema["$ref"]).rpartition("/")[2]
            if name not in self._known:
                self._known[name] = self.strategy(self._definitions[name])
            return self._known[name]
        if "const" in schema:
            return st.just(schema["const"])
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        for several in ("oneOf", "anyOf"):
            if several in schema and "properties" not in schema:
                return st.one_of(*(self.strategy(one) for one in schema[several]))
        make = getattr(self, f"_{schema.get('type', 'anything')}")
        found: st.SearchStrategy[Value] = make(schema)
        return found

    def _object(self, schema: Schema) -> st.SearchStrategy[Value]:
        named = {name: self.strategy(one) for name, one in schema.get("properties", {}).items()}
        if not named:
            values = schema.get("additionalProperties")
            inner = self.strategy(values) if isinstance(values, dict) else _JUNK
            return st.dictionaries(st.text(_ALPHABET, max_size=10), inner, max_size=3)
        required = {name: named[name] for name in schema.get("required", ())}
        # What tells apart is never left out: its default stands in the schema.
        required |= {
            name: named[name] for name, one in schema["properties"].items() if "const" in one
        }
        optional = {name: one for name, one in named.items() if name not in required}
        return st.fixed_dictionaries(required, optional=optional)

    def _array(self, schema: Schema) -> st.SearchStrategy[Value]:
        least = schema.get("minItems", 0)
        return st.lists(
            self.strategy(schema.get("items", {})),
            min_size=least,
            max_size=min(schema.get("maxItems", _MOST_ITEMS), max(least, _MOST_ITEMS)),
            unique_by=json.dumps if schema.get("uniqueItems") else None,
        )

    def _string(self, schema: Schema) -> st.SearchStrategy[Value]:
        if schema.get("format") == "date-time":
            return st.datetimes().map(lambda at: at.isoformat() + "Z")
        most = schema.get("maxLength", _MOST_CHARACTERS)
        least = schema.get("minLength", 0)
        if "pattern" in schema:
            return st.from_regex(schema["pattern"], fullmatch=True).filter(
                lambda text: least <= len(text) <= most
            )
        return st.text(_ALPHABET, min_size=least, max_size=min(most, max(least, _MOST_CHARACTERS)))

    @staticmethod
    def _integer(schema: Schema) -> st.SearchStrategy[Value]:
        return st.integers(schema.get("minimum"), schema.get("maximum"))

    @staticmethod
    def _number(schema: Schema) -> st.SearchStrategy[Value]:
        return st.floats(
            schema.get("minimum"), schema.get("maximum"), allow_nan=False, allow_infinity=False
        )

    @staticmethod
    def _boolean(_schema: Schema) -> st.SearchStrategy[Value]:
        return st.booleans()

    @staticmethod
    def _null(_schema: Schema) -> st.SearchStrategy[Value]:
        return st.none()

    @staticmethod
    def _anything(_schema: Schema) -> st.SearchStrategy[Value]:
        return _JUNK
