// Exact rational numbers of any size, as values: FLINT's fmpq with an owner.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <flint/fmpq.h>
#include <flint/fmpz.h>

#include <cstdint>
#include <string>
#include <utility>

namespace tenon::math_answer {

// Always in lowest terms with a positive denominator. Division by zero is the caller's to avoid.
class Rational {
 public:
  Rational() { fmpq_init(value_); }
  explicit Rational(int64_t n) : Rational() { fmpz_set_si(fmpq_numref(value_), n); }
  Rational(const Rational& other) : Rational() { fmpq_set(value_, other.value_); }
  Rational(Rational&& other) noexcept : Rational() { fmpq_swap(value_, other.value_); }
  Rational& operator=(Rational other) noexcept {
    fmpq_swap(value_, other.value_);
    return *this;
  }
  ~Rational() { fmpq_clear(value_); }

  const fmpq* raw() const { return value_; }
  fmpq* raw() { return value_; }
  const fmpz* num() const { return fmpq_numref(value_); }
  const fmpz* den() const { return fmpq_denref(value_); }
  fmpz* num() { return fmpq_numref(value_); }

  bool is_zero() const { return fmpq_is_zero(value_) != 0; }
  bool is_one() const { return fmpq_is_one(value_) != 0; }
  bool is_integer() const { return fmpz_is_one(den()) != 0; }
  int sign() const { return fmpq_sgn(value_); }
  // The larger of the sizes of numerator and denominator.
  uint64_t bits() const { return std::max<uint64_t>(fmpz_bits(num()), fmpz_bits(den())); }
  bool fits_int() const { return is_integer() && fmpz_fits_si(num()) != 0; }
  int64_t to_int() const { return fmpz_get_si(num()); }

  friend Rational operator+(const Rational& a, const Rational& b) { return made(fmpq_add, a, b); }
  friend Rational operator-(const Rational& a, const Rational& b) { return made(fmpq_sub, a, b); }
  friend Rational operator*(const Rational& a, const Rational& b) { return made(fmpq_mul, a, b); }
  friend Rational operator/(const Rational& a, const Rational& b) { return made(fmpq_div, a, b); }
  friend bool operator==(const Rational& a, const Rational& b) { return fmpq_equal(a.value_, b.value_) != 0; }
  friend bool operator<(const Rational& a, const Rational& b) { return fmpq_cmp(a.value_, b.value_) < 0; }
  friend bool operator<=(const Rational& a, const Rational& b) { return fmpq_cmp(a.value_, b.value_) <= 0; }

  Rational negated() const {
    Rational r;
    fmpq_neg(r.value_, value_);
    return r;
  }
  Rational abs() const { return sign() < 0 ? negated() : *this; }
  // this^n. For n < 0 the value must not be zero.
  Rational power(int64_t n) const {
    Rational r;
    fmpq_pow_si(r.value_, value_, n);
    return r;
  }
  Rational floor() const {
    Rational r;
    fmpz_fdiv_q(r.num(), num(), den());
    return r;
  }
  static Rational power_of_ten(int64_t n) { return Rational(10).power(n); }

 private:
  template <class F>
  static Rational made(F f, const Rational& a, const Rational& b) {
    Rational r;
    f(r.value_, a.value_, b.value_);
    return r;
  }

  fmpq_t value_;
};

}  // namespace tenon::math_answer
