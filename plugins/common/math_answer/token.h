// From the text of an answer to tokens: LaTeX, plain text, Python and sympy spelling and Unicode become one vocabulary.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "math_answer/ast.h"

namespace tenon::math_answer {

enum class T : uint8_t {
  kEnd,
  kNumber,    // text: digits, at most one '.', then perhaps e and an exponent
  kLetter,    // text: a symbol's name, one letter or a Greek name or an accented letter ("vec v")
  kWord,      // text: a plain word of two letters or more that is no function and no constant
  kText,      // text: the content of \text{…}
  kFunction,  // value: Function
  kConstant,  // value: Constant
  kPlus,
  kMinus,
  kPlusMinus,
  kMinusPlus,
  kTimes,
  kSlash,
  kCaret,
  kUnder,
  kBang,
  kPercent,
  kDegree,
  kPrime,
  kComma,
  kSemicolon,
  kColon,
  kLParen,
  kRParen,
  kLBracket,
  kRBracket,
  kLBrace,
  kRBrace,
  kLSet,
  kRSet,
  kBar,
  kDoubleBar,
  kLFloor,
  kRFloor,
  kLCeil,
  kRCeil,
  kLAngle,
  kRAngle,
  kRelation,  // value: Relation
  kUnion,
  kIntersection,
  kSetMinus,
  kNamedSet,
  kAnd,
  kOr,
  kFrac,
  kSqrt,
  kRoot,
  kBinom,
  kAccent,  // kAccent: text is its name ("overline")
  kBegin,
  kEnd_,
  kAmpersand,
  kRow,  // kBegin, kEnd_: text is the environment
  kDots,
  kSum,
  kProduct,
  kOpaque,        // text: the command (int, lim)
  kDifferential,  // value 0: ∂; 1: the dx that ends an integral, text: x
  kFraction,      // a vulgar fraction character; text "1/2"
  kCurrency,      // text: its unit
  kSuperscript,   // text: digits with a sign (²)
  kCall,          // text: a sympy constructor (Matrix, Interval, FiniteSet)
  kMod,
  kUnknown,  // text: what it is
};

struct Token {
  T kind = T::kEnd;
  uint8_t value = 0;
  bool space = false;    // white space or \, before it
  bool command = false;  // was a LaTeX command
  uint32_t at = 0;       // byte offset in the text
  std::string text;
};

// How an ambiguous text is read.
struct Reading {
  bool thousands_comma = true;    // 1,234 outside brackets is a number
  bool decimal_comma = false;     // 3,14 is a number
  bool thousands_space = false;   // 12 345 is a number
  bool python_constants = false;  // E is e beside a star, and a j behind digits i: 2*E, 3j
};

// Ends with T::kEnd. Any bytes are allowed; what is not known becomes kUnknown. Throws LimitError.
// `ambiguous` is set where another Reading might read it otherwise.
std::vector<Token> tokenize(std::string_view text, const Reading& reading, bool& ambiguous);

// The tokens written one way: equal strings, equal answers, if they parse at all.
std::string canonical(const std::vector<Token>& tokens);

}  // namespace tenon::math_answer
