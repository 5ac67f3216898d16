#include "runner/cli/client_artifact.h"

#include <unistd.h>

#include <algorithm>

#include "runner/base/digest.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"
#include "runner/cli/artifact_files.h"
#include "runner/cli/client_desk.h"
#include "runner/cli/client_server.h"
#include "runner/cli/commands.h"
#include "runner/cli/json_writer.h"
#include "runner/cli/kept_files.h"
#include "runner/cli/messages.h"
#include "runner/cli/table.h"

namespace runner::cli {
namespace {

namespace fs = std::filesystem;

class RemoteArtifact {
 public:
  explicit RemoteArtifact(const ArtifactOptions& options)
      : options_(options),
        desk_(ClientCommon{options.server, options.common.json, options.common.no_color, options.quiet}),
        job_(std::to_string(*options.job_id)),
        path_("/jobs/" + job_ + "/artifacts") {}

  int run() { return options_.action == ArtifactAction::list ? list() : download(); }

 private:
  int list() {
    const std::string body = desk_.ask("GET", path_);
    const std::vector<ArtifactAnswer> found = read_artifacts(body);
    if (options_.common.json) {
      say("[" + join(clean_items(body), ",") + "]\n");
      return exit_success;
    }
    if (options_.quiet) {
      for (const ArtifactAnswer& one : found) say(printable(one.kind) + "\n");
      return exit_success;
    }
    if (found.empty()) print_notice("job " + job_ + " left no artifacts");
    std::vector<std::vector<std::string>> rows;
    rows.reserve(found.size());
    for (const ArtifactAnswer& one : found) {
      rows.push_back({one.kind, one.name, one.files ? std::to_string(*one.files) : "",
                      format_bytes(one.bytes), one.sha256});
    }
    const auto right = Column::Align::right;
    say(table_text(desk_.screen(), {{"KIND"}, {"NAME"}, {"FILES", right}, {"SIZE", right}, {"SHA-256"}},
                   rows));
    return exit_success;
  }

  int download() {
    const std::vector<ArtifactAnswer> all = read_artifacts(desk_.ask("GET", path_));
    const auto found = std::find_if(all.begin(), all.end(),
                                    [&](const ArtifactAnswer& one) { return one.kind == options_.kind; });
    if (found == all.end()) {
      print_error("job " + job_ + " left no " + options_.kind,
                  all.empty() ? "" : "'runner artifact list --job-id " + job_ + "' shows what it left");
      return exit_failed;
    }
    if (options_.output == "-") return to_standard_output(*found);
    // Of the name only one plain word is taken: a server does not choose where we write.
    const std::string own_name = plain_file_name(found->name.empty() ? options_.kind : found->name);
    fs::path target = options_.output.empty() ? fs::path(own_name) : options_.output;
    std::error_code error;
    if (fs::is_directory(target, error)) target /= own_name;
    const bool named = target == options_.output;
    if (!named && !options_.overwrite && fs::exists(fs::symlink_status(target, error))) {
      print_error(in_quotes(target.native()) + " exists", "name another with -o, or add --overwrite");
      return exit_failed;
    }
    if (!write_whole(target, [&](int fd) { return fetch(*found, fd); })) return tell_damaged();
    tell(*found, target);
    return exit_success;
  }

  /// What was written cannot be taken back, so it is all here before any of it goes.
  int to_standard_output(const ArtifactAnswer& artifact) {
    const TempDir place("runner-download-");
    const fs::path file = place.path() / "archive";
    if (!write_whole(file, [&](int fd) { return fetch(artifact, fd); })) return tell_damaged();
    return write_verified(file, artifact.sha256, STDOUT_FILENO) ? exit_success : tell_damaged();
  }

  /// False when it is not what the server said it would be.
  bool fetch(const ArtifactAnswer& artifact, int fd) {
    Sha256 digest;
    std::uint64_t size = 0;
    const auto sink = [&](std::string_view bytes) {
      // Longer than it should be is damaged already, and may never end.
      size += bytes.size();
      if (size > artifact.bytes) return false;
      digest.update(bytes);
      write_all(fd, bytes);
      return true;
    };
    ApiResponse answer;
    const StreamEnd end = desk_.client().stream(path_ + "/" + options_.kind,
                                                {{"Accept", "application/octet-stream, */*"}}, sink, answer);
    if (answer.status < 200 || answer.status > 299) throw refusal_of(answer, desk_.client().endpoint());
    if (end == StreamEnd::broken)
      throw Error(ErrorCode::unavailable, "the connection to " + in_quotes(desk_.client().endpoint().shown) +
                                              " broke after " + format_bytes(size) + "; try again");
    return end == StreamEnd::complete && size == artifact.bytes && digest.finish_hex() == artifact.sha256;
  }

  int tell_damaged() const {
    print_error("the " + options_.kind + " of job " + job_ +
                    " is damaged: what came has not the size and the SHA-256 that the server names",
                "try again; if that does not help, run the job again");
    return exit_failed;
  }

  void tell(const ArtifactAnswer& artifact, const fs::path& target) const {
    if (!options_.common.json) {
      say(target.string() + ": " + format_bytes(artifact.bytes) + " of job " + job_ + "\n");
      return;
    }
    std::string out;
    JsonWriter json([&](std::string_view text) { out += text; });
    json.begin_object().member("name", artifact.name).member("kind", artifact.kind);
    json.member("bytes", artifact.bytes).member("files", artifact.files).member("sha256", artifact.sha256);
    json.member("downloaded_to", fs::absolute(target).string()).end_object().flush();
    say(out + "\n");
  }

  const ArtifactOptions& options_;
  ClientDesk desk_;
  std::string job_, path_;
};

}  // namespace

bool is_remote(const ArtifactOptions& options) {
  if (options.job_id || !options.server.url.empty()) return true;
  // Only these two ask servers; the others are of local runs, whatever the environment says.
  const bool may_ask = options.action == ArtifactAction::list || options.action == ArtifactAction::download;
  return may_ask && names_server(options.server);
}

int run_remote_artifact(const ArtifactOptions& options) {
  if (!options.job_id) {
    print_error("no job given: a server has its artifacts by job",
                options.server.url.empty()
                    ? "add --job-id N; RUNNER_URL names a server, --data DIR or unsetting it "
                      "means those of local runs"
                    : "add --job-id N; 'runner pipeline show' shows the ids of its jobs");
    return exit_usage;
  }
  // As the local ones: -C before anything else.
  enter_directory(options.common.directory);
  return RemoteArtifact(options).run();
}

}  // namespace runner::cli
