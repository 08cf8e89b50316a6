// Values of expressions: exactly as rationals, modulo a prime, and as balls (intervals that surely hold the value).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <acb.h>

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "math_answer/ast.h"

namespace tenon::math_answer {

// Counted work: the same answers cost the same on every machine. Throws LimitError when it is spent.
class Budget {
 public:
  explicit Budget(uint64_t units) : left_(units), all_(units) {}
  void spend(uint64_t units) {
    if (units > left_) {
      left_ = 0;
      throw LimitError("the work budget is spent");
    }
    left_ -= units;
  }
  uint64_t spent() const { return all_ - left_; }

 private:
  uint64_t left_, all_;
};

// An expression: a node of a tree, which must outlive it.
struct Ref {
  const Tree* tree = nullptr;
  NodeId id = kNone;

  Kind kind() const { return tree->kind(id); }
  const Node& node() const { return (*tree)[id]; }
  uint32_t size() const { return node().count; }
  Ref child(uint32_t i) const { return {tree, tree->child(id, i)}; }
};

// Values of symbols by name; the last of a name counts.
class Environment {
 public:
  void push(std::string_view name, Rational value) { values_.emplace_back(name, std::move(value)); }
  void pop() { values_.pop_back(); }
  const Rational* find(std::string_view name) const {
    for (auto i = values_.rbegin(); i != values_.rend(); ++i)
      if (i->first == name) return &i->second;
    return nullptr;
  }

 private:
  std::vector<std::pair<std::string_view, Rational>> values_;
};

// The rational value; nothing if it has none, is none that arithmetic finds, or is larger than kMaxBits.
std::optional<Rational> exact_value(Ref e, Environment& env, Budget& budget);

// The value modulo 2^61 − 1 of a rational function; nothing if it is no such function or a denominator vanishes. Symbols that `env` lacks have
// the value that `point` gives their names.
std::optional<uint64_t> modular_value(Ref e, uint64_t point, Environment& env, Budget& budget);

enum class Evaluated {
  kValue,      // out holds it
  kUndefined,  // there is none: ln 0; √−1 among the reals
  kUnknown,    // not at this precision, or not by these means
};

// One complex ball.
class Ball {
 public:
  Ball() { acb_init(value_); }
  Ball(const Ball&) = delete;
  Ball& operator=(const Ball&) = delete;
  ~Ball() { acb_clear(value_); }
  acb_ptr raw() { return value_; }
  acb_srcptr raw() const { return value_; }
  arb_ptr re() { return acb_realref(value_); }
  arb_ptr im() { return acb_imagref(value_); }
  bool is_real() const { return arb_is_zero(acb_imagref(value_)) != 0; }

 private:
  acb_t value_;
};

struct BallContext {
  slong bits;
  bool real;  // real functions: ∛−8 = −2, √−1 undefined; else principal values
  Environment& env;
  Budget& budget;
};
Evaluated ball_value(Ref e, BallContext& context, Ball& out);

// The names of the symbols (and of what is opaque) in an expression, each once; bound indices of sums are left out.
void collect_symbols(Ref e, std::vector<std::string_view>& names);
// Whether a symbol, or what is opaque, of that name is in it.
bool mentions(Ref e, std::string_view name);
// Whether it is a number modulo another: 5 mod 7.
bool is_residue(Ref e);
// Whether it is itself an operator that is not worked out: a derivative, an integral, a limit, a sum to infinity.
bool is_operator(Ref e);
// Whether one is in it, or dots.
bool has_operator(Ref e);
// Whether an operator binds its symbol, so that its name says nothing: all but derivatives and indefinite integrals.
bool binds_symbol(Ref op);
// Whether i, or a root that may be complex, asks for complex numbers.
bool has_imaginary_unit(Ref e);

}  // namespace tenon::math_answer
