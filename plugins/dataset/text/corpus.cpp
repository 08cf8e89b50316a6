// Files read line by line and divided into documents.
// SPDX-License-Identifier: Apache-2.0
#include "corpus.h"

#include <fnmatch.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tenon/error.hpp"
#include "utf8/utf8.h"

namespace tenon::text_corpus {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> files_of(const std::string& path, const std::string& include) {
  if (fs::is_regular_file(path)) return {path};
  if (!fs::is_directory(path)) throw Error(TENON_E_IO, "path: " + path + " is neither a file nor a folder");
  std::vector<std::string> files;
  for (auto at = fs::recursive_directory_iterator(path); at != fs::recursive_directory_iterator(); ++at) {
    const std::string name = at->path().filename().string();
    if (name.starts_with(".")) {
      if (at->is_directory()) at.disable_recursion_pending();
    } else if (at->is_regular_file() && ::fnmatch(include.c_str(), name.c_str(), 0) == 0) {
      files.push_back(at->path().string());
    }
  }
  if (files.empty()) throw Error("path: " + path + " has no file that matches include: " + include);
  std::sort(files.begin(), files.end());
  return files;
}

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r\f\v\n") == std::string_view::npos;
}

// How many bytes of `text` fit into `most`: up to the last space, or the last whole character, one at least.
uint64_t fitting(std::string_view text, uint64_t most) {
  if (text.size() <= most) return text.size();
  const size_t space = text.rfind(' ', most - 1);
  if (space != std::string_view::npos && space > 0) return space + 1;
  size_t end = 0;
  for (size_t next = utf8::length(text, 0); next <= most; next += utf8::length(text, next)) end = next;
  return end > 0 ? end : utf8::length(text, 0);
}

// Takes lines and gives documents.
class Divider {
 public:
  Divider(uint32_t file, const Cut& cut, std::vector<Document>& out) : cut_(cut), out_(out) {
    now_.file = file;
  }

  void take(std::string_view line, uint64_t offset, uint64_t number) {
    const bool blank = is_blank(line);
    if (cut_.unit == Unit::kLine || (cut_.unit == Unit::kParagraphs && blank)) end_document();
    if (blank && (cut_.unit != Unit::kFile || is_blank_)) return;
    if (cut_.max_bytes > 0 && now_.size + line.size() > cut_.max_bytes) end_part();
    while (cut_.max_bytes > 0 && line.size() > cut_.max_bytes) {
      const uint64_t n = fitting(line, cut_.max_bytes);
      add(n, offset, number, is_blank(line.substr(0, n)));
      end_part();
      line.remove_prefix(n);
      offset += n;
    }
    add(line.size(), offset, number, is_blank(line));
  }
  void end_document() {
    end_part();
    now_.part = 0;
  }

 private:
  void add(uint64_t n, uint64_t offset, uint64_t number, bool blank) {
    if (n == 0) return;
    if (now_.size == 0 || is_blank_) now_.offset = offset, now_.line = number;
    now_.size = offset + n - now_.offset;
    is_blank_ &= blank;
  }
  void end_part() {
    if (!is_blank_) {
      out_.push_back(now_);
      ++now_.part;
    }
    now_.size = 0;
    is_blank_ = true;
  }

  const Cut& cut_;
  std::vector<Document>& out_;
  Document now_{};
  bool is_blank_ = true;  // nothing but white space in `now_`
};

}  // namespace

Corpus::Corpus(const std::string& path, const std::string& include, const Cut& cut)
    : files_(files_of(path, include)) {
  for (uint32_t i = 0; i < files_.size(); ++i) read(i, cut);
  if (documents_.empty()) throw Error("path: " + path + " has no text");
}

void Corpus::read(uint32_t file, const Cut& cut) {
  std::ifstream in(files_[file], std::ios::binary);
  if (!in) throw Error(TENON_E_IO, "path: " + files_[file] + " cannot be opened");
  Divider divider(file, cut, documents_);
  uint64_t offset = 0, number = 1;
  std::string line;
  for (; std::getline(in, line); ++number) {
    if (!in.eof()) line += '\n';
    for (size_t at = 0; at < line.size();) {
      const size_t n = utf8::length(line, at);
      if (n == 0)
        throw Error(
            "path: " + files_[file] + ":" + std::to_string(number) + ": byte " + std::to_string(at + 1) +
            " of the line is not UTF-8; convert the file (iconv -t UTF-8), or leave it out with `include`");
      at += n;
    }
    std::string_view text(line);
    const bool has_mark = offset == 0 && text.starts_with("\xEF\xBB\xBF");
    if (has_mark) text.remove_prefix(3);
    divider.take(text, offset + (has_mark ? 3 : 0), number);
    offset += line.size();
  }
  if (in.bad()) throw Error(TENON_E_IO, "path: " + files_[file] + " cannot be read to its end");
  divider.end_document();
}

std::string Corpus::text(const Document& document) const {
  std::ifstream in(files_[document.file], std::ios::binary);
  std::string out(document.size, '\0');
  in.seekg(static_cast<std::streamoff>(document.offset));
  in.read(out.data(), static_cast<std::streamsize>(out.size()));
  if (static_cast<uint64_t>(in.gcount()) != document.size)
    throw Error(TENON_E_IO, "path: " + files_[document.file] +
                                " has become shorter, or cannot be read any more, since the run began");
  out.erase(out.find_last_not_of(" \t\r\n") + 1);
  return out;
}

}  // namespace tenon::text_corpus
