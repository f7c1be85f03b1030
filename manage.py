#!/usr/bin/env python
"""Runs one of the site's commands, with the embedded database up for as long as the command needs it.

People and the supervisor call it. A command joins a running server, or has its own for the duration.
"""

import os
import sys
from contextlib import AbstractContextManager, nullcontext

from django.core.exceptions import ImproperlyConfigured

from engine_site.embedded_postgres import EmbeddedPostgres
from engine_site.environment import CannotStart, Environment, read_environment
from engine_site.launch import launch

WITHOUT_DATABASE = {"up", "help", "--help", "-h", "version", "--version", "check", "collectstatic"}


def database_for(arguments: list[str], environment: Environment) -> AbstractContextManager[None]:
    """Return what keeps a database up around the command, if it is one that needs any."""
    command = arguments[1] if len(arguments) > 1 else "help"
    if (command in WITHOUT_DATABASE and "--database" not in arguments) or {"-h", "--help"} & set(arguments):
        return nullcontext()
    if not environment.uses_embedded_database or environment.role != "command":
        return nullcontext()
    return EmbeddedPostgres(environment.data).borrowed()


def main() -> None:
    """Run the command that the arguments name; settings that cannot be used end it with one clear message."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "engine_site.settings")
    try:
        environment = read_environment()
        if sys.argv[1:] == ["up"]:
            return launch(environment)
        with database_for(sys.argv, environment):
            from django.core.management import execute_from_command_line

            execute_from_command_line(sys.argv)
    except (CannotStart, ImproperlyConfigured) as error:
        print(error, file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
