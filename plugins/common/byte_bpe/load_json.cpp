// Reading Hugging Face's tokenizer.json and the files beside it.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <filesystem>
#include <initializer_list>
#include <limits>
#include <unordered_map>

#include "byte_bpe/definition.h"
#include "byte_bpe/regex.h"
#include "file/mapped_file.h"
#include "json/json_document.h"

namespace tenon::bpe {

const char kGpt2Pattern[] = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

namespace {

namespace fs = std::filesystem;
using json::Ref;

int32_t token_id(const Ref& ref) {
  const uint64_t id = ref.unsigned_integer();
  if (id > static_cast<uint64_t>(std::numeric_limits<int32_t>::max()))
    ref.fail("token id " + std::to_string(id) + " is too large");
  return static_cast<int32_t>(id);
}

// No member is ignored: one that is not listed is an error.
void allow_members(const Ref& ref, std::initializer_list<std::string_view> names) {
  for (const auto& member : ref.object()) {
    bool known = false;
    for (const std::string_view name : names) known = known || name == member.key();
    if (!known) ref.fail("unsupported member \"" + std::string(member.key()) + "\"");
  }
}

std::string_view type_of(const Ref& ref) {
  return ref.at("type").string();
}

// ---- model ----------------------------------------------------------------------------------------------------

void read_merges(const Ref& merges, Definition& d) {
  const size_t n = merges.size();
  d.merges.reserve(n);
  for (size_t i = 0; i < n; ++i) {
    const boost::json::value& value = merges.array()[i];
    if (value.is_string()) {
      const std::string_view pair(value.get_string().data(), value.get_string().size());
      const size_t space = pair.find(' ');
      if (space == std::string_view::npos || space == 0 || space + 1 == pair.size() ||
          pair.find(' ', space + 1) != std::string_view::npos) {
        merges[i].fail("\"" + std::string(pair) + "\" is not two tokens with a space between");
      }
      d.merges.emplace_back(pair.substr(0, space), pair.substr(space + 1));
    } else {
      const Ref pair = merges[i];
      if (pair.size() != 2) pair.fail("expected two tokens, found " + std::to_string(pair.size()));
      d.merges.emplace_back(pair[0].string(), pair[1].string());
    }
  }
  d.merges_where = merges.path();
}

void read_model(const Ref& model, Definition& d) {
  if (type_of(model) != "BPE")
    model.at("type").fail("\"" + std::string(type_of(model)) + "\" is not supported; BPE is");
  allow_members(model, {"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix",
                        "fuse_unk", "byte_fallback", "ignore_merges", "vocab", "merges"});
  if (const auto dropout = model.find("dropout"); dropout && dropout->number() != 0)
    dropout->fail("only 0 is supported");
  for (const char* name : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!model.string_or(name, "").empty()) model.at(name).fail("is not supported by byte-level BPE");
  }
  if (model.boolean_or("byte_fallback", false))
    model.at("byte_fallback").fail("true is not supported (SentencePiece)");
  d.ignore_merges = model.boolean_or("ignore_merges", false);

  const Ref vocab = model.at("vocab");
  d.vocab.reserve(vocab.object().size());
  for (const auto& member : vocab.object()) {
    const bool quick = member.value().is_int64() && member.value().get_int64() >= 0 &&
                       member.value().get_int64() <= std::numeric_limits<int32_t>::max();
    d.vocab.emplace_back(member.key(), quick ? static_cast<int32_t>(member.value().get_int64())
                                             : token_id(vocab.at(member.key())));
  }
  if (const auto unk = model.find("unk_token")) {
    const auto* id = vocab.object().if_contains(unk->string());
    if (id == nullptr) unk->fail("\"" + std::string(unk->string()) + "\" is not in the vocabulary");
    d.model_unk = token_id(vocab.at(unk->string()));
    if (model.boolean_or("fuse_unk", false)) model.at("fuse_unk").fail("true is not supported");
  }
  read_merges(model.at("merges"), d);
}

// ---- added tokens, normaliser -----------------------------------------------------------------------------------

void read_added(const Ref& root, Definition& d) {
  const auto list = root.find("added_tokens");
  if (!list) return;
  std::unordered_map<std::string_view, int32_t> vocab;
  std::unordered_map<int32_t, std::string_view> texts;
  for (const auto& [text, id] : d.vocab) {
    vocab.emplace(text, id);
    texts.emplace(id, text);
  }
  for (size_t i = 0; i < list->size(); ++i) {
    const Ref entry = (*list)[i];
    allow_members(entry, {"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"});
    AddedToken token;
    token.id = token_id(entry.at("id"));
    token.content = entry.at("content").string();
    token.special = entry.boolean_or("special", false);
    token.single_word = entry.boolean_or("single_word", false);
    token.lstrip = entry.boolean_or("lstrip", false);
    token.rstrip = entry.boolean_or("rstrip", false);
    token.normalized = entry.boolean_or("normalized", !token.special);
    if (token.content.empty()) entry.at("content").fail("an added token may not be empty");
    const auto it = vocab.find(token.content);
    if (it != vocab.end() && it->second != token.id) {
      entry.at("id").fail("is " + std::to_string(token.id) + ", but model.vocab gives \"" + token.content +
                          "\" the id " + std::to_string(it->second));
    }
    if (it == vocab.end()) {
      const auto [taken, fresh] = texts.emplace(token.id, entry.at("content").string());
      if (!fresh)
        entry.at("id").fail("is " + std::to_string(token.id) + ", which is \"" + std::string(taken->second) +
                            "\" already");
    }
    d.added.push_back(std::move(token));
  }
}

void read_normalizer(const Ref& ref, Definition& d) {
  const std::string_view type = type_of(ref);
  constexpr std::array<std::pair<std::string_view, NormalForm>, 4> kForms{{{"NFC", NormalForm::kNfc},
                                                                           {"NFD", NormalForm::kNfd},
                                                                           {"NFKC", NormalForm::kNfkc},
                                                                           {"NFKD", NormalForm::kNfkd}}};
  if (type == "Sequence") {
    allow_members(ref, {"type", "normalizers"});
    const Ref list = ref.at("normalizers");
    for (size_t i = 0; i < list.size(); ++i) read_normalizer(list[i], d);
    return;
  }
  for (const auto& [name, form] : kForms) {
    if (name != type) continue;
    allow_members(ref, {"type"});
    d.normalizers.push_back(form);
    return;
  }
  ref.at("type").fail("normalizer \"" + std::string(type) +
                      "\" is not supported; NFC, NFD, NFKC, NFKD and Sequence are");
}

// ---- pre-tokeniser ------------------------------------------------------------------------------------------------

SplitBehavior read_behavior(const Ref& ref) {
  const std::string_view name = ref.string();
  if (name == "Removed") return SplitBehavior::kRemoved;
  if (name == "Isolated") return SplitBehavior::kIsolated;
  if (name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
  if (name == "Contiguous") return SplitBehavior::kContiguous;
  ref.fail("unknown behavior \"" + std::string(name) + "\"");
}

void read_split(const Ref& ref, Definition& d) {
  allow_members(ref, {"type", "pattern", "behavior", "invert"});
  PreTokenizerStep step;
  const Ref pattern = ref.at("pattern");
  allow_members(pattern, {"Regex", "String"});
  step.pattern = pattern.find("Regex") ? std::string(pattern.at("Regex").string())
                                       : quote_pattern(pattern.at("String").string());
  step.behavior = read_behavior(ref.at("behavior"));
  step.invert = ref.boolean_or("invert", false);
  step.where = pattern.path();
  d.steps.push_back(std::move(step));
}

// Returns whether `ref` was, or ended in, a ByteLevel: the step that turns text into bytes, and so the last.
bool read_pre_tokenizer(const Ref& ref, Definition& d) {
  const std::string_view type = type_of(ref);
  if (type == "Sequence") {
    allow_members(ref, {"type", "pretokenizers"});
    const Ref list = ref.at("pretokenizers");
    bool byte_level = false;
    for (size_t i = 0; i < list.size(); ++i) {
      if (byte_level) list[i].fail("nothing may follow ByteLevel");
      byte_level = read_pre_tokenizer(list[i], d);
    }
    return byte_level;
  }
  if (type == "ByteLevel") {
    allow_members(ref, {"type", "add_prefix_space", "trim_offsets", "use_regex"});
    if (ref.boolean_or("add_prefix_space", true)) {
      PreTokenizerStep& step = d.steps.emplace_back();
      step.prefix_space = true;
      step.where = ref.path();
    }
    if (ref.boolean_or("use_regex", true)) {
      PreTokenizerStep& step = d.steps.emplace_back();
      step.pattern = kGpt2Pattern;
      step.where = ref.path();
    }
    return true;
  }
  if (type == "Digits") {
    allow_members(ref, {"type", "individual_digits"});
    PreTokenizerStep& step = d.steps.emplace_back();
    step.pattern = R"(\p{N})";
    step.behavior =
        ref.boolean_or("individual_digits", false) ? SplitBehavior::kIsolated : SplitBehavior::kContiguous;
    step.where = ref.path();
    return false;
  }
  if (type == "Split") {
    read_split(ref, d);
    return false;
  }
  ref.at("type").fail("pre-tokenizer \"" + std::string(type) +
                      "\" is not supported; ByteLevel, Digits, Split and Sequence are");
}

// ---- decoder, post-processor --------------------------------------------------------------------------------------

bool read_decoder(const Ref& ref) {
  const std::string_view type = type_of(ref);
  if (type == "ByteLevel") return true;
  if (type != "Sequence")
    ref.at("type").fail("decoder \"" + std::string(type) + "\" is not supported; ByteLevel is");
  const Ref list = ref.at("decoders");
  bool byte_level = false;
  for (size_t i = 0; i < list.size(); ++i) byte_level = read_decoder(list[i]) || byte_level;
  return byte_level;
}

void read_template(const Ref& ref, Definition& d) {
  allow_members(ref, {"type", "single", "pair", "special_tokens"});
  const Ref single = ref.at("single");
  bool seen_text = false;
  for (size_t i = 0; i < single.size(); ++i) {
    const Ref item = single[i];
    allow_members(item, {"SpecialToken", "Sequence"});
    if (item.find("Sequence")) {
      if (seen_text || item.at("Sequence").at("id").string() != "A")
        item.fail("the text must occur exactly once");
      seen_text = true;
      continue;
    }
    const std::string name(item.at("SpecialToken").at("id").string());
    const Ref ids = ref.at("special_tokens").at(name).at("ids");
    for (size_t k = 0; k < ids.size(); ++k) (seen_text ? d.suffix : d.prefix).push_back(token_id(ids[k]));
  }
  if (!seen_text) single.fail("the text must occur exactly once");
}

void read_post_processor(const Ref& ref, Definition& d) {
  const std::string_view type = type_of(ref);
  if (type == "ByteLevel") return;  // it trims offsets, which are not reported here
  if (type == "TemplateProcessing") return read_template(ref, d);
  if (type != "Sequence") {
    ref.at("type").fail("post-processor \"" + std::string(type) +
                        "\" is not supported; ByteLevel, TemplateProcessing and Sequence are");
  }
  const Ref list = ref.at("processors");
  for (size_t i = 0; i < list.size(); ++i) read_post_processor(list[i], d);
}

// ---- tokenizer_config.json ----------------------------------------------------------------------------------------

// A special token is its text, or an added token's object.
std::optional<int32_t> named_token(const Ref& root, const char* key, const Definition& d) {
  const auto ref = root.find(key);
  if (!ref) return std::nullopt;
  const std::string_view text = ref->value().is_object() ? ref->at("content").string() : ref->string();
  for (const AddedToken& token : d.added) {
    if (token.content == text) return token.id;
  }
  for (const auto& [token, id] : d.vocab) {
    if (token == text) return id;
  }
  ref->fail("\"" + std::string(text) + "\" is not a token of " + d.file);
}

// A string, or a list of {name, template} of which "default" is ours.
void read_chat_template(const Ref& ref, Definition& d) {
  if (ref.value().is_string()) {
    d.chat_template = ref.string();
    return;
  }
  for (size_t i = 0; i < ref.size(); ++i) {
    if (ref[i].at("name").string() == "default") d.chat_template = ref[i].at("template").string();
  }
  if (d.chat_template.empty()) ref.fail("has no template called \"default\"");
}

bool is_token(int32_t id, const Definition& d) {
  const auto has_id = [id](const auto& token) { return token.id == id; };
  const auto is_second = [id](const auto& entry) { return entry.second == id; };
  return std::any_of(d.added.begin(), d.added.end(), has_id) ||
         std::any_of(d.vocab.begin(), d.vocab.end(), is_second);
}

// What ends a completion of the model: an id or a list of ids (a chat model often has two, the end of the text and that of the turn). The other members
// are settings of transformers' own sampling.
void read_generation_config(const Ref& root, Definition& d) {
  const auto eos = root.find("eos_token_id");
  if (!eos) return;
  const auto add = [&](const Ref& ref) {
    d.generation_eos.push_back(token_id(ref));
    if (!is_token(d.generation_eos.back(), d))
      ref.fail(std::to_string(d.generation_eos.back()) + " is not the id of a token of " + d.file);
  };
  if (!eos->value().is_array()) return add(*eos);
  for (size_t i = 0; i < eos->size(); ++i) add((*eos)[i]);
}

void read_neighbours(const fs::path& folder, Definition& d) {
  const fs::path config = folder / "tokenizer_config.json";
  if (fs::exists(config)) {
    const json::Document document = json::Document::open(config.string());
    const Ref root = document.root();
    d.bos = named_token(root, "bos_token", d);
    d.eos = named_token(root, "eos_token", d);
    d.pad = named_token(root, "pad_token", d);
    d.unk = named_token(root, "unk_token", d);
    if (const auto chat = root.find("chat_template")) read_chat_template(*chat, d);
  }
  const fs::path generation = folder / "generation_config.json";
  if (fs::exists(generation)) {
    const json::Document document = json::Document::open(generation.string());
    read_generation_config(document.root(), d);
  }
  const fs::path jinja = folder / "chat_template.jinja";  // newer checkpoints; goes before the other
  if (fs::exists(jinja)) d.chat_template = io::MappedFile(jinja.string()).text();
}

}  // namespace

Definition read_tokenizer_json(const std::string& path) {
  const json::Document document = json::Document::open(path);
  const Ref root = document.root();
  allow_members(root, {"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
                       "post_processor", "decoder", "model"});
  Definition d;
  d.file = path;
  read_model(root.at("model"), d);
  read_added(root, d);
  if (const auto normalizer = root.find("normalizer")) read_normalizer(*normalizer, d);
  if (!read_pre_tokenizer(root.at("pre_tokenizer"), d)) {
    root.at("pre_tokenizer").fail("has no ByteLevel: not a byte-level tokenizer");
  }
  if (!read_decoder(root.at("decoder")))
    root.at("decoder").fail("has no ByteLevel: not a byte-level tokenizer");
  if (const auto post = root.find("post_processor")) read_post_processor(*post, d);
  read_neighbours(fs::absolute(path).parent_path(), d);
  return d;
}

}  // namespace tenon::bpe
