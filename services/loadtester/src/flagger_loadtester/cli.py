"""The command line: upstream's flags and ours, and a variable ``LOADTESTER_{FLAG}`` for each."""

import logging
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, Final

import click

from flagger_common import flags, logs, version

from .policy import document, file
from .settings import Settings

logger = logging.getLogger(__name__)

SERVICE: Final = "LOADTESTER"


class _Policy(click.ParamType[str]):
    """The path of a policy file that can be used; empty is none."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the path if the policy is good."""
        if value:
            try:
                file.PolicyFile(pathlib.Path(value))
            except document.PolicyError as error:
                self.fail(str(error), param, ctx)
        return str(value)


def _flag(name: str, kind: Any, text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    default = getattr(Settings, name.replace("-", "_"))
    return flags.option(SERVICE, name, default, kind, text)


@click.command("loadtester", context_settings=dict(flags.CONTEXT))
@_flag("port", click.IntRange(1, 65535), "Port to listen on.")
@_flag("log-level", str, "Log level: debug, info, warn, error, fatal or panic.")
@_flag("timeout", flags.Duration(), "Limit of one task, say 1h or 1m30s.")
@_flag("namespace-regexp", flags.NamespaceExpression(), "Namespaces to serve; empty means all.")
@_flag("zap-encoding", click.Choice(logs.ENCODINGS), "Log encoding.")
@_flag("zap-replace-globals", bool, "Accepted and ignored.")
@_flag("address", str, "Address to listen on; empty means all interfaces.")
@_flag("namespace-anchored", bool, "Whether the expression must match the whole namespace.")
@_flag("threads", click.IntRange(2, 4096), "Requests handled at the same time.")
@_flag("max-background", click.IntRange(0), "Tasks running in the background at the same time.")
@_flag("max-output", click.IntRange(1024), "Bytes of output kept per task.")
@_flag("max-body", click.IntRange(1024), "Largest request body in bytes.")
@_flag("shutdown-timeout", flags.Duration(), "How long blocking tasks may go on after SIGTERM.")
@_flag("queue-size", click.IntRange(0), "Background tasks that may wait for a place.")
@_flag("max-per-namespace", click.IntRange(0), "Tasks of a namespace at once; 0 is no limit.")
@_flag("history", click.IntRange(0), "Ended tasks that the API remembers.")
@_flag("compat", bool, "Run commands as upstream does: anything, in a shell.")
@_flag("allowed-commands", str, "Programs that may run, with commas between them.")
@_flag("files", str, "Files and directories that programs may read, with commas.")
@_flag("policy-file", _Policy(), "YAML file with rules by namespace.")
@_flag("allow-shell", bool, "Allow a shell to the namespaces that the policy file names.")
@_flag("max-duration", flags.Duration(), "Longest load test; 0 means -timeout.")
@_flag("max-concurrency", click.IntRange(1), "Most workers of a load test.")
@_flag("max-requests", click.IntRange(0), "Most requests of a load test; 0 means any number.")
@_flag("own-namespace", str, "Namespace of this process; empty means that of POD_NAMESPACE.")
@_flag("auth-token-file", str, "File of tokens, one a line, that callers have to show.")
@_flag("auth-hmac-key-file", str, "File with the key that callers sign payloads with.")
@_flag("verify-canary", bool, "Run only what a webhook of the named Canary lists.")
@_flag("kube-api", flags.Url(), "API server with the Canaries; empty means that of the pod.")
@_flag("kube-token-file", str, "Its token.")
@_flag("kube-ca-file", str, "Who signs its certificate; empty means whom the system trusts.")
@_flag("locust-master", str, "Locust master that runs all Locust tests, say http://locust:8089.")
@_flag("allow-inline-locustfile", bool, "Whether hooks may bring locustfiles, which are code.")
def command(**values: Any) -> Settings:
    """Run load tests and acceptance tests for canary analyses."""
    values["own_namespace"] = values["own_namespace"] or os.environ.get("POD_NAMESPACE", "")
    return Settings(**values)


def settings(arguments: Sequence[str] = ()) -> Settings:
    """Read the settings from arguments and environment.

    Raises:
        click.ClickException: for an unknown flag or a bad value.
    """
    made = command.main(args=list(arguments), prog_name="loadtester", standalone_mode=False)
    if not isinstance(made, Settings):  # the help was printed
        raise SystemExit(0)
    return made


def main(arguments: Sequence[str]) -> None:
    """Read the flags, then become the server; exit with 2 and a usage text for bad flags."""
    try:
        chosen = settings(arguments)
    except click.ClickException as error:
        error.show()
        if getattr(error, "ctx", None) is None:  # then it shows no usage
            click.echo(command.get_usage(click.Context(command, info_name="loadtester")), err=True)
        raise SystemExit(2) from error
    logs.setup(chosen.log_level, chosen.zap_encoding)
    logger.info("Starting load tester v%s API on port %s", version.__version__, chosen.port)
    chosen.server().exec(flags.environ(SERVICE, chosen))
