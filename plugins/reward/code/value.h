// Values as they come out of the box: exact builtin types, compared as Python's == does, floating-point numbers within a tolerance.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tenon::code {

struct Value {
  enum class Kind : uint8_t {
    kNone,
    kBool,
    kInt,
    kFloat,
    kComplex,
    kText,
    kBytes,
    kList,
    kTuple,
    kSet,
    kDict,
    kDeque
  };
  Kind kind = Kind::kNone;
  bool truth = false;         // kBool
  double real = 0, imag = 0;  // kFloat, kComplex
  std::string text;           // kText, kBytes; kInt: hexadecimal digits, "-ff"
  std::vector<Value> items;   // of kDict keys and values in turn

  static Value none() { return {}; }
  static Value of(bool b);
  static Value of(std::string s);
  static Value list(std::vector<Value> items);
  static Value dict(std::vector<std::pair<std::string, Value>> items);
  bool is(Kind k) const { return kind == k; }
};

// The wire form (driver.py). decode: nothing where the bytes are not exactly one value, it is deeper than 128 or of more than 2^20 values.
std::string encode(const Value& value);
std::optional<Value> decode(std::string_view bytes);

// Frames (8 bytes of length, then a value) one after the other, as far as they are whole and valid; 2^20 values in all.
std::vector<Value> decode_frames(std::string_view bytes);
std::string encode_frame(const Value& value);

// Whether `actual` is what a test expects. True, 1 and 1.0 are equal, a list and a tuple are not. Where the expected number is a float,
// |actual − expected| <= tolerance · max(1, |expected|) will do. At most about 10^7 comparisons: what needs more is not equal.
bool equals(const Value& actual, const Value& expected, double tolerance);

// Python's truth of a value.
bool is_true(const Value& value);

}  // namespace tenon::code
