// Errors of the C++ wrapper: an exception inside a plugin, a code and a text at its boundary.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>

#include "tenon/abi.h"

namespace tenon {

// Thrown inside a plugin; becomes the code and text of the call that it leaves.
class Error : public std::runtime_error {
 public:
  Error(int32_t code, const std::string& what) : std::runtime_error(what), code_(code) {}
  explicit Error(const std::string& what) : Error(TENON_E_INVALID, what) {}
  int32_t code() const { return code_; }

 private:
  int32_t code_;
};

// Writes code and text into a caller-owned error (which may be NULL) and returns the code.
inline int32_t set_error(tenon_error* err, int32_t code, std::string_view text) noexcept {
  if (err != nullptr) {
    err->code = code;
    err->len = text.size() < err->cap ? text.size() : err->cap;
    if (err->msg != nullptr && err->len > 0) std::memcpy(err->msg, text.data(), err->len);
  }
  return code;
}

// Runs `body` (returning int32_t or void) so that no exception leaves it. Every function that a plugin gives to the host is wrapped in it.
template <class Body>
int32_t guard(tenon_error* err, Body&& body) noexcept {
  try {
    if constexpr (std::is_void_v<decltype(body())>) {
      body();
      return TENON_OK;
    } else {
      return body();
    }
  } catch (const Error& e) {
    return set_error(err, e.code(), e.what());
  } catch (const std::bad_alloc&) {
    return set_error(err, TENON_E_NOMEM, "out of memory");
  } catch (const std::exception& e) {
    return set_error(err, TENON_E_INTERNAL, e.what());
  } catch (...) {
    return set_error(err, TENON_E_INTERNAL, "an exception of unknown type");
  }
}

// Keeps what a callback threw while another component was running, so that whoever gave the callback has it with its text: `run` wraps the body of the
// callback, `rethrow` stands behind the call.
class Caught {
 public:
  // TENON_OK, or the code for the component in between.
  template <class Body>
  int32_t run(Body&& body) noexcept {
    try {
      body();
      return TENON_OK;
    } catch (...) {
      if (!error_) error_ = std::current_exception();  // the first says why
      return guard(nullptr, [] { throw; });
    }
  }
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::exception_ptr error_;
};

// A tenon_error with room for the text, for calls out of a plugin: `check(vt->f(self, …, err))` throws what the callee reported.
class ErrorBuffer {
 public:
  ErrorBuffer() : error_{sizeof(tenon_error), TENON_OK, text_, sizeof text_, 0} {}
  ErrorBuffer(const ErrorBuffer&) = delete;
  ErrorBuffer& operator=(const ErrorBuffer&) = delete;
  operator tenon_error*() { return &error_; }
  std::string text() const { return std::string(text_, error_.len); }
  // Returns non-negative codes; throws Error for the others.
  int32_t check(int32_t code) const {
    if (code >= 0) return code;
    throw Error(code, error_.len > 0 ? text() : "error " + std::to_string(code) + " without a text");
  }

 private:
  char text_[4096];
  tenon_error error_;
};

inline std::string_view view(tenon_str s) { return {s.ptr, s.ptr != nullptr ? s.len : 0}; }
inline tenon_str str(std::string_view s) { return {s.data(), s.size()}; }

}  // namespace tenon
