"""The label index of selections says what comparing each with each would say."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.index_options import IndexOptionsSpec
from artifact_index.reconcile.cache.objects import IndexObject, OptionsObject, parse_custom_object
from artifact_index.reconcile.cache.selectors import SelectorIndex

pytestmark = pytest.mark.unit

_NAMESPACES = st.sampled_from(["a", "b"])
_LABELS = st.dictionaries(st.sampled_from(["x", "y"]), st.sampled_from(["1", "2"]))
_EXPRESSIONS = st.lists(
    st.sampled_from(
        [{"key": "x", "operator": "Exists"}, {"key": "y", "operator": "NotIn", "values": ["1"]}]
    ),
    max_size=2,
)
_SELECTORS = st.none() | st.builds(
    lambda labels, expressions: {"matchLabels": labels, "matchExpressions": expressions},
    _LABELS,
    _EXPRESSIONS,
)
_CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["index", "options"]),
        _NAMESPACES,
        st.sampled_from(["one", "two", "three"]),
        st.none() | st.tuples(_LABELS, _SELECTORS),
    ),
    max_size=20,
)


@given(_CHANGES)
def test_selecting_by_label_finds_what_comparing_all_finds(changes: list[Any]) -> None:
    selection = SelectorIndex(lambda index, namespace: index.ref.namespace == namespace)
    indexes: dict[tuple[str, str], IndexObject] = {}
    options: dict[tuple[str, str], OptionsObject] = {}
    for kind, namespace, name, content in changes:
        ref = (namespace, name)
        if kind == "index":
            old = indexes.pop(ref, None)
            if content is not None:
                indexes[ref] = _index(*ref, content[0])
                selection.put_index(indexes[ref], old)
            elif old is not None:
                selection.drop_index(old)
        else:
            known = options.pop(ref, None)
            if content is not None:
                options[ref] = _options(*ref, content[1])
                selection.put_options(options[ref], known)
            elif known is not None:
                selection.drop_options(known)

    for option in options.values():
        expected = {index.ref for index in indexes.values() if _selects(option, index)}
        assert {index.ref for index in selection.selected(option)} == expected
    for index in indexes.values():
        found = {option.ref for option in options.values() if _selects(option, index)}
        assert selection.selecting(index) == found


def test_nothing_is_kept_of_what_has_gone() -> None:
    selection = SelectorIndex(lambda index, namespace: index.ref.namespace == namespace)
    index, options = (
        _index("a", "one", {"x": "1"}),
        _options("a", "one", {"matchLabels": {"x": "1"}}, clusterIndexSelector={}),
    )
    selection.put_index(index, None)
    selection.put_options(options, None)
    tables = [table for table in vars(selection).values() if isinstance(table, dict)]
    assert all(tables)
    selection.drop_index(index)
    selection.drop_options(options)
    assert not any(tables)


def _selects(options: OptionsObject, index: IndexObject) -> bool:
    assert options.spec is not None
    return options.ref.namespace == index.ref.namespace and options.spec.selects(index.labels)


def _index(namespace: str, name: str, labels: dict[str, str]) -> IndexObject:
    spec = {"anonymous": {"url": "https://index.example/simple/"}}
    return parse_custom_object(ArtifactIndexSpec, _body(namespace, name, spec, labels))


def _options(
    namespace: str, name: str, selector: dict[str, Any] | None, **more: Any
) -> OptionsObject:
    spec = {**({} if selector is None else {"indexSelector": selector}), **more}
    return parse_custom_object(IndexOptionsSpec, _body(namespace, name, spec, {}))


def _body(
    namespace: str, name: str, spec: dict[str, Any], labels: dict[str, str]
) -> dict[str, Any]:
    metadata = {
        "namespace": namespace,
        "name": name,
        "uid": f"{namespace}/{name}",
        "resourceVersion": "1",
        "labels": labels,
    }
    return {"metadata": metadata, "spec": spec}
