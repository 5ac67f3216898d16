#include <cstdio>

#include "runner/cli/commands.h"
#include "runner/cli/json_writer.h"
#include "runner/cli/messages.h"
#include "runner/cli/project.h"

namespace runner::cli {
namespace {

std::string_view severity_text(pipelines::Severity severity) {
  switch (severity) {
    case pipelines::Severity::error:
      return "error";
    case pipelines::Severity::warning:
      return "warning";
    case pipelines::Severity::notice:
      break;
  }
  return "notice";
}

void write_range(JsonWriter& json, const pipelines::PlanResult& result, const pipelines::SourceRange& where) {
  const bool known = where.known() && result.sources;
  json.key("file");
  if (known) {
    json.value(result.sources->name(where.file));
  } else {
    json.null();
  }
  json.member("line", std::uint64_t{where.line}).member("column", std::uint64_t{where.column});
  json.member("end_line", std::uint64_t{where.end_line})
      .member("end_column", std::uint64_t{where.end_column});
}

void print_json(const pipelines::PlanResult& result) {
  JsonWriter json([](std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); });
  json.begin_array();
  for (const pipelines::Diagnostic& found : result.diagnostics.sorted()) {
    json.begin_object();
    write_range(json, result, found.where);
    json.key("severity").value(severity_text(found.severity));
    json.member("id", found.id).member("message", found.message).member("help", found.help);
    json.key("notes").begin_array();
    for (const pipelines::DiagnosticNote& note : found.notes) {
      json.begin_object();
      write_range(json, result, note.where);
      json.member("message", note.message).end_object();
    }
    json.end_array().end_object();
  }
  json.end_array().flush();
  std::fputs("\n", stdout);
}

}  // namespace

int run_lint(const LintOptions& options) {
  enter_directory(options.directory);
  Project project = Project::open();
  const auto file = project.find_file(options.file);
  if (!file) {
    print_error(no_file_message(options.file));
    return exit_usage;
  }
  if (!file->notice.empty()) print_notice(file->notice);
  const pipelines::PlanResult result = project.plan(*file, project.facts(ExecOptions{}, file->name, {}));
  if (options.json) {
    print_json(result);
  } else {
    print_diagnostics(result, options.no_color, true);
  }
  return result.diagnostics.has_errors() ? exit_usage : exit_success;
}

}  // namespace runner::cli
