"""What a status says of formats, shared hosts."""

import base64
from dataclasses import replace
from typing import Any

import pytest

from artifact_index.api.base import parse_spec
from artifact_index.api.index_options import IndexOptionsSpec
from artifact_index.credentials.tokens.freshness import Margins
from artifact_index.formats.environment import Environment
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.reconcile.plan.outputs import (
    DesiredOutput,
    claims_of,
    desired_outputs,
    document_of,
)
from artifact_index.reconcile.status.conditions import DesiredCondition
from artifact_index.reconcile.status.notes import format_note, format_problem, shared_host_note
from artifact_index.reconcile.status.options_status import OptionsOutcome, options_status
from support.reconcile_builders import (
    CANARY,
    DIGESTER,
    NOW,
    index,
    index_state,
    options,
    plans_from,
    source,
)

pytestmark = pytest.mark.unit


def basic(url: str, **more: Any) -> dict[str, Any]:
    return {**source("basicAuth", url=url), **more}


def anonymous(url: str, **more: Any) -> dict[str, Any]:
    return {**source("anonymous", url=url), **more}


def plans_of(**specs: dict[str, Any]) -> list[IndexPlan]:
    return plans_from(
        *(index_state(index(name, {"name": name, **spec})) for name, spec in specs.items())
    )


def made_of(plans: list[IndexPlan], *formats: str, **spec: Any) -> tuple[list[DesiredOutput], str]:
    outputs = [{"kind": "Secret", "name": "s", "formats": list(formats)}]
    made, problem = desired_outputs(options(spec={"outputs": outputs, **spec}), plans, DIGESTER)
    return made, problem.message if problem else ""


def conditions(plans: list[IndexPlan], *formats: str, **spec: Any) -> dict[str, dict[str, Any]]:
    outputs = [{"kind": "Secret", "name": "s", "formats": list(formats)}]
    record = options(spec={"outputs": outputs, **spec})
    made, problem = desired_outputs(record, plans, DIGESTER)
    outcome = OptionsOutcome(plans, made, problem or format_problem(made))
    status = options_status(record, outcome, margins=Margins(), now=NOW)
    return {condition["type"]: condition for condition in status["conditions"]}


SHARED = {
    "a": basic("https://shared.example/a/simple/"),
    "b": {**source("codeArtifact", endpoint="https://shared.example/b/"), "publish": True},
}


AT_PORT = {"a": basic("https://shared.example:8443/a/simple/")}


def test_a_login_that_a_format_cannot_hold_is_the_users_to_mend_and_named() -> None:
    found = conditions(plans_of(**SHARED), "UvToml", "Netrc")

    for kind, status in (("Ready", "False"), ("Stalled", "True")):
        assert (found[kind]["status"], found[kind]["reason"]) == (status, "NotExpressible")
        assert "'a', 'b'" in found[kind]["message"] and "shared.example" in found[kind]["message"]
        assert CANARY not in found[kind]["message"]


def test_all_other_formats_are_written_all_the_same() -> None:
    made, problem = made_of(plans_of(**SHARED), "UvToml", "Netrc")

    assert problem == ""
    assert set(made[0].data) == {"uv.toml", "netrc"}
    assert base64.b64decode(made[0].data["netrc"]) == b""
    assert CANARY in base64.b64decode(made[0].data["uv.toml"]).decode()
    assert format_problem(made) is not None


def test_what_pip_and_pdm_cannot_say_is_a_note_that_names_the_indexes() -> None:
    plans = plans_of(
        a=basic("https://a.example/simple/", explicit=True), b=basic("https://b.example/simple/")
    )

    found = conditions(plans, "PipConf", "PdmToml")

    assert found["Ready"]["status"] == "True"
    note = found["FormatLimited"]
    assert note["reason"] == "ExplicitIndexLeftOut"
    for file in ("pip.conf", "config.toml"):
        assert f"{file} leaves out the explicit indexes 'a'" in note["message"]
        assert f"{file} lists 'b', 'pypi'" in note["message"]
    assert format_note(made_of(plans, "UvToml")[0]) is None


def test_a_span_that_pip_and_pdm_cannot_keep_is_a_note() -> None:
    """An exemption is no loss: they have no cut-off."""
    spans = plans_of(a=basic("https://a.example/simple/", excludeNewer="7 days"))
    exempt = plans_of(a=basic("https://a.example/simple/", excludeNewer="false"))

    note = conditions(spans, "PipConf", "PdmToml")["FormatLimited"]
    assert note["reason"] == "CutOffNotKept"
    for file in ("pip.conf", "config.toml"):
        assert f"{file} lists 'a' without the span of excludeNewer" in note["message"]
    assert conditions(exempt, "PipConf")["FormatLimited"]["reason"] == "IndexOrderNotKept"
    assert "FormatLimited" not in conditions(spans, "UvToml")


def test_a_note_that_two_outputs_share_stands_once() -> None:
    plans = plans_of(b=basic("https://b.example/simple/"))
    (made,), _ = made_of(plans, "PipConf")

    note = format_note([made, made])

    assert note is not None and note.message.count("pip.conf") == 1


def test_variables_that_two_indexes_claim_are_a_note() -> None:
    more = source("codeArtifact", domain="other")
    plans = plans_of(b=SHARED["b"], c={**more, "publish": True})

    found = conditions(plans, "Environment")

    message = found["FormatLimited"]["message"]
    assert "TWINE_*" in message and "CODEARTIFACT_AUTH_TOKEN" in message
    assert message.count("'b', 'c'") == 2


def test_an_index_that_is_not_ready_still_claims_its_variables() -> None:
    ready, gone = index("b", SHARED["b"]), index("c", {**source("codeArtifact"), "publish": True})
    plans = plans_from(index_state(ready), index_state(gone, missing=True))

    claims = claims_of(plans)

    assert len(claims.publishers) == 2
    assert claims.domains and [len(names) for names in claims.domains.values()] == [2]


def test_no_variable_takes_the_login_of_an_index_named_like_an_object_that_is_left_out() -> None:
    """The object `acme` is left out, since an older one has its name."""
    left_out = {**source("codeArtifact"), "name": "acme", "whenUnavailable": "Omit"}
    plans = plans_from(
        index_state(index("older", {**source("basicAuth"), "name": "acme"})),
        index_state(index("acme", left_out, created="2026-01-02T00:00:00Z")),
    )
    document = document_of(IndexOptionsSpec(), plans)
    assert [entry.name for entry in document.entries] == ["acme"]

    made = Environment().render_secret(replace(document, claims=claims_of(plans)))

    assert "UV_INDEX_ACME_PASSWORD" in made.files
    assert "CODEARTIFACT_AUTH_TOKEN" not in made.files


@pytest.mark.parametrize("when_unavailable", ["Block", "Omit"])
def test_netrc_never_reads_with_the_login_for_uploads(when_unavailable: str) -> None:
    """Not while the login of the index that reads the URL is missing, either."""
    reader = {**basic("https://h.example/simple"), "whenUnavailable": when_unavailable}
    publishing = source(
        "basicAuth", url="https://h.example/simple/", publishURL="https://h.example/up/"
    )
    uploader = {**publishing, "explicit": True, "publish": True}
    plans = plans_from(
        index_state(index("reader", {**reader, "name": "reader"}), missing=True),
        index_state(
            index("uploader", {**uploader, "name": "uploader"}),
            values={"username": "u", "password": CANARY},
        ),
    )

    made, _ = made_of(plans, "Netrc")

    comment = b"# reader: unavailable\n" if when_unavailable == "Block" else b""
    assert base64.b64decode(made[0].data["netrc"]) == comment
    (limit,) = made[0].limits
    assert "'uploader'" in limit.message and "'reader'" in limit.message


# -- indexes that share a host


@pytest.mark.parametrize(
    ("specs", "public", "named"),
    [
        ({"a": SHARED["a"], "o": anonymous("https://shared.example/o/simple/")}, None, "'o'"),
        ({"a": SHARED["a"]}, "https://shared.example/pypi/simple/", "'pypi'"),
        ({"a": SHARED["a"], "o": anonymous("https://other.example/o/simple/")}, None, None),
        ({"a": SHARED["a"], "o": anonymous("https://SHARED.example:443/o/")}, None, "'o'"),
        ({"a": SHARED["a"], "o": anonymous("https://shared.example:8443/o/")}, None, None),
        ({"a": SHARED["a"]}, "https://shared.example:8443/pypi/simple/", None),
        (AT_PORT | {"o": anonymous("https://shared.example:8443/o/")}, None, "'o'"),
        (AT_PORT | {"o": anonymous("https://shared.example:9443/o/")}, None, None),
        (AT_PORT | {"o": anonymous("https://shared.example/o/")}, None, None),
        ({"o": anonymous("https://shared.example/o/simple/")}, "https://shared.example/p/", None),
        (SHARED, None, None),
    ],
)
def test_an_index_without_a_login_beside_one_with_a_login_is_noted(
    specs: dict[str, dict[str, Any]], public: str | None, named: str | None
) -> None:
    spec = parse_spec(IndexOptionsSpec, {"publicIndex": {"url": public} if public else {}})

    note = shared_host_note(spec, plans_of(**specs))

    assert (note is None) == (named is None)
    assert note is None or ((named or "") in note.message and "shared.example" in note.message)


def test_the_port_of_a_preauthenticated_url_counts_although_it_is_not_shown() -> None:
    spec = parse_spec(IndexOptionsSpec, {})
    values = {"url": f"https://u:{CANARY}@whole.example:8443/a/simple/"}
    login = index_state(index("a", source("preauthenticated")), values=values)
    for port, noted in ((8443, True), (9443, False), (443, False)):
        beside = index_state(index("o", anonymous(f"https://whole.example:{port}/o/")))
        assert (shared_host_note(spec, plans_from(login, beside)) is not None) is noted


AZURE_ORG = "https://pkgs.dev.azure.com/org"
AZURE = f"{AZURE_ORG}/alpha/_packaging"
GUID = "0f9d2a4c-6a1b-4c3d-8e5f-0123456789AB"
GITLAB = "https://gitlab.example/sub/api/v4"


@pytest.mark.parametrize(
    ("url", "elsewhere"),
    [
        (f"{AZURE}/feed%20one/pypi/simple/", True),
        (f"{AZURE}/feed@Release/pypi/simple/", True),
        (f"{AZURE}/{GUID}@Release/pypi/simple/", True),
        (f"{AZURE}/{GUID}x/pypi/simple/", True),
        (f"{AZURE}/{GUID}/pypi/simple/", True),  # the project is named
        (f"{AZURE_ORG}/{GUID}/_packaging/feed/pypi/simple/", True),
        (f"{AZURE_ORG}/{GUID}/_packaging/{GUID}/pypi/simple/", False),
        (f"{AZURE_ORG}/{GUID}/_packaging/{GUID}@{GUID}/pypi/simple/", False),
        (f"{AZURE_ORG}/_packaging/{GUID}/pypi/simple/", False),
        (f"https://org.pkgs.visualstudio.com/alpha/_packaging/{GUID}/pypi/simple", True),
        (f"https://org.pkgs.visualstudio.com/{GUID}/_packaging/{GUID}/pypi/simple", False),
        (f"https://org.pkgs.visualstudio.com/_packaging/{GUID}/pypi/simple", False),
        ("https://org.pkgs.visualstudio.com/_packaging/feed/pypi/simple", True),
        ("https://tfs.example:8443/tfs/Main/_packaging/feed/pypi/simple", True),
        (f"{GITLAB}/groups/acme%2Fplatform/-/packages/pypi/simple", True),
        (f"{GITLAB}/groups/41b/-/packages/pypi/simple/", True),
        (f"{GITLAB}/projects/acme%2Flib/packages/pypi/simple/", True),
        (f"{GITLAB}/groups/41/-/packages/pypi/simple/", False),
        (f"{GITLAB}/projects/7/packages/pypi/simple", False),
        ("https://nexus.example/repository/_packaging/simple/", False),
        ("https://acme.jfrog.io/artifactory/api/pypi/python/simple", False),
    ],
)
def test_files_that_are_not_below_the_url_are_noted_beside_another_login(
    url: str, elsewhere: bool
) -> None:
    host = url.split("/")[2]
    beside = basic(f"https://{host}/other/simple/", secretRef={"name": "other"})
    states = {
        "one": index_state(index("one", {**basic(url), "name": "one"})),
        "same": index_state(index("same", {**beside, "name": "same"})),
        "other": index_state(
            index("other", {**beside, "name": "other"}), values={"username": "u", "password": "p"}
        ),
        "away": index_state(
            index("away", {**basic("https://away.example/simple/"), "name": "away"}),
            values={"username": "u", "password": "p"},
        ),
    }

    def note(*names: str) -> DesiredCondition | None:
        spec = parse_spec(IndexOptionsSpec, {})
        return shared_host_note(spec, plans_from(*(states[name] for name in names)))

    assert note("one") == note("one", "same") == note("one", "away") == note("other", "same")
    found = note("one", "other", "away")
    assert (found is not None) is elsewhere
    if found is not None:
        assert (found.type, found.reason) == ("HostShared", "FilesOutsideIndex")
        assert f"host '{host}'" in found.message
        assert "the files of ArtifactIndex 'one' are" in found.message
        assert "GUID" in found.message and "spec.basicAuth.url" in found.message
        assert "'other'" not in found.message and CANARY not in found.message


def test_a_page_of_links_is_noted_beside_another_login() -> None:
    """pip and uv know no place below it for which its login is."""
    page = basic("https://cpu.example/wheels/cpu.html", format="flat")
    other = source("basicAuth", url="https://cpu.example/team/simple/", username="else")
    public = parse_spec(IndexOptionsSpec, {"publicIndex": {"enabled": False}})

    assert shared_host_note(public, plans_of(one=page)) is None
    same = basic("https://cpu.example/team/simple/")
    assert shared_host_note(public, plans_of(one=page, two=same)) is None
    away = source("basicAuth", url="https://away.example/simple/", username="else")
    assert shared_host_note(public, plans_of(one=page, two=away)) is None
    found = shared_host_note(public, plans_of(one=page, two=other))
    assert found is not None and found.reason == "FilesOutsideIndex"
    assert "ArtifactIndex 'one' is a page of links" in found.message
    assert "GUID" not in found.message and "'two'" not in found.message


def test_both_notes_of_a_host_stand_in_one_condition() -> None:
    spec = parse_spec(IndexOptionsSpec, {"publicIndex": {"url": f"{GITLAB}/x/simple/"}})
    one = basic(f"{GITLAB}/groups/a%2Fb/-/packages/pypi/simple", username="else", name="one")
    preauthenticated = index_state(
        index("two", {**source("preauthenticated"), "name": "two"}),
        values={"url": f"https://u:{CANARY}@gitlab.example/sub/api/v4/projects/a%2Fb/packages/"
                       "pypi/simple/"},
    )  # fmt: skip
    found = shared_host_note(spec, plans_from(index_state(index("one", one)), preauthenticated))

    assert found is not None and found.reason == "FilesOutsideIndex"
    assert "host 'gitlab.example' have different logins" in found.message
    assert "ArtifactIndex 'one', 'two' are" in found.message
    assert "'pypi' has no login" in found.message and CANARY not in found.message


# -- keys


def test_the_status_lists_no_more_keys_than_its_schema_takes() -> None:
    index_states = [
        index_state(index(f"i{n}", {**basic(f"https://h{n}.example/simple/"), "name": f"i{n}"}))
        for n in range(700)
    ]
    record = options(
        spec={"outputs": [{"kind": "Secret", "name": "s", "formats": ["Environment"]}]}
    )
    plans = plans_from(*index_states)
    made, problem = desired_outputs(record, plans, DIGESTER)
    assert problem is None and len(made[0].data) == 2801

    outcome = OptionsOutcome(plans, made, None)
    status = options_status(record, outcome, margins=Margins(), now=NOW)

    assert len(status["outputs"][0]["keys"]) == 2048
