// Reward `math`: is the completion's answer the gold answer, mathematically?
// SPDX-License-Identifier: Apache-2.0
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "math_answer/math_answer.hpp"
#include "tenon/reward.hpp"

namespace {

namespace math = tenon::math_answer;

// What a row says, read once.
struct RowFacts {
  std::string text;                // the gold answer's
  std::optional<math::Gold> gold;  // none: it is not where gold_extract looks for it
  std::optional<math::Question> question;
};

// How many of the rows that were read have a question that is its own answer, and a warning of it: once among the first rows, and of all at the end.
class QuestionCount {
 public:
  explicit QuestionCount(tenon::Host host) : host_(host) {}
  ~QuestionCount() {
    if (paying_ > 0 && told_ != rows_) tell();
  }
  QuestionCount(const QuestionCount&) = delete;
  QuestionCount& operator=(const QuestionCount&) = delete;

  void add(bool pays) {
    const std::lock_guard lock(mutex_);
    ++rows_;
    paying_ += pays ? 1 : 0;
    if (rows_ == kFirst && paying_ > 0) tell();
  }

 private:
  static constexpr uint64_t kFirst = 64;

  void tell() {
    told_ = rows_;
    host_.warn("in " + std::to_string(paying_) + " of " + std::to_string(rows_) +
               " rows the prompt's last formula, copied, is judged equal to the gold answer; `worked_out: "
               "true` does "
               "not pay for that");
  }

  tenon::Host host_;
  std::mutex mutex_;
  uint64_t rows_ = 0, paying_ = 0, told_ = 0;
};

// The least recently used is forgotten first. Any thread may ask.
class RowCache {
 public:
  explicit RowCache(size_t capacity) : capacity_(capacity) {}

  // What `read` made of `key`, which it is called for where that is not kept.
  template <class Read>
  std::shared_ptr<const RowFacts> get(const std::string& key, Read read) {
    {
      const std::lock_guard lock(mutex_);
      if (auto found = rows_.find(key); found != rows_.end()) {
        order_.splice(order_.begin(), order_, found->second);
        return found->second->second;
      }
    }
    auto row = std::make_shared<const RowFacts>(read());
    const std::lock_guard lock(mutex_);
    if (rows_.contains(key)) return row;
    order_.emplace_front(key, row);
    rows_.emplace(key, order_.begin());
    if (rows_.size() > capacity_) {
      rows_.erase(order_.back().first);
      order_.pop_back();
    }
    return row;
  }

 private:
  using Entry = std::pair<std::string, std::shared_ptr<const RowFacts>>;
  size_t capacity_;
  std::mutex mutex_;
  std::list<Entry> order_;
  std::unordered_map<std::string, std::list<Entry>::iterator> rows_;
};

// The names of math::GoldPlace, in its order.
constexpr const char* kGoldPlaces[] = {"auto", "whole", "after-hash", "boxed", "last-number", nullptr};

math::GoldPlace gold_place(const std::string& name) {
  int k = 0;
  while (name != kGoldPlaces[k]) ++k;
  return static_cast<math::GoldPlace>(k);
}

class Math {
 public:
  explicit Math(tenon::Host host)
      : gold_field_(host.str("gold")),
        gold_extract_(host.str("gold_extract")),
        bare_(host.boolean("bare")),
        explain_(host.boolean("explain")),
        work_(static_cast<uint64_t>(host.i64("work"))),
        right_(host.f64("right")),
        wrong_(host.f64("wrong")),
        rows_(static_cast<size_t>(host.i64("cache"))),
        questions_(host) {
#define MATH_BOOL(field, fallback, doc) policies_.field = host.boolean(#field);
#define MATH_INT(field, fallback, min, max, doc) policies_.field = host.i64(#field);
#define MATH_NUMBER(field, fallback, doc) policies_.field = host.f64(#field);
#define MATH_CHOICE(field, fallback, doc, ...) math::set_policy(policies_, #field, host.str(#field));
#include "math_answer/policies.def"
#undef MATH_BOOL
#undef MATH_INT
#undef MATH_NUMBER
#undef MATH_CHOICE
  }

  double operator()(const tenon::Sample& sample) {
    const std::string field = gold_text(sample);
    std::string key = field;
    for (const std::string& formula : math::formulas_of(sample.prompt)) key += '\0' + formula;
    const auto row = rows_.get(key, [&] { return read(field, sample.prompt); });
    if (!row->gold)
      tenon::refuse("no gold answer (" + gold_extract_ + ") in field \"" + gold_field_ +
                    "\": " + quoted(field));
    const math::Gold& gold = *row->gold;
    if (const math::Result& parsed = gold.parsed(); parsed.verdict != math::Verdict::kEqual)
      tenon::not_applicable(std::string(math::verdict_name(parsed.verdict)) + ": the gold answer " +
                            quoted(row->text) + " cannot be read: " + parsed.reason);
    const bool bare = says_bare(sample) || bare_;
    math::Result result = bare ? math::compare(gold, sample.completion, policies_, explain_, work_)
                               : math::judge(gold, sample.completion, policies_, explain_, work_);
    if (policies_.worked_out && result.verdict == math::Verdict::kEqual &&
        row->question->is_copied(result.answer, policies_)) {
      result.verdict = math::Verdict::kDifferent;
      result.reason = "the question's own formula, not worked out";
    }
    sample.note("found", result.answer.empty() ? 0 : 1);
    sample.note("undecided", result.verdict == math::Verdict::kUndecided ? 1 : 0);
    tell(sample, result);
    return result.verdict == math::Verdict::kEqual ? right_ : wrong_;
  }

 private:
  RowFacts read(const std::string& field, std::string_view prompt) {
    auto text = math::find_gold(field, gold_place(gold_extract_));
    if (!text) return {};
    RowFacts row{std::move(*text), std::nullopt, std::nullopt};
    row.gold.emplace(row.text, policies_);
    row.question.emplace(prompt, *row.gold, policies_);
    if (!policies_.worked_out) questions_.add(row.question->pays());
    return row;
  }

  // A string's content or a number as it is written; anything else no completion could answer.
  std::string gold_text(const tenon::Sample& sample) const {
    const auto raw = only_field(sample, gold_field_);
    const char first = raw ? raw->front() : '\0';
    const char* fault = !raw                           ? "absent"
                        : first == '{'                 ? "an object"
                        : first == '['                 ? "a list"
                        : first == 't' || first == 'f' ? "a boolean"
                        : first == 'n'                 ? "null"
                                                       : nullptr;
    if (fault != nullptr)
      tenon::refuse("the row has no gold answer: field \"" + gold_field_ + "\" is " + fault +
                    (raw ? ", not a text or a number" : ""));
    return *sample.meta(gold_field_);
  }

  // The JSON text of a field; nothing where the row has none. Of two that bear its name none is the one that was meant.
  static std::optional<std::string_view> only_field(const tenon::Sample& sample, std::string_view name) {
    std::optional<std::string_view> found;
    if (sample.meta_json.empty()) return found;
    tenon::json::each_field(sample.meta_json, [&](const std::string& key, std::string_view value) {
      if (key != name) return true;
      if (found) tenon::refuse("the row has field \"" + std::string(name) + "\" more than once");
      found = value;
      return true;
    });
    return found;
  }

  // Whether the row says that its completion is an answer alone.
  static bool says_bare(const tenon::Sample& sample) {
    const std::string_view raw = only_field(sample, "bare").value_or("false");
    if (raw != "true" && raw != "false")
      tenon::refuse("the row's \"bare\" is " + quoted(sample.meta("bare").value_or("null")) +
                    ", not true or false");
    return raw == "true";
  }

  // In quotes, "…" where it is cut: between two characters, after at most 80 bytes.
  static std::string quoted(const std::string& text) {
    constexpr size_t kMost = 80;
    if (text.size() <= kMost) return "\"" + text + "\"";
    size_t end = kMost;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    return "\"" + text.substr(0, end) + "…\"";
  }

  // "<verdict>: <reason>", of right answers too.
  void tell(const tenon::Sample& sample, const math::Result& result) const {
    if (sample.out->reason == nullptr) return;
    std::string text = std::string(math::verdict_name(result.verdict)) + ": " + result.reason;
    if (explain_) {
      text += " | answer: " + result.answer.substr(0, 200);
      for (auto step = result.path.rbegin(); step != result.path.rend(); ++step) text += " | " + *step;
      text += " | work: " + std::to_string(result.work);
    }
    sample.reason(text);
  }

  std::string gold_field_, gold_extract_;
  bool bare_, explain_;
  uint64_t work_;
  double right_, wrong_;
  math::Policies policies_;
  RowCache rows_;
  QuestionCount questions_;
};

// The policies as options; the names of a choice, NULL-terminated.
#define MATH_BOOL(field, fallback, doc)
#define MATH_INT(field, fallback, min, max, doc)
#define MATH_NUMBER(field, fallback, doc)
#define MATH_CHOICE(field, fallback, doc, ...) \
  constexpr const char* kNames_##field[] = {__VA_ARGS__, nullptr};
#include "math_answer/policies.def"
#undef MATH_BOOL
#undef MATH_INT
#undef MATH_NUMBER
#undef MATH_CHOICE

// The JSON text of a choice's default, made at compile time.
template <size_t N>
struct Quoted {
  constexpr explicit Quoted(const char* name) {
    size_t n = 0;
    text[n++] = '"';
    for (const char* c = name; *c != '\0'; ++c) text[n++] = *c;
    text[n++] = '"';
  }
  char text[N]{};
};
#define MATH_BOOL(field, fallback, doc)
#define MATH_INT(field, fallback, min, max, doc)
#define MATH_NUMBER(field, fallback, doc)
#define MATH_CHOICE(field, fallback, doc, ...) \
  constexpr Quoted<32> kDefault_##field(kNames_##field[fallback]);
#include "math_answer/policies.def"
#undef MATH_BOOL
#undef MATH_INT
#undef MATH_NUMBER
#undef MATH_CHOICE

}  // namespace

#define MATH_BOOL(field, fallback, doc) , tenon::boolean(#field, #fallback, doc)
#define MATH_INT(field, fallback, least, most, doc) \
  , tenon::integer(#field, #fallback, doc, {.min = #least, .max = #most})
#define MATH_NUMBER(field, fallback, doc) , tenon::number(#field, #fallback, doc, {.min = "0"})
#define MATH_CHOICE(field, fallback, doc, ...) \
  , tenon::choice(#field, kNames_##field, kDefault_##field.text, doc)

namespace {
constexpr tenon::OptionTable kOptions{
    tenon::text("gold", "\"answer\"", "Field of the row's meta that holds the gold answer."),
    tenon::choice("gold_extract", kGoldPlaces, "\"auto\"",
                  "Where the gold answer is in that field: auto: behind its only #### (GSM8K's solutions), "
                  "or else in its "
                  "only \\boxed{} (MATH's), or else the whole field; the whole; behind the last ####, to the "
                  "end of its "
                  "line; in the last \\boxed{}; the last number."),
    tenon::boolean("bare", "false",
                   "The completion is an answer alone, nothing is searched; a row says so for itself with "
                   "\"bare\": true."),
    tenon::number("right", "1", "The reward of an equal answer."),
    tenon::number("wrong", "0", "The reward of any other verdict on the completion."),
    tenon::boolean("explain", "false", "The reason of each sample is the whole path to its verdict."),
    tenon::integer("work", "300000", "Counted work that one sample may cost, in units of 50 to 100 ns.",
                   {.min = "1000", .max = "1000000000"}),
    tenon::integer("cache", "4096", "Gold answers that are kept read.", {.min = "1", .max = "10000000"})
#include "math_answer/policies.def"
};
}  // namespace

namespace {
constexpr tenon_component kComponent = tenon::component<Math, tenon::RewardShim<Math>>(
    "math", "1.0.0", "1 if the completion's answer equals the gold answer mathematically, else 0.", kOptions);
}  // namespace
TENON_PLUGIN("math", "1.0.0", &kComponent)
