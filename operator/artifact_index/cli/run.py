"""`artifact-index run`: run the operator."""

import argparse
import gc
import logging
import signal
import sys
from dataclasses import Field
from typing import Any

from artifact_index.logs import configure_logging, log_exception
from artifact_index.setting_flags import environment_of, flags_of
from artifact_index.settings import SettingError, load_settings, setting_fields


def register(commands: Any) -> None:
    """Add the command to the parser, with one flag per setting."""
    parser = commands.add_parser(
        "run",
        help="run the operator",
        description="Run the operator until SIGTERM. A flag overrides its environment variable, "
        "which is shown in brackets.",
    )
    for setting in setting_fields():
        text = f"{setting.metadata['help']} [{environment_of(setting)}]"
        add_setting_flag(parser, setting, text)
    parser.set_defaults(execute=execute)


def add_setting_flag(parser: Any, setting: Field[Any], help_text: str) -> None:
    """Add the flag of one setting, for `load_settings`."""
    is_switch = isinstance(setting.default, bool)
    parser.add_argument(
        *flags_of(setting),
        dest=setting.name,
        metavar="true|false" if is_switch else "VALUE",
        action="append" if setting.metadata["repeatable"] else "store",
        nargs="?" if is_switch else None,
        const="true" if is_switch else None,
        help=help_text,
    )


def execute(chosen: argparse.Namespace) -> int:
    """Run until SIGTERM; return 2 for an invalid setting, 1 if the operator cannot continue."""
    try:
        settings = load_settings(vars(chosen))
    except SettingError as error:
        print(f"artifact-index run: {error}", file=sys.stderr)  # noqa: T201
        return 2
    configure_logging(log_format=settings.log_format, level=settings.log_level)
    # PID 1 of a container ignores signals without a handler. The event loop replaces this one.
    signal.signal(signal.SIGTERM, _stop_early)
    # Imported modules live until the end: collecting during the imports only delays the start.
    gc.disable()
    # Importing these takes half a second, which the other commands do not need.
    from artifact_index import app, runtime  # noqa: PLC0415
    from artifact_index.health import ListenError  # noqa: PLC0415
    from artifact_index.kube.connect import ConnectError  # noqa: PLC0415
    from artifact_index.kube.server_check import RestoredBackupError  # noqa: PLC0415
    from artifact_index.signing_key import SigningKeyError  # noqa: PLC0415

    gc.enable()
    logger = logging.getLogger("artifact_index")
    try:
        runtime.run(app.run(settings))
        return 0
    except (
        ConnectError, ListenError, RestoredBackupError, SigningKeyError, app.ServerError
    ) as error:  # fmt: skip
        logger.error("%s", error)
    except Exception as error:
        log_exception(logger, error, "the operator exits because of an unexpected error")
    return 1


def _stop_early(*_: object) -> None:
    """Exit on a SIGTERM that arrives before the event loop handles it: nothing has started yet."""
    sys.exit(0)
