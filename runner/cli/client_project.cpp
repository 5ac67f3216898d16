// `runner project ...`: the repositories that a server watches.

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"
#include "runner/cli/client_desk.h"
#include "runner/cli/commands.h"
#include "runner/cli/json_writer.h"
#include "runner/cli/messages.h"
#include "runner/cli/table.h"

namespace runner::cli {
namespace {

// Keys are some kilobytes.
constexpr std::size_t kMaxSecret = std::size_t{64} << 10U;

std::string read_input() {
  std::string text(kMaxSecret + 1, '\0');
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

/// What a file or standard input ("-") holds. `lines`: a key, whose line ends belong to it.
std::string read_secret(const std::filesystem::path& file, bool lines) {
  const std::string name = file == "-" ? "standard input" : in_quotes(file.native());
  std::optional<std::string> text = file == "-" ? read_input() : read_file(file, kMaxSecret);
  if (!text) throw Error(ErrorCode::invalid_input, "there is no file " + name);
  if (text->size() > kMaxSecret) throw Error(ErrorCode::invalid_input, name + " is too long for a secret");
  std::string trimmed(trim(*text));
  if (trimmed.empty()) throw Error(ErrorCode::invalid_input, name + " holds no secret: it is empty");
  if (lines) return trimmed + "\n";
  if (trimmed.find('\n') != std::string::npos)
    throw Error(ErrorCode::invalid_input, name + " holds more than a line; a token or a secret is one");
  return trimmed;
}

void write_secrets(JsonWriter& json, const ProjectOptions& options) {
  if (!options.token_file.empty()) json.member("token", read_secret(options.token_file, false));
  if (!options.ssh_key_file.empty()) json.member("ssh_key", read_secret(options.ssh_key_file, true));
  if (!options.webhook_secret_file.empty())
    json.member("webhook_secret", read_secret(options.webhook_secret_file, false));
  if (options.no_credential) json.key("token").null().key("ssh_key").null();
  if (options.no_webhook_secret) json.key("webhook_secret").null();
  if (!options.forge_token_file.empty())
    json.member("forge_token", read_secret(options.forge_token_file, false));
  if (options.no_forge_token) json.key("forge_token").null();
}

void write_forge(JsonWriter& json, const ProjectOptions& options) {
  const auto write = [&](const char* name, const std::optional<std::string>& value) {
    if (!value) return;
    if (value->empty() || *value == "auto") {
      json.key(name).null();
    } else {
      json.member(name, *value);
    }
  };
  write("forge", options.forge);
  write("forge_api", options.forge_api);
  write("forge_repository", options.forge_repository);
  if (options.merge_requests) json.member("merge_requests", *options.merge_requests);
}

std::string body_of(const ProjectOptions& options) {
  std::string body;
  JsonWriter json([&](std::string_view text) { body += text; });
  json.begin_object();
  if (options.action == ProjectAction::add) json.member("name", options.name);
  if (options.url) json.member("url", *options.url);
  if (!options.branches.empty()) json.member("branches", options.branches);
  if (!options.tags.empty()) json.member("tags", options.tags);
  if (options.file) json.member("pipeline_file", *options.file);
  if (options.poll) json.member("poll_interval_seconds", std::int64_t{options.poll->count()});
  if (options.username) json.member("username", *options.username);
  if (options.paused) json.member("paused", *options.paused);
  if (options.priority) json.member("priority", *options.priority);
  write_forge(json, options);
  write_secrets(json, options);
  json.end_object().flush();
  return body;
}

std::string poll_text(const ProjectAnswer& project) {
  if (project.paused) return "paused";
  const auto seconds = project.poll_interval_seconds;
  if (!seconds || *seconds <= 0) return "by webhooks only";
  // Nobody waits longer than a year, and a duration in milliseconds must not overflow.
  constexpr std::int64_t kYear = 31'536'000;
  return "every " + format_duration(std::chrono::seconds(std::min(*seconds, kYear)));
}

std::string lines_of(const std::vector<std::string>& patterns) {
  std::vector<std::string> lines;
  lines.reserve(patterns.size());
  for (const std::string& pattern : patterns) lines.push_back(printable(pattern));
  return lines.empty() ? "none" : join(lines, "\n");
}

/// How the last look went, as the server told it.
std::string look_text(const ProjectAnswer& project, const Clock& now) {
  if (!project.looked_at) return "not yet since the server was started";
  const std::string when = when_text(project.looked_at, now);
  if (project.trouble.empty()) return "went well, " + when;
  return "failed, " + when + ": " + printable(project.trouble) +
         (project.reached_at ? "\nreached last " + when_text(project.reached_at, now) : "");
}

std::string credentials_text(const ProjectAnswer& project) {
  std::vector<std::string> words;
  words.reserve(project.credentials.size());
  for (const CredentialAnswer& one : project.credentials)
    words.push_back(printable(one.kind + (one.username.empty() ? "" : " of " + one.username)));
  return words.empty() ? "none" : join(words, ", ");
}

/// "github, OWNER/NAME; 3 wait", and what went wrong last on lines of its own.
std::string statuses_text(const StatusesAnswer& statuses, const Clock& clock) {
  std::string text = printable(statuses.forge);
  if (statuses.forge != "none" && !statuses.repository.empty()) text += ", " + printable(statuses.repository);
  if (statuses.waiting > 0) text += "; " + std::to_string(statuses.waiting) + " wait";
  if (statuses.delivered_at) text += "\nlast taken " + when_text(statuses.delivered_at, clock);
  if (!statuses.failure.empty()) {
    text += "\nnot taken";
    if (statuses.failed_at) text += " " + when_text(statuses.failed_at, clock);
    text += ": " + printable(statuses.failure);
  }
  return text;
}

class ProjectCommand {
 public:
  explicit ProjectCommand(const ProjectOptions& options)
      : options_(options), desk_(options.common), path_("/projects/" + url_encode(options.name)) {}

  int run() {
    switch (options_.action) {
      case ProjectAction::add:
        return show(desk_.ask("POST", "/projects", body_of(options_)), "added");
      case ProjectAction::set:
        set_resource_groups();
        return show(desk_.ask("PATCH", path_, body_of(options_)), "changed");
      case ProjectAction::show:
        return show(desk_.ask("GET", path_), "");
      case ProjectAction::remove:
        return remove();
      case ProjectAction::test:
        return test();
      case ProjectAction::list:
        break;
    }
    return list();
  }

 private:
  int list() {
    if (options_.common.json) {
      say(desk_.all_items("/projects", std::numeric_limits<std::size_t>::max()));
      return exit_success;
    }
    std::vector<std::vector<std::string>> rows;
    desk_.each_page("/projects", [&](const std::string& page) {
      for (const ProjectAnswer& project : read_projects(page)) {
        rows.push_back({project.name, project.url, join(project.branches, " "), join(project.tags, " "),
                        poll_text(project)});
      }
      return true;
    });
    if (options_.common.quiet) {
      for (const std::vector<std::string>& row : rows) say(printable(row.front()) + "\n");
      return exit_success;
    }
    if (rows.empty()) print_notice("there are no projects; 'runner project add' makes one");
    say(table_text(desk_.screen(), {{"NAME"}, {"URL"}, {"BRANCHES"}, {"TAGS"}, {"LOOKED AT"}}, rows));
    return exit_success;
  }

  int show(const std::string& body, std::string_view done) {
    const ProjectAnswer project = read_project(body);
    if (options_.common.json) {
      say(clean_json(body) + "\n");
      return exit_success;
    }
    if (!done.empty()) {
      say(std::string(done) + " project " + in_quotes(printable(project.name)) + "\n");
      return exit_success;
    }
    say(facts_text(desk_.screen(), {{"name", printable(project.name)},
                                    {"url", printable(project.url)},
                                    {"branches", lines_of(project.branches)},
                                    {"tags", lines_of(project.tags)},
                                    {"pipeline file", printable(project.pipeline_file)},
                                    {"priority", std::to_string(project.priority)},
                                    {"looked at", poll_text(project)},
                                    {"last look", look_text(project, desk_.clock())},
                                    {"credentials", credentials_text(project)},
                                    {"merge requests", project.merge_requests ? "watched" : "not watched"},
                                    {"commit statuses", statuses_text(project.statuses, desk_.clock())},
                                    {"added", when_text(project.created_at, desk_.clock())}}));
    return exit_success;
  }

  void set_resource_groups() {
    for (const auto& [name, mode] : options_.resource_groups) {
      std::string body;
      JsonWriter json([&](std::string_view text) { body += text; });
      json.begin_object().member("process_mode", mode).end_object().flush();
      desk_.ask("PUT", path_ + "/resource_groups/" + url_encode(name), body);
    }
  }

  int remove() {
    desk_.ask("DELETE", path_);
    if (options_.common.json) {
      std::string out;
      JsonWriter json([&](std::string_view text) { out += text; });
      json.begin_object().member("removed", options_.name).end_object().flush();
      say(out + "\n");
    } else {
      say("removed project " + in_quotes(printable(options_.name)) + "\n");
    }
    return exit_success;
  }

  int test() {
    const std::string body = desk_.ask("POST", path_ + "/test");
    const TestAnswer result = read_test(body);
    if (options_.common.json) {
      say(clean_json(body) + "\n");
    } else if (result.ok) {
      say("reached in " + std::to_string(result.milliseconds) + " ms: " + std::to_string(result.branches) +
          (result.branches == 1 ? " branch, " : " branches, ") + std::to_string(result.tags) +
          (result.tags == 1 ? " tag\n" : " tags\n"));
    }
    if (!options_.common.json && !result.statuses.failure.empty()) {
      print_notice("commit statuses are not taken: " + printable(result.statuses.failure));
    }
    if (result.ok) return exit_success;
    print_error(
        "the server cannot reach the repository of " + in_quotes(printable(options_.name)) + ": " +
            printable(result.why.empty() ? "it does not say why" : result.why),
        "'runner project set " + shell_quote(printable(options_.name)) + "' changes its URL and credentials");
    return exit_failed;
  }

  const ProjectOptions& options_;
  ClientDesk desk_;
  std::string path_;
};

}  // namespace

int run_project(const ProjectOptions& options) {
  return ProjectCommand(options).run();
}

}  // namespace runner::cli
