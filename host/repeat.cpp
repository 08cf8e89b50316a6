// Loops in a pipeline, written out as plain stages.
// SPDX-License-Identifier: Apache-2.0
#include "host/repeat.h"

#include <algorithm>

#include "host/options.h"
#include "tenon/options.hpp"

namespace tenon::host {

namespace {

constexpr tenon::Limits required(const char* min = nullptr, const char* max = nullptr) {
  tenon::Limits limits;
  limits.min = min;
  limits.max = max;
  limits.flags = TENON_O_REQUIRED;
  return limits;
}

constexpr tenon::OptionTable kRepeatOptions{
    tenon::integer("repeat", nullptr, "Rounds: how often the stages run, one after the other.",
                   required("1", "1000")),
    tenon::text("name", nullptr,
                "Name of the loop: its stages are called NAME.1.STAGE, NAME.2.STAGE, …; NAME.STAGE is that "
                "of the last round.",
                required())};

class Expansion {
 public:
  Expansion(Diagnostics& diagnostics, ExpandedPipeline& out) : diagnostics_(diagnostics), out_(out) {}

  void add(const Value& item, size_t number) {
    if (item.is_map() && item.find("repeat") != nullptr)
      add_loop(item, number);
    else
      out_.stages.push_back({item, "pipeline", number, "", kNoLoop, 0});
  }

 private:
  void error(const Mark& mark, const std::string& path, const std::string& message) {
    diagnostics_.error(mark, path, message);
  }

  void add_loop(const Value& item, size_t number) {
    const size_t errors_before = diagnostics_.error_reports();
    std::string path = "pipeline." + std::to_string(number);
    if (const Value* name = item.find("name"); name != nullptr && name->is_scalar())
      path = "pipeline." + name->text;
    std::vector<Entry> options;
    const Value* stages = nullptr;
    for (const Entry& entry : item.entries) {
      if (entry.key == "stages")
        stages = &entry.value;
      else if (entry.key == "repeat" || entry.key == "name")
        options.push_back(entry);
      else if (!entry.key.starts_with("x-"))
        error(entry.key_mark, path + "." + entry.key,
              "unknown key of a loop." + did_you_mean(entry.key, {"repeat", "name", "stages"}) +
                  " A loop has repeat, name and stages");
    }
    const boost::json::object values =
        check_options(kRepeatOptions, options, {path, item.mark, "a loop", {}}, diagnostics_).values;
    if (stages == nullptr || !stages->is_list() || stages->items.empty())
      return error(stages != nullptr ? stages->mark : item.mark, path + ".stages",
                   "takes a list of at least one stage, which are repeated in this order");
    if (diagnostics_.error_reports() != errors_before) return;

    Loop loop;
    loop.name = values.at("name").as_string();
    loop.mark = item.find("name")->mark;
    loop.rounds = static_cast<uint64_t>(values.at("repeat").as_int64());
    loop.number = number;
    read_stages(*stages, path, loop);
    if (diagnostics_.error_reports() == errors_before) add_rounds(*stages, path + ".stages", std::move(loop));
  }

  void read_stages(const Value& stages, const std::string& path, Loop& loop) {
    for (size_t i = 0; i < stages.items.size(); ++i) {
      const Value& stage = stages.items[i];
      const std::string here = path + ".stages." + std::to_string(i);
      const Value* name = stage.find("name");
      if (stage.is_map() && stage.find("repeat") != nullptr) {
        error(stage.mark, here, "a loop inside a loop cannot be; give it a place of its own in the pipeline");
      } else if (!stage.is_map() || name == nullptr || !name->is_scalar()) {
        error(name != nullptr ? name->mark : stage.mark, here,
              "takes a map with `name`, `use` and options" +
                  (stage.is_map() ? std::string() : ", not " + describe(stage)));
      } else {
        const auto same = std::find(loop.stages.begin(), loop.stages.end(), name->text);
        if (same != loop.stages.end())
          error(name->mark, here + ".name",
                "two stages of this loop are called \"" + name->text + "\"; the first is in line " +
                    std::to_string(loop.stage_marks[static_cast<size_t>(same - loop.stages.begin())].line));
        loop.stages.push_back(name->text);
        loop.stage_marks.push_back(name->mark);
      }
    }
  }

  void add_rounds(const Value& stages, const std::string& list, Loop loop) {
    const size_t errors_before = diagnostics_.error_reports();
    for (size_t i = 0; i < stages.items.size(); ++i)
      find_differences(stages.items[i], list + "." + loop.stages[i], {}, loop.rounds_differ.emplace_back());
    if (diagnostics_.error_reports() != errors_before) return;
    for (uint64_t round = 1; round <= loop.rounds; ++round)
      for (size_t i = 0; i < stages.items.size(); ++i)
        out_.stages.push_back({stage_in_round(stages.items[i], loop, round), list, i, loop.prefix(round),
                               out_.loops.size(), round});
    out_.loops.push_back(std::move(loop));
  }

  static bool differs(const Value& value) {
    return value.is_map() && (value.find("first") != nullptr || value.find("then") != nullptr);
  }

  // The maps {first: …, then: …} below `value`, and mistakes in them.
  void find_differences(const Value& value, const std::string& path, const std::vector<std::string>& keys,
                        std::vector<std::pair<std::vector<std::string>, Value>>& found) {
    if (!keys.empty() && differs(value)) {
      if (value.find("first") == nullptr || value.find("then") == nullptr || value.entries.size() != 2)
        error(value.mark, path,
              "{first: …, then: …} is what holds in the first round and what holds in those behind it: it "
              "takes "
              "both, and nothing else");
      found.emplace_back(keys, value);
      return;
    }
    const auto below = [&](const std::string& key, const Value& item) {
      std::vector<std::string> longer = keys;
      longer.push_back(key);
      find_differences(item, path + "." + key, longer, found);
    };
    for (const Entry& entry : value.entries) below(entry.key, entry.value);
    for (size_t i = 0; i < value.items.size(); ++i) below(std::to_string(i), value.items[i]);
  }

  static Value stage_in_round(Value stage, const Loop& loop, uint64_t round) {
    for (Entry& entry : stage.entries) entry.value = in_round(entry.value, loop, round);
    return stage;
  }

  static Value in_round(const Value& value, const Loop& loop, uint64_t round) {
    if (differs(value))
      return round == 1 ? *value.find("first") : of_round_before(*value.find("then"), loop, round);
    Value out = value;
    for (Entry& entry : out.entries) entry.value = in_round(entry.value, loop, round);
    for (Value& item : out.items) item = in_round(item, loop, round);
    return out;
  }

  // Which scalars are references only the option tables know, so that all of them are told.
  static Value of_round_before(Value value, const Loop& loop, uint64_t round) {
    for (Value& item : value.items) item = of_round_before(item, loop, round);
    for (Entry& entry : value.entries) entry.value = of_round_before(entry.value, loop, round);
    if (value.is_scalar()) value.round_before = loop.prefix(round - 1);
    return value;
  }

  Diagnostics& diagnostics_;
  ExpandedPipeline& out_;
};

}  // namespace

ExpandedPipeline expand_pipeline(const Value& pipeline, Diagnostics& diagnostics) {
  ExpandedPipeline out;
  Expansion expansion(diagnostics, out);
  for (size_t i = 0; i < pipeline.items.size(); ++i) expansion.add(pipeline.items[i], i);
  return out;
}

const tenon_option* const* repeat_options() {
  return kRepeatOptions;
}

}  // namespace tenon::host
