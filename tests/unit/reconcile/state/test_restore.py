"""What a restart restores from the objects that it lists first, and what it does not believe."""

import base64
import json
from collections.abc import Hashable
from dataclasses import replace
from typing import Any

import pytest

from artifact_index.api.constants import (
    CHECKPOINT_ANNOTATION,
    CONTENT_DIGEST_ANNOTATION,
    EXPIRES_AT_ANNOTATION,
    OWNER_ANNOTATION,
)
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.reconcile.cache.objects import parse_output
from artifact_index.reconcile.state.state import State
from support.output_builders import stored
from support.reconcile_builders import (
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
    repository_url,
    resolved,
    source,
    token_state_of,
)
from support.restarts import (
    OWNER,
    Logins,
    bodies_of,
    desired,
    new_endpoints,
    new_manager,
    restore_all,
    restored,
)

pytestmark = pytest.mark.unit

SECRET: dict[str, Any] = {"outputs": [{"kind": "Secret", "name": "s"}]}
CONFIG_MAP: dict[str, Any] = {"outputs": [{"kind": "ConfigMap", "name": "c"}]}
BOTH: dict[str, Any] = {"outputs": SECRET["outputs"] + CONFIG_MAP["outputs"]}


def written(*kinds: str, spec: dict[str, Any] = SECRET) -> list[tuple[str, dict[str, Any]]]:
    plans = plans_from(*(index_state(index(kind.lower(), source(kind))) for kind in kinds))
    return bodies_of(desired(options(spec=spec), plans))


def test_tokens_and_endpoints_are_seeded() -> None:
    ((_, body),) = written("codeArtifact")
    _, logins = restored(("Secret", body))
    login = resolved(inputs_of(index("codeartifact", source("codeArtifact"))))
    assert login.token is not None and login.endpoint is not None

    token = logins.token(login.token)
    assert token is not None and token.token == issued_token()
    endpoint = logins.endpoint(login.endpoint)
    assert endpoint is not None and endpoint.url == repository_url().value.get_secret_value()


def test_the_user_name_of_an_answer_is_restored_with_its_token() -> None:
    record = index("exchanged", source("tokenExchange"))
    held = token_state_of(replace(issued_token(), username="ci"))
    plans = plans_from(index_state(record, token=held))
    ((_, body),) = bodies_of(desired(options(spec=SECRET), plans))
    _, logins = restored(("Secret", body))
    token = logins.token(resolved(inputs_of(record)).token)
    assert token is not None and token.token is not None and token.token.username == "ci"


def edit_file(body: dict[str, Any]) -> None:
    text = base64.b64decode(body["data"]["uv.toml"]).decode().replace("whole", "evil")
    body["data"]["uv.toml"] = base64.b64encode(text.encode()).decode()


def edit_times(body: dict[str, Any]) -> None:
    annotations = body["metadata"]["annotations"]
    content = json.loads(annotations[CHECKPOINT_ANNOTATION])
    for times in content["grants"].values():
        times[1] += 10**6
    annotations[CHECKPOINT_ANNOTATION] = json.dumps(content)


FORGERIES: dict[str, Any] = {
    "the file": edit_file,
    "the times": edit_times,
    "a key more": lambda body: body["data"].update(more="eA=="),
    "the digest": lambda body: body["metadata"]["annotations"].update(
        {CONTENT_DIGEST_ANNOTATION: "x" * 22}
    ),
    "no digest": lambda body: body["metadata"]["annotations"].pop(CONTENT_DIGEST_ANNOTATION),
    "no trace": lambda body: body["metadata"]["annotations"].pop(CHECKPOINT_ANNOTATION),
    "another name": lambda body: body["metadata"].update(name="copy"),
    "another namespace": lambda body: body["metadata"].update(namespace="elsewhere"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_nothing_is_taken_up_from_what_is_not_wholly_ours(forgery: str) -> None:
    ((_, body),) = written("googleArtifactRegistry", "preauthenticated")
    state, _ = restored(("Secret", body))
    assert state.published[OWNER]

    FORGERIES[forgery](body)
    state, logins = restored(("Secret", body))
    assert not any(state.published.values())
    assert not any(state.names.values())
    assert not logins.tokens._entries and not logins.endpoints._entries


def test_another_kind_has_another_digest() -> None:
    ((_, body),) = written("anonymous", spec=CONFIG_MAP)
    state, _ = restored(("Secret", body))
    assert not state.published[OWNER]


def test_another_key_of_the_digests_means_a_fresh_start() -> None:
    ((_, body),) = written("basicAuth")
    state, _ = restored(("Secret", body), digester=Digester(b"x" * 32))
    assert not state.published[OWNER]


@pytest.mark.parametrize("trace", ["[]", "{}", '{"indexes": []}', '{"indexes": {"a": {}}}', "x"])
def test_a_trace_of_another_version_is_ignored(trace: str) -> None:
    ((_, body),) = written("anonymous")
    metadata = body["metadata"]
    metadata["annotations"][CHECKPOINT_ANNOTATION] = trace
    digest = parse_output("Secret", body, DIGESTER).digest
    metadata["annotations"][CONTENT_DIGEST_ANNOTATION] = digest
    state, _ = restored(("Secret", body))
    assert not state.published[OWNER]


def test_annotations_for_people_are_not_believed() -> None:
    ((_, body),) = written("googleArtifactRegistry")
    body["metadata"]["annotations"][EXPIRES_AT_ANNOTATION] = "2099-01-01T00:00:00Z"
    state, _ = restored(("Secret", body))
    (served,) = state.published[OWNER].values()
    assert served.expires_at == NOW + 12 * HOUR


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_secrets_entry_comes_before_a_config_maps(order: tuple[int, int]) -> None:
    bodies = written("basicAuth", spec=BOTH)
    state, _ = restored(*(bodies[n] for n in order))
    (served,) = state.published[OWNER].values()
    assert not served.bare and served.entry.credential is not None


def test_a_config_map_gives_a_bare_entry_without_any_token() -> None:
    state, _ = restored(*written("googleArtifactRegistry", spec=CONFIG_MAP))
    (served,) = state.published[OWNER].values()
    assert served.bare and served.token is None and served.expires_at is None


@pytest.mark.parametrize("order", ["a-b", "b-a"])
def test_an_old_token_is_not_given_the_times_of_its_successor(order: str) -> None:
    # Two indexes share a login; the suspended one still holds the token of yesterday.
    old = token_state_of(issued_token("token-1", life=HOUR))
    new = token_state_of(issued_token("token-2", issued_at=NOW + 1800))
    names = order.split("-")
    kept, fresh = (
        source("googleArtifactRegistry"),
        source("googleArtifactRegistry", repository="other"),
    )
    first = plans_from(index_state(index(names[0], kept), token=old))
    second = plans_from(
        index_state(index(names[0], {**kept, "suspend": True})),
        index_state(index(names[1], fresh), token=new),
        served=published_after(first),
    )
    state, logins = restored(*bodies_of(desired(options(spec=SECRET), second)))

    held = state.published[OWNER]
    assert held[f"uid-of-{names[0]}"].expires_at == NOW + HOUR
    assert held[f"uid-of-{names[1]}"].expires_at == NOW + 1800 + 12 * HOUR
    login = resolved(inputs_of(index(spec=kept)))
    token_state = logins.token(login.token)
    assert token_state is not None and token_state.token == issued_token(
        "token-2", issued_at=NOW + 1800
    )


def test_the_owner_is_told_of_the_withdrawal_of_a_restored_token() -> None:
    reported: list[frozenset[Hashable]] = []
    clock = [float(NOW)]
    tokens = new_manager(lambda: clock[0], reported)
    logins = Logins(tokens, new_endpoints())
    restore_all(written("googleArtifactRegistry"), state=State(), logins=logins)
    reported.clear()
    clock[0] += 12 * HOUR - 155
    tokens._process_due(clock[0])
    assert reported == [frozenset({OWNER})]


def test_names_after_a_start_are_those_of_the_status_and_the_outputs() -> None:
    status = {
        "indexes": [
            # The output was written after this status, so it knows better.
            {"uid": "uid-of-basicauth", "name": "stale"},
            {"uid": "uid-of-blocked", "name": "blocked"},
            {"uid": "uid-of-unnamed"},
        ]
    }
    state, _ = restored(*written("basicAuth", "anonymous"), options=options(status=status))
    assert state.before(OWNER)[1] == {
        "uid-of-basicauth": "basic",
        "uid-of-anonymous": "open",
        "uid-of-blocked": "blocked",
    }


def test_the_owner_of_an_output_is_its_mark_where_there_is_no_reference() -> None:
    made = desired(
        options(spec={**SECRET, "deletionPolicy": "Retain"}), plans_from(index_state(index()))
    )
    body = stored(made[0])
    assert body["metadata"]["annotations"][OWNER_ANNOTATION] == "uv-config"
    assert replace(made[0]).owner is None
