// `runner env ...`: where a server deploys to.

#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"
#include "runner/cli/client_desk.h"
#include "runner/cli/commands.h"
#include "runner/cli/deploy_answers.h"
#include "runner/cli/deploy_text.h"
#include "runner/cli/messages.h"
#include "runner/cli/sheet_text.h"
#include "runner/cli/table.h"

namespace runner::cli {
namespace {

constexpr std::size_t kMaxProtection = std::size_t{128} << 10U;

std::string read_standard_input() {
  std::string text(kMaxProtection + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(STDIN_FILENO, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno("cannot read standard input");
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);
  return text;
}

/// The JSON of a file or of standard input, as it is: the server says what is wrong within. Throws Error.
std::string read_protection(const std::filesystem::path& file) {
  const bool standard = file == "-";
  const std::string name = standard ? "standard input" : in_quotes(file.native());
  const std::optional<std::string> text = standard ? read_standard_input() : read_file(file, kMaxProtection);
  if (!text) throw Error(ErrorCode::invalid_input, "there is no file " + name);
  if (text->size() > kMaxProtection) throw Error(ErrorCode::invalid_input, name + " is too long");
  try {
    if (nlohmann::json::parse(*text).is_object()) return *text;
  } catch (const nlohmann::json::parse_error& error) {
    throw Error(ErrorCode::invalid_input, name + " is no JSON from byte " + std::to_string(error.byte) +
                                              " on; write a JSON object such as {\"refs\": [\"main\"]}");
  }
  throw Error(ErrorCode::invalid_input,
              name + " is no JSON object; write one such as {\"refs\": [\"main\"]}");
}

class EnvironmentCommand {
 public:
  explicit EnvironmentCommand(const EnvironmentOptions& options)
      : options_(options),
        desk_(options.common),
        list_("/projects/" + url_encode(options.project) + "/environments"),
        path_(list_ + "/" + url_encode(options.name)) {}

  int run() {
    switch (options_.action) {
      case EnvironmentAction::show:
        return show();
      case EnvironmentAction::set:
        return set();
      case EnvironmentAction::history:
        return history();
      case EnvironmentAction::freeze:
        return freeze();
      case EnvironmentAction::diff:
        return diff();
      case EnvironmentAction::list:
        break;
    }
    return list();
  }

 private:
  int list() {
    std::vector<std::string> items;
    std::vector<EnvironmentAnswer> found;
    desk_.each_page(list_, [&](const std::string& page) {
      for (EnvironmentAnswer& one : read_environments(page)) found.push_back(std::move(one));
      for (std::string& item : clean_items(page)) items.push_back(std::move(item));
      return true;
    });
    if (options_.common.json) {
      say("[" + join(items, ",") + "]\n");
      return exit_success;
    }
    if (options_.common.quiet) {
      for (const EnvironmentAnswer& one : found) say(printable(one.name) + "\n");
      return exit_success;
    }
    if (found.empty()) print_notice("there are no environments; 'runner env set' makes one");
    std::vector<std::vector<std::string>> rows;
    rows.reserve(found.size());
    for (const EnvironmentAnswer& one : found) {
      rows.push_back({one.name, one.protection.empty() ? "no" : "yes",
                      one.current ? commit_text(one.current->ref, one.current->sha) : "",
                      one.current ? ago_text(one.current->since, desk_.clock()) : "",
                      one.holder ? std::to_string(*one.holder) : "", std::to_string(one.waiting)});
    }
    say(table_text(desk_.screen(),
                   {{"NAME"},
                    {"PROTECTED"},
                    {"RUNS NOW"},
                    {"SINCE"},
                    {"UNDER WAY", Column::Align::right},
                    {"WAITING", Column::Align::right}},
                   rows));
    return exit_success;
  }

  int show() {
    const std::string body = desk_.ask("GET", path_);
    const EnvironmentAnswer environment = read_environment(body);
    if (options_.common.json) {
      say(clean_json(body) + "\n");
      return exit_success;
    }
    say(facts_text(desk_.screen(),
                   {{"environment", in_quotes(printable(environment.name)) + " of " +
                                        in_quotes(printable(environment.project))},
                    {"runs now", current_text(environment.current, desk_.clock())},
                    {"under way", environment.holder ? "deployment " + std::to_string(*environment.holder)
                                                     : std::string("nothing")},
                    {"waiting", std::to_string(environment.waiting)},
                    {"version", std::to_string(environment.version)},
                    {"protection", environment.protection.empty() ? "none" : environment.protection}}));
    return exit_success;
  }

  int set() {
    std::string body = "{\"protection\":" + read_protection(options_.protection);
    if (options_.version) body += ",\"version\":" + std::to_string(*options_.version);
    return changed(desk_.ask("PUT", path_, body + "}"), "set the protection");
  }

  /// What is there is read first, and goes back with its version.
  int freeze() {
    const std::string now = desk_.ask("GET", path_);
    if (options_.clear) return changed(desk_.ask("PUT", path_, without_freeze(now)), "ended all freezes");
    const std::string request = with_freeze(now, options_.from, options_.to, options_.zone);
    return changed(desk_.ask("PUT", path_, request), "added a freeze from " + in_quotes(options_.from) +
                                                         " to " + in_quotes(options_.to) + " (" +
                                                         options_.zone + ")");
  }

  int diff() {
    const std::string query = options_.other.empty() ? "" : "?other=" + url_encode(options_.other);
    const std::string body = desk_.ask("GET", path_ + "/diff" + query);
    const DiffAnswer diff = read_environment_diff(body);
    if (options_.common.json)
      say(clean_json(body) + "\n");
    else if (options_.common.quiet)
      say(commit_ids(diff));
    else
      say(diff_sheet(desk_.screen(), desk_.clock(), diff,
                     options_.other.empty() ? "ran before" : "in " + printable(options_.other),
                     "in " + printable(options_.name)));
    return exit_success;
  }

  int changed(const std::string& body, const std::string& what) {
    const EnvironmentAnswer environment = read_environment(body);
    if (options_.common.json) {
      say(clean_json(body) + "\n");
    } else {
      say(what + " of " + in_quotes(printable(environment.name)) + " of " +
          in_quotes(printable(environment.project)) + ", version " + std::to_string(environment.version) +
          "\n");
    }
    return exit_success;
  }

  int history() {
    std::vector<std::string> items;
    std::vector<DeploymentAnswer> found;
    desk_.each_page(path_ + "/deployments", [&](const std::string& page) {
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
    if (found.empty()) print_notice("nothing was deployed there");
    say(deployments_table(desk_.screen(), desk_.clock(), found));
    return exit_success;
  }

  const EnvironmentOptions& options_;
  ClientDesk desk_;
  std::string list_, path_;
};

}  // namespace

int run_environment(const EnvironmentOptions& options) {
  return EnvironmentCommand(options).run();
}

}  // namespace runner::cli
