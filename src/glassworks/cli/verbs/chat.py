"""`glassworks chat`: talk with a language model in the terminal, in this process."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glassworks.cli.output import AsJson, Reference, stderr, stdout, write_json
from glassworks.errors import GlassworksError
from glassworks.printable import printable

if TYPE_CHECKING:
    from glassworks.cli.conversation import Conversation, Token
    from glassworks.contracts import Chunk, Explanation

_COMMANDS: Mapping[str, str] = {
    "/why": "how sure the last answer was, what else could have stood there, and what of the conversation led to it",
    "/why PART": "what led to this part of the last answer",
    "/why PART rather than TEXT": "what led to it and not to another text; PART may be left out",
    "/sources": "which passage moved the model to each sentence of the last answer (with --sources)",
    "/system TEXT": "tell the model how to answer; alone it takes that back",
    "/clear": "forget what was said",
    "/history": "what was said",
    "/help": "these commands",
    "/exit": "end; Ctrl-D does too",
}
_UNSURE, _SURE = 0.3, 0.9
_SHOWN = 5
"""Parts of a conversation that are shown with their values."""


def chat(
    model: Reference,
    prompt: Annotated[str | None, typer.Argument(help="Ask this alone; without it, a conversation.")] = None,
    system: Annotated[str, typer.Option(help="How to answer, said to the model before anything else.")] = "",
    temperature: Annotated[float, typer.Option(min=0, max=2, help="0 takes the most probable token.")] = 0.0,
    top_p: Annotated[float, typer.Option(min=0, max=1, help="Sample from the most probable so much.")] = 1.0,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Longest answer.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of sampling.")] = 0,
    sources: Annotated[str, typer.Option(help="Answer from this index: a model of the family passage_index.")] = "",
    as_json: AsJson = False,
) -> None:
    """Talk with a language model; Ctrl-C ends an answer, not the conversation."""
    from glassworks.cli.conversation import Conversation
    from glassworks.cli.library import Library
    from glassworks.registry import Registry
    from glassworks.registry.opening import open_model

    parameters: dict[str, Any] = {"temperature": temperature, "top_p": top_p, "seed": seed}
    if max_tokens is not None:
        parameters["max_tokens"] = max_tokens
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(contextlib.closing(open_model(model, Registry.open())))
        conversation = Conversation(opened, system, parameters)
        if sources:
            library = Library(open_model(sources, Registry.open()))
            conversation.library = stack.enter_context(contextlib.closing(library))
        if prompt is not None or as_json:
            _once(conversation, model, sys.stdin.read() if prompt in (None, "-") else str(prompt), as_json)
        else:
            _converse(conversation, model)


def _once(conversation: Conversation, model: str, prompt: str, as_json: bool) -> None:
    said = []
    for part in conversation.ask(prompt):
        said.append(part)
        if not as_json:
            _write(part)
    if as_json:
        answered = {"model": model, "answer": "".join(said), **_counts(conversation.last)}
        write_json({**answered, **_cited(conversation, "".join(said))})
    else:
        _write("\n")
        _show_citations(conversation, "".join(said))


def _converse(conversation: Conversation, model: str) -> None:
    people = sys.stdin.isatty()
    if people:
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401 - input() has a history from then on
        stderr().print(f"{model} is listening. /help shows commands, Ctrl-D ends.", markup=False)
    for line in _lines(people):
        try:
            if line.startswith("/"):
                if not _command(conversation, line):
                    return
            elif line.strip():
                _answer(conversation, line)
        except GlassworksError as error:
            stderr().print(f"error: {error.problem}\nmend: {error.mend}", markup=False)


def _lines(people: bool) -> Iterator[str]:
    """What is typed, or every line that is piped in."""
    while True:
        try:
            yield input("> " if people else "")
        except EOFError:
            return
        except KeyboardInterrupt:
            _write("\n")
            if not people:
                raise


def _answer(conversation: Conversation, line: str) -> None:
    said = []
    with contextlib.closing(conversation.ask(line)) as parts:
        try:
            for part in parts:
                said.append(part)
                _write(part)
        except KeyboardInterrupt:
            _write(" ...")
    _write("\n")
    _show_citations(conversation, "".join(said))


def _cited(conversation: Conversation, answer: str) -> dict[str, Any]:
    """What is told of where an answer comes from."""
    library = conversation.library
    if library is None:
        return {}
    return {"passages": library.passages, "left_out": library.left_out, "citations": library.citations(answer)}


def _show_citations(conversation: Conversation, answer: str) -> None:
    found = _cited(conversation, answer)
    for each in found.get("citations", ()):
        where = f"[{each['passage']}] {each['file']}, characters {each['start']} to {each['end']}"
        stderr().print(f"  {printable(where)}: {printable(each['quote'])} ({each['support']:.0%})", markup=False)
    if found.get("left_out"):
        stderr().print(f"  the context had no room for {found['left_out']} passages more", markup=False)
    if found and not found["passages"]:
        stderr().print("  no passage was found for it: the answer is the model's own", markup=False)


def _show_driven(conversation: Conversation) -> None:
    """Each sentence, and what every passage did to it, the one that raised it most first."""
    for sentence, values in conversation.driven():
        stdout().print(printable(sentence), markup=False)
        order = sorted(range(len(values)), key=lambda number: -values[number])
        stdout().print("  " + ", ".join(f"[{number + 1}] {values[number]:+.2f}" for number in order), markup=False)
    stdout().print("  nats by which the answer is more probable with the passage than without it", markup=False)


def _command(conversation: Conversation, line: str) -> bool:
    """Do it, and say whether the conversation goes on."""
    name, _, rest = line.partition(" ")
    if name in ("/exit", "/quit"):
        return False
    if name == "/why":
        part, _, instead = f" {rest}".partition(" rather than ")
        part, instead = part.strip(), instead.strip()
        if not part and not instead:
            _show_why(conversation.why())
        _show_reasons(conversation.reasons(part, instead))
    elif name == "/sources":
        _show_driven(conversation)
    elif name == "/clear":
        conversation.clear()
    elif name == "/system":
        conversation.system = rest.strip()
    elif name == "/history":
        for message in conversation.messages:
            stdout().print(f"{message['role']}: {message['content']}", markup=False)
    else:
        if name != "/help":
            stderr().print(f"there is no command {printable(name)}; these are there:", markup=False)
        stderr().print("\n".join(f"{command:27} {what}" for command, what in _COMMANDS.items()), markup=False)
    return True


def _show_why(tokens: Sequence[Token]) -> None:
    from rich.text import Text

    shaded = Text()
    for token in tokens:
        style = "red" if token.probability < _UNSURE else "" if token.probability < _SURE else "green"
        shaded.append(printable(token.text), style)
    stdout().print(shaded)
    unsure = sorted(tokens, key=lambda token: token.probability)[:5]
    for token in unsure:
        others = ", ".join(
            f"{printable(text)!r} {share:.0%}" for text, share in token.alternatives if text != token.text
        )
        instead = f", instead of {others}" if others else ""
        stdout().print(f"  {printable(token.text)!r} {token.probability:.0%}{instead}", markup=False)
    stdout().print(f"  red: less than {_UNSURE:.0%} sure, green: {_SURE:.0%} and more; least sure first", markup=False)


def _show_reasons(found: Explanation) -> None:
    """The conversation with its parts shaded, those that matter most with their values, and how far to trust it."""
    from glassworks.cli.drawing import draw
    from glassworks.cli.tables import show_grade, show_shaded
    from glassworks.packaging.answered import explanation_json

    console, values = stdout(), found.attribution.values.ravel()
    label = printable(found.label)
    console.print(f"what led to {label!r} (red for, blue against; {found.method}):", markup=False)
    show_shaded(draw(values, found.attribution.values, (), found.label, found.method, found.names).rows[:-1], console)
    for row in abs(values).argsort()[::-1][:_SHOWN].tolist():
        console.print(f"  {values[row]:+.3f} {printable(found.names[row]['item'].strip())!r}", markup=False)
    for note in found.details.get("notes", ()):
        console.print(f"  - {note}", markup=False)
    record = explanation_json(found)
    show_grade({**record, **record["quality"]}, console)


def _counts(chunk: Chunk | None) -> dict[str, Any]:
    if chunk is None:
        return {}
    names = ("prompt_tokens", "cached_tokens", "completion_tokens", "finish_reason")
    return {name: getattr(chunk, name) for name in names}


def _write(text: str) -> None:
    sys.stdout.write(printable(text))
    sys.stdout.flush()


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command()(chat)
