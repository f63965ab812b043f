"""The in-memory copy of the cluster: which objects a change concerns."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifact_index.reconcile.cache.cache import Cache, Key, index_key, options_key, outputs_key
from artifact_index.reconcile.cache.objects import ObjectRef, OutputObject, OutputRef
from support.output_builders import controller_of, output
from support.reconcile_builders import NAMESPACE, index, options, source, source_secret

pytestmark = pytest.mark.unit

PROD = {"labels": {"env": "prod"}}
DEV = {"labels": {"env": "dev"}}


def selector(**labels: str) -> dict[str, Any]:
    return {"indexSelector": {"matchLabels": labels}}


def ref(name: str) -> ObjectRef:
    return ObjectRef(NAMESPACE, name)


def opt(*names: str) -> set[Key]:
    return {options_key(ref(name)) for name in names}


def idx(*names: str) -> set[Key]:
    return {index_key(ref(name)) for name in names}


def named(name: str, spec: dict[str, Any] | None = None, **how: Any) -> Any:
    return options(name, spec, uid=f"uid-of-{name}", **how)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        (options_key(ref("a")), "IndexOptions"),
        (Key("IndexOptionsStatus", ref("a")), "IndexOptions"),
        (Key("IndexOptionsStatus", ObjectRef("", "a")), "ClusterIndexOptions"),
        (outputs_key(NAMESPACE, "a"), "ClusterIndexOptions"),
        (index_key(ObjectRef("", "a")), "ClusterArtifactIndex"),
    ],
)
def test_logs_name_a_kind_of_the_api(key: Key, kind: str) -> None:
    assert key.object_kind == kind


@pytest.fixture
def cache() -> Cache:
    """Selections `prod` and `dev`, and one index of each kind of label."""
    cache = Cache()
    cache.put_options(named("prod", selector(env="prod")))
    cache.put_options(named("dev", selector(env="dev")))
    cache.put_index(index("p", **PROD))
    cache.put_index(index("d", **DEV))
    return cache


# -- ArtifactIndex


def test_a_new_index_concerns_those_who_select_it_and_itself(cache: Cache) -> None:
    assert cache.put_index(index("new", **PROD)) == opt("prod") | idx("new")
    assert cache.put_index(index("nobodys")) == idx("nobodys")


def test_an_echo_concerns_nothing(cache: Cache) -> None:
    record = index("p", **PROD)
    cache.put_index(record)
    assert cache.put_index(record) == set()
    assert cache.put_index(record, listed=True) == set()
    assert cache.put_index(index("p", **PROD, version=1)) == set()


def test_a_newer_version_with_the_same_content_concerns_nothing(cache: Cache) -> None:
    # An annotation, or managedFields.
    assert cache.put_index(index("p", **PROD)) == set()
    assert cache.put_options(named("prod", selector(env="prod"))) == set()


def test_a_status_that_somebody_edited_concerns_the_object_alone(cache: Cache) -> None:
    edited = {"observedGeneration": 7}
    assert cache.put_index(index("p", **PROD, status=edited)) == idx("p")
    assert cache.put_options(named("prod", selector(env="prod"), status=edited)) == opt("prod")


def test_a_new_spec_concerns_those_who_select_the_index(cache: Cache) -> None:
    assert cache.put_index(index("p", **PROD, generation=2)) == opt("prod") | idx("p")


def test_a_new_object_of_the_same_name_is_a_change(cache: Cache) -> None:
    assert cache.put_index(index("p", **PROD, uid="other")) == opt("prod") | idx("p")
    assert options_key(ref("prod")) in cache.put_options(
        options("prod", selector(env="prod"), uid="other")
    )


def test_a_relabelled_index_concerns_old_and_new_selections(cache: Cache) -> None:
    prod, dev = named("prod", selector(env="prod")), named("dev", selector(env="dev"))
    assert cache.put_index(index("p", **DEV)) == opt("prod", "dev") | idx("p")
    assert cache.selected(prod) == [] and len(cache.selected(dev)) == 2
    assert cache.put_index(index("p")) == opt("dev") | idx("p")
    assert len(cache.selected(dev)) == 1


def test_a_deleted_index_concerns_those_who_selected_it(cache: Cache) -> None:
    assert cache.drop_index(ref("p"), "another uid") == set()
    assert cache.drop_index(ref("p"), "uid-of-p") == opt("prod") | idx("p")
    assert cache.drop_index(ref("p"), "uid-of-p") == set()
    assert cache.selected(named("prod", selector(env="prod"))) == []


def test_an_unreadable_spec_is_still_selected_by_its_labels(cache: Cache) -> None:
    bad = index("p", {**source("anonymous"), "priority": "high"}, **PROD, generation=2)
    assert cache.put_index(bad) == opt("prod") | idx("p")
    assert cache.selected(named("prod", selector(env="prod"))) == [bad]


# -- selections

SELECTORS: dict[str, tuple[dict[str, Any] | None, set[str]]] = {
    "absent": (None, {"none", "prod", "both"}),
    "empty": ({}, {"none", "prod", "both"}),
    "one label": ({"matchLabels": {"env": "prod"}}, {"prod", "both"}),
    "two labels": ({"matchLabels": {"env": "prod", "team": "a"}}, {"both"}),
    "In": ({"matchExpressions": [
        {"key": "env", "operator": "In", "values": ["prod", "x"]}]}, {"prod", "both"}),
    "NotIn": ({"matchExpressions": [
        {"key": "env", "operator": "NotIn", "values": ["prod"]}]}, {"none"}),
    "Exists": ({"matchExpressions": [{"key": "team", "operator": "Exists"}]}, {"both"}),
    "DoesNotExist": ({"matchExpressions": [
        {"key": "team", "operator": "DoesNotExist"}]}, {"none", "prod"}),
    "both kinds": ({"matchLabels": {"env": "prod"}, "matchExpressions": [
        {"key": "team", "operator": "DoesNotExist"}]}, {"prod"}),
}  # fmt: skip


@pytest.mark.parametrize("case", SELECTORS)
def test_selectors_mean_what_kubernetes_means(case: str) -> None:
    asked, expected = SELECTORS[case]
    record = named("o", {"indexSelector": asked} if asked is not None else {})
    cache = Cache()
    cache.put_options(record)
    for name, labels in {
        "none": {}, "prod": {"env": "prod"}, "both": {"env": "prod", "team": "a"}
    }.items():  # fmt: skip
        concerned = cache.put_index(index(name, labels=labels))
        assert (options_key(record.ref) in concerned) is (name in expected)
    cache.put_index(index("elsewhere", labels={"env": "prod"}, namespace="elsewhere"))
    assert {item.ref.name for item in cache.selected(record)} == expected
    for item in cache.selected(record):
        assert cache.consumers(item) == [record]


def test_a_suspended_or_unreadable_options_is_no_consumer(cache: Cache) -> None:
    (one,) = cache.selected(named("prod", selector(env="prod")))
    assert [found.ref.name for found in cache.consumers(one)] == ["prod"]
    cache.put_options(named("prod", {**selector(env="prod"), "suspend": True}, generation=2))
    assert cache.consumers(one) == []
    cache.put_options(named("prod", {**selector(env="prod"), "suspend": "x"}, generation=3))
    assert cache.consumers(one) == []


LABELS = st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy"), max_size=2)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["index", "options", "drop index", "drop options"]),
        st.sampled_from(["one", "two"]),
        LABELS,
    ),
    max_size=12,
)


@given(STEPS)
def test_both_directions_of_a_selection_agree_after_any_history(
    steps: list[tuple[str, str, dict[str, str]]],
) -> None:
    cache = Cache()
    for number, (what, name, labels) in enumerate(steps, start=1):
        if what == "index":
            cache.put_index(index(name, labels=labels, generation=number))
        elif what == "options":
            spec = {"indexSelector": {"matchLabels": labels}}
            cache.put_options(named(name, spec, generation=number))
        elif what == "drop index":
            cache.drop_index(ref(name))
        else:
            cache.drop_options(ref(name))
    indexes = [cache.indexes.get(item) for item in cache.indexes]
    for option in cache.options:
        record = cache.options.get(option)
        assert record is not None and record.spec is not None
        meant = {i.ref for i in indexes if i and record.spec.selects(i.labels)}
        assert {found.ref for found in cache.selected(record)} == meant
        for candidate in indexes:
            assert candidate is not None
            assert (record in cache.consumers(candidate)) is (candidate.ref in meant)


# -- IndexOptions


def test_a_new_options_concerns_itself_and_its_pass_the_indexes(cache: Cache) -> None:
    assert cache.put_options(named("new")) == opt("new")


def test_a_changed_selector_concerns_what_was_selected(cache: Cache) -> None:
    changed = named("prod", selector(env="dev"), generation=2)
    assert cache.put_options(changed) == opt("prod") | idx("p")


def test_a_deleted_options_concerns_its_indexes_and_who_wants_its_output(cache: Cache) -> None:
    shared = {"outputs": [{"kind": "Secret", "name": "shared"}]}
    cache.put_options(named("first", {**selector(env="prod"), **shared}))
    cache.put_options(named("second", {**selector(env="prod"), **shared}))
    assert cache.drop_options(ref("first")) == opt("second") | idx("p")
    assert cache.drop_options(ref("first")) == set()


def test_the_uids_of_a_namespace_are_known(cache: Cache) -> None:
    cache.put_options(named("else", namespace="elsewhere"))
    assert cache.options_uids(NAMESPACE) == {"uid-of-prod", "uid-of-dev"}
    cache.drop_options(ref("prod"))
    assert cache.options_uids(NAMESPACE) == {"uid-of-dev"}
    cache.put_options(options("dev", uid="uid-of-its-successor"))
    assert cache.options_uids(NAMESPACE) == {"uid-of-its-successor"}


def test_every_object_has_a_key(cache: Cache) -> None:
    assert set(cache.all_keys()) == opt("prod", "dev") | idx("p", "d")


# -- outputs


def test_an_output_concerns_its_owner_and_who_names_it(cache: Cache) -> None:
    cache.put_options(named("namer", {"outputs": [{"kind": "Secret", "name": "x"}]}))
    owned = output("x", controller=controller_of("prod", "uid-of-prod"))
    assert cache.put_output(owned) == opt("prod", "namer")
    assert cache.drop_output(OutputRef("Secret", NAMESPACE, "x"), owned.uid) == opt("prod", "namer")


def test_an_output_of_nobody_concerns_nobody(cache: Cache) -> None:
    assert cache.put_output(output("x", controller=controller_of("gone", "uid-of-gone"))) == set()


def changed(**how: Any) -> OutputObject:
    return output("prod", **{"controller": controller_of("prod", "uid-of-prod"), **how})


@pytest.mark.parametrize(
    "how",
    [
        {"data": {"uv.toml": "eA=="}},
        {"labelled": False},
        {"annotations": {"artifactindex.dev/owner-uid": "x"}},
        {"annotations": {"artifactindex.dev/adopt": "x"}},
        {"controller": controller_of("prod", "another uid")},
        {"uid": "another"},
    ],
)
def test_drift_of_an_output_concerns_its_owner_and_another_version_does_not(
    cache: Cache, how: dict[str, Any]
) -> None:
    cache.put_output(changed())
    assert cache.put_output(changed()) == set()
    assert cache.put_output(changed(**how)) == opt("prod")


def test_outputs_are_found_by_their_owner(cache: Cache) -> None:
    by_reference = output("b", controller=controller_of("prod", "x"))
    by_mark = output("a", annotations={"artifactindex.dev/owner": "prod"})
    foreign = output("c", controller={**controller_of("prod"), "kind": "Deployment"})
    for record in (by_reference, by_mark, foreign):
        cache.put_output(record)
    assert [item.ref.name for item in cache.outputs_of(ref("prod"))] == ["a", "b"]

    cache.put_output(output("b", controller=controller_of("dev", "y")))
    assert [item.ref.name for item in cache.outputs_of(ref("prod"))] == ["a"]
    assert [item.ref.name for item in cache.outputs_of(ref("dev"))] == ["b"]


def test_a_name_in_the_outputs_of_a_spec_makes_no_secret_an_output(cache: Cache) -> None:
    cache.put_options(named("o", {"outputs": [{"kind": "Secret", "name": "x"}]}))
    assert not cache.is_output(ref("x"))
    cache.put_output(output("x", kind="ConfigMap"))
    assert not cache.is_output(ref("x"))
    cache.put_output(output("x"))
    assert cache.is_output(ref("x")) and not cache.is_output(ObjectRef("elsewhere", "x"))
    cache.drop_output(OutputRef("Secret", NAMESPACE, "x"))
    assert not cache.is_output(ref("x"))


@pytest.mark.parametrize("labelled", [True, False])
def test_a_labelled_secret_is_an_output_whoever_names_it(cache: Cache, labelled: bool) -> None:
    cache.put_output(output("left-over", labelled=labelled))
    assert cache.is_output(ref("left-over")) is labelled


# -- source Secrets


@pytest.fixture
def using(cache: Cache) -> Cache:
    """An index of `prod` and one that nobody selects read the Secret `basic`."""
    cache.put_index(index("reads", source("basicAuth"), **PROD))
    cache.put_index(index("idle", source("basicAuth")))
    return cache


USERS = opt("prod") | idx("idle")


def test_a_source_concerns_those_who_select_its_readers(using: Cache) -> None:
    record = source_secret("basic")
    assert using.put_source(ref("basic"), record) == USERS
    assert using.put_source(ref("basic"), record) == set()
    assert using.put_source(ref("unused"), record) == set()
    assert using.drop_source(ref("basic"), "another uid") == set()
    assert using.drop_source(ref("basic"), record.uid) == USERS
    assert using.drop_source(ref("basic"), record.uid) == set()


def test_readers_with_other_labels_concern_others(using: Cache) -> None:
    using.put_index(index("also", source("basicAuth"), **PROD))
    using.put_index(index("there", source("basicAuth"), **DEV))
    using.put_index(index("idle-too", source("basicAuth")))
    assert using.users_of(ref("basic")) == opt("prod", "dev") | idx("idle", "idle-too")


def test_a_secret_of_the_same_name_elsewhere_is_another(using: Cache) -> None:
    assert using.users_of(ObjectRef("elsewhere", "basic")) == set()


def test_readers_are_forgotten_with_their_spec(using: Cache) -> None:
    assert set(using.users.of_secret) == {ref("basic")}
    moved = source("basicAuth", secretRef={"name": "other"})
    using.put_index(index("reads", moved, **PROD, generation=2))
    assert using.users_of(ref("basic")) == idx("idle")
    assert using.users_of(ref("other")) == opt("prod")
    using.drop_index(ref("idle"))
    using.put_index(index("reads", source("anonymous"), **PROD, generation=3))
    assert set(using.users.of_secret) == set()


def test_a_source_that_becomes_an_output_or_ceases_to_be_one_concerns_its_readers(
    using: Cache,
) -> None:
    nobody = selector(env="none")
    declaring = {**nobody, "outputs": [{"kind": "Secret", "name": "basic"}]}
    assert using.put_options(named("o", declaring)) == opt("o")
    assert using.drop_options(ref("o")) == set()

    assert using.put_output(output("basic")) == USERS
    assert using.drop_output(OutputRef("Secret", NAMESPACE, "basic")) == USERS
    assert using.put_output(output("basic", kind="ConfigMap")) == set()
