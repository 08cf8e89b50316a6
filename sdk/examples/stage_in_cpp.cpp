// A stage in C++: reads the rows of a data set and reports how long their prompts are.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "tenon/stage.hpp"

class Lengths {
 public:
  // Everything is read and looked up here, so that a mistake is found before the first stage runs.
  explicit Lengths(tenon::Host host)
      : host_(host),
        data_(host.get_component<tenon::Dataset>("data")),
        rows_(static_cast<uint64_t>(host.i64("rows"))),
        batch_(static_cast<uint64_t>(host.i64("batch"))) {
    if (data_.count() < rows_)
      throw tenon::Error("rows: " + std::to_string(rows_) + " of a data set that has " +
                         std::to_string(data_.count()) + "; ask for fewer");
  }

  // One step per batch. From first_step on: after an interruption the rows before it are not read again.
  void run(const tenon_call* call, const tenon::StageIo& io) {
    const uint64_t steps = (rows_ + batch_ - 1) / batch_;
    io.begin(steps);
    for (uint64_t step = io.first_step(); step < steps; ++step) {
      host_.throw_if_cancelled(call);
      const uint64_t begin = step * batch_, n = std::min(batch_, rows_ - begin);
      for (const tenon::Row& row : data_.read(call, begin, n)) {
        longest_ = std::max<uint64_t>(longest_, row.prompt.size());
        bytes_ += row.prompt.size();
      }
      host_.metric("prompt/longest", static_cast<double>(longest_));
      if (step + 1 == steps)
        io.result("data", "prompts", "mean_bytes", static_cast<double>(bytes_) / static_cast<double>(rows_));
      io.step_end(step);  // the host writes the metrics, and a checkpoint if it is time: save is called here
    }
  }

  void save(tenon::Writer& to) const { to.value(longest_), to.value(bytes_); }
  void load(tenon::Reader& from, uint32_t) {
    longest_ = from.value<uint64_t>(), bytes_ = from.value<uint64_t>();
  }

 private:
  tenon::Host host_;
  tenon::Dataset data_;
  uint64_t rows_, batch_, longest_ = 0, bytes_ = 0;
};

TENON_STAGE_PLUGIN(Lengths, "example.lengths", "1.0.0", "Reports how long the prompts of a data set are.",
                   tenon::reference("data", "dataset", nullptr, "The data set.", {.flags = TENON_O_REQUIRED}),
                   tenon::integer("rows", "100", "How many rows.",
                                  {.min = "1", .max = "1000000000", .unit = "rows"}),
                   tenon::integer("batch", "10", "Rows of a step.",
                                  {.min = "1", .max = "1000000", .unit = "rows"}))
