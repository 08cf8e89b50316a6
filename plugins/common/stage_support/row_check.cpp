// Rows read in order and tried, and what to say of those that fail.
// SPDX-License-Identifier: Apache-2.0
#include "stage_support/row_check.h"

#include <algorithm>

namespace tenon::stages {
namespace {

constexpr uint64_t kRowsAtOnce = 1024, kRowsOfAThread = 16;
constexpr uint64_t kShown = 5;

// A component with what a reference to it says.
template <class Handle>
struct Named : Handle {
  static constexpr const char* kKind = Handle::kKind;
  explicit Named(const tenon_ref& ref) : Handle(ref), flags(ref.flags), name(ref.name) {}
  uint32_t flags;
  std::string name;
};

uint64_t text_size(const Row& row) {
  return row.prompt.size() + row.messages_json.size() + row.completion.size();
}

// What `use` said of the rows that it threw for, in their order.
struct BadRows {
  uint64_t count = 0;
  std::string lines;

  void add(uint64_t index, const Row& row, const std::string& reason) {
    if (++count <= kShown) lines += "\n  row " + std::to_string(index) + ", " + place_of(row) + ": " + reason;
  }
};

// By row: why it cannot be used, or nothing.
std::vector<std::optional<std::string>> reasons(const Host& host, bool threads, std::span<const Row> rows,
                                                const std::function<void(const Row&)>& use) {
  std::vector<std::optional<std::string>> out(rows.size());
  auto some = [&](uint64_t begin, uint64_t end) {
    for (uint64_t i = begin; i < end; ++i) try {
        use(rows[i]);
      } catch (const TokenizerError&) {
        throw;
      } catch (const Error& e) {
        out[i] = e.what();
      }
  };
  if (threads)
    host.parallel_for(rows.size(), kRowsOfAThread, some);
  else
    some(0, rows.size());
  return out;
}

}  // namespace

void check_rows(const Host& host, const std::string& data_slot, const std::string& tokenizer_slot,
                uint64_t most, const std::function<void(const Row&)>& use) {
  const auto data = host.get_component<Named<Dataset>>(data_slot);
  const bool threads = (host.get_component<Named<Tokenizer>>(tokenizer_slot).flags & TENON_C_REENTRANT) != 0;
  const uint64_t count = data.count();
  const bool bounded = count != TENON_COUNT_UNBOUNDED;
  const uint64_t wanted = bounded ? std::min(most, count) : most == UINT64_MAX ? kCheckedOfUnbounded : most;
  const uint64_t rows_to_check = std::min(wanted, kCheckedRows);
  tenon_call call{};
  call.struct_size = sizeof call;
  call.device_type = kDLCPU;

  BadRows bad;
  uint64_t checked = 0, bytes = 0;
  while (checked < rows_to_check && bytes < kCheckedBytes) {
    host.throw_if_cancelled(&call);
    std::vector<Row> rows;
    try {
      rows = data.read(&call, checked, std::min(kRowsAtOnce, rows_to_check - checked));
      const auto why = reasons(host, threads, rows, use);
      for (size_t i = 0; i < rows.size(); ++i)
        if (why[i]) bad.add(checked + i, rows[i], *why[i]);
    } catch (const TokenizerError& e) {
      throw TokenizerError(e.code(), tokenizer_slot + ": " + e.what());
    } catch (const Error& e) {
      if (e.code() == TENON_E_STATE || e.code() == TENON_E_UNSUPPORTED) return;
      throw Error(e.code(), data_slot + ": " + data.name + ": " + e.what());
    }
    if (rows.empty()) break;
    checked += rows.size();
    for (const Row& row : rows) bytes += text_size(row);
  }
  const std::string which = (bounded && checked == count ? "the " : "the first ") + std::to_string(checked) +
                            (checked == 1 ? " row of " : " rows of ") + data.name;
  if (bad.count > 0)
    throw Error(TENON_E_INVALID,
                data_slot + ": " + std::to_string(bad.count) + " of " + which +
                    " cannot be used (rows are counted from 0); no step was taken:" + bad.lines +
                    (bad.count > kShown ? "\n  and " + std::to_string(bad.count - kShown) + " more" : ""));
  if (bounded && checked < std::min(most, count))
    host.info(
        which + " of " + std::to_string(count) +
        " were tried before the first step; one after them that cannot be used is an error in its step");
}

bool is_endless(const Dataset& data) {
  if (data.count() != TENON_COUNT_UNBOUNDED) return false;
  tenon_call call{};
  call.struct_size = sizeof call;
  call.device_type = kDLCPU;
  try {
    data.read(&call, 0, 1);
  } catch (const Error& e) {
    if (e.code() == TENON_E_STATE) return false;
  }
  return true;
}

}  // namespace tenon::stages
