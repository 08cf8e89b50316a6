// Rendering: walks the syntax tree.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <unordered_map>

#include "chat_template/builtins.h"
#include "chat_template/chat_template.h"
#include "chat_template/syntax.h"

namespace tenon::chat {
namespace {

// A unit of work is about a nanosecond: a byte copied; an evaluation or an element of a list is 32, an iteration 512.
constexpr uint64_t kMaxWork = uint64_t{1} << 28;
constexpr uint64_t kStep = 32;
constexpr int kMaxCalls = 64;
constexpr int kMaxNesting = 100;
constexpr int64_t kMaxRange = 100'000;

enum class Flow { kNext, kBreak, kContinue };

using Scope = std::unordered_map<std::string, Value>;

class Renderer {
 public:
  Renderer(const std::string& name, const RenderOptions& options) : name_(name), options_(options) {}

  std::string run(const std::vector<Statement>& body, Scope globals) {
    scopes_.push_back(std::move(globals));
    scopes_.emplace_back();
    std::string out;
    run_body(body, out);
    return out;
  }

 private:
  [[noreturn]] void fail(Position at, const std::string& what) const {
    throw TemplateError(name_, at.line, at.column, what);
  }

  void charge(Position at, uint64_t work) {
    work_ += work;
    if (work_ > kMaxWork)
      fail(at, "the template does too much work (over " + std::to_string(kMaxWork) + " units)");
  }

  // Runs `body`, giving what a built-in throws its place.
  template <typename Body>
  auto located(Position at, Body body) const {
    try {
      return body();
    } catch (const ValueError& error) {
      fail(at, error.what());
    }
  }

  // ---- names ----

  Value lookup(const std::string& name) const {
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
      if (const auto it = scope->find(name); it != scope->end()) return it->second;
    }
    for (const char* builtin : {"namespace", "raise_exception", "range", "dict"}) {
      if (name == builtin) return Builtin{name};
    }
    if (name == "strftime_now" && options_.now) return Builtin{name};
    return Undefined{name};
  }

  // ---- statements ----

  Flow run_body(const std::vector<Statement>& body, std::string& out) {
    for (const Statement& statement : body) {
      const Flow flow = run_statement(statement, out);
      if (flow != Flow::kNext) return flow;
    }
    return Flow::kNext;
  }

  Flow run_statement(const Statement& s, std::string& out) {
    charge(s.at, kStep);
    switch (s.kind) {
      case StatementKind::kText:
        charge(s.at, s.text.size());
        out += s.text;
        return Flow::kNext;
      case StatementKind::kPrint: {
        const std::string text = to_str(evaluate(*s.value));
        charge(s.at, text.size());
        out += text;
        return Flow::kNext;
      }
      case StatementKind::kIf:
        return run_body(evaluate(*s.value).truthy() ? s.body : s.otherwise, out);
      case StatementKind::kFor:
        return run_for(s, out);
      case StatementKind::kSet:
        assign(s, evaluate(*s.value));
        return Flow::kNext;
      case StatementKind::kSetBlock: {
        std::string text;
        scopes_.emplace_back();
        const Flow flow = run_body(s.body, text);
        scopes_.pop_back();
        scopes_.back()[s.names[0]] = std::move(text);
        return flow;
      }
      case StatementKind::kMacro:
        scopes_.back()[s.text] = Macro{&s};
        return Flow::kNext;
      case StatementKind::kBlock:
        return run_body(s.body, out);
      case StatementKind::kBreak:
        return Flow::kBreak;
      case StatementKind::kContinue:
        return Flow::kContinue;
    }
    return Flow::kNext;
  }

  void assign(const Statement& s, Value value) {
    if (!s.attribute.empty()) {
      const Value target = lookup(s.names[0]);
      const auto* members = target.get<std::shared_ptr<Namespace>>();
      if (members == nullptr)
        fail(s.at, "only a namespace's attributes can be set, and \"" + s.names[0] + "\" is " +
                       std::string(target.type_name()));
      // A namespace within itself would never be freed, nor printed.
      if (value.get<std::shared_ptr<Namespace>>() != nullptr)
        fail(s.at, "a namespace in a namespace is not supported");
      (*members)->members[s.attribute] = std::move(value);
    } else {
      bind(s.at, s.names, std::move(value));
    }
  }

  // One name takes the value; several take its elements.
  void bind(Position at, const std::vector<std::string>& names, Value value) {
    if (names.size() == 1) {
      scopes_.back()[names[0]] = std::move(value);
      return;
    }
    const List list = located(at, [&] { return elements(value); });
    if (list.size() != names.size()) {
      fail(at, std::to_string(list.size()) + " values for " + std::to_string(names.size()) + " names");
    }
    for (size_t i = 0; i < names.size(); ++i) scopes_.back()[names[i]] = list[i];
  }

  Flow run_for(const Statement& s, std::string& out) {
    const Value sequence = evaluate(*s.value);
    auto items = std::make_shared<List>(located(s.at, [&] { return elements(sequence); }));
    if (s.filter) *items = filtered(s, *items);
    charge(s.at, kStep * items->size());
    if (items->empty()) return run_body(s.otherwise, out);
    for (size_t i = 0; i < items->size(); ++i) {
      charge(s.at, 16 * kStep);
      scopes_.emplace_back();
      scopes_.back()["loop"] = std::make_shared<const Loop>(Loop{items, i});
      bind(s.at, s.names, (*items)[i]);
      const Flow flow = run_body(s.body, out);
      scopes_.pop_back();
      if (flow == Flow::kBreak) break;
    }
    return Flow::kNext;
  }

  List filtered(const Statement& s, const List& items) {
    List kept;
    for (const Value& element : items) {
      scopes_.emplace_back();
      bind(s.at, s.names, element);
      if (evaluate(*s.filter).truthy()) kept.push_back(element);
      scopes_.pop_back();
    }
    return kept;
  }

  // A value that goes into a container; containers too deep within each other would overflow the stack.
  Value shallow(Position at, Value value) {
    if (deeper_than(value, kMaxNesting))
      fail(at, "lists and dictionaries nested more than " + std::to_string(kMaxNesting) + " deep");
    return value;
  }

  static bool deeper_than(const Value& value, int limit) {
    if (value.list() == nullptr && value.dict() == nullptr) return false;
    if (limit == 0) return true;
    if (const auto* list = value.list()) {
      return std::any_of(list->begin(), list->end(),
                         [&](const Value& element) { return deeper_than(element, limit - 1); });
    }
    const auto* dict = value.dict();
    return std::any_of(dict->begin(), dict->end(),
                       [&](const auto& member) { return deeper_than(member.second, limit - 1); });
  }

  // ---- expressions ----

  Value evaluate(const Expression& e) {
    charge(e.at, kStep);
    Value value = evaluate_kind(e);
    if (const auto* text = value.string()) charge(e.at, text->size());
    // A list that exists already is shared, not copied.
    const bool made = e.kind != ExpressionKind::kName && e.kind != ExpressionKind::kAttribute &&
                      e.kind != ExpressionKind::kItem;
    if (const auto* list = value.list(); list != nullptr && made) charge(e.at, kStep * list->size());
    return value;
  }

  Value evaluate_kind(const Expression& e) {
    switch (e.kind) {
      case ExpressionKind::kLiteral:
        return e.value;
      case ExpressionKind::kName:
        return lookup(e.text);
      case ExpressionKind::kList: {
        List list;
        for (const auto& child : e.children) list.push_back(shallow(e.at, evaluate(*child)));
        return list;
      }
      case ExpressionKind::kDict:
        return dict(e);
      case ExpressionKind::kAttribute: {
        const Value object = evaluate(*e.children[0]);
        return located(e.at, [&] { return attribute(object, e.text); });
      }
      case ExpressionKind::kItem: {
        const Value object = evaluate(*e.children[0]), key = evaluate(*e.children[1]);
        return located(e.at, [&] { return item(object, key); });
      }
      case ExpressionKind::kSlice: {
        const Value object = evaluate(*e.children[0]);
        Value bounds[3];
        for (size_t i = 0; i < 3; ++i) bounds[i] = e.children[i + 1] ? evaluate(*e.children[i + 1]) : Value();
        return located(e.at, [&] { return slice(object, bounds[0], bounds[1], bounds[2]); });
      }
      case ExpressionKind::kCall:
        return call(e);
      case ExpressionKind::kFilter: {
        const Value input = evaluate(*e.children[0]);
        Arguments given = arguments(e);
        return located(e.at, [&] { return apply_filter(e.text, input, std::move(given)); });
      }
      case ExpressionKind::kTest: {
        const Value input = evaluate(*e.children[0]);
        const Arguments given = arguments(e);
        return located(e.at, [&] { return apply_test(e.text, input, given.positional); });
      }
      case ExpressionKind::kUnary:
        return unary(e);
      case ExpressionKind::kBinary:
        return binary_expression(e);
      case ExpressionKind::kCompare:
        return compare_chain(e);
      case ExpressionKind::kCondition:
        if (evaluate(*e.children[1]).truthy()) return evaluate(*e.children[0]);
        return e.children[2] ? evaluate(*e.children[2]) : Value(Undefined{"the else of a condition"});
    }
    return Value();
  }

  Value dict(const Expression& e) {
    Dict result;
    for (size_t i = 0; i < e.children.size(); i += 2) {
      const Value key = evaluate(*e.children[i]);
      if (key.string() == nullptr)
        fail(e.children[i]->at, "a key must be a string, not " + std::string(key.type_name()));
      set_member(result, *key.string(), shallow(e.at, evaluate(*e.children[i + 1])));
    }
    return result;
  }

  static void set_member(Dict& dict, const std::string& key, Value value) {
    for (auto& [name, member] : dict) {
      if (name != key) continue;
      member = std::move(value);
      return;
    }
    dict.emplace_back(key, std::move(value));
  }

  Value unary(const Expression& e) {
    const Value value = evaluate(*e.children[0]);
    if (e.text == "not") return !value.truthy();
    return located(e.at, [&] { return binary(e.text, int64_t{0}, value); });
  }

  Value binary_expression(const Expression& e) {
    Value left = evaluate(*e.children[0]);
    if (e.text == "and") return left.truthy() ? evaluate(*e.children[1]) : left;
    if (e.text == "or") return left.truthy() ? left : evaluate(*e.children[1]);
    const Value right = evaluate(*e.children[1]);
    return located(e.at, [&] { return binary(e.text, left, right); });
  }

  Value compare_chain(const Expression& e) {
    Value left = evaluate(*e.children[0]);
    for (size_t i = 0; i < e.operators.size(); ++i) {
      Value right = evaluate(*e.children[i + 1]);
      if (!located(e.at, [&] { return compare(e.operators[i], left, right); })) return false;
      left = std::move(right);
    }
    return true;
  }

  Arguments arguments(const Expression& e) {
    Arguments given;
    for (size_t i = 1; i < e.children.size(); ++i) given.positional.push_back(evaluate(*e.children[i]));
    for (const auto& [name, value] : e.keywords) given.named.emplace_back(name, evaluate(*value));
    return given;
  }

  // ---- calls ----

  Value call(const Expression& e) {
    const Expression& callee = *e.children[0];
    if (callee.kind == ExpressionKind::kAttribute) {
      const Value object = evaluate(*callee.children[0]);
      if (is_method(object, callee.text)) {
        Arguments given = arguments(e);
        return located(e.at, [&] { return call_method(object, callee.text, std::move(given)); });
      }
      if (object.undefined()) located(e.at, [&] { return attribute(object, callee.text); });
      fail(callee.at,
           std::string(object.type_name()) + " has no method \"" + callee.text + "\" that is supported");
    }
    const Value function = evaluate(callee);
    if (const auto* macro = function.get<Macro>()) return call_macro(e, *macro->definition);
    if (const auto* builtin = function.get<Builtin>()) return call_builtin(e, builtin->name);
    if (const auto* undefined = function.get<Undefined>())
      fail(e.at, "\"" + undefined->name + "\" is undefined");
    fail(e.at, "an object of type " + std::string(function.type_name()) + " cannot be called");
  }

  Value call_builtin(const Expression& e, const std::string& name) {
    const Arguments given = arguments(e);
    if (name == "namespace" || name == "dict") {
      if (!given.positional.empty()) fail(e.at, name + " takes named arguments only");
      Dict members;
      for (const auto& [key, value] : given.named) set_member(members, key, shallow(e.at, value));
      if (name == "dict") return members;
      auto space = std::make_shared<Namespace>();
      for (auto& [key, value] : members) space->members[key] = std::move(value);
      return space;
    }
    if (!given.named.empty()) fail(e.at, name + " takes no named arguments");
    if (name == "range") return range(e, given.positional);
    if (given.positional.size() != 1 || given.positional[0].string() == nullptr)
      fail(e.at, name + " needs one string");
    if (name == "raise_exception") fail(e.at, *given.positional[0].string());
    char text[256];
    const size_t n = std::strftime(text, sizeof text, given.positional[0].string()->c_str(), &*options_.now);
    return std::string(text, n);
  }

  Value range(const Expression& e, const List& given) {
    if (given.empty() || given.size() > 3) fail(e.at, "range needs one to three integers");
    int64_t bounds[3] = {0, 0, 1};
    for (size_t i = 0; i < given.size(); ++i) {
      if (!given[i].integer()) fail(e.at, "range needs integers, not " + std::string(given[i].type_name()));
      bounds[given.size() == 1 ? 1 : i] = *given[i].integer();
    }
    if (bounds[2] == 0) fail(e.at, "the step of range is zero");
    List list;
    for (int64_t i = bounds[0]; bounds[2] > 0 ? i < bounds[1] : i > bounds[1];) {
      if (static_cast<int64_t>(list.size()) >= kMaxRange)
        fail(e.at, "a range over " + std::to_string(kMaxRange) + " long");
      list.emplace_back(i);
      if (__builtin_add_overflow(i, bounds[2], &i)) break;
    }
    return list;
  }

  // A macro sees the globals and its parameters.
  Value call_macro(const Expression& e, const Statement& macro) {
    if (++calls_ > kMaxCalls)
      fail(e.at, "macros call each other more than " + std::to_string(kMaxCalls) + " deep");
    Arguments given = arguments(e);
    if (given.positional.size() > macro.names.size())
      fail(e.at, "too many arguments for the macro \"" + macro.text + "\"");
    std::vector<Scope> caller;
    caller.swap(scopes_);
    scopes_.assign(caller.begin(),
                   caller.begin() + 2);  // the template's variables and what it has set at the top
    scopes_.emplace_back();
    for (size_t i = 0; i < macro.names.size(); ++i) {
      Value value = Undefined{macro.names[i]};
      if (i < given.positional.size()) {
        value = given.positional[i];
      } else if (Value* named = find_named(given, macro.names[i])) {
        value = *named;
      } else if (macro.defaults[i]) {
        value = evaluate(*macro.defaults[i]);
      }
      scopes_.back()[macro.names[i]] = std::move(value);
    }
    for (const auto& [name, value] : given.named) {
      if (!scopes_.back().contains(name))
        fail(e.at, "the macro \"" + macro.text + "\" has no argument " + name);
    }
    std::string out;
    run_body(macro.body, out);
    scopes_.swap(caller);
    --calls_;
    return out;
  }

  static Value* find_named(Arguments& given, const std::string& name) {
    for (auto& [key, value] : given.named) {
      if (key == name) return &value;
    }
    return nullptr;
  }

  const std::string& name_;
  const RenderOptions& options_;
  std::vector<Scope> scopes_;  // innermost last; [0] the caller's variables, [1] the template's
  uint64_t work_ = 0;
  int calls_ = 0;
};

}  // namespace

struct ChatTemplate::State {
  std::string name;
  std::vector<Statement> body;
};

ChatTemplate::ChatTemplate(std::unique_ptr<State> state) : state_(std::move(state)) {}
ChatTemplate::~ChatTemplate() = default;
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;

ChatTemplate ChatTemplate::parse(std::string_view source, const std::string& name) {
  return ChatTemplate(std::make_unique<State>(State{name, chat::parse(tokenize(source, name), name)}));
}

std::string ChatTemplate::render(const boost::json::object& variables, const RenderOptions& options) const {
  Scope globals;
  for (const auto& member : variables) globals.emplace(member.key(), from_json(member.value()));
  return Renderer(state_->name, options).run(state_->body, std::move(globals));
}

}  // namespace tenon::chat
