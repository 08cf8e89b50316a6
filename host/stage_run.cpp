// One stage, from its components to its final checkpoint.
// SPDX-License-Identifier: Apache-2.0
#include "host/stage_run.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <cmath>
#include <cstring>

#include "host/diagnostics.h"
#include "host/json_text.h"
#include "host/last_words.h"
#include "host/option_values.h"
#include "host/results_table.h"
#include "host/reward_watch.h"
#include "host/rows_dataset.h"
#include "host/run_error.h"
#include "host/signals.h"
#include "tenon/error.hpp"

namespace tenon::host {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

constexpr size_t kKeptCheckpoints = 2;

// A row set's or artifact's name becomes part of a path.
void check_name(const std::string& name, bool folders) {
  const fs::path path(name);
  bool bad = name.empty() || path.is_absolute() || (!folders && name.find('/') != std::string::npos);
  for (const fs::path& part : path) bad = bad || part.string().empty() || part.string().front() == '.';
  if (bad)
    throw Error(TENON_E_INVALID, "\"" + name + "\" cannot be the name of a file in the stage's folder");
}

double seconds_between(std::chrono::steady_clock::time_point a, std::chrono::steady_clock::time_point b) {
  return std::chrono::duration<double>(b - a).count();
}

// What is in `folder`, but for `kept` below it.
void remove_all_but(const fs::path& folder, const fs::path& kept) {
  if (!fs::exists(kept)) return remove_tree(folder);
  std::vector<fs::path> inside;  // first all names: what is removed is no longer iterated over
  for (const auto& entry : fs::directory_iterator(folder)) inside.push_back(entry.path());
  for (const fs::path& path : inside) {
    if (path == kept) continue;
    const bool holds_it = kept.native().starts_with(path.native() + "/");
    holds_it ? remove_all_but(path, kept) : remove_tree(path);
  }
}

// Of the rewards in slot "held_out.rewards": "held_out/", so that they are told from those in "rewards". A list of objects ("benchmarks.0.rewards") has none: its stage uses one at a time.
std::string prefix_of_metrics(const std::string& slot) {
  const size_t last = slot.find_last_of("./");
  if (last == std::string::npos || slot.find_first_of("0123456789") != std::string::npos) return "";
  std::string prefix = slot.substr(0, last + 1);
  std::replace(prefix.begin(), prefix.end(), '.', '/');
  return prefix;
}

}  // namespace

std::optional<Checkpoint> prepare_stage_folder(const StageFolder& folder) {
  Checkpoint::recover(folder.checkpoints());
  std::optional<Checkpoint> checkpoint = Checkpoint::latest(folder.checkpoints());
  if (!checkpoint) {
    remove_all_but(folder.path(), folder.kept());
    make_folder(folder.path() / "rows");
    return checkpoint;
  }
  checkpoint->verify();
  fs::remove(folder.path() / "done.json");  // there if the stage was finished and lost its last checkpoint
  const json::object& offsets = checkpoint->manifest().at("offsets").as_object();
  for (const char* name : kRecordFiles)
    truncate_file(folder.path() / name, offsets.at(name).to_number<uint64_t>());
  for (const auto& entry : fs::directory_iterator(folder.path() / "rows")) {
    const std::string name = "rows/" + entry.path().filename().string();
    truncate_file(entry.path(), offsets.contains(name) ? offsets.at(name).to_number<uint64_t>() : 0);
  }
  return checkpoint;
}

StageRun::StageRun(StageContext context)
    : c_(std::move(context)),
      dog_([log = c_.services.log](const std::string& line) { log->warn(line); }, "stage " + c_.plan.name),
      next_sample_id_(c_.first_sample_id) {}

void StageRun::open_files() {
  for (size_t i = 0; i < kRecordFiles.size(); ++i) {
    files_[i] = OutputFile(c_.folder.path() / kRecordFiles[i], OutputFile::Mode::kAppend);
    copies_[i] = c_.run.open_record(i);
  }
  for (const auto& entry : fs::directory_iterator(c_.folder.path() / "rows"))
    row_files_[entry.path().stem().string()] = OutputFile(entry.path(), OutputFile::Mode::kAppend);
}

void StageRun::restore(const Checkpoint& checkpoint) {
  const json::object& m = checkpoint.manifest();
  steps_done_ = first_step_ = checkpoint.step();
  next_sample_id_ = m.at("sample_id").to_number<uint64_t>();
  results_ = m.at("results").as_object();
  if (const json::value* made = m.if_contains("made_with")) made_with_ = made->as_array();
  for (const auto& pair : m.at("windows").as_object()) try {
      windows_[pair.key()] = FailureWindow::of_json(pair.value());
    } catch (const std::invalid_argument& e) {
      throw checkpoint.unusable("windows." + std::string(pair.key()) + " " + e.what());
    }
}

void StageRun::run(const std::optional<Checkpoint>& resume) {
  Doing doing("stage " + c_.plan.name, "tenon resume " + c_.run.shown());
  doing_ = &doing;
  doing.set_step(resume ? resume->step() : 0);
  doing.set_kept(resume ? resume->step() : 0);
  begin_time_ = step_time_ = checkpoint_time_ = std::chrono::steady_clock::now();
  if (resume) restore(*resume);
  if (json::object now = made_with(c_.plan.spec); made_with_.empty() || made_with_.back() != now)
    made_with_.push_back(std::move(now));
  open_files();
  if (!resume || !resume->is_final()) {
    if (resume) c_.services.log->info("stage {}: goes on after step {}", c_.plan.name, first_step_);
    components_.emplace(c_.services, c_.plan, c_.inputs, resume ? &*resume : nullptr);
    dog_.alive("its components were made");
    c_.services.stage = this;
    try {
      call_stage();
    } catch (...) {
      c_.services.stage = nullptr;
      components_.reset();
      throw;
    }
    c_.services.stage = nullptr;
  }
  finish();
  components_.reset();
}

tenon_stage_io StageRun::make_io() {
  tenon_stage_io io{};
  io.struct_size = sizeof io;
  io.first_step = first_step_;
  io.ctx = this;
  output_ = c_.folder.artifacts().string();
  make_folder(output_);
  io.folder = output_.c_str();
  io.begin = [](void* ctx, uint64_t total_steps) {
    auto& run = *static_cast<StageRun*>(ctx);
    try {
      run.begin(total_steps);
    } catch (...) {
      run.failure_ = std::current_exception();
    }
  };
  io.step_end = [](void* ctx, uint64_t step, tenon_error* err) -> int32_t {
    auto& run = *static_cast<StageRun*>(ctx);
    return guard(err, [&]() -> int32_t {
      try {
        if (run.failure_) std::rethrow_exception(run.failure_);
        run.end_step(step);
      } catch (const Error&) {
        throw;
      } catch (const std::exception& e) {
        run.failure_ = std::current_exception();
        return set_error(err, TENON_E_INTERNAL, e.what());
      }
      if (!run.cancelled_) return TENON_OK;
      return set_error(err, TENON_E_CANCELLED, "the run is stopping");
    });
  };
  io.bind = [](void* ctx, const char* optimizer, const char* model, uint64_t total_steps,
               tenon_error* err) -> int32_t {
    return guard(err, [&] { static_cast<StageRun*>(ctx)->components_->bind(optimizer, model, total_steps); });
  };
  io.result = [](void* ctx, const char* model, const char* benchmark, const char* metric, double value,
                 tenon_error* err) -> int32_t {
    return guard(err, [&] {
      for (const char* name : {model, benchmark, metric})
        if (const std::string fault = name_fault(name); !fault.empty())
          throw Error(TENON_E_INVALID, "result: the name " + json_quote(name) + " " + fault);
      auto object_at = [](json::object& o, const char* key) -> json::object& {
        return o.contains(key) ? o[key].as_object()
                               : o.emplace(key, json::object()).first->value().as_object();
      };
      json::object& results = object_at(object_at(static_cast<StageRun*>(ctx)->results_, model), benchmark);
      if (results.contains(metric))
        throw Error(TENON_E_INVALID, std::string("result: there is already a ") + metric + " of model " +
                                         model + " on " + benchmark + ": two results need two names");
      results[metric] = value;
    });
  };
  return io;
}

void StageRun::call_stage() {
  const tenon_stage_io io = make_io();
  const tenon_call call{sizeof call, kDLCPU, 0, 0, first_step_, 0, nullptr};
  Instance& stage = components_->stage();
  ErrorBuffer err;
  const int32_t rc =
      static_cast<const tenon_stage_vt*>(stage.spec().component->vt)->run(stage.self(), &call, &io, err);
  try {
    if (failure_) std::rethrow_exception(failure_);
  } catch (const RunError& e) {
    const bool is_full = std::string_view(e.what()).find(std::strerror(ENOSPC)) != std::string_view::npos;
    throw RunError(e.what() + std::string(is_full ? "; free space on that disk" : "") + what_is_kept());
  }
  if (cancelled_)
    throw RunStopped("stopped after step " + std::to_string(steps_done_) +
                     (total_steps_ > 0 ? " of " + std::to_string(total_steps_) : "") + " of " + c_.plan.name +
                     "; go on with: tenon resume " + c_.run.shown());
  try {
    err.check(rc);
  } catch (const Error& e) {
    if (rc == TENON_E_WAITS) wait_for(e.what());
    throw RunError(stage.title() + ": " + e.what() + what_is_kept());
  }
  check_work_done();
}

// What was done before the wait is kept: it is not done again, however often somebody looks whether there is something new.
void StageRun::wait_for(const std::string& what) {
  if (steps_done_ > doing_->kept()) write_checkpoint(false);
  throw RunWaits(components_->stage().title() + " waits: " + what + "; then go on with: tenon resume " +
                 c_.run.shown());
}

// A stage that came to an end without an error may still have left its work undone; finished, it would never run again.
void StageRun::check_work_done() {
  const std::string title = components_->stage().title();
  if (steps_done_ < total_steps_)
    throw RunError(title + ": it returned without an error after " + std::to_string(steps_done_) +
                   " of the " + std::to_string(total_steps_) +
                   " steps that it announced with `begin`; it must call step_end once a step" +
                   what_is_kept());
  const bool left_something = !results_.empty() || values_.has_metrics() || !pending_samples_.empty() ||
                              !pending_rows_.empty() || !fs::is_empty(output_);
  if (steps_done_ == 0 && !left_something)
    throw RunError(title +
                   ": it returned without an error and without having done anything: no step_end, no result, "
                   "no metric, no row and no file");
}

// After an error in a step. Between two step_ends models, optimizers and cursors are in the middle of something, so that no checkpoint can be taken then.
std::string StageRun::what_is_kept() const {
  if (steps_done_ == 0) return "";
  const std::string where = "\n  It was in step " + std::to_string(steps_done_) + " (the first is 0). ";
  std::optional<Checkpoint> kept;
  try {
    kept = Checkpoint::latest(c_.folder.checkpoints());
  } catch (const std::exception& e) {  // what is told is the stage's error, whatever the checkpoint is like
    return where + "Of its checkpoints: " + e.what();
  }
  return where +
         (kept ? "The checkpoint after step " + std::to_string(kept->step()) +
                     " is kept, and goes on with: tenon resume " + c_.run.shown() +
                     "; with a changed configuration"
               : std::string("There is no checkpoint yet (options run.checkpoint_interval and "
                             "checkpoint_every), so")) +
         " the stage starts again";
}

void StageRun::begin(uint64_t total_steps) {
  if (begun_) {  // fewer than were announced: the stage ends early
    if (total_steps >= steps_done_) total_steps_ = std::min(total_steps_, total_steps);
    return;
  }
  begun_ = true;
  total_steps_ = total_steps;
  std::string text = c_.plan.spec.component->id;
  if (total_steps > 0) text += ", " + std::to_string(total_steps) + (total_steps == 1 ? " step" : " steps");
  if (first_step_ > 0) text += ", going on after step " + std::to_string(first_step_);
  c_.services.log->info("stage {} begins: {}", c_.plan.name, text);
  c_.sinks.event(TENON_EVENT_STAGE_BEGIN, c_.plan.name, text);
}

void StageRun::end_step(uint64_t step) {
  if (step != steps_done_)
    throw Error(TENON_E_INVALID, "step_end(" + std::to_string(step) + ") where step " +
                                     std::to_string(steps_done_) + " is next");
  if (!begun_) begin(0);
  if (step == first_step_) components_->check_references_read();
  write_records(step, true);
  stop_if_rewards_fail();  // what led to it is recorded
  ++steps_done_;
  doing_->set_step(steps_done_);
  dog_.alive("step " + std::to_string(step) + " ended");
  const bool stop = StopSignals::requested();
  if (stop || (steps_done_ != total_steps_ && is_checkpoint_due())) write_checkpoint(false);
  if (stop) cancelled_ = true;
}

bool StageRun::is_checkpoint_due() const {
  if (c_.plan.checkpoint_every > 0 && steps_done_ % c_.plan.checkpoint_every == 0) return true;
  return c_.checkpoint_interval > 0 &&
         seconds_between(checkpoint_time_, std::chrono::steady_clock::now()) >= c_.checkpoint_interval;
}

void StageRun::stop_if_rewards_fail() {
  try {
    for (const auto& [slot, scoring] : scorings_) scoring.check_window();
  } catch (const RunError&) {
    failure_ = std::current_exception();
    throw;
  }
}

void StageRun::flush_rewards(uint64_t step) {
  for (auto& [slot, scoring] : scorings_) {
    for (auto& [id, record] : scoring.flush(values_)) {
      bool is_recorded = false;
      {
        std::lock_guard lock(pending_mutex_);
        is_recorded = recorded_samples_.contains(id);
      }
      if (!is_recorded) sample_out(record);
    }
    if (const auto failures = scoring.first_failures())
      c_.services.log->warn("stage {}: after step {}: {}", c_.plan.name, step, *failures);
  }
}

void StageRun::write_records(uint64_t step, bool to_sinks) {
  const auto now = std::chrono::steady_clock::now();
  values_.timing("step_seconds", seconds_between(step_time_, now));
  step_time_ = now;
  flush_rewards(step);
  const auto [metrics, timings] = values_.take();
  const std::string head = "{\"stage\":" + json_quote(c_.plan.name) + ",\"step\":" + std::to_string(step);
  auto line = [&](const Values& values) {
    std::string text = head;
    for (const auto& [name, value] : values) text += "," + json_quote(name) + ":" + json_number(value);
    return text + "}\n";
  };
  std::vector<std::string> samples;
  std::map<std::string, std::string> rows;
  {
    std::lock_guard lock(pending_mutex_);
    samples.swap(pending_samples_);
    rows.swap(pending_rows_);
    recorded_samples_.clear(), scored_samples_.clear();
  }
  std::array<std::string, kRecordFiles.size()> texts{line(metrics), line(timings), ""};
  for (const std::string& sample : samples) texts[2] += head + sample + "\n";
  for (const auto& [name, lines] : rows) {
    auto [file, is_new] = row_files_.try_emplace(name);
    if (is_new) {
      write_file(c_.folder.rows(name), "");  // its name is on the device before a checkpoint counts on it
      file->second = OutputFile(c_.folder.rows(name), OutputFile::Mode::kAppend);
    }
    file->second.write(lines);
  }
  for (size_t i = 0; i < texts.size(); ++i) {
    files_[i].write(texts[i]);
    copies_[i].write(texts[i]);
  }
  if (to_sinks) c_.sinks.record(c_.plan.name, step, total_steps_, seconds_since_begin(), metrics, timings);
}

double StageRun::seconds_since_begin() const {
  return seconds_between(begin_time_, std::chrono::steady_clock::now());
}

json::object StageRun::offsets() {
  json::object out;
  for (size_t i = 0; i < files_.size(); ++i) {
    files_[i].sync();
    out[kRecordFiles[i]] = files_[i].size();
  }
  for (auto& [name, file] : row_files_) {
    file.sync();
    out["rows/" + name + ".jsonl"] = file.size();
  }
  return out;
}

bool StageRun::made_model() const {
  for (const Slot& slot : c_.plan.spec.slots)
    if (slot.name == "model") return slot.stage.empty();
  return false;
}

void StageRun::write_checkpoint(bool is_final) {
  const auto begin = std::chrono::steady_clock::now();
  CheckpointWriter writer(c_.folder.checkpoints(), steps_done_, is_final);
  json::object& manifest = writer.manifest();
  manifest["stage"] = c_.plan.name;
  manifest["hash"] = c_.hash;
  manifest["sample_id"] = next_sample_id_.load();
  manifest["offsets"] = offsets();
  manifest["results"] = results_;
  manifest["made_with"] = made_with_;
  auto check_kept = [&](const std::string& key, const Instance& instance) {
    if (instance.model() != nullptr && instance.model()->changed() &&
        !manifest["components"].as_object().contains(key))
      throw RunError(instance.title() +
                     ": it was changed but has neither state tensors nor `save`: its weights cannot be kept");
  };
  json::object cursors, windows;
  for (const auto& [slot, window] : windows_) windows[slot] = window.to_json();
  for (const auto& [slot, scoring] : scorings_) windows[slot] = scoring.window().to_json();
  for (const auto& [key, instance] : components_->by_key()) {
    if (instance->cursor() != nullptr) cursors[key] = instance->cursor()->position();
    // Models that were not trained are made from their options or an earlier stage again. The stage's own is kept when the stage ends, because a later
    // stage, which may not be in the configuration yet, makes it under another seed; one from an earlier stage is found there.
    const bool wanted = instance->model() == nullptr
                            ? !is_final
                            : instance->model()->changed() || (is_final && key == "model" && made_model());
    if (!wanted) continue;
    writer.add(key, *instance);
    check_kept(key, *instance);
  }
  if (Instance* reference = components_->changed_reference(); reference != nullptr && !is_final) {
    writer.add("reference", *reference);
    check_kept("reference", *reference);
  }
  manifest["cursors"] = std::move(cursors);
  manifest["windows"] = std::move(windows);
  writer.commit();
  doing_->set_kept(steps_done_);
  prune_checkpoints(c_.folder.checkpoints(), kKeptCheckpoints);
  checkpoint_time_ = std::chrono::steady_clock::now();
  const double seconds = seconds_between(begin, checkpoint_time_);
  values_.timing("checkpoint", seconds);
  c_.services.log->info("stage {}: checkpoint after step {} in {:.2f} s", c_.plan.name, steps(), seconds);
  c_.sinks.event(TENON_EVENT_CHECKPOINT, c_.plan.name,
                 "checkpoint after step " + std::to_string(steps_done_));
}

// However few samples there were.
void StageRun::check_rewards_of_all() const {
  for (const auto& [slot, scoring] : scorings_) {
    const FailureWindow& window = scoring.window();
    if (window.size() > 0 && window.failed() == window.size())
      throw RunError("stage " + c_.plan.name +
                     ": no sample had a valid reward. The commonest reasons:" + window.commonest_reasons());
    try {
      scoring.check_rate();
    } catch (const RunError& e) {
      throw RunError("stage " + c_.plan.name + ": " + e.what());
    }
  }
}

void StageRun::finish() {
  if (components_) {
    if (!begun_) begin(steps_done_);
    components_->check_references_read();
    // What was scored after the last step, or by a stage without steps.
    flush_rewards(steps_done_);
    const bool has_metrics = values_.has_metrics();
    if (has_metrics || !pending_samples_.empty() || !pending_rows_.empty())
      write_records(steps_done_, has_metrics);
  }
  check_rewards_of_all();
  if (components_) write_checkpoint(true);
  if (!results_.empty()) write_file(c_.folder.path() / "eval.json", json_pretty(results_));
  const json::object done{{"stage", c_.plan.name},
                          {"hash", c_.hash},
                          {"steps", steps()},
                          {"sample_id", next_sample_id_.load()},
                          {"checkpoint", std::to_string(steps_done_)},
                          {"made_with", made_with_}};
  write_file(c_.folder.path() / "done.json", json_pretty(done));
  if (!results_.empty()) c_.sinks.event(TENON_EVENT_TABLE, c_.plan.name, results_table(results_));
  const std::string text = std::to_string(steps_done_) + (steps_done_ == 1 ? " step in " : " steps in ") +
                           fmt::format("{:.1f} s", seconds_since_begin());
  c_.services.log->info("stage {} ends: {}", c_.plan.name, text);
  c_.sinks.event(TENON_EVENT_STAGE_END, c_.plan.name, text);
}

void StageRun::timing(const char* name, double value) {
  values_.timing(name, value);
  dog_.alive(std::string(name) + " of step " + std::to_string(steps_done_) + " was timed");
}

void StageRun::progress(double done, double total, const char* text) {
  c_.sinks.progress(c_.plan.name, done, total, text);
  dog_.alive(json_number(done) + (total > 0 ? " of " + json_number(total) : "") + " " + text + " in step " +
             std::to_string(steps_done_));
}

void StageRun::score(const std::string& slot, const tenon_call* call, const tenon_reward_in& in,
                     tenon_scored& out) {
  auto found = scorings_.find(slot);
  if (found == scorings_.end()) {
    Instance& stage = components_->stage();
    std::vector<Scoring::Term> terms;
    const std::vector<RewardRules> rules = reward_rules(stage.spec(), slot);
    std::string place = slot;  // of the list: "benchmarks.0.rewards" is in slot benchmarks/0/rewards
    std::replace(place.begin(), place.end(), '.', '/');
    for (uint64_t i = 0;; ++i) {
      const Instance* reward = stage.slot(place + "/" + std::to_string(i));
      if (reward == nullptr) break;
      const json::value* weight =
          find_value(stage.spec().options, slot + "." + std::to_string(i) + ".weight");
      const tenon_ref ref = reward->ref();
      terms.push_back({reward->spec().name, weight != nullptr ? weight->to_number<double>() : 1.0, ref.self,
                       static_cast<const tenon_reward_vt*>(ref.vt), rules.at(i), reward->spec().isolated,
                       hang_advice(reward->spec())});
    }
    if (terms.empty()) throw Error(TENON_E_INVALID, "score: there are no rewards in slot " + slot);
    found = scorings_.try_emplace(slot, std::move(terms), c_.max_reward_failures).first;
    found->second.set_prefix(prefix_of_metrics(slot));
    found->second.set_timeout(std::chrono::nanoseconds(std::llround(c_.reward_timeout * 1e9)), &dog_);
    found->second.set_warn(
        [this](const std::string& text) { c_.services.log->warn("stage {}: {}", c_.plan.name, text); });
    found->second.set_tell([this](uint64_t id, SampleRecord what) {
      std::lock_guard lock(pending_mutex_);
      scored_samples_[id] = std::move(what);
    });
    if (auto window = windows_.find(slot); window != windows_.end()) found->second.set_window(window->second);
  }
  try {
    found->second.score(call, in, out);
  } catch (const RunError&) {
    failure_ = std::current_exception();
    throw;
  }
}

void StageRun::row_out(const std::string& name, const tenon_row& row) {
  check_name(name, false);
  const std::string line = row_line(row);
  std::lock_guard lock(pending_mutex_);
  pending_rows_[name] += line;
}

void StageRun::sample_out(std::string_view object) {
  std::string text(object);
  boost::system::error_code error;
  const json::value parsed = json::parse(text, error);
  if (error || !parsed.is_object())
    throw Error(TENON_E_INVALID, "sample_out: not a JSON object: " + text.substr(0, 200));
  // Between tokens a line break is white space, inside strings it cannot occur.
  for (char& c : text)
    if (c == '\n' || c == '\r') c = ' ';
  std::string rest = text.substr(text.find('{') + 1);
  const json::value* sample = parsed.get_object().if_contains("sample");
  std::lock_guard lock(pending_mutex_);
  if (sample != nullptr && (sample->is_int64() || sample->is_uint64())) {
    const auto id = sample->to_number<uint64_t>();
    recorded_samples_.insert(id);
    if (const auto scored = scored_samples_.find(id); scored != scored_samples_.end()) {
      rest.insert(rest.rfind('}'), scored->second.fields([&](std::string_view name) {
        return parsed.get_object().contains(name);
      }));
      scored_samples_.erase(scored);
    }
  }
  pending_samples_.push_back((parsed.get_object().empty() ? "" : ",") + rest);
}

void StageRun::artifact(const std::string& name, std::string_view bytes) {
  check_name(name, true);
  const fs::path path = c_.folder.artifacts() / name;
  make_folder(path.parent_path());
  write_file(path, bytes);
}

}  // namespace tenon::host
