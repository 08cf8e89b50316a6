// `tenon rank`.
// SPDX-License-Identifier: Apache-2.0
#include "host/commands_rank.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cctype>
#include <istream>
#include <numeric>
#include <optional>
#include <ostream>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/command_line.h"
#include "host/diagnostics.h"
#include "host/files.h"
#include "host/json_text.h"
#include "host/run_error.h"
#include "host/run_folder.h"
#include "host/shown_text.h"

namespace tenon::host {

namespace json = boost::json;

namespace {

constexpr size_t kMostCompletions = 26;  // one letter each

[[noreturn]] void refuse(const std::filesystem::path& file, size_t line, const std::string& what) {
  throw UserError(file.string() + ":" + std::to_string(line) + ": " + what +
                  ". A line has \"prompt\", \"completions\" (2 to 26 texts) and \"ranking\" (null, [] or "
                  "each place once), as the stage `collect` writes them");
}

void check_ranking(const std::filesystem::path& file, size_t line, const json::value& ranking, size_t n) {
  if (ranking.is_null()) return;
  if (!ranking.is_array()) refuse(file, line, "\"ranking\" is neither null nor a list");
  std::vector<bool> seen(n);
  for (const json::value& place : ranking.as_array()) {
    if (!place.is_int64() || place.as_int64() < 0 || static_cast<uint64_t>(place.as_int64()) >= n ||
        seen[static_cast<size_t>(place.as_int64())])
      refuse(file, line,
             "\"ranking\" is " + json::serialize(ranking) + ", and there are " + std::to_string(n) +
                 " completions");
    seen[static_cast<size_t>(place.as_int64())] = true;
  }
  if (!ranking.as_array().empty() && ranking.as_array().size() != n)
    refuse(file, line,
           "\"ranking\" is " + json::serialize(ranking) + ", and there are " + std::to_string(n) +
               " completions");
}

std::vector<json::object> read_items(const std::filesystem::path& file) {
  std::string text;
  try {
    text = read_file(file);
  } catch (const RunError& e) {
    throw UserError(e.what());
  }
  std::vector<json::object> items;
  size_t line = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view one(text.data() + begin, end - begin);
    begin = end + 1, ++line;
    if (one.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    boost::system::error_code error;
    const json::value value = json::parse(one, error);
    if (error || !value.is_object()) refuse(file, line, "no JSON object");
    const json::object& item = value.as_object();
    const json::value* prompt = item.if_contains("prompt");
    const json::value* completions = item.if_contains("completions");
    const json::value* ranking = item.if_contains("ranking");
    if (!prompt || !prompt->is_string() || !completions || !completions->is_array() || !ranking)
      refuse(file, line, "a field is missing or of another type");
    const json::array& texts = completions->as_array();
    if (texts.size() < 2 || texts.size() > kMostCompletions ||
        !std::all_of(texts.begin(), texts.end(), [](const json::value& t) { return t.is_string(); }))
      refuse(file, line, "\"completions\" are not 2 to 26 texts");
    check_ranking(file, line, *ranking, texts.size());
    items.push_back(item);
  }
  if (items.empty()) throw UserError(file.string() + " has nothing to rank");
  return items;
}

void write_items(const std::filesystem::path& file, const std::vector<json::object>& items) {
  std::string text;
  for (const json::object& item : items) text += json_text(item) + "\n";
  write_file(file, text);
}

// Set in from the left, so that it is told from what is asked.
std::string shown(std::string_view text) {
  std::string out = "  ";
  for (const char c : shown_text(text)) out += c == '\n' ? std::string("\n  ") : std::string(1, c);
  return out;
}

// The order in which the completions of an item are shown: always the same, and no hint which came first.
std::vector<size_t> shown_order(size_t item, size_t n) {
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), size_t{0});
  std::mt19937_64 random(item);
  for (size_t i = n; i-- > 1;) std::swap(order[i], order[random() % (i + 1)]);
  return order;
}

// The places that an answer such as "bac" or "B > A > C" means, best first; nothing where it does not name each letter once.
std::optional<std::vector<size_t>> places_of(const std::string& answer, const std::vector<size_t>& order) {
  std::vector<size_t> places;
  for (const char c : answer) {
    if (std::isspace(static_cast<unsigned char>(c)) || c == '>' || c == ',') continue;
    const auto letter = static_cast<size_t>(std::toupper(static_cast<unsigned char>(c)) - 'A');
    if (letter >= order.size() || std::find(places.begin(), places.end(), order[letter]) != places.end())
      return std::nullopt;
    places.push_back(order[letter]);
  }
  if (places.size() != order.size()) return std::nullopt;
  return places;
}

std::filesystem::path to_rank(const StageFolder& stage) {
  return stage.kept() / "to-rank.jsonl";
}

// <run>/stages/<stage>/artifacts/kept/to-rank.jsonl; a file that somebody copied is in no run.
std::string how_to_go_on(const std::filesystem::path& file) {
  std::filesystem::path run = std::filesystem::absolute(file).lexically_normal();
  for (int up = 0; up < 5; ++up) run = run.parent_path();
  if (!std::filesystem::exists(run / "config.yaml"))
    return "`tenon resume` of the run that has the file goes on.";
  return "Go on with: tenon resume " + RunFolder(run).shown();
}

size_t open_in(const std::filesystem::path& file) {
  const std::vector<json::object> items = read_items(file);
  return static_cast<size_t>(std::count_if(
      items.begin(), items.end(), [](const json::object& item) { return item.at("ranking").is_null(); }));
}

// The file that waits in a run's folder. Throws UserError if there is none, or if it is not clear which.
std::filesystem::path file_of_run(const std::filesystem::path& given) {
  const RunFolder run(find_run(given));
  std::vector<std::pair<std::filesystem::path, size_t>> files;  // and how many lists are open
  for (const auto& [stage, hash] : run.hashes())
    if (const auto file = to_rank(StageFolder(run.path(), stage, hash)); std::filesystem::exists(file))
      files.emplace_back(file, open_in(file));
  if (files.empty()) throw UserError(run.shown() + ": none of its stages has completions for people to rank");
  const auto is_done = [](const auto& file) { return file.second == 0; };
  if (!std::all_of(files.begin(), files.end(), is_done)) std::erase_if(files, is_done);
  if (files.size() == 1) return files[0].first;
  std::string all;
  for (const auto& [file, open] : files)
    all += "\n  " + (std::filesystem::path(run.shown()) / file.lexically_relative(run.path())).string() +
           (open > 0 ? " (" + std::to_string(open) + " to rank)" : "");
  throw UserError(run.shown() + " has several files of completions to rank; name one of them:" + all);
}

class Session {
 public:
  Session(const std::filesystem::path& file, std::istream& in, std::ostream& out)
      : file_(file), in_(in), out_(out), items_(read_items(file)) {
    for (size_t i = 0; i < items_.size(); ++i)
      if (items_[i]["ranking"].is_null()) open_.push_back(i);
  }

  int run() {
    if (!open_.empty())
      out_ << "Put the completions in order, best first: the letters, such as BAC. Also: - cannot say, < the "
              "one "
              "before again, q stop. Each answer is saved at once.\n";
    size_t at = 0;
    while (at < open_.size()) {
      show(at);
      std::string answer;
      if (!std::getline(in_, answer) || answer == "q") break;
      if (answer == "<") {
        at -= at > 0 ? 1 : 0;
      } else if (answer == "-") {
        keep(at++, {});
      } else if (const auto places = places_of(answer, shown_order(open_[at], count(at)))) {
        keep(at++, *places);
      } else {
        out_ << "\"" << answer << "\" does not name each of A to " << static_cast<char>('A' + count(at) - 1)
             << " once.\n";
      }
    }
    const auto left = std::count_if(items_.begin(), items_.end(),
                                    [](const json::object& item) { return item.at("ranking").is_null(); });
    if (left == 0) {
      out_ << "\nAll " << items_.size() << " are ranked. " << how_to_go_on(file_) << "\n";
      return kExitOk;
    }
    out_ << "\n"
         << items_.size() - static_cast<size_t>(left) << " of " << items_.size()
         << " are ranked, and saved. Go on with: tenon rank " << file_.string() << "\n";
    return kExitStopped;
  }

 private:
  size_t count(size_t at) const { return items_[open_[at]].at("completions").as_array().size(); }

  void show(size_t at) const {
    const json::object& item = items_[open_[at]];
    out_ << "\n[" << open_[at] + 1 << "/" << items_.size() << "]\n"
         << shown(item.at("prompt").as_string()) << "\n";
    const json::array& texts = item.at("completions").as_array();
    const std::vector<size_t> order = shown_order(open_[at], texts.size());
    for (size_t k = 0; k < order.size(); ++k)
      out_ << "--- " << static_cast<char>('A' + k) << "\n" << shown(texts[order[k]].as_string()) << "\n";
    out_ << "> " << std::flush;
  }

  void keep(size_t at, const std::vector<size_t>& places) {
    items_[open_[at]]["ranking"] = json::array(places.begin(), places.end());
    write_items(file_, items_);
  }

  const std::filesystem::path& file_;
  std::istream& in_;
  std::ostream& out_;
  std::vector<json::object> items_;
  std::vector<size_t> open_;  // what had no ranking at the beginning
};

}  // namespace

int rank_command(const std::filesystem::path& given, std::istream& in, std::ostream& out) {
  const std::filesystem::path file = std::filesystem::is_directory(given) ? file_of_run(given) : given;
  return Session(file, in, out).run();
}

}  // namespace tenon::host
