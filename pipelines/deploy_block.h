#pragma once
// `deploy:` of a planned job. A plan keeps the block as JSON; what carries it out reads it again here and
// fills variables in. Pure; any thread.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/deploy_spec.h"

namespace runner::pipelines {

/// PlanJob::deploy as values, texts as in the file. Throws Error{invalid_input} with what planning would say.
DeploySpec parse_deploy_block(std::string_view json);

/// Replaces every text that no shell will read by `expand` of it: names, addresses, paths, URLs. Commands
/// stay, their variables are the shell's. What planning could not check for its variables is not checked
/// here.
void expand_deploy_texts(DeploySpec& spec, const std::function<std::string(std::string_view)>& expand);

/// The variables that `secret:NAME` stands for, each once.
std::vector<std::string> deploy_secrets(const DeploySpec& spec);
/// NAME of "secret:NAME"; "" for any other text.
std::string_view secret_name(std::string_view text) noexcept;

}  // namespace runner::pipelines
