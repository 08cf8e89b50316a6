// The command line: which commands there are and what they take.
// SPDX-License-Identifier: Apache-2.0
#include "host/command_line.h"

#include <algorithm>
#include <boost/program_options.hpp>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include "host/commands_check.h"
#include "host/commands_describe.h"
#include "host/commands_doctor.h"
#include "host/commands_eval.h"
#include "host/commands_explain.h"
#include "host/commands_plan.h"
#include "host/commands_plot.h"
#include "host/commands_plugins.h"
#include "host/commands_rank.h"
#include "host/commands_run.h"
#include "host/commands_score.h"
#include "host/diagnostics.h"
#include "host/loader.h"
#include "host/option_values.h"

namespace tenon::host {

namespace {

namespace po = boost::program_options;

using Strings = std::vector<std::string>;

struct Command {
  const char* name;
  const char* operand;  // "FILE"; "": takes none
  bool operand_required;
  const char* summary;
  std::function<void(po::options_description_easy_init&&)> add_options;
  std::function<int(const po::variables_map&)> run;
  const char* epilogue = "";  // of its help
};

bool flag(const po::variables_map& map, const char* name) {
  return map.count(name) > 0;
}
Strings strings(const po::variables_map& map, const char* name) {
  return map.count(name) ? map[name].as<Strings>() : Strings{};
}
std::string operand(const po::variables_map& map) {
  const Strings words = strings(map, "operand");
  return words.empty() ? "" : words.front();
}

std::vector<std::filesystem::path> plugin_path(const po::variables_map& map) {
  Strings path = strings(map, "plugin-path");
  return {path.begin(), path.end()};
}

std::optional<uint32_t> threads(const po::variables_map& map) {
  if (!map.count("threads")) return std::nullopt;
  const int n = map["threads"].as<int>();
  if (n < 1 || n > 1024)
    throw UserError("--threads " + std::to_string(n) + ": allowed is between 1 and 1024");
  return static_cast<uint32_t>(n);
}

// --set, and the options that are short for one.
Strings overrides(const po::variables_map& map) {
  Strings set = strings(map, "set");
  if (map.count("name")) set.push_back("run.name=" + map["name"].as<std::string>());
  return set;
}

StageChoice choice(const po::variables_map& map) {
  StageChoice choice;
  if (map.count("from")) choice.from = map["from"].as<std::string>();
  if (map.count("only")) choice.only = map["only"].as<std::string>();
  choice.force = flag(map, "force");
  return choice;
}

void add_choice(po::options_description_easy_init& add) {
  add("from", po::value<std::string>()->value_name("STAGE"),
      "run this stage and all that read it, directly or through others, again from their beginning")(
      "only", po::value<std::string>()->value_name("STAGE"),
      "run this stage alone; what it reads must be finished")(
      "force", "run finished stages again: with --only that stage, else all");
}

int run(const po::variables_map& map) {
  RunArguments arguments;
  arguments.config = operand(map);
  arguments.set = overrides(map);
  arguments.plugin_path = plugin_path(map);
  arguments.threads = threads(map);
  arguments.fresh = flag(map, "new");
  arguments.choice = choice(map);
  arguments.json = flag(map, "json");
  return run_command(arguments);
}

int resume(const po::variables_map& map) {
  ResumeArguments arguments;
  arguments.run = operand(map);
  arguments.plugin_path = plugin_path(map);
  arguments.threads = threads(map);
  arguments.json = flag(map, "json");
  return resume_command(arguments);
}

int plan(const po::variables_map& map) {
  return plan_command(
      {operand(map), overrides(map), plugin_path(map), choice(map), flag(map, "json"), flag(map, "graph")});
}

int check(const po::variables_map& map) {
  return check_command({operand(map), overrides(map), plugin_path(map), flag(map, "create"),
                        flag(map, "data"), flag(map, "json")});
}

int plugins(const po::variables_map& map) {
  std::string file = map.count("describe-file") ? map["describe-file"].as<std::string>() : "";
  std::string kind = map.count("kind") ? map["kind"].as<std::string>() : "";
  return plugins_command({plugin_path(map), file, kind, flag(map, "json")});
}

int describe(const po::variables_map& map) {
  std::string kind = map.count("kind") ? map["kind"].as<std::string>() : "";
  return describe_command({operand(map), kind, plugin_path(map), flag(map, "markdown"), flag(map, "json")});
}

std::optional<uint64_t> number(const po::variables_map& map, const char* name) {
  if (!map.count(name)) return std::nullopt;
  const auto n = map[name].as<int64_t>();
  if (n < 0) throw UserError("--" + std::string(name) + " " + std::to_string(n) + ": it is counted from 0");
  return static_cast<uint64_t>(n);
}

int explain(const po::variables_map& map) {
  ExplainArguments arguments;
  arguments.run = operand(map);
  if (map.count("stage")) arguments.stage = map["stage"].as<std::string>();
  arguments.step = number(map, "step");
  arguments.sample = number(map, "sample");
  arguments.token = number(map, "token");
  arguments.plugin_path = plugin_path(map);
  arguments.json = flag(map, "json");
  return explain_command(arguments);
}

int rank(const po::variables_map& map) {
  return rank_command(operand(map), std::cin, std::cout);
}

uint64_t batch(int64_t n) {
  if (n < 1 || n > 1 << 20)
    throw UserError("--batch " + std::to_string(n) + ": allowed is between 1 and 1048576");
  return static_cast<uint64_t>(n);
}

int score(const po::variables_map& map) {
  ScoreArguments arguments;
  if (!map.count("reward")) throw UserError("--reward NAME is missing: the reward to score with");
  arguments.reward = map["reward"].as<std::string>();
  if (map.count("config")) arguments.config = map["config"].as<std::string>();
  arguments.set = strings(map, "set");
  arguments.file = operand(map);
  if (map.count("label")) arguments.label = map["label"].as<std::string>();
  if (map.count("stage")) arguments.stage = map["stage"].as<std::string>();
  if (map.count("batch")) arguments.batch = batch(map["batch"].as<int64_t>());
  if (map.count("timeout")) {
    const std::string text = map["timeout"].as<std::string>();
    const std::optional<double> seconds = parse_duration(text);
    if (!seconds || !(*seconds >= 0))
      throw UserError("--timeout " + text + ": takes a duration, for example 30s; 0 is none");
    arguments.timeout = std::chrono::nanoseconds(static_cast<int64_t>(*seconds * 1e9));
  }
  arguments.threads = threads(map);
  arguments.plugin_path = plugin_path(map);
  arguments.explain = flag(map, "explain");
  arguments.summary = flag(map, "summary");
  return score_command(arguments);
}

// "1,8" of each.
Strings comma_separated(const po::variables_map& map, const char* name) {
  Strings out;
  for (const std::string& words : strings(map, name))
    for (size_t begin = 0, end = 0; end != std::string::npos; begin = end + 1) {
      end = words.find(',', begin);
      out.push_back(words.substr(begin, end == std::string::npos ? end : end - begin));
    }
  return out;
}

std::vector<int64_t> whole_numbers(const po::variables_map& map, const char* name) {
  std::vector<int64_t> out;
  for (const std::string& word : comma_separated(map, name)) {
    const std::optional<int64_t> n = parse_int(word);
    if (!n) throw UserError("--" + std::string(name) + " " + word + ": takes whole numbers, such as 1,8");
    out.push_back(*n);
  }
  return out;
}

std::optional<std::pair<double, double>> price(const po::variables_map& map) {
  if (!map.count("price")) return std::nullopt;
  const auto text = map["price"].as<std::string>();
  const size_t comma = text.find(',');
  const auto in = parse_float(text.substr(0, comma));
  const auto out = comma == std::string::npos ? in : parse_float(text.substr(comma + 1));
  if (!in || !out || *in < 0 || *out < 0)
    throw UserError("--price " + text +
                    ": takes what a million tokens of prompts and of completions cost, such as 0.15,0.60");
  return std::pair(*in, *out);
}

int eval(const po::variables_map& map) {
  EvalArguments a;
  const auto integer = [&](const char* name) {
    return map.count(name) ? std::optional(map[name].as<int64_t>()) : std::nullopt;
  };
  const auto real = [&](const char* name) {
    return map.count(name) ? std::optional(map[name].as<double>()) : std::nullopt;
  };
  const auto text = [&](const char* name) { return map.count(name) ? map[name].as<std::string>() : ""; };
  a.list = flag(map, "list"), a.json = flag(map, "json");
  a.model = operand(map);
  a.bench = comma_separated(map, "bench");
  for (const std::string& given : strings(map, "data")) {
    const size_t sign = given.find('=');
    const bool is_named = sign != std::string::npos &&
                          std::find(a.bench.begin(), a.bench.end(), given.substr(0, sign)) != a.bench.end();
    a.data[is_named ? given.substr(0, sign) : ""] = is_named ? given.substr(sign + 1) : given;
  }
  a.problems = integer("problems"), a.samples = integer("samples");
  a.max_new_tokens = integer("max-new-tokens"), a.max_len = integer("max-len"), a.seed = integer("seed");
  a.temperature = real("temperature"), a.top_p = real("top-p");
  a.pass_at = whole_numbers(map, "pass-at"), a.cons_at = whole_numbers(map, "cons-at");
  a.interval = text("interval"), a.name = text("name");
  a.server = text("server"), a.token_env = text("token-env");
  if (map.count("model") && (a.server.empty() || !a.model.empty()))
    throw UserError("--model NAME is the name on a server: give --server URL, and no MODEL beside it");
  if (!a.server.empty() && !map.count("model"))
    throw UserError("--server " + a.server + ": --model NAME is missing, the model's name there");
  if (!a.token_env.empty() && a.server.empty()) throw UserError("--token-env: is of --server");
  if (!a.server.empty()) a.model = text("model");
  a.price = price(map);
  a.is_text = flag(map, "text");
  if (map.count("runs")) a.runs = text("runs");
  a.set = strings(map, "set");
  a.plugin_path = plugin_path(map);
  a.threads = threads(map);
  if (!a.list && a.model.empty()) throw UserError("tenon eval needs MODEL; see `tenon eval --help`");
  if (!a.list && a.bench.empty())
    throw UserError("--bench NAME is missing: the benchmark; `tenon eval --list` lists them");
  return eval_command(a);
}

int plot(const po::variables_map& map) {
  PlotArguments a{operand(map), comma_separated(map, "metrics"), comma_separated(map, "right"), "", "",
                  flag(map, "json")};
  if (map.count("stage")) a.stage = map["stage"].as<std::string>();
  if (map.count("out")) a.file = map["out"].as<std::string>();
  return plot_command(a, std::cout);
}

int doctor(const po::variables_map& map) {
  return doctor_command({plugin_path(map), flag(map, "json")});
}

void no_options(po::options_description_easy_init&&) {}

constexpr auto kRunStatus =
    "Exit status: 0; 1 where it failed; 2 for a mistake in the configuration; 75 where a stage waits for "
    "people, which it\nnames; 130 after Ctrl-C. `tenon resume RUN` goes on.";

const std::vector<Command>& commands() {
  constexpr auto kSet = "change one value of the configuration: path=value; may be repeated";
  static const std::string about_run =
      "A finished stage whose options, inputs, files and plugins did not change is not run again; an "
      "interrupted one "
      "goes on.\n`tenon plan FILE` says beforehand which, and why. What --from, --only and --force run "
      "again is not "
      "deleted: the\nearlier folder of the stage is renamed to <run>/set-aside/. Interrupted, such a run "
      "goes on "
      "without these options.\n" +
      std::string(kRunStatus);
  static const std::vector<Command> commands{
      {"run", "FILE", true, "carry out a configuration, or go on with it where it stopped",
       [](po::options_description_easy_init&& add) {
         add("set", po::value<Strings>()->composing()->value_name("PATH=VALUE"), kSet)(
             "name", po::value<std::string>()->value_name("NAME"), "name of the run: --set run.name=NAME")(
             "new", "start afresh in a folder of its own, <name>-2")(
             "threads", po::value<int>()->value_name("N"), "instead of run.threads");
         add_choice(add);
       },
       run, about_run.c_str()},
      {"plan", "FILE", true, "print the stages as a graph: which are finished, go on or will run, and why",
       [](po::options_description_easy_init&& add) {
         add("set", po::value<Strings>()->composing()->value_name("PATH=VALUE"), kSet)(
             "name", po::value<std::string>()->value_name("NAME"), "name of the run: --set run.name=NAME")(
             "graph",
             "as a graph in the language of Graphviz: tenon plan FILE --graph | dot -Tsvg > plan.svg");
         add_choice(add);
       },
       plan,
       "Nothing is run and nothing is written. --from, --only and --force show what `tenon run` would do "
       "with them."},
      {"resume", "RUN", true, "go on with a run, given its folder",
       [](po::options_description_easy_init&& add) {
         add("threads", po::value<int>()->value_name("N"), "instead of run.threads");
       },
       resume, kRunStatus},
      {"check", "FILE", true, "report everything that is wrong with a configuration",
       [](po::options_description_easy_init&& add) {
         add("set", po::value<Strings>()->composing()->value_name("PATH=VALUE"), kSet)(
             "create", "go on to creating every component: opens files and LibTorch")(
             "data",
             "go on to showing the rows of the data sets to the rewards: lists those that a reward cannot "
             "judge");
       },
       check},
      {"plugins", "", false, "list every component and its presets, and why plugins cannot be used",
       [](po::options_description_easy_init&& add) {
         add("kind", po::value<std::string>()->value_name("KIND"),
             "components of that kind alone, for example algorithm")(
             "describe-file", po::value<std::string>()->value_name("FILE"),
             "open one file, in this process, and describe it as JSON");
       },
       plugins},
      {"describe", "[KIND/]ID", false, "what a component does and which options it has",
       [](po::options_description_easy_init&& add) {
         add("kind", po::value<std::string>()->value_name("KIND"),
             "the one of that kind, where several kinds have an ID; also written KIND/ID: dataset/jsonl")(
             "markdown", "as Markdown; without ID, the whole configuration guide");
       },
       describe},
      {"explain", "RUN", true, "how a sample's tokens came to their gradients, from the trace of a step",
       [](po::options_description_easy_init&& add) {
         add("step", po::value<int64_t>()->value_name("N"),
             "the step; without it, those that have a trace are listed")(
             "sample", po::value<int64_t>()->value_name("K"),
             "the sample, by the id that samples.jsonl has; without it, those of the step are listed")(
             "token", po::value<int64_t>()->value_name("T"),
             "one token of its completion, from 0: reward, group, baseline, advantage, ratio, clip, weight, "
             "gradient; without it, a table of all tokens")(
             "stage", po::value<std::string>()->value_name("NAME"), "the stage, where several have traces");
       },
       explain},
      {"score", "FILE", false, "what a reward says of samples in a file of JSON Lines (-: standard input)",
       [](po::options_description_easy_init&& add) {
         add("reward", po::value<std::string>()->value_name("NAME"),
             "a reward plugin or, with --config, a reward of that configuration")(
             "set", po::value<Strings>()->composing()->value_name("PATH=VALUE"),
             "an option of the reward or, with --config, a value of the configuration; may be repeated")(
             "config", po::value<std::string>()->value_name("FILE"),
             "take the reward as configured there: with scope and sources of its entry in a stage's list, "
             "and "
             "without its weight and only_if")(
             "stage", po::value<std::string>()->value_name("NAME"),
             "the stage whose entry it is, where several have one of that name")(
             "label", po::value<std::string>()->value_name("FIELD"),
             "a field of the rows that says what is right: the summary, which it asks for, has how often a "
             "reward "
             "above 0.5 agrees")("explain",
                                 "the whole path to the verdict, of rewards with the option `explain`")(
             "summary", "a table at the end, on standard error")(
             "batch", po::value<int64_t>()->value_name("N"),
             "rows of one call (1); micros is then their mean. More are faster where a reward asks a server")(
             "timeout", po::value<std::string>()->value_name("DURATION"), "of one call; 0 is none (0)")(
             "threads", po::value<int>()->value_name("N"), "threads that the reward may use");
       },
       score,
       "Exit status: 0; 1 where no row got a reward; 2 for a mistake in the options or in a row, whose line "
       "is "
       "named; 70\nwhere a plugin ended the program; 128 and its signal where it crashed; 130 after Ctrl-C. "
       "What "
       "was judged is written."},
      {"eval", "MODEL", false, "a model on benchmarks: a GGUF file, a folder with safetensors, or RUN:STAGE",
       [](po::options_description_easy_init&& add) {
         add("bench", po::value<Strings>()->composing()->value_name("NAMES"),
             "benchmarks, gsm8k,svamp; or the path of a benchmark file")("list",
                                                                         "the benchmarks that there are")(
             "data", po::value<Strings>()->composing()->value_name("[NAME=]FILE"),
             "rows of the benchmark, the whole set, instead of those that ship with it")(
             "problems", po::value<int64_t>()->value_name("N"), "the first N rows; 0, and without it: all")(
             "samples", po::value<int64_t>()->value_name("N"), "completions of each problem")(
             "temperature", po::value<double>()->value_name("T"), "of sampling; 0: the most likely token")(
             "top-p", po::value<double>()->value_name("P"), "of sampling")(
             "max-new-tokens", po::value<int64_t>()->value_name("N"), "most tokens of a completion")(
             "max-len", po::value<int64_t>()->value_name("N"),
             "context of the model: prompt and completion (1024 more than the most tokens of a completion)")(
             "pass-at", po::value<Strings>()->composing()->value_name("KS"), "the ks of pass@k: 1,8")(
             "cons-at", po::value<Strings>()->composing()->value_name("KS"), "the ks of cons@k: 8")(
             "interval", po::value<std::string>()->value_name("NAME"), "wilson or bootstrap")(
             "price", po::value<std::string>()->value_name("IN,OUT"),
             "of a million tokens of prompts and of completions: the table has the cost")(
             "server", po::value<std::string>()->value_name("URL"),
             "instead of MODEL an OpenAI-compatible server, up to and without /chat/completions")(
             "model", po::value<std::string>()->value_name("NAME"), "of --server: the model's name there")(
             "token-env", po::value<std::string>()->value_name("NAME"),
             "of --server: the environment variable with its token")(
             "text", "prompts as text, without the chat template: for base models")(
             "seed", po::value<int64_t>()->value_name("N"), "of sampling (1)")(
             "name", po::value<std::string>()->value_name("NAME"), "of the run and its folder")(
             "runs", po::value<std::string>()->value_name("FOLDER"), "where its folder is made (runs)")(
             "set", po::value<Strings>()->composing()->value_name("PATH=VALUE"),
             "change one value of the configuration that is made; may be repeated")(
             "threads", po::value<int>()->value_name("N"), "threads of the run");
       },
       eval,
       "The configuration is written to runs/<name>/eval.yaml, and completions to samples.jsonl beside it. "
       "The same command again\n"
       "goes on where it was stopped, or shows what there is."},
      {"plot", "RUN", true, "metrics of a run over its steps, as a picture",
       [](po::options_description_easy_init&& add) {
         add("metrics", po::value<Strings>()->composing()->value_name("NAME,NAME"),
             "what is drawn, by the scale at the left; without it, an error lists what there is")(
             "right", po::value<Strings>()->composing()->value_name("NAME,NAME"),
             "what is drawn by a scale of its own at the right, dashed")(
             "stage", po::value<std::string>()->value_name("NAME"), "the stage, where several have them")(
             "out", po::value<std::string>()->value_name("FILE.svg"), "instead of stdout");
       },
       plot,
       "A reward model's score beside what it stands for, over the steps of a stage with `held_out`:\n"
       "  tenon plot runs/rlhf-mini --stage ppo --metrics held_out/accuracy --right "
       "held_out/reward/score/mean --out ppo.svg\n"
       "A run that goes on can be plotted, too."},
      {"rank", "RUN", true,
       "put completions in an order by hand, in a run whose stage `collect` waits, or in its FILE",
       no_options, rank,
       "Exit status: 0 where everything is ranked; 130 where somebody stopped before: each answer is saved "
       "at "
       "once."},
      {"doctor", "", false, "what this machine has, and which plugins fail on it", no_options, doctor},
  };
  return commands;
}

po::options_description visible_options(const Command& command) {
  po::options_description options("Options");
  command.add_options(options.add_options());
  options.add_options()("plugin-path", po::value<Strings>()->composing()->value_name("FOLDER"),
                        "look for plugins here first; may be repeated")("json", "answer as JSON")(
      "help,h", "this text");
  return options;
}

std::string usage(const Command& command) {
  const std::string operand = command.operand;
  return "tenon " + std::string(command.name) +
         (operand.empty()            ? ""
          : command.operand_required ? " " + operand
                                     : " [" + operand + "]") +
         " [options]";
}

void print_help(const Command& command) {
  std::cout << usage(command) << "\n\n" << command.summary << "\n\n" << visible_options(command);
  if (*command.epilogue != '\0') std::cout << '\n' << command.epilogue << '\n';
}

void print_help() {
  std::cout << "tenon " << version()
            << ": trains reasoning models out of plugins, as one YAML file says\n\nUsage: tenon <command> "
               "[options]\n\nCommands:\n";
  for (const Command& command : commands()) {
    std::string words = command.name + (*command.operand != '\0' ? " " + std::string(command.operand) : "");
    words.resize(std::max<size_t>(words.size(), 20), ' ');
    std::cout << "  " << words << command.summary << '\n';
  }
  std::cout
      << "\n`tenon <command> --help` lists the options of a command; `tenon --version` prints the version.\n";
}

const Command& find_command(const std::string& name) {
  Strings names;
  for (const Command& command : commands()) {
    if (name == command.name) return command;
    names.emplace_back(command.name);
  }
  throw UserError("there is no command \"" + name + "\"." + did_you_mean(name, names) +
                  " `tenon --help` lists them.");
}

// Words beyond the one that the command takes, if it takes one.
void refuse_more_words(const Command& command, const Strings& words) {
  const bool takes_one = *command.operand != '\0';
  if (words.size() <= (takes_one ? 1 : 0)) return;
  const std::string& word = words[takes_one ? 1 : 0];
  const bool is_setting =
      word.find('=') != std::string::npos && visible_options(command).find_nothrow("set", false) != nullptr;
  throw UserError(std::string("tenon ") + command.name + " takes " +
                  (takes_one ? "one " + std::string(command.operand) + ", \"" + words.front() + "\", and "
                             : "options only, and ") +
                  "\"" + word + "\" is one word too many." +
                  (is_setting ? " Did you mean --set " + word + "?" : "") + " Usage: " + usage(command));
}

[[noreturn]] void refuse_option(const Command& command, const std::string& option) {
  const po::options_description options = visible_options(command);
  Strings known;
  for (const auto& o : options.options()) known.push_back("--" + o->long_name());
  throw UserError(std::string("tenon ") + command.name + " has no option " + option + "." +
                  did_you_mean(option, known) + " `tenon " + command.name + " --help` lists them.");
}

int run_command_line(const Command& command, const Strings& arguments) {
  po::options_description all = visible_options(command);
  po::positional_options_description positional;
  all.add_options()("operand", po::value<Strings>());
  positional.add("operand", -1);
  po::variables_map map;
  try {
    // Without guessing: `--se` must not be taken for --set.
    constexpr int kStyle = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
    po::store(po::command_line_parser(arguments).options(all).positional(positional).style(kStyle).run(),
              map);
  } catch (const po::unknown_option& e) {
    refuse_option(command, e.get_option_name());
  } catch (const po::error& e) {
    throw UserError(std::string(e.what()) + "; see `tenon " + command.name + " --help`");
  }
  if (map.count("help")) {
    print_help(command);
    return kExitOk;
  }
  refuse_more_words(command, strings(map, "operand"));
  if (command.operand_required && !map.count("operand"))
    throw UserError(std::string("tenon ") + command.name + " needs " + command.operand + "; see `tenon " +
                    command.name + " --help`");
  return command.run(map);
}

int dispatch(const Strings& arguments) {
  if (arguments.empty()) {
    print_help();
    return kExitUser;
  }
  const std::string& first = arguments.front();
  if (first == "--help" || first == "-h" || first == "help") {
    print_help();
    return kExitOk;
  }
  if (first == "--version") {
    std::cout << "tenon " << version() << '\n';
    return kExitOk;
  }
  if (first.starts_with('-'))
    throw UserError("a command comes first, for example `tenon run FILE " + first +
                    "`; `tenon --help` lists them");
  return run_command_line(find_command(first), Strings(arguments.begin() + 1, arguments.end()));
}

}  // namespace

const char* version() {
  return TENON_VERSION;
}

int command_line(int argc, char** argv) {
  try {
    int code = dispatch(Strings(argv + 1, argv + argc));
    std::cout.flush();
    if (!std::cout) {
      std::cerr << "tenon: error: the answer could not be written to stdout\n";
      return kExitFailed;
    }
    return code;
  } catch (const UserError& e) {
    Diagnostics diagnostics;
    diagnostics.add(e);
    diagnostics.print(std::cerr);
    return kExitUser;
  } catch (const LoadError& e) {
    std::cerr << "error: " << e.what() << '\n';
    return kExitUser;
  } catch (const std::exception& e) {
    std::cerr << "error: " << e.what() << '\n';
    return kExitFailed;
  }
}

}  // namespace tenon::host
