/* The C ABI between the program `tenon` and its plugins: everything that crosses the boundary, and nothing else. */
/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plugin is a shared library that exports one C function, TENON_ENTRY, returning a static descriptor: which components it has, which
 * options each understands, and a table of functions ("vtable") per component. The host creates components, hands each a table of services
 * (`tenon_host`) and calls it. docs/abi.md explains the decisions; tenon/sdk.hpp wraps all of this for C++20.
 *
 * RULES
 *  Layout      C99, natural alignment, explicit `_pad`, no bool, enum, long, size_t or bit-field in a struct. Codes are int32_t, sizes uint64_t,
 *              strings UTF-8. 64-bit little-endian hosts only.
 *  Structs     FROZEN structs (tenon_str, tenon_ragged, DLPack's) may be embedded or put in arrays. All others are GROWABLE: `struct_size` first,
 *              growth at the tail, passed by pointer, arrays only as arrays of pointers. Whoever fills a struct zeroes it and sets struct_size;
 *              whoever reads field f checks TENON_HAS, and calls a function pointer only if TENON_FN.
 *  Errors      Functions return TENON_OK, a positive non-error (TENON_END) or a negative code, and put text into the caller's tenon_error. After an
 *              error the outputs are unspecified. No exception and no longjmp crosses the boundary, in either direction.
 *  Ownership   Arguments are borrowed until the call returns. The descriptor and all it points to live as long as the process. A `tenon_host` and
 *              its strings live from `create` to the end of `destroy`. Fixed-size outputs are arrays of the caller; variable-size ones go through
 *              a callback that copies. Memory is freed by the side that allocated it.
 *  Threads     Every function pointer carries one tag:
 *                [life]     never concurrent with any other call on the same instance
 *                [call]     one at a time per instance (concurrent only if the component says TENON_C_REENTRANT); on any thread
 *                [any]      from any thread, at any time between `create` and the end of `destroy`
 *                [in-call]  only during the call it was passed to, on the thread of that call
 *  Numbers     A component draws random numbers only from tenon_host.rng. With the same inputs, seed and state it gives the same bytes.
 *  Forbidden   in plugins: signal handlers, fork without exec, chdir, setlocale, setenv, changing the floating-point environment, writing to stdout.
 *              Plugins are never unloaded.
 */
#ifndef TENON_ABI_H_
#define TENON_ABI_H_

#include <stddef.h>
#include <stdint.h>

#include "dlpack/dlpack.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Level 0: the ABI is being built. A plugin loads only if it was built for exactly this level and draft. From level 1 on, old plugins load for ever. */
#define TENON_ABI_LEVEL 0
#define TENON_ABI_DRAFT 3
/* The lowest level that has every table and function which the C++ wrappers use; what they state as tenon_plugin.abi_min. */
#define TENON_ABI_MIN_OF_WRAPPERS 0

#define TENON_CALL /* the calling convention, on every function pointer */
#define TENON_EXPORT __attribute__((visibility("default")))
#define TENON_HAS(p, T, f) ((p)->struct_size >= offsetof(T, f) + sizeof((p)->f))
#define TENON_FN(p, T, f) ((p) && TENON_HAS(p, T, f) && (p)->f)

/* Return codes. */
enum {
  TENON_OK = 0,
  TENON_END = 1,             /* not there: an option without a value, an empty slot */
  TENON_E_INVALID = -1,      /* an argument, an option or a file is wrong; the text says which and what is allowed */
  TENON_E_UNSUPPORTED = -2,  /* this component cannot do that */
  TENON_E_STATE = -3,        /* not now: something must be called before */
  TENON_E_NOMEM = -4,
  TENON_E_IO = -5,
  TENON_E_TIMEOUT = -6,
  TENON_E_CANCELLED = -7,    /* the run has stopped at a step_end: return at once, the host has saved what it needs */
  TENON_E_TRANSIENT = -8,    /* trying again may work */
  TENON_E_INTERNAL = -9,     /* a bug: in the plugin, or in the host */
  TENON_E_WAITS = -10        /* of a stage's run: it waits for something outside of the run; see tenon_stage_vt */
};

/* ---- Frozen structs ------------------------------------------------------------------------------------------------------------------- */

/* A string that need not end in NUL. */
typedef struct tenon_str {
  const char *ptr;
  uint64_t len; /* bytes */
} tenon_str;

/* n rows of one packed column: row i is values[offsets[i]] .. values[offsets[i+1]] (elements, end not included); offsets has n + 1 entries. The
 * element type is said where the column is used. */
typedef struct tenon_ragged {
  const void *values;
  const uint64_t *offsets;
  uint64_t n;
} tenon_ragged;

/* ---- Growable helpers ----------------------------------------------------------------------------------------------------------------- */

/* Caller-owned error text. `msg` has room for `cap` bytes; the callee writes at most cap, sets len, and need not end it in NUL. */
typedef struct tenon_error {
  uint32_t struct_size;
  int32_t code;
  char *msg;
  uint64_t cap, len;
} tenon_error;

/* Takes bytes. write returns TENON_OK or an error that the caller passes on. [in-call] */
typedef struct tenon_writer {
  uint32_t struct_size, _pad;
  void *ctx;
  int32_t(TENON_CALL *write)(void *ctx, const void *bytes, uint64_t n);
} tenon_writer;

/* Gives bytes. read returns the number read (0 = end; may be less than asked) or a negative code. [in-call] */
typedef struct tenon_reader {
  uint32_t struct_size, _pad;
  void *ctx;
  int64_t(TENON_CALL *read)(void *ctx, void *bytes, uint64_t n);
} tenon_reader;

/* Takes variable-size results, one call per row, in order; `count` is in elements of the type said where it is used. [in-call] */
typedef struct tenon_rows {
  uint32_t struct_size, _pad;
  void *ctx;
  int32_t(TENON_CALL *row)(void *ctx, const void *values, uint64_t count);
} tenon_rows;

enum {
  TENON_FINDING_WARNING = 1,
  TENON_FINDING_ERROR = 2,
  TENON_FINDING_NO_EFFECT = 3 /* with the other options this one is not used: an error if the configuration gives it */
};

/* Takes findings of tenon_life.check. `path` is the option ("schedule.steps", "rewards.0.weight"); severity is TENON_FINDING_…. [in-call] */
typedef struct tenon_diag {
  uint32_t struct_size, _pad;
  void *ctx;
  void(TENON_CALL *at)(void *ctx, const char *path, int32_t severity, const char *msg);
} tenon_diag;

/* The context of one call. */
typedef struct tenon_call {
  uint32_t struct_size;
  int32_t device_type, device_id; /* DLPack's; kDLCPU, 0 today */
  uint32_t _pad;
  uint64_t step;
  int64_t deadline_ns; /* CLOCK_MONOTONIC; 0 = none. The host sets it for a reward's score (run.reward_timeout) and for nothing else */
  void *stream;        /* the device stream that work is enqueued on; NULL on CPU */
} tenon_call;

/* ---- Options -------------------------------------------------------------------------------------------------------------------------- */

enum {
  TENON_T_BOOL = 1,
  TENON_T_INT,
  TENON_T_FLOAT,
  TENON_T_STR,
  TENON_T_ENUM,     /* one of enum_values; read with get_str */
  TENON_T_PATH,     /* a file or folder, relative to the configuration file; read (absolute) with get_str; its content is part of the stage's hash */
  TENON_T_DURATION, /* "10s", "5m", "1h"; read in seconds with get_f64 */
  TENON_T_BYTES,    /* "64MiB"; read with get_i64 */
  TENON_T_OBJECT,   /* a map with `children`; read by path, "schedule.kind" */
  TENON_T_REF       /* another component of kind ref_kind: a name, `{of: name, option: override}` or `{use: id, option: value}`; got with lookup.
                       `children` are attributes of the reference itself (`{of: correct, weight: 0.5}`), read by path ("rewards.0.weight") */
};
enum {
  TENON_O_REQUIRED = 1,
  TENON_O_LIST = 2, /* a list of the type; elements by path "name.0", their number from slot_count */
  TENON_O_SECRET = 4,
  TENON_O_DEPRECATED = 8,
  TENON_O_ADVANCED = 16
};

/* One option. Static data. Numbers are JSON text, so that one representation covers all types. */
typedef struct tenon_option {
  uint32_t struct_size;
  int32_t type;
  uint32_t flags, _pad;
  const char *name, *doc;           /* doc: meaning, and what the off value is */
  const char *unit;                 /* "tokens", "bytes", "seconds"…, or NULL */
  const char *default_json;         /* NULL: no default; reading an absent option then gives TENON_END */
  const char *min_json, *max_json;  /* inclusive; NULL: no bound */
  const char *const *enum_values;   /* NULL-terminated */
  const struct tenon_option *const *children; /* NULL-terminated */
  const char *ref_kind;             /* "reward", "dataset"… */
} tenon_option;

struct tenon_life;

/* A component: its instance and its vtable. What a vtable is, the kind says. */
typedef struct tenon_ref {
  uint32_t struct_size, flags; /* TENON_C_… of the component */
  void *self;
  const void *vt;
  const char *id;   /* of the component, "grpo" */
  const char *name; /* of the instance in the configuration, "algorithm" */
  const struct tenon_life *life; /* for its extensions: life->extension(self, id); nothing else of it is the caller's to call */
} tenon_ref;

/* ---- The host's services, one table per instance -------------------------------------------------------------------------------------- */

struct tenon_algorithm_info;
struct tenon_reward_in;
struct tenon_scored;
struct tenon_row;

enum { TENON_LOG_DEBUG = 0, TENON_LOG_INFO = 1, TENON_LOG_WARN = 2, TENON_LOG_ERROR = 3 };

typedef struct tenon_host {
  uint32_t struct_size, abi_level;
  void *ctx;
  const char *instance; /* where this instance sits, "zero/model" */
  const char *host_version;
  uint64_t seed; /* of this instance: a hash of the run's seed, the stage and the slot */

  /* [any] One line of log. */
  void(TENON_CALL *log)(const struct tenon_host *, int32_t level, const char *msg, uint64_t n);
  /* [any] A value of the current step; written at step_end. Names as in docs/metrics.md. It must be deterministic: durations go to `timing`. The
   * last value given in a step counts. */
  void(TENON_CALL *metric)(const struct tenon_host *, const char *name, double value);
  /* [any] Seconds spent in a phase, or a rate, of the current step; values of one name are added up. Written to timings.jsonl. */
  void(TENON_CALL *timing)(const struct tenon_host *, const char *name, double value);
  /* [any] Where long work inside a step is. total 0 = unknown. */
  void(TENON_CALL *progress)(const struct tenon_host *, double done, double total, const char *msg);
  /* [any] 1 if the call's deadline has passed (answer TENON_E_TIMEOUT) or step_end said TENON_E_CANCELLED. Long calls ask at least every 50 ms. */
  int32_t(TENON_CALL *cancelled)(const struct tenon_host *, const tenon_call *);

  /* [any] Options by path. TENON_END: absent and without a default. A value has been checked against its option before `create`. */
  int32_t(TENON_CALL *get_i64)(const struct tenon_host *, const char *path, int64_t *);
  int32_t(TENON_CALL *get_f64)(const struct tenon_host *, const char *path, double *);
  int32_t(TENON_CALL *get_bool)(const struct tenon_host *, const char *path, int32_t *);
  int32_t(TENON_CALL *get_str)(const struct tenon_host *, const char *path, tenon_str *);
  int32_t(TENON_CALL *get_json)(const struct tenon_host *, const char *path, tenon_str *);
  /* [any] Elements of a list option; 0 if it is absent. */
  int32_t(TENON_CALL *slot_count)(const struct tenon_host *, const char *slot, uint64_t *n);
  /* [any] The component behind a reference option: slot "algorithm", "rewards/0", or a slot of that component, "model.tokenizer". TENON_END: the
   * option is absent. Of a dataset it is the host's cursor: `next` gives rows in the order of the run, shuffled and sharded, and goes on after a
   * resume. Stages have two slots more: "reference" (a frozen instance of the model as the stage received it; created by this call) and "from". */
  int32_t(TENON_CALL *lookup)(const struct tenon_host *, const char *slot, const char *kind, tenon_ref *, tenon_error *);

  /* [any] Philox4x32-10, counter-based: out[2b], out[2b+1] are block (hi, lo + b) under `key`. Never keyed by thread, rank or batch row. */
  void(TENON_CALL *rng)(const struct tenon_host *, uint64_t key, uint64_t hi, uint64_t lo, uint64_t *out, uint64_t n);
  /* [any] fn(arg, begin, end) over [0, n) in pieces of at least `grain`, on the run's one pool; returns when all are done. May be nested (runs
   * inline). `threads` (below) is its size. */
  void(TENON_CALL *parallel_for)(const struct tenon_host *, uint64_t n, uint64_t grain, void(TENON_CALL *fn)(void *arg, uint64_t begin, uint64_t end),
                                 void *arg);
  uint32_t threads, _pad;

  /* ---- for stages ---- */
  /* [call] `weight[t]` such that the loss is Σ weight[t]·loss_t: the aggregation of `info` over n_seq whole sequences, the mini-batch of one optimizer
   * step over all ranks. A sequence with valid[i] == 0 (NULL: all are valid) gets weight 0 and leaves the denominators; tokens with mask 0 get 0. */
  int32_t(TENON_CALL *loss_weights)(const struct tenon_host *, const struct tenon_algorithm_info *info, uint64_t n_seq, const uint64_t *offsets,
                                    const uint8_t *mask, const uint8_t *valid, double *weight, tenon_error *);
  /* [call] Scores samples with all rewards of a list slot ("rewards"): combines them with their `weight`, counts outcomes, records
   * reward/<name>/…; stops the run when too many are not OK. The samples of a step may come in several calls and in any order, while the stage's thread
   * generates others. */
  int32_t(TENON_CALL *score)(const struct tenon_host *, const char *slot, const tenon_call *, const struct tenon_reward_in *, struct tenon_scored *,
                             tenon_error *);
  /* [call] A row of the data set `name` that this stage makes; committed at step_end; others read it as `<stage>.<name>`. */
  int32_t(TENON_CALL *row_out)(const struct tenon_host *, const char *name, const struct tenon_row *, tenon_error *);
  /* [call] One JSON object for samples.jsonl (the host adds stage and step); written at step_end. */
  int32_t(TENON_CALL *sample_out)(const struct tenon_host *, const char *json, uint64_t n, tenon_error *);
  /* [call] Writes a whole file of n bytes below the stage's folder; it is complete or not there, and one of that name is replaced. `name` may have
   * folders ("plots/loss.svg"), which are made; absolute ones, ".." and parts that begin with a dot are refused. */
  int32_t(TENON_CALL *artifact)(const struct tenon_host *, const char *name, const void *bytes, uint64_t n, tenon_error *);
  /* [any] Takes the next n sample ids and returns the first of them. An id is unique within a stage and the stages that it reads, so that stages which
   * read the same one may use the same ids. Only while a stage runs. */
  uint64_t(TENON_CALL *sample_ids)(const struct tenon_host *, uint64_t n);

  /* [any] A further table by id ("tenon.ext.x/1"), or NULL. */
  const void *(TENON_CALL *extension)(const struct tenon_host *, const char *id);
} tenon_host;

/* ---- Components and plugins ----------------------------------------------------------------------------------------------------------- */

/* The life of a component of any kind. */
typedef struct tenon_life {
  uint32_t struct_size, _pad;
  /* [life] Makes an instance. Options are valid; files, devices and other components may be opened here. */
  int32_t(TENON_CALL *create)(const tenon_host *, void **self, tenon_error *);
  /* [life] Joins its threads and frees everything. */
  void(TENON_CALL *destroy)(void *self);
  /* [any] Optional. Rules between options. Opens no file, no device, no component; the table is valid for this call only. */
  int32_t(TENON_CALL *check)(const tenon_host *, const tenon_diag *);
  /* [life] Optional, both or neither. State that is not in tensors, at a step boundary (a stage's: inside its own step_end). load is called once,
   * after create (an optimizer's: after bind) and must read every state_version it ever wrote. */
  int32_t(TENON_CALL *save)(void *self, const tenon_writer *, tenon_error *);
  int32_t(TENON_CALL *load)(void *self, const tenon_reader *, uint32_t state_version, tenon_error *);
  /* [any] Optional. An extension table by id, or NULL. */
  const void *(TENON_CALL *extension)(void *self, const char *id);
} tenon_life;

enum {
  TENON_C_REENTRANT = 1,       /* [call] functions may run concurrently */
  TENON_C_DETERMINISTIC = 2,   /* same inputs, options, seed and state: same bytes */
  TENON_C_BATCH_INVARIANT = 4, /* … for any split and order of the batch too */
  TENON_C_MAY_BLOCK = 8,       /* waits for something outside; asks `cancelled` */
  TENON_C_STATELESS = 16       /* nothing to save; the host may share one instance */
};

/* A named set of options: a published variant, with its paper's values. `preset: name` beside `use:` makes them the defaults of that component's options.
 * Static data. */
typedef struct tenon_preset {
  uint32_t struct_size, _pad;
  const char *name, *doc;     /* "dapo"; the variant, and where it is published */
  const char *options_json;   /* a JSON object: options of the component */
  const char *stage_json;     /* a JSON object: what becomes the default of a stage's options where the stage has the component in a slot; or NULL */
} tenon_preset;

typedef struct tenon_component {
  uint32_t struct_size, flags;
  const char *kind; /* "reward", "dataset", "tokenizer", "model", "sampler", "algorithm", "optimizer", "stage", "communicator", "sink" */
  const char *id;   /* what `use:` says; of third parties with a dot, "acme.length" */
  const char *version, *summary, *doc;
  const tenon_option *const *options; /* NULL-terminated */
  const tenon_life *life;
  const void *vt; /* tenon_<kind>_vt */
  uint32_t state_version, _pad;
  const tenon_preset *const *presets; /* NULL-terminated; or NULL */
} tenon_component;

typedef struct tenon_plugin {
  uint32_t struct_size, abi_built, abi_min, abi_draft;
  const char *id, *version, *vendor, *license, *url;
  const char *sdk;     /* "c", "c++ 0.1.0"… */
  const char *runtime; /* "libtorch 2.11.0": at most one version of each may be in the process; or NULL */
  const tenon_component *const *components; /* NULL-terminated */
} tenon_plugin;

typedef struct tenon_host_info {
  uint32_t struct_size, abi_level, abi_draft, _pad;
  const char *name, *version;
} tenon_host_info;

/* The one exported symbol. Returns static data, allocates nothing, starts nothing; NULL = this plugin declines. */
typedef const tenon_plugin *(TENON_CALL *tenon_plugin_query_fn)(const tenon_host_info *);
#define TENON_ENTRY "tenon_plugin_query_v1"

/* ---- dataset -------------------------------------------------------------------------------------------------------------------------- */

/* One row. `prompt` or `messages_json` (a JSON list of {role, content}) is present; `completion` is what training puts the loss on; everything else a
 * reward may want is in `meta_json`, one JSON object. An absent string has ptr NULL. */
typedef struct tenon_row {
  uint32_t struct_size, _pad;
  tenon_str prompt, messages_json, completion, meta_json;
  tenon_str source; /* where the row is written, "train.jsonl:17", for messages; absent if it is computed */
  uint64_t index;   /* the row's index in its data set. Filled in by the host's cursor */
} tenon_row;

typedef struct tenon_row_sink {
  uint32_t struct_size, _pad;
  void *ctx;
  int32_t(TENON_CALL *row)(void *ctx, const tenon_row *); /* [in-call] copies */
} tenon_row_sink;

#define TENON_COUNT_UNBOUNDED UINT64_MAX /* procedural: every index is a row */

typedef struct tenon_dataset_vt {
  uint32_t struct_size, _pad;
  /* [call] Rows that `read` can give. 0 is an error for the user. */
  uint64_t(TENON_CALL *count)(void *self);
  /* [call] The rows index[0..n), in that order. Depends on nothing but the index. */
  int32_t(TENON_CALL *read)(void *self, const tenon_call *, const uint64_t *index, uint64_t n, const tenon_row_sink *, tenon_error *);
  /* [call] Filled in by the host's cursor (tenon_host.lookup), NULL in plugins. The next max_n rows in the order of the run; behind the last row
   * of an epoch comes the next epoch. */
  int32_t(TENON_CALL *next)(void *self, const tenon_call *, uint64_t max_n, const tenon_row_sink *, tenon_error *);
} tenon_dataset_vt;

/* Extension of data sets: which rows come next, chosen by how the rows before them went. The host's cursor then asks `choose` where it would take its shuffled
 * order, and hands the extension on: a stage finds it behind the cursor's own life. Its state is part of checkpoints (tenon_life.save). */
#define TENON_EXT_CURRICULUM "tenon.ext.curriculum/1"
typedef struct tenon_curriculum {
  uint32_t struct_size, _pad;
  /* [call] The next n rows to train on: index[0..n), each below count. Depends on the seed, the number of rows chosen and the outcomes told so far. */
  int32_t(TENON_CALL *choose)(void *self, const tenon_call *, uint64_t n, uint64_t *index, tenon_error *);
  /* [call] Of each row of a rollout how many of its completions had a valid reward, and the mean of their first reward (NaN: of none). */
  int32_t(TENON_CALL *outcome)(void *self, const tenon_call *, uint64_t n, const uint64_t *index, const double *mean_reward, const uint64_t *n_valid,
                               tenon_error *);
} tenon_curriculum;

/* ---- tokenizer ------------------------------------------------------------------------------------------------------------------------ */

enum {
  TENON_ENCODE_SPECIAL = 1, /* recognise special tokens written in the text */
  TENON_ENCODE_BOS = 2,     /* put the beginning-of-sequence token first where the tokenizer has the habit */
  TENON_DECODE_SPECIAL = 1, /* write special tokens out (else they are left out) */
  TENON_CHAT_GENERATE = 1   /* end with the opening of the assistant's turn */
};

typedef struct tenon_tokenizer_vt {
  uint32_t struct_size, _pad;
  /* [call] Rows of UTF-8 (char) to rows of int32 ids; the row callback gets int32_t values. */
  int32_t(TENON_CALL *encode)(void *self, const tenon_call *, const tenon_ragged *utf8, uint32_t flags, const tenon_rows *ids, tenon_error *);
  /* [call] Rows of int32 ids to bytes (char). decode(encode(x)) = x. */
  int32_t(TENON_CALL *decode)(void *self, const tenon_call *, const tenon_ragged *ids, uint32_t flags, const tenon_rows *utf8, tenon_error *);
  /* [call] Optional (NULL: no chat template). Renders rows of messages (JSON text) to text. */
  int32_t(TENON_CALL *chat)(void *self, const tenon_call *, const tenon_ragged *messages_json, uint32_t flags, const tenon_rows *utf8, tenon_error *);
  /* [call] Ids are 0..size-1. */
  uint64_t(TENON_CALL *size)(void *self);
  /* [call] The id of "bos", "eos", "pad", "unk" or of a token's text; -1: there is none. */
  int64_t(TENON_CALL *special)(void *self, const char *name);
  /* [call] Ids that end a completion: writes up to cap, returns how many there are. */
  uint64_t(TENON_CALL *stop_ids)(void *self, int32_t *ids, uint64_t cap);
} tenon_tokenizer_vt;

/* ---- model ---------------------------------------------------------------------------------------------------------------------------- */

enum { TENON_HEAD_LANGUAGE = 0, TENON_HEAD_VALUE = 1, TENON_HEAD_SCALAR = 2 };

typedef struct tenon_model_info {
  uint32_t struct_size, heads; /* bit 1 << TENON_HEAD_… */
  uint64_t vocab, max_len;     /* tokens; max_len is the longest prompt + completion */
  uint64_t n_params;           /* numbers */
  uint64_t n_tensors;
  const char *arch;            /* "llama" */
} tenon_model_info;

enum { TENON_P_MATRIX = 1 /* a hidden matrix: weight decay and muon apply */, TENON_P_FROZEN = 2 };

/* A parameter and its gradient, borrowed from the model until its destroy. fp32, contiguous. */
typedef struct tenon_param {
  uint32_t struct_size, flags;
  const char *name;
  const DLTensor *value, *grad;
} tenon_param;

/* Whole sequences, packed. Columns are dense over prompt + completion. */
typedef struct tenon_tokens {
  uint32_t struct_size;
  int32_t head;              /* TENON_HEAD_… whose output is wanted besides log-probabilities */
  tenon_ragged ids;          /* int32 */
  const uint8_t *mask;       /* [tokens] 1: log p(x_t | x_<t) is wanted. Never 1 at t = 0 of a sequence. NULL in decode */
  const uint64_t *seq_id;    /* [n] sample ids; in decode the slots */
  const uint64_t *group_id;  /* [n] or NULL: neighbours with equal ids share their first prompt_len tokens, which may be computed once */
  const uint64_t *prompt_len;/* [n] tokens, or NULL */
  const int32_t *target;     /* [tokens] or NULL: what is scored at t where it is not x_t */
  float temperature;         /* τ > 0: log-probabilities are of softmax(z / τ) */
  uint32_t _pad;
} tenon_tokens;

typedef struct tenon_score_out {
  uint32_t struct_size, _pad;
  float *logprob; /* [tokens] log p(x_t | x_<t), natural, 0 where mask is 0; or NULL: not wanted */
  float *entropy; /* [tokens] of p(· | x_<t), nats, 0 where mask is 0; or NULL: not wanted */
  float *value;   /* [tokens] V before x_t, 0 where mask is 0; or NULL. With TENON_HEAD_SCALAR: at the last token of each sequence */
  uint64_t *tape; /* NULL: no backward will follow; else receives a handle for `backward` or `drop_tape` */
} tenon_score_out;

/* How a token is drawn. Filters are 0 when off, and never change the log-probability that is reported. */
typedef struct tenon_sampling {
  uint32_t struct_size;
  float temperature; /* 0: the most likely token, lowest id on ties; its log-probability is then that of τ = 1 */
  float top_p, min_p;
  uint32_t top_k, _pad;
  uint64_t seed;     /* the Philox key; the counter is (sample id, position · 2^32) */
} tenon_sampling;

typedef struct tenon_model_vt {
  uint32_t struct_size, _pad;
  int32_t(TENON_CALL *info)(void *self, tenon_model_info *, tenon_error *);                 /* [call] */
  int32_t(TENON_CALL *param)(void *self, uint64_t i, tenon_param *, tenon_error *);         /* [call] i < n_tensors */
  /* [call] Log-probabilities of given tokens. */
  int32_t(TENON_CALL *score)(void *self, const tenon_call *, const tenon_tokens *, tenon_score_out *, tenon_error *);
  /* [call] Adds dL/dparameter to the gradients, given dL/d of score's outputs ([tokens] each; NULL = 0). Uses the tape up. */
  int32_t(TENON_CALL *backward)(void *self, const tenon_call *, uint64_t tape, const float *d_logprob, const float *d_entropy, const float *d_value,
                                tenon_error *);
  void(TENON_CALL *drop_tape)(void *self, uint64_t tape); /* [call] */
  /* [call] Forward and backward in one visit for dL/d logprob known beforehand; logprob_out [tokens] or NULL. Bits as score + backward. */
  int32_t(TENON_CALL *accumulate)(void *self, const tenon_call *, const tenon_tokens *, const float *d_logprob, float *logprob_out, tenon_error *);
  int32_t(TENON_CALL *zero_grad)(void *self, const tenon_call *, tenon_error *); /* [call] */
  /* [call] After the last backward of an optimizer step: makes tenon_param.grad complete (tied weights, shards, ranks). */
  int32_t(TENON_CALL *finish_grad)(void *self, const tenon_call *, tenon_error *);
  /* [call] The parameters were changed from outside and are now `version`: repack, drop caches. Sessions stay open; what is in their slots is void, so
   * empty them (session_fork with len 0) before they are used again. */
  int32_t(TENON_CALL *params_updated)(void *self, const tenon_call *, uint64_t version, tenon_error *);

  /* Decoding: a session has n_slots sequences of at most max_len tokens, all empty. [call], all of them. */
  int32_t(TENON_CALL *session_open)(void *self, const tenon_call *, uint64_t n_slots, uint64_t max_len, uint64_t *session, tenon_error *);
  /* Appends ids[i] to slot seq_id[i] (a slot at most once per call), and, if `sampling` is given, draws the token that follows for each i:
   * token[i], logprob[i] (log-softmax(z/τ) before any filter). sample_id[i] keys the draw. The drawn token is not appended. */
  int32_t(TENON_CALL *decode)(void *self, const tenon_call *, uint64_t session, const tenon_tokens *append, const tenon_sampling *sampling,
                              const uint64_t *sample_id, int32_t *token, float *logprob, tenon_error *);
  /* The first `len` tokens of slot src become the content of the slots dst[0..n), src being cut back if it is among them. len 0
   * empties them. */
  int32_t(TENON_CALL *session_fork)(void *self, const tenon_call *, uint64_t session, uint64_t src, uint64_t len, const uint64_t *dst, uint64_t n,
                                    tenon_error *);
  void(TENON_CALL *session_close)(void *self, uint64_t session);
} tenon_model_vt;

/* Extension of models and optimizers: the tensors of their state. The host writes them as safetensors, and on load fills the views. An optimizer is
 * bound before. */
#define TENON_EXT_STATE_TENSORS "tenon.ext.state-tensors/1"
typedef struct tenon_state_tensors {
  uint32_t struct_size, _pad;
  uint64_t(TENON_CALL *count)(void *self);                                                                           /* [life] */
  int32_t(TENON_CALL *tensor)(void *self, uint64_t i, const char **name, DLTensor *view, tenon_error *); /* [life] */
} tenon_state_tensors;

/* Extension of models: writes what other programs open (config.json, model.safetensors, tokenizer files). */
#define TENON_EXT_EXPORT "tenon.ext.export/1"
typedef struct tenon_export {
  uint32_t struct_size, _pad;
  /* [call] Writes the files into `folder`, which exists and is empty. dtype: "f32", "bf16" or "f16". */
  int32_t(TENON_CALL *write)(void *self, const tenon_call *, const char *folder, const char *dtype, tenon_error *);
} tenon_export;

/* Extension of models: logits of every position, for tests and tools. out: [tokens, vocab] fp32. */
#define TENON_EXT_LOGITS "tenon.ext.logits/1"
typedef struct tenon_logits {
  uint32_t struct_size, _pad;
  int32_t(TENON_CALL *logits)(void *self, const tenon_call *, const tenon_tokens *, float *out, tenon_error *); /* [call] */
} tenon_logits;

/* ---- sampler -------------------------------------------------------------------------------------------------------------------------- */

enum { TENON_FINISH_STOP = 1 /* a stop id was drawn; it is the last of ids */, TENON_FINISH_LENGTH = 2 };

typedef struct tenon_generate_in {
  uint32_t struct_size, _pad;
  uint64_t n;
  tenon_ragged prompt_ids;   /* int32, n rows */
  const uint64_t *sample_id; /* [n] */
  const uint64_t *group_id;  /* [n] neighbours with equal ids have the same prompt */
  const tenon_sampling *sampling;
  uint64_t max_new_tokens;
  const int32_t *stop_ids;
  uint64_t n_stop;
} tenon_generate_in;

typedef struct tenon_generate_out {
  uint32_t struct_size, _pad;
  void *ctx;
  /* [in-call] Completion i, delivered when it is finished, in any order. ids and logprobs have len entries. */
  int32_t(TENON_CALL *done)(void *ctx, uint64_t i, const int32_t *ids, const float *logprobs, uint64_t len, int32_t finish);
} tenon_generate_out;

typedef struct tenon_sampler_vt {
  uint32_t struct_size, _pad;
  /* [call] Completes every prompt with `model` (kind model). */
  int32_t(TENON_CALL *generate)(void *self, const tenon_call *, const tenon_ref *model, const tenon_generate_in *, const tenon_generate_out *,
                                tenon_error *);
} tenon_sampler_vt;

/* ---- reward --------------------------------------------------------------------------------------------------------------------------- */

/* A reward's outcome is a type. Whatever is not OK never enters a loss or a baseline. */
enum {
  TENON_R_UNSET = 0, /* what the host fills in before the call; left so, it counts as CRASHED */
  TENON_R_OK = 1,
  TENON_R_NOT_APPLICABLE = 2, /* this reward says nothing of this sample: its term is dropped from the sum */
  TENON_R_TIMED_OUT = 3,
  TENON_R_CRASHED = 4,
  TENON_R_REFUSED = 5 /* the sample cannot be judged (no gold answer, not allowed) */
};

typedef struct tenon_reward_in {
  uint32_t struct_size, _pad;
  uint64_t n;
  const uint64_t *sample_id, *group_id; /* [n] */
  tenon_ragged prompt, completion;      /* char: text as the policy saw and wrote it, special tokens left out; UTF-8: a byte
                                           that is in no character (max_new_tokens may cut one) is U+FFFD */
  tenon_ragged meta_json;               /* char: the row's meta, one JSON object each */
  tenon_ragged tokens;                  /* int32: the completion's ids; may have n = 0. They are what was sampled: decoding them again need not
                                           give `completion` byte for byte */
  const int32_t *finish;                /* [n] TENON_FINISH_…, or NULL */
} tenon_reward_in;

typedef struct tenon_reward_out {
  uint32_t struct_size, _pad;
  double *reward;       /* [n] */
  int32_t *status;      /* [n] TENON_R_… */
  double *token_reward; /* [tokens.offsets[n]] or NULL: a reward that a completion token earns, on top of reward[i]; NaN, as the host fills it in: none */
  void *ctx;
  void(TENON_CALL *reason)(void *ctx, uint64_t i, const char *text, uint64_t n); /* [in-call] why, in a few words; optional */
  void(TENON_CALL *note)(void *ctx, uint64_t i, const char *key, double value);   /* [in-call] a further number of sample i; optional */
  /* [in-call, on any thread] Optional. begins 1: sample i is being judged from now on; 0: no longer, and if its status is set, then all of its outcome is
   * there. So the host can name the sample that takes long, and a reward that dies (isolation: process) loses no sample that was through. */
  void(TENON_CALL *judging)(void *ctx, uint64_t i, int32_t begins);
} tenon_reward_out;

typedef struct tenon_reward_vt {
  uint32_t struct_size, _pad;
  /* [call] Sets reward[i] (finite) and status[i] of every sample. */
  int32_t(TENON_CALL *score)(void *self, const tenon_call *, const tenon_reward_in *, tenon_reward_out *, tenon_error *);
} tenon_reward_vt;

/* What tenon_host.score gives back. */
typedef struct tenon_scored {
  uint32_t struct_size, _pad;
  double *total;  /* [n] Σ weight · reward over the terms that apply */
  uint8_t *valid; /* [n] 1: total counts */
  double *first;  /* [n] or NULL: the first reward of the list alone (by convention the accuracy); NaN where it is not OK */
  double *token_total; /* [tokens.offsets[n]] or NULL: Σ weight · token_reward over the terms that give one, NaN where none does. NULL: their sum over a
                          sample is in its `total` */
  double *terms;       /* [slot_count · n] or NULL: each reward of the list alone, before its weight, one after the other; NaN where it is not OK */
} tenon_scored;

/* ---- algorithm ------------------------------------------------------------------------------------------------------------------------ */

enum {
  TENON_NEEDS_REFERENCE = 1, /* lp_ref */
  TENON_NEEDS_ENTROPY = 2,
  TENON_NEEDS_VALUE = 4,
  TENON_NEEDS_GROUPS = 8,    /* a group of one gives no signal */
  TENON_WHOLE_GROUPS = 16,   /* the loss is of groups, not of sequences: a group is never divided, neither over mini-batches nor over calls of gradient */
  TENON_FIXED_ADVANTAGE = 32, /* the policy's loss is not proportional to the advantages, so that the stage cannot correct it by importance weights */
  TENON_ON_POLICY = 64,       /* the loss has no ratio of new to old policy: from the second update on, a rollout is of another policy and nothing corrects it */
  TENON_NEEDS_TOKEN_REWARD = 128 /* rewards of single tokens; without any it is the same as without the option that asks for them */
};
enum {
  TENON_TOKEN_MEAN = 0,     /* 1 / Σ tokens of the mini-batch */
  TENON_SEQUENCE_MEAN = 1,  /* 1 / (sequences · tokens of this sequence) */
  TENON_CONSTANT_LENGTH = 2 /* 1 / (sequences · constant) */
};

typedef struct tenon_algorithm_info {
  uint32_t struct_size, needs; /* TENON_NEEDS_… */
  int32_t aggregation;
  uint32_t _pad;
  double constant; /* of TENON_CONSTANT_LENGTH, tokens */
} tenon_algorithm_info;

/* Whole sequences in columns. Per token: dense over prompt + completion, meaningful where mask is 1. NULL: not there (yet). */
typedef struct tenon_rollout {
  uint32_t struct_size, _pad;
  uint64_t n_seq, n_tok;
  const uint64_t *offsets;    /* [n_seq + 1] */
  const uint64_t *group_id;   /* [n_seq] */
  const uint64_t *sample_id;  /* [n_seq] */
  const uint8_t *mask;        /* [n_tok] */
  const double *reward;       /* [n_seq] */
  const uint8_t *valid;       /* [n_seq] 0: not in loss, not in any baseline */
  const double *token_reward; /* [n_tok] or NULL: earned at that token, on top of reward; NaN: none */
  const float *lp_sample;     /* [n_tok] from the sampler */
  const float *lp_old;        /* [n_tok] of the policy before the first update of this rollout */
  const float *lp_new;        /* [n_tok] of the policy now */
  const float *lp_ref;        /* [n_tok] of the reference */
  const float *entropy;       /* [n_tok] */
  const float *value;         /* [n_tok] of the critic now */
  const float *value_old;     /* [n_tok] of the critic before the first update of this rollout */
  const double *advantage;    /* [n_tok] in `gradient`: what `advantages` gave, times the stage's importance weight where it corrects for one */
  const double *value_target; /* [n_tok] what `advantages` gave */
  const double *weight;       /* [n_tok] the host's normaliser: the loss is Σ weight·loss_t. Algorithms multiply by it and never divide */
  const uint64_t *version;    /* [n_tok] version of the policy that sampled the token */
  double kl_scale;            /* factor of the algorithm's weight of the divergence from the reference, from the stage's KL controller; 1 without one */
} tenon_rollout;

enum { TENON_METRIC_MEAN = 0 /* Σ value / Σ count */, TENON_METRIC_MIN, TENON_METRIC_MAX /* of the values; count is not used */ };

typedef struct tenon_advantages_out {
  uint32_t struct_size, _pad;
  double *advantage;    /* [n_tok] 0 where mask is 0. The host zero-fills both */
  double *value_target; /* [n_tok] what the critic learns, of an algorithm that needs values; or NULL */
  void *ctx;
  /* [in-call] A quantity over what was given; the stage puts those of all calls of a step together. `how` is TENON_METRIC_…. */
  void(TENON_CALL *metric)(void *ctx, const char *name, int32_t how, double value, double count);
} tenon_advantages_out;

typedef struct tenon_gradient_out {
  uint32_t struct_size, _pad;
  double loss;     /* Σ over the sequences given */
  float *d_logprob; /* [n_tok] dL/d lp_new; 0 where mask is 0. The host zero-fills all three */
  float *d_entropy; /* [n_tok] or NULL */
  float *d_value;   /* [n_tok] or NULL */
  void *ctx;
  /* [in-call] As in tenon_advantages_out. */
  void(TENON_CALL *metric)(void *ctx, const char *name, int32_t how, double value, double count);
} tenon_gradient_out;

typedef struct tenon_algorithm_vt {
  uint32_t struct_size, _pad;
  /* [call] What it needs and how its loss is aggregated. Fixed after create. */
  int32_t(TENON_CALL *info)(void *self, tenon_algorithm_info *, tenon_error *);
  /* [call] Rewards of a whole rollout to advantages. A pure function of inputs and options, whose bits do not depend on the order of the sequences. */
  int32_t(TENON_CALL *advantages)(void *self, const tenon_call *, const tenon_rollout *, tenon_advantages_out *, tenon_error *);
  /* [call] Loss and its derivatives for whole sequences of a mini-batch. Pure; a sequence's derivatives depend on that sequence (with
   * TENON_WHOLE_GROUPS: on its group) alone. */
  int32_t(TENON_CALL *gradient)(void *self, const tenon_call *, const tenon_rollout *, tenon_gradient_out *, tenon_error *);
} tenon_algorithm_vt;

/* Extension of algorithms: how a token came to its gradient, for `tenon explain`. */
#define TENON_EXT_EXPLAIN "tenon.ext.explain/1"
typedef struct tenon_explanation {
  uint32_t struct_size, _pad;
  void *ctx;
  /* [in-call] The next link of the chain: what it is ("group mean"), its value, and in words how it is computed or what it means. */
  void(TENON_CALL *link)(void *ctx, const char *quantity, double value, const char *how);
} tenon_explanation;
typedef struct tenon_explain {
  uint32_t struct_size, _pad;
  /* [call] Token t (mask 1) of valid sequence i, from its reward to d_logprob, the last link, `gradient`. Names: conformance/explanations.hpp. The rollout is whole and has the columns of both functions. */
  int32_t(TENON_CALL *explain)(void *self, const tenon_call *, const tenon_rollout *, uint64_t i, uint64_t t, const tenon_explanation *, tenon_error *);
} tenon_explain;

/* Extension of algorithms whose loss has constants that depend on the policy (stop-gradients): the loss as a function of the policy at `at`, with what the
 * algorithm holds constant taken from `frozen`, which differs from `at` in lp_new, entropy and value alone. Its derivative at at = frozen is what `gradient`
 * gives; so finite differences can judge it. Of an algorithm without this extension, gradient's own loss is differentiated. */
#define TENON_EXT_SURROGATE "tenon.ext.surrogate/1"
typedef struct tenon_surrogate {
  uint32_t struct_size, _pad;
  int32_t(TENON_CALL *loss)(void *self, const tenon_call *, const tenon_rollout *at, const tenon_rollout *frozen, double *loss, tenon_error *); /* [call] */
} tenon_surrogate;

/* ---- optimizer ------------------------------------------------------------------------------------------------------------------------ */

typedef struct tenon_optimizer_stats {
  uint32_t struct_size, _pad;
  double grad_norm;     /* before clipping */
  double learning_rate; /* of this step */
} tenon_optimizer_stats;

typedef struct tenon_optimizer_vt {
  uint32_t struct_size, _pad;
  /* [life] Once, before the first step and before load. Owns schedule, clipping and step count; total_steps is the schedule's length. */
  int32_t(TENON_CALL *bind)(void *self, const tenon_param *const *params, uint64_t n, uint64_t total_steps, tenon_error *);
  /* [call] Updates the parameters in place from their gradients. A non-finite gradient norm is an error and changes nothing. */
  int32_t(TENON_CALL *step)(void *self, const tenon_call *, tenon_optimizer_stats *, tenon_error *);
} tenon_optimizer_vt;

/* Extension of optimizers: whether `bind` would take a number of steps, for mistakes (a warm-up longer than the stage) that can be told before anything
 * runs. Stages ask in their `create`. */
#define TENON_EXT_SCHEDULE "tenon.ext.schedule/1"
typedef struct tenon_schedule {
  uint32_t struct_size, _pad;
  /* [life] TENON_OK, or the error that bind would give for total_steps. Changes nothing. */
  int32_t(TENON_CALL *check)(void *self, uint64_t total_steps, tenon_error *);
} tenon_schedule;

/* ---- stage ---------------------------------------------------------------------------------------------------------------------------- */

typedef struct tenon_stage_io {
  uint32_t struct_size, _pad;
  uint64_t first_step; /* steps already done: 0, or where the checkpoint was taken */
  void *ctx;
  /* [in-call] How many steps there will be; for progress and ETA, and a stage that returns before them has failed. Call it first; once more,
   * with fewer, where the stage ends early, before the step_end of its last step. */
  void(TENON_CALL *begin)(void *ctx, uint64_t total_steps);
  /* [in-call] Step `step` (0-based) is done. The host writes metrics and samples, checkpoints if it is time (it calls `save` of everything in this
   * stage, this stage too), and answers TENON_E_CANCELLED if the run is to stop, which Ctrl-C asks for: return it. A second Ctrl-C ends the process. */
  int32_t(TENON_CALL *step_end)(void *ctx, uint64_t step, tenon_error *);
  /* [in-call] Makes the optimizer in a slot ready: binds it to the model's parameters and restores its state. */
  int32_t(TENON_CALL *bind)(void *ctx, const char *optimizer_slot, const char *model_slot, uint64_t total_steps, tenon_error *);
  /* [in-call] A result for eval.json: one number of a benchmark for a model. */
  int32_t(TENON_CALL *result)(void *ctx, const char *model, const char *benchmark, const char *metric, double value, tenon_error *);
  /* The stage's output folder, absolute, made; for files that something else writes (tenon_export), as `artifact` takes bytes only. A stage that starts
   * again from its beginning finds it empty but for what is below its folder "kept": work of people, answers that were paid for. */
  const char *folder;
} tenon_stage_io;

/* Extension of the host, for stages: where `folder` of tenon_stage_io will be, known before the stage runs. A stage that goes on or is tried again has the
 * same one; one whose inputs, options or plugins have changed has another. */
#define TENON_EXT_OUTPUT_FOLDER "tenon.ext.output-folder/1"
typedef struct tenon_output_folder {
  uint32_t struct_size, _pad;
  const char *(TENON_CALL *path)(const tenon_host *); /* [life] absolute, NUL-terminated; valid until the end of `create`; it need not exist */
} tenon_output_folder;

typedef struct tenon_stage_vt {
  uint32_t struct_size, _pad;
  /* [call] Runs from first_step to the end. TENON_E_WAITS, between two steps: it cannot go on before something outside of the run is done (people rank what
   * it wrote); the text says what and how. The host takes a checkpoint if a step is done since the last one, and the run ends as one that was stopped;
   * `tenon resume` calls run again, from there. */
  int32_t(TENON_CALL *run)(void *self, const tenon_call *, const tenon_stage_io *, tenon_error *);
} tenon_stage_vt;

/* ---- sink ----------------------------------------------------------------------------------------------------------------------------- */

typedef struct tenon_record {
  uint32_t struct_size, _pad;
  const char *run, *stage;
  uint64_t step, total_steps; /* total 0 = unknown */
  uint64_t n;
  const char *const *name; /* [n] metrics first, then timings as "time/<phase>" */
  const double *value;     /* [n]; NaN = null */
  double seconds;          /* since the stage began, this process */
} tenon_record;

enum { TENON_EVENT_STAGE_BEGIN = 1, TENON_EVENT_STAGE_END = 2, TENON_EVENT_STAGE_CACHED = 3, TENON_EVENT_CHECKPOINT = 4, TENON_EVENT_TABLE = 5 };

typedef struct tenon_sink_vt {
  uint32_t struct_size, _pad;
  /* [call] A step's values. A failing sink stops the run. */
  int32_t(TENON_CALL *record)(void *self, const tenon_call *, const tenon_record *, tenon_error *);
  /* [call] Optional. Something happened; `text` is a sentence or, of a table, its lines. */
  int32_t(TENON_CALL *event)(void *self, const tenon_call *, int32_t event, const char *stage, const char *text, tenon_error *);
  /* [any] Optional. Progress inside a step. */
  void(TENON_CALL *progress)(void *self, const char *stage, double done, double total, const char *text);
} tenon_sink_vt;

/* ---- communicator --------------------------------------------------------------------------------------------------------------------- */

enum { TENON_SUM = 0, TENON_MIN, TENON_MAX };

typedef struct tenon_communicator_vt {
  uint32_t struct_size, _pad;
  int32_t(TENON_CALL *rank_size)(void *self, int32_t *rank, int32_t *size); /* [call] */
  /* [call] Blocking. Same order of calls on all ranks. */
  int32_t(TENON_CALL *all_reduce)(void *self, const tenon_call *, const DLTensor *const *inout, uint64_t n, int32_t op, tenon_error *);
  int32_t(TENON_CALL *all_gather)(void *self, const tenon_call *, const DLTensor *in, const DLTensor *out, tenon_error *);
  int32_t(TENON_CALL *reduce_scatter)(void *self, const tenon_call *, const DLTensor *in, const DLTensor *out, int32_t op, tenon_error *);
  int32_t(TENON_CALL *broadcast)(void *self, const tenon_call *, const DLTensor *inout, int32_t root, tenon_error *);
  void(TENON_CALL *abort)(void *self, const char *why); /* [any] unblocks the others */
} tenon_communicator_vt;

#ifdef __cplusplus
}
#endif
#endif /* TENON_ABI_H_ */
