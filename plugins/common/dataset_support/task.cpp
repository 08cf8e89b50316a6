// Rows of procedural tasks.
// SPDX-License-Identifier: Apache-2.0
#include "dataset_support/task.h"

#include <algorithm>

namespace tenon::dataset_support {
namespace {
constexpr double kTestShare = 0.1;
}

Task::Task(const Host& host, bool with_choices)
    : host_(host),
      form_(host),
      template_(host.str("template")),
      min_level_(host.i64("min_level")),
      max_level_(host.i64("max_level")),
      test_(host.str("split") == "test"),
      seed_(static_cast<uint64_t>(host.i64("seed"))),
      rows_(static_cast<uint64_t>(host.i64_if("rows").value_or(-1))),
      choices_(with_choices ? static_cast<size_t>(host.i64("choices")) : 0) {
  require_names(template_, {"question"});
}

void Task::check(const Host& host, Findings& findings) {
  PromptForm::check(host, findings);
  if (host.i64("min_level") > host.i64("max_level")) findings.error("min_level", "is greater than max_level");
  try {
    require_names(Template(host.str("template")), {"question"});
  } catch (const Error& e) {
    findings.error("template", e.what());
  }
}

bool Task::offer_choices(Problem& p, Draws& draws) const {
  if (choices_ == 0) return true;
  std::vector<std::string> all{p.answer};
  for (std::string& one : p.wrong)
    if (all.size() < choices_ && std::find(all.begin(), all.end(), one) == all.end())
      all.push_back(std::move(one));
  if (all.size() < choices_) return false;
  shuffle(all, draws);
  std::string list, letter;
  for (size_t i = 0; i < all.size(); ++i) {
    const std::string name(1, static_cast<char>('A' + i));
    p.question += "\n" + name + ") " + all[i];
    list += (i == 0 ? "" : ",") + json::quote(all[i]);
    if (all[i] == p.answer) letter = name;
  }
  p.answer = letter;
  p.more += (p.more.empty() ? "" : ",") + ("\"choices\":[" + list + "]");
  return true;
}

Row Task::row(uint64_t index, const std::function<Problem(Draws&, int64_t)>& draw) const {
  if (index >= rows_)
    throw Error("row " + std::to_string(index) + " of " + std::to_string(rows_) + " was asked for");
  Draws draws(host_, seed_, index);
  const int64_t level = draws.between(min_level_, max_level_);
  Problem p = draw(draws, level);
  while (held_out(p.question, kTestShare) != test_ || !offer_choices(p, draws)) p = draw(draws, level);
  Row row;
  form_.set(row, template_.fill([&](const std::string&) { return p.question; }));
  if (!p.work.empty()) row.completion = p.work + " The answer is " + p.answer + ".";
  row.meta_json = "{\"answer\":" + json::quote(p.answer) + ",\"level\":" + std::to_string(level) +
                  ",\"question\":" + json::quote(p.question) + (p.more.empty() ? "" : "," + p.more) + "}";
  return row;
}

}  // namespace tenon::dataset_support
