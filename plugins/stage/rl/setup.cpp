// What must fit together before the first step.
// SPDX-License-Identifier: Apache-2.0
#include "rl.h"

namespace tenon::rl {

Rl::Rl(Host host)
    : host_(host),
      options_(host),
      model_(host.get_component<Model>("model")),
      tokenizer_(host.get_component<Tokenizer>("model.tokenizer")),
      data_(host.get_component<Dataset>("data")),
      algorithm_(host.get_component<Algorithm>("algorithm")),
      optimizer_(host.get_component<Optimizer>("optimizer")),
      sampler_(host),
      info_(algorithm_.info()),
      sum_terms_(sum_terms(host, sampler_.reward_names())) {
  check_algorithm();
  set_up_critic();
  set_up_reference();
  stages::check_optimizer_steps(optimizer_, updates_in(options_.steps - options_.critic_warmup));
  sampler_.check_prompts("data", model_, tokenizer_, "model.tokenizer", UINT64_MAX);
  held_out_ = stages::HeldOut::of(host, model_, tokenizer_);
}

void Rl::check_algorithm() const {
  const double longest = static_cast<double>(host_.i64("max_new_tokens"));
  if (info_.aggregation == TENON_CONSTANT_LENGTH && info_.constant > longest)
    host_.warn("the algorithm divides the loss by a constant length of " +
               std::to_string(static_cast<uint64_t>(info_.constant)) +
               " tokens, and no completion is longer than max_new_tokens = " +
               std::to_string(static_cast<uint64_t>(longest)) +
               ": gradients are that much smaller; give its option `length`");
  if (const uint64_t updates = options_.mini_batches * options_.epochs; needs(TENON_ON_POLICY) && updates > 1)
    host_.warn("mini_batches * epochs makes " + std::to_string(updates) +
               " updates of each rollout, and the algorithm's loss has no ratio of the new policy to the one "
               "that sampled: from the second update on its gradient is biased. One update a rollout, or an "
               "algorithm with a ratio (grpo, ppo, rloo with loss: clipped), would be exact");
  auto refuse = [](const std::string& text) { throw Error(TENON_E_INVALID, text); };
  if (needs(TENON_NEEDS_GROUPS) && options_.group_size == 1)
    refuse("group_size: 1, and the algorithm compares the completions of a group: give at least 2");
  if (!needs(TENON_NEEDS_GROUPS) && options_.refills > 0)
    refuse(
        "refills: with these options the algorithm compares nothing within a group, and learns from one "
        "whose completions all earned the "
        "same: leave the option out");
  if (needs(TENON_WHOLE_GROUPS) && options_.prompts % options_.mini_batches != 0)
    refuse("mini_batches: " + std::to_string(options_.mini_batches) + " do not divide prompts = " +
           std::to_string(options_.prompts) + ", and the algorithm's loss is of whole groups");
  if (needs(TENON_FIXED_ADVANTAGE) && options_.importance.level != ImportanceLevel::kNone)
    refuse(
        "importance: the algorithm's loss is not proportional to its advantages, so importance weights "
        "cannot correct it: "
        "leave the option out");
}

void Rl::set_up_critic() {
  critic_ = host_.get_component_if<Model>("critic");
  critic_optimizer_ = host_.get_component_if<Optimizer>("critic_optimizer");
  auto refuse = [](const std::string& text) { throw Error(TENON_E_INVALID, text); };
  if (!needs(TENON_NEEDS_VALUE)) {
    if (critic_)
      refuse("critic: the algorithm uses no values: leave the critic out, or use one that does (ppo)");
    if (critic_optimizer_) refuse("critic_optimizer: the algorithm uses no values");
    if (options_.critic_warmup > 0) refuse("critic_warmup: the algorithm uses no values");
    return;
  }
  if (critic_ && !critic_optimizer_)
    refuse("critic: it learns with an optimizer of its own: give critic_optimizer");
  if (!critic_ && critic_optimizer_)
    refuse("critic_optimizer: there is no critic: the policy's own value head learns with `optimizer`");
  if (!critic_ && options_.critic_warmup > 0)
    refuse(
        "critic_warmup: the policy's value head shares all other weights with the policy, so that it cannot "
        "be trained alone: "
        "give a critic of its own, or leave critic_warmup out");
  if (((critic_ ? *critic_ : model_).info().heads & (1u << TENON_HEAD_VALUE)) == 0)
    refuse(std::string(critic_ ? "critic" : "model") + ": the algorithm needs values, and model " +
           (critic_ ? *critic_ : model_).ref()->name +
           " has no value head: give it one (transformer: value_head: true)" +
           (critic_ ? "" : ", or a model of its own in `critic`"));
  if (!critic_) return;
  if (critic_->info().vocab < model_.info().vocab || critic_->info().max_len < model_.info().max_len)
    refuse("critic: it takes " + std::to_string(critic_->info().vocab) + " token ids and " +
           std::to_string(critic_->info().max_len) + " tokens, and the policy has " +
           std::to_string(model_.info().vocab) + " and " + std::to_string(model_.info().max_len) +
           ": it must take what the policy writes");
  try {
    stages::check_optimizer_steps(*critic_optimizer_, updates_in(options_.steps));
  } catch (const Error& e) {
    throw Error(e.code(), std::string("critic_") + e.what());
  }
}

void Rl::set_up_reference() {
  auto refuse = [](const std::string& text) { throw Error(TENON_E_INVALID, text); };
  const char* const none =
      ": with its options the algorithm has no divergence from a reference (its weight `beta` is 0)";
  if (needs(TENON_NEEDS_REFERENCE))
    reference_ = host_.get_component<Model>("reference");
  else if (options_.reference_interval > 0)
    refuse(std::string("reference_interval") + none);
  else if (options_.kl_target)
    refuse(std::string("kl_target") + none);
  if (options_.kl_target && needs(TENON_FIXED_ADVANTAGE))
    refuse(
        "kl_target: the algorithm's beta is no weight of a divergence that a controller could steer: leave "
        "the option out");
  const uint64_t updates = options_.mini_batches * options_.epochs;
  if (reference_ && options_.reference_mix == 1 && options_.reference_interval > 0 &&
      options_.reference_interval <= updates)
    host_.warn("reference_interval: " + std::to_string(options_.reference_interval) +
               " is not more than the " + std::to_string(updates) +
               " updates of a rollout (mini_batches * epochs): the reference is the policy at the start of "
               "every rollout, so the divergence from it holds nothing back" +
               (options_.kl_target ? ", and kl_target is never reached" : ""));
  if (options_.kl_target) controller_.emplace(*options_.kl_target, options_.kl_horizon);
}

}  // namespace tenon::rl
