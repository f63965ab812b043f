"""The mistakes of a first day on a real API server: each answer names object, field, next step."""

import uuid
from typing import Any

import pytest
import yaml

from support.control_plane import ControlPlane, ControlPlaneFailed
from support.doc_blocks import Block, blocks_of, pages
from support.first_day import MESSAGES, PATHS, Answer, answers, page_of, says
from support.world import World, in_namespace, open_world

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def found(own_control_plane: ControlPlane, helm: None) -> list[Answer]:
    """On an API server of its own, since the last mistakes delete the definitions."""
    with open_world(own_control_plane) as world:
        return answers(world)


def test_each_answer_names_object_field_and_next_step(found: list[Answer]) -> None:
    silent = [f"{each.title}: {each.text}" for each in found if not says(each.text, each.says)]
    assert not silent, "\n".join(silent)


def manifests(block: Block) -> list[dict[str, Any]]:
    """Whole objects of ours, which the other blocks of YAML are not."""
    found = yaml.safe_load_all(block.text) if block.language == "yaml" else ()
    return [each for each in found if isinstance(each, dict) and each.get("kind") in PATHS]


def test_every_manifest_of_the_pages_is_accepted(world: World) -> None:
    namespace = world.namespace(f"pages-{uuid.uuid4().hex[:8]}")
    blocks = [block for page in pages() if page != MESSAGES for block in blocks_of(page)]
    found = [(block.where, each) for block in blocks for each in manifests(block)]
    assert found
    refused = []
    for where, each in found:
        (body,) = in_namespace(namespace, [each])
        path = f"{PATHS[each['kind']].format(namespace)}?dryRun=All&fieldValidation=Strict"
        try:
            world.plane.write("POST", path, body)
        except ControlPlaneFailed as error:
            refused.append(f"{where}: {error}")
    assert not refused, "\n".join(refused)


def test_the_page_of_messages_is_current(found: list[Answer]) -> None:
    """`PYTHONPATH=operator:tests python -m support.first_day` writes it anew."""
    assert MESSAGES.read_text() == page_of(found)
