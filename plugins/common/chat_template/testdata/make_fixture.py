# Renders cases.json with transformers' own Jinja environment and writes expected.jsonl, one object a line:
# {"name", "template", "variables", "text": the rendering or null where jinja2 raises}.
#   python make_fixture.py                       (needs: transformers, jinja2; made with 5.23.0 and 3.1.6)
# With two arguments, renders other people's templates instead, for the test that compares with them:
#   python make_fixture.py OUTPUT.jsonl FOLDER_OF_JINJA_FILES...
# SPDX-License-Identifier: Apache-2.0
import datetime
import json
import pathlib
import sys

import jinja2
from transformers.utils.chat_template_utils import _compile_jinja_template

HERE = pathlib.Path(__file__).parent
NOW = datetime.datetime(2026, 3, 9, 7, 5, 3)  # the test's RenderOptions.now


def render(template, variables):
    try:
        compiled = _compile_jinja_template(template)
        compiled.globals["strftime_now"] = NOW.strftime
        return compiled.render(**variables)
    except (jinja2.TemplateError, TypeError, ValueError, ZeroDivisionError, KeyError):
        return None


TOOL = {"type": "function", "function": {"name": "add", "description": "Adds \"two\" numbers <&> 'é'",
                                         "parameters": {"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"]}}}
CALL = {"type": "function", "function": {"name": "add", "arguments": {"a": 1, "b": [1.5, None, True, "x\n"]}}}
CHATS = {
    "user": [{"role": "user", "content": "What is 2+2?"}],
    "system": [{"role": "system", "content": " Be brief.\n"}, {"role": "user", "content": "Hi \n"}],
    "turns": [{"role": "system", "content": "S"}, {"role": "user", "content": "U1"},
              {"role": "assistant", "content": "<think>\nwork\n</think>\n\nA1"}, {"role": "user", "content": "日本 😀"},
              {"role": "assistant", "content": "A2"}, {"role": "user", "content": "U3"}],
    "thinking": [{"role": "user", "content": "U"}, {"role": "assistant", "content": "A", "reasoning_content": "R"}],
    "tools": [{"role": "user", "content": "U"}, {"role": "assistant", "content": "", "tool_calls": [CALL]},
              {"role": "tool", "name": "add", "content": "3"}, {"role": "assistant", "content": "It is 3."},
              {"role": "user", "content": "Thanks"}],
    "last-assistant": [{"role": "user", "content": "U"}, {"role": "assistant", "content": "<think>x</think>A"}],
}


def chats():
    for name, messages in CHATS.items():
        for generate in (False, True):
            variables = {"messages": messages, "add_generation_prompt": generate, "bos_token": "<s>", "eos_token": "</s>"}
            yield f"{name}/{generate}", variables
            if name in ("tools", "user"):
                yield f"{name}+schema/{generate}", {**variables, "tools": [TOOL]}
            if name == "turns":
                yield f"{name}+nothink/{generate}", {**variables, "enable_thinking": False}


def write(path, cases):
    with open(path, "w") as out:
        for name, template, variables in cases:
            row = {"name": name, "template": template, "variables": variables, "text": render(template, variables)}
            out.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")


def own_cases():
    cases = json.loads((HERE / "cases.json").read_text())
    for i, template in enumerate(cases["snippets"]):
        yield f"snippet {i}", template, cases["variables"]
    for name, lines in cases["templates"].items():
        for chat, variables in chats():
            yield f"{name} {chat}", "\n".join(lines), variables


def their_cases(folders):
    for folder in folders:
        for file in sorted(pathlib.Path(folder).glob("*.jinja")):
            for chat, variables in chats():
                yield f"{file.name} {chat}", file.read_text(), variables


if len(sys.argv) > 2:
    write(sys.argv[1], their_cases(sys.argv[2:]))
else:
    write(HERE / "expected.jsonl", own_cases())
