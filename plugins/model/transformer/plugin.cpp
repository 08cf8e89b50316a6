// The plugin: options, static checks, and the way to its LibTorch half.
// SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>

#include <atomic>
#include <mutex>

#include "part.h"
#include "shape.h"
#include "tenon/sdk.hpp"

namespace tenon::transformer {
namespace {

// Beside this library.
constexpr const char* kPartFile = "parts/model.transformer.torch.so";

// Which LibTorch the other half was built with; none where there is no other half.
#ifndef TENON_TRANSFORMER_RUNTIME
#define TENON_TRANSFORMER_RUNTIME nullptr
#endif

std::atomic<const tenon_transformer_part*> opened_part{nullptr};

// The folder of this library, with the slash; "" when the system does not say.
std::string own_folder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&opened_part), &info) == 0 || info.dli_fname == nullptr) return "";
  const std::string path = info.dli_fname;
  return path.substr(0, path.rfind('/') + 1);
}

const tenon_transformer_part& open_part() {
  static std::mutex mutex;
  std::lock_guard<std::mutex> lock(mutex);
  if (const auto* part = opened_part.load()) return *part;

  const std::string file = own_folder() + kPartFile;
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* why = dlerror();
    throw Error(
        TENON_E_IO,
        std::string("cannot open the LibTorch half of model transformer: ") + (why ? why : file) +
            "\n  It needs LibTorch 2.11.0 where it was built or installed: run `make deps build`, or set "
            "LD_LIBRARY_PATH to the folder of libtorch_cpu.so. `tenon doctor` shows what is found.");
  }
  const auto entry =
      reinterpret_cast<decltype(&tenon_transformer_part_v1)>(dlsym(library, TENON_TRANSFORMER_PART_ENTRY));
  const tenon_transformer_part* part = entry != nullptr ? entry() : nullptr;
  if (part == nullptr || std::string_view(part->version) != TENON_TRANSFORMER_VERSION)
    throw Error(TENON_E_STATE, file + " is of another version than the plugin (" +
                                   (part ? part->version : "none") + ", not " + TENON_TRANSFORMER_VERSION +
                                   "): build both again");
  opened_part.store(part);
  return *part;
}

// A function of the part's table, called through to; no instance exists before the part is open.
template <auto Member>
struct Forward;
template <class R, class... Args, R (*tenon_model_vt::*Member)(Args...)>
struct Forward<Member> {
  static R call(Args... args) { return (opened_part.load(std::memory_order_relaxed)->vt->*Member)(args...); }
};

int32_t create(const tenon_host* host, void** self, tenon_error* err) {
  return guard(err, [&] { return open_part().life->create(host, self, err); });
}
void destroy(void* self) {
  opened_part.load()->life->destroy(self);
}
const void* extension(void* self, const char* id) {
  return opened_part.load()->life->extension(self, id);
}

int32_t check(const tenon_host* raw, const tenon_diag* diag) {
  return guard_check(diag, [&](Findings& findings) {
    const Host host(raw);
    check_shape_options(read_shape_options(host), findings);
    if (host.str_if("weights") && host.i64("mtp_depth") == 0)
      findings.no_effect("init_std", "no matrix of a model with `weights` begins at random");
    if (host.str("device") == "cuda")
      findings.error("device", "cuda: the kernels of this version run on the CPU alone; use `device: cpu`");
  });
}

constexpr const char* kFamilies[] = {"llama", "qwen2", "qwen3", nullptr};
constexpr const char* kDevices[] = {"cpu", "cuda", nullptr};
constexpr const char* kPrecisions[] = {"f32", nullptr};

constexpr OptionTable kOptions{
    reference("tokenizer", "tokenizer", nullptr,
              "The tokenizer; its size is the vocabulary of a model from scratch.",
              {.flags = TENON_O_REQUIRED}),
    path("weights",
         "Pre-trained weights to start from: a .gguf file, a .safetensors file with config.json beside it, "
         "or a Hugging Face folder. "
         "The shape is theirs then: options that state another one are errors. Absent: random weights."),
    choice("family", kFamilies, nullptr,
           "What the decoder is: llama (Llama, SmolLM2), qwen2 (biases on q, k and v) or qwen3 (norms on q "
           "and k). Absent: as the weights say, "
           "or llama."),
    integer("layers", nullptr, "Decoder blocks. Required without weights.", {.min = "1", .max = "1000"}),
    integer("width", nullptr, "Width of the hidden state. Required without weights.",
            {.min = "8", .max = "65536"}),
    integer("heads", nullptr, "Query heads. Required without weights.", {.min = "1", .max = "1024"}),
    integer("kv_heads", nullptr, "Key and value heads; heads must be a multiple of them. Absent: heads.",
            {.min = "1", .max = "1024"}),
    integer("head_dim", nullptr, "Width of a head, a multiple of 8. Absent: width / heads.",
            {.min = "8", .max = "256"}),
    integer("ffn", nullptr, "Inner width of the feed-forward layer. Absent: 4 · width.",
            {.min = "1", .max = "1048576"}),
    number("rope_theta", nullptr, "Base of the rotary frequencies. Absent: 10000.", {.min = "1"}),
    number("norm_eps", nullptr, "Epsilon of RMSNorm. Absent: 1e-5.", {.min = "0", .max = "1"}),
    boolean("tie_embeddings", nullptr, "Whether the language head is the embedding. Absent: true."),
    integer("max_len", nullptr,
            "The longest prompt + completion. Absent: 1024, or the context of the weights.",
            {.min = "2", .max = "16777216", .unit = "tokens"}),
    number("init_std", "0.02",
           "Standard deviation of random matrices and embeddings; of those that write into the residual "
           "stream (o_proj, down_proj), "
           "divided by sqrt(2 · layers) as in GPT-2. Without effect on weights that are loaded.",
           {.min = "0", .max = "1"}),
    boolean("value_head", "false",
            "A head that estimates the value of every position (PPO's critic). It starts at 0."),
    boolean("scalar_head", "false", "A head that gives one number per sequence (a reward model)."),
    integer("mtp_depth", "0",
            "Modules that predict further tokens ahead while pre-training (multi-token prediction, "
            "DeepSeek-V3: 1; arXiv 2412.19437, §2.2). They begin at random, also with `weights`; checkpoints "
            "keep them, sampling does not use them and exports leave them out. Stage pretrain trains them "
            "with `mtp`. 0: none.",
            {.min = "0", .max = "8"}),
    choice("device", kDevices, "\"cpu\"", "Where it computes. This version: cpu."),
    choice("precision", kPrecisions, "\"f32\"", "Numbers of weights and activations."),
};

constexpr tenon_life kLife{sizeof(tenon_life), 0, create, destroy, check, nullptr, nullptr, extension};
constexpr tenon_model_vt kTable{sizeof(tenon_model_vt),
                                0,
                                Forward<&tenon_model_vt::info>::call,
                                Forward<&tenon_model_vt::param>::call,
                                Forward<&tenon_model_vt::score>::call,
                                Forward<&tenon_model_vt::backward>::call,
                                Forward<&tenon_model_vt::drop_tape>::call,
                                Forward<&tenon_model_vt::accumulate>::call,
                                Forward<&tenon_model_vt::zero_grad>::call,
                                Forward<&tenon_model_vt::finish_grad>::call,
                                Forward<&tenon_model_vt::params_updated>::call,
                                Forward<&tenon_model_vt::session_open>::call,
                                Forward<&tenon_model_vt::decode>::call,
                                Forward<&tenon_model_vt::session_fork>::call,
                                Forward<&tenon_model_vt::session_close>::call};

constexpr const char* kDoc =
    "A decoder of the Llama kind: RMSNorm, rotary positions (half-split), grouped-query causal attention, "
    "SwiGLU. One forward serves "
    "training, prefill and decoding, so that a token has the same log-probability to the last bit in all "
    "three, for any batch, "
    "micro-batch split and number of threads. Random weights come from the run's Philox stream, keyed by the "
    "parameter's name.";

constexpr tenon_component kComponent{
    sizeof(tenon_component),
    TENON_C_DETERMINISTIC | TENON_C_BATCH_INVARIANT,
    "model",
    "transformer",
    TENON_TRANSFORMER_VERSION,
    "Llama-type decoder (Llama, Qwen2, Qwen3, SmolLM2), from scratch or pre-trained",
    kDoc,
    kOptions,
    &kLife,
    &kTable,
    1,
    0,
    nullptr};

}  // namespace
}  // namespace tenon::transformer

TENON_PLUGIN_WITH_RUNTIME("transformer", TENON_TRANSFORMER_VERSION, TENON_TRANSFORMER_RUNTIME,
                          &tenon::transformer::kComponent)
