// exp, the logistic function and the logarithm on sixteen lanes.
// SPDX-License-Identifier: Apache-2.0
#ifndef TENON_KERNELS_CPU_EXP_H_
#define TENON_KERNELS_CPU_EXP_H_

#include "simd.h"

namespace tenon::kernels::TENON_ISA {

// e^x to about one unit in the last place; exact 0 below −104, subnormals kept, inf above 88.72, NaN stays
// NaN. x = n ln 2 + r with |r| <= ln(2)/2; e^r by the minimax polynomial of degree 6 (relative error 3e-9),
// fitted by iteratively reweighted least squares.
inline F16 exp16(F16 x) {
  x = min16(set16(89.0f), max16(set16(-105.0f), x));               // NaN is kept: the second operand wins
  const F16 t = fma16(x, set16(1.44269504f), set16(12582912.0f));  // n in the low bits: ties to even
  const F16 n = t - set16(12582912.0f);
  F16 r = fma16(n, set16(-0.693359375f), x);  // ln 2 in two parts, the first exact in few bits
  r = fma16(n, set16(2.12194440e-4f), r);
  F16 q = set16(0x1.6a244cp-10f);
  q = fma16(q, r, set16(0x1.1239d4p-7f));
  q = fma16(q, r, set16(0x1.5558f2p-5f));
  q = fma16(q, r, set16(0x1.555492p-3f));
  q = fma16(q, r, set16(0x1.fffffcp-2f));
  q = fma16(q * r, r, r) + set16(1.0f);
  return scale_by_power16(q, t);
}

// 1 / (1 + e^−x)
inline F16 sigmoid16(F16 x) {
  return set16(1.0f) / (set16(1.0f) + exp16(zero16() - x));
}

// ln x to about one unit in the last place, for finite x >= 1e-37; NaN and inf give NaN.
// x = m·2^e with m in [√½, √2), f = m − 1; ln(1 + f) = f − f²/2 + f³q(f), q the minimax polynomial of degree
// 7 (relative error 6e-9).
inline F16 log16(F16 x) {
  F16 m;
  const F16 e = split_power16(x, &m);
  const F16 f = m - set16(1.0f), f2 = f * f;
  F16 q = set16(-0x1.38b584p-4f);
  q = fma16(q, f, set16(0x1.055b6cp-3f));
  q = fma16(q, f, set16(-0x1.0d8542p-3f));
  q = fma16(q, f, set16(0x1.22da1cp-3f));
  q = fma16(q, f, set16(-0x1.547244p-3f));
  q = fma16(q, f, set16(0x1.99a008p-3f));
  q = fma16(q, f, set16(-0x1.000226p-2f));
  q = fma16(q, f, set16(0x1.555554p-2f));
  F16 y = fma16(q, f, set16(-0.5f)) * f2;
  y = fma16(e, set16(-2.12194440e-4f), y) + f;  // ln 2 in two parts, as in exp16
  y = fma16(e, set16(0.693359375f), y);
  return y + (x - x);
}

}  // namespace tenon::kernels::TENON_ISA

#endif  // TENON_KERNELS_CPU_EXP_H_
