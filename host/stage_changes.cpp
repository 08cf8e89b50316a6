// In what a stage differs from the one that made a result.
// SPDX-License-Identifier: Apache-2.0
#include "host/stage_changes.h"

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <set>

#include "host/json_text.h"
#include "host/run_error.h"

namespace tenon::host {

namespace json = boost::json;

namespace {

using Kind = Reason::Kind;

std::string shown(const json::value& value) {
  if (const json::string* text = value.if_string()) return text->empty() ? "\"\"" : std::string(*text);
  constexpr size_t kShown = 60;
  const std::string text = json_text(value);
  return text.size() <= kShown ? text : value.is_array() ? "another list" : "another map";
}

std::string text_of(const json::object& object, const char* key) {
  return std::string(object.at(key).as_string());
}

// A path as the user would type it.
std::string shown_path(const std::string& path) {
  const std::filesystem::path relative =
      std::filesystem::path(path).lexically_proximate(std::filesystem::current_path());
  return relative.string().starts_with("..") ? path : relative.string();
}

// One comparison of two records.
class Comparison {
 public:
  Comparison(const json::object& before, const json::object& now)
      : before_(before.at("parts").as_object()),
        now_(now.at("parts").as_object()),
        old_paths_(before.at("paths").as_object()),
        new_paths_(now.at("paths").as_object()) {}

  std::vector<Reason> run() {
    if (before_.at("seed") != now_.at("seed"))
      add(Kind::kSeed, "run.seed", shown(before_.at("seed")), shown(now_.at("seed")));
    component(before_.at("component").as_object(), now_.at("component").as_object(), "", "component");
    for (const auto& [stage, hash] : now_.at("inputs").as_object()) {
      const json::value* old = before_.at("inputs").as_object().if_contains(stage);
      if (old != nullptr && *old != hash)
        add(Kind::kStage, std::string(stage), "", "",
            "the result of stage " + std::string(stage) + " is another");
    }
    return std::move(reasons_);
  }

 private:
  void add(Kind kind, const std::string& what, const std::string& before, const std::string& now,
           std::string text = "") {
    if (text.empty())
      text = what + (before.empty() ? " is new: " + now
                     : now.empty()  ? " is no longer there: it was " + before
                                    : ": " + before + " → " + now);
    const bool is_known = std::any_of(reasons_.begin(), reasons_.end(), [&](const Reason& r) {
      return r.kind == kind && r.what == what && r.text == text;
    });
    if (!is_known) reasons_.push_back({kind, what, before, now, std::move(text)});
  }

  // path: in the configuration, "" or "data."; place: in the record.
  void component(const json::object& before, const json::object& now, const std::string& path,
                 const std::string& place) {
    if (before.at("id") != now.at("id"))
      return add(Kind::kComponent, path + "use", text_of(before, "id"), text_of(now, "id"));
    versions(before, now);
    if (before.at("name") != now.at("name") && !path.empty())
      add(Kind::kComponent, path.substr(0, path.size() - 1), text_of(before, "name"), text_of(now, "name"));
    const json::object none;
    const json::value *a = before.if_contains("slots"), *b = now.if_contains("slots");
    const json::object &old_slots = a != nullptr ? a->as_object() : none,
                       &new_slots = b != nullptr ? b->as_object() : none;
    for (const json::object* all : {&old_slots, &new_slots})
      for (const auto& [slot, value] : *all)
        references_.insert(place + "/options/" + std::string(slot.substr(0, slot.find('/'))));
    options(before.at("options"), now.at("options"), path, place + "/options");
    slots(old_slots, new_slots, path, place + "/slots/");
  }

  void versions(const json::object& before, const json::object& now) {
    const json::value *old_plugin = before.if_contains("plugin"), *new_plugin = now.if_contains("plugin");
    if (old_plugin != nullptr && new_plugin != nullptr && *old_plugin != *new_plugin) {
      const std::string a(old_plugin->as_string()), b(new_plugin->as_string());
      const std::string id = a.substr(0, a.rfind(' '));
      if (b.starts_with(id + " "))
        add(Kind::kPlugin, id, a.substr(id.size() + 1), b.substr(id.size() + 1),
            "plugin " + id + ": version " + a.substr(id.size() + 1) + " → " + b.substr(id.size() + 1));
      else
        add(Kind::kPlugin, text_of(now, "id"), a, b,
            text_of(now, "id") + " is of another plugin: " + a + " → " + b);
    } else if (before.at("version") != now.at("version")) {
      const std::string id = text_of(now, "id"), a = text_of(before, "version"), b = text_of(now, "version");
      add(Kind::kPlugin, id, a, b, id + ": version " + a + " → " + b);
    }
  }

  void options(const json::value& before, const json::value& now, const std::string& path,
               const std::string& place) {
    if (before == now) return;
    if (before.is_object() && now.is_object()) {
      for (const auto& [key, value] : now.get_object())
        option(before.get_object().if_contains(key), &value, path + std::string(key),
               place + "/" + std::string(key));
      for (const auto& [key, value] : before.get_object())
        if (!now.get_object().contains(key))
          option(&value, nullptr, path + std::string(key), place + "/" + std::string(key));
    } else {
      const json::array &a = before.as_array(), &b = now.as_array();
      for (size_t i = 0; i < std::max(a.size(), b.size()); ++i)
        option(i < a.size() ? &a[i] : nullptr, i < b.size() ? &b[i] : nullptr, path + std::to_string(i),
               place + "/" + std::to_string(i));
    }
  }

  void option(const json::value* before, const json::value* now, const std::string& path,
              const std::string& place) {
    if (before != nullptr && now != nullptr &&
        ((before->is_object() && now->is_object()) || (before->is_array() && now->is_array())))
      return options(*before, *now, path + ".", place);
    if (before != nullptr && now != nullptr && *before == *now) return;
    const json::value *old_file = old_paths_.if_contains(place), *new_file = new_paths_.if_contains(place);
    if (old_file != nullptr && new_file != nullptr)
      return file(old_file->as_object(), new_file->as_object(), path);
    // What a reference refers to is told with the slots.
    if ((before == nullptr || now == nullptr) && is_reference(place)) return;
    add(Kind::kOption, path, before != nullptr ? shown(*before) : "", now != nullptr ? shown(*now) : "");
  }

  void file(const json::object& before, const json::object& now, const std::string& path) {
    const std::string a = text_of(before, "path"), b = text_of(now, "path");
    if (a != b) return add(Kind::kOption, path, shown_path(a), shown_path(b));
    const json::object &old_files = before.at("files").as_object(), &new_files = now.at("files").as_object();
    const auto changed = [&](std::string_view name, const char* what) {
      const std::filesystem::path whole(b);
      const bool is_itself = whole.filename() == name && !std::filesystem::is_directory(whole);
      const std::filesystem::path folder = std::filesystem::is_directory(whole) ? whole : whole.parent_path();
      const std::string file = shown_path(is_itself ? b : (folder / std::string(name)).string());
      add(Kind::kFile, file, "", "", "the file " + file + " (option " + path + ") " + what);
    };
    const size_t known = reasons_.size();
    for (const auto& [name, hash] : new_files) {
      const json::value* old = old_files.if_contains(name);
      if (old == nullptr)
        changed(name, "is new");
      else if (*old != hash)
        changed(name, "has another content");
    }
    for (const auto& [name, hash] : old_files)
      if (!new_files.contains(name)) changed(name, "is no longer there");
    if (reasons_.size() == known)
      add(Kind::kFile, shown_path(b), "", "",
          "what is in " + shown_path(b) + " (option " + path + ") has changed");
  }

  void slots(const json::object& before, const json::object& now, const std::string& path,
             const std::string& place) {
    for (const auto& [name, value] : now)
      slot(before.if_contains(name), &value, path + dotted(name), place + std::string(name));
    for (const auto& [name, value] : before)
      if (!now.contains(name)) slot(&value, nullptr, path + dotted(name), place + std::string(name));
  }

  void slot(const json::value* before, const json::value* now, const std::string& path,
            const std::string& place) {
    const std::string a = before != nullptr ? source(before->as_object(), before_) : "",
                      b = now != nullptr ? source(now->as_object(), now_) : "";
    const bool of_stages = before != nullptr && now != nullptr && before->as_object().contains("stage") &&
                           now->as_object().contains("stage");
    const bool of_components = before != nullptr && now != nullptr &&
                               before->as_object().contains("component") &&
                               now->as_object().contains("component") &&
                               !before->as_object().contains("stage") && !now->as_object().contains("stage");
    if (of_components)
      component(before->at("component").as_object(), now->at("component").as_object(), path + ".",
                place + "/component");
    else if (!of_stages || a != b)
      add(Kind::kComponent, path, a, b);
  }

  // "stage base", "traces.kept", "policy".
  static std::string source(const json::object& slot, const json::object& record) {
    if (const json::value* hash = slot.if_contains("stage")) {
      std::string stage = "another stage";
      for (const auto& [name, input] : record.at("inputs").as_object())
        if (input == *hash) stage = name;
      const json::value* rows = slot.if_contains("rows");
      return rows != nullptr ? stage + "." + std::string(rows->as_string()) : "stage " + stage;
    }
    const json::value* component = slot.if_contains("component");
    return component != nullptr ? text_of(component->as_object(), "name") : "nothing";
  }

  static std::string dotted(std::string_view name) {
    std::string out(name);
    std::replace(out.begin(), out.end(), '/', '.');
    return out;
  }

  // Whether this is the place of an option that refers to components, or inside one.
  bool is_reference(const std::string& place) const {
    for (size_t end = place.size(); end != std::string::npos && end > 0; end = place.rfind('/', end - 1))
      if (references_.contains(place.substr(0, end))) return true;
    return false;
  }

  const json::object &before_, &now_, &old_paths_, &new_paths_;
  std::set<std::string> references_;  // places of options that refer to components
  std::vector<Reason> reasons_;
};

}  // namespace

const char* reason_name(Kind kind) {
  switch (kind) {
    case Kind::kNew:
      return "new";
    case Kind::kForced:
      return "forced";
    case Kind::kInterrupted:
      return "interrupted";
    case Kind::kUnrecorded:
      return "unrecorded";
    case Kind::kOption:
      return "option";
    case Kind::kComponent:
      return "component";
    case Kind::kFile:
      return "file";
    case Kind::kPlugin:
      return "plugin";
    case Kind::kStage:
      return "stage";
    case Kind::kSeed:
      return "seed";
  }
  return "";
}

bool is_change(const Reason& reason) {
  return reason.kind >= Kind::kOption;
}

std::string reasons_text(const std::vector<Reason>& reasons) {
  constexpr size_t kNamed = 3;
  std::string text;
  for (size_t i = 0; i < std::min(kNamed, reasons.size()); ++i)
    text += (i == 0 ? "" : "; ") + reasons[i].text;
  if (reasons.size() > kNamed) text += "; and " + std::to_string(reasons.size() - kNamed) + " more";
  return text;
}

json::object content_record(const StageContent& content) {
  return {{"hash", content.hash}, {"parts", content.parts}, {"paths", content.paths}};
}

std::vector<Reason> content_changes(const json::object& before, const json::object& now,
                                    const std::string& file) {
  try {
    // Through text, as `before` came: a whole number may be of another type.
    return Comparison(before, json::parse(json_text(now)).as_object()).run();
  } catch (const std::exception& e) {
    throw RunError(file + ": not what a stage depended on: " + e.what() + ". Remove the file");
  }
}

}  // namespace tenon::host
