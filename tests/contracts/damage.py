"""Payloads that were right once: golden ones with something else in some places."""

import copy
from typing import Any

from hypothesis import strategies as st

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**300, max_value=10**320)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["2026-11-24T09:20:00Z", "2026-11-24T09:20:00+25:00", "9999-12-31T23:59:59-14:00", "qr"]
    ),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(max_size=10) | st.sampled_from(["kind", "text"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of each value in a payload, the whole of it first."""
    children = node.items() if isinstance(node, dict) else enumerate(node)
    found = [path]
    for key, value in children:
        deeper = (*path, key)
        found += places(value, deeper) if isinstance(value, dict | list) else [deeper]
    return found


@st.composite
def damaged(
    draw: st.DrawFn,
    payloads: list[dict[str, Any]],
    values: st.SearchStrategy[Any] = json_values,
) -> dict[str, Any]:
    """Take a golden payload and put something else in one to three places, or take it away."""
    payload: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(payloads)))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(payload)[1:]))
        node: Any = payload
        for part in path[:-1]:
            node = node[part]
        if draw(st.integers(0, 4)):
            node[path[-1]] = draw(values)
        else:
            del node[path[-1]]
    return payload
