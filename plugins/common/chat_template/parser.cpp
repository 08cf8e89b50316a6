// Tokens to a syntax tree: jinja2's grammar, as far as chat templates use it.
// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <initializer_list>

#include "chat_template/builtins.h"
#include "chat_template/chat_template.h"
#include "chat_template/syntax.h"

namespace tenon::chat {
namespace {

constexpr int kMaxDepth = 200;

class Parser {
 public:
  Parser(const std::vector<Token>& tokens, const std::string& name) : tokens_(tokens), name_(name) {}

  std::vector<Statement> run() { return statements({}); }

 private:
  // Guards against templates that would overflow the stack.
  struct Nesting {
    explicit Nesting(Parser& p) : parser(p) {
      if (++parser.depth_ > kMaxDepth)
        parser.fail(parser.current(), "nested more than " + std::to_string(kMaxDepth) + " deep");
    }
    ~Nesting() { --parser.depth_; }
    Parser& parser;
  };

  // ---- tokens ----

  const Token& current() const { return tokens_[at_]; }
  const Token& peek() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  const Token& take() {
    const Token& token = tokens_[at_];
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  [[noreturn]] void fail(const Token& token, const std::string& what) const {
    throw TemplateError(name_, token.at.line, token.at.column, what);
  }
  static std::string describe(const Token& token) {
    switch (token.kind) {
      case TokenKind::kEnd:
        return "the end of the template";
      case TokenKind::kText:
        return "text";
      case TokenKind::kBlockBegin:
        return "\"{%\"";
      case TokenKind::kBlockEnd:
        return "\"%}\"";
      case TokenKind::kPrintBegin:
        return "\"{{\"";
      case TokenKind::kPrintEnd:
        return "\"}}\"";
      case TokenKind::kString:
        return "a string";
      default:
        return "\"" + token.text + "\"";
    }
  }
  bool at_operator(std::string_view text) const {
    return current().kind == TokenKind::kOperator && current().text == text;
  }
  bool at_name(std::string_view text) const {
    return current().kind == TokenKind::kName && current().text == text;
  }
  bool skip_operator(std::string_view text) { return at_operator(text) && (take(), true); }
  bool skip_name(std::string_view text) { return at_name(text) && (take(), true); }
  void expect_operator(std::string_view text) {
    if (!skip_operator(text))
      fail(current(), "expected \"" + std::string(text) + "\", found " + describe(current()));
  }
  void expect_name(std::string_view text) {
    if (!skip_name(text))
      fail(current(), "expected \"" + std::string(text) + "\", found " + describe(current()));
  }
  std::string identifier() {
    if (current().kind != TokenKind::kName) fail(current(), "expected a name, found " + describe(current()));
    return take().text;
  }
  void end_tag() {
    if (current().kind != TokenKind::kBlockEnd)
      fail(current(), "expected \"%}\", found " + describe(current()));
    take();
  }

  // ---- statements ----

  // Up to a tag whose word is in `ends` (which is left for the caller), or the end when there are none.
  std::vector<Statement> statements(std::initializer_list<std::string_view> ends) {
    const Nesting nesting(*this);
    std::vector<Statement> body;
    while (true) {
      const Token& token = current();
      if (token.kind == TokenKind::kEnd) {
        if (ends.size() > 0)
          fail(token, "the template ends before {% " + std::string(*(ends.end() - 1)) + " %}");
        return body;
      }
      if (token.kind == TokenKind::kText) {
        body.push_back(make(StatementKind::kText, token));
        body.back().text = take().text;
      } else if (token.kind == TokenKind::kPrintBegin) {
        body.push_back(make(StatementKind::kPrint, take()));
        body.back().value = tuple_or_expression();
        if (current().kind != TokenKind::kPrintEnd)
          fail(current(), "expected \"}}\", found " + describe(current()));
        take();
      } else {
        for (const std::string_view end : ends) {
          if (peek().kind == TokenKind::kName && peek().text == end) return body;
        }
        take();
        body.push_back(tag());
      }
    }
  }

  static Statement make(StatementKind kind, const Token& token) {
    Statement statement{};
    statement.kind = kind;
    statement.at = token.at;
    return statement;
  }

  // Takes "{%" and the word that statements() stopped at.
  std::string take_end() {
    take();
    return take().text;
  }

  Statement tag() {
    const Token token = current();
    const std::string word = identifier();
    if (word == "if") return if_statement(token);
    if (word == "for") return for_statement(token);
    if (word == "set") return set_statement(token);
    if (word == "macro") return macro_statement(token);
    if (word == "generation") {
      Statement statement = make(StatementKind::kBlock, token);
      end_tag();
      statement.body = statements({"endgeneration"});
      take_end();
      end_tag();
      return statement;
    }
    if (word == "break" || word == "continue") {
      if (loop_depth_ == 0) fail(token, "\"" + word + "\" outside a for statement");
      end_tag();
      return make(word == "break" ? StatementKind::kBreak : StatementKind::kContinue, token);
    }
    if (word.starts_with("end") || word.starts_with("el")) fail(token, "unexpected tag \"" + word + "\"");
    fail(token, "the tag \"" + word + "\" is not supported");
  }

  // Behind "if" or "elif".
  Statement if_statement(const Token& token) {
    Statement statement = make(StatementKind::kIf, token);
    statement.value = tuple_or_expression();
    end_tag();
    statement.body = statements({"elif", "else", "endif"});
    const Token end = peek();
    const std::string word = take_end();
    if (word == "elif") {
      const Nesting nesting(*this);
      statement.otherwise.push_back(if_statement(end));
      return statement;
    }
    end_tag();
    if (word == "else") {
      statement.otherwise = statements({"endif"});
      take_end();
      end_tag();
    }
    return statement;
  }

  Statement for_statement(const Token& token) {
    Statement statement = make(StatementKind::kFor, token);
    do {
      statement.names.push_back(identifier());
    } while (skip_operator(","));
    expect_name("in");
    statement.value = or_expression();  // not a condition: `if` begins the filter
    if (skip_name("if")) statement.filter = expression();
    if (at_name("recursive")) fail(current(), "recursive loops are not supported");
    end_tag();
    ++loop_depth_;
    statement.body = statements({"else", "endfor"});
    --loop_depth_;
    const std::string word = take_end();
    end_tag();
    if (word == "else") {
      statement.otherwise = statements({"endfor"});
      take_end();
      end_tag();
    }
    return statement;
  }

  Statement set_statement(const Token& token) {
    Statement statement = make(StatementKind::kSet, token);
    statement.names.push_back(identifier());
    if (skip_operator(".")) {
      statement.attribute = identifier();
    } else {
      while (skip_operator(",")) statement.names.push_back(identifier());
    }
    if (skip_operator("=")) {
      statement.value = tuple_or_expression();
      end_tag();
      return statement;
    }
    if (statement.names.size() > 1 || !statement.attribute.empty())
      fail(current(), "expected \"=\", found " + describe(current()));
    statement.kind = StatementKind::kSetBlock;
    end_tag();
    statement.body = statements({"endset"});
    take_end();
    end_tag();
    return statement;
  }

  Statement macro_statement(const Token& token) {
    Statement statement = make(StatementKind::kMacro, token);
    statement.text = identifier();
    expect_operator("(");
    while (!skip_operator(")")) {
      if (!statement.names.empty()) expect_operator(",");
      statement.names.push_back(identifier());
      statement.defaults.push_back(skip_operator("=") ? expression() : nullptr);
    }
    end_tag();
    const int outer_loops = std::exchange(loop_depth_, 0);
    statement.body = statements({"endmacro"});
    loop_depth_ = outer_loops;
    take_end();
    end_tag();
    return statement;
  }

  // ---- expressions, loosest first ----

  ExpressionPtr node(ExpressionKind kind, const Token& token) const {
    auto result = std::make_unique<Expression>();
    result->kind = kind;
    result->at = token.at;
    return result;
  }
  template <typename... Children>
  ExpressionPtr node(ExpressionKind kind, const Token& token, std::string text, Children... children) const {
    auto result = node(kind, token);
    result->text = std::move(text);
    (result->children.push_back(std::move(children)), ...);
    return result;
  }

  // "a, b" is a tuple, which here is a list.
  ExpressionPtr tuple_or_expression() {
    const Token token = current();
    ExpressionPtr first = expression();
    if (!at_operator(",")) return first;
    auto list = node(ExpressionKind::kList, token);
    list->children.push_back(std::move(first));
    while (skip_operator(",")) {
      if (current().kind == TokenKind::kBlockEnd || current().kind == TokenKind::kPrintEnd ||
          at_operator(")"))
        break;
      list->children.push_back(expression());
    }
    return list;
  }

  ExpressionPtr expression() {
    const Nesting nesting(*this);
    const Token token = current();
    ExpressionPtr result = or_expression();
    while (skip_name("if")) {
      ExpressionPtr condition = or_expression();
      ExpressionPtr otherwise = skip_name("else") ? expression() : nullptr;
      result = node(ExpressionKind::kCondition, token, "", std::move(result), std::move(condition),
                    std::move(otherwise));
    }
    return result;
  }

  ExpressionPtr or_expression() {
    ExpressionPtr left = and_expression();
    while (at_name("or")) {
      const Token op = take();
      left = node(ExpressionKind::kBinary, op, "or", std::move(left), and_expression());
    }
    return left;
  }

  ExpressionPtr and_expression() {
    ExpressionPtr left = not_expression();
    while (at_name("and")) {
      const Token op = take();
      left = node(ExpressionKind::kBinary, op, "and", std::move(left), not_expression());
    }
    return left;
  }

  ExpressionPtr not_expression() {
    if (!at_name("not")) return comparison();
    const Nesting nesting(*this);
    const Token op = take();
    return node(ExpressionKind::kUnary, op, "not", not_expression());
  }

  ExpressionPtr comparison() {
    const Token token = current();
    ExpressionPtr first = sum();
    ExpressionPtr result;
    while (true) {
      std::string op;
      for (const char* symbol : {"==", "!=", "<", "<=", ">", ">="}) {
        if (at_operator(symbol)) op = symbol;
      }
      if (at_name("in")) op = "in";
      if (at_name("not") && peek().kind == TokenKind::kName && peek().text == "in") op = "not in";
      if (op.empty()) return result ? std::move(result) : std::move(first);
      take();
      if (op == "not in") take();
      if (!result) result = node(ExpressionKind::kCompare, token, "", std::move(first));
      result->operators.push_back(op);
      result->children.push_back(sum());
    }
  }

  // One level of left-associative operators.
  template <typename Next>
  ExpressionPtr chain(std::initializer_list<std::string_view> operators, Next next) {
    ExpressionPtr left = next();
    while (true) {
      bool found = false;
      for (const std::string_view op : operators) found = found || at_operator(op);
      if (!found) return left;
      const Token token = take();
      left = node(ExpressionKind::kBinary, token, token.text, std::move(left), next());
    }
  }

  ExpressionPtr sum() {
    return chain({"+", "-"}, [&] { return concatenation(); });
  }
  ExpressionPtr concatenation() {
    return chain({"~"}, [&] { return product(); });
  }
  ExpressionPtr product() {
    return chain({"*", "/", "//", "%"}, [&] { return power(); });
  }
  ExpressionPtr power() {
    return chain({"**"}, [&] { return unary(true); });
  }

  ExpressionPtr unary(bool with_filters) {
    const Nesting nesting(*this);
    const Token token = current();
    ExpressionPtr result;
    if (at_operator("-") || at_operator("+")) {
      take();
      result = node(ExpressionKind::kUnary, token, token.text, unary(false));
    } else {
      result = primary();
    }
    result = postfix(std::move(result));
    return with_filters ? filters(std::move(result)) : std::move(result);
  }

  ExpressionPtr literal(const Token& token, Value value) const {
    auto result = node(ExpressionKind::kLiteral, token);
    result->value = std::move(value);
    return result;
  }

  ExpressionPtr primary() {
    const Token token = take();
    switch (token.kind) {
      case TokenKind::kName:
        if (token.text == "true" || token.text == "True") return literal(token, true);
        if (token.text == "false" || token.text == "False") return literal(token, false);
        if (token.text == "none" || token.text == "None") return literal(token, None{});
        return node(ExpressionKind::kName, token, token.text);
      case TokenKind::kString: {
        std::string text = token.text;
        while (current().kind == TokenKind::kString) text += take().text;
        return literal(token, std::move(text));
      }
      case TokenKind::kInteger: {
        int64_t value = 0;
        const auto result = std::from_chars(token.text.data(), token.text.data() + token.text.size(), value);
        if (result.ec != std::errc()) fail(token, "the number " + token.text + " is too large");
        return literal(token, value);
      }
      case TokenKind::kFloat:
        return literal(token, std::stod(token.text));
      case TokenKind::kOperator:
        if (token.text == "(") return parenthesis(token);
        if (token.text == "[") return list(token);
        if (token.text == "{") return dict(token);
        [[fallthrough]];
      default:
        fail(token, "expected an expression, found " + describe(token));
    }
  }

  ExpressionPtr parenthesis(const Token& token) {
    if (skip_operator(")")) return node(ExpressionKind::kList, token);
    ExpressionPtr inner = tuple_or_expression();
    expect_operator(")");
    return inner;
  }

  ExpressionPtr list(const Token& token) {
    auto result = node(ExpressionKind::kList, token);
    while (!skip_operator("]")) {
      if (!result->children.empty()) {
        expect_operator(",");
        if (skip_operator("]")) break;
      }
      result->children.push_back(expression());
    }
    return result;
  }

  ExpressionPtr dict(const Token& token) {
    auto result = node(ExpressionKind::kDict, token);
    while (!skip_operator("}")) {
      if (!result->children.empty()) {
        expect_operator(",");
        if (skip_operator("}")) break;
      }
      result->children.push_back(expression());
      expect_operator(":");
      result->children.push_back(expression());
    }
    return result;
  }

  ExpressionPtr postfix(ExpressionPtr object) {
    while (true) {
      const Token token = current();
      if (skip_operator(".")) {
        if (current().kind == TokenKind::kInteger) {
          auto index = literal(current(), static_cast<int64_t>(std::stoll(take().text)));
          object = node(ExpressionKind::kItem, token, "", std::move(object), std::move(index));
        } else {
          std::string name = identifier();
          object = node(ExpressionKind::kAttribute, token, std::move(name), std::move(object));
        }
      } else if (skip_operator("[")) {
        object = subscript(token, std::move(object));
      } else if (at_operator("(")) {
        auto call = node(ExpressionKind::kCall, token, "", std::move(object));
        arguments(*call);
        object = std::move(call);
      } else {
        return object;
      }
    }
  }

  ExpressionPtr subscript(const Token& token, ExpressionPtr object) {
    ExpressionPtr parts[3];
    int colons = 0;
    while (!at_operator("]")) {
      if (at_operator(":")) {
        if (++colons > 2) fail(current(), "expected \"]\", found \":\"");
        take();
      } else {
        if (parts[colons]) fail(current(), "expected \"]\", found " + describe(current()));
        parts[colons] = expression();
      }
    }
    expect_operator("]");
    if (colons == 0) {
      if (!parts[0]) fail(token, "the index is missing");
      return node(ExpressionKind::kItem, token, "", std::move(object), std::move(parts[0]));
    }
    return node(ExpressionKind::kSlice, token, "", std::move(object), std::move(parts[0]),
                std::move(parts[1]), std::move(parts[2]));
  }

  void arguments(Expression& call) {
    expect_operator("(");
    bool first = true;
    while (!skip_operator(")")) {
      if (!first) {
        expect_operator(",");
        if (skip_operator(")")) break;
      }
      first = false;
      if (at_operator("*") || at_operator("**")) fail(current(), "* and ** arguments are not supported");
      if (current().kind == TokenKind::kName && peek().kind == TokenKind::kOperator && peek().text == "=") {
        std::string keyword = take().text;
        take();
        call.keywords.emplace_back(std::move(keyword), expression());
      } else {
        if (!call.keywords.empty()) fail(current(), "an argument without a name follows one with a name");
        call.children.push_back(expression());
      }
    }
  }

  ExpressionPtr filters(ExpressionPtr value) {
    while (true) {
      const Token token = current();
      if (skip_operator("|")) {
        const Token name = current();
        std::string filter = identifier();
        if (!is_filter(filter)) fail(name, "the filter \"" + filter + "\" is not supported");
        value = node(ExpressionKind::kFilter, name, std::move(filter), std::move(value));
        if (at_operator("(")) arguments(*value);
      } else if (skip_name("is")) {
        value = test(token, std::move(value));
      } else if (at_operator("(")) {
        auto call = node(ExpressionKind::kCall, token, "", std::move(value));
        arguments(*call);
        value = std::move(call);
      } else {
        return value;
      }
    }
  }

  ExpressionPtr test(const Token& token, ExpressionPtr value) {
    const bool negated = skip_name("not");
    const Token name = current();
    std::string text = identifier();
    if (!is_test(text)) fail(name, "the test \"" + text + "\" is not supported");
    ExpressionPtr result = node(ExpressionKind::kTest, name, std::move(text), std::move(value));
    if (at_operator("(")) {
      arguments(*result);
      if (!result->keywords.empty()) fail(name, "a test takes no named arguments");
    } else if (begins_argument()) {
      if (at_name("is")) fail(current(), "tests cannot be chained with \"is\"");
      ExpressionPtr argument = primary();
      result->children.push_back(postfix(std::move(argument)));
    }
    return negated ? node(ExpressionKind::kUnary, token, "not", std::move(result)) : std::move(result);
  }

  // Whether a test's single argument follows, without parentheses.
  bool begins_argument() const {
    switch (current().kind) {
      case TokenKind::kName:
        return !at_name("else") && !at_name("or") && !at_name("and") && !at_name("if") && !at_name("in") &&
               !at_name("not");
      case TokenKind::kString:
      case TokenKind::kInteger:
      case TokenKind::kFloat:
        return true;
      case TokenKind::kOperator:
        return current().text == "[" || current().text == "{";
      default:
        return false;
    }
  }

  const std::vector<Token>& tokens_;
  const std::string& name_;
  size_t at_ = 0;
  int depth_ = 0;
  int loop_depth_ = 0;
};

}  // namespace

std::vector<Statement> parse(const std::vector<Token>& tokens, const std::string& name) {
  return Parser(tokens, name).run();
}

}  // namespace tenon::chat
