"""`check` refuses what the API server refuses, and says what the operator's conditions say."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from artifact_index.api.conditions import READY
from artifact_index.cli import main
from artifact_index.cli.offline.findings import check, refused
from artifact_index.cli.offline.manifests import read_manifests
from artifact_index.settings import Settings
from support.api_case import Case
from support.api_cases import ACCEPTED, CONVERTED, NULL, REFUSED
from support.engine import Engine
from support.examples import EXAMPLES
from support.generated_manifests import manifest
from support.manifests import document
from support.reconcile_builders import CANARY, NAMESPACE, SECRETS, source
from support.rendered_offline import conditions_in, conditions_of, offline, settled

pytestmark = pytest.mark.unit

NAMED = {"aws": "aws-key", "google": "gcp-key", "url": "whole-url", "login": "basic"}
"""The Secrets that the table of the API names, and what they hold."""


def findings(folder: Path, text: str, **settings: Any) -> list[tuple[int, str, str, str]]:
    """Line, severity, reason and message of each finding."""
    (folder / "a.yaml").write_text(text)
    report = check(read_manifests([str(folder)], recursive=False), NAMESPACE, Settings(**settings))
    return [(each.line, each.severity, each.reason, each.message) for each in report.findings]


def said(folder: Path, text: str, **settings: Any) -> tuple[int, str, str, str]:
    (finding,) = findings(folder, text, **settings)
    return finding


# -- as the API server, which the cluster tier asks about the same cases


def problems(case: Case, folder: Path) -> list[str]:
    path = folder / "a.json"
    path.write_text(json.dumps(case.document("a")))
    return [each.message for each in refused(read_manifests([str(path)], recursive=False), "x")]


def test_what_the_api_server_accepts(tmp_path: Path) -> None:
    found = {str(case): problems(case, tmp_path) for case in (*ACCEPTED, *NULL)}
    assert {title: messages for title, messages in found.items() if messages} == {}


def test_what_the_api_server_refuses(tmp_path: Path) -> None:
    cases = [*REFUSED, *CONVERTED]
    found = {str(case): (case.refused_at, problems(case, tmp_path)) for case in cases}
    assert len(cases) > 290
    assert {
        title: messages
        for title, (where, messages) in found.items()
        if not any(message.startswith(where) for message in messages)
    } == {}


# -- where and what


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (
            document({"codeArtifact": {"domain": "acme", "domainOwner": 111122223333,
                                       "region": "eu-west-1", "repository": "python"}}),
            9,
            "spec.codeArtifact.domainOwner is a number in YAML, and must be text: put it in quotes",
        ),
        (
            document(source("anonymous", url=True)),
            8,
            "spec.anonymous.url is true or false in YAML, and must be text: put it in quotes",
        ),
        (
            document({**source("anonymous"), "priorty": 3}),
            9,
            "spec.priorty is no field; did you mean priority?",
        ),
        (
            document({"outputs": [{"kind": "Secret", "name": "a", "format": "UvToml"}]},
                     kind="IndexOptions"),
            10,
            "spec.outputs[0].format is no field; did you mean formats?",
        ),
        (
            document({"anonymous": {}}),
            7,
            "spec.anonymous.url is required",
        ),
        (
            document(source("anonymous"), name="Acme"),
            4,
            "metadata.name must be the name of an object, without its namespace: lower-case "
            "letters, digits, `-` and `.`, beginning and ending with a letter or digit",
        ),
        (
            document(source("anonymous")).replace("namespace:", "labels: {env: 1}\n  namespace:"),
            5,
            "metadata.labels.env is a number in YAML, and must be text: put it in quotes",
        ),
        (
            document(source("anonymous")).replace("v1alpha1", "v2"),
            1,
            "apiVersion is unknown: use artifactindex.dev/v1alpha1",
        ),
        (
            document(source("anonymous"), kind="Index"),
            2,
            "kind is unknown: artifactindex.dev/v1alpha1 has ArtifactIndex, IndexOptions, "
            "ClusterArtifactIndex and ClusterIndexOptions",
        ),
        (
            "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata:\n  a: 1\n",
            5,
            "data.a is a number in YAML, and must be text: put it in quotes",
        ),
        (
            "apiVersion: v1\nkind: List\nitems:\n- {kind: ArtifactIndex, metadata: {name: a},\n"
            "   apiVersion: artifactindex.dev/v1alpha1}\n",
            4,
            "spec is missing",
        ),
        (
            document(source("anonymous")).partition("spec")[0] + "spec: []",
            6,
            "spec must be an object",
        ),
        (
            document(source("anonymous")) + "  priority: 1\n  priority: 2\n",
            10,
            "spec.priority is given twice: remove one of them",
        ),
        (
            document({"outputs": [{"kind": "Secret", "name": "a", "formats": ["UvToml"] * 2}]},
                     kind="IndexOptions"),
            10,
            "spec.outputs[0].formats must not hold a duplicate; remove one of them",
        ),
        (
            document(source("anonymous")).replace("  namespace", "  lables: {a: b}\n  namespace"),
            5,
            "metadata.lables is no field; did you mean labels?",
        ),
        (document(source("anonymous")) + "spce: {}\n", 9, "spce is no field; did you mean spec?"),
        (
            document(source("anonymous") | {"priority": "1"}),
            9,
            "spec.priority must be a valid integer",
        ),
        (
            document(source("anonymous")) + "kind: ArtifactIndex\n" * 2,
            10,
            "kind is given twice: remove one of them, or put `---` between two objects",
        ),
    ],
)  # fmt: skip
def test_what_is_refused(text: str, line: int, message: str, tmp_path: Path) -> None:
    assert said(tmp_path, text) == (line, "error", "Invalid", message)


def test_objects_without_a_name_do_not_take_it_from_each_other(tmp_path: Path) -> None:
    text = document(source("anonymous")).replace("name: acme", "labels: {}")

    assert {each[3] for each in findings(tmp_path, f"{text}---\n{text}")} == {
        "metadata.name is required"
    }


@pytest.mark.parametrize("refused_one", ["ArtifactIndex", "IndexOptions"])
def test_a_refused_object_hides_what_is_selected(refused_one: str, tmp_path: Path) -> None:
    other = {"ArtifactIndex": "IndexOptions", "IndexOptions": "ArtifactIndex"}[refused_one]
    spec = source("anonymous") if other == "ArtifactIndex" else {}
    text = document({"nope": 1}, refused_one) + "---\n" + document(spec, other)

    assert {each[2] for each in findings(tmp_path, text)} == {"Invalid"}


def test_two_objects_of_one_name(tmp_path: Path) -> None:
    text = document(source("anonymous"))

    line, severity, _, message = said(tmp_path, f"{text}---\n{text}")

    assert (line, severity) == (13, "error")
    assert message.startswith("metadata.name is taken by the ArtifactIndex at ")
    assert message.endswith("a.yaml:4")


@pytest.mark.parametrize(
    "value", ["&a {x: *a}", "!!timestamp 2020-13-45", "!!binary aGk=", "!!set {a}", "{? [a] : b}"]
)
def test_what_is_no_json_is_wrong_usage(
    value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.yaml").write_text(f"{document({})}more: {value}\n")

    assert main(["check", "-f", str(tmp_path)]) == 2
    assert capsys.readouterr().err.endswith("correct it\n")


def test_a_field_may_replace_a_merged_one(tmp_path: Path) -> None:
    first = document(source("anonymous")).replace("spec:", "spec: &base")
    second = document({}, name="b").replace("{}", "\n  <<: *base\n  anonymous: {url: x}\n")
    text = "apiVersion: v1\nkind: List\nitems:\n"
    for each in (first, second):
        lines = each.splitlines()
        text += f"- {lines[0]}\n" + "".join(f"  {line}\n" for line in lines[1:])

    errors = [(each[0], each[3]) for each in findings(tmp_path, text) if each[1] == "error"]
    assert [(line, message[:18]) for line, message in errors] == [(19, "spec.anonymous.url")]


def test_a_null_is_no_value(tmp_path: Path) -> None:
    spec = {**source("anonymous"), "priority": None, "authenticate": None}
    assert findings(tmp_path, document({}, "IndexOptions") + "---\n" + document(spec)) == []


def test_objects_as_kubectl_prints_them(tmp_path: Path) -> None:
    """With a status and what an API server adds; an annotation of ours does no harm."""
    index = yaml.safe_load(document(source("anonymous")))
    index["metadata"] |= {"uid": "u", "resourceVersion": "7", "generation": 3}
    index["metadata"]["annotations"] = {"artifactindex.dev/owner": "x"}
    index["status"] = {"observedGeneration": 3, "conditions": [{"type": "Ready"}], "url": 5}
    text = document({}, "IndexOptions") + "---\n" + yaml.safe_dump(index)

    assert findings(tmp_path, text) == []


def test_a_date_is_text_as_for_kubectl(tmp_path: Path) -> None:
    text = document({}, "IndexOptions").replace("{}", "{maxBuildDuration: 2020-01-01}")
    assert said(tmp_path, text)[3].startswith("spec.maxBuildDuration must be a duration such as")


# -- as the operator


async def test_conditions_are_those_of_the_operator(tmp_path: Path) -> None:
    """Reasons and messages word for word, for indexes that the operator does not serve."""
    specs = {
        "plain": source("anonymous", url="http://open.example/simple/"),
        "taken": {**source("anonymous"), "name": "pypi"},
        "consent": {"codeArtifact": {
            "domain": "acme", "domainOwner": "111122223333", "region": "eu-west-1",
            "repository": "python",
        }},
        "output": source("basicAuth", secretRef={"name": "uv-config"}),
    }  # fmt: skip
    engine = Engine(operator_identity=False)
    text = document({}, "IndexOptions", "uv-config")
    for name, spec in specs.items():
        engine.index(name, spec)
        text += f"---\n{document(spec, name=name)}"
    engine.options({})
    await engine.settle()

    found = await asyncio.to_thread(findings, tmp_path, text)

    conditions = {
        (condition["reason"], condition["message"])
        for name in specs
        for condition in engine.status("artifactindexes", name)["conditions"]
        if condition["type"] == READY
    }
    errors = {(reason, message) for _, severity, reason, message in found if severity == "error"}
    assert len(errors) == 4
    assert errors == conditions


@pytest.mark.parametrize("kind", ["ArtifactIndex", "IndexOptions"])
async def test_what_the_api_server_accepts_gets_the_conditions_of_the_operator(
    kind: str, tmp_path: Path
) -> None:
    """Each index of the table in a file of its own, with the Secrets that the table names."""
    manifests = [
        manifest("Secret", name, {"stringData": SECRETS[known]}) for name, known in NAMED.items()
    ]
    manifests.append(manifest("ServiceAccount", "builder", {}))
    for number, case in enumerate(each for each in ACCEPTED if each.kind == kind):
        name = f"case-{number}"
        manifests.append(manifest(kind, name, {"spec": case.spec}, case=name))
        if kind == "ArtifactIndex":
            options = {"spec": {"indexSelector": {"matchLabels": {"case": name}}}}
            manifests.append(manifest("IndexOptions", name, options))

    operator = await settled(manifests)
    outcome = await asyncio.to_thread(offline, manifests, tmp_path)

    expected, found = conditions_in(operator), conditions_of(outcome, manifests)
    # Offline a Secret or ServiceAccount that is not among the manifests is taken to be right.
    unknown = {
        name
        for (_, name), told in expected.items()
        if any(each[2] in ("SecretNotFound", "ServiceAccountNotFound") for each in told)
    }
    assert len(unknown) <= len(manifests) / 10 and all(expected.values())
    assert {key: told for key, told in found.items() if key[1] not in unknown} == {
        key: told for key, told in expected.items() if key[1] not in unknown
    }


def test_the_settings_of_the_operator_count(tmp_path: Path) -> None:
    text = document({}, "IndexOptions") + "---\n" + document(source("anonymous"))

    assert findings(tmp_path, text) == []
    line, severity, reason, _ = said(tmp_path, text, allowed_hosts=("*.acme.example",))

    assert (line, severity, reason) == (15, "error", "HostNotAllowed")


def test_a_secret_that_is_not_there_is_taken_to_be_right(tmp_path: Path) -> None:
    text = document({}, "IndexOptions") + "---\n" + document(source("basicAuth"))
    secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: basic}\nstringData: {user: a}\n"

    assert findings(tmp_path, text) == []
    assert said(tmp_path, text + secret)[1:3] == ("error", "SecretKeyMissing")


def test_the_examples_are_sound() -> None:
    assert main(["check", "-f", str(EXAMPLES), "-R", "-o", "json"]) == 0


@pytest.mark.parametrize(
    "value",
    [f"!{CANARY}", f"*{CANARY}", f"'{CANARY}", f"%{CANARY}", f"&{CANARY} &x b", f'"{CANARY} "',
     f'"{CANARY}\\n"', f"[{CANARY}]", f"{{{CANARY}: 1}}", f"@{CANARY}", f"!!int {CANARY}"],
)  # fmt: skip
@pytest.mark.parametrize("command", ["check", "render"])
def test_what_is_wrong_with_a_login_does_not_print_it(
    command: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = document({}, "IndexOptions") + "---\n" + document(source("basicAuth"))
    secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: basic, namespace: builders}\n"
    (tmp_path / "a.yaml").write_text(
        f"{text}{secret}stringData:\n  username: builder\n  password: {value}\n"
    )

    main([command, "-f", str(tmp_path)])

    printed = capsys.readouterr()
    assert CANARY not in printed.out + printed.err
