#include "deployments/record.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/storage/tables.h"

namespace runner::deployments {
namespace {

using nlohmann::json;

std::vector<std::string> names_of(State first, State last) {
  std::vector<std::string> names;
  for (auto each = static_cast<int>(first); each <= static_cast<int>(last); ++each)
    names.emplace_back(to_string(static_cast<State>(each)));
  return names;
}

}  // namespace

State state_of(const storage::DeploymentRecord& deployment) {
  if (const auto state = parse_state(deployment.state)) return *state;
  throw Error(ErrorCode::corrupt, "deployment " + std::to_string(deployment.id) + " has the unknown state " +
                                      in_quotes(deployment.state) + " in the database");
}

bool has_journal(const storage::DeploymentRecord& deployment) {
  const json plan = json::parse(deployment.plan, nullptr, false);
  return plan.is_object() && plan.value("journal", false);
}

std::int64_t attempt_of(const storage::DeploymentRecord& deployment) {
  const json plan = json::parse(deployment.plan, nullptr, false);
  return plan.is_object() ? plan.value("attempt", std::int64_t{0}) : 0;
}

std::optional<storage::JobRecord> newest_attempt(storage::Tx& tx, std::int64_t pipeline,
                                                 const std::string& name) {
  std::optional<storage::JobRecord> newest;
  for (storage::JobRecord& job : storage::Jobs(tx).of_pipeline(pipeline))
    if (job.name == name) newest = std::move(job);
  return newest;
}

const std::vector<std::string>& waiting_states() {
  static const std::vector<std::string> all = names_of(State::planned, State::queued);
  return all;
}

const std::vector<std::string>& effectful_states() {
  static const std::vector<std::string> all = names_of(State::locked, State::rolling_back);
  return all;
}

}  // namespace runner::deployments
