// Sampling from a filtered distribution, one row at a time and by sorting: for generation, not for training.
// SPDX-License-Identifier: Apache-2.0
#include "head_filter.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace tenon::kernels {
namespace {

// The tokens of a row by rank, found only as far down as they are asked for.
class Ranking {
 public:
  Ranking(const float* logits, uint64_t vocabulary) : logits_(logits), ids_(vocabulary) {
    std::iota(ids_.begin(), ids_.end(), 0);
  }

  int32_t at(uint64_t rank) {
    if (rank >= sorted_) sort_to(std::min<uint64_t>(ids_.size(), std::max<uint64_t>(64, 8 * sorted_ + rank)));
    return ids_[rank];
  }

 private:
  void sort_to(uint64_t count) {
    const auto before = [this](int32_t a, int32_t b) {
      return logits_[a] > logits_[b] || (logits_[a] == logits_[b] && a < b);
    };
    const auto from = ids_.begin() + static_cast<int64_t>(sorted_),
               to = ids_.begin() + static_cast<int64_t>(count);
    std::partial_sort(from, to, ids_.end(), before);
    sorted_ = count;
  }

  const float* logits_;
  std::vector<int32_t> ids_;
  uint64_t sorted_ = 0;
};

}  // namespace

bool filters(const tenon_head_filter* filter) {
  return filter != nullptr && (filter->top_k > 0 || filter->top_p < 1.0f || filter->min_p > 0.0f);
}

int32_t draw_filtered(const float* logits, uint64_t vocabulary, float inverse_temperature,
                      const tenon_head_filter& filter, float u) {
  Ranking ranking(logits, vocabulary);
  const double greatest = static_cast<double>(logits[ranking.at(0)]) * inverse_temperature;
  const auto weight = [&](int32_t id) {
    return std::exp(static_cast<double>(logits[id]) * inverse_temperature -
                    greatest);  // the most likely token's is 1
  };
  uint64_t kept = filter.top_k > 0 ? std::min<uint64_t>(filter.top_k, vocabulary) : vocabulary;
  double sum = 0;  // of the weights of the kept tokens
  if (kept == vocabulary) {
    for (uint64_t j = 0; j < vocabulary; ++j) sum += weight(static_cast<int32_t>(j));
  } else {
    for (uint64_t i = 0; i < kept; ++i) sum += weight(ranking.at(i));
  }
  if (filter.top_p < 1.0f) {
    const double enough = static_cast<double>(filter.top_p) * sum;
    double reached = 0;
    uint64_t i = 0;
    do {
      reached += weight(ranking.at(i++));
    } while (i < kept && reached < enough);
    kept = i;
    sum = reached;
  }
  // The rank of the first token that min_p leaves out; until there the draw may stop anywhere.
  const auto passes = [&](uint64_t i) {
    return i == 0 || weight(ranking.at(i)) >= static_cast<double>(filter.min_p);
  };
  if (filter.min_p > 0.0f) {
    double reached = 0;
    uint64_t i = 0;
    while (i < kept && passes(i)) reached += weight(ranking.at(i++));
    kept = i;
    sum = reached;
  }
  const double wanted = static_cast<double>(u) * sum;
  double reached = 0;
  for (uint64_t i = 0; i < kept; ++i) {
    reached += weight(ranking.at(i));
    if (reached > wanted) return ranking.at(i);
  }
  return ranking.at(kept - 1);
}

}  // namespace tenon::kernels
