// Whether a plugin's descriptor is of this ABI and well-formed, before anything in it is used.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstring>
#include <set>
#include <string>

#include "host/command_line.h"
#include "host/loader.h"
#include "host/options.h"
#include "host/presets.h"

namespace tenon::host {

namespace {

constexpr uint32_t kMaxComponents = 256;

bool empty(const char* text) {
  return text == nullptr || *text == '\0';
}

bool is_id(const char* id) {
  if (empty(id) || !std::isalnum(static_cast<unsigned char>(*id))) return false;
  for (const char* c = id; *c != '\0'; ++c) {
    auto letter = static_cast<unsigned char>(*c);
    if (std::isupper(letter) ||
        !(std::isalnum(letter) || letter == '-' || letter == '+' || letter == '.' || letter == '_'))
      return false;
  }
  return true;
}

// The vtable of a kind: two 32-bit numbers, then function pointers only.
struct VtableLayout {
  const char* kind;
  size_t size;
  std::vector<size_t> optional;  // offsets of pointers that may be NULL
  std::vector<size_t> hosts;     // of pointers that only the host's own tables fill in
};

const std::vector<VtableLayout>& vtable_layouts() {
  static const std::vector<VtableLayout> layouts{
      {"dataset", sizeof(tenon_dataset_vt), {}, {offsetof(tenon_dataset_vt, next)}},
      {"tokenizer", sizeof(tenon_tokenizer_vt), {offsetof(tenon_tokenizer_vt, chat)}, {}},
      {"model", sizeof(tenon_model_vt), {}, {}},
      {"sampler", sizeof(tenon_sampler_vt), {}, {}},
      {"reward", sizeof(tenon_reward_vt), {}, {}},
      {"algorithm", sizeof(tenon_algorithm_vt), {}, {}},
      {"optimizer", sizeof(tenon_optimizer_vt), {}, {}},
      {"stage", sizeof(tenon_stage_vt), {}, {}},
      {"sink",
       sizeof(tenon_sink_vt),
       {offsetof(tenon_sink_vt, event), offsetof(tenon_sink_vt, progress)},
       {}},
      {"communicator", sizeof(tenon_communicator_vt), {}, {}},
  };
  return layouts;
}

bool contains(const std::vector<size_t>& offsets, size_t at) {
  return std::find(offsets.begin(), offsets.end(), at) != offsets.end();
}

std::string check_vtable(const std::string& kind, const void* vt) {
  if (vt == nullptr) return "has no vtable";
  uint32_t size = 0;
  std::memcpy(&size, vt, sizeof size);
  for (const VtableLayout& layout : vtable_layouts()) {
    if (layout.kind != kind) continue;
    if (size < layout.size)
      return "has a vtable of " + std::to_string(size) + " bytes; a " + kind + " has " +
             std::to_string(layout.size);
    for (size_t at = 2 * sizeof(uint32_t); at < layout.size; at += sizeof(void*)) {
      const void* function = nullptr;
      std::memcpy(&function, static_cast<const char*>(vt) + at, sizeof function);
      const bool is_hosts = contains(layout.hosts, at);
      if (function == nullptr && !is_hosts && !contains(layout.optional, at))
        return "has no function at byte " + std::to_string(at) + " of its vtable";
      if (function != nullptr && is_hosts)
        return "has a function at byte " + std::to_string(at) +
               " of its vtable, which only the host fills in: leave it NULL";
    }
  }
  return "";
}

std::string check_life(const tenon_life* life) {
  if (life == nullptr || !TENON_FN(life, tenon_life, create) || !TENON_FN(life, tenon_life, destroy))
    return "has no create or no destroy";
  bool saves = TENON_FN(life, tenon_life, save), loads = TENON_FN(life, tenon_life, load);
  if (saves != loads) return saves ? "can save but not load" : "can load but not save";
  return "";
}

std::string check_component(const tenon_component* c) {
  if (!TENON_HAS(c, tenon_component, presets)) return "is too small";
  if (empty(c->version)) return "has no version";
  if (c->summary == nullptr || c->doc == nullptr) return "has no summary or doc text";
  if (std::string why = check_life(c->life); !why.empty()) return why;
  if (std::string why = check_vtable(c->kind, c->vt); !why.empty()) return why;
  if (std::string why = check_table(c->options); !why.empty()) return why;
  return check_presets(*c);
}

[[noreturn]] void refuse(const std::string& file, const std::string& why) {
  throw LoadError("plugin " + file + " " + why);
}

void check_abi(const tenon_plugin* plugin, const std::string& file) {
  const std::string built = "was built for ABI level " + std::to_string(plugin->abi_built);
  if (plugin->abi_min > TENON_ABI_LEVEL)
    refuse(file, built + " and needs at least level " + std::to_string(plugin->abi_min) +
                     "; this tenon has level " + std::to_string(TENON_ABI_LEVEL) +
                     ". Use a newer tenon, or build the plugin for this one");
  // Level 0 is still being built and promises nothing between drafts.
  bool same_draft = plugin->abi_built == TENON_ABI_LEVEL && plugin->abi_draft == TENON_ABI_DRAFT;
  if (TENON_ABI_LEVEL == 0 && !same_draft)
    refuse(file, built + " draft " + std::to_string(plugin->abi_draft) + "; this tenon (" + version() +
                     ") has level " + std::to_string(TENON_ABI_LEVEL) + " draft " +
                     std::to_string(TENON_ABI_DRAFT) + ". Build the plugin again with this tenon's headers");
}

}  // namespace

void check_descriptor(const tenon_plugin* plugin, const std::string& file) {
  if (plugin == nullptr) refuse(file, "declines to run in this tenon (" + std::string(version()) + ")");
  if (!TENON_HAS(plugin, tenon_plugin, abi_draft)) refuse(file, "has a descriptor without version numbers");
  check_abi(plugin, file);
  if (!TENON_HAS(plugin, tenon_plugin, components)) refuse(file, "has a descriptor that is too small");
  if (!is_id(plugin->id) || empty(plugin->version))
    refuse(file, "has a descriptor without a proper id or version");
  if (plugin->components == nullptr || plugin->components[0] == nullptr) refuse(file, "has no components");

  std::set<std::pair<std::string, std::string>> seen;
  for (uint32_t i = 0; plugin->components[i] != nullptr; ++i) {
    const tenon_component* c = plugin->components[i];
    if (i >= kMaxComponents) refuse(file, "has a list of components that does not end");
    if (!TENON_HAS(c, tenon_component, id) || empty(c->kind) || !is_kind(c->kind))
      refuse(file,
             "has a component of an unknown kind" + (TENON_HAS(c, tenon_component, kind) && !empty(c->kind)
                                                         ? std::string(" \"") + c->kind + "\""
                                                         : ""));
    if (!is_id(c->id))
      refuse(file,
             "has a " + std::string(c->kind) + " whose id is not made of a-z, 0-9, '-', '_', '+' and '.'");
    const std::string name = std::string(c->kind) + " \"" + c->id + "\"";
    if (!seen.emplace(c->kind, c->id).second) refuse(file, "has two components " + name);
    if (std::string why = check_component(c); !why.empty())
      refuse(file, "is not well-formed: its " + name + " " + why);
  }
}

}  // namespace tenon::host
