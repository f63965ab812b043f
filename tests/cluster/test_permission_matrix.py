"""What the chart lets the operator, and people, do and not do, by `kubectl auth can-i`."""

import contextlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
import yaml

from artifact_index.cli.cluster.operators import lease_name
from support.chart import RELEASE
from support.control_plane import service_account_user, wait_until
from support.installation import granted_by_chart, install
from support.operator_process import OPERATOR_NAMESPACE, REPOSITORY
from support.permissions import Permission
from support.world import OPERATOR_USER, World, artifact_index, index_options, secret

pytestmark = pytest.mark.cluster

SERVED, LISTED = "matrix-served", "matrix-listed"
KEY = "artifact-index-operator-signing-key"
ROLES_SECONDS = 60.0

ANY = "*"
Granted = dict[Permission, frozenset[str]]
"""Permissions with the names they are for, ANY for all."""

CODE = re.compile(r"`[^`]+`")
LISTED_ROW = re.compile(r"(\S+)\s+\[\]\s+\[(.*)\]\s+\[(.+)\]\s*")


def documented(heading: str) -> set[Permission]:
    """The permissions in the table below a heading of the page on security: verbs, resources."""
    page = (REPOSITORY / "docs" / "explanation" / "security.md").read_text()
    text = page.partition(f"\n{heading}\n")[2]
    found: set[Permission] = set()
    for line in text.partition("\n#")[0].splitlines():
        verbs, resources = (CODE.findall(cell) for cell in [*line.split("|"), "", ""][1:3])
        found |= {
            Permission.parse(f"{verb} {resource}".replace("`", ""))
            for verb in verbs
            for resource in resources
        }
    assert found, heading
    return found


WORK = documented("### What it may do")
ELECTION = documented("### To elect a leader")
TOKENS = documented("### For logins as a ServiceAccount")
CLUSTER = documented("### For the kinds of cluster scope")
NEVER = documented("### What it may not do")


def allowed(permissions: Iterable[Permission], *names: str) -> Granted:
    """Permissions for these names, or for all."""
    return {permission: frozenset(names or (ANY,)) for permission in permissions}


def lease_of(*served: str) -> Granted:
    """What is granted in the operator's own namespace for the election among its replicas."""
    by_name = {each for each in ELECTION if each.verb in ("watch", "update")}
    return allowed(by_name, lease_name(OPERATOR_NAMESPACE, served)) | allowed(ELECTION - by_name)


def granted(world: World, user: str, namespace: str) -> Granted:
    """What `can-i --list` says of a user, less what every ServiceAccount has."""

    def rows(who: str) -> set[tuple[str, ...]]:
        answer = world.plane.kubectl("auth", "can-i", "--list", "--as", who, "-n", namespace)
        found = [LISTED_ROW.fullmatch(line) for line in answer.stdout.splitlines()[1:]]
        return {row.groups() for row in found if row is not None}

    found: Granted = {}
    for target, name, verbs in rows(user) - rows(service_account_user(namespace, "nobody")):
        for verb in verbs.split():
            permission = Permission.parse(f"{verb} {target}")
            found[permission] = found.get(permission, frozenset()) | {name or ANY}
    return found


def answers(world: World, user: str, asked: Iterable[Permission]) -> list[str]:
    """What `kubectl auth can-i` is told to each question, true or false, by one kubectl for all."""
    reviews = []
    for one in asked:
        plural, _, group = one.resource.partition(".")
        target = {"group": group, "resource": plural, "subresource": one.subresource}
        question = {"namespace": SERVED, "verb": one.verb, **target}
        reviews.append(
            {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": question},
            }
        )
    answer = world.plane.kubectl(
        "create", "-f", "-", "--validate=false", "--as", user,
        "-o", "jsonpath={.status.allowed}{'\\n'}", input=yaml.safe_dump_all(reviews),
    )  # fmt: skip
    return answer.stdout.split()


def assert_granted(world: World, user: str, namespace: str, expected: Granted) -> None:
    """The API server takes a moment to learn of new roles."""
    with contextlib.suppress(TimeoutError):
        wait_until(lambda: granted(world, user, namespace) == expected, "the roles", ROLES_SECONDS)
    assert granted(world, user, namespace) == expected


def installed(world: World, name: str, values: Mapping[str, Any]) -> str:
    """Apply what the chart grants an installation of its own; returns its user."""
    world.namespace(name)
    values = {"fullnameOverride": name, "serviceAccount": {"name": RELEASE}, **values}
    install(world.plane, *granted_by_chart(values, namespace=name))
    return service_account_user(name, RELEASE)


def test_cluster_wide_it_may_do_what_the_documentation_lists_and_nothing_else(
    world: World,
) -> None:
    everywhere = allowed(WORK | CLUSTER)
    assert_granted(world, OPERATOR_USER, "default", everywhere)
    assert granted(world, OPERATOR_USER, "kube-system") == everywhere
    assert_granted(world, OPERATOR_USER, OPERATOR_NAMESPACE, everywhere | lease_of())


def test_without_the_kinds_of_cluster_scope_it_knows_no_namespace(world: World) -> None:
    user = installed(world, "matrix-without", {"clusterKinds": {"enabled": False}})
    assert_granted(world, user, "default", allowed(WORK))


def test_all_service_accounts_add_two_permissions_and_a_list_adds_them_by_name(
    world: World,
) -> None:
    every = installed(world, "matrix-all", {"serviceAccountTokens": {"mode": "All"}})
    assert_granted(world, every, "default", allowed(WORK | CLUSTER | TOKENS))

    world.namespace(LISTED)
    listed = {"mode": "Listed", "listed": {LISTED: ["one", "two"]}}
    some = installed(world, "matrix-some", {"serviceAccountTokens": listed})
    everywhere = allowed(WORK | CLUSTER)
    assert_granted(world, some, LISTED, everywhere | allowed(TOKENS, "one", "two"))
    assert granted(world, some, "default") == everywhere


@pytest.fixture(scope="module")
def namespaced(world: World) -> str:
    """The user of an installation that serves SERVED alone."""
    world.namespace(SERVED)
    listed = {"mode": "Listed", "listed": {SERVED: ["one"]}}
    values = {"watchNamespaces": [SERVED], "serviceAccountTokens": listed}
    user = installed(world, "matrix-own", values)
    assert_granted(world, user, SERVED, allowed(WORK) | allowed(TOKENS, "one"))
    return user


def test_in_namespaced_mode_it_has_the_same_in_its_namespaces_and_its_key(
    world: World, namespaced: str
) -> None:
    own = {
        Permission("get", "secrets"): frozenset({KEY}),
        Permission("create", "secrets"): frozenset({ANY}),
    }
    assert_granted(world, namespaced, "matrix-own", own | lease_of(SERVED))
    assert granted(world, namespaced, SERVED) == allowed(WORK) | allowed(TOKENS, "one")
    assert granted(world, namespaced, "default") == {}


def test_kubectl_answers_no_to_what_the_documentation_rules_out(
    world: World, namespaced: str
) -> None:
    assert not NEVER & (WORK | ELECTION | CLUSTER)
    asked = sorted(NEVER)
    for user in (OPERATOR_USER, namespaced):
        told = zip(asked, answers(world, user, asked), strict=True)
        assert {question for question, said in told if said != "false"} == set()
    work = sorted(WORK | CLUSTER)
    assert answers(world, OPERATOR_USER, work) == ["true"] * len(work)


def test_people_with_view_read_both_kinds_and_no_secret(world: World) -> None:
    namespace = world.namespace("people-view")
    with_role(world, namespace, "view", "vera", "get")
    world.apply(*both_kinds(), secret("login", {"password": "x"}), namespace=namespace)
    vera = ("-n", namespace, "--as", "vera")
    names = world.plane.kubectl("get", "aidx,idxopt", "-o", "name", *vera).stdout.split()
    assert names == [
        "artifactindex.artifactindex.dev/open", "indexoptions.artifactindex.dev/uv-config",
    ]  # fmt: skip
    for refused in (
        ["get", "secrets"],
        ["get", "secret", "login"],
        ["delete", "aidx", "open"],
        ["annotate", "idxopt", "uv-config", "a=b"],
    ):
        answer = world.plane.kubectl(*refused, *vera, check=False)
        assert "Forbidden" in answer.stderr and '"vera" cannot' in answer.stderr, refused


def test_people_with_edit_change_both_kinds_but_not_their_status(world: World) -> None:
    namespace = world.namespace("people-edit")
    with_role(world, namespace, "edit", "ed", "create")
    ed = ("-n", namespace, "--as", "ed")
    world.plane.kubectl("create", "-f", "-", *ed, input=yaml.safe_dump_all(both_kinds()))
    for kind, name in (("aidx", "open"), ("idxopt", "uv-config")):
        suspend = ("--type=merge", "-p", '{"spec": {"suspend": true}}')
        world.plane.kubectl("patch", kind, name, *suspend, *ed)
        status = ("--subresource=status", "--type=merge", "-p", '{"status": {"url": "https://x"}}')
        answer = world.plane.kubectl("patch", kind, name, *status, *ed, check=False)
        assert "Forbidden" in answer.stderr and "/status" in answer.stderr
        world.plane.kubectl("delete", kind, name, *ed)


def test_the_roles_for_people_name_nothing_but_the_two_kinds(world: World) -> None:
    people = [
        item
        for item in granted_by_chart()
        if any("aggregate-to" in label for label in item["metadata"].get("labels", {}))
    ]
    assert len(people) == 2
    resources = {
        (group, resource)
        for item in people
        for rule in item["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    kinds = ("artifactindexes", "indexoptions")
    assert resources == {("artifactindex.dev", kind) for kind in kinds}


def both_kinds() -> list[dict[str, Any]]:
    """One of each."""
    index = artifact_index("open", name="open", anonymous={"url": "https://open.example/simple/"})
    return [index, index_options("uv-config")]


def with_role(world: World, namespace: str, role: str, user: str, verb: str) -> None:
    """Bind a person, and wait until the controller has put the chart's rules into the role.

    `verb` is one of the chart's rule for this role alone: `edit` takes up those of `view`, too.
    """
    world.plane.kubectl(
        "create", "rolebinding", user, f"--clusterrole={role}", f"--user={user}", "-n", namespace
    )

    def may() -> bool:
        return all(
            world.plane.kubectl(
                "auth", "can-i", verb, kind, "-n", namespace, "--as", user, check=False
            ).returncode == 0
            for kind in ("artifactindexes.artifactindex.dev", "indexoptions.artifactindex.dev")
        )  # fmt: skip

    wait_until(may, f"{role} to hold the chart's rules", ROLES_SECONDS)
