#include "runner/cli/deploy_text.h"

#include <utility>

#include "runner/base/text.h"
#include "runner/cli/client_times.h"
#include "runner/cli/table.h"

namespace runner::cli {
namespace {

constexpr std::size_t kShortSha = 8;

/// Each with its line: "peers: 1 of 1, by dan".
std::string rules_text(const DeploymentAnswer& deployment) {
  std::string text;
  for (const RuleAnswer& rule : deployment.rules) {
    if (!text.empty()) text += "\n";
    text += printable(rule.name) + ": " + std::to_string(rule.approved_by.size()) + " of " +
            std::to_string(rule.wanted);
    if (!rule.approved_by.empty()) text += ", by " + printable(join(rule.approved_by, ", "));
    if (static_cast<std::int64_t>(rule.approved_by.size()) < rule.wanted)
      text += ", missing out of " + printable(join(rule.who, ", "));
  }
  return text;
}

std::string decisions_text(const DeploymentAnswer& deployment, const Clock& clock) {
  std::string text;
  for (const DecisionAnswer& one : deployment.decisions) {
    if (!text.empty()) text += "\n";
    text += printable(one.person) + " " + printable(one.decision) + ", " + ago_text(one.at, clock) + ", by " +
            printable(one.method);
    if (!one.comment.empty()) text += ": " + printable(one.comment);
  }
  return text;
}

std::string void_text(const DeploymentAnswer& deployment) {
  std::string text;
  for (const std::string& one : deployment.void_ones) text += (text.empty() ? "" : "\n") + printable(one);
  return text;
}

std::string moment_text(const std::optional<TimePoint>& time) {
  return time ? format_iso8601(*time) : "";
}

/// Whether what went there is what would come here.
std::string same_text(std::optional<bool> same) {
  if (!same) return {};
  return *same ? ", the same archives and images" : ", OTHER archives or images of this commit";
}

/// Each with its line: "staging: succeeded 3 h ago, and runs there now".
std::string elsewhere_text(const DeploymentAnswer& deployment, const Clock& clock) {
  std::string text;
  for (const ElsewhereAnswer& one : deployment.elsewhere)
    text += (text.empty() ? "" : "\n") + printable(one.environment) + ": " + printable(one.state) + " " +
            ago_text(one.since, clock) + same_text(one.same_inputs) +
            (one.current ? ", and runs there now" : "");
  return text;
}

/// "build: registry.example.com/shop@sha256:...", a line each.
std::string inputs_text(const DeploymentAnswer& deployment) {
  std::vector<std::string> lines;
  for (const InputAnswer& one : deployment.inputs) {
    const std::string of = printable(one.job) + ": ";
    if (!one.archive.empty())
      lines.push_back(of + "archive " + printable(one.archive) + ", " + format_bytes(one.bytes));
    for (const std::string& image : one.images) lines.push_back(of + "image " + printable(image));
  }
  return join(lines, "\n");
}

/// The newest of them: a canary has many.
std::string steps_text(const DeploymentAnswer& deployment) {
  constexpr std::size_t kShown = 30;
  const std::size_t count = deployment.steps.size();
  std::string text = count > kShown ? "... " + std::to_string(count - kShown) + " before" : "";
  for (std::size_t at = count > kShown ? count - kShown : 0; at < count; ++at)
    text += (text.empty() ? "" : "\n") + step_text(deployment.steps[at]);
  return text;
}

}  // namespace

std::string commit_text(const std::string& ref, const std::string& sha) {
  std::string text = printable(ref);
  if (!sha.empty()) text += (text.empty() ? "" : " ") + printable(sha.substr(0, kShortSha));
  return text;
}

std::string current_text(const std::optional<CurrentAnswer>& current, const Clock& clock) {
  if (!current) return "nothing that was deployed from here";
  return commit_text(current->ref, current->sha) + ", deployment " + std::to_string(current->id) +
         (current->since ? ", since " + when_text(current->since, clock) : "");
}

std::string missing_text(const DeploymentAnswer& deployment) {
  std::string text;
  for (const RuleAnswer& rule : deployment.rules) {
    const std::int64_t missing = rule.wanted - static_cast<std::int64_t>(rule.approved_by.size());
    if (missing <= 0) continue;
    text += (text.empty() ? "" : ", ") + std::to_string(missing) + " more of " +
            in_quotes(printable(rule.name)) + " (" + printable(join(rule.who, ", ")) + ")";
  }
  return text;
}

std::string deployments_table(const Screen& screen, const Clock& clock,
                              const std::vector<DeploymentAnswer>& found) {
  std::vector<std::vector<std::string>> rows;
  rows.reserve(found.size());
  for (const DeploymentAnswer& one : found) {
    rows.push_back({std::to_string(one.id), std::to_string(one.number), one.kind, one.state,
                    commit_text(one.ref, one.sha), one.triggered_by, ago_text(one.state_since, clock),
                    one.forced.empty() ? one.reason : "forced by " + one.forced});
  }
  return table_text(screen,
                    {{"ID", Column::Align::right},
                     {"NO", Column::Align::right},
                     {"KIND"},
                     {"STATE"},
                     {"WHAT"},
                     {"STARTED BY"},
                     {"SINCE"},
                     {"WHY"}},
                    rows);
}

std::string step_text(const StepAnswer& step) {
  std::string text = printable(step.part) + ": " + printable(step.action);
  if (step.unit != "*") text += " " + printable(step.unit);
  if (step.slot == "blue" || step.slot == "green") text += " (" + printable(step.slot) + ")";
  text += step.result.empty() ? " ..." : ", " + printable(step.result);
  return step.message.empty() ? text : text + ": " + printable(step.message);
}

std::string deployment_sheet(const Screen& screen, const Clock& clock, const DeploymentAnswer& deployment) {
  std::vector<std::pair<std::string, std::string>> facts;
  const auto add = [&](const char* name, std::string value) {
    if (!value.empty()) facts.emplace_back(name, std::move(value));
  };
  add("deployment",
      std::to_string(deployment.id) + ", number " + std::to_string(deployment.number) + " there");
  add("environment",
      in_quotes(printable(deployment.environment)) + " of " + in_quotes(printable(deployment.project)));
  add("state", printable(deployment.state) +
                   (deployment.state_since ? ", since " + when_text(deployment.state_since, clock) : ""));
  add("why", printable(deployment.reason));
  add("forced by", printable(deployment.forced));
  add("runs now", current_text(deployment.current, clock));
  add("would come",
      commit_text(deployment.ref, deployment.sha) + (deployment.kind == "rollback" ? ", a rollback" : ""));
  add("commit", printable(deployment.sha));
  add("release", printable(deployment.release));
  add("started by", printable(deployment.triggered_by));
  if (deployment.pipeline) add("pipeline", std::to_string(*deployment.pipeline));
  add("job", printable(deployment.job));
  add("of", inputs_text(deployment));
  add("elsewhere", elsewhere_text(deployment, clock));
  add("approvals", rules_text(deployment));
  add("void", void_text(deployment));
  add("decisions", decisions_text(deployment, clock));
  add("frozen until", moment_text(deployment.frozen_until));
  add("opens", moment_text(deployment.opens_at));
  add("expires", moment_text(deployment.expires_at));
  add("steps", steps_text(deployment));
  add("ended", when_text(deployment.finished_at, clock));
  add("plan", deployment.plan);
  add("fingerprint", printable(deployment.fingerprint));
  return facts_text(screen, facts);
}

}  // namespace runner::cli
