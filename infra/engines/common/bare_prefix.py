"""Prints the bare prefix of a model as lines of a profile, for a server that is asked with `layout = "bare"`.

    python -m infra.engines.common.bare_prefix DIRECTORY [SYSTEM TURN]

DIRECTORY holds the model's tokenizer.json, tokenizer_config.json and, if it has one, chat_template.jinja.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import orjson

from infra.engines.common.chat_template import PromptWriter, read_chat_template, read_json
from schemas.engine_specs import ChatModelSpec


def main(arguments: Sequence[str]) -> int:
    """Print the lines, or one line that says what is wrong."""
    if len(arguments) not in (1, 2):
        print((__doc__ or "").strip(), file=sys.stderr)
        return 2
    try:
        print(profile_lines(Path(arguments[0]), *arguments[1:]))
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def profile_lines(folder: Path, system_turn: str = "") -> str:
    """The lines of a role for a server with the model in `folder`. Raises ValueError if it has no bare prefix."""
    spec = ChatModelSpec(layout="bare", system_turn=system_turn)
    added_tokens = [token["content"] for token in read_json(folder / "tokenizer.json").get("added_tokens", [])]
    writer = PromptWriter(spec, str(folder), read_chat_template(folder), added_tokens)
    prefix, stop = (orjson.dumps(value).decode() for value in (writer.bare_prefix, [*writer.ends, *writer.stop]))
    return f'layout = "bare"\nbare_prefix = {prefix}\nextra_body = {{ stop = {stop} }}'


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
