// What the files of this library share.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "checkpoint/checkpoint.h"
#include "gguf/gguf.h"

namespace tenon::checkpoint {

// Reads config.json. Throws FormatError naming the JSON path.
Config read_hf_config(const std::string& config_json);

// Reads the metadata of a GGUF file. Throws FormatError naming the key.
Config read_gguf_config(const gguf::File& file);

// Throws FormatError when sizes are zero or do not divide; `file` is for the message.
void check_config(const Config& config, const std::string& file);

std::unique_ptr<TensorSource> open_safetensors_source(const std::string& path);
// Renames tensors and undoes the order of q and k rows.
std::unique_ptr<TensorSource> make_gguf_source(std::unique_ptr<gguf::File> file, const Config& config);

}  // namespace tenon::checkpoint
