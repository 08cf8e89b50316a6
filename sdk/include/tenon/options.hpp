// The option table of a component: static data that the host checks configurations against and prints documentation from.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "tenon/abi.h"

namespace tenon {

// What an option may further state; all texts are JSON ("1e-6", "\"auto\"").
struct Limits {
  const char* min = nullptr;  // inclusive
  const char* max = nullptr;  // inclusive
  const char* unit = nullptr;
  uint32_t flags = 0;  // TENON_O_…
};

// Each function makes one option. `fallback` is its default as JSON text; nullptr means none: the option is absent unless it is written.
constexpr tenon_option option(int32_t type, const char* name, const char* fallback, const char* doc, Limits limits = {}) {
  return {sizeof(tenon_option), type,       limits.flags, 0,       name,    doc,    limits.unit,
          fallback,             limits.min, limits.max,   nullptr, nullptr, nullptr};
}
constexpr tenon_option boolean(const char* name, const char* fallback, const char* doc, Limits l = {}) {
  return option(TENON_T_BOOL, name, fallback, doc, l);
}
constexpr tenon_option integer(const char* name, const char* fallback, const char* doc, Limits l = {}) {
  return option(TENON_T_INT, name, fallback, doc, l);
}
constexpr tenon_option number(const char* name, const char* fallback, const char* doc, Limits l = {}) {
  return option(TENON_T_FLOAT, name, fallback, doc, l);
}
constexpr tenon_option text(const char* name, const char* fallback, const char* doc, Limits l = {}) {
  return option(TENON_T_STR, name, fallback, doc, l);
}
constexpr tenon_option path(const char* name, const char* doc, Limits l = {}) {
  return option(TENON_T_PATH, name, nullptr, doc, l);
}
// `values` is a static NULL-terminated array.
constexpr tenon_option choice(const char* name, const char* const* values, const char* fallback, const char* doc, Limits l = {}) {
  tenon_option o = option(TENON_T_ENUM, name, fallback, doc, l);
  o.enum_values = values;
  return o;
}
// A reference to another component of `kind`; `children` are attributes of the reference ("weight" in `{of: correct, weight: 0.5}`).
constexpr tenon_option reference(const char* name, const char* kind, const char* fallback, const char* doc, Limits l = {},
                                 const tenon_option* const* children = nullptr) {
  tenon_option o = option(TENON_T_REF, name, fallback, doc, l);
  o.ref_kind = kind;
  o.children = children;
  return o;
}
constexpr tenon_option object(const char* name, const tenon_option* const* children, const char* doc, Limits l = {}) {
  tenon_option o = option(TENON_T_OBJECT, name, nullptr, doc, l);
  o.children = children;
  return o;
}

// A NULL-terminated table. Declare it `constexpr` at namespace scope: `constexpr tenon::OptionTable kOptions{tenon::number(…), …};`
template <size_t N>
struct OptionTable {
  template <class... Options>
  constexpr OptionTable(Options... options) : items{options...}, pointers{} {
    for (size_t i = 0; i < N; ++i) pointers[i] = &items[i];
  }
  OptionTable(const OptionTable&) = delete;
  constexpr operator const tenon_option* const*() const { return pointers; }

  tenon_option items[N == 0 ? 1 : N];
  const tenon_option* pointers[N + 1];
};
template <class... Options>
OptionTable(Options...) -> OptionTable<sizeof...(Options)>;

// A named set of options (tenon_preset). Both JSON objects are static text; `stage` may be left out.
constexpr tenon_preset preset(const char* name, const char* doc, const char* options_json, const char* stage_json = nullptr) {
  return {sizeof(tenon_preset), 0, name, doc, options_json, stage_json};
}

// A NULL-terminated list of presets, for `static constexpr tenon::Presets kPresets{…}` of a component's class.
template <size_t N>
struct Presets {
  template <class... Items>
  constexpr Presets(Items... all) : items{all...}, pointers{} {
    for (size_t i = 0; i < N; ++i) pointers[i] = &items[i];
  }
  Presets(const Presets&) = delete;
  constexpr operator const tenon_preset* const*() const { return pointers; }

  tenon_preset items[N];
  const tenon_preset* pointers[N + 1];
};
template <class... Items>
Presets(Items...) -> Presets<sizeof...(Items)>;

}  // namespace tenon
