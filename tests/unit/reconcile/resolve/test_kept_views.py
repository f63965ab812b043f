"""Files with the same index share its view and place, and never those of another time."""

from dataclasses import replace

import pytest

from artifact_index.credentials.aws.endpoints import EndpointState
from artifact_index.credentials.tokens.token_state import TokenState
from artifact_index.reconcile.cache.objects import IndexObject, ObjectRef
from artifact_index.reconcile.resolve.kept_views import KeptViews
from artifact_index.reconcile.resolve.token_view import IndexState
from artifact_index.reconcile.state.state import State
from artifact_index.sources.resolved import ResolvedSource, login_of
from support.reconcile_builders import (
    DIGESTER,
    HOUR,
    MARGINS,
    NOW,
    facts_of,
    grant,
    index,
    lease_of,
    placed_of,
    source,
    url_state,
)

pytestmark = pytest.mark.unit

ENDPOINT = url_state()
TOKEN = lease_of(grant())


class Scene:
    """An index of CodeArtifact, and what looks at it."""

    def __init__(self) -> None:
        self.kept = KeptViews(MARGINS)
        self.record = index("a", source("codeArtifact"))
        self.login = self.log_in()

    def log_in(self) -> ResolvedSource:
        return login_of(facts_of(self.record), DIGESTER)

    def view(
        self,
        token: TokenState | None = None,
        *,
        record: IndexObject | None = None,
        login: ResolvedSource | None = None,
        endpoint: EndpointState = ENDPOINT,
        max_build: int = 1800,
        now: float = NOW,
    ) -> IndexState:
        login = login or self.login
        return self.kept.view_of(
            record or self.record,
            "scope",
            login,
            token=token or TOKEN,
            token_digest=login.token_digest,
            endpoint=endpoint,
            endpoint_digest=login.endpoint_digest,
            max_build=max_build,
            allow_http=False,
            now=now,
        )


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_view_is_shared_while_all_that_it_was_made_from_stands(scene: Scene) -> None:
    assert scene.view() is scene.view(now=NOW + 60)


def test_another_token_record_login_url_or_build_is_another_view(scene: Scene) -> None:
    first = scene.view()
    others = [
        scene.view(lease_of(grant("token-2"))),
        scene.view(record=replace(scene.record, resource_version=10**6)),
        scene.view(login=scene.log_in()),
        scene.view(endpoint=url_state("https://other.example/pypi/python/")),
        scene.view(max_build=HOUR),
    ]
    assert len({id(one) for one in (first, *others)}) == 6
    assert others[0].credential is not None
    assert others[0].credential.password.get_secret_value() == "token-2"
    assert others[3].url == "https://other.example/pypi/python/simple/"


def test_time_alone_ends_a_view_whose_token_is_withdrawn(scene: Scene) -> None:
    lease = lease_of(grant())
    assert scene.view(lease).problem is None

    later = scene.view(lease, now=NOW + 12 * HOUR - 60)
    dead = scene.view(lease, now=NOW + 12 * HOUR)

    assert later.problem is not None and "was withdrawn" in later.problem.message
    assert dead.problem is not None and "expired" in dead.problem.message


def test_an_awaited_login_is_seen_as_long_as_it_has_been_awaited(scene: Scene) -> None:
    assert scene.view(lease_of(pending_since=NOW)).pending_since == NOW
    assert scene.view(lease_of(pending_since=NOW + 5)).pending_since == NOW + 5


def test_no_more_views_are_kept_than_are_meant_to_be(scene: Scene) -> None:
    first = scene.view()
    for number in range(256):
        scene.view(record=replace(scene.record, ref=ObjectRef("team", f"other-{number}")))

    assert scene.view() is not first


def test_files_share_a_place_also_after_the_status_of_the_index_was_written(scene: Scene) -> None:
    files = [ObjectRef("team", name) for name in ("one", "other")]
    state = State()
    for file in files:
        state.set_plans(file, placed_of(scene.view()))
    written = replace(scene.record, status=b'{"observedGeneration":1}', resource_version=10**6)

    state.keep_record(written, files)

    one, other = (state.plans[file][scene.record.ref] for file in files)
    assert one is other and one.record is written
