"""A restart over outputs of every format: what is there is taken up, and nothing is written."""

import base64
from typing import Any

import pytest

from artifact_index.api.constants import CHECKPOINT_ANNOTATION
from artifact_index.reconcile.cache.objects import IndexObject, parse_output
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.reconcile.plan.outputs import DesiredOutput, desired_outputs
from artifact_index.reconcile.state.state import State
from support.output_builders import stored
from support.reconcile_builders import (
    CANARY,
    DIGESTER,
    HOUR,
    NOW,
    index,
    index_state,
    inputs_of,
    issued_token,
    options,
    plans_from,
    published_after,
    resolved,
    source,
    token_state_of,
    url_state,
)
from support.restarts import OWNER, Logins, bodies_of, restored

pytestmark = pytest.mark.unit

FILES = ["UvToml", "Netrc", "PipConf", "Pypirc", "PdmToml"]


def _secret(*formats: str, name: str = "s") -> dict[str, Any]:
    return {"kind": "Secret", "name": name, "formats": list(formats)}


OUTPUTS: dict[str, list[dict[str, Any]]] = {
    **{each: [_secret(each)] for each in (*FILES, "Environment")},
    "files without uv.toml": [_secret(*FILES[1:])],
    "all files": [_secret(*FILES)],
    "everything": [
        _secret(*FILES, name="a"),
        _secret("Environment", name="e"),
        {"kind": "ConfigMap", "name": "c", "formats": ["UvToml", "PipConf", "Pypirc", "PdmToml"]},
    ],
    "variables beside public files": [
        {"kind": "ConfigMap", "name": "c", "formats": ["UvToml"]},
        _secret("Environment"),
    ],
    "public pip.conf": [{"kind": "ConfigMap", "name": "c", "formats": ["PipConf"]}],
}
PUBLISH = {"publish": True}
SPECS: dict[str, dict[str, Any]] = {
    "aws": {**source("codeArtifact"), **PUBLISH, "name": "aws"},
    "google": {**source("googleArtifactRegistry"), **PUBLISH, "name": "google"},
    "basic": {
        **source("basicAuth", publishURL="https://basic.example/upload/"),
        **PUBLISH,
        "name": "basic",
        "authenticate": "auto",
        "ignoreErrorCodes": [404],
    },
    "upload": {
        **source("basicAuth", username="uploader", publishURL="https://basic.example/upload/"),
        **PUBLISH,
        "name": "upload",
        "explicit": True,
    },
    "pinned": {**source("codeArtifact"), **PUBLISH, "name": "pinned", "explicit": True},
    "open": {**source("anonymous"), "name": "open"},
    "whole": {**source("preauthenticated"), "name": "whole"},
    "page": {**source("basicAuth"), "name": "page", "format": "flat"},
    "old": {**source("codeArtifact"), **PUBLISH, "name": "old", "excludeNewer": "7 days"},
    "exempt": {**source("anonymous"), "name": "exempt", "excludeNewer": "false"},
}
SPECS["basic"]["basicAuth"]["url"] = "https://basic.example/team/simple/"
SPECS["page"]["basicAuth"]["url"] = "https://page.example/wheels/cpu.html"
for each in ("basic", "upload"):
    SPECS[each]["basicAuth"]["url"] = "https://basic.example/team/simple/"


def placed_after(
    state: State, logins: Logins, records: list[IndexObject], formats: list[dict[str, Any]]
) -> list[IndexPlan]:
    """The places of a first pass after the start: only seeded logins have an answer."""
    index_states = []
    for record in records:
        login = resolved(inputs_of(record))
        index_states.append(
            index_state(
                record,
                token=logins.token(login.token) or token_state_of(pending_since=NOW),
                endpoint=logins.endpoint(login.endpoint) or url_state(pending_since=NOW),
                with_credentials=_with_credentials(formats),
            )
        )
    names = {record.uid: record.ref.name for record in records}
    return plans_from(
        *index_states, served=state.published[OWNER], assigned=names,
        with_credentials=_with_credentials(formats),
    )  # fmt: skip


def _with_credentials(formats: list[dict[str, Any]]) -> bool:
    return any(item["kind"] == "Secret" for item in formats)


def first_pass(
    formats: list[dict[str, Any]], specs: dict[str, dict[str, Any]], token: str = "token-1"
) -> tuple[list[DesiredOutput], list[IndexObject]]:
    records = [index(name, spec) for name, spec in specs.items()]
    index_states = [
        index_state(
            record,
            token=token_state_of(issued_token(token)),
            endpoint=url_state(),
            with_credentials=_with_credentials(formats),
        )
        for record in records
    ]
    names = {record.uid: record.ref.name for record in records}
    plans = plans_from(*index_states, assigned=names, with_credentials=_with_credentials(formats))
    made, problem = desired_outputs(options(spec={"outputs": formats}), plans, DIGESTER)
    assert problem is None
    return made, records


@pytest.mark.parametrize("outputs", OUTPUTS)
@pytest.mark.parametrize("only", [*SPECS, None])
def test_a_restart_writes_and_mints_nothing(outputs: str, only: str | None) -> None:
    """Not for what a format leaves out: an explicit index of pip needs no token there."""
    specs = {name: spec for name, spec in SPECS.items() if only in (name, None)}
    kept = {each for output in OUTPUTS[outputs] for each in output["formats"]}
    if kept == {"PipConf"}:
        specs.pop("pinned", None)
    made, records = first_pass(OUTPUTS[outputs], specs)

    state, logins = restored(*bodies_of(made))
    plans = placed_after(state, logins, records, OUTPUTS[outputs])
    again, problem = desired_outputs(options(spec={"outputs": OUTPUTS[outputs]}), plans, DIGESTER)

    assert problem is None
    for one, other in zip(made, again, strict=True):
        assert other.is_met_by(parse_output(one.ref.kind, stored(one), DIGESTER))


@pytest.mark.parametrize("format_", [*FILES, "Environment"])
def test_no_secret_is_in_what_a_restart_reads_beside_the_data(format_: str) -> None:
    made, _ = first_pass([_secret(format_)], SPECS)

    for item in made:
        said = item.annotations[CHECKPOINT_ANNOTATION]
        assert "token-1" not in said and CANARY not in said
        assert "/a/simple" not in said  # of the preauthenticated URL, not even the path
    data = "".join(base64.b64decode(item).decode() for item in made[0].data.values())
    assert "token-1" in data


def test_of_two_outputs_the_newer_token_is_taken_up() -> None:
    """A crash between two writes leaves an older token in one of them."""
    formats = [_secret("Environment", name="e"), _secret("Netrc", name="n")]
    specs = {"aws": SPECS["aws"]}
    old, records = first_pass(formats, specs)
    index_states = [
        index_state(records[0], token=token_state_of(issued_token("token-2", issued_at=NOW + HOUR)))
    ]
    new, problem = desired_outputs(
        options(spec={"outputs": formats}), plans_from(*index_states, now=NOW + HOUR), DIGESTER
    )
    assert problem is None

    for made in ([new[0], old[1]], [old[0], new[1]]):
        state, _ = restored(*bodies_of(made))
        (served,) = state.published[OWNER].values()
        assert served.entry.credential is not None
        assert served.entry.credential.password.get_secret_value() == "token-2"


@pytest.mark.parametrize("format_", ["Environment", "Netrc", "PipConf", "PdmToml"])
@pytest.mark.parametrize("kind", ["aws", "google", "basic"])
def test_a_suspended_index_keeps_its_login_through_a_restart(format_: str, kind: str) -> None:
    formats = [_secret(format_)]
    made, records = first_pass(formats, {kind: SPECS[kind]})
    state, _ = restored(*bodies_of(made))

    suspended = index(kind, {**SPECS[kind], "suspend": True})
    plans = plans_from(
        index_state(suspended), served=state.published[OWNER], assigned={records[0].uid: kind}
    )
    again, _ = desired_outputs(options(spec={"outputs": formats}), plans, DIGESTER)

    assert again[0].data == made[0].data
    assert published_after(plans).keys() == {records[0].uid}
