// From YAML events to a tree of values that remember their place, and --set.
// SPDX-License-Identifier: Apache-2.0
#include "host/config.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <istream>
#include <map>
#include <optional>
#include <set>
#include <sstream>

namespace tenon::host {

namespace {

constexpr std::string_view kMergeKey = "<<";

size_t count_values(const Value& value) {
  size_t n = 1;
  for (const Value& item : value.items) n += count_values(item);
  for (const Entry& entry : value.entries) n += count_values(entry.value);
  return n;
}

size_t depth_of(const Value& value) {
  size_t deepest = 0;
  for (const Value& item : value.items) deepest = std::max(deepest, depth_of(item));
  for (const Entry& entry : value.entries) deepest = std::max(deepest, depth_of(entry.value));
  return value.is_list() || value.is_map() ? deepest + 1 : 0;
}

// Builds one document from the parser's events.
class Builder : public YAML::EventHandler {
 public:
  Builder(const std::string& file, std::string_view text) : file_(file), text_(text) {}

  std::optional<Value> take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Value value;
    value.mark = at(mark);
    finish(std::move(value), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    auto target = anchors_.find(anchor);
    if (target == anchors_.end())
      throw UserError(at(mark), "this alias stands inside the value that it names");
    count(at(mark), count_values(target->second));
    if (open_.size() + depth_of(target->second) > kMaxConfigDepth) too_deep(at(mark));
    place(target->second);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    Value value;
    value.kind = Value::Kind::kScalar;
    value.mark = at(mark);
    value.text = text;
    value.quoted = tag == "!" || tag == "tag:yaml.org,2002:str";
    check_tag(value.mark, tag);
    check_closed(mark);
    finish(std::move(value), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    start(Value::Kind::kList, at(mark), tag, anchor);
  }
  void OnSequenceEnd() override { end(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    start(Value::Kind::kMap, at(mark), tag, anchor);
  }
  void OnMapEnd() override {
    merge(open_.back().value);
    end();
  }

 private:
  struct Open {
    Value value;
    YAML::anchor_t anchor = 0;
    std::optional<Value> key;  // of a map: read, its value still to come
  };

  Mark at(const YAML::Mark& mark) const { return {file_, mark.line + 1, mark.column + 1}; }

  [[noreturn]] static void too_deep(const Mark& mark) {
    throw UserError(mark,
                    "lists and maps are nested deeper than " + std::to_string(kMaxConfigDepth) + " levels");
  }

  void count(const Mark& mark, size_t n) {
    values_ += n;
    if (values_ > kMaxConfigValues)
      throw UserError(mark, "more than " + std::to_string(kMaxConfigValues) + " values, aliases expanded");
  }

  static void check_tag(const Mark& mark, const std::string& tag) {
    constexpr std::string_view kStandard = "tag:yaml.org,2002:";
    if (tag.empty() || tag == "?" || tag == "!" || tag.starts_with(kStandard)) return;
    throw UserError(mark, "the tag " + tag + " means nothing here; leave it out");
  }

  // yaml-cpp takes a quoted text that the end of the file cuts off for a whole one.
  void check_closed(const YAML::Mark& mark) const {
    auto begin = static_cast<size_t>(mark.pos);
    if (begin >= text_.size()) return;
    char quote = text_[begin];
    if (quote != '"' && quote != '\'') return;
    for (size_t i = begin + 1; i < text_.size(); ++i) {
      bool escape = quote == '"' ? text_[i] == '\\' : text_.substr(i, 2) == "''";
      if (escape) {
        ++i;
      } else if (text_[i] == quote) {
        return;
      }
    }
    throw UserError(at(mark),
                    "broken YAML: this text is not closed, a " + std::string(1, quote) + " is missing");
  }

  void start(Value::Kind kind, const Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (open_.size() >= kMaxConfigDepth) too_deep(mark);
    check_tag(mark, tag);
    Open open;
    open.value.kind = kind;
    open.value.mark = mark;
    open.anchor = anchor;
    open_.push_back(std::move(open));
  }

  void end() {
    Open done = std::move(open_.back());
    open_.pop_back();
    finish(std::move(done.value), done.anchor);
  }

  void finish(Value value, YAML::anchor_t anchor) {
    count(value.mark, 1);
    if (anchor != 0) anchors_[anchor] = value;
    place(std::move(value));
  }

  // Puts a finished value where the parser stands: the root, a list's end, a map's key or a map's value.
  void place(Value value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return;
    }
    Open& open = open_.back();
    if (open.value.is_list()) {
      open.value.items.push_back(std::move(value));
    } else if (!open.key) {
      check_key(open.value, value);
      open.key = std::move(value);
    } else {
      // The parser puts an empty value at the next token, which may be lines away.
      if (value.is_null() && value.mark.line != open.key->mark.line) value.mark = open.key->mark;
      open.value.entries.push_back({std::move(open.key->text), open.key->mark, std::move(value)});
      open.key.reset();
    }
  }

  static void check_key(const Value& map, const Value& key) {
    if (!key.is_scalar()) throw UserError(key.mark, "a key must be a word, not " + describe(key));
    for (const Entry& entry : map.entries) {
      if (entry.key != key.text || (key.text == kMergeKey && !key.quoted)) continue;
      throw UserError(key.mark, "\"" + key.text + "\" is given twice; the first is in line " +
                                    std::to_string(entry.key_mark.line));
    }
  }

  // Resolves `<<: *base` and `<<: [*a, *b]`: keys that are not in the map come from the merged maps, of
  // several from the first that has it.
  static void merge(Value& map) {
    std::vector<Entry> own;
    std::vector<Value> merged;
    for (Entry& entry : map.entries) {
      if (entry.key != kMergeKey) {
        own.push_back(std::move(entry));
      } else if (entry.value.is_list()) {
        for (Value& item : entry.value.items) merged.push_back(std::move(item));
      } else {
        merged.push_back(std::move(entry.value));
      }
    }
    map.entries = std::move(own);
    for (Value& from : merged) {
      if (!from.is_map())
        throw UserError(from.mark, "\"<<\" takes a map or a list of maps, not " + describe(from));
      for (Entry& entry : from.entries)
        if (map.find(entry.key) == nullptr) map.entries.push_back(std::move(entry));
    }
  }

  std::string file_;
  std::string_view text_;
  std::optional<Value> root_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, Value> anchors_;
  size_t values_ = 0;
};

// The place of the first byte that is not UTF-8 text, if there is one.
std::optional<Mark> find_bad_byte(const std::string& file, std::string_view text) {
  Mark mark{file, 1, 1};
  size_t i = 0;
  auto continuation = [&](size_t k) {
    return i + k < text.size() && (static_cast<unsigned char>(text[i + k]) & 0xC0) == 0x80;
  };
  while (i < text.size()) {
    auto c = static_cast<unsigned char>(text[i]);
    size_t length = c < 0x80                ? 1
                    : c >= 0xC2 && c < 0xE0 ? 2
                    : c >= 0xE0 && c < 0xF0 ? 3
                    : c >= 0xF0 && c < 0xF5 ? 4
                                            : 0;
    bool control = c < 0x20 && c != '\n' && c != '\r' && c != '\t';
    if (length == 0 || control) return mark;
    for (size_t k = 1; k < length; ++k)
      if (!continuation(k)) return mark;
    if (c == '\n') {
      ++mark.line;
      mark.column = 1;
    } else {
      mark.column += static_cast<int>(length);
    }
    i += length;
  }
  return std::nullopt;
}

bool is_indented_with_tab(std::string_view text, int line) {
  for (int i = 1; i < line && !text.empty(); ++i)
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  return text.substr(0, text.find_first_not_of(" \t")).find('\t') != std::string_view::npos;
}

std::string read_text(const std::filesystem::path& file) {
  std::error_code error;
  auto status = std::filesystem::status(file, error);
  if (!std::filesystem::exists(status))
    throw UserError("cannot open the configuration " + file.string() + ": no such file");
  if (std::filesystem::is_directory(status))
    throw UserError(file.string() + " is a folder; give the path of a YAML file");
  std::ifstream in(file, std::ios::binary);
  if (!in) throw UserError("cannot open the configuration " + file.string() + ": " + std::strerror(errno));
  std::string text(kMaxConfigBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(in.gcount()));
  if (text.size() > kMaxConfigBytes)
    throw UserError(file.string() + " is larger than a configuration can be, " +
                    std::to_string(kMaxConfigBytes >> 20) + " MiB");
  return text;
}

// ---- --set ----------------------------------------------------------------------------------------------------------------------------

std::vector<std::string> keys_of(const Value& value) {
  std::vector<std::string> keys;
  for (const Entry& entry : value.entries) keys.push_back(entry.key);
  for (const Value& item : value.items)
    if (const Value* name = item.find("name")) keys.push_back(name->text);
  return keys;
}

Value* find_item(Value& list, const std::string& part) {
  size_t index = 0;
  auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), index);
  if (error == std::errc() && end == part.data() + part.size())
    return index < list.items.size() ? &list.items[index] : nullptr;
  for (Value& item : list.items) {
    const Value* name = item.find("name");
    if (name != nullptr && name->is_scalar() && name->text == part) return &item;
  }
  return nullptr;
}

// " It has base (0), zero (1) and table (2).": what a list can be asked for.
std::string elements_text(const Value& list) {
  const size_t n = list.items.size();
  if (n == 0) return " It is empty.";
  std::string text;
  bool any_name = false;
  for (size_t i = 0; i < n; ++i) {
    const Value* name = list.items[i].find("name");
    const bool has_name = name != nullptr && name->is_scalar();
    any_name = any_name || has_name;
    text += (i == 0       ? ""
             : i + 1 == n ? " and "
                          : ", ") +
            (has_name ? name->text + " (" + std::to_string(i) + ")" : std::to_string(i));
  }
  if (any_name) return " It has " + text + ".";
  if (n == 1) return " It has one element, 0.";
  return " It has " + std::to_string(n) + " elements, 0 to " + std::to_string(n - 1) + ".";
}

std::vector<std::string> split(const std::string& path) {
  std::vector<std::string> parts;
  std::istringstream in(path);
  for (std::string part; std::getline(in, part, '.');) parts.push_back(part);
  if (path.ends_with('.')) parts.emplace_back();
  return parts;
}

// Adds to a map; the keys that are wrong are found when the map is checked.
Value& add_key(Value& map, const std::string& key, const Mark& mark) {
  map.entries.push_back({key, mark, Value{}});
  map.entries.back().value.mark = mark;
  return map.entries.back().value;
}

// The entry of a key that is there.
Entry& entry_of(Value& map, const std::string& key) {
  return *std::find_if(map.entries.begin(), map.entries.end(), [&](const Entry& e) { return e.key == key; });
}

// Moves marks of values that stand in `--set path=value` behind the path.
void shift_columns(Value& value, int columns) {
  if (value.mark.line == 1) value.mark.column += columns;
  for (Value& item : value.items) shift_columns(item, columns);
  for (Entry& entry : value.entries) {
    if (entry.key_mark.line == 1) entry.key_mark.column += columns;
    shift_columns(entry.value, columns);
  }
}

void set_line(Value& value, int line) {
  value.mark.line = line;
  for (Value& item : value.items) set_line(item, line);
  for (Entry& entry : value.entries) {
    entry.key_mark.line = line;
    set_line(entry.value, line);
  }
}

}  // namespace

const Value* Value::find(std::string_view key) const {
  for (const Entry& entry : entries)
    if (entry.key == key) return &entry.value;
  return nullptr;
}

Value* Value::find(std::string_view key) {
  return const_cast<Value*>(std::as_const(*this).find(key));
}

std::string describe(const Value& value) {
  switch (value.kind) {
    case Value::Kind::kNull:
      return "nothing";
    case Value::Kind::kList:
      return "a list";
    case Value::Kind::kMap:
      return "a map";
    case Value::Kind::kScalar:
      break;
  }
  constexpr size_t kShown = 60;
  std::string text = value.text.size() <= kShown ? value.text : value.text.substr(0, kShown) + "…";
  return "\"" + text + "\"";
}

Value parse_yaml(const std::string& file, std::string_view text) {
  if (auto bad = find_bad_byte(file, text)) throw UserError(*bad, "this byte is not UTF-8 text");
  if (text.starts_with("\xEF\xBB\xBF"))
    text.remove_prefix(3);  // a byte order mark, of which yaml-cpp's positions know nothing
  std::istringstream in{std::string(text)};
  Builder builder(file, text);
  try {
    YAML::Parser parser(in);
    if (!parser.HandleNextDocument(builder))
      return Value{Value::Kind::kNull, {file, 1, 1}, {}, false, {}, {}};
    std::optional<Value> root = builder.take();
    Builder rest(file, text);
    if (parser.HandleNextDocument(rest)) {
      std::optional<Value> second = rest.take();
      throw UserError(second ? second->mark : Mark{file, 1, 1},
                      "a second YAML document begins here; a configuration is one");
    }
    return std::move(*root);
  } catch (const YAML::Exception& e) {
    const Mark mark = e.mark.is_null() ? Mark{file, 1, 1} : Mark{file, e.mark.line + 1, e.mark.column + 1};
    throw UserError(
        mark, "broken YAML: " + e.msg +
                  (is_indented_with_tab(text, mark.line) ? "; YAML is indented with spaces, and here is a tab"
                                                         : ""));
  }
}

void apply_set(Value& root, const std::string& assignment, int number, size_t free_from) {
  const Mark path_mark{"--set", number, 1};
  size_t equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0)
    throw UserError(path_mark,
                    "\"" + assignment + "\" is not of the form path=value, for example run.seed=7");
  std::vector<std::string> parts = split(assignment.substr(0, equals));

  Value value = parse_yaml("--set", std::string_view(assignment).substr(equals + 1));
  shift_columns(value, static_cast<int>(equals) + 1);
  set_line(value, number);

  Value* here = &root;
  std::string walked;
  for (size_t i = 0; i < parts.size(); ++i) {
    const std::string& part = parts[i];
    bool last = i + 1 == parts.size();
    const std::string place = walked.empty() ? "the configuration" : walked;
    if (part.empty()) throw UserError(path_mark, "the path has an empty part");
    Value* next = nullptr;
    if (here->is_list()) {
      next = find_item(*here, part);
    } else if (here->is_map() || here->is_null()) {
      here->kind = Value::Kind::kMap;
      next = here->find(part);
      if (next != nullptr && last) entry_of(*here, part).key_mark = path_mark;
      // What is below a component or a stage is held against its option table later; everything above must be
      // there.
      bool may_be_new = last || i >= free_from || (i == 0 && part == "run");
      if (next == nullptr && may_be_new) next = &add_key(*here, part, path_mark);
    } else {
      throw UserError(path_mark,
                      place + " is " + describe(*here) + ", which has nothing called \"" + part + "\" in it");
    }
    if (next == nullptr)
      throw UserError(path_mark, place + " has no " +
                                     (!here->is_list()      ? "key"
                                      : place == "pipeline" ? "stage"
                                                            : "element") +
                                     " \"" + part + "\"." + did_you_mean(part, keys_of(*here)) +
                                     (here->is_list() ? elements_text(*here) : ""));
    here = next;
    walked += (walked.empty() ? "" : ".") + part;
  }
  *here = std::move(value);
}

Value load_config(const std::filesystem::path& file, const std::vector<std::string>& set,
                  Diagnostics& diagnostics) {
  std::string text = read_text(file);
  diagnostics.add_source(file.string(), text);
  Value root = parse_yaml(file.string(), text);
  if (root.is_null())
    throw UserError({file.string(), 1, 1}, "the file is empty; a configuration has at least `pipeline:`");
  if (!root.is_map())
    throw UserError(root.mark, "a configuration is a map with the keys run, components and pipeline, not " +
                                   describe(root));

  std::string lines;
  for (const std::string& assignment : set) {
    std::string line = assignment;
    std::replace(line.begin(), line.end(), '\n', ' ');
    lines += line + '\n';
  }
  diagnostics.add_source("--set", lines);
  for (size_t i = 0; i < set.size(); ++i) apply_set(root, set[i], static_cast<int>(i) + 1);
  return root;
}

}  // namespace tenon::host
