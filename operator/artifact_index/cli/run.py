"""`artifact-index run`: the operator."""

import argparse
import gc
import logging
import signal
import sys
from typing import Any

from artifact_index.logs import configure_logging
from artifact_index.settings import (
    SettingError,
    environment_of,
    flags_of,
    load_settings,
    setting_fields,
)


def register(commands: Any) -> None:
    """Add the command with one flag for each setting."""
    parser = commands.add_parser(
        "run",
        help="run the operator",
        description="Run the operator until SIGTERM. Every flag is also an environment variable.",
    )
    for setting in setting_fields():
        is_switch = isinstance(setting.default, bool)
        parser.add_argument(
            *flags_of(setting),
            dest=setting.name,
            metavar="true|false" if is_switch else "VALUE",
            action="append" if setting.metadata["repeatable"] else "store",
            nargs="?" if is_switch else None,
            const="true" if is_switch else None,
            help=f"{setting.metadata['help']} [{environment_of(setting)}]",
        )
    parser.set_defaults(execute=execute)


def execute(chosen: argparse.Namespace) -> int:
    """Run until the end; 2 for an unusable setting, 1 for an operator that could not go on."""
    try:
        settings = load_settings(vars(chosen))
    except SettingError as error:
        print(f"artifact-index run: {error}", file=sys.stderr)  # noqa: T201
        return 2
    configure_logging(log_format=settings.log_format, level=settings.log_level)
    # A container's first process ignores a signal that it does not handle; the loop takes over.
    signal.signal(signal.SIGTERM, _stop_early)
    # What the imports leave behind lives for ever; collecting meanwhile only costs start-up time.
    gc.disable()
    # Half a second that other commands need not wait.
    from artifact_index import app, runtime  # noqa: PLC0415
    from artifact_index.kube.connect import ConnectError  # noqa: PLC0415
    from artifact_index.kube.errors import ApiError  # noqa: PLC0415
    from artifact_index.signing_key import SigningKeyError  # noqa: PLC0415

    gc.enable()
    logger = logging.getLogger("artifact_index")
    try:
        runtime.run(app.run(settings))
    except (ConnectError, SigningKeyError) as error:
        logger.error("%s", error)
        return 1
    except ApiError as error:
        logger.error("the API server refused what the operator cannot do without: %s", error)
        return 1
    except Exception:
        logger.exception("the operator cannot go on")
        return 1
    return 0


def _stop_early(*_: object) -> None:
    """SIGTERM before the operator listens for it: there is nothing to end yet."""
    sys.exit(0)
