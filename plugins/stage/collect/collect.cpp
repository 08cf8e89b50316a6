// The stage `collect`: samples several completions of each prompt and has them ranked, by people or by a judge that rewards simulate.
// SPDX-License-Identifier: Apache-2.0
//
// The first half of the loop of InstructGPT (arXiv 2203.02155, §3): comparisons of the policy's own completions, from which a reward model learns.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "ranking.h"
#include "stage_support/prompt_range.h"
#include "stage_support/provenance.h"
#include "stage_support/sampled.h"
#include "stage_support/step.h"
#include "utf8/utf8.h"

namespace tenon::collect {
namespace {

// Below the stage's folder; what is in "kept" stays there when the stage starts again from its beginning.
constexpr const char* kFolder = "/kept";
constexpr const char* kFile = "/to-rank.jsonl";
constexpr uint64_t kNoiseKey = 0x72616e6b2d6e6f69;  // "rank-noi": noise is drawn apart from everything else

// What is sampled of one prompt, each text once.
struct Candidates {
  Row row;
  Item item;
  std::vector<double> scores;  // by rewards; empty: people rank them
  std::string rewards_json;    // a list, in the order of item.completions, not of the ranking
};

class Collect {
 public:
  explicit Collect(Host host)
      : host_(host),
        sampler_(host),
        model_(host.get_component<Model>("model")),
        tokenizer_(host.get_component<Tokenizer>("model.tokenizer")),
        range_(host, host.get_component<Dataset>("data")),
        has_judge_(host.count("rewards") > 0),
        judge_temperature_(host.f64("judge_temperature")),
        samples_(static_cast<uint64_t>(host.i64("samples"))) {
    sampler_.check_prompts("data", model_, tokenizer_, "model.tokenizer", range_.end());
  }

  static void check(Host host, Findings& findings) {
    if (host.f64("temperature") == 0)
      findings.error("temperature",
                     "with 0 all completions of a prompt are the same, and none is better than another");
    if (host.count("rewards") == 0)
      findings.no_effect("judge_temperature", "people rank: there are no `rewards`");
  }

  void run(const tenon_call* call, const StageIo& io) {
    range_.settle();
    const uint64_t sampling = range_.steps(), steps = sampling + (has_judge_ ? 0 : 1);
    io.begin(steps);
    for (uint64_t step = io.first_step(); step < steps; ++step) {
      const tenon_call now = stages::at_step(call, step);
      if (step < sampling)
        sample(&now, step);
      else
        take_rankings(io.folder() + kFolder);
      if (step + 1 == steps && ranked_ == 0)
        throw Error(TENON_E_INVALID, "nothing is ranked: of " + std::to_string(range_.problems()) +
                                         " prompts none has two different completions that somebody, or a "
                                         "reward, could put in an order");
      io.step_end(step);
    }
  }

  void save(Writer& w) const {
    w.value(ranked_);
    w.value(uint64_t{waiting_.size()});
    for (const Candidates& one : waiting_) {
      w.string(one.row.prompt), w.string(one.row.messages_json), w.string(one.row.meta_json),
          w.string(one.row.source);
      w.value(one.row.index);
      w.string(to_line(one.item));
    }
  }
  void load(Reader& r, uint32_t) {
    ranked_ = r.value<uint64_t>();
    waiting_.resize(r.value<uint64_t>());
    for (Candidates& one : waiting_) {
      one.row.prompt = r.string(), one.row.messages_json = r.string(), one.row.meta_json = r.string();
      one.row.source = r.string();
      one.row.index = r.value<uint64_t>();
      one.item = from_line(r.string());
    }
  }

 private:
  void sample(const tenon_call* call, uint64_t step) {
    const std::vector<Row> rows = range_.rows(call, step);
    const uint64_t n = rows.size();
    const uint64_t first_id = host_.raw()->sample_ids(host_.raw(), n * samples_);
    const stages::Sampled batch = sampler_.sample(call, model_, tokenizer_, rows, samples_, first_id, 0);
    double collected = 0, texts = 0;
    for (uint64_t p = 0; p < n; ++p) {
      Candidates one = candidates(rows[p], batch, p * samples_);
      texts += static_cast<double>(one.item.completions.size());
      if (one.item.completions.size() < 2) continue;
      ++collected;
      if (has_judge_)
        judge(one);
      else
        waiting_.push_back(std::move(one));
    }
    host_.metric("collected", collected / static_cast<double>(n));
    host_.metric("completions", texts / static_cast<double>(n));
  }

  // The different completions of a row; where a judge is simulated, those that it judged.
  Candidates candidates(const Row& row, const stages::Sampled& batch, uint64_t begin) const {
    Candidates out{row, {}, {}, "["};
    out.item.prompt = std::string(batch.prompts[begin].data(), batch.prompts[begin].size());
    std::set<std::string_view> seen;
    for (uint64_t i = begin; i < begin + samples_; ++i) {
      const std::string_view text(batch.completions[i].data(), batch.completions[i].size());
      if (text.empty() || (has_judge_ && batch.rollout.valid[i] == 0) || !seen.insert(text).second) continue;
      if (has_judge_) {
        out.scores.push_back(batch.earned[i]);
        out.rewards_json += (out.scores.size() > 1 ? "," : "") + batch.rewards_json(i);
      }
      out.item.completions.emplace_back(text);
    }
    out.rewards_json += "]";
    return out;
  }

  // Completions that earned the same say nothing about each other: without noise one of them is ranked.
  void judge(Candidates& one) {
    std::vector<uint64_t> bits(one.scores.size());
    host_.rng(host_.seed() ^ kNoiseKey, one.row.index, 0, bits.data(), bits.size());
    std::vector<double> uniform;
    for (const uint64_t b : bits) uniform.push_back((static_cast<double>(b >> 11) + 0.5) * 0x1p-53);
    one.item.ranking = simulated_ranking(one.scores, judge_temperature_, uniform);
    if (judge_temperature_ == 0) {
      auto& order = *one.item.ranking;
      order.erase(std::unique(order.begin(), order.end(),
                              [&](uint64_t a, uint64_t b) { return one.scores[a] == one.scores[b]; }),
                  order.end());
    }
    write(one, "rewards");
  }

  void write(const Candidates& one, const std::string& by) {
    if (one.item.ranking->size() < 2) return;
    std::string ranked;
    for (const uint64_t place : *one.item.ranking)
      ranked += (ranked.empty() ? "[" : ",") + json::quote(one.item.completions[place]);
    std::string fields = "\"model\":" + json::quote(model_.ref()->name) + ",\"by\":" + json::quote(by) +
                         ",\"row\":" + std::to_string(one.row.index);
    if (has_judge_) fields += ",\"rewards\":" + one.rewards_json;
    if (!one.row.source.empty()) fields += ",\"place\":" + json::quote(utf8::repaired(one.row.source));
    Row row = one.row;
    row.completion.clear();
    row.meta_json =
        stages::with_field(stages::with_provenance(row.meta_json, fields), "ranked", ranked + "]");
    row_out(host_, "ranked", row);
    ++ranked_;
  }

  // What the file says of the completions that wait; where somebody has to rank yet, the run ends here.
  void take_rankings(const std::string& folder) {
    std::filesystem::create_directories(folder);
    const std::string file = folder + kFile;
    std::vector<Item*> items;
    for (Candidates& one : waiting_) items.push_back(&one.item);
    const Rankings found = look_up(file, items);
    if (found.others > 0)
      host_.warn(file + " has " + std::to_string(found.others) +
                 (found.others == 1 ? " ranking" : " rankings") +
                 " of completions that are not among those sampled: kept there, and not used");
    if (found.open > 0)
      throw Error(TENON_E_WAITS, std::to_string(found.open) + " of " + std::to_string(found.lists) +
                                     " lists of completions are to be ranked, with: tenon rank " + file);
    uint64_t undecided = 0;
    for (const Candidates& one : waiting_) {
      undecided += one.item.ranking->empty() ? 1 : 0;
      write(one, "people");
    }
    if (undecided > 0 && undecided == waiting_.size())
      throw Error(TENON_E_INVALID,
                  "nobody could put any of the " + std::to_string(undecided) +
                      " lists of completions in an order: each \"ranking\" in " + file +
                      " is []. Make it null where tenon rank is to ask again, or collect more `problems`");
    host_.metric("undecided", waiting_.empty()
                                  ? std::nan("")
                                  : static_cast<double>(undecided) / static_cast<double>(waiting_.size()));
  }

  Host host_;
  stages::CompletionSampler sampler_;
  Model model_;
  Tokenizer tokenizer_;
  stages::PromptRange range_;
  bool has_judge_;
  double judge_temperature_;
  uint64_t samples_, ranked_ = 0;
  std::vector<Candidates> waiting_;
};

}  // namespace
}  // namespace tenon::collect

TENON_STAGE_PLUGIN(
    tenon::collect::Collect, "collect", "0.1.0",
    "Samples completions and has them ranked, by people (tenon rank) or by rewards, as rows to train on.",
    tenon::reference("model", "model", nullptr, "What completes the prompts; `from` fills it in.",
                     {.flags = TENON_O_REQUIRED}),
    tenon::reference("data", "dataset", nullptr, "Prompts, in the order of the data set.",
                     {.flags = TENON_O_REQUIRED}),
    tenon::reference("rewards", "reward", nullptr,
                     "A judge that is simulated: their weighted sum ranks. Left out: people do.",
                     {.flags = TENON_O_LIST}, tenon::stages::kRewardChildren),
    tenon::number(
        "judge_temperature", "0",
        "How often the simulated judge errs: a ranking is drawn by Plackett and Luce's model of the "
        "sums divided by this. 0: never.",
        {.min = "0", .max = "1000000"}),
    tenon::stages::kSamplerOption,
    tenon::integer("problems", "256", "How many prompts; 0: all of the data set.",
                   {.min = "0", .max = "1000000000", .unit = "prompts"}),
    tenon::stages::kFirstOption,
    tenon::integer("samples", "4", "Completions of each prompt.",
                   {.min = "2", .max = "26", .unit = "completions"}),
    tenon::stages::kPromptsOption,
    tenon::number("temperature", "1", "Of sampling.", {.min = "0", .max = "100"}), tenon::stages::kTopKOption,
    tenon::stages::kTopPOption, tenon::stages::kMinPOption, tenon::stages::kMaxNewTokensOption,
    tenon::stages::kOverlapRewardsOption)
