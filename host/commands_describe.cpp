// `tenon describe`.
// SPDX-License-Identifier: Apache-2.0
#include "host/commands_describe.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <iostream>

#include "host/command_line.h"
#include "host/configuration_guide.h"
#include "host/descriptor_json.h"
#include "host/diagnostics.h"
#include "host/loader.h"
#include "host/option_values.h"
#include "host/presets.h"

namespace tenon::host {

namespace {

namespace json = boost::json;

void print_options(const tenon_option* const* table, const std::string& indent) {
  for (; table != nullptr && *table != nullptr; ++table) {
    const tenon_option& option = **table;
    std::cout << indent << option.name << "  (" << type_name(option);
    if (std::string limits = allowed(option); !limits.empty()) std::cout << ": " << limits;
    if (option.unit != nullptr) std::cout << ", " << option.unit;
    std::cout << ')';
    if (option.flags & TENON_O_REQUIRED) std::cout << "  required";
    if (option.flags & TENON_O_DEPRECATED) std::cout << "  deprecated";
    if (option.default_json != nullptr) std::cout << "  = " << default_text(option);
    std::cout << '\n' << indent << "    " << option.doc << '\n';
    print_options(option.children, indent + "    ");
  }
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

void print_component(const RegisteredComponent& registered) {
  const tenon_component& c = *registered.component;
  std::cout << c.id << ' ' << c.version << ", " << c.kind << "\n  " << c.summary << '\n';
  if (*c.doc != '\0') std::cout << "  " << c.doc << '\n';
  std::cout << "  " << registered.plugin->path.string() << '\n';
  bool has_options = c.options != nullptr && c.options[0] != nullptr;
  std::cout << (has_options ? "\nOptions:\n" : "\nIt has no options.\n");
  print_options(c.options, "  ");
  const std::vector<const tenon_preset*> presets = presets_of(c);
  if (!presets.empty()) std::cout << "\nPresets:\n";
  for (size_t i = 0; i < presets.size(); ++i) std::cout << (i > 0 ? "\n" : "") << preset_yaml(c, *presets[i]);
}

// "dataset/jsonl" into kind and id.
DescribeArguments split_qualified(DescribeArguments arguments) {
  const size_t slash = arguments.id.find('/');
  if (slash == std::string::npos) return arguments;
  const std::string kind = arguments.id.substr(0, slash);
  if (!arguments.kind.empty() && arguments.kind != kind)
    throw UserError("\"" + arguments.id + "\" names the kind " + kind + ", and --kind says " +
                    arguments.kind + "; leave one of the two out");
  arguments.kind = kind;
  arguments.id.erase(0, slash + 1);
  return arguments;
}

std::vector<std::string> wanted_kinds(const DescribeArguments& arguments) {
  if (arguments.kind.empty()) return {std::begin(kKinds), std::end(kKinds)};
  check_kind(arguments.kind);
  return {arguments.kind};
}

std::string folders(const Loader& loader) {
  std::vector<std::string> shown;
  for (const std::filesystem::path& entry : loader.search_path())
    shown.push_back(entry.lexically_normal().string());
  return shown.empty() ? "no folder" : joined(shown);
}

std::vector<RegisteredComponent> find_components(const DescribeArguments& arguments, Loader& loader) {
  std::vector<RegisteredComponent> found;
  std::vector<std::string> all_ids;
  for (const std::string& kind : wanted_kinds(arguments)) {
    for (const std::string& id : loader.ids(kind)) {
      all_ids.push_back(id);
      if (!arguments.id.empty() && arguments.id != id) continue;
      if (const RegisteredComponent* component = loader.find(kind, id)) found.push_back(*component);
    }
  }
  if (found.empty() && !arguments.id.empty()) {
    const std::vector<std::string> others = loader.kinds_of(arguments.id);
    throw UserError("there is no " + (arguments.kind.empty() ? "component" : arguments.kind) + " \"" +
                    arguments.id + "\"." +
                    (others.empty() ? did_you_mean(arguments.id, all_ids)
                                    : " \"" + arguments.id + "\" is " + with_article(others.front()) + ".") +
                    " `tenon plugins` lists all. Looked in " + folders(loader) +
                    "; --plugin-path FOLDER adds a folder");
  }
  return found;
}

}  // namespace

int describe_command(const DescribeArguments& given) {
  const DescribeArguments arguments = split_qualified(given);
  if (arguments.id.empty() && !arguments.markdown && !arguments.json)
    throw UserError("name a component, for example `tenon describe grpo`; `tenon plugins` lists all");
  Loader loader(plugin_search_path(arguments.plugin_path));
  std::vector<RegisteredComponent> components = find_components(arguments, loader);
  if (arguments.markdown) {
    std::cout << (arguments.id.empty() ? configuration_guide(components) : component_guide(components));
  } else if (arguments.json) {
    json::array answer;
    for (const RegisteredComponent& c : components) answer.push_back(describe_component(*c.component));
    std::cout << json::serialize(answer) << '\n';
  } else {
    if (components.size() > 1)
      std::cout << components.size() << " kinds have a component \"" << arguments.id << "\"; `tenon describe "
                << components.front().component->kind << '/' << arguments.id << "` shows one.\n\n";
    for (size_t i = 0; i < components.size(); ++i) {
      if (i > 0) std::cout << '\n';
      print_component(components[i]);
    }
  }
  return kExitOk;
}

}  // namespace tenon::host
