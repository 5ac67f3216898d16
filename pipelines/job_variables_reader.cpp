// `variables:` of the root, of jobs, services and rules.

#include <algorithm>
#include <string>

#include "pipelines/document.h"
#include "pipelines/job_model.h"
#include "pipelines/variables.h"

namespace runner::pipelines {
namespace {

void read_options(Shapes& in, const std::string& path, const Node& node, const Variable& variable) {
  const std::vector<std::string> options = in.strings(path + ":options", node);
  if (std::find(options.begin(), options.end(), variable.value) == options.end())
    in.error("bad-value", node.range(), path + ": value must be one of options");
}

void read_long_form(Shapes& in, const std::string& path, const Node& node, VariableForm form,
                    Variable& variable) {
  const KeywordTable& table = form == VariableForm::root ? kRootVariableKeys : kVariableKeys;
  if (!in.check_keys(path, table, node)) return;
  if (const Node* value = in.get(table, node, "value")) variable.value = value->text();
  if (const Node* expand = in.get(table, node, "expand")) variable.raw = !expand->boolean();
  if (const Node* options = in.get(table, node, "options")) read_options(in, path, *options, variable);
}

}  // namespace

std::vector<Variable> read_variables(Shapes& in, std::string_view path, const Node& map, VariableForm form,
                                     VariableSource source) {
  std::vector<Variable> variables;
  variables.reserve(map.entries().size());
  for (const MapEntry& entry : map.entries()) {
    const std::string full = std::string(path) + ":" + std::string(entry.key);
    Variable variable;
    variable.name = entry.key;
    variable.source = source;
    if (!is_variable_name(entry.key) || (entry.key.front() >= '0' && entry.key.front() <= '9'))
      in.warning("odd-variable-name", entry.key_range, full + ": shells cannot see a variable of this name",
                 "use letters, digits and '_'");
    if (entry.value->is_map() && form != VariableForm::rule) {
      read_long_form(in, full, *entry.value, form, variable);
    } else if (entry.value->is_scalar()) {
      variable.value = in.with_inputs(entry.value->text(), entry.value->range());
    } else {
      in.wrong_type(full, *entry.value,
                    form == VariableForm::root
                        ? "a scalar or a mapping of value, description, options, expand"
                    : form == VariableForm::job ? "a scalar or a mapping of value and expand"
                                                : "a scalar");
      continue;
    }
    variables.push_back(std::move(variable));
  }
  return variables;
}

void read_job_variables(JobBuild& build, const MapEntry& entry) {
  build.job.variables =
      read_variables(build.in, "variables", *entry.value, VariableForm::job, VariableSource::job);
}

}  // namespace runner::pipelines
