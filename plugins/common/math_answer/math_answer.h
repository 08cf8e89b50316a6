/* Whether a completion's answer is the gold answer, mathematically: the C interface of the library (C99). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENON_MATH_ANSWER_H
#define TENON_MATH_ANSWER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
  MATH_ANSWER_EQUAL = 0,
  MATH_ANSWER_DIFFERENT = 1,
  MATH_ANSWER_UNDECIDED = 2, /* both were read and neither equality nor difference could be shown */
  MATH_ANSWER_UNPARSED_GOLD = 3,
  MATH_ANSWER_UNPARSED_PREDICTION = 4, /* no answer was found, or it cannot be read */
  MATH_ANSWER_LIMIT = 5                /* more than the limits allow */
};

typedef struct math_answer_policies math_answer_policies; /* the named choices of a comparison */
typedef struct math_answer_gold
    math_answer_gold; /* a gold answer, read once; immutable: any thread may use it */

/* The defaults; NULL without memory. The caller frees them; golds keep a copy. */
math_answer_policies* math_answer_policies_new(void);
void math_answer_policies_free(math_answer_policies*);
/* 0, or -1: there is no such policy, or `value` ("true", "4", "fraction") is none of its values. Not while another thread uses them. */
int math_answer_policies_set(math_answer_policies*, const char* name, const char* value);

/* Reads a gold answer of `size` bytes; `policies` may be NULL for the defaults. NULL only without memory: a gold that cannot be read says so in
 * each verdict. */
math_answer_gold* math_answer_gold_new(const char* text, size_t size, const math_answer_policies* policies);
void math_answer_gold_free(math_answer_gold*);
/* MATH_ANSWER_EQUAL: it can be read. */
int math_answer_gold_verdict(const math_answer_gold*);

/* Judges an answer alone, or a completion that holds one. Returns MATH_ANSWER_…; writes the reason, cut to `reason_size` bytes with its final zero,
 * where `reason` is not NULL. Any bytes are allowed. */
int math_answer_compare(const math_answer_gold*, const char* answer, size_t size, char* reason,
                        size_t reason_size);
int math_answer_judge(const math_answer_gold*, const char* completion, size_t size, char* reason,
                      size_t reason_size);
/* "equal", "different", …; of other numbers NULL. Static text. */
const char* math_answer_verdict_name(int verdict);

#ifdef __cplusplus
}
#endif
#endif
