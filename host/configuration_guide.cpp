// The configuration guide as Markdown.
// SPDX-License-Identifier: Apache-2.0
#include "host/configuration_guide.h"

#include "host/check.h"
#include "host/descriptor_json.h"
#include "host/option_values.h"
#include "host/presets.h"
#include "host/repeat.h"

namespace tenon::host {

namespace {

constexpr char kLanguage[] = R"(# Configuration

*Written by `tenon describe --markdown` from the option tables that `tenon check` goes by; a test keeps the two equal, and checks the example.
`tenon describe ID` prints one component; where several kinds have the name, all of them, or one: `tenon describe dataset/jsonl`.*

A configuration is one YAML file: nouns (`components`), then verbs (`pipeline`).

```yaml
run: {name: example, seed: 7}
components:
  sums: {use: running-sum, operands: 5}
  letters: {use: char, alphabet: "0123456789+-=<>,", eos: "$"}
  policy: {use: transformer, layers: 2, width: 32, heads: 4, tokenizer: letters}
  algorithm: {use: grpo}
  adamw: {use: adamw, learning_rate: 1.5e-4}
pipeline:
  - {name: base, use: pretrain, model: policy, data: sums, optimizer: {of: adamw, learning_rate: 4e-3}, steps: 2000}
  - {name: zero, use: rl, from: base, data: sums, rewards: [{use: answer, extract: after-tag, tag: ">"}], optimizer: adamw, steps: 150}
```

**Everything is read or it is an error.** A key that nothing knows, a value outside its range, an option that has no effect with the others, a component
that nothing refers to: `tenon check` reports all of them at once, with file, line and column, before anything is created. Keys that begin with `x-` are
ignored everywhere; with anchors, aliases and merge keys (`<<: *base`) they keep repetition out.

**References.** Where an option takes a component, write one of

| form | means |
|---|---|
| `policy` | the entry of `components` of that name; else, for a model, an earlier stage (its final weights); else a plugin with its defaults |
| `stage.rows` | for a data set: the rows called `rows` that an earlier stage made |
| `{of: policy, width: 96}` | a copy of that entry with some options changed |
| `{use: adamw, learning_rate: 1e-3}` | a plugin, configured in place |

An entry of `components` is a template: every stage that refers to it gets an instance of its own. Some references have attributes of their own,
such as a reward's `weight`: `{of: correct, weight: 0.5}`; they are listed with the option.

**Presets.** Published variants of a component are presets: `{use: grpo, preset: dapo}` takes that variant's options as defaults, of the component and of the
stage that has it in a slot; what the file states goes before them. `{of: algorithm, preset: dapo}` does so for a copy. They are listed, written out, with each
component below, and by `tenon describe ID`.

**Isolation.** `isolation: process` in an entry, or where it is referred to, gives a reward a process of its own, `tenon-worker`: a crash or a hang there costs
the samples that made it, and the process is started again. `inproc` is the default. Other kinds, and rewards that keep state between steps, cannot have it.

**Overrides.** `--set path=value` changes one value: `--set components.algorithm.use=rloo`, `--set pipeline.base.steps=10` (elements of a list by
number or by their `name`). The value is YAML.

**Types.** `int` and `float` are numbers (`1e-4`), `bool` is `true` or `false`, `duration` is `30s`, `5m`, `1h30m` or a number of seconds, `size` is
`64MiB`, `2GB` or a number of bytes, `path` is a file or folder that exists (relative ones start from the configuration's folder), `map` has
options of its own, listed below it with a dot.

)";

constexpr char kStageKeys[] = R"(
`name` (unique among stages and components) and `use` (the stage's type) are required. `from` gives the stage its option `model`: that of the
earlier stage, with the weights it ended with.

)";

constexpr char kLoops[] = R"(
## A loop of stages

An entry of `pipeline` with `repeat` is a group of stages that run several times, one round after the other:

```yaml
  - repeat: 3
    name: loop
    stages:
      - {name: traces, use: rejection-sample, from: {first: base, then: better}, data: sums, rewards: [{of: correct}]}
      - {name: better, use: sft, from: base, data: traces.kept}
```

The stages are called `loop.1.traces`, `loop.1.better`, `loop.2.traces`, …; behind the loop `loop.better` is that of the last round. In the loop, a stage's short name is that of the
same round, and `{first: a, then: b}` stands for `a` in the first round and for `b` in those behind it, where a `b` that names a stage of the loop is that of the round before.

)";

// A bar would end the cell, a line break the table.
std::string cell(std::string text) {
  std::string out;
  for (char c : text) {
    if (c == '|') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

std::string code(const std::string& text) {
  return text.empty() ? "" : "`" + cell(text) + "`";
}

std::string allowed_cell(const tenon_option& option) {
  std::string text = cell(allowed(option));
  if (option.unit != nullptr) text += (text.empty() ? "" : " ") + std::string(option.unit);
  return text;
}

std::string default_cell(const tenon_option& option) {
  if (option.flags & TENON_O_REQUIRED) return "**required**";
  return code(default_text(option));
}

void add_rows(const tenon_option* const* table, const std::string& prefix, std::string& out) {
  for (; table != nullptr && *table != nullptr; ++table) {
    const tenon_option& option = **table;
    std::string doc = cell(option.doc);
    if (option.flags & TENON_O_DEPRECATED) doc = "*Deprecated.* " + doc;
    out += "| `" + prefix + option.name + "` | " + type_name(option) + " | " + default_cell(option) + " | " +
           allowed_cell(option) + " | " + doc + " |\n";
    add_rows(option.children, prefix + option.name + ".", out);
  }
}

std::string option_table(const tenon_option* const* table) {
  if (table == nullptr || *table == nullptr) return "No options.\n";
  std::string out = "| option | type | default | allowed | meaning |\n|---|---|---|---|---|\n";
  add_rows(table, "", out);
  return out;
}

std::string preset_list(const tenon_component& component) {
  std::string yaml;
  for (const tenon_preset* preset : presets_of(component))
    yaml += (yaml.empty() ? "" : "\n") + preset_yaml(component, *preset);
  return yaml.empty() ? "" : "\nPresets:\n\n```yaml\n" + yaml + "```\n";
}

std::string title_case(std::string word) {
  word[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(word[0])));
  return word;
}

}  // namespace

std::string component_guide(const std::vector<RegisteredComponent>& components) {
  std::string out;
  for (const char* kind : kKinds) {
    bool first = true;
    for (const RegisteredComponent& registered : components) {
      const tenon_component& c = *registered.component;
      if (std::string(c.kind) != kind) continue;
      if (first) out += (out.empty() ? "" : "\n") + std::string("## ") + title_case(kind) + "s\n";
      first = false;
      out += "\n### " + std::string(c.id) + "\n\n" + c.summary + "\n\n";
      if (*c.doc != '\0') out += std::string(c.doc) + "\n\n";
      out += option_table(c.options);
      out += preset_list(c);
    }
  }
  return out;
}

std::string configuration_guide(const std::vector<RegisteredComponent>& components) {
  return kLanguage + std::string("## Top level\n\n") + option_table(top_options()) + "\n## `run`\n\n" +
         option_table(run_options()) + "\n## Every stage\n" + kStageKeys + option_table(stage_options()) +
         kLoops + option_table(repeat_options()) + "\n" + component_guide(components);
}

}  // namespace tenon::host
