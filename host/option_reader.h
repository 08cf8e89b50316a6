// Reading the options of a checked component by path: what tenon_host.get_* answer.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "host/plan.h"
#include "tenon/abi.h"

namespace tenon::host {

// Every function returns TENON_OK, TENON_END (absent and without a default) or TENON_E_INVALID (no such
// option, or one of another type). Any thread.
class OptionReader {
 public:
  // `spec` must live as long as this.
  explicit OptionReader(const Spec& spec) : spec_(spec) {}

  int32_t get_i64(const char* path, int64_t* out) const;   // INT, BYTES
  int32_t get_f64(const char* path, double* out) const;    // FLOAT, DURATION, INT
  int32_t get_bool(const char* path, int32_t* out) const;  // BOOL
  int32_t get_str(const char* path,
                  tenon_str* out) const;  // STR, ENUM, PATH; the text lives as long as the spec
  int32_t get_json(const char* path, tenon_str* out) const;  // any; the text lives as long as this
  int32_t slot_count(const char* path, uint64_t* out) const;

 private:
  // The value of an option of one of these types; none are given: of any.
  int32_t find(const char* path, std::initializer_list<int32_t> types,
               const boost::json::value** value) const;

  const Spec& spec_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, std::string> json_;  // what get_json has given out
};

}  // namespace tenon::host
