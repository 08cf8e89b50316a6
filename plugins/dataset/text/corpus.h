// Where the documents of plain-text files are.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tenon::text_corpus {

enum class Unit { kFile, kParagraphs, kLine };

struct Cut {
  Unit unit;           // a document is a file, what stands between blank lines, or a line
  uint64_t max_bytes;  // longer ones are cut at line ends, else at spaces, else between characters; 0: never
};

// A piece of a file.
struct Document {
  uint32_t file;          // in Corpus::files()
  uint32_t part;          // of a document that was cut, from 0
  uint64_t offset, line;  // bytes; from 1
  uint64_t size;          // bytes
};

// Holds where each document is and not its text: 40 bytes each.
class Corpus {
 public:
  // `path`: a file, or a folder, whose files (of all folders below, in the order of their names; none that begin with a dot) match `include`, a pattern of the
  // shell. Reads all of them once. Throws Error for a path that is not there, a folder without such files, a text that is not UTF-8 (naming file and line).
  Corpus(const std::string& path, const std::string& include, const Cut& cut);

  const std::vector<std::string>& files() const { return files_; }
  const std::vector<Document>& documents() const { return documents_; }
  // Throws Error if the file cannot be read any more. Any thread.
  std::string text(const Document& document) const;

 private:
  void read(uint32_t file, const Cut& cut);

  std::vector<std::string> files_;
  std::vector<Document> documents_;
};

}  // namespace tenon::text_corpus
