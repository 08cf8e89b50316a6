// From template source to a syntax tree.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chat_template/value.h"

namespace tenon::chat {

struct Position {
  uint32_t line = 1, column = 1;
};

enum class TokenKind {
  kText,
  kBlockBegin,
  kBlockEnd,
  kPrintBegin,
  kPrintEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kOperator,
  kEnd
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;  // of kText and kString the content, white space control applied and escapes resolved
  Position at;
};

// Throws TemplateError.
std::vector<Token> tokenize(std::string_view source, const std::string& name);

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

enum class ExpressionKind {
  kLiteral,    // value
  kName,       // text
  kList,       // children
  kDict,       // children: key, value, key, value, ...
  kAttribute,  // children[0] . text
  kItem,       // children[0] [ children[1] ]
  kSlice,      // children[0] [ children[1] : children[2] : children[3] ], absent ones null
  kCall,       // children[0] ( children[1...], keywords )
  kFilter,     // children[0] | text ( children[1...], keywords )
  kTest,       // children[0] is text ( children[1...] )
  kUnary,      // text children[0]: "-", "+", "not"
  kBinary,     // children[0] text children[1]: arithmetic, "~", "and", "or"
  kCompare,    // children[0] operators[0] children[1] operators[1] children[2] ...
  kCondition,  // children[0] if children[1] else children[2] (null: undefined)
};

struct Expression {
  ExpressionKind kind;
  Position at;
  std::string text;
  Value value;
  std::vector<ExpressionPtr> children;
  std::vector<std::pair<std::string, ExpressionPtr>> keywords;
  std::vector<std::string> operators;
};

enum class StatementKind {
  kText,      // text
  kPrint,     // value
  kIf,        // value, body, otherwise
  kFor,       // names in value [if filter]: body, else: otherwise
  kSet,       // names = value; or names[0].attribute = value
  kSetBlock,  // names[0] = rendered body
  kMacro,     // text is the name; names, defaults; body
  kBlock,     // body, in the scope it stands in
  kBreak,
  kContinue,
};

struct Statement {
  StatementKind kind;
  Position at;
  std::string text;
  std::vector<std::string> names;
  std::string attribute;
  ExpressionPtr value, filter;
  std::vector<ExpressionPtr> defaults;  // of a macro's parameters; null: none
  std::vector<Statement> body, otherwise;
};

// Throws TemplateError, also for filters and tests that do not exist and for nesting over 200 deep.
std::vector<Statement> parse(const std::vector<Token>& tokens, const std::string& name);

}  // namespace tenon::chat
