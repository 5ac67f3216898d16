#pragma once
// Enumerators of plans and facts by their names in frozen text. Names never change; new ones are added.
//
// Switches without a default: the compiler refuses one that lacks an enumerator. Empty for what is none.

#include <cstdint>
#include <optional>
#include <string_view>

#include "pipelines/facts.h"
#include "pipelines/plan.h"

namespace runner::pipelines {

constexpr std::string_view frozen_name(When value) {
  switch (value) {
    case When::on_success:
      return "on_success";
    case When::on_failure:
      return "on_failure";
    case When::always:
      return "always";
    case When::manual:
      return "manual";
    case When::delayed:
      return "delayed";
    case When::never:
      return "never";
  }
  return {};
}

constexpr std::string_view frozen_name(SaveWhen value) {
  switch (value) {
    case SaveWhen::on_success:
      return "on_success";
    case SaveWhen::on_failure:
      return "on_failure";
    case SaveWhen::always:
      return "always";
  }
  return {};
}

constexpr std::string_view frozen_name(AutoCancelNewCommit value) {
  switch (value) {
    case AutoCancelNewCommit::conservative:
      return "conservative";
    case AutoCancelNewCommit::interruptible:
      return "interruptible";
    case AutoCancelNewCommit::none:
      return "none";
  }
  return {};
}

constexpr std::string_view frozen_name(RefKind value) {
  switch (value) {
    case RefKind::branch:
      return "branch";
    case RefKind::tag:
      return "tag";
    case RefKind::merge_request:
      return "merge_request";
  }
  return {};
}

constexpr std::string_view frozen_name(VariableSource value) {
  switch (value) {
    case VariableSource::runner_forced:
      return "runner_forced";
    case VariableSource::pipeline:
      return "pipeline";
    case VariableSource::project:
      return "project";
    case VariableSource::group:
      return "group";
    case VariableSource::instance:
      return "instance";
    case VariableSource::dotenv:
      return "dotenv";
    case VariableSource::user:
      return "user";
    case VariableSource::rules:
      return "rules";
    case VariableSource::matrix:
      return "matrix";
    case VariableSource::job:
      return "job";
    case VariableSource::workflow_rules:
      return "workflow_rules";
    case VariableSource::root:
      return "root";
    case VariableSource::deployment:
      return "deployment";
    case VariableSource::predefined:
      return "predefined";
    case VariableSource::runner_base:
      return "runner_base";
  }
  return {};
}

/// The enumerator of that name. Enumerators count from zero without gaps.
template <typename Enum>
std::optional<Enum> from_frozen_name(std::string_view name) {
  for (std::uint8_t number = 0;; ++number) {
    const auto value = static_cast<Enum>(number);
    if (frozen_name(value).empty()) return std::nullopt;
    if (frozen_name(value) == name) return value;
  }
}

}  // namespace runner::pipelines
