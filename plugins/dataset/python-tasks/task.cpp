// Words, Python and values of a task. A change here changes rows: raise the plugin's version with it.
// SPDX-License-Identifier: Apache-2.0
#include "task.h"

#include <algorithm>
#include <numeric>

namespace tenon::python_tasks {
namespace {

bool is_kept(const Task& t, int64_t x) {
  switch (t.keep) {
    case Keep::kAll:
      return true;
    case Keep::kEven:
      return x % 2 == 0;
    case Keep::kOdd:
      return x % 2 != 0;
    case Keep::kPositive:
      return x > 0;
    case Keep::kNegative:
      return x < 0;
    case Keep::kGreater:
      return x > t.bound;
    case Keep::kLess:
      return x < t.bound;
    case Keep::kDivisible:
      return x % t.bound == 0;
  }
  return true;
}

int64_t changed(const Task& t, int64_t x) {
  switch (t.change) {
    case Change::kNone:
      return x;
    case Change::kSquare:
      return x * x;
    case Change::kCube:
      return x * x * x;
    case Change::kAbsolute:
      return x < 0 ? -x : x;
    case Change::kTimes:
      return x * t.amount;
    case Change::kPlus:
      return x + t.amount;
  }
  return x;
}

std::string condition(const Task& t) {
  const std::string bound = std::to_string(t.bound);
  switch (t.keep) {
    case Keep::kAll:
      return "";
    case Keep::kEven:
      return "x % 2 == 0";
    case Keep::kOdd:
      return "x % 2 != 0";
    case Keep::kPositive:
      return "x > 0";
    case Keep::kNegative:
      return "x < 0";
    case Keep::kGreater:
      return "x > " + bound;
    case Keep::kLess:
      return "x < " + bound;
    case Keep::kDivisible:
      return "x % " + bound + " == 0";
  }
  return "";
}

std::string element(const Task& t) {
  switch (t.change) {
    case Change::kNone:
      return "x";
    case Change::kSquare:
      return "x ** 2";
    case Change::kCube:
      return "x ** 3";
    case Change::kAbsolute:
      return "abs(x)";
    case Change::kTimes:
      return "x * " + std::to_string(t.amount);
    case Change::kPlus:
      return "x + " + std::to_string(t.amount);
  }
  return "x";
}

std::string kept_words(const Task& t) {
  const std::string bound = std::to_string(t.bound);
  switch (t.keep) {
    case Keep::kAll:
      return "the numbers";
    case Keep::kEven:
      return "the even numbers";
    case Keep::kOdd:
      return "the odd numbers";
    case Keep::kPositive:
      return "the positive numbers";
    case Keep::kNegative:
      return "the negative numbers";
    case Keep::kGreater:
      return "the numbers greater than " + bound;
    case Keep::kLess:
      return "the numbers less than " + bound;
    case Keep::kDivisible:
      return "the numbers divisible by " + bound;
  }
  return "";
}

std::string changed_words(const Task& t) {
  const std::string kept = kept_words(t);
  switch (t.change) {
    case Change::kNone:
      return kept;
    case Change::kSquare:
      return "the squares of " + kept;
    case Change::kCube:
      return "the cubes of " + kept;
    case Change::kAbsolute:
      return "the absolute values of " + kept;
    case Change::kTimes:
      return kept + " times " + std::to_string(t.amount);
    case Change::kPlus:
      return kept + " plus " + std::to_string(t.amount);
  }
  return kept;
}

std::string joined(std::span<const int64_t> numbers) {
  std::string out;
  for (int64_t x : numbers) out += (out.empty() ? "" : ", ") + std::to_string(x);
  return out;
}

template <class F>
void for_keeps(int64_t max_number, F&& f) {
  for (Keep keep : {Keep::kAll, Keep::kEven, Keep::kOdd, Keep::kPositive, Keep::kNegative}) f(keep, 0);
  for (int64_t k = 2; k <= max_number; ++k) f(Keep::kGreater, k), f(Keep::kLess, k);
  for (int64_t k = 3; k <= max_number; ++k) f(Keep::kDivisible, k);
}

template <class F>
void for_changes(int64_t max_number, F&& f) {
  for (Change change : {Change::kNone, Change::kSquare, Change::kCube, Change::kAbsolute}) f(change, 0);
  for (int64_t k = 2; k <= max_number; ++k) f(Change::kTimes, k);
  for (int64_t k = 1; k <= max_number; ++k) f(Change::kPlus, k);
}

constexpr Result kResults[] = {Result::kList,    Result::kSorted,   Result::kSum,   Result::kCount,
                               Result::kLargest, Result::kSmallest, Result::kFirst, Result::kLast};

}  // namespace

Value value(const Task& t, std::span<const int64_t> numbers) {
  std::vector<int64_t> all;
  for (int64_t x : numbers)
    if (is_kept(t, x)) all.push_back(changed(t, x));
  const auto one = [&](auto&& of) { return all.empty() ? Value{} : Value{false, {of()}}; };
  switch (t.result) {
    case Result::kList:
      return {true, all};
    case Result::kSorted:
      std::sort(all.begin(), all.end());
      return {true, all};
    case Result::kSum:
      return {false, {std::accumulate(all.begin(), all.end(), int64_t{0})}};
    case Result::kCount:
      return {false, {static_cast<int64_t>(all.size())}};
    case Result::kLargest:
      return one([&] { return *std::max_element(all.begin(), all.end()); });
    case Result::kSmallest:
      return one([&] { return *std::min_element(all.begin(), all.end()); });
    case Result::kFirst:
      return one([&] { return all.front(); });
    case Result::kLast:
      return one([&] { return all.back(); });
  }
  return {};
}

bool is_telling(const Task& t, std::span<const int64_t> numbers) {
  const Value own = value(t, numbers);
  if (own.numbers.empty()) return false;
  Task whole = t, same = t;
  whole.keep = Keep::kAll;
  same.change = Change::kNone;
  return (t.keep == Keep::kAll || value(whole, numbers) != own) &&
         (t.change == Change::kNone || value(same, numbers) != own);
}

std::string words(const Task& t) {
  const std::string of = changed_words(t);
  switch (t.result) {
    case Result::kList:
      return "a list of " + of;
    case Result::kSorted:
      return "a sorted list of " + of;
    case Result::kSum:
      return "the sum of " + of;
    case Result::kCount:
      return "the count of " + of;
    case Result::kLargest:
      return "the largest of " + of;
    case Result::kSmallest:
      return "the smallest of " + of;
    case Result::kFirst:
      return "the first of " + of;
    case Result::kLast:
      return "the last of " + of;
  }
  return of;
}

std::string expression(const Task& t) {
  const std::string only = t.keep == Keep::kAll ? "" : " if " + condition(t);
  const std::string list = t.keep == Keep::kAll && t.change == Change::kNone
                               ? "numbers"
                               : "[" + element(t) + " for x in numbers" + only + "]";
  switch (t.result) {
    case Result::kList:
      return list;
    case Result::kSorted:
      return "sorted(" + list + ")";
    case Result::kSum:
      return "sum(" + list + ")";
    case Result::kCount:
      return "len(" + list + ")";
    case Result::kLargest:
      return "max(" + list + ")";
    case Result::kSmallest:
      return "min(" + list + ")";
    case Result::kFirst:
      return list + "[0]";
    case Result::kLast:
      return list + "[-1]";
  }
  return list;
}

std::string literal(std::span<const int64_t> numbers) {
  return "[" + joined(numbers) + "]";
}
std::string literal(const Value& v) {
  return v.is_list ? literal(std::span<const int64_t>(v.numbers)) : joined(v.numbers);
}

std::vector<Task> tasks(int64_t operations, int64_t max_number) {
  std::vector<Task> out;
  for_keeps(max_number, [&](Keep keep, int64_t bound) {
    for_changes(max_number, [&](Change change, int64_t amount) {
      for (Result result : kResults) {
        if (result == Result::kCount && change != Change::kNone) continue;  // it changes no count
        const int64_t n = (keep != Keep::kAll) + (change != Change::kNone) + (result != Result::kList);
        if (n >= 1 && n <= operations) out.push_back({keep, bound, change, amount, result});
      }
    });
  });
  return out;
}

}  // namespace tenon::python_tasks
