// Data set `augment`: the rows of another data set, asked in other words.
// SPDX-License-Identifier: Apache-2.0
#include <numeric>

#include "dataset_support/task.h"
#include "dataset_support/wrapped.h"

namespace {

namespace support = tenon::dataset_support;
using tenon::Error;
using tenon::Row;

class Augment {
 public:
  explicit Augment(tenon::Host host)
      : host_(host),
        data_(host.get_component<tenon::Dataset>("data")),
        each_(static_cast<uint64_t>(host.i64("each"))),
        seed_(static_cast<uint64_t>(host.i64("seed"))) {
    for (const std::string& text : host.strs("templates")) templates_.emplace_back(text);
    if (host.boolean("keep")) templates_.emplace_back("{question}");
  }

  static void check(tenon::Host host, tenon::Findings& findings) {
    const uint64_t n = host.count("templates");
    if (n == 0) findings.error("templates", "the list is empty");
    if (static_cast<uint64_t>(host.i64("each")) > n + host.boolean("keep"))
      findings.error("each", "there are only " + std::to_string(n + host.boolean("keep")) +
                                 " ways to ask, and those of a row are different ones");
    for (uint64_t i = 0; i < n; ++i) {
      const std::string at = "templates." + std::to_string(i);
      try {
        const support::Template text(host.str(at.c_str()));
        if (text.names().empty())
          findings.error(at.c_str(), "names nothing of the row: write {question} where the question goes");
      } catch (const Error& e) {
        findings.error(at.c_str(), e.what());
      }
    }
  }

  uint64_t size() const {
    const uint64_t n = data_.count();
    return n == TENON_COUNT_UNBOUNDED ? n : n * each_;
  }

  Row at(uint64_t index) const {
    const uint64_t from = index / each_;
    const tenon_call call{sizeof call, kDLCPU, 0, 0, 0, 0, nullptr};
    Row row = std::move(data_.read(&call, from, 1).at(0));
    const size_t which = chosen(from)[index % each_];
    try {
      ask(row, templates_[which]);
    } catch (const Error& e) {
      throw Error("templates." + std::to_string(which) + ": " + support::place_of(row, from, "data") + ": " +
                  e.what());
    }
    support::add_lineage(row, "augment", from, "\"template\":" + std::to_string(which));
    return row;
  }

 private:
  // The templates of a row, in an order drawn for it.
  std::vector<size_t> chosen(uint64_t row) const {
    std::vector<size_t> all(templates_.size());
    std::iota(all.begin(), all.end(), size_t{0});
    support::Draws draws(host_, seed_, row);
    support::shuffle(all, draws);
    return all;
  }

  static void ask(Row& row, const support::Template& words) {
    auto fill = [&](const std::string& question) {
      return words.fill([&](const std::string& name) {
        if (name == "question") return question;
        const auto value = support::part_of(row, name);
        if (!value) throw Error("the row has no field \"" + name + "\" in its meta");
        return *value;
      });
    };
    if (row.messages_json.empty()) {
      row.prompt = fill(row.prompt);
      return;
    }
    // Of a chat the last message of the user.
    const std::vector<std::string_view> messages = tenon::json::elements(row.messages_json);
    size_t last = messages.size();
    for (size_t i = 0; i < messages.size(); ++i)
      if (tenon::json::text_field(messages[i], "role") == "user") last = i;
    if (last == messages.size()) throw Error("the chat has no message of the user");
    std::string out;
    for (size_t i = 0; i < messages.size(); ++i)
      out +=
          (out.empty() ? "[" : ",") +
          (i != last
               ? std::string(messages[i])
               : "{\"role\":\"user\",\"content\":" +
                     tenon::json::quote(fill(tenon::json::text_field(messages[i], "content").value_or(""))) +
                     "}");
    row.messages_json = out + "]";
  }

  tenon::Host host_;
  tenon::Dataset data_;
  uint64_t each_, seed_;
  std::vector<support::Template> templates_;
};

}  // namespace

TENON_DATASET_PLUGIN(
    Augment, "augment", "1.0.0", "The rows of another data set, asked in other words by templates.",
    tenon::reference("data", "dataset", nullptr, "The data set.", {.flags = TENON_O_REQUIRED}),
    tenon::text(
        "templates", nullptr,
        "Ways to ask, with {question} for the row's question (of a chat the user's last message) and {field} "
        "for fields of its meta; {{ and }} are braces.",
        {.flags = TENON_O_REQUIRED | TENON_O_LIST}),
    tenon::boolean("keep", "true", "Whether the question as it stands is one of the ways, too."),
    tenon::integer("each", "1", "Rows made of each row, each in another way.",
                   {.min = "1", .max = "1000", .unit = "rows"}),
    tenon::integer("seed", "0", "Of the choice of ways; independent of the run's seed.", {.min = "0"}))
