// The values of a template: what Python's would be.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace tenon::chat {

class Value;
struct Statement;

using List = std::vector<Value>;
using Dict =
    std::vector<std::pair<std::string, Value>>;  // in order of insertion; small, so searched from the front

struct Undefined {
  std::string name;  // for "'name' is undefined"
};
struct None {};
struct Namespace {
  std::map<std::string, Value, std::less<>> members;
};
// The `loop` of a for statement.
struct Loop {
  std::shared_ptr<const List> items;
  size_t index = 0;
};
struct Macro {
  const Statement* definition;
};
struct Builtin {
  std::string name;
};

// Cheap to copy: containers are shared, and immutable but for namespaces.
class Value {
 public:
  using Data = std::variant<Undefined, None, bool, int64_t, double, std::string, std::shared_ptr<const List>,
                            std::shared_ptr<const Dict>, std::shared_ptr<Namespace>,
                            std::shared_ptr<const Loop>, Macro, Builtin>;

  Value() : data_(None{}) {}
  template <typename T>
  requires std::is_constructible_v<Data, T&&> &&(!std::is_same_v<std::decay_t<T>, Value>)Value(T&& data)
      : data_(std::forward<T>(data)) {}
  Value(const char* text) : data_(std::string(text)) {}
  Value(List list) : data_(std::make_shared<const List>(std::move(list))) {}
  Value(Dict dict) : data_(std::make_shared<const Dict>(std::move(dict))) {}

  const Data& data() const { return data_; }
  template <typename T>
  const T* get() const {
    return std::get_if<T>(&data_);
  }
  const std::string* string() const { return get<std::string>(); }
  const List* list() const {
    const auto* p = get<std::shared_ptr<const List>>();
    return p != nullptr ? p->get() : nullptr;
  }
  const Dict* dict() const {
    const auto* p = get<std::shared_ptr<const Dict>>();
    return p != nullptr ? p->get() : nullptr;
  }
  bool undefined() const { return get<Undefined>() != nullptr; }
  bool none() const { return get<None>() != nullptr; }
  // An int or a bool as int, like Python.
  std::optional<int64_t> integer() const;
  std::optional<double> number() const;  // int, bool or float

  bool truthy() const;
  std::string_view type_name() const;  // "str", "int", ...

 private:
  Data data_;
};

Value from_json(const boost::json::value& json);

// Python's ==.
bool equal(const Value& a, const Value& b);
// The member, or nullptr.
const Value* find(const Dict& dict, std::string_view key);

std::string to_str(const Value& value);   // str()
std::string to_repr(const Value& value);  // repr()
// json.dumps(value, ensure_ascii=False, indent=indent); nothing when a value has no JSON form. indent < 0: one line.
bool to_json(const Value& value, int indent, bool sort_keys, std::string& out, int depth = 0);

// Strings by code points, as Python counts. The text is valid UTF-8: it came out of JSON or of a checked template.
size_t length_of(std::string_view text);
std::vector<std::string_view> code_points(std::string_view text);
bool is_space(std::string_view code_point);

}  // namespace tenon::chat
