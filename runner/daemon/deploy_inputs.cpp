#include "runner/daemon/deploy_inputs.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "runner/engine/outcome_text.h"
#include "runner/storage/result_table.h"
#include "runner/storage/tables.h"

namespace runner::daemon {
namespace {

using nlohmann::json;

constexpr const char* kInputs = "inputs";

std::string text_of(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// "NAME@sha256:HEX", as a job that builds an image hands it over.
bool is_image(std::string_view text) {
  constexpr std::string_view kMark = "@sha256:";
  constexpr std::size_t kHexDigits = 64;
  const std::size_t at = text.find(kMark);
  return at != std::string_view::npos && at > 0 && text.size() == at + kMark.size() + kHexDigits &&
         text.find_first_not_of("0123456789abcdef", at + kMark.size()) == std::string_view::npos;
}

json input_of(const std::string& name, const engine::JobResult& result) {
  json input{{"job", name}};
  if (result.archive) {
    input["archive"] = "sha256:" + result.archive->sha256;
    input["bytes"] = result.archive->bytes;
  }
  std::vector<std::string> images;
  for (const auto& [key, value] : result.collected.dotenv)
    if (is_image(value) && std::find(images.begin(), images.end(), value) == images.end())
      images.push_back(value);
  if (!images.empty()) input["images"] = images;
  return input;
}

}  // namespace

std::optional<std::string> inputs_of(storage::Tx& tx, std::int64_t pipeline,
                                     const std::vector<std::size_t>& jobs) {
  std::map<std::size_t, storage::JobRecord> newest;
  for (storage::JobRecord& job : storage::Jobs(tx).of_pipeline(pipeline))
    newest.insert_or_assign(job.plan_index, std::move(job));
  const auto results = storage::JobResults(tx).of_pipeline(pipeline);
  json inputs = json::array();
  for (const std::size_t job : jobs) {
    const auto attempt = newest.find(job);
    if (attempt == newest.end()) continue;  // rules left it out
    const auto text = results.find(attempt->second.id);
    const engine::JobResult result =
        text == results.end() ? engine::JobResult() : engine::thaw_result(text->second, {});
    if (result.archiving) return std::nullopt;
    inputs.push_back(input_of(attempt->second.name, result));
  }
  return text_of(inputs);
}

std::optional<std::string> planned_inputs(const storage::DeploymentRecord& deployment) {
  const json plan = json::parse(deployment.plan, nullptr, false);
  if (!plan.is_object() || !plan.contains(kInputs)) return std::nullopt;
  return text_of(plan[kInputs]);
}

std::string with_inputs(const std::string& plan, const std::string& inputs) {
  json document = json::parse(plan, nullptr, false);
  if (!document.is_object()) document = json::object();
  document[kInputs] = json::parse(inputs, nullptr, false);
  return text_of(document);
}

}  // namespace runner::daemon
