"""What a status says of formats, shared hosts and shadowed indexes; sizes; who needs a token."""

import base64
from typing import Any

import pytest

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.base import parse_spec
from artifact_index.api.index_options import IndexOptionsSpec
from artifact_index.credentials.tokens.freshness import Margins
from artifact_index.formats.registry import claims_of, login_formats, needs_login
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.reconcile.plan.outputs import (
    LARGEST_ENVIRONMENT,
    LARGEST_OUTPUT,
    DesiredOutput,
    desired_outputs,
)
from artifact_index.reconcile.status.notes import format_note, format_problem, shared_host_note
from artifact_index.reconcile.status.options_status import OptionsOutcome, options_status
from support.reconcile_builders import (
    CANARY,
    DIGESTER,
    NOW,
    index,
    options,
    placed_of,
    served_after,
    source,
    view,
)

pytestmark = pytest.mark.unit


def basic(url: str, **more: Any) -> dict[str, Any]:
    return {**source("basicAuth", url=url), **more}


def anonymous(url: str, **more: Any) -> dict[str, Any]:
    return {**source("anonymous", url=url), **more}


def placed(**specs: dict[str, Any]) -> list[IndexPlan]:
    return placed_of(*(view(index(name, {"name": name, **spec})) for name, spec in specs.items()))


def made_of(places: list[IndexPlan], *formats: str, **spec: Any) -> tuple[list[DesiredOutput], str]:
    outputs = [{"kind": "Secret", "name": "s", "formats": list(formats)}]
    made, problem = desired_outputs(options(spec={"outputs": outputs, **spec}), places, DIGESTER)
    return made, problem.message if problem else ""


def conditions(places: list[IndexPlan], *formats: str, **spec: Any) -> dict[str, dict[str, Any]]:
    outputs = [{"kind": "Secret", "name": "s", "formats": list(formats)}]
    record = options(spec={"outputs": outputs, **spec})
    made, problem = desired_outputs(record, places, DIGESTER)
    outcome = OptionsOutcome(places, made, problem or format_problem(made))
    status = options_status(record, outcome, margins=Margins(), now=NOW)
    return {one["type"]: one for one in status["conditions"]}


SHARED = {
    "a": basic("https://shared.example/a/simple/"),
    "b": {**source("codeArtifact", endpoint="https://shared.example/b/"), "publish": True},
}


def test_a_login_that_a_format_cannot_hold_is_the_users_to_mend_and_named() -> None:
    found = conditions(placed(**SHARED), "UvToml", "Netrc")

    for kind, status in (("Ready", "False"), ("Stalled", "True")):
        assert (found[kind]["status"], found[kind]["reason"]) == (status, "NotExpressible")
        assert "'a', 'b'" in found[kind]["message"] and "shared.example" in found[kind]["message"]
        assert CANARY not in found[kind]["message"]


def test_all_other_formats_are_written_all_the_same() -> None:
    made, problem = made_of(placed(**SHARED), "UvToml", "Netrc")

    assert problem == ""
    assert set(made[0].data) == {"uv.toml", "netrc"}
    assert base64.b64decode(made[0].data["netrc"]) == b""
    assert CANARY in base64.b64decode(made[0].data["uv.toml"]).decode()
    assert format_problem(made) is not None


def test_what_pip_and_pdm_cannot_say_is_a_note_that_names_the_indexes() -> None:
    places = placed(
        a=basic("https://a.example/simple/", explicit=True), b=basic("https://b.example/simple/")
    )

    found = conditions(places, "PipConf", "PdmToml")

    assert found["Ready"]["status"] == "True"
    note = found["FormatLimited"]
    assert note["reason"] == "ExplicitIndexLeftOut"
    for file in ("pip.conf", "config.toml"):
        assert f"{file} leaves out the explicit indexes 'a'" in note["message"]
        assert f"{file} lists 'b', 'pypi'" in note["message"]
    assert format_note(made_of(places, "UvToml")[0]) is None


def test_a_note_that_two_outputs_share_stands_once() -> None:
    places = placed(b=basic("https://b.example/simple/"))
    (made,), _ = made_of(places, "PipConf")

    note = format_note([made, made])

    assert note is not None and note.message.count("pip.conf") == 1


def test_variables_that_two_indexes_claim_are_a_note() -> None:
    more = source("codeArtifact", domain="other")
    places = placed(b=SHARED["b"], c={**more, "publish": True})

    found = conditions(places, "Environment")

    message = found["FormatLimited"]["message"]
    assert "TWINE_*" in message and "CODEARTIFACT_AUTH_TOKEN" in message
    assert message.count("'b', 'c'") == 2


def test_an_index_that_is_not_ready_still_claims_its_variables() -> None:
    ready, gone = index("b", SHARED["b"]), index("c", {**source("codeArtifact"), "publish": True})
    places = placed_of(view(ready), view(gone, missing=True))

    claims = claims_of(places)

    assert len(claims.publishers) == 2
    assert claims.domains and [len(names) for names in claims.domains.values()] == [2]


# -- indexes that share a host


@pytest.mark.parametrize(
    ("specs", "public", "named"),
    [
        ({"a": SHARED["a"], "o": anonymous("https://shared.example/o/simple/")}, None, "'o'"),
        ({"a": SHARED["a"]}, "https://shared.example/pypi/simple/", "'pypi'"),
        ({"a": SHARED["a"], "o": anonymous("https://other.example/o/simple/")}, None, None),
        ({"o": anonymous("https://shared.example/o/simple/")}, "https://shared.example/p/", None),
        (SHARED, None, None),
    ],
)
def test_an_index_without_a_login_beside_one_with_a_login_is_noted(
    specs: dict[str, dict[str, Any]], public: str | None, named: str | None
) -> None:
    spec = parse_spec(IndexOptionsSpec, {"publicIndex": {"url": public} if public else {}})

    note = shared_host_note(spec, placed(**specs))

    assert (note is None) == (named is None)
    assert note is None or ((named or "") in note.message and "shared.example" in note.message)


# -- indexes above their siblings


@pytest.mark.parametrize(
    ("root", "sibling", "refused"),
    [
        ("https://h.example/simple/", "https://h.example/b/simple/", True),
        ("https://h.example/", "https://h.example/b/simple/", True),
        ("https://h.example", "https://H.example/b/+simple", True),
        ("https://h.example/team/simple", "https://h.example/team/b/simple/", True),
        ("https://h.example/team/simple/", "https://h.example/teams/simple/", False),
        ("https://h.example/simple/", "https://h.example:8443/b/simple/", False),
        ("https://h.example/simple/", "https://other.example/b/simple/", False),
        ("https://h.example/b/simple/", "https://h.example/b/simple/", False),
    ],
)
def test_a_login_above_a_sibling_is_refused(root: str, sibling: str, refused: bool) -> None:
    specs = {"root": basic(root), "sibling": anonymous(sibling)}

    places = {one.record.ref.name: one for one in placed(**specs)}

    assert places["sibling"].ready
    problem = places["root"].problem
    assert (problem is not None) == refused
    if problem is not None:
        assert problem.reason == "ShadowsSiblings" and "'sibling'" in problem.message
        assert problem.stalled
        assert places["root"].entry is not None and places["root"].entry.blocked


def test_each_login_names_all_that_is_below_it_and_nothing_beside_it() -> None:
    paths = {"top": "", "a": "a/", "ab": "ab/", "a-b": "a/b/", "a-b-c": "a/b/c/", "a-bc": "a/bc/"}
    specs = {name: basic(f"https://h.example/{path}simple/") for name, path in paths.items()}
    specs["elsewhere"] = basic("https://other.example/a/simple/")

    problems = {one.record.ref.name: one.problem for one in placed(**specs)}

    refused = {name for name, problem in problems.items() if problem is not None}
    assert refused == {"top", "a", "a-b"}
    for name, below in (
        ("top", "'a', 'a-b', 'a-b-c' and 2 more"),
        ("a", "ArtifactIndex 'a-b', 'a-b-c', 'a-bc' in"),
        ("a-b", "ArtifactIndex 'a-b-c' in"),
    ):
        problem = problems[name]
        assert problem is not None and below in problem.message


def test_an_index_without_a_login_may_stand_above_others() -> None:
    specs = {
        "root": anonymous("https://h.example/simple/"),
        "sibling": basic("https://h.example/b/simple/"),
    }

    assert all(one.ready for one in placed(**specs))


def test_a_login_that_was_served_leaves_the_file_when_a_sibling_comes() -> None:
    alone = view(index("root", basic("https://h.example/simple/")))
    before = placed_of(alone)
    beside = view(index("sibling", anonymous("https://h.example/b/simple/")))

    after = placed_of(alone, beside, served=served_after(before))

    (root,) = [one for one in after if one.record.ref.name == "root"]
    assert root.served is None and root.entry is not None and root.entry.blocked


def test_alone_on_its_host_it_is_served() -> None:
    assert all(one.ready for one in placed(root=basic("https://h.example/simple/")))


# -- sizes


def test_too_large_an_output_is_refused_with_the_size_of_each_file() -> None:
    password = "x" * 16_000
    specs = {f"i{n}": basic(f"https://h{n}.example/simple/") for n in range(40)}
    views = [
        view(index(name, spec), values={"username": "u", "password": password})
        for name, spec in specs.items()
    ]

    made, problem = made_of(placed_of(*views), "UvToml", "Netrc")

    assert made == []
    assert str(LARGEST_OUTPUT) in problem and "uv.toml 6" in problem and "netrc 6" in problem


@pytest.mark.parametrize(("count", "fits"), [(15, True), (17, False)])
def test_variables_end_at_256_kib(count: int, fits: bool) -> None:
    """Each login stands there twice: for uv and for Poetry."""
    password = "x" * 8_000
    views = [
        view(
            index(f"i{n}", basic(f"https://h{n}.example/simple/")),
            values={"username": "u", "password": password},
        )
        for n in range(count)
    ]

    made, problem = made_of(placed_of(*views), "Environment")

    assert bool(made) == fits
    assert fits or (str(LARGEST_ENVIRONMENT) in problem and "variables" in problem)


def test_the_status_lists_no_more_keys_than_its_schema_takes() -> None:
    views = [
        view(index(f"i{n}", {**basic(f"https://h{n}.example/simple/"), "name": f"i{n}"}))
        for n in range(700)
    ]
    record = options(
        spec={"outputs": [{"kind": "Secret", "name": "s", "formats": ["Environment"]}]}
    )
    places = placed_of(*views)
    made, problem = desired_outputs(record, places, DIGESTER)
    assert problem is None and len(made[0].data) == 2800

    outcome = OptionsOutcome(places, made, None)
    status = options_status(record, outcome, margins=Margins(), now=NOW)

    assert len(status["outputs"][0]["keys"]) == 2048


# -- who needs a token


@pytest.mark.parametrize(
    ("kind", "formats", "index_spec", "needed"),
    [
        ("Secret", ["UvToml"], {}, True),
        ("Secret", ["Environment"], {"explicit": True}, True),
        ("Secret", ["PipConf", "PdmToml"], {}, True),
        ("Secret", ["PipConf", "PdmToml"], {"explicit": True}, False),
        ("Secret", ["Pypirc"], {}, False),
        ("Secret", ["Pypirc"], {"publish": True}, True),
        ("ConfigMap", ["UvToml", "PipConf"], {}, False),
    ],
)
def test_a_token_is_minted_only_for_an_output_that_holds_it(
    kind: str, formats: list[str], index_spec: dict[str, Any], needed: bool
) -> None:
    output = {"kind": kind, "name": "o", "formats": formats}
    spec = parse_spec(IndexOptionsSpec, {"outputs": [output]})
    minted = parse_spec(ArtifactIndexSpec, {**source("codeArtifact"), **index_spec})

    assert needs_login(login_formats(spec, "uv-config"), minted) == needed
