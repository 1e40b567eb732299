"""The `questmill` command: runs recipes, queries the lake, prints its status, and checks the machine.

Exit codes: 0 done, 1 the run failed, 2 bad usage or input, 3 a gate stopped it, 4 its budget is spent.
"""

import argparse
import atexit
import contextlib
import functools
import os
import signal
import sys
import textwrap
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NoReturn

from flows.cli.old_words import OLD_VERBS, suggest
from schemas.errors import BadInput, QuestmillError

if TYPE_CHECKING:
    from infra.lake.store import Store

# Heavy imports (Prefect 0.8 s, Great Expectations 2.1 s) are inside the verbs, to keep --help fast.

QUIET_ENVIRONMENT = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_SERVER_LEVEL": "CRITICAL",
    "PREFECT_CLI_PROMPT": "false",
    "PREFECT_LOGGING_ROOT_LEVEL": "CRITICAL",
    "DASK_LOGGING__DISTRIBUTED": "CRITICAL",
    "GX_ANALYTICS_ENABLED": "false",
}
"""Environment that silences libraries, because progress lines report a run. `--verbose` restores Prefect's log."""


BUDGET_FLAGS = {"tokens": "N tokens, of prompts and replies", "usd": "N US dollars", "gpu-hours": "N hours of one GPU"}


RUN_FLAGS = (
    "profile",
    "store",
    "preset",
    "verbose",
    "timings",
    "help_all",
    "budget_tokens",
    "budget_usd",
    "budget_gpu_hours",
)
"""Flags of `run` that are not fields of a recipe."""


def run_command() -> NoReturn:
    """Run the command line of this process, and end it without taking the interpreter apart, which takes 0.5 s."""
    code = 1

    def end_at_once() -> None:
        with contextlib.suppress(OSError):  # nobody reads any more
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)

    atexit.register(end_at_once)  # what is registered first is called last: after all that libraries have to end
    try:
        code = main()
    except SystemExit as exit_:  # of argparse, after its message
        code = exit_.code if isinstance(exit_.code, int) else 1
    sys.exit(code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser, verbs = _build_parser()
    if words and not words[0].startswith("-") and words[0] not in verbs:
        print(f"questmill: {_explain_unknown_verb(words[0], verbs)}", file=sys.stderr)
        return BadInput.exit_code
    options, rest = parser.parse_known_args(words)
    if rest and options.verb not in ("run", "mock-server"):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    for name, value in QUIET_ENVIRONMENT.items():
        if not (getattr(options, "verbose", False) and "LOGGING" in name):
            os.environ.setdefault(name, value)
    with _record_interrupts() as interrupted:
        try:
            return int(options.function(options, rest) or 0)
        except QuestmillError as error:
            print(f"questmill: {error}", file=sys.stderr)
            return error.exit_code
        except BrokenPipeError:  # `questmill query ... | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except (KeyboardInterrupt, Exception) as error:
            hint = "; the same command continues where it stopped" if options.verb == "run" else ""
            if interrupted.is_set():
                print(f"questmill: interrupted{hint}", file=sys.stderr)
                return 130
            traceback.print_exc()
            print(f"questmill: {type(error).__name__}: {error}{hint}", file=sys.stderr)
            return 1


@contextmanager
def _record_interrupts() -> Iterator[threading.Event]:
    """Record a Ctrl-C, because a library that it interrupts (e.g. pydantic) may turn it into an error of its own."""
    interrupted = threading.Event()

    def interrupt(*_: object) -> None:
        interrupted.set()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)


def _build_parser() -> tuple[argparse.ArgumentParser, list[str]]:
    """Return the parser of the command line, and the names of its verbs."""
    parser = argparse.ArgumentParser(
        prog="questmill", description="A data factory for reasoning data.", allow_abbrev=False
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    common = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    common.add_argument("--profile", help="where to run: a name in infra/profiles, or a .toml file (default: local)")
    common.add_argument("--store", help="the lake: a folder or url such as s3://bucket/lake (default: the profile's)")

    def add_verb(name: str, function: object, text: str, add_help: bool = True) -> argparse.ArgumentParser:
        made = verbs.add_parser(
            name, parents=[common], help=text, description=text, allow_abbrev=False, add_help=add_help
        )
        made.set_defaults(function=function)
        return made

    run = add_verb("run", _run, "run a recipe; the same command again continues it", add_help=False)
    run.add_argument("recipe", nargs="?", help="name of a recipe; if left out, recipes are listed")
    run.add_argument("--verbose", action="store_true", help="show Prefect's log")
    run.add_argument("--timings", action="store_true", help="show at the end where the seconds of the run went")
    for name, what in BUDGET_FLAGS.items():
        run.add_argument(f"--budget-{name}", metavar="N", help=f"stop asking after {what}, over all starts of this run")
    run.add_argument(
        "--on-changed-code",
        choices=["use", "redo", "stop"],
        help="results of other code of a step: use them with a warning (default), redo them, or stop",
    )
    run.add_argument(
        "--redo", action="append", metavar="STEP", help="redo this step, once for each version of its code"
    )
    run.add_argument(
        "-h", "--help", action="store_true", help="show the most common fields of the recipe, or this help"
    )
    run.add_argument("--help-all", action="store_true", help="show every field of the recipe")
    run.usage = "questmill run RECIPE [--preset NAME] [@overrides.toml] [--field value ...] [options]"
    run.set_defaults(print_help=run.print_help)
    query = add_verb("query", _query, "query the lake in SQL")
    query.add_argument("sql", help='e.g. "SELECT verdict, count(*) FROM verified GROUP BY ALL"')
    query.add_argument(
        "--format", choices=["table", "csv", "json", "parquet"], help="default: table on a terminal, csv in a pipe"
    )
    add_verb("status", _print_status, "list runs, datasets, their current versions, and the funnel of each")
    report = add_verb("report", _report, "make a page about a published dataset: funnel, columns, price, samples")
    report.add_argument("dataset")
    report.add_argument("--version", help="default: the current version")
    report.add_argument(
        "--out", metavar="FILE", help="write the report to FILE, as HTML, or as Markdown if FILE ends in .md"
    )
    add_verb("doctor", _run_doctor, "check versions, cores, GPU, store, cluster, verifier and sandbox")
    rollback = add_verb("rollback", _rollback, "make an earlier version of a dataset the current one again")
    rollback.add_argument("dataset")
    rollback.add_argument("version")
    mock_server = add_verb(
        "mock-server",
        _serve_mock,
        "serve an OpenAI-compatible API without a model, on this machine only",
        add_help=False,
    )
    mock_server.add_argument("--port", type=int, default=0, help="default: a free port")
    mock_server.add_argument("-h", "--help", action="store_true", help="show the fields of the server's behaviour")
    return parser, list(verbs.choices)


def _explain_unknown_verb(word: str, known: Sequence[str]) -> str:
    if word in OLD_VERBS:
        return f"{word!r} is called {OLD_VERBS[word]!r} now; write questmill {OLD_VERBS[word]}"
    return f"verb {word!r} is unknown; {suggest(word, known)}"


def _run(options: argparse.Namespace, rest: list[str]) -> int:
    from flows.cli import recipe_arguments

    known_recipes = recipe_arguments.list_recipes()
    if options.recipe is None:
        options.print_help()
        print("\nrecipes:")
        for name, text in known_recipes.items():
            print(textwrap.fill(text, 80, initial_indent=f"  {name:<12} ", subsequent_indent=" " * 15))
        print("\n`questmill run RECIPE --help` shows the most common fields of a recipe.")
        return 0 if options.help or options.help_all else 2
    if options.recipe not in known_recipes:
        raise BadInput(f"recipe {options.recipe!r} is unknown; {suggest(options.recipe, known_recipes)}")
    if options.help or options.help_all:  # takes precedence over all other flags, as with every other verb
        return _describe(options.recipe, known_recipes[options.recipe], options.help_all)
    _set_profile_and_store(options)
    _set_budget(options)
    _set_code_policy(options)
    from flows.run.timings import TIMINGS, show_timings

    TIMINGS.forget()
    try:
        return _start(options.recipe, rest)
    finally:
        if options.timings:
            print(show_timings(), file=sys.stderr)


def _start(recipe_name: str, words: list[str]) -> int:
    """Run a recipe with its flags, beside a Prefect server that ends with it. Returns the exit code."""
    from flows.cli.prefect_server import ensure_prefect_server
    from flows.cli.recipe_arguments import parse
    from flows.run.timings import TIMINGS

    with ExitStack() as at_the_end:
        start_server = functools.cache(lambda: at_the_end.enter_context(ensure_prefect_server()))
        if len(os.sched_getaffinity(0)) > 1:  # at once, so that it starts while the rest is imported and looked up
            start_server()
        with TIMINGS.measure("imports"):
            from flows.cli import launch

            flow, model = launch.load_recipe(recipe_name)
        return launch.run_recipe(flow, parse(model, words, RUN_FLAGS), on_start=lambda: start_server().set())


def _describe(name: str, text: str, every_field: bool) -> int:
    from flows.cli import launch, recipe_arguments, recipe_help

    _, model = launch.load_recipe(name)
    flags = recipe_help.describe(model)
    common = recipe_help.select_common(model)
    print(f"questmill run {name} [--preset NAME] [@overrides.toml] [--field value ...]\n")
    print(textwrap.fill(text, recipe_help.HELP_COLUMNS))
    if presets := recipe_arguments.list_presets(model):
        print(f"Presets: {', '.join(presets)}")
    shown = flags if every_field else common
    print("", *recipe_help.format_flags(model, shown, short=not every_field), sep="\n")
    if not every_field:
        print(f"\nThese are {len(common)} of {len(flags)} fields; --help-all shows them all.")
        print("Flags of every recipe, such as --profile and --store: questmill run --help")
    return 0


def _query(options: argparse.Namespace, _: list[str]) -> int:
    from flows.cli import query

    return query.query(_open_store(options), options.sql, options.format)


def _print_status(options: argparse.Namespace, _: list[str]) -> int:
    from flows.cli import query

    return query.print_status(_open_store(options))


def _report(options: argparse.Namespace, _: list[str]) -> int:
    from flows.report import storage

    return storage.print_report(_open_store(options), options.dataset, options.version, options.out)


def _run_doctor(options: argparse.Namespace, _: list[str]) -> int:
    _set_profile_and_store(options)
    from flows.cli import doctor

    return doctor.run_checks()


def _rollback(options: argparse.Namespace, _: list[str]) -> int:
    store = _open_store(options)
    before = store.datasets.current_version(options.dataset)
    store.datasets.set_current(options.dataset, options.version)
    print(f"{options.dataset}: {before} -> {options.version}")
    return 0


def _serve_mock(options: argparse.Namespace, rest: list[str]) -> int:
    from flows.cli import mock_server

    return mock_server.describe() if options.help else mock_server.serve(options.port, rest)


def _set_profile_and_store(options: argparse.Namespace) -> None:
    """Pass profile and store to the flow by environment variables, as a deployment does."""
    for name in ("profile", "store"):
        if (value := getattr(options, name)) is not None:
            if not value.strip():
                raise BadInput(f"--{name} is empty; give a value, or leave it out for the default")
            os.environ[f"QUESTMILL_{name.upper()}"] = value


def _set_budget(options: argparse.Namespace) -> None:
    """Pass the budget to the flow by environment variables, as a deployment does."""
    from pydantic import ValidationError

    from schemas.budget import Budget

    for name in (flag.replace("-", "_") for flag in BUDGET_FLAGS):
        if (value := getattr(options, f"budget_{name}")) is not None:
            try:
                Budget.model_validate_strings({name: value})
            except ValidationError as error:
                raise BadInput(f"--budget-{name.replace('_', '-')}: {value!r} is not a number of at least 0") from error
            os.environ[f"QUESTMILL_BUDGET_{name.upper()}"] = value


def _set_code_policy(options: argparse.Namespace) -> None:
    """Pass `--on-changed-code` and `--redo` to the flow by environment variables, like a deployment."""
    if options.on_changed_code is not None:
        os.environ["QUESTMILL_ON_CHANGED_CODE"] = options.on_changed_code
    if options.redo is not None:
        os.environ["QUESTMILL_REDO"] = ",".join(options.redo)


def _open_store(options: argparse.Namespace) -> "Store":
    from infra.cluster.profiles import load_profile
    from infra.lake.lake_format import check_format
    from infra.lake.store import open_store

    _set_profile_and_store(options)
    name = os.environ.get("QUESTMILL_PROFILE", "local")
    store = open_store(load_profile(name, os.environ.get("QUESTMILL_STORE")).store)
    store.check()
    check_format(store)
    return store
