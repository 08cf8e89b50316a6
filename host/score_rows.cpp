// The rows that `tenon score` reads.
// SPDX-License-Identifier: Apache-2.0
#include "host/score_rows.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>
#include <cstring>
#include <set>
#include <utility>
#include <vector>

#include "host/diagnostics.h"
#include "host/json_text.h"
#include "host/run_error.h"
#include "host/signals.h"
#include "tenon/json.hpp"

namespace tenon::host {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

constexpr int kLookMs = 100;  // between two looks whether a signal came
constexpr size_t kReadBytes = 1 << 16;
constexpr size_t kMaxDepth = 1000;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

[[noreturn]] void bad_row(const std::string& file, uint64_t line, const std::string& what) {
  throw UserError(file + ":" + std::to_string(line) + ": " + what);
}

// In `memory`, with which it goes.
json::object parse_row(const std::string& text, const std::string& file, uint64_t line,
                       json::monotonic_resource& memory) {
  boost::system::error_code error;
  json::parse_options options;
  options.max_depth = kMaxDepth;
  json::stream_parser parser(&memory, options);
  size_t parsed = parser.write_some(text, error);
  if (!error && !parser.done()) parser.finish(error);
  if (!error && text.find_first_not_of(" \t\r\n", parsed) != std::string::npos)
    error = json::error::extra_data;
  if (error)
    bad_row(file, line, "is not JSON (" + error.message() + " at column " + std::to_string(parsed + 1) + ")");
  json::value value = parser.release();
  if (!value.is_object()) bad_row(file, line, "a row must be an object, {\"completion\": …}");
  return std::move(value.get_object());
}

std::optional<bool> label_of(const json::object& object, const std::string& label, const std::string& file,
                             uint64_t line) {
  if (label.empty()) return std::nullopt;
  const json::value* value = object.if_contains(label);
  if (value != nullptr && value->is_bool()) return value->get_bool();
  if (value != nullptr && value->is_number()) return value->to_number<double>() > 0.5;
  bad_row(file, line, "the row has no true, false or number in `" + label + "`, which --label names");
}

std::optional<std::vector<int32_t>> tokens_of(const json::object& object, const std::string& file,
                                              uint64_t line) {
  const json::value* value = object.if_contains("tokens");
  if (value == nullptr || value->is_number()) return std::nullopt;
  std::vector<int32_t> ids;
  bool is_good = value->is_array();
  for (size_t k = 0; is_good && k < value->get_array().size(); ++k) {
    const json::value& id = value->get_array()[k];
    is_good = id.is_int64() && id.get_int64() >= 0 && id.get_int64() <= INT32_MAX;
    if (is_good) ids.push_back(static_cast<int32_t>(id.get_int64()));
  }
  if (!is_good) bad_row(file, line, "`tokens` must be a list of token ids");
  return ids;
}

// Each value as it is written there: of a number, a reward may ask how many digits it has.
std::string meta_of(const std::string& row) {
  std::string text;
  const auto add = [&](const std::string& name, std::string_view value) {
    text += (text.empty() ? "{" : ",") + json_quote(name) + ":" + std::string(value);
  };
  std::set<std::string> of_meta;
  // A sample of a run has its row's meta in a field of its own.
  const std::optional<std::string_view> meta = tenon::json::raw_field(row, "meta");
  if (meta && meta->front() == '{')
    tenon::json::each_field(*meta, [&](const std::string& name, std::string_view value) {
      of_meta.insert(name);
      add(name, value);
      return true;
    });
  tenon::json::each_field(row, [&](const std::string& name, std::string_view value) {
    if (name != "completion" && name != "tokens" && !of_meta.contains(name)) add(name, value);
    return true;
  });
  return text.empty() ? "{}" : text + "}";
}

}  // namespace

ScoreRow read_score_row(const std::string& text, const std::string& label, const std::string& file,
                        uint64_t line) {
  json::monotonic_resource memory;
  const json::object object = parse_row(text, file, line, memory);
  ScoreRow row;
  row.sample.id = line;
  const auto take = [&](const char* key, std::string& to, bool is_required) {
    const json::value* at = object.if_contains(key);
    if (at == nullptr && is_required) bad_row(file, line, std::string("the row has no `") + key + "`");
    if (at == nullptr) return;
    if (!at->is_string()) bad_row(file, line, std::string("`") + key + "` must be a text");
    to.assign(at->get_string().data(), at->get_string().size());
  };
  take("completion", row.sample.completion, true);
  take("prompt", row.sample.prompt, false);
  row.label = label_of(object, label, file, line);
  row.sample.tokens = tokens_of(object, file, line);
  row.has_token_count = object.contains("tokens") && !row.sample.tokens;
  row.sample.meta = meta_of(text);
  return row;
}

LineReader::LineReader(const fs::path& file) {
  const bool is_stdin = file.empty() || file == "-";
  name_ = is_stdin ? "standard input" : file.string();
  descriptor_ = is_stdin ? STDIN_FILENO : ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ >= 0 && (is_stdin || !fs::is_directory(file))) return;
  if (descriptor_ >= 0) ::close(descriptor_);
  throw UserError(name_ + ": cannot be read: give a file of JSON Lines");
}

LineReader::~LineReader() {
  if (descriptor_ > STDIN_FILENO) ::close(descriptor_);
}

bool LineReader::fill() {
  const size_t had = buffer_.size();
  while (!StopSignals::requested()) {
    pollfd ready{descriptor_, POLLIN, 0};
    const int n_ready = ::poll(&ready, 1, kLookMs);
    if (n_ready == 0 || (n_ready < 0 && errno == EINTR)) continue;
    buffer_.resize(had + kReadBytes);
    const ssize_t n = ::read(descriptor_, buffer_.data() + had, kReadBytes);
    buffer_.resize(had + static_cast<size_t>(std::max<ssize_t>(0, n)));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw RunError(name_ + ": cannot be read: " + std::strerror(errno));
    return n > 0;
  }
  return false;
}

bool LineReader::next(std::string& line) {
  size_t searched = begin_, end = std::string::npos;
  while ((end = buffer_.find('\n', searched)) == std::string::npos) {
    buffer_.erase(0, std::exchange(begin_, 0));
    searched = buffer_.size();
    if (!fill()) break;
  }
  if (StopSignals::requested() || (end == std::string::npos && begin_ == buffer_.size())) return false;
  line = buffer_.substr(begin_, end == std::string::npos ? end : end - begin_);
  begin_ = end == std::string::npos ? buffer_.size() : end + 1;
  if (std::exchange(is_first_, false) && line.starts_with(kByteOrderMark))
    line.erase(0, kByteOrderMark.size());
  return true;
}

}  // namespace tenon::host
