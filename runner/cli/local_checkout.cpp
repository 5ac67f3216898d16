#include "runner/cli/local_checkout.h"

#include <string_view>

namespace runner::cli {

engine::Checkout local_checkout(Project& project) {
  git::LocalRepository& repository = project.repository();
  engine::Checkout checkout;
  checkout.project_dir = project.root();
  checkout.builds_dir = project.root().parent_path();
  checkout.blob_id = [&repository](std::string_view path) { return repository.blob_id(path); };
  checkout.last_commit = [&repository](std::string_view path) { return repository.last_commit(path); };
  checkout.is_tracked = [&repository](std::string_view path) { return repository.is_tracked(path); };
  return checkout;
}

std::vector<pipelines::Variable> plain_variables(const ExecOptions& options) {
  std::vector<pipelines::Variable> variables;
  for (const auto& [name, value] : options.variables) {
    pipelines::Variable& variable = variables.emplace_back();
    variable.name = name;
    variable.value = value;
    variable.source = pipelines::VariableSource::pipeline;
  }
  return variables;
}

std::filesystem::path layers_directory(const std::filesystem::path& data) {
  return data / "layers";
}

std::string scope_of(const std::filesystem::path& project_root) {
  return project_root.string();
}

}  // namespace runner::cli
