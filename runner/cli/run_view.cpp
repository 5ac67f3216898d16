#include "runner/cli/run_view.h"

#include <algorithm>
#include <utility>

#include "runner/base/text.h"

namespace runner::cli {
namespace {

// What the views say about jobs, as commands.
void add_commands(ViewContext& context, const ExecOptions& options, const pipelines::Plan& plan) {
  // Shared by both callbacks and all copies of them; never changes.
  struct Graph {
    pipelines::Plan plan;
    ExecOptions options;
  };
  auto graph = std::make_shared<Graph>();
  graph->options = options;
  for (const pipelines::PlanJob& job : plan.jobs) {
    pipelines::PlanJob& copy = graph->plan.jobs.emplace_back();
    copy.name = job.name;
    copy.artifact_sources = job.artifact_sources;
    copy.artifacts = job.artifacts;
  }
  context.reproduce = [graph](std::size_t job) {
    std::vector<std::string> names;
    for (const std::size_t index : artifact_closure(graph->plan, job))
      names.push_back(graph->plan.jobs[index].name);
    return exec_command_line(graph->options, names);
  };
  context.play = [graph](std::size_t job) {
    return exec_command_line(graph->options, {"--manual", graph->plan.jobs[job].name});
  };
}

}  // namespace

ViewContext make_view_context(const ExecOptions& options, const pipelines::Plan& plan, const Chosen& chosen,
                              const Screen& screen) {
  ViewContext context;
  context.screen = screen;
  context.quiet = options.quiet;
  for (std::size_t i = 0; i < plan.jobs.size(); ++i) {
    const bool selected =
        chosen.jobs.empty() || std::binary_search(chosen.jobs.begin(), chosen.jobs.end(), i);
    if (selected) context.names.push_back(plan.jobs[i].name);
  }
  add_commands(context, options, plan);
  return context;
}

std::unique_ptr<View> make_view(const ExecOptions& options, ViewContext context) {
  if (options.json) return nullptr;
  if (context.screen.live && !context.quiet) return make_terminal_view(std::move(context));
  return make_plain_view(std::move(context));
}

std::string exec_command_line(const ExecOptions& options, const std::vector<std::string>& words) {
  std::string out = "runner exec";
  const auto add = [&](std::string_view option, std::string_view value) {
    out += " " + std::string(option) + " " + shell_quote(value);
  };
  if (!options.directory.empty()) add("-C", options.directory.string());
  if (!options.file.empty()) add("--file", options.file);
  if (options.executor == ExecutorChoice::shell) out += " --executor shell";
  if (options.executor == ExecutorChoice::container) out += " --executor container";
  if (!options.image.empty()) add("--image", options.image);
  if (!options.pull_policy.empty()) add("--pull-policy", options.pull_policy);
  if (!options.commit.empty()) add("--commit", options.commit);
  if (options.branch) add("--branch", *options.branch);
  if (options.tag) add("--tag", *options.tag);
  if (options.source != "push") add("--source", options.source);
  for (const auto& [name, value] : options.variables) add("--var", name + "=" + value);
  // Never the value: this line is printed.
  for (const SecretOption& secret : options.secrets) add("--secret", secret.name);
  if (std::any_of(words.begin(), words.end(),
                  [](const std::string& word) { return word.starts_with('-') && word != "--manual"; })) {
    out += " --";
  }
  for (const std::string& word : words) out += " " + shell_quote(word);
  return out;
}

}  // namespace runner::cli
