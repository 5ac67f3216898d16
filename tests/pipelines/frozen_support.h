#pragma once
// Structs with every field set to something that is not its default, by their field lists, so that a new
// field takes part without a line here.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "pipelines/frozen_names.h"
#include "pipelines/plan_fields.h"

namespace runner::pipelines {

/// Sets whatever it is given to another value each time.
class Filler {
 public:
  template <typename T>
  void fill(T& value) {
    if constexpr (Described<T>) {
      for_each_field<T>([&](const auto& field) { fill(value.*field.member); });
    } else if constexpr (std::is_enum_v<T>) {
      const auto following = static_cast<T>(static_cast<std::uint8_t>(value) + 1);
      value = frozen_name(following).empty() ? T{} : following;
    } else {
      value = static_cast<T>(next());
    }
  }
  void fill(bool& value) { value = !value; }
  /// Quotes, control characters, characters of all lengths, and now and then what is no UTF-8.
  void fill(std::string& value) {
    value = "text " + std::to_string(next()) + " \"\\\n\t\x01\x7F é € 😀";
    if (count_ % 3 == 0) value += '\xFF';
    if (count_ % 5 == 0) value += '\0';
  }
  void fill(std::chrono::milliseconds& value) { value = std::chrono::milliseconds(next()); }
  void fill(TimePoint& value) { value = TimePoint(std::chrono::milliseconds(next())); }
  template <typename T>
  void fill(std::optional<T>& value) {
    fill(value.emplace());
  }
  template <typename T>
  void fill(std::vector<T>& value) {
    value.resize(2);
    for (T& one : value) fill(one);
  }
  template <typename T>
  void fill(std::map<std::string, T>& value) {
    for (int i = 0; i < 2; ++i) {
      std::string key;
      fill(key);
      fill(value[key]);
    }
  }
  /// Of a plan with two jobs.
  void fill(std::vector<Need>& value) { value = {{1, false}, {0, false}}; }
  void fill(JobIndices& value) { value = {1, 0}; }

 private:
  int next() { return ++count_; }

  int count_ = 1;  // more than the defaults zero and one
};

inline Plan filled_plan() {
  Plan plan;
  Filler().fill(plan);
  for (PlanJob& job : plan.jobs) job.stage_index = 1;
  return plan;
}

inline PipelineFacts filled_facts() {
  PipelineFacts facts;
  Filler().fill(facts);
  return facts;
}

}  // namespace runner::pipelines
