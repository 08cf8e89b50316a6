// Operators, members and iteration of template values.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "chat_template/builtins.h"

namespace tenon::chat {
namespace {

[[noreturn]] void fail(const std::string& what) { throw ValueError(what); }

std::string typed(const Value& value) { return std::string(value.type_name()); }

}  // namespace

List elements(const Value& value) {
  if (value.undefined()) return {};
  if (const auto* l = value.list()) return *l;
  List list;
  if (const auto* d = value.dict()) {
    for (const auto& member : *d) list.emplace_back(member.first);
  } else if (const auto* s = value.string()) {
    for (const std::string_view point : code_points(*s)) list.emplace_back(std::string(point));
  } else {
    fail("an object of type " + typed(value) + " cannot be iterated over");
  }
  return list;
}

Value attribute(const Value& object, const std::string& name) {
  if (const auto* u = object.get<Undefined>()) fail("\"" + u->name + "\" is undefined");
  if (const auto* d = object.dict()) {
    const Value* member = find(*d, name);
    return member != nullptr ? *member : Undefined{name};
  }
  if (const auto* n = object.get<std::shared_ptr<Namespace>>()) {
    const auto it = (*n)->members.find(name);
    return it != (*n)->members.end() ? it->second : Undefined{name};
  }
  if (const auto* l = object.get<std::shared_ptr<const Loop>>()) {
    const List& items = *(*l)->items;
    const auto index = static_cast<int64_t>((*l)->index), n = static_cast<int64_t>(items.size());
    if (name == "index") return index + 1;
    if (name == "index0") return index;
    if (name == "revindex") return n - index;
    if (name == "revindex0") return n - index - 1;
    if (name == "first") return index == 0;
    if (name == "last") return index + 1 == n;
    if (name == "length") return n;
    if (name == "previtem")
      return index > 0 ? items[static_cast<size_t>(index) - 1] : Undefined{"loop.previtem"};
    if (name == "nextitem")
      return index + 1 < n ? items[static_cast<size_t>(index) + 1] : Undefined{"loop.nextitem"};
    fail("loop." + name + " is not supported");
  }
  return Undefined{name};
}

Value item(const Value& object, const Value& key) {
  if (const auto* u = object.get<Undefined>()) fail("\"" + u->name + "\" is undefined");
  if (key.string() != nullptr) return attribute(object, *key.string());
  const auto index = key.integer();
  if (index && (object.list() != nullptr || object.string() != nullptr)) {
    const List list = object.list() != nullptr ? List() : elements(object);
    const List& items = object.list() != nullptr ? *object.list() : list;
    const auto n = static_cast<int64_t>(items.size());
    const int64_t at = *index < 0 ? *index + n : *index;
    if (at >= 0 && at < n) return items[static_cast<size_t>(at)];
  }
  return Undefined{"element " + to_str(key)};
}

Value slice(const Value& object, const Value& begin, const Value& end, const Value& step) {
  if (object.list() == nullptr && object.string() == nullptr)
    fail("an object of type " + typed(object) + " cannot be sliced");
  const List items = elements(object);
  const auto n = static_cast<int64_t>(items.size());
  const auto bound = [](const Value& value, int64_t fallback) {
    if (value.none()) return fallback;
    if (!value.integer()) fail("a slice needs integers, not " + typed(value));
    return *value.integer();
  };
  const int64_t stride = bound(step, 1);
  if (stride == 0) fail("the step of a slice is zero");
  // Python's slice.indices().
  const int64_t low = stride > 0 ? 0 : -1, high = stride > 0 ? n : n - 1;
  const auto clamp = [&](int64_t i) { return std::clamp(i < 0 ? i + n : i, low, high); };
  const int64_t first = begin.none() ? (stride > 0 ? low : high) : clamp(bound(begin, 0));
  const int64_t last = end.none() ? (stride > 0 ? high : low) : clamp(bound(end, 0));
  List out;
  for (int64_t i = first; stride > 0 ? i < last : i > last; i += stride) {
    out.push_back(items[static_cast<size_t>(i)]);
    if (stride > n || stride < -n) break;  // the next index is outside, and might overflow
  }
  if (object.list() != nullptr) return out;
  std::string text;
  for (const Value& point : out) text += *point.string();
  return text;
}

bool compare(std::string_view op, const Value& left, const Value& right) {
  if (op == "==") return equal(left, right);
  if (op == "!=") return !equal(left, right);
  if (op == "not in") return !compare("in", left, right);
  if (op == "in") {
    if (const auto* text = right.string()) {
      if (left.string() == nullptr) fail("\"in\" a string needs a string, not " + typed(left));
      return text->find(*left.string()) != std::string::npos;
    }
    if (const auto* d = right.dict()) return left.string() != nullptr && find(*d, *left.string()) != nullptr;
    const List list = elements(right);
    return std::any_of(list.begin(), list.end(), [&](const Value& element) { return equal(left, element); });
  }
  int order = 0;
  if (const auto a = left.number(), b = right.number(); a && b) {
    order = *a < *b ? -1 : *a > *b ? 1 : 0;
  } else if (left.string() != nullptr && right.string() != nullptr) {
    order = left.string()->compare(*right.string());
  } else {
    fail("\"" + std::string(op) + "\" does not compare " + typed(left) + " with " + typed(right));
  }
  if (op == "<") return order < 0;
  if (op == "<=") return order <= 0;
  if (op == ">") return order > 0;
  return order >= 0;
}

Value binary(std::string_view op, const Value& left, const Value& right) {
  if (op == "~") return to_str(left) + to_str(right);
  for (const Value* side : {&left, &right}) {
    if (const auto* u = side->get<Undefined>()) fail("\"" + u->name + "\" is undefined");
  }
  if (op == "+") {
    if (left.string() != nullptr && right.string() != nullptr) return *left.string() + *right.string();
    if (left.list() != nullptr && right.list() != nullptr) {
      List list = *left.list();
      list.insert(list.end(), right.list()->begin(), right.list()->end());
      return list;
    }
  }
  const auto a = left.number(), b = right.number();
  if (!a || !b) fail("\"" + std::string(op) + "\" does not work on " + typed(left) + " and " + typed(right));
  const auto i = left.integer(), j = right.integer();
  if (op == "**" || op == "/") {
    if (op == "/" && *b == 0) fail("division by zero");
    if (op == "/") return *a / *b;
    const double result = std::pow(*a, *b);
    if (i && j && *j >= 0 && std::fabs(result) < 9e15) return static_cast<int64_t>(result);
    return result;
  }
  if ((op == "//" || op == "%") && *b == 0) fail("division by zero");
  if (i && j) {
    int64_t result = 0;
    bool overflow = false;
    if (op == "+") overflow = __builtin_add_overflow(*i, *j, &result);
    if (op == "-") overflow = __builtin_sub_overflow(*i, *j, &result);
    if (op == "*") overflow = __builtin_mul_overflow(*i, *j, &result);
    if (op == "//" || op == "%") {
      if (*j == -1) {  // INT64_MIN / -1 overflows
        overflow = op == "//" && __builtin_sub_overflow(int64_t{0}, *i, &result);
      } else {
        const int64_t remainder = *i % *j;
        const bool adjust = remainder != 0 && (remainder < 0) != (*j < 0);  // Python rounds down
        result = op == "%" ? remainder + (adjust ? *j : 0) : *i / *j - (adjust ? 1 : 0);
      }
    }
    if (overflow) fail("the result of \"" + std::string(op) + "\" is beyond 64 bits");
    return result;
  }
  if (op == "+") return *a + *b;
  if (op == "-") return *a - *b;
  if (op == "*") return *a * *b;
  const double floor = std::floor(*a / *b);
  return op == "//" ? floor : *a - floor * *b;
}

}  // namespace tenon::chat
