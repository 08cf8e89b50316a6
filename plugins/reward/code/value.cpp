// Wire form and equality of values.
// SPDX-License-Identifier: Apache-2.0
#include "value.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace tenon::code {

namespace {

constexpr int kMaxDepth = 128;
constexpr uint64_t kMaxValues =
    1
    << 20;  // a Value is far larger than its byte on the wire: what a program sends must not fill the judge's memory
using Kind = Value::Kind;

class Decoder {
 public:
  // most: how many values there may be; counted down.
  Decoder(std::string_view bytes, uint64_t& most) : bytes_(bytes), most_(most) {}
  bool value(Value& out, int depth) {
    if (at_ >= bytes_.size() || depth > kMaxDepth || most_ == 0) return false;
    --most_;
    switch (const char tag = bytes_[at_++]) {
      case 'N':
        return true;
      case 'T':
      case 'F':
        out = Value::of(tag == 'T');
        return true;
      case 'f':
        out.kind = Kind::kFloat;
        return number(out.real);
      case 'c':
        out.kind = Kind::kComplex;
        return number(out.real) && number(out.imag);
      case 'i':
        out.kind = Kind::kInt;
        return text(out.text) && is_integer(out.text);
      case 's':
        out.kind = Kind::kText;
        return text(out.text);
      case 'b':
        out.kind = Kind::kBytes;
        return text(out.text);
      case 'l':
        return items(out, Kind::kList, depth);
      case 't':
        return items(out, Kind::kTuple, depth);
      case 'S':
        return items(out, Kind::kSet, depth);
      case 'q':
        return items(out, Kind::kDeque, depth);
      case 'd':
        return items(out, Kind::kDict, depth) && out.items.size() % 2 == 0;
      default:
        return false;
    }
  }
  bool at_end() const { return at_ == bytes_.size(); }

 private:
  static bool is_integer(std::string_view s) {
    if (s.starts_with('-')) s.remove_prefix(1);
    return !s.empty() && (s == "0" || s[0] != '0') &&
           s.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  }
  bool length(uint64_t& n) {
    if (bytes_.size() - at_ < sizeof n) return false;
    std::memcpy(&n, bytes_.data() + at_, sizeof n);
    at_ += sizeof n;
    return n <= bytes_.size() - at_;  // an item takes a byte at least
  }
  bool number(double& d) {
    if (bytes_.size() - at_ < sizeof d) return false;
    std::memcpy(&d, bytes_.data() + at_, sizeof d);
    at_ += sizeof d;
    return true;
  }
  bool text(std::string& s) {
    uint64_t n = 0;
    if (!length(n)) return false;
    s.assign(bytes_.substr(at_, n));
    at_ += n;
    return true;
  }
  bool items(Value& out, Kind kind, int depth) {
    uint64_t n = 0;
    if (!length(n)) return false;
    out.kind = kind;
    for (uint64_t k = 0; k < n; ++k)
      if (!value(out.items.emplace_back(), depth + 1)) return false;
    return true;
  }

  std::string_view bytes_;
  uint64_t& most_;
  size_t at_ = 0;
};

void put_length(std::string& out, uint64_t n) {
  out.append(reinterpret_cast<const char*>(&n), sizeof n);
}

void put(std::string& out, const Value& v) {
  constexpr char tags[] = {'N', 'T', 'i', 'f', 'c', 's', 'b', 'l', 't', 'S', 'd', 'q'};
  char tag = tags[static_cast<size_t>(v.kind)];
  if (v.is(Kind::kBool) && !v.truth) tag = 'F';
  out += tag;
  switch (v.kind) {
    case Kind::kNone:
    case Kind::kBool:
      return;
    case Kind::kComplex:
    case Kind::kFloat:
      out.append(reinterpret_cast<const char*>(&v.real), sizeof v.real);
      if (v.is(Kind::kComplex)) out.append(reinterpret_cast<const char*>(&v.imag), sizeof v.imag);
      return;
    case Kind::kInt:
    case Kind::kText:
    case Kind::kBytes:
      put_length(out, v.text.size());
      out += v.text;
      return;
    default:
      put_length(out, v.items.size());
      for (const Value& item : v.items) put(out, item);
  }
}

std::optional<Value> decode_within(std::string_view bytes, uint64_t& most) {
  Decoder in(bytes, most);
  Value v;
  if (!in.value(v, 0) || !in.at_end()) return std::nullopt;
  return v;
}

// An integer as a double; far too large ones are infinite.
double integer_value(std::string_view digits) {
  const bool negative = digits.starts_with('-');
  if (negative) digits.remove_prefix(1);
  double value = 0;
  for (char c : digits) value = value * 16 + (c <= '9' ? c - '0' : c - 'a' + 10);
  return negative ? -value : value;
}

class Equality {
 public:
  explicit Equality(double tolerance) : tolerance_(tolerance) {}
  bool same(const Value& a, const Value& b) {
    if (++work_ > kMostWork) return false;
    if (is_number(a) && is_number(b)) return same_number(a, b);
    if (a.kind != b.kind) return false;
    switch (a.kind) {
      case Kind::kNone:
        return true;
      case Kind::kText:
      case Kind::kBytes:
        return a.text == b.text;
      case Kind::kSet:
        return same_set(a, b, 1);
      case Kind::kDict:
        return same_set(a, b, 2);
      default:
        break;
    }
    if (a.items.size() != b.items.size()) return false;
    for (size_t k = 0; k < a.items.size(); ++k)
      if (!same(a.items[k], b.items[k])) return false;
    return true;
  }

 private:
  static constexpr uint64_t kMostWork = 10'000'000;
  static bool is_number(const Value& v) {
    return v.is(Kind::kBool) || v.is(Kind::kInt) || v.is(Kind::kFloat) || v.is(Kind::kComplex);
  }
  static bool is_exact(const Value& v) { return v.is(Kind::kBool) || v.is(Kind::kInt); }
  static std::string exact(const Value& v) { return v.is(Kind::kBool) ? (v.truth ? "1" : "0") : v.text; }
  static double real(const Value& v) { return is_exact(v) ? integer_value(exact(v)) : v.real; }
  bool near(double a, double b) const {
    return a == b || std::abs(a - b) <= tolerance_ * std::max(1.0, std::abs(b));
  }
  bool same_number(const Value& a, const Value& expected) const {
    if (is_exact(a) && is_exact(expected)) return exact(a) == exact(expected);
    if (is_exact(expected)) return a.imag == 0 && a.real == real(expected);
    if (!std::isfinite(expected.real) || !std::isfinite(real(a)))
      return real(a) == expected.real && a.imag == expected.imag;
    return near(real(a), expected.real) && near(a.imag, expected.imag);
  }
  // Sets (width 1) and dictionaries (width 2: key, value): each expected item has one of its own. Those of equal bytes pair off first.
  bool same_set(const Value& a, const Value& b, size_t width) {
    if (a.items.size() != b.items.size()) return false;
    std::vector<std::pair<std::string, size_t>> left, right;
    for (size_t k = 0; k < a.items.size(); k += width) {
      left.emplace_back(encode(a.items[k]), k);
      right.emplace_back(encode(b.items[k]), k);
    }
    std::sort(left.begin(), left.end());
    std::sort(right.begin(), right.end());
    std::vector<size_t> rest_left, rest_right;
    for (size_t i = 0, j = 0; i < left.size() || j < right.size();) {
      const int order = i == left.size() ? 1 : j == right.size() ? -1 : left[i].first.compare(right[j].first);
      if (order == 0 && !same_items(a, left[i].second, b, right[j].second, width)) return false;
      if (order < 0) rest_left.push_back(left[i].second);
      if (order > 0) rest_right.push_back(right[j].second);
      i += order <= 0;
      j += order >= 0;
    }
    for (size_t k : rest_left) {
      auto found = std::find_if(rest_right.begin(), rest_right.end(),
                                [&](size_t other) { return same_items(a, k, b, other, width); });
      if (found == rest_right.end()) return false;
      rest_right.erase(found);
    }
    return true;
  }
  bool same_items(const Value& a, size_t i, const Value& b, size_t j, size_t width) {
    for (size_t k = 0; k < width; ++k)
      if (!same(a.items[i + k], b.items[j + k])) return false;
    return true;
  }

  const double tolerance_;
  uint64_t work_ = 0;
};

}  // namespace

Value Value::of(bool b) {
  Value v;
  v.kind = Kind::kBool;
  v.truth = b;
  return v;
}
Value Value::of(std::string s) {
  Value v;
  v.kind = Kind::kText;
  v.text = std::move(s);
  return v;
}
Value Value::list(std::vector<Value> items) {
  Value v;
  v.kind = Kind::kList;
  v.items = std::move(items);
  return v;
}
Value Value::dict(std::vector<std::pair<std::string, Value>> items) {
  Value v;
  v.kind = Kind::kDict;
  for (auto& [key, value] : items) {
    v.items.push_back(of(std::move(key)));
    v.items.push_back(std::move(value));
  }
  return v;
}

std::string encode(const Value& value) {
  std::string out;
  put(out, value);
  return out;
}

std::optional<Value> decode(std::string_view bytes) {
  uint64_t most = kMaxValues;
  return decode_within(bytes, most);
}

std::vector<Value> decode_frames(std::string_view bytes) {
  std::vector<Value> out;
  uint64_t most = kMaxValues;
  while (bytes.size() >= sizeof(uint64_t)) {
    uint64_t n = 0;
    std::memcpy(&n, bytes.data(), sizeof n);
    bytes.remove_prefix(sizeof n);
    if (n > bytes.size()) break;
    auto value = decode_within(bytes.substr(0, n), most);
    if (!value) break;
    out.push_back(std::move(*value));
    bytes.remove_prefix(n);
  }
  return out;
}

std::string encode_frame(const Value& value) {
  std::string body = encode(value), out;
  put_length(out, body.size());
  return out + body;
}

bool equals(const Value& actual, const Value& expected, double tolerance) {
  return Equality(tolerance).same(actual, expected);
}

bool is_true(const Value& v) {
  switch (v.kind) {
    case Kind::kNone:
      return false;
    case Kind::kBool:
      return v.truth;
    case Kind::kInt:
      return v.text != "0";
    case Kind::kFloat:
    case Kind::kComplex:
      return v.real != 0 || v.imag != 0;
    case Kind::kText:
    case Kind::kBytes:
      return !v.text.empty();
    default:
      return !v.items.empty();
  }
}

}  // namespace tenon::code
