// `runner pipeline ...`: pipelines of a server.

#include <algorithm>
#include <map>

#include "runner/base/text.h"
#include "runner/cli/client_desk.h"
#include "runner/cli/client_watch.h"
#include "runner/cli/commands.h"
#include "runner/cli/json_writer.h"
#include "runner/cli/messages.h"
#include "runner/cli/table.h"

namespace runner::cli {
namespace {

constexpr std::size_t kShortCommit = 12;

class PipelineCommand {
 public:
  explicit PipelineCommand(const PipelineOptions& options) : options_(options), desk_(options.common) {}

  int run() {
    const std::string path = "/pipelines/" + std::to_string(options_.id);
    switch (options_.action) {
      case PipelineAction::run:
        return start();
      case PipelineAction::show:
        return show(desk_.ask("GET", path));
      case PipelineAction::watch:
        return watch_pipeline(desk_, options_.id, options_.common.json);
      case PipelineAction::cancel:
        return tell(desk_.ask("POST", path + "/cancel"), "canceling");
      case PipelineAction::retry:
        return tell(desk_.ask("POST", path + "/retry"), "running again the failed jobs of");
      case PipelineAction::list:
        break;
    }
    return options_.project.empty() ? list_all() : list_project(options_.project);
  }

 private:
  int start() {
    std::string body;
    JsonWriter json([&](std::string_view text) { body += text; });
    json.begin_object();
    if (options_.ref) json.member("ref", *options_.ref);
    if (options_.priority) json.member("priority", *options_.priority);
    if (!options_.variables.empty()) {
      // The last of equal names counts, as in 'runner exec'.
      std::map<std::string, std::string> variables;
      for (const auto& [name, value] : options_.variables) variables[name] = value;
      json.key("variables").begin_object();
      for (const auto& [name, value] : variables) json.member(name, value);
      json.end_object();
    }
    json.end_object().flush();
    const std::string answer =
        desk_.ask("POST", "/projects/" + url_encode(options_.project) + "/pipelines", body);
    const PipelineAnswer pipeline = read_pipeline(answer);
    if (options_.wait) {
      if (!options_.common.json) say_started(pipeline);
      return watch_pipeline(desk_, pipeline.id, options_.common.json);
    }
    if (options_.common.json) {
      say(clean_json(answer) + "\n");
    } else {
      say_started(pipeline);
    }
    return exit_success;
  }

  static void say_started(const PipelineAnswer& pipeline) {
    say("pipeline " + std::to_string(pipeline.id) + " of " + in_quotes(printable(pipeline.project)) +
        (pipeline.ref.empty() ? "" : ", " + printable(pipeline.ref)) + "\n");
  }

  int tell(const std::string& answer, std::string_view done) {
    const PipelineAnswer pipeline = read_pipeline(answer);
    if (options_.common.json) {
      say(clean_json(answer) + "\n");
    } else {
      say(std::string(done) + " pipeline " + std::to_string(pipeline.id) + "\n");
    }
    return exit_success;
  }

  int show(const std::string& answer) {
    const PipelineAnswer pipeline = read_pipeline(answer);
    if (options_.common.json) {
      say(clean_json(answer) + "\n");
      return exit_success;
    }
    std::vector<std::pair<std::string, std::string>> facts{
        {"pipeline", std::to_string(pipeline.id) + ", number " + std::to_string(pipeline.iid) + " of " +
                         printable(pipeline.project)},
        {"status", printable(pipeline.status)},
        {"ref", printable(pipeline.ref)},
        {"commit", printable(pipeline.sha)},
        {"source", printable(pipeline.source)}};
    if (!pipeline.name.empty()) facts.emplace_back("name", printable(pipeline.name));
    if (!pipeline.started_by.empty()) facts.emplace_back("by", printable(pipeline.started_by));
    if (pipeline.priority != 0) facts.emplace_back("priority", std::to_string(pipeline.priority));
    facts.emplace_back("made", when_text(pipeline.created_at, desk_.clock()));
    if (pipeline.started_at)
      facts.emplace_back("took", took_text(pipeline.started_at, pipeline.finished_at, desk_.clock()));
    say(facts_text(desk_.screen(), facts));
    if (!pipeline.message.empty()) {
      say("\n");
      for (const std::string_view line : split(pipeline.message, '\n')) say(printable(line) + "\n");
    }
    if (const std::string jobs = jobs_table(desk_, pipeline); !jobs.empty()) say("\n" + jobs);
    return exit_success;
  }

  std::string list_path(const std::string& project) const {
    std::string query;
    const auto add = [&](std::string_view name, const std::optional<std::string>& value) {
      if (value) query += (query.empty() ? "?" : "&") + std::string(name) + "=" + url_encode(*value);
    };
    add("ref", options_.ref);
    add("status", options_.status);
    return "/projects/" + url_encode(project) + "/pipelines" + query;
  }

  int list_project(const std::string& project) {
    if (options_.common.json) {
      say(desk_.all_items(list_path(project), options_.limit));
      return exit_success;
    }
    std::vector<PipelineAnswer> found;
    collect(project, found);
    return print_list(found);
  }

  /// Of every project, as the server lists them by project only; then the newest of all.
  int list_all() {
    std::vector<std::string> projects;
    desk_.each_page("/projects", [&](const std::string& page) {
      for (const ProjectAnswer& project : read_projects(page)) projects.push_back(project.name);
      return true;
    });
    if (options_.common.json) return print_all_json(projects);
    std::vector<PipelineAnswer> found;
    for (const std::string& project : projects) collect(project, found);
    keep_newest(found, [](const PipelineAnswer& one) { return one.id; });
    return print_list(found);
  }

  void collect(const std::string& project, std::vector<PipelineAnswer>& found) {
    std::size_t count = 0;
    desk_.each_page(list_path(project), [&](const std::string& page) {
      for (PipelineAnswer& pipeline : read_pipelines(page)) {
        if (count++ == options_.limit) return false;
        found.push_back(std::move(pipeline));
      }
      return count < options_.limit;
    });
  }

  int print_all_json(const std::vector<std::string>& projects) {
    std::vector<std::pair<std::int64_t, std::string>> found;
    for (const std::string& project : projects) {
      std::size_t count = 0;
      desk_.each_page(list_path(project), [&](const std::string& page) {
        const std::vector<PipelineAnswer> pipelines = read_pipelines(page);
        std::vector<std::string> items = clean_items(page);
        for (std::size_t at = 0; at < items.size() && count < options_.limit; ++at, ++count)
          found.emplace_back(pipelines[at].id, std::move(items[at]));
        return count < options_.limit;
      });
    }
    keep_newest(found, [](const auto& one) { return one.first; });
    std::vector<std::string> items;
    items.reserve(found.size());
    for (auto& [id, item] : found) items.push_back(std::move(item));
    say("[" + join(items, ",") + "]\n");
    return exit_success;
  }

  /// Ids grow with time.
  template <typename T, typename Id>
  void keep_newest(std::vector<T>& found, const Id& id) const {
    std::stable_sort(found.begin(), found.end(), [&](const T& a, const T& b) { return id(a) > id(b); });
    if (found.size() > options_.limit) found.resize(options_.limit);
  }

  int print_list(const std::vector<PipelineAnswer>& found) {
    if (options_.common.quiet) {
      for (const PipelineAnswer& pipeline : found) say(std::to_string(pipeline.id) + "\n");
      return exit_success;
    }
    if (found.empty()) print_notice("there are no such pipelines");
    std::vector<std::vector<std::string>> rows;
    rows.reserve(found.size());
    for (const PipelineAnswer& pipeline : found) {
      rows.push_back({std::to_string(pipeline.id), pipeline.project, pipeline.status, pipeline.ref,
                      pipeline.sha.substr(0, kShortCommit), pipeline.source,
                      ago_text(pipeline.created_at, desk_.clock()),
                      took_text(pipeline.started_at, pipeline.finished_at, desk_.clock())});
    }
    const auto right = Column::Align::right;
    say(table_text(desk_.screen(),
                   {{"ID", right},
                    {"PROJECT"},
                    {"STATUS"},
                    {"REF"},
                    {"COMMIT"},
                    {"SOURCE"},
                    {"MADE", right},
                    {"TIME", right}},
                   rows));
    return exit_success;
  }

  const PipelineOptions& options_;
  ClientDesk desk_;
};

}  // namespace

int run_pipeline(const PipelineOptions& options) {
  return PipelineCommand(options).run();
}

}  // namespace runner::cli
