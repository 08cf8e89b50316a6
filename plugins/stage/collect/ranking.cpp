// Completions to be ranked.
// SPDX-License-Identifier: Apache-2.0
#include "ranking.h"

#include <unistd.h>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>
#include <set>
#include <string_view>
#include <utility>

#include "tenon/error.hpp"
#include "tenon/json.hpp"

namespace tenon::collect {

namespace fs = std::filesystem;

std::string to_line(const Item& item) {
  std::string out = "{\"prompt\":" + json::quote(item.prompt) + ",\"completions\":[";
  for (size_t k = 0; k < item.completions.size(); ++k)
    out += (k == 0 ? "" : ",") + json::quote(item.completions[k]);
  out += "],\"ranking\":";
  if (!item.ranking) return out + "null}";
  out += "[";
  for (size_t k = 0; k < item.ranking->size(); ++k)
    out += (k == 0 ? "" : ",") + std::to_string((*item.ranking)[k]);
  return out + "]}";
}

Item from_line(const std::string& line) {
  Item item;
  const auto prompt = json::text_field(line, "prompt");
  const auto completions = json::raw_field(line, "completions"), ranking = json::raw_field(line, "ranking");
  if (!prompt || !completions || !completions->starts_with('[') || !ranking)
    throw Error(
        TENON_E_INVALID,
        "it has not the fields \"prompt\", \"completions\" (a list) and \"ranking\" (a list or null)");
  item.prompt = *prompt;
  for (const std::string_view one : json::elements(*completions)) {
    if (!one.starts_with('"')) throw Error(TENON_E_INVALID, "a completion is not a text");
    item.completions.push_back(json::detail::Scanner{one}.string());
  }
  if (*ranking == "null") return item;
  const std::string wrong = "\"ranking\" is " + std::string(*ranking) +
                            ": allowed are null, [] and the places 0 to " +
                            std::to_string(item.completions.size() - 1) + ", each once, best first";
  if (!ranking->starts_with('[')) throw Error(TENON_E_INVALID, wrong);
  item.ranking.emplace();
  std::vector<bool> seen(item.completions.size());
  for (const std::string_view one : json::elements(*ranking)) {
    const bool is_place = !one.empty() && one.size() < 6 && one.find_first_not_of("0123456789") == one.npos;
    const uint64_t place = is_place ? std::stoull(std::string(one)) : seen.size();
    if (place >= seen.size() || seen[place]) throw Error(TENON_E_INVALID, wrong);
    seen[place] = true;
    item.ranking->push_back(place);
  }
  if (!item.ranking->empty() && item.ranking->size() != seen.size()) throw Error(TENON_E_INVALID, wrong);
  return item;
}

std::vector<Line> read_lines(const std::string& file) {
  std::vector<Line> lines;
  std::error_code none;
  if (!fs::exists(file, none)) return lines;
  std::ifstream in(file, std::ios::binary);
  std::string line;
  for (uint64_t number = 1; std::getline(in, line); ++number) {
    if (line.empty()) continue;
    try {
      lines.push_back({from_line(line), line});
    } catch (const std::exception& e) {
      throw Error(TENON_E_INVALID, file + ":" + std::to_string(number) + ": " + e.what());
    }
  }
  if (in.bad() || !in.eof()) throw Error(TENON_E_IO, file + " cannot be read");
  return lines;
}

void write_lines(const std::string& file, std::span<const std::string> lines) {
  const std::string beside = file + ".new";
  std::FILE* out = std::fopen(beside.c_str(), "wb");
  bool is_written = out != nullptr;
  for (const std::string& line : lines)
    is_written = is_written && std::fwrite(line.data(), 1, line.size(), out) == line.size() &&
                 std::fputc('\n', out) != EOF;
  is_written = is_written && std::fflush(out) == 0 && fsync(fileno(out)) == 0;
  if (out != nullptr) is_written = std::fclose(out) == 0 && is_written;
  std::error_code error;
  if (is_written) fs::rename(beside, file, error);
  if (!is_written || error) throw Error(TENON_E_IO, file + " cannot be written: is there room on the disk?");
}

Rankings look_up(const std::string& file, std::span<Item* const> waiting) {
  using Key = std::pair<std::string_view, std::vector<std::string>>;
  const auto key = [](const Item& item) { return Key{item.prompt, item.completions}; };
  std::map<Key, bool> is_in_file;  // of each list that waits
  for (const Item* item : waiting) is_in_file.emplace(key(*item), false);
  Rankings out;
  out.lists = is_in_file.size();

  const std::vector<Line> lines = read_lines(file);
  std::map<Key, const Item*> ranked;
  std::vector<std::string> texts;
  for (const Line& line : lines) {
    const auto waits = is_in_file.find(key(line.item));
    if (waits != is_in_file.end()) waits->second = true;
    // What nobody has ranked and nothing waits for is left out: to rank it would be of no use.
    if (waits == is_in_file.end() && !line.item.ranking) continue;
    texts.push_back(line.text);
    if (line.item.ranking) ranked[key(line.item)] = &line.item;
    out.others += waits == is_in_file.end() ? 1 : 0;
  }
  const bool is_shorter = texts.size() < lines.size();
  const size_t kept = texts.size();
  std::set<Key> open;
  for (Item* item : waiting) {
    if (bool& is_there = is_in_file.at(key(*item)); !std::exchange(is_there, true))
      texts.push_back(to_line(*item));
    const auto at = ranked.find(key(*item));
    if (at != ranked.end())
      item->ranking = at->second->ranking;
    else
      open.insert(key(*item));
  }
  out.open = open.size();
  if (out.open > 0 && (is_shorter || texts.size() > kept)) write_lines(file, texts);
  return out;
}

std::vector<uint64_t> simulated_ranking(std::span<const double> scores, double temperature,
                                        std::span<const double> uniform) {
  std::vector<uint64_t> places(scores.size());
  std::iota(places.begin(), places.end(), uint64_t{0});
  std::vector<double> key(scores.begin(), scores.end());
  if (temperature > 0)
    for (size_t k = 0; k < key.size(); ++k) key[k] = key[k] / temperature - std::log(-std::log(uniform[k]));
  std::stable_sort(places.begin(), places.end(), [&](uint64_t a, uint64_t b) { return key[a] > key[b]; });
  return places;
}

}  // namespace tenon::collect
