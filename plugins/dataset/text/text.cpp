// Data set `text`: documents of plain-text files, for pre-training.
// SPDX-License-Identifier: Apache-2.0
#include "corpus.h"
#include "dataset_support/split.h"
#include "tenon/dataset.hpp"

namespace {

using tenon::dataset_support::Split;
using tenon::text_corpus::Corpus;
using tenon::text_corpus::Cut;
using tenon::text_corpus::Document;
using tenon::text_corpus::Unit;

Unit unit_of(const std::string& name) {
  return name == "file" ? Unit::kFile : name == "line" ? Unit::kLine : Unit::kParagraphs;
}

class Text {
 public:
  explicit Text(tenon::Host host)
      : corpus_(host.str("path"), host.str("include"),
                Cut{unit_of(host.str("documents")), static_cast<uint64_t>(host.i64("max_bytes"))}) {
    const Split split(host);
    if (split.is_all()) return;
    for (uint64_t i = 0; i < corpus_.documents().size(); ++i)
      if (split.takes(whole_of(i))) chosen_.push_back(i);
    if (chosen_.empty())
      throw tenon::Error("split: none of " + std::to_string(corpus_.documents().size()) + " documents is `" +
                         split.name() + "`");
  }

  static void check(tenon::Host host, tenon::Findings& findings) { Split::check(host, findings); }

  uint64_t size() const { return chosen_.empty() ? corpus_.documents().size() : chosen_.size(); }

  tenon::Row at(uint64_t index) const {
    if (index >= size())
      throw tenon::Error("row " + std::to_string(index) + " of " + std::to_string(size()) + " was asked for");
    const Document& document = corpus_.documents()[chosen_.empty() ? index : chosen_[index]];
    const std::string& file = corpus_.files()[document.file];
    tenon::Row row;
    row.prompt = corpus_.text(document);
    row.meta_json = "{\"file\":" + tenon::json::quote(file.substr(file.rfind('/') + 1)) +
                    ",\"line\":" + std::to_string(document.line) +
                    ",\"part\":" + std::to_string(document.part) + "}";
    row.source = file + ":" + std::to_string(document.line);
    return row;
  }

 private:
  // What tells the split: the text of the document's first part, so that the parts of one document are on one side.
  std::string whole_of(uint64_t i) const {
    return corpus_.text(corpus_.documents()[i - corpus_.documents()[i].part]);
  }

  Corpus corpus_;
  std::vector<uint64_t> chosen_;  // empty: all
};

constexpr const char* kUnits[] = {"paragraphs", "file", "line", nullptr};

}  // namespace

TENON_DATASET_PLUGIN(
    Text, "text", "1.0.0", "Documents of plain-text files, for pre-training.",
    tenon::path("path", "A text file in UTF-8, or a folder of such files.", {.flags = TENON_O_REQUIRED}),
    tenon::text("include", "\"*.txt\"", "Of a folder: names of the files, as a pattern of the shell."),
    tenon::choice("documents", kUnits, "\"paragraphs\"",
                  "A document is what stands between blank lines, a whole file, or a line."),
    tenon::integer(
        "max_bytes", "0",
        "Longer documents are cut at line ends, else at spaces, else between characters; 0: never.",
        {.min = "0", .max = "1000000000", .unit = "bytes"}),
    tenon::dataset_support::kSplitOption, tenon::dataset_support::kTestFractionOption)
