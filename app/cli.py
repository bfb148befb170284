"""The `wiregrad` command: without arguments the server; all else needs no browser."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

import app
from app.settings import DEFAULT_PORT, Settings
from app.shapes import DEVICES, MAX_STEPS
from engine.errors import EngineError
from engine.rewrite.cost import TYPICAL

EXIT_REFUSED = 2
EXIT_INTERRUPTED = 130
DOCS = {name: field.metadata.get("doc") for name, field in Settings.__dataclass_fields__.items()}


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit: 0, 2 for what was refused, 130 when interrupted."""
    options = parser().parse_args(arguments)
    try:
        options.command(options)
        sys.stdout.flush()
    except EngineError as error:
        said = " ".join(str(error).split())
        print(f"wiregrad: {said}", file=sys.stderr)
        sys.exit(EXIT_REFUSED)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has closed it; nothing is left to be said to anybody.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(0)


class Parser(argparse.ArgumentParser):
    """A parser whose refusals are one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the command line, and where it is explained."""
        self.exit(EXIT_REFUSED, f"{self.prog}: {message}. See `{self.prog} --help`.\n")


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    top = Parser(
        prog="wiregrad",
        description="Theano on a canvas. Without a command: start the server, open the browser.",
    )
    top.add_argument("--version", action="version", version=f"wiregrad {app.__version__}")
    top.add_argument("--no-browser", action="store_true", help="Only print the address.")
    top.add_argument(
        "--port", type=port, help=f"{DOCS['port']} Without it, {DEFAULT_PORT} if that is free."
    )
    top.add_argument("--data", type=Path, metavar="DIR", help=DOCS["data"])
    top.set_defaults(command=serve)
    commands = top.add_subparsers(title="commands", metavar="COMMAND")

    run = commands.add_parser("run", help="Train a graph, or call one that has no training, here.")
    run.add_argument("graph", metavar="NAME_OR_FILE", help="A gallery name or a graph file.")
    run.add_argument("--steps", type=whole(1, MAX_STEPS), help="How many steps to train.")
    run.add_argument("--seed", type=whole(0, 2**53 - 1), help="The seed of everything random.")
    run.add_argument("--device", choices=DEVICES, default="cpu", help="Where to compute.")
    run.add_argument(
        "--set",
        type=assignment,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="The value of an input: a number or a nested list. May be given again.",
    )
    run.add_argument("--json", action="store_true", help="One JSON object a line on stdout.")
    run.add_argument(
        "--every", type=whole(1, MAX_STEPS), metavar="N", help="Say the cost every N steps."
    )
    run.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="Write costs.csv, outputs.json, graph.json and weights.safetensors there.",
    )
    run.set_defaults(command=run_graph)

    explain = commands.add_parser(
        "explain",
        help="Show step by step how a graph is rewritten.",
        description="Show step by step how a graph is rewritten. The estimated cost is counted in "
        "elementary operations, such as to read, write or add a number; a length that is not "
        f"known is taken to be {TYPICAL}.",
    )
    explain.add_argument("graph", metavar="NAME_OR_FILE", help="A gallery name or a graph file.")
    explain.add_argument(
        "--function",
        metavar="NAME",
        help="The function to explain; without it, the one that `run` trains or calls.",
    )
    explain.add_argument(
        "--strict",
        action="store_true",
        help="Leave out the laws that may hide a NaN, an infinity or a shape error.",
    )
    for option, does in (("exclude", "leave out"), ("include", "use all the same")):
        explain.add_argument(
            f"--{option}",
            action="append",
            default=[],
            metavar="NAME",
            help=f"A law, tag or phase to {does}. May be given again.",
        )
    explain.add_argument("--stop-after", metavar="PHASE", help="The last phase.")
    explain.add_argument(
        "--json",
        action="store_true",
        help="One JSON object a line on stdout: the film, then each film inside of a step.",
    )
    explain.set_defaults(command=explain_graph)

    gallery = commands.add_parser("list", help="Name the graphs of the gallery.")
    gallery.set_defaults(command=list_gallery)

    ops = commands.add_parser("ops", help="Name the ops by category, or explain one.")
    ops.add_argument("name", nargs="?", metavar="NAME", help="An op, by any of its names.")
    ops.set_defaults(command=show_ops)

    laws = commands.add_parser("laws", help="Name the laws of rewriting by phase, or explain some.")
    laws.add_argument(
        "name", nargs="?", metavar="NAME", help="A law, or a phase or tag for all of its laws."
    )
    laws.set_defaults(command=show_laws)
    return top


def serve(options: argparse.Namespace) -> None:
    """`wiregrad`"""
    from app.serving import serve

    serve(options.port, options.data, browser=not options.no_browser)


def run_graph(options: argparse.Namespace) -> None:
    """`wiregrad run`"""
    from app import job
    from app.report import Report

    content = job.find(options.graph)
    chosen = job.Options(options.steps, options.seed, options.device, dict(options.set))
    job.run(content, chosen, Report(as_json=options.json, every=options.every, out=options.out))


def explain_graph(options: argparse.Namespace) -> None:
    """`wiregrad explain`"""
    from app import job
    from app.report import say
    from engine.program import Program
    from engine.rewrite import optimize, pages

    content = job.find(options.graph)
    program = Program(content)
    function = program.chosen(options.function)
    film = optimize(
        program.graph(function),
        stop_after=options.stop_after,
        exclude=options.exclude,
        include=options.include,
        strict=options.strict or program.strict,
    )
    if options.json:
        for page in pages(film):
            say({"graph": content.name, "function": function, **page})
        return
    print(f"{content.title}: {function}\n\n{film.explain()}")
    others = ", ".join(name for name in program.functions if name != function)
    if others:
        print(f"\nMore functions, for --function: {others}")


def list_gallery(_options: argparse.Namespace) -> None:
    """`wiregrad list`"""
    from engine import gallery

    names = gallery.names()
    width = max(map(len, names), default=0)
    for name in names:
        content = gallery.load(name)
        print(f"{name:{width}}  {content.data.get('summary') or content.title}")


def show_ops(options: argparse.Namespace) -> None:
    """`wiregrad ops`"""
    from engine.document import palette
    from engine.errors import ParameterError
    from engine.expression import OPS

    if options.name is not None:
        if options.name not in OPS:
            close = ", ".join(get_close_matches(options.name, OPS)) or "see `wiregrad ops`"
            raise ParameterError(f"There is no op called {options.name!r}: {close}.")
        print(OPS[options.name].documentation())
        return
    offered = palette()
    for category in offered["categories"]:
        cards = [c for c in offered["cards"] if c["op"] and c["category"] == category]
        shown = [c for c in cards if not c["hidden"]]
        if shown:
            print(f"\n{category}")
            width = max(len(c["op"]) for c in shown)
            for card in sorted(shown, key=lambda c: str(c["op"])):
                print(f"  {card['op']:{width}}  {card['doc']}")


def show_laws(options: argparse.Namespace) -> None:
    """`wiregrad laws`"""
    from engine.rewrite import PIPELINE, documentation, labelled

    if options.name is not None:
        print("\n\n".join(map(documentation, labelled(options.name))))
        return
    for phase in PIPELINE:
        print(f"\n{phase.name}: {phase.purpose}")
        width = max(len(rule.name) for rule in phase.rules)
        for rule in sorted(phase.rules, key=lambda rule: rule.name):
            print(f"  {rule.name:{width}}  {rule.why}")


def port(text: str) -> int:
    """A port number."""
    number: int = whole(0, 65_535)(text)
    return number


def whole(least: int, most: int) -> Any:
    """A type of option: a whole number between two bounds."""

    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text[:20]) <= most:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a whole number from {least} to {most}"
            )
        return int(text)

    return parse


def assignment(text: str) -> tuple[str, Any]:
    """`name=value`, where the value is JSON."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        return name.strip(), json.loads(value, parse_constant=refuse_constant)
    except (ValueError, RecursionError):
        raise argparse.ArgumentTypeError(
            f"the value of {name.strip()} is not a number or a nested list: {value!r}"
        ) from None


def refuse_constant(name: str) -> NoReturn:
    """NaN and infinity are no JSON."""
    raise ValueError(f"{name} is no JSON number")
