// The tables of what commands, words and characters mean.
// SPDX-License-Identifier: Apache-2.0
#include "math_answer/vocabulary.h"

#include <array>
#include <unordered_map>
#include <unordered_set>

namespace tenon::math_answer {
namespace {

using Table = std::unordered_map<std::string_view, Meaning>;

Meaning function(Function f) {
  return {T::kFunction, static_cast<uint8_t>(f)};
}
Meaning constant(Constant c) {
  return {T::kConstant, static_cast<uint8_t>(c)};
}
Meaning relation(Relation r) {
  return {T::kRelation, static_cast<uint8_t>(r)};
}
Meaning named_set(NamedSet s) {
  return {T::kNamedSet, static_cast<uint8_t>(s)};
}

constexpr std::string_view kGreek[] = {"alpha",   "beta",    "gamma", "delta",  "epsilon", "zeta",   "eta",
                                       "theta",   "iota",    "kappa", "lambda", "mu",      "nu",     "xi",
                                       "omicron", "rho",     "sigma", "tau",    "upsilon", "phi",    "chi",
                                       "psi",     "omega",   "Gamma", "Delta",  "Theta",   "Lambda", "Xi",
                                       "Sigma",   "Upsilon", "Phi",   "Psi",    "Omega",   "ell"};

// Names that LaTeX and plain text share.
Table shared() {
  using F = Function;
  Table t = {
      {"sin", function(F::kSin)},
      {"cos", function(F::kCos)},
      {"tan", function(F::kTan)},
      {"cot", function(F::kCot)},
      {"sec", function(F::kSec)},
      {"csc", function(F::kCsc)},
      {"arcsin", function(F::kArcsin)},
      {"arccos", function(F::kArccos)},
      {"arctan", function(F::kArctan)},
      {"arccot", function(F::kArccot)},
      {"arcsec", function(F::kArcsec)},
      {"arccsc", function(F::kArccsc)},
      {"sinh", function(F::kSinh)},
      {"cosh", function(F::kCosh)},
      {"tanh", function(F::kTanh)},
      {"coth", function(F::kCoth)},
      {"arcsinh", function(F::kArsinh)},
      {"arsinh", function(F::kArsinh)},
      {"arccosh", function(F::kArcosh)},
      {"arcosh", function(F::kArcosh)},
      {"arctanh", function(F::kArtanh)},
      {"artanh", function(F::kArtanh)},
      {"tg", function(F::kTan)},
      {"ctg", function(F::kCot)},
      {"arctg", function(F::kArctan)},
      {"cosec", function(F::kCsc)},
      {"exp", function(F::kExp)},
      {"log", function(F::kLog)},
      {"ln", {T::kFunction, static_cast<uint8_t>(F::kLog), "e"}},
      {"lg", {T::kFunction, static_cast<uint8_t>(F::kLog), "10"}},
      {"gcd", function(F::kGcd)},
      {"lcm", function(F::kLcm)},
      {"max", function(F::kMax)},
      {"min", function(F::kMin)},
      {"det", function(F::kDet)},
      {"arg", function(F::kArg)},
      {"sgn", function(F::kSign)},
      {"sign", function(F::kSign)},
      {"pi", constant(Constant::kPi)},
      {"sqrt", {T::kSqrt}},
      {"cis", function(F::kCis)},
  };
  for (std::string_view name : kGreek) t.emplace(name, Meaning{T::kLetter, 0, name});
  return t;
}

const Table& commands() {
  static const Table table = [] {
    using F = Function;
    Table t = shared();
    const Table own = {
        {"frac", {T::kFrac}},
        {"dfrac", {T::kFrac}},
        {"tfrac", {T::kFrac}},
        {"cfrac", {T::kFrac}},
        {"binom", {T::kBinom}},
        {"dbinom", {T::kBinom}},
        {"tbinom", {T::kBinom}},
        {"choose", {T::kBinom, 1}},
        {"over", {T::kBinom, 2}},
        {"cdot", {T::kTimes}},
        {"times", {T::kTimes}},
        {"ast", {T::kTimes}},
        {"bullet", {T::kTimes}},
        {"div", {T::kSlash}},
        {"pm", {T::kPlusMinus}},
        {"mp", {T::kMinusPlus}},
        {"le", relation(Relation::kLessEqual)},
        {"leq", relation(Relation::kLessEqual)},
        {"leqslant", relation(Relation::kLessEqual)},
        {"leqq", relation(Relation::kLessEqual)},
        {"ge", relation(Relation::kGreaterEqual)},
        {"geq", relation(Relation::kGreaterEqual)},
        {"geqslant", relation(Relation::kGreaterEqual)},
        {"geqq", relation(Relation::kGreaterEqual)},
        {"lt", relation(Relation::kLess)},
        {"gt", relation(Relation::kGreater)},
        {"ne", relation(Relation::kNotEqual)},
        {"neq", relation(Relation::kNotEqual)},
        {"approx", relation(Relation::kApprox)},
        {"approxeq", relation(Relation::kApprox)},
        {"simeq", relation(Relation::kApprox)},
        {"doteq", relation(Relation::kApprox)},
        {"sim", relation(Relation::kApprox)},
        {"in", relation(Relation::kIn)},
        {"notin", relation(Relation::kNotIn)},
        {"subset", relation(Relation::kSubset)},
        {"subseteq", relation(Relation::kSubset)},
        {"equiv", relation(Relation::kEquivalent)},
        {"parallel", relation(Relation::kParallel)},
        {"perp", relation(Relation::kPerpendicular)},
        {"to", relation(Relation::kTo)},
        {"rightarrow", relation(Relation::kTo)},
        {"mapsto", relation(Relation::kTo)},
        {"cup", {T::kUnion}},
        {"bigcup", {T::kUnion}},
        {"cap", {T::kIntersection}},
        {"setminus", {T::kSetMinus}},
        {"backslash", {T::kSetMinus}},
        {"emptyset", named_set(NamedSet::kEmpty)},
        {"varnothing", named_set(NamedSet::kEmpty)},
        {"R", named_set(NamedSet::kReals)},
        {"Z", named_set(NamedSet::kIntegers)},
        {"N", named_set(NamedSet::kNaturals)},
        {"Q", named_set(NamedSet::kRationals)},
        {"C", named_set(NamedSet::kComplex)},
        {"infty", constant(Constant::kInfinity)},
        {"infinity", constant(Constant::kInfinity)},
        {"circ", {T::kDegree}},
        {"degree", {T::kDegree}},
        {"deg", {T::kDegree}},
        {"prime", {T::kPrime}},
        {"lfloor", {T::kLFloor}},
        {"rfloor", {T::kRFloor}},
        {"lceil", {T::kLCeil}},
        {"rceil", {T::kRCeil}},
        {"langle", {T::kLAngle}},
        {"rangle", {T::kRAngle}},
        {"lvert", {T::kBar, 1}},
        {"rvert", {T::kBar, 2}},
        {"vert", {T::kBar}},
        {"mid", {T::kBar, 3}},
        {"lVert", {T::kDoubleBar}},
        {"rVert", {T::kDoubleBar}},
        {"Vert", {T::kDoubleBar}},
        {"lbrace", {T::kLSet}},
        {"rbrace", {T::kRSet}},
        {"lbrack", {T::kLBracket}},
        {"rbrack", {T::kRBracket}},
        {"lparen", {T::kLParen}},
        {"rparen", {T::kRParen}},
        {"dots", {T::kDots}},
        {"ldots", {T::kDots}},
        {"cdots", {T::kDots}},
        {"dotsc", {T::kDots}},
        {"dotsb", {T::kDots}},
        {"vdots", {T::kDots}},
        {"sum", {T::kSum}},
        {"prod", {T::kProduct}},
        {"int", {T::kOpaque, 0, "int"}},
        {"iint", {T::kOpaque, 0, "iint"}},
        {"iiint", {T::kOpaque, 0, "iiint"}},
        {"oint", {T::kOpaque, 0, "oint"}},
        {"lim", {T::kOpaque, 0, "lim"}},
        {"partial", {T::kDifferential, 0, "partial"}},
        {"land", {T::kAnd}},
        {"wedge", {T::kAnd}},
        {"lor", {T::kOr}},
        {"vee", {T::kOr}},
        {"varepsilon", {T::kLetter, 0, "epsilon"}},
        {"varphi", {T::kLetter, 0, "phi"}},
        {"vartheta", {T::kLetter, 0, "theta"}},
        {"varrho", {T::kLetter, 0, "rho"}},
        {"varsigma", {T::kLetter, 0, "sigma"}},
        {"hbar", {T::kLetter, 0, "hbar"}},
        {"imath", constant(Constant::kI)},
        {"overline", {T::kAccent, 0, "overline"}},
        {"bar", {T::kAccent, 0, "overline"}},
        {"dot", {T::kAccent, 0, "dot"}},
        {"vec", {T::kAccent, 0, "vec"}},
        {"overrightarrow", {T::kAccent, 0, "vec"}},
        {"hat", {T::kAccent, 0, "hat"}},
        {"widehat", {T::kAccent, 0, "hat"}},
        {"tilde", {T::kAccent, 0, "tilde"}},
        {"widetilde", {T::kAccent, 0, "tilde"}},
        {"angle", {T::kAccent, 1, "angle"}},
        {"triangle", {T::kAccent, 1, "triangle"}},
        {"mod", {T::kMod}},
        {"bmod", {T::kMod}},
        {"pmod", {T::kMod, 1}},
        {"Re", function(F::kRe)},
        {"Im", function(F::kIm)},
        {"root", {T::kRoot}},
        {"euro", {T::kCurrency, 0, "euros"}},
        {"pounds", {T::kCurrency, 0, "pounds sterling"}},
        {"cent", {T::kText, 0, "cents"}},
        {"cents", {T::kText, 0, "cents"}},
        {"iff", relation(Relation::kEquivalent)},
    };
    for (const auto& [name, meaning] : own) t.insert_or_assign(name, meaning);
    return t;
  }();
  return table;
}

const Table& words() {
  static const Table table = [] {
    using F = Function;
    Table t = shared();
    const Table own = {
        {"Pi", constant(Constant::kPi)},
        {"PI", constant(Constant::kPi)},
        {"inf", constant(Constant::kInfinity)},
        {"Inf", constant(Constant::kInfinity)},
        {"infty", constant(Constant::kInfinity)},
        {"infinity", constant(Constant::kInfinity)},
        {"Infinity", constant(Constant::kInfinity)},
        {"oo", constant(Constant::kInfinity)},
        {"zoo", constant(Constant::kUndefined)},
        {"nan", constant(Constant::kUndefined)},
        {"Sqrt", {T::kSqrt}},
        {"cbrt", {T::kSqrt, 3}},
        {"root", {T::kRoot}},
        {"frac", {T::kFrac}},
        {"asin", function(F::kArcsin)},
        {"acos", function(F::kArccos)},
        {"atan", function(F::kArctan)},
        {"acot", function(F::kArccot)},
        {"asec", function(F::kArcsec)},
        {"acsc", function(F::kArccsc)},
        {"asinh", function(F::kArsinh)},
        {"acosh", function(F::kArcosh)},
        {"atanh", function(F::kArtanh)},
        {"abs", function(F::kAbs)},
        {"Abs", function(F::kAbs)},
        {"floor", function(F::kFloor)},
        {"ceil", function(F::kCeil)},
        {"ceiling", function(F::kCeil)},
        {"factorial", function(F::kFactorial)},
        {"factorial2", function(F::kDoubleFactorial)},
        {"binomial", function(F::kBinomial)},
        {"binom", function(F::kBinomial)},
        {"comb", function(F::kBinomial)},
        {"choose", {T::kBinom, 1}},
        {"nCr", function(F::kBinomial)},
        {"gamma", {T::kLetter, 0, "gamma"}},
        {"Max", function(F::kMax)},
        {"Min", function(F::kMin)},
        {"Mod", function(F::kMod)},
        {"re", function(F::kRe)},
        {"im", function(F::kIm)},
        {"conjugate", function(F::kConjugate)},
        {"Rational", {T::kCall, 0, "Rational"}},
        {"Integer", {T::kCall, 0, "Integer"}},
        {"Float", {T::kCall, 0, "Float"}},
        {"Pow", {T::kCall, 0, "Pow"}},
        {"Matrix", {T::kCall, 0, "Matrix"}},
        {"Interval", {T::kCall, 0, "Interval"}},
        {"FiniteSet", {T::kCall, 0, "FiniteSet"}},
        {"Union", {T::kCall, 0, "Union"}},
        {"EmptySet", named_set(NamedSet::kEmpty)},
        {"Tuple", {T::kCall, 0, "Tuple"}},
        {"set", {T::kCall, 0, "set"}},
        {"frozenset", {T::kCall, 0, "set"}},
        {"Sum", {T::kCall, 0, "Sum"}},
        {"Product", {T::kCall, 0, "Product"}},
        {"Integral", {T::kCall, 0, "Integral"}},
        {"integrate", {T::kCall, 0, "Integral"}},
        {"Derivative", {T::kCall, 0, "Derivative"}},
        {"diff", {T::kCall, 0, "Derivative"}},
        {"Limit", {T::kCall, 0, "Limit"}},
        {"limit", {T::kCall, 0, "Limit"}},
        {"Eq", {T::kCall, 0, "Eq"}},
        {"Reals", named_set(NamedSet::kReals)},
        {"and", {T::kAnd}},
        {"And", {T::kAnd}},
        {"or", {T::kOr}},
        {"Or", {T::kOr}},
        {"union", {T::kUnion}},
        {"in", relation(Relation::kIn)},
        {"is", relation(Relation::kEqual)},
        {"are", relation(Relation::kEqual)},
        {"equals", relation(Relation::kEqual)},
        {"mod", {T::kMod}},
        {"undefined", constant(Constant::kUndefined)},
        {"degrees", {T::kDegree}},
        {"degree", {T::kDegree}},
        {"deg", {T::kDegree}},
        {"percent", {T::kPercent}},
    };
    for (const auto& [name, meaning] : own) t.insert_or_assign(name, meaning);
    return t;
  }();
  return table;
}

const std::unordered_map<char32_t, Meaning>& characters() {
  static const std::unordered_map<char32_t, Meaning> table = [] {
    std::unordered_map<char32_t, Meaning> t = {
        {U'−', {T::kMinus}},
        {U'–', {T::kMinus}},
        {U'—', {T::kMinus}},
        {U'‐', {T::kMinus}},
        {U'‑', {T::kMinus}},
        {U'×', {T::kTimes}},
        {U'·', {T::kTimes}},
        {U'⋅', {T::kTimes}},
        {U'∙', {T::kTimes}},
        {U'∗', {T::kTimes}},
        {U'÷', {T::kSlash}},
        {U'∕', {T::kSlash}},
        {U'⁄', {T::kSlash}},
        {U'±', {T::kPlusMinus}},
        {U'∓', {T::kMinusPlus}},
        {U'√', {T::kSqrt}},
        {U'∛', {T::kSqrt, 3}},
        {U'∜', {T::kSqrt, 4}},
        {U'π', constant(Constant::kPi)},
        {U'∞', constant(Constant::kInfinity)},
        {U'≤', relation(Relation::kLessEqual)},
        {U'⩽', relation(Relation::kLessEqual)},
        {U'≥', relation(Relation::kGreaterEqual)},
        {U'⩾', relation(Relation::kGreaterEqual)},
        {U'≠', relation(Relation::kNotEqual)},
        {U'≈', relation(Relation::kApprox)},
        {U'≡', relation(Relation::kEquivalent)},
        {U'∈', relation(Relation::kIn)},
        {U'∉', relation(Relation::kNotIn)},
        {U'⊂', relation(Relation::kSubset)},
        {U'⊆', relation(Relation::kSubset)},
        {U'∥', relation(Relation::kParallel)},
        {U'⊥', relation(Relation::kPerpendicular)},
        {U'→', relation(Relation::kTo)},
        {U'∪', {T::kUnion}},
        {U'∩', {T::kIntersection}},
        {U'∖', {T::kSetMinus}},
        {U'∅', named_set(NamedSet::kEmpty)},
        {U'ℝ', named_set(NamedSet::kReals)},
        {U'ℤ', named_set(NamedSet::kIntegers)},
        {U'ℕ', named_set(NamedSet::kNaturals)},
        {U'ℚ', named_set(NamedSet::kRationals)},
        {U'ℂ', named_set(NamedSet::kComplex)},
        {U'°', {T::kDegree}},
        {U'∘', {T::kDegree}},
        {U'º', {T::kDegree}},
        {U'˚', {T::kDegree}},
        {U'′', {T::kPrime}},
        {U'’', {T::kPrime}},
        {U'…', {T::kDots}},
        {U'⋯', {T::kDots}},
        {U'⌊', {T::kLFloor}},
        {U'⌋', {T::kRFloor}},
        {U'⌈', {T::kLCeil}},
        {U'⌉', {T::kRCeil}},
        {U'⟨', {T::kLAngle}},
        {U'⟩', {T::kRAngle}},
        {U'∣', {T::kBar}},
        {U'‖', {T::kDoubleBar}},
        {U'、', {T::kComma}},
        {U'∑', {T::kSum}},
        {U'∏', {T::kProduct}},
        {U'∫', {T::kOpaque, 0, "int"}},
        {U'∂', {T::kDifferential, 0, "partial"}},
        {U'€', {T::kCurrency, 0, "euros"}},
        {U'£', {T::kCurrency, 0, "pounds sterling"}},
        {U'¥', {T::kCurrency, 0, "yen"}},
        {U'¢', {T::kText, 0, "cents"}},
        {U'∧', {T::kAnd}},
        {U'∨', {T::kOr}},
        {U'和', {T::kAnd}},
        {U'或', {T::kOr}},
        {U'∠', {T::kAccent, 1, "angle"}},
        {U'△', {T::kAccent, 1, "triangle"}},
        {U'½', {T::kFraction, 0, "1/2"}},
        {U'¼', {T::kFraction, 0, "1/4"}},
        {U'¾', {T::kFraction, 0, "3/4"}},
        {U'⅓', {T::kFraction, 0, "1/3"}},
        {U'⅔', {T::kFraction, 0, "2/3"}},
        {U'⅕', {T::kFraction, 0, "1/5"}},
        {U'⅖', {T::kFraction, 0, "2/5"}},
        {U'⅗', {T::kFraction, 0, "3/5"}},
        {U'⅘', {T::kFraction, 0, "4/5"}},
        {U'⅙', {T::kFraction, 0, "1/6"}},
        {U'⅚', {T::kFraction, 0, "5/6"}},
        {U'⅐', {T::kFraction, 0, "1/7"}},
        {U'⅛', {T::kFraction, 0, "1/8"}},
        {U'⅜', {T::kFraction, 0, "3/8"}},
        {U'⅝', {T::kFraction, 0, "5/8"}},
        {U'⅞', {T::kFraction, 0, "7/8"}},
        {U'⅑', {T::kFraction, 0, "1/9"}},
        {U'⅒', {T::kFraction, 0, "1/10"}},
        {U'ⅈ', constant(Constant::kI)},
        {U'ⅇ', constant(Constant::kE)},
        {U'ℓ', {T::kLetter, 0, "ell"}},
        {U'ϕ', {T::kLetter, 0, "phi"}},
        {U'ϵ', {T::kLetter, 0, "epsilon"}},
    };
    constexpr std::string_view kLower[] = {"alpha",   "beta", "gamma", "delta",  "epsilon", "zeta", "eta",
                                           "theta",   "iota", "kappa", "lambda", "mu",      "nu",   "xi",
                                           "omicron", "",     "rho",   "sigma",  "sigma",   "tau",  "upsilon",
                                           "phi",     "chi",  "psi",   "omega"};
    for (size_t i = 0; i < std::size(kLower); ++i)
      if (!kLower[i].empty()) t.emplace(U'α' + static_cast<char32_t>(i), Meaning{T::kLetter, 0, kLower[i]});
    t.emplace(U'Γ', Meaning{T::kLetter, 0, "Gamma"});
    t.emplace(U'Δ', Meaning{T::kLetter, 0, "Delta"});
    t.emplace(U'Θ', Meaning{T::kLetter, 0, "Theta"});
    t.emplace(U'Λ', Meaning{T::kLetter, 0, "Lambda"});
    t.emplace(U'Σ', Meaning{T::kLetter, 0, "Sigma"});
    t.emplace(U'Φ', Meaning{T::kLetter, 0, "Phi"});
    t.emplace(U'Ψ', Meaning{T::kLetter, 0, "Psi"});
    t.emplace(U'Ω', Meaning{T::kLetter, 0, "Omega"});
    constexpr std::string_view kSuper[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "+", "-"};
    constexpr char32_t kSuperChars[] = {U'⁰', U'¹', U'²', U'³', U'⁴', U'⁵',
                                        U'⁶', U'⁷', U'⁸', U'⁹', U'⁺', U'⁻'};
    for (size_t i = 0; i < std::size(kSuper); ++i)
      t.emplace(kSuperChars[i], Meaning{T::kSuperscript, 0, kSuper[i]});
    t.emplace(U'ⁿ', Meaning{T::kSuperscript, 0, "n"});
    for (char32_t i = 0; i < 10; ++i) t.emplace(U'₀' + i, Meaning{T::kUnder, 1, kSuper[i]});
    for (char32_t c : {U'\u00a0', U'\u1680', U'\u2002', U'\u2003', U'\u2004', U'\u2005', U'\u2006', U'\u2007',
                       U'\u2008', U'\u2009', U'\u200a', U'\u202f', U'\u205f', U'\u3000'})
      t.emplace(c, Meaning{T::kEnd});
    for (char32_t c : {U'\u200b', U'\u200c', U'\u200d', U'\u200e', U'\u200f', U'\u2060', U'\u2061', U'\u2062',
                       U'\u2063', U'\ufeff', U'\u00ad'})
      t.emplace(c, Meaning{T::kText});
    return t;
  }();
  return table;
}

template <class Map, class Key>
std::optional<Meaning> find(const Map& map, const Key& key) {
  auto found = map.find(key);
  if (found == map.end()) return std::nullopt;
  return found->second;
}

}  // namespace

std::optional<Meaning> meaning_of_command(std::string_view name) {
  return find(commands(), name);
}
std::optional<Meaning> meaning_of_word(std::string_view word) {
  return find(words(), word);
}
std::optional<Meaning> meaning_of_character(char32_t c) {
  return find(characters(), c);
}

bool is_ignored_command(std::string_view name) {
  static const std::unordered_set<std::string_view> set = {
      "left",    "right",        "middle",    "big",          "Big",        "bigg",      "Bigg",
      "bigl",    "bigr",         "Bigl",      "Bigr",         "biggl",      "biggr",     "Biggl",
      "Biggr",   "displaystyle", "textstyle", "scriptstyle",  "limits",     "nolimits",  "quad",
      "qquad",   "thinspace",    "enspace",   "rm",           "bf",         "it",        "boxed",
      "fbox",    "underbrace",   "mathop",    "mathrel",      "ensuremath", "centering", "hfill",
      "hline",   "nonumber",     "notag",     "underline",    "therefore",  "cancel",    "allowbreak",
      "protect", "strut",        "left.",     "displaylimits"};
  return set.contains(name);
}
bool is_ignored_with_argument(std::string_view name) {
  static const std::unordered_set<std::string_view> set = {
      "phantom", "hphantom", "vphantom", "hspace", "vspace", "color", "textcolor", "tag", "label", "mspace"};
  return set.contains(name);
}
bool is_text_command(std::string_view name) {
  static const std::unordered_set<std::string_view> set = {"text",       "textbf", "textit", "textrm",
                                                           "textnormal", "textsf", "texttt", "mbox",
                                                           "hbox",       "emph",   "textup", "textsc"};
  return set.contains(name);
}
bool is_face_command(std::string_view name) {
  static const std::unordered_set<std::string_view> set = {
      "mathrm",  "mathbf",       "mathit",     "mathsf", "mathtt", "mathcal",   "mathfrak",
      "mathscr", "operatorname", "boldsymbol", "bm",     "pmb",    "mathnormal"};
  return set.contains(name);
}

char ascii_of(char32_t c) {
  if (c >= 0xff01 && c <= 0xff5e) return static_cast<char>(c - 0xff01 + '!');
  if (c == U'ℎ') return 'h';
  if (c >= 0x1d7ce && c <= 0x1d7ff) return static_cast<char>('0' + (c - 0x1d7ce) % 10);
  if (c >= 0x1d400 && c < 0x1d6a4) {
    const char32_t k = (c - 0x1d400) % 52;
    return static_cast<char>(k < 26 ? 'A' + k : 'a' + (k - 26));
  }
  return 0;
}

std::optional<int> number_word(std::string_view word) {
  static const std::unordered_map<std::string_view, int> table = {
      {"zero", 0},     {"one", 1},      {"two", 2},        {"three", 3},     {"four", 4},
      {"five", 5},     {"six", 6},      {"seven", 7},      {"eight", 8},     {"nine", 9},
      {"ten", 10},     {"eleven", 11},  {"twelve", 12},    {"thirteen", 13}, {"fourteen", 14},
      {"fifteen", 15}, {"sixteen", 16}, {"seventeen", 17}, {"eighteen", 18}, {"nineteen", 19},
      {"twenty", 20},  {"thirty", 30},  {"forty", 40},     {"fifty", 50},    {"sixty", 60},
      {"seventy", 70}, {"eighty", 80},  {"ninety", 90},    {"hundred", 100}, {"thousand", 1000}};
  auto found = table.find(word);
  if (found == table.end()) return std::nullopt;
  return found->second;
}

std::optional<int> ordinal_word(std::string_view word) {
  static const std::unordered_map<std::string_view, int> table = {
      {"first", 1},      {"second", 2},       {"third", 3},       {"fourth", 4},      {"fifth", 5},
      {"sixth", 6},      {"seventh", 7},      {"eighth", 8},      {"ninth", 9},       {"tenth", 10},
      {"eleventh", 11},  {"twelfth", 12},     {"thirteenth", 13}, {"fourteenth", 14}, {"fifteenth", 15},
      {"sixteenth", 16}, {"seventeenth", 17}, {"eighteenth", 18}, {"nineteenth", 19}, {"twentieth", 20},
      {"thirtieth", 30}, {"fortieth", 40},    {"fiftieth", 50},   {"sixtieth", 60},   {"seventieth", 70},
      {"eightieth", 80}, {"ninetieth", 90},   {"hundredth", 100}};
  auto found = table.find(word);
  if (found == table.end()) return std::nullopt;
  return found->second;
}

int denominator_word(std::string_view word, bool one) {
  static const std::unordered_map<std::string_view, int> table = {
      {"half", 2},     {"third", 3},      {"fourth", 4},      {"quarter", 4},      {"fifth", 5},
      {"sixth", 6},    {"seventh", 7},    {"eighth", 8},      {"ninth", 9},        {"tenth", 10},
      {"twelfth", 12}, {"twentieth", 20}, {"hundredth", 100}, {"thousandth", 1000}};
  if (!one) {
    if (word == "halves") return 2;
    if (!word.ends_with('s')) return 0;
    word.remove_suffix(1);
  }
  auto found = table.find(word);
  return found == table.end() ? 0 : found->second;
}

}  // namespace tenon::math_answer
