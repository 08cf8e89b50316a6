// Sequences of a call as rows to compute: no padding, nothing that is not needed, a group's prompt once.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "tenon/abi.h"
#include "tenon/kernels/attention.h"

namespace tenon::transformer {

// Sequences whose rows lie together and that no other sequence shares anything with: what one thread may
// compute alone.
struct Chunk {
  uint64_t row = 0, rows = 0;     // its rows in the batch
  std::vector<uint64_t> offsets;  // [sequences + 1], from 0
  std::vector<int64_t> prefix;    // [sequences], as in tenon_attention_batch; empty: none has one

  tenon_attention_batch attention(uint64_t heads, uint64_t kv_heads, uint64_t head_dim, float scale) const;
};

// A row that goes through a head: the hidden state after `row` scores the token at `column` of the call, or,
// at the end of a sequence, the whole.
struct HeadRow {
  uint64_t row;
  uint64_t column;
  int32_t target;  // -1: the scalar head, at the last token
};

struct Batch {
  uint64_t tokens = 0;  // columns of the call
  uint64_t rows = 0;
  std::vector<int32_t> ids, positions;  // [rows]
  std::vector<Chunk> chunks;
  std::vector<HeadRow> heads;  // ascending in row
  uint64_t scalar_rows = 0;    // how many of them are the scalar head's
};

struct BatchOptions {
  uint64_t vocab, max_len;
  uint64_t chunk_rows;  // rows to a chunk, about; 0: one chunk
  uint64_t threads;     // there is one chunk, too, where these would not share several evenly
  uint64_t ahead =
      0;  // of a module: so many tokens further. A row has the id that stands so far behind its own
          // (0 where there is none), and scores the token behind that. The rows are those of ahead 0
  bool every_row = false;  // all rows, and a head row for each of them (logits)
};

// Throws Error for an id outside [0, vocab), a sequence longer than max_len, a mask at the first token, a
// temperature that is not positive, and for neighbours of one group whose prompts differ.
Batch make_batch(const tenon_tokens& tokens, const BatchOptions& options);

}  // namespace tenon::transformer
