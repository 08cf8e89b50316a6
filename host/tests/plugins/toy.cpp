// A plugin for the host's tests: a whole training in plain arithmetic, whose every number depends on data, seeds, options and saved state.
// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "tenon/sdk.hpp"

namespace {

using namespace tenon;

// Rows "row <i>"; `rows` -1: unbounded.
struct ToyData {
  explicit ToyData(Host h) : rows(h.i64("rows")), tag(h.str("tag")) {
    if (rows < 0) tag += h.str("infix");  // else left unread, as authors do
    h.str_if("file");
  }
  uint64_t size() const { return rows < 0 ? TENON_COUNT_UNBOUNDED : static_cast<uint64_t>(rows); }
  Row at(uint64_t i) const {
    return {tag + " " + std::to_string(i), "", "", "{\"index\":" + std::to_string(i) + "}"};
  }
  int64_t rows;
  std::string tag;
};
constexpr OptionTable kDataOptions{integer("rows", "10", "Number of rows; -1: unbounded.", {.min = "-1"}),
                                   text("tag", "\"row\"", "Begins every prompt."),
                                   path("file", "Its content is part of what the rows depend on."),
                                   text("infix", "\"\"", "Of rows: -1. Stands behind the tag.")};

// Goes through its rows one by one, and on by as many more as the rollout before had valid completions.
struct ToyCurriculum {
  explicit ToyCurriculum(Host h) : rows(static_cast<uint64_t>(h.i64("rows"))) {}
  uint64_t size() const { return rows; }
  Row at(uint64_t i) const { return {"row " + std::to_string(i), "", "", "{}"}; }
  void save(Writer& w) const { w.value(next); }
  void load(Reader& r, uint32_t) { next = r.value<uint64_t>(); }
  const void* extension(std::string_view id) {
    static constexpr tenon_curriculum kTable{
        sizeof kTable, 0,
        [](void* self, const tenon_call*, uint64_t n, uint64_t* index, tenon_error*) -> int32_t {
          auto& c = *static_cast<ToyCurriculum*>(self);
          for (uint64_t i = 0; i < n; ++i) index[i] = c.next++ % c.rows;
          return TENON_OK;
        },
        [](void* self, const tenon_call*, uint64_t n, const uint64_t*, const double*, const uint64_t* n_valid,
           tenon_error*) -> int32_t {
          for (uint64_t i = 0; i < n; ++i) static_cast<ToyCurriculum*>(self)->next += n_valid[i];
          return TENON_OK;
        }};
    return id == TENON_EXT_CURRICULUM ? &kTable : nullptr;
  }
  uint64_t rows, next = 0;
};
// The rows of another data set.
struct ToyCopy {
  explicit ToyCopy(Host h) : data(h.get_component<Dataset>("data")) {}
  uint64_t size() const { return data.count(); }
  Row at(uint64_t i) const { return data.read(nullptr, i, 1).at(0); }
  Dataset data;
};
constexpr OptionTable kCopyOptions{
    reference("data", "dataset", nullptr, "What to copy.", {.flags = TENON_O_REQUIRED})};
constexpr OptionTable kCurriculumOptions{integer("rows", "10", "Number of rows.", {.min = "1"})};

struct ToyTokenizer {
  explicit ToyTokenizer(Host) {}
  std::vector<int32_t> encode(std::string_view s, uint32_t) const { return {s.begin(), s.end()}; }
  std::string decode(std::span<const int32_t> ids, uint32_t) const { return {ids.begin(), ids.end()}; }
  uint64_t size() const { return 256; }
  int64_t special(std::string_view) const { return -1; }
  std::vector<int32_t> stop_ids() const { return {}; }
};

// `width` weights drawn from its seed. score gives the first one.
struct ToyModel {
  explicit ToyModel(Host h)
      : width(h.i64("width")),
        value(static_cast<size_t>(width)),
        grad(value.size()),
        tokenizer(h.get_component<Tokenizer>("tokenizer")) {
    if (h.boolean("broken")) throw Error("this model is broken on request");
    std::vector<uint64_t> draws(value.size());
    h.rng(h.seed(), 0, 0, draws.data(), draws.size());
    for (size_t i = 0; i < value.size(); ++i) value[i] = static_cast<float>(draws[i] >> 40) / (1 << 24);
    value_tensor = {value.data(), {kDLCPU, 0}, 1, {kDLFloat, 32, 1}, &width, nullptr, 0};
    grad_tensor = {grad.data(), {kDLCPU, 0}, 1, {kDLFloat, 32, 1}, &width, nullptr, 0};
  }
  void info(tenon_model_info& i) {
    i.vocab = tokenizer.size(), i.max_len = 64, i.n_params = value.size(), i.n_tensors = 1, i.arch = "toy",
    i.heads = 1;
  }
  void param(uint64_t, tenon_param& p) { p.name = "w", p.value = &value_tensor, p.grad = &grad_tensor; }
  void score(const tenon_call*, const tenon_tokens& t, tenon_score_out& o) {
    for (uint64_t i = 0; i < t.ids.offsets[t.ids.n]; ++i) o.logprob[i] = -value[0];
  }
  void backward(const tenon_call*, uint64_t, const float*, const float*, const float*) {
    throw Error(TENON_E_UNSUPPORTED, "no tape");
  }
  void drop_tape(uint64_t) {}
  void accumulate(const tenon_call*, const tenon_tokens& t, const float* d, float*) {
    for (uint64_t i = 0; i < t.ids.offsets[t.ids.n]; ++i) grad[i % grad.size()] += d[i];
  }
  void zero_grad(const tenon_call*) { std::fill(grad.begin(), grad.end(), 0.0f); }
  void finish_grad(const tenon_call*) {}
  void params_updated(const tenon_call*, uint64_t) {}
  uint64_t session_open(const tenon_call*, uint64_t, uint64_t) { return 1; }
  void decode(const tenon_call*, uint64_t, const tenon_tokens&, const tenon_sampling*, const uint64_t*,
              int32_t*, float*) {}
  void session_fork(const tenon_call*, uint64_t, uint64_t, uint64_t, std::span<const uint64_t>) {}
  void session_close(uint64_t) {}
  const void* extension(std::string_view id) {
    static constexpr tenon_state_tensors kTable{
        sizeof kTable, 0, [](void*) -> uint64_t { return 1; },
        [](void* self, uint64_t, const char** name, DLTensor* view, tenon_error*) -> int32_t {
          *name = "w";
          *view = static_cast<ToyModel*>(self)->value_tensor;
          return TENON_OK;
        }};
    return id == TENON_EXT_STATE_TENSORS ? &kTable : nullptr;
  }

  int64_t width;
  std::vector<float> value, grad;
  DLTensor value_tensor{}, grad_tensor{};
  Tokenizer tokenizer;
};
constexpr OptionTable kModelOptions{
    integer("width", "4", "Number of weights.", {.min = "1"}),
    boolean("broken", "false", "Refuse to be created."),
    reference("tokenizer", "tokenizer", "\"toy-tokenizer\"", "The tokenizer.")};

// Momentum with a decaying rate: state in tensors and in a blob.
struct ToyOptimizer {
  explicit ToyOptimizer(Host h) : rate(h.f64("rate")) {}
  void bind(std::span<const tenon_param* const> params, uint64_t steps) {
    param = *params[0];
    total = steps;
    size = param.value->shape[0];
    momentum.assign(static_cast<size_t>(size), 0.0f);
  }
  void step(const tenon_call*, tenon_optimizer_stats& s) {
    ++done;
    s.learning_rate = rate * (1.0 - 0.5 * static_cast<double>(done) / static_cast<double>(total));
    for (size_t i = 0; i < momentum.size(); ++i) {
      momentum[i] = 0.9f * momentum[i] + static_cast<float*>(param.grad->data)[i];
      static_cast<float*>(param.value->data)[i] -= static_cast<float>(s.learning_rate) * momentum[i];
    }
  }
  void save(Writer& w) const { w.value(done); }
  void load(Reader& r, uint32_t) { done = r.value<uint64_t>(); }
  const void* extension(std::string_view id) {
    static constexpr tenon_state_tensors kTable{
        sizeof kTable, 0, [](void*) -> uint64_t { return 1; },
        [](void* self, uint64_t, const char** name, DLTensor* view, tenon_error*) -> int32_t {
          auto& o = *static_cast<ToyOptimizer*>(self);
          *name = "w.momentum";
          *view = {o.momentum.data(), {kDLCPU, 0}, 1, {kDLFloat, 32, 1}, &o.size, nullptr, 0};
          return TENON_OK;
        }};
    return id == TENON_EXT_STATE_TENSORS ? &kTable : nullptr;
  }
  double rate;
  tenon_param param{};
  uint64_t total = 1, done = 0;
  int64_t size = 0;
  std::vector<float> momentum;
};
constexpr OptionTable kOptimizerOptions{number("rate", "0.01", "Rate.")};

// The length of the completion; crashes for every `crash_every`-th sample, hangs for every `hang_every`-th; 0: never.
struct ToyReward {
  explicit ToyReward(Host h)
      : host(h),
        crash_every(h.i64("crash_every")),
        hang_every(h.i64("hang_every")),
        warnings(h.str("warnings")),
        metric(h.str("metric")),
        last_word(h.str("last_word")),
        needs_tokens(h.boolean("needs_tokens")),
        sleep_us(h.i64("sleep_us")) {}
  ~ToyReward() {
    if (!last_word.empty()) host.warn(last_word);
  }
  double operator()(const Sample& s) const {
    if (needs_tokens && s.tokens.empty()) refuse("it needs the tokens");
    if (sleep_us > 0) usleep(static_cast<useconds_t>(sleep_us));
    if (!metric.empty()) host.metric(metric.c_str(), 1);
    if (crash_every > 0 && s.id % static_cast<uint64_t>(crash_every) == 0)
      throw std::runtime_error("on request");
    if (hang_every > 0 && s.id % static_cast<uint64_t>(hang_every) == 0) hang(s);
    if (const std::string said = s.meta("say").value_or(""); !said.empty())
      s.out->reason(s.out->ctx, s.index, said.data(), said.size());
    s.note("digits", static_cast<double>(s.completion.size()) / 2);
    return static_cast<double>(s.completion.size());
  }
  // Until it is told to stop; with `warnings`, which does not ask, until that file has two of them.
  void hang(const Sample& s) const {
    for (int waited = 0; waited < 20000; ++waited) {
      if (warnings.empty()) host.throw_if_cancelled(s.call);
      std::ifstream in(warnings);
      const std::string text{std::istreambuf_iterator<char>(in), {}};
      const size_t first = text.find("has not returned for");
      if (first != std::string::npos && text.find("has not returned for", first + 1) != std::string::npos)
        return;
      usleep(1000);
    }
    throw std::runtime_error("nobody minded that this reward hangs");
  }
  Host host;
  int64_t crash_every, hang_every;
  std::string warnings, metric, last_word;
  bool needs_tokens;
  int64_t sleep_us;
};
constexpr OptionTable kRewardOptions{text("metric", "\"\"", "Records 1 under this name."),
                                     text("last_word", "\"\"", "A warning when it is destroyed."),
                                     boolean("needs_tokens", "false", "Refuse samples without tokens."),
                                     integer("sleep_us", "0", "Sleep at each sample."),
                                     integer("crash_every", "0", "Crash for these samples."),
                                     integer("hang_every", "0", "Hang for these samples."),
                                     text("warnings", "\"\"", "The file to wait for.")};

// Reward minus the group's mean, times `scale`; the loss is −w A e^(lp_new − lp_old).
struct ToyAlgorithm {
  explicit ToyAlgorithm(Host h)
      : scale(h.f64("scale")),
        boast(h.f64("boast")),
        silent(h.boolean("silent")),
        whole(h.boolean("whole")) {}
  tenon_algorithm_info info() const {
    const uint32_t needs = TENON_NEEDS_GROUPS | (whole ? uint32_t{TENON_WHOLE_GROUPS} : 0u);
    return {sizeof(tenon_algorithm_info), needs, TENON_TOKEN_MEAN, 0, 0};
  }
  double mean(const RolloutView& r, uint64_t group) const {
    double sum = 0, n = 0;
    for (const uint64_t i : r.by_sample())
      if (r.group(i) == group) sum += r.total_reward(i), n += 1;
    return sum / n;
  }
  double advantage(const RolloutView& r, uint64_t i) const {
    return scale * (r.total_reward(i) - mean(r, r.group(i)));
  }
  // whole: by the mean of the group that is given now.
  double slope(const RolloutView& r, uint64_t i, uint64_t t) const {
    return -r.weight(t) * (whole ? advantage(r, i) : r.advantage(t)) * std::exp(r.lp_new(t) - r.lp_old(t));
  }
  void advantages(const RolloutView& r, Advantages& out) const {
    for (const uint64_t i : r.by_sample()) out.set(i, advantage(r, i));
  }
  void gradient(const RolloutView& r, Gradient& out) const {
    for (uint64_t i = 0; i < r.sequences(); ++i)
      for (uint64_t t = r.begin(i); t < r.end(i); ++t)
        if (r.valid(i) && r.scored(t)) out.add(t, slope(r, i, t), slope(r, i, t));
  }
  void explain(const RolloutView& r, uint64_t i, uint64_t t, const Explanation& out) const {
    out.link("group mean", mean(r, r.group(i)), "the baseline");
    out.link("advantage", advantage(r, i), "scale · (reward − mean)");
    out.link("ratio", std::exp(r.lp_new(t) - r.lp_old(t)), "e^(lp_new − lp_old)");
    out.link("weight", r.weight(t), "the normaliser");
    out.link("gradient", boast * slope(r, i, t), "−w A ratio");
  }
  const void* extension(std::string_view id) {
    return silent ? nullptr : explain_extension<ToyAlgorithm>(id);
  }
  double scale, boast;
  bool silent, whole;
};
constexpr OptionTable kAlgorithmOptions{number("scale", "1", "Factor of advantages."),
                                        number("boast", "1", "Factor of the gradient that is told."),
                                        boolean("silent", "false", "Do not explain."),
                                        boolean("whole", "false", "A loss of whole groups.")};

constexpr const char* kScopes[] = {"whole", "think", "answer", nullptr};
constexpr OptionTable kOfRewards{number("weight", "1.0", "Weight in the sum."),
                                 choice("scope", kScopes, "\"whole\"", "What it sees."),
                                 text("sources", nullptr, "Rows that it sees.", {.flags = TENON_O_LIST}),
                                 text("only_if", nullptr, "Another that decides on it.")};

struct ToyTrain {
  static constexpr uint32_t kFlags = TENON_C_DETERMINISTIC;
  explicit ToyTrain(Host h)
      : host(h),
        steps(static_cast<uint64_t>(h.i64("steps"))),
        sleep_us(h.i64("sleep_us")),
        updates(h.i64("updates")),
        interrupt_every(h.i64("interrupt_every")),
        fail_at(h.i64("fail_at")),
        spoil(h.i64("spoil")),
        wait_at(h.i64("wait_at")),
        mix_every(h.i64("mix_every")),
        data(h.get_component<Dataset>("data")),
        model(h.get_component<Model>("model")),
        optimizer(h.get_component<Optimizer>("optimizer")),
        critic(h.get_component_if<Model>("critic")),
        n_rewards(h.count("rewards")) {
    h.get_component_if<Algorithm>("algorithm");
    if (critic) critic_optimizer = h.get_component<Optimizer>("critic_optimizer");
    if (h.boolean("with_reference")) reference_model = h.get_component<Model>("reference");
    if (h.boolean("announce")) announce = true;
    if (wait_at >= 0) answer = h.str("answer");
    if (steps > 1000000) ignored = h.i64("never_read");
  }
  float* weights(const Model& m) const {
    tenon_param p{};
    p.struct_size = sizeof p;
    m.vt().param(m.ref()->self, 0, &p, nullptr);
    return static_cast<float*>(p.value->data);
  }
  float first_weight(const Model& m) const { return *weights(m); }
  // The reference becomes the mean of itself and the model.
  void mix(const tenon_call* call, uint64_t step) {
    float *from = weights(model), *to = weights(*reference_model);
    for (uint64_t i = 0; i < reference_model->info().n_params; ++i) to[i] = 0.5f * (from[i] + to[i]);
    reference_model->params_updated(call, step + 1);
  }
  void train_critic(const tenon_call* call, const tenon_tokens& tokens, std::span<const float> d,
                    uint64_t step) {
    critic->zero_grad(call);
    critic->accumulate(call, tokens, d.data(), nullptr);
    critic->finish_grad(call);
    critic_optimizer->step(call);
    critic->params_updated(call, step + 1);
    host.metric("critic", first_weight(*critic));
  }
  void run(const tenon_call* call, const StageIo& io) {
    io.begin(steps);
    io.bind("optimizer", "model", steps);
    if (critic) io.bind("critic_optimizer", "critic", steps);
    for (uint64_t step = io.first_step(); step < steps; ++step) {
      if (static_cast<int64_t>(step) == wait_at && !std::ifstream(answer))
        throw Error(TENON_E_WAITS, "somebody has to write " + answer);
      Timed timed(host, "work");
      one(call, step);
      if (static_cast<int64_t>(step) == fail_at) {
        if (spoil >= 0)
          std::ofstream(std::string(io.folder()) + "/../checkpoints/" + std::to_string(spoil) +
                        "/manifest.json")
              << "spoilt";
        throw Error(TENON_E_INTERNAL, "this step fails on request");
      }
      if (sleep_us > 0) usleep(static_cast<useconds_t>(sleep_us));
      if (interrupt_every > 0 && (step + 1) % static_cast<uint64_t>(interrupt_every) == 0) raise(SIGINT);
      io.step_end(step);
    }
  }
  void one(const tenon_call* call, uint64_t step) {
    std::vector<Row> rows = data.next(call, 3);
    uint64_t ids = host.raw()->sample_ids(host.raw(), rows.size());
    Rollout r;
    Ragged<char> prompts, completions, meta;
    for (uint64_t i = 0; i < rows.size(); ++i) {
      uint64_t draw = 0;
      host.rng(host.seed(), ids + i, step, &draw, 1);
      std::string completion = std::to_string(draw % 100000);
      std::vector<int32_t> p(rows[i].prompt.begin(), rows[i].prompt.end()),
          c(completion.begin(), completion.end());
      r.push(p, c, {}, i, ids + i, TENON_FINISH_STOP);
      prompts.push(rows[i].prompt), completions.push(completion), meta.push(rows[i].meta_json);
      sample_out(host, "{\"sample\":" + std::to_string(ids + i) +
                           ",\"prompt\":" + json::quote(rows[i].prompt) +
                           ",\n\"completion\":" + json::quote(completion) + "}");
      row_out(host, "kept", {rows[i].prompt, "", completion, ""});
      sum += static_cast<double>(draw % 1000);
    }
    double reward = 0;
    if (n_rewards > 0) {
      score_rewards(host, "rewards", call, r, prompts, completions, meta);
      for (double x : r.reward) reward += x;
      tell_outcomes(call, rows, r);
    }
    std::vector<float> d(r.tokens());
    for (size_t t = 0; t < d.size(); ++t)
      d[t] = static_cast<float>(r.ids.values[t] % 7) * 0.01f - 0.02f + static_cast<float>(reward) * 1e-3f;
    tenon_tokens tokens = r.tokens_for_model(1.0f);
    if (updates < 0 || step < static_cast<uint64_t>(updates)) {
      model.zero_grad(call);
      model.accumulate(call, tokens, d.data(), nullptr);
      model.finish_grad(call);
      tenon_optimizer_stats stats = optimizer.step(call);
      if (announce) model.params_updated(call, step + 1);
      host.metric("rate", stats.learning_rate);
    }
    if (critic) train_critic(call, tokens, d, step);
    if (mix_every > 0 && (step + 1) % static_cast<uint64_t>(mix_every) == 0) mix(call, step);
    host.metric("loss", first_weight(model));
    host.metric("sum", sum);
    host.metric("nothing", std::nan(""));
    if (reference_model) host.metric("reference", first_weight(*reference_model));
    std::vector<float> lp(r.tokens());
    model.score(call, tokens, lp.data(), nullptr, nullptr, nullptr);
  }
  void tell_outcomes(const tenon_call* call, const std::vector<Row>& rows, const Rollout& r) {
    if (!data.is_curriculum()) return;
    std::vector<uint64_t> index, valid(r.valid.begin(), r.valid.end());
    for (const Row& row : rows) index.push_back(row.index);
    data.outcome(call, index, r.reward, valid);
  }
  void save(Writer& w) const { w.value(sum); }
  void load(Reader& r, uint32_t) { sum = r.value<double>(); }

  Host host;
  uint64_t steps;
  int64_t sleep_us, updates, interrupt_every, fail_at, spoil, wait_at, mix_every, ignored = 0;
  Dataset data;
  Model model;
  Optimizer optimizer;
  std::optional<Model> critic, reference_model;
  std::optional<Optimizer> critic_optimizer;
  uint64_t n_rewards;
  bool announce = false;
  std::string answer;
  double sum = 0;
};
constexpr OptionTable kTrainOptions{
    reference("data", "dataset", nullptr, "Rows.", {.flags = TENON_O_REQUIRED}),
    reference("model", "model", nullptr, "The model.", {.flags = TENON_O_REQUIRED}),
    reference("optimizer", "optimizer", "\"toy-optimizer\"", "The optimizer."),
    reference("algorithm", "algorithm", nullptr, "Is looked up, and no more."),
    reference("critic", "model", nullptr, "A second model; without it there is none."),
    reference("critic_optimizer", "optimizer", nullptr, "The optimizer of the critic."),
    reference("rewards", "reward", nullptr, "Rewards.", {.flags = TENON_O_LIST}, kOfRewards),
    integer("steps", "5", "Steps."),
    integer("sleep_us", "0", "Sleep in each step."),
    integer("updates", "-1", "Steps that update the model, the first ones; -1: all."),
    integer("interrupt_every", "0", "Press Ctrl-C in every such step; 0: never."),
    integer("fail_at", "-1", "Fail in this step; -1: never."),
    integer("spoil", "-1", "With fail_at: damage the checkpoint after so many steps before; -1: none."),
    integer("wait_at", "-1", "Wait before this step as long as there is no file `answer`; -1: never."),
    text("answer", "\"\"", "With wait_at: a file's path, which need not be there."),
    integer("mix_every", "0",
            "With with_reference: mix the model into the reference after so many steps; 0: never."),
    integer("never_read", nullptr, "Nobody reads it."),
    boolean("with_reference", "false", "Record the reference's weight."),
    boolean("announce", "true", "Call params_updated.")};

struct ToyEvaluate {
  static constexpr uint32_t kFlags = TENON_C_DETERMINISTIC;
  explicit ToyEvaluate(Host h) : host(h), data(h.get_component_if<Dataset>("data")) {
    for (uint64_t i = 0; i < h.count("models"); ++i)
      models.push_back(h.get_component<Model>("models/" + std::to_string(i)));
  }
  void run(const tenon_call* call, const StageIo& io) {
    for (uint64_t i = 0; i < models.size(); ++i) {
      tenon_param p{};
      p.struct_size = sizeof p;
      models[i].vt().param(models[i].ref()->self, 0, &p, nullptr);
      io.result("model " + std::to_string(i), "weights", "first", static_cast<float*>(p.value->data)[0]);
    }
    if (!data) return;
    std::string text;
    for (const Row& r : data->read(call, 0, data->count())) text += r.prompt + " | " + r.completion + "\n";
    ErrorBuffer err;
    err.check(host.raw()->artifact(host.raw(), "rows.txt", text.data(), text.size(), err));
  }
  Host host;
  std::vector<Model> models;
  std::optional<Dataset> data;
};
constexpr OptionTable kEvaluateOptions{
    reference("models", "model", nullptr, "Models.", {.flags = TENON_O_LIST}),
    reference("data", "dataset", nullptr, "Rows to copy into an artifact.")};

// Appends a line per record and event to a file.
struct ToySink {
  explicit ToySink(Host h) : file(h.str("file"), std::ios::app) {}
  void record(const tenon_record& r) {
    file << "record " << r.stage << " " << r.step << " " << r.total_steps << " " << r.n << std::endl;
    if (!file) throw Error(TENON_E_IO, "cannot write");
  }
  void event(int32_t e, std::string_view stage, std::string_view text) {
    file << "event " << e << " " << stage << " " << text << std::endl;
  }
  std::ofstream file;
};
constexpr OptionTable kSinkOptions{text("file", nullptr, "The file.", {.flags = TENON_O_REQUIRED})};

constexpr tenon_component kData =
    component<ToyData, DatasetShim<ToyData>>("toy-data", "1.0.0", "Rows.", kDataOptions);
constexpr tenon_component kCurriculum = component<ToyCurriculum, DatasetShim<ToyCurriculum>>(
    "toy-curriculum", "1.0.0", "Rows by outcome.", kCurriculumOptions);
constexpr tenon_component kCopy =
    component<ToyCopy, DatasetShim<ToyCopy>>("toy-copy", "1.0.0", "The same rows.", kCopyOptions);
constexpr OptionTable<0> kNoOptions{};
constexpr tenon_component kTokenizer =
    component<ToyTokenizer, TokenizerShim<ToyTokenizer>>("toy-tokenizer", "1.0.0", "Bytes.", kNoOptions);
constexpr tenon_component kModel =
    component<ToyModel, ModelShim<ToyModel>>("toy-model", "1.0.0", "Weights.", kModelOptions);
constexpr tenon_component kOptimizer = component<ToyOptimizer, OptimizerShim<ToyOptimizer>>(
    "toy-optimizer", "1.0.0", "Momentum.", kOptimizerOptions);
constexpr tenon_component kReward =
    component<ToyReward, RewardShim<ToyReward>>("toy-reward", "1.0.0", "Length.", kRewardOptions);
constexpr tenon_component kAlgorithm = component<ToyAlgorithm, AlgorithmShim<ToyAlgorithm>>(
    "toy-algorithm", "1.0.0", "Reward minus mean.", kAlgorithmOptions);
constexpr tenon_component kTrain =
    component<ToyTrain, StageShim<ToyTrain>>("toy-train", "1.0.0", "Trains.", kTrainOptions);
constexpr tenon_component kEvaluate =
    component<ToyEvaluate, StageShim<ToyEvaluate>>("toy-evaluate", "1.0.0", "Evaluates.", kEvaluateOptions);
constexpr tenon_component kSink =
    component<ToySink, SinkShim<ToySink>>("toy-sink", "1.0.0", "Writes lines.", kSinkOptions);

}  // namespace

TENON_PLUGIN("toy", "1.0.0", &kData, &kCurriculum, &kCopy, &kTokenizer, &kModel, &kOptimizer, &kReward,
             &kAlgorithm, &kTrain, &kEvaluate, &kSink)
