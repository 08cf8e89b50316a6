// Tasks on a list of integers: which numbers to keep, what to do with each, and what to return.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tenon::python_tasks {

enum class Keep { kAll, kEven, kOdd, kPositive, kNegative, kGreater, kLess, kDivisible };
enum class Change { kNone, kSquare, kCube, kAbsolute, kTimes, kPlus };
enum class Result { kList, kSorted, kSum, kCount, kLargest, kSmallest, kFirst, kLast };

struct Task {
  Keep keep = Keep::kAll;
  int64_t bound = 0;  // of kGreater, kLess, kDivisible
  Change change = Change::kNone;
  int64_t amount = 0;  // of kTimes, kPlus
  Result result = Result::kList;
};

// What a task gives for a list of numbers.
struct Value {
  bool is_list = false;
  std::vector<int64_t> numbers;  // one, unless is_list; none: undefined (the largest of no numbers)
  bool operator==(const Value&) const = default;
};

Value value(const Task& task, std::span<const int64_t> numbers);

// Whether the list tells the task from the one without its `keep` and from the one without its `change`, and gives a value that is not empty.
bool is_telling(const Task& task, std::span<const int64_t> numbers);

// "the sum of the squares of the even numbers"
std::string words(const Task& task);
// A Python expression of the list `numbers`: "sum([x * x for x in numbers if x % 2 == 0])"
std::string expression(const Task& task);
// As Python writes it.
std::string literal(std::span<const int64_t> numbers);
std::string literal(const Value& value);

// Every task with 1 to `operations` of: keep, change, a result other than the list; bounds and amounts up to max_number. In a fixed order.
std::vector<Task> tasks(int64_t operations, int64_t max_number);

}  // namespace tenon::python_tasks
