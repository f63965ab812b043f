"""Write the page from a run of its own."""

from support.control_plane import ControlPlane
from support.first_day import MESSAGES, answers, page_of
from support.world import open_world

with ControlPlane() as plane, open_world(plane) as world:
    MESSAGES.parent.mkdir(exist_ok=True)
    MESSAGES.write_text(page_of(answers(world)))
