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

void print_component(const RegisteredComponent& registered) {
  const tenon_component& c = *registered.component;
  std::cout << c.id << ' ' << c.version << ", " << c.kind << "\n  " << c.summary << '\n';
  if (*c.doc != '\0') std::cout << "  " << c.doc << '\n';
  std::cout << "  " << registered.plugin->path.string() << '\n';
  bool has_options = c.options != nullptr && c.options[0] != nullptr;
  std::cout << (has_options ? "\nOptions:\n" : "\nIt has no options.\n");
  print_options(c.options, "  ");
}

std::vector<std::string> wanted_kinds(const DescribeArguments& arguments) {
  if (arguments.kind.empty()) return {std::begin(kKinds), std::end(kKinds)};
  if (!is_kind(arguments.kind))
    throw UserError("there is no kind \"" + arguments.kind + "\"." +
                    did_you_mean(arguments.kind, {std::begin(kKinds), std::end(kKinds)}));
  return {arguments.kind};
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
  if (found.empty() && !arguments.id.empty())
    throw UserError("there is no " + (arguments.kind.empty() ? "component" : arguments.kind) + " \"" +
                    arguments.id + "\"." + did_you_mean(arguments.id, all_ids) +
                    " `tenon plugins` lists all.");
  return found;
}

}  // namespace

int describe_command(const DescribeArguments& arguments) {
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
    for (size_t i = 0; i < components.size(); ++i) {
      if (i > 0) std::cout << '\n';
      print_component(components[i]);
    }
  }
  return kExitOk;
}

}  // namespace tenon::host
