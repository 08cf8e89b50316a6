// Byte streams for `save` and `load`, and a packed column of rows.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <type_traits>
#include <vector>

#include "tenon/error.hpp"

namespace tenon {

class Writer {
 public:
  explicit Writer(const tenon_writer* w) : w_(w) {}
  void bytes(const void* p, uint64_t n) {
    if (int32_t rc = w_->write(w_->ctx, p, n); rc < 0) throw Error(rc, "cannot write the state");
  }
  template <class T>
  void value(const T& v) {
    static_assert(std::is_trivially_copyable_v<T>);
    bytes(&v, sizeof v);
  }
  void string(std::string_view s) {
    value<uint64_t>(s.size());
    bytes(s.data(), s.size());
  }

 private:
  const tenon_writer* w_;
};

class Reader {
 public:
  explicit Reader(const tenon_reader* r) : r_(r) {}
  // Exactly n bytes, or an error.
  void bytes(void* p, uint64_t n) {
    for (char* at = static_cast<char*>(p); n > 0;) {
      int64_t got = r_->read(r_->ctx, at, n);
      if (got < 0) throw Error(static_cast<int32_t>(got), "cannot read the state");
      if (got == 0) throw Error(TENON_E_INVALID, "the state ends too early: " + std::to_string(n) + " bytes are missing");
      at += got;
      n -= static_cast<uint64_t>(got);
    }
  }
  template <class T>
  T value() {
    static_assert(std::is_trivially_copyable_v<T>);
    T v;
    bytes(&v, sizeof v);
    return v;
  }
  std::string string() {
    uint64_t n = value<uint64_t>();
    if (n > (uint64_t{1} << 32)) throw Error(TENON_E_INVALID, "the state holds a string of " + std::to_string(n) + " bytes");
    std::string s(n, '\0');
    bytes(s.data(), n);
    return s;
  }

 private:
  const tenon_reader* r_;
};

// Rows of T, packed: the owner behind a tenon_ragged.
template <class T>
struct Ragged {
  std::vector<T> values;
  std::vector<uint64_t> offsets{0};

  uint64_t size() const { return offsets.size() - 1; }
  std::span<const T> operator[](uint64_t i) const { return {values.data() + offsets[i], offsets[i + 1] - offsets[i]}; }
  void push(const T* p, uint64_t n) {
    values.insert(values.end(), p, p + n);
    offsets.push_back(values.size());
  }
  template <class Range>
  void push(const Range& r) {
    push(std::data(r), std::size(r));
  }
  tenon_ragged raw() const { return {values.data(), offsets.data(), size()}; }
};

inline std::string_view text_row(const tenon_ragged& r, uint64_t i) {
  return {static_cast<const char*>(r.values) + r.offsets[i], r.offsets[i + 1] - r.offsets[i]};
}
template <class T>
std::span<const T> row(const tenon_ragged& r, uint64_t i) {
  return {static_cast<const T*>(r.values) + r.offsets[i], r.offsets[i + 1] - r.offsets[i]};
}

}  // namespace tenon
