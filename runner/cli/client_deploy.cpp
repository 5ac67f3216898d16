// `runner deploy ...`, `runner approve` and `runner reject`: deployments that wait on a server.

#include "runner/base/text.h"
#include "runner/cli/client_desk.h"
#include "runner/cli/commands.h"
#include "runner/cli/deploy_answers.h"
#include "runner/cli/deploy_text.h"
#include "runner/cli/deploy_watch.h"
#include "runner/cli/json_writer.h"
#include "runner/cli/messages.h"
#include "runner/cli/sheet_text.h"
#include "runner/cli/table.h"

namespace runner::cli {
namespace {

/// A JSON object with one text; without it an empty one.
std::string body_with(std::string_view name, const std::string& text) {
  std::string body;
  JsonWriter json([&](std::string_view part) { body += part; });
  json.begin_object();
  if (!text.empty()) json.member(name, text);
  json.end_object().flush();
  return body;
}

class DeployCommand {
 public:
  explicit DeployCommand(const DeployOptions& options)
      : options_(options), desk_(options.common), path_("/deployments/" + std::to_string(options.id)) {}

  int run() {
    switch (options_.action) {
      case DeployAction::status:
        return status();
      case DeployAction::plan:
        return plan();
      case DeployAction::diff:
        return diff();
      case DeployAction::watch:
        return watch_deployment(desk_, options_.id, options_.common.json);
      case DeployAction::start:
        return act("start", {}, "started");
      case DeployAction::pause:
        return act("pause", {}, "asked for a pause of");
      case DeployAction::resume:
        return act("resume", {}, "let go on");
      case DeployAction::promote:
        return act("promote", {}, "promoted");
      case DeployAction::abort:
        return act("abort", {}, "asked for the end of");
      case DeployAction::resolve:
        return act("resolve", body_with("comment", options_.comment), "resolved");
      case DeployAction::unlock:
        path_ = place() + "/unlock";
        return act({}, body_with("reason", options_.reason), "took the environment away from");
      case DeployAction::rollback:
        path_ = place() + "/rollback";
        return act({}, options_.to == 0 ? "{}" : "{\"to\":" + std::to_string(options_.to) + "}",
                   "began a rollback,");
      case DeployAction::cancel:
        return act("cancel", {}, "canceled");
      case DeployAction::break_glass:
        return act("break-glass", body_with("reason", options_.reason), "passed over the protection for");
      case DeployAction::approve:
        return act("approve", body_with("comment", options_.comment), "approved");
      case DeployAction::reject:
        return act("reject", body_with("comment", options_.comment), "rejected");
      case DeployAction::list:
        break;
    }
    return list();
  }

 private:
  std::string place() const {
    return "/projects/" + url_encode(options_.project) + "/environments/" + url_encode(options_.environment);
  }

  int list() {
    const std::string path = place() + "/deployments?state=waiting";
    std::vector<std::string> items;
    std::vector<DeploymentAnswer> found;
    desk_.each_page(path, [&](const std::string& page) {
      for (DeploymentAnswer& one : read_deployments(page)) found.push_back(std::move(one));
      for (std::string& item : clean_items(page)) items.push_back(std::move(item));
      return true;
    });
    if (options_.common.json) {
      say("[" + join(items, ",") + "]\n");
      return exit_success;
    }
    if (options_.common.quiet) {
      for (const DeploymentAnswer& one : found) say(std::to_string(one.id) + "\n");
      return exit_success;
    }
    if (found.empty()) print_notice("nothing waits there");
    say(deployments_table(desk_.screen(), desk_.clock(), found));
    return exit_success;
  }

  int status() {
    const std::string body = desk_.ask("GET", path_);
    const DeploymentAnswer deployment = read_deployment(body);
    if (options_.common.json) {
      say(clean_json(body) + "\n");
    } else {
      say(deployment_sheet(desk_.screen(), desk_.clock(), deployment));
    }
    return exit_success;
  }

  int plan() {
    const std::string body = desk_.ask("GET", path_ + "/plan");
    const PlanAnswer plan = read_plan(body);
    say(options_.common.json ? clean_json(body) + "\n" : plan_sheet(desk_.screen(), plan));
    return exit_success;
  }

  int diff() {
    const std::string body = desk_.ask("GET", path_ + "/diff");
    const DiffAnswer diff = read_deployment_diff(body);
    if (options_.common.json)
      say(clean_json(body) + "\n");
    else if (options_.common.quiet)
      say(commit_ids(diff));
    else
      say(diff_sheet(desk_.screen(), desk_.clock(), diff, "runs now", "would come"));
    return exit_success;
  }

  int act(std::string_view verb, const std::string& request, const std::string& done) {
    const std::string body = ask_gate(verb.empty() ? path_ : path_ + "/" + std::string(verb), request);
    const DeploymentAnswer deployment = read_deployment(body);
    if (options_.common.json && options_.wait) return watch_deployment(desk_, deployment.id, true);
    if (options_.common.json) {
      say(clean_json(body) + "\n");
      return exit_success;
    }
    std::string line = done + " deployment " + std::to_string(deployment.id) + " of " +
                       in_quotes(printable(deployment.project)) + " to " +
                       in_quotes(printable(deployment.environment));
    if (options_.action == DeployAction::approve) {
      const std::string missing = missing_text(deployment);
      line += missing.empty() ? ", nobody is missing" : ", missing: " + missing;
    }
    say(line + "\n");
    return options_.wait ? watch_deployment(desk_, deployment.id, false) : exit_success;
  }

  /// Who may what is the protection's to say here, not the role's alone.
  std::string ask_gate(const std::string& path, const std::string& request) {
    ApiResponse answer = desk_.client().call("POST", path, request);
    if (answer.status >= 200 && answer.status <= 299) return std::move(answer.body);
    const Refused refused = refusal_of(answer, desk_.client().endpoint());
    if (answer.status == 403 && options_.id != 0)
      throw Refused(refused.exit_code(), refused.what(),
                    "'runner deploy status " + std::to_string(options_.id) + "' tells who is asked");
    throw refused;
  }

  const DeployOptions& options_;
  ClientDesk desk_;
  std::string path_;
};

}  // namespace

int run_deploy(const DeployOptions& options) {
  return DeployCommand(options).run();
}

}  // namespace runner::cli
