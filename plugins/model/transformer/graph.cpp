// A forward that a backward can follow: LibTorch's autograd over a Function per block.
// SPDX-License-Identifier: Apache-2.0
#include "graph.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

namespace tenon::transformer {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

// What the Functions of one pass share.
struct Pass : torch::CustomClassHolder {
  Pass(const Network& network, const Heads& h, Batch b) : net(network), heads(h), batch(std::move(b)) {}

  const Network& net;
  const Heads& heads;
  const Batch batch;
  float temperature = 1;
  Wanted wanted;
  HeadState state;
  HeadGradients gradients;  // of state's outputs; set before the backward

  bool visit = false;            // the head does forward and backward at once:
  std::vector<float> d_logprob;  // its gradient
  at::Tensor dx;                 // what it found
};
using PassPtr = c10::intrusive_ptr<Pass>;

struct SavedMemory : torch::CustomClassHolder {
  explicit SavedMemory(Arena::Block b) : block(std::move(b)) {}
  Arena::Block block;
};

// [rows][columns] in memory of the arena, not initialised.
at::Tensor new_rows(Arena& arena, uint64_t rows, uint64_t columns) {
  auto block = std::make_shared<Arena::Block>(arena.lend(rows * columns));
  float* data = block->data();
  return at::from_blob(
      data, {static_cast<int64_t>(rows), static_cast<int64_t>(columns)},
      [block = std::move(block)](void*) mutable { block.reset(); }, at::kFloat);
}

at::Tensor new_hidden(const Pass& pass) {
  return new_rows(pass.net.arena(), pass.batch.rows, pass.net.shape().width);
}
float* data(const at::Tensor& t) {
  return static_cast<float*>(t.data_ptr());
}

template <class T>
void keep(AutogradContext* ctx, const char* name, const c10::intrusive_ptr<T>& what) {
  ctx->saved_data[name] = c10::IValue::make_capsule(what);
}
template <class T>
c10::intrusive_ptr<T> kept(AutogradContext* ctx, const char* name) {
  return c10::static_intrusive_pointer_cast<T>(ctx->saved_data.at(name).toCapsule());
}

// anchor: a tensor that requires a gradient, so that the graph begins here; it gets none.
struct EmbeddingFunction : Function<EmbeddingFunction> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& /*anchor*/, const PassPtr& pass) {
    at::Tensor x = new_hidden(*pass);
    pass->net.embed(pass->net.executor(), pass->batch.rows, pass->batch.ids.data(), data(x));
    keep(ctx, "pass", pass);
    return x;
  }
  static variable_list backward(AutogradContext* ctx, variable_list dx) {
    const PassPtr pass = kept<Pass>(ctx, "pass");
    pass->net.embed_backward(pass->batch.rows, pass->batch.ids.data(), data(dx[0]));
    return {at::Tensor(), at::Tensor()};
  }
};

struct BlockFunction : Function<BlockFunction> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const PassPtr& pass, uint64_t layer) {
    const Network& net = pass->net;
    const uint64_t rows = pass->batch.rows;
    auto memory = c10::make_intrusive<SavedMemory>(net.arena().lend(net.saved_floats(rows)));
    at::Tensor y = new_hidden(*pass);
    net.block(layer, pass->batch, data(x), net.lay_out(memory->block.data(), rows), data(y));
    ctx->save_for_backward({x});
    keep(ctx, "pass", pass);
    keep(ctx, "memory", memory);
    ctx->saved_data["layer"] = static_cast<int64_t>(layer);
    return y;
  }
  static variable_list backward(AutogradContext* ctx, variable_list dy) {
    const PassPtr pass = kept<Pass>(ctx, "pass");
    const auto memory = kept<SavedMemory>(ctx, "memory");
    const at::Tensor x = ctx->get_saved_variables()[0];
    at::Tensor dx = new_hidden(*pass);
    pass->net.block_backward(static_cast<uint64_t>(ctx->saved_data.at("layer").toInt()), pass->batch, data(x),
                             pass->net.lay_out(memory->block.data(), pass->batch.rows), data(dy[0]),
                             data(dx));
    memory->block = Arena::Block();  // the context lives as long as the graph
    return {dx, at::Tensor(), at::Tensor()};
  }
};

// The entrance of a module, h being the hidden states of what it stands on.
struct JoinFunction : Function<JoinFunction> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& h, const PassPtr& pass, uint64_t module) {
    const Network& net = pass->net;
    const uint64_t rows = pass->batch.rows;
    auto memory = c10::make_intrusive<SavedMemory>(net.arena().lend(net.join_floats(rows)));
    at::Tensor y = new_hidden(*pass);
    net.join(module, rows, pass->batch.ids.data(), data(h), net.lay_out_join(memory->block.data(), rows),
             data(y));
    ctx->save_for_backward({h});
    keep(ctx, "pass", pass);
    keep(ctx, "memory", memory);
    ctx->saved_data["module"] = static_cast<int64_t>(module);
    return y;
  }
  static variable_list backward(AutogradContext* ctx, variable_list dy) {
    const PassPtr pass = kept<Pass>(ctx, "pass");
    const auto memory = kept<SavedMemory>(ctx, "memory");
    const at::Tensor h = ctx->get_saved_variables()[0];
    at::Tensor dh = new_hidden(*pass);
    const uint64_t rows = pass->batch.rows;
    pass->net.join_backward(static_cast<uint64_t>(ctx->saved_data.at("module").toInt()), rows,
                            pass->batch.ids.data(), data(h),
                            pass->net.lay_out_join(memory->block.data(), rows), data(dy[0]), data(dh));
    memory->block = Arena::Block();
    return {dh, at::Tensor(), at::Tensor()};
  }
};

// Its output is the sum of all heads' outputs as far as the graph is concerned: their gradients are in the
// pass.
struct HeadsFunction : Function<HeadsFunction> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const PassPtr& pass) {
    if (pass->visit) {
      pass->dx = new_hidden(*pass);
      pass->state = pass->heads.visit(pass->batch, data(x), pass->temperature, pass->d_logprob,
                                      pass->wanted.logprob, data(pass->dx));
    } else {
      pass->state = pass->heads.forward(pass->batch, data(x), pass->temperature, pass->wanted);
    }
    keep(ctx, "pass", pass);
    return at::empty({1}, at::kFloat);
  }
  static variable_list backward(AutogradContext* ctx, variable_list) {
    const PassPtr pass = kept<Pass>(ctx, "pass");
    at::Tensor dx = std::move(pass->dx);
    if (!pass->visit) {
      dx = new_hidden(*pass);
      pass->heads.backward(pass->batch, pass->state, pass->gradients, data(dx));
    }
    pass->state.x = Arena::Block(), pass->state.hidden = Arena::Block();
    return {dx, at::Tensor()};
  }
};

// The model's hidden states after its last block.
at::Tensor run_blocks(const PassPtr& pass) {
  static const at::Tensor anchor = at::zeros({1}, at::kFloat).requires_grad_(true);
  at::Tensor x = EmbeddingFunction::apply(anchor, pass);
  for (uint64_t layer = 0; layer < pass->net.shape().layers; ++layer)
    x = BlockFunction::apply(x, pass, layer);
  return x;
}

// Runs the forward; the result is the end of the graph.
at::Tensor run(const PassPtr& pass) {
  at::AutoGradMode record(true);
  return HeadsFunction::apply(run_blocks(pass), pass);
}

// The same with the modules of passes 1, 2, …: an end each. Where hidden states go two ways, their gradients are added by LibTorch: of two, so in any order.
variable_list run(const std::vector<PassPtr>& passes) {
  at::AutoGradMode record(true);
  at::Tensor x = run_blocks(passes[0]);
  variable_list ends{HeadsFunction::apply(x, passes[0])};
  for (uint64_t k = 1; k < passes.size(); ++k) {
    x = JoinFunction::apply(x, passes[k], k);
    x = BlockFunction::apply(x, passes[k], passes[k]->net.shape().layers + k - 1);
    ends.push_back(HeadsFunction::apply(x, passes[k]));
  }
  return ends;
}

void run_backward(const variable_list& ends) {
  torch::autograd::backward(ends, variable_list(ends.size(), at::empty({1}, at::kFloat)));
}

}  // namespace

struct Graph::Impl {
  PassPtr pass;
  at::Tensor end;
};

Graph::Graph(const Network& network, const Heads& heads, Batch batch, float temperature, const Wanted& wanted)
    : impl_(new Impl) {
  impl_->pass = c10::make_intrusive<Pass>(network, heads, std::move(batch));
  impl_->pass->temperature = temperature;
  impl_->pass->wanted = wanted;
  impl_->end = run(impl_->pass);
}
Graph::~Graph() = default;
Graph::Graph(Graph&&) noexcept = default;
Graph& Graph::operator=(Graph&&) noexcept = default;

const Batch& Graph::batch() const {
  return impl_->pass->batch;
}
const HeadState& Graph::outputs() const {
  return impl_->pass->state;
}

void Graph::backward(HeadGradients gradients) {
  impl_->pass->gradients = std::move(gradients);
  run_backward({impl_->end});
}

std::vector<float> accumulate(const Network& network, const Heads& heads, Batch batch, float temperature,
                              std::vector<float> d_logprob, bool want_logprob) {
  const auto pass = c10::make_intrusive<Pass>(network, heads, std::move(batch));
  pass->temperature = temperature;
  pass->visit = true;
  pass->wanted.logprob = want_logprob;
  pass->d_logprob = std::move(d_logprob);
  run_backward({run(pass)});
  return std::move(pass->state.logprob);
}

std::vector<std::vector<float>> accumulate(const Network& network, std::vector<Visit> visits,
                                           float temperature, bool want_logprob) {
  std::vector<PassPtr> passes;
  for (Visit& v : visits) {
    const auto pass = c10::make_intrusive<Pass>(network, v.heads, std::move(v.batch));
    pass->temperature = temperature;
    pass->visit = true;
    pass->wanted.logprob = want_logprob;
    pass->d_logprob = std::move(v.d_logprob);
    passes.push_back(pass);
  }
  run_backward(run(passes));
  std::vector<std::vector<float>> out;
  for (const PassPtr& pass : passes) out.push_back(std::move(pass->state.logprob));
  return out;
}

std::vector<std::vector<float>> modules_forward(const Network& network, const std::vector<Visit>& visits,
                                                float temperature) {
  const uint64_t rows = visits[0].batch.rows, floats = rows * network.shape().width;
  Arena& arena = network.arena();
  const Arena::Block x = arena.lend(floats), y = arena.lend(floats),
                     joined = arena.lend(network.join_floats(rows)),
                     saved = arena.lend(network.saved_floats(rows));
  network.forward(visits[0].batch, x.data());
  std::vector<std::vector<float>> out{{}};
  for (uint64_t k = 1; k < visits.size(); ++k) {
    const Batch& batch = visits[k].batch;
    network.join(k, rows, batch.ids.data(), x.data(), network.lay_out_join(joined.data(), rows), y.data());
    network.block(network.shape().layers + k - 1, batch, y.data(), network.lay_out(saved.data(), rows),
                  x.data());
    out.push_back(visits[k].heads.forward(batch, x.data(), temperature, Wanted{}).logprob);
  }
  return out;
}

void use_one_torch_thread() {
  at::set_num_threads(1);
}

}  // namespace tenon::transformer
