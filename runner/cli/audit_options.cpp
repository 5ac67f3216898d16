#include "runner/cli/audit_options.h"

#include "runner/base/text.h"
#include "runner/cli/client_options.h"

namespace runner::cli {

Command audit_command(std::string_view name, const RawArguments& raw) {
  AuditOptions options;
  if (name == "audit export") options.action = AuditAction::export_all;
  if (name == "audit verify") options.action = AuditAction::verify;
  if (name == "audit checkpoint") options.action = AuditAction::checkpoint;
  options.common = client_common(raw);
  if (!raw.positional.empty())
    return UsageError{"unexpected argument " + in_quotes(raw.positional[0]), help_hint(name)};
  if (raw.has("--limit")) {
    const auto limit = parse_integer(raw.last("--limit"));
    if (!limit || *limit < 1 || *limit > 100'000)
      return UsageError{"'--limit " + raw.last("--limit") + "' is no number of records", "write 1 to 100000"};
    options.limit = static_cast<std::size_t>(*limit);
  }
  options.actor = raw.last("--actor");
  options.kind = raw.last("--action");
  options.project = raw.last("--project");
  options.environment = raw.last("--environment");
  options.result = raw.last("--result");
  if (!options.result.empty() && options.result != "allow" && options.result != "deny")
    return UsageError{"unknown result " + in_quotes(options.result), "there are allow and deny"};
  options.file = raw.last("--file");
  options.against = raw.last("--against");
  if (options.file == "-" && options.against == "-")
    return UsageError{"'--file' and '--against' cannot both be standard input", ""};
  return options;
}

}  // namespace runner::cli
