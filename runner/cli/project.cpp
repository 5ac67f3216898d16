#include "runner/cli/project.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::cli {
namespace {

namespace fs = std::filesystem;
using pipelines::PipelineFacts;
using pipelines::RefKind;

// Larger files are read this far and refused by planning with a proper message.
constexpr std::uint64_t kReadLimit = 64U << 20U;

std::optional<std::string> read_regular(const fs::path& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return std::nullopt;
  return read_file(path, kReadLimit);
}

class WorkTreeIncludes final : public pipelines::IncludeReader {
 public:
  explicit WorkTreeIncludes(git::LocalRepository& repository) : repository_(repository) {}

  std::optional<std::string> read_local(std::string_view path) override {
    if (!repository_.commit().empty()) return repository_.committed_file(path);
    return read_regular(repository_.root() / path);
  }

  std::optional<std::string> read_project(std::string_view, std::string_view, std::string_view,
                                          std::string& why) override {
    why = "a local run has no access to other projects";
    return std::nullopt;
  }

  std::optional<std::string> read_remote(std::string_view, std::string& why) override {
    why = "a local run does not fetch files by URL yet";
    return std::nullopt;
  }

 private:
  git::LocalRepository& repository_;
};

class WorkTreeQuestions final : public pipelines::RepositoryReader {
 public:
  WorkTreeQuestions(git::LocalRepository& repository, const PipelineFacts& facts)
      : repository_(repository), facts_(facts) {}

  const std::vector<std::string>& tracked_files() override { return repository_.tracked_files(); }

  std::optional<std::vector<std::string>> changed_files() override {
    const bool counts = facts_.source == "push" || facts_.source == "merge_request_event";
    if (!counts || facts_.ref_kind == RefKind::tag) return std::nullopt;
    return repository_.changed_files();
  }

  std::optional<std::vector<std::string>> changed_since(std::string_view ref) override {
    return repository_.changed_since(ref);
  }

 private:
  git::LocalRepository& repository_;
  const PipelineFacts& facts_;
};

// "https://host[:port]" of a remote; empty when it names no host.
std::string server_of(std::string_view url) {
  const std::size_t scheme = url.find("://");
  std::string_view rest = url;
  std::string_view protocol = "https";
  if (scheme != std::string_view::npos) {
    if (url.starts_with("file:")) return {};
    if (url.starts_with("http:")) protocol = "http";
    rest.remove_prefix(scheme + 3);
    const bool web = url.starts_with("http");
    rest = rest.substr(0, rest.find('/'));
    if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) rest.remove_prefix(at + 1);
    // The port of an ssh remote is not that of the web pages.
    if (!web) rest = rest.substr(0, rest.find(':'));
  } else {
    const std::size_t colon = rest.find(':');
    if (colon == std::string_view::npos || rest.find('/') < colon) return {};
    rest = rest.substr(0, colon);
    if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) rest.remove_prefix(at + 1);
  }
  if (rest.empty()) return {};
  return std::string(protocol) + "://" + std::string(rest);
}

void set_ref(const git::LocalFacts& known, const ExecOptions& options, PipelineFacts& facts) {
  if (options.tag || (!options.branch && known.branch.empty() && !known.tag.empty())) {
    facts.ref_kind = RefKind::tag;
    facts.ref_name = options.tag.value_or(known.tag);
    if (facts.ref_name == known.tag) facts.tag_message = known.tag_message;
    return;
  }
  facts.ref_name = options.branch.value_or(known.branch);
  if (facts.ref_name.empty()) facts.ref_name = known.sha.empty() ? facts.default_branch : "HEAD";
}

void set_project(const git::LocalFacts& known, const fs::path& root, PipelineFacts& facts) {
  const std::string name = root.filename().empty() ? "project" : root.filename().string();
  facts.project_path = known.project_path.empty() ? name : known.project_path;
  if (facts.project_path.find('/') == std::string::npos) facts.project_path = "local/" + facts.project_path;
  facts.project_title = facts.project_path.substr(facts.project_path.rfind('/') + 1);
  if (const std::string server = server_of(known.origin_url); !server.empty()) facts.server_url = server;
  facts.project_url = facts.server_url + "/" + facts.project_path;
  facts.repository_url = known.origin_url.empty() ? root.string() : known.origin_url;
}

void set_user(const git::LocalFacts& known, PipelineFacts& facts) {
  facts.user_name = known.user_name;
  facts.user_email = known.user_email;
  // "Name <mail>": who made the commit is the next best guess at who runs its pipeline.
  const std::string& author = known.commit_author;
  const std::size_t open = author.rfind('<'), close = author.rfind('>');
  if (open != std::string::npos && close != std::string::npos && close > open) {
    if (facts.user_name.empty()) facts.user_name = trim(std::string_view(author).substr(0, open));
    if (facts.user_email.empty()) facts.user_email = author.substr(open + 1, close - open - 1);
  }
  const char* login = std::getenv("USER");
  facts.user_login = login != nullptr && *login != '\0' ? login : "local";
  if (facts.user_name.empty()) facts.user_name = facts.user_login;
  facts.user_id = 1;
}

}  // namespace

Project Project::open(const std::string& commit) {
  if (!commit.empty()) {
    try {
      return Project(git::LocalRepository::open_at(fs::current_path(), commit));
    } catch (const Error& error) {
      // Whoever wrote the command line named something that is not there.
      if (error.code() == ErrorCode::not_found) throw Error(ErrorCode::invalid_input, error.what());
      throw;
    }
  }
  return Project(git::LocalRepository::open(fs::current_path()));
}

std::optional<PipelineFile> Project::find_committed_file(const std::string& given) const {
  PipelineFile file;
  const auto take = [&](const std::string& name) {
    auto text = repository_->committed_file(name);
    if (!text) return false;
    file.name = name;
    file.text = std::move(*text);
    return true;
  };
  if (!given.empty()) {
    const fs::path seen = fs::absolute(given).lexically_normal().lexically_relative(root());
    const bool inside = !seen.empty() && *seen.begin() != "..";
    if ((inside && take(seen.string())) || take(given)) return file;
    return std::nullopt;
  }
  if (take(".runner.yml")) {
    if (repository_->committed_file(".gitlab-ci.yml")) file.notice = "using .runner.yml, not .gitlab-ci.yml";
    return file;
  }
  if (take(".gitlab-ci.yml")) return file;
  return std::nullopt;
}

std::optional<PipelineFile> Project::find_file(const std::string& given) const {
  if (!repository_->commit().empty()) return find_committed_file(given);
  PipelineFile file;
  const auto take = [&](const fs::path& path) {
    auto text = read_regular(path);
    if (!text) return false;
    file.text = std::move(*text);
    std::error_code error;
    const fs::path canonical = fs::canonical(path, error);
    const fs::path relative =
        (error ? path : canonical.parent_path() / path.filename()).lexically_relative(root());
    const bool inside = !relative.empty() && *relative.begin() != "..";
    file.name = inside ? relative.string() : path.string();
    return true;
  };
  if (!given.empty()) {
    if (take(fs::absolute(given).lexically_normal()) || take(root() / given)) return file;
    return std::nullopt;
  }
  std::error_code error;
  for (const char* name : {".runner.yml", ".gitlab-ci.yml"}) {
    if (!take(root() / name)) continue;
    file.name = name;
    if (file.name == ".runner.yml" && fs::exists(root() / ".gitlab-ci.yml", error)) {
      file.notice = "using .runner.yml, not .gitlab-ci.yml";
    }
    return file;
  }
  return std::nullopt;
}

PipelineFacts Project::facts(const ExecOptions& options, const std::string& config_path,
                             std::vector<pipelines::Variable> variables) {
  const git::LocalFacts& known = repository_->facts();
  PipelineFacts facts;
  facts.source = options.source;
  if (!known.default_branch.empty()) facts.default_branch = known.default_branch;
  set_ref(known, options, facts);
  facts.sha = known.sha.empty() ? std::string(40, '0') : known.sha;
  facts.before_sha = repository_->before_sha();
  if (facts.before_sha.empty()) facts.before_sha = std::string(40, '0');
  facts.commit_message = known.commit_message;
  facts.commit_author = known.commit_author;
  facts.commit_timestamp = known.commit_timestamp;
  set_project(known, root(), facts);
  set_user(known, facts);
  facts.created_at = SystemClock().now();
  // Grows from run to run, as jobs that number versions by it expect.
  facts.pipeline_id =
      std::chrono::duration_cast<std::chrono::seconds>(facts.created_at.time_since_epoch()).count();
  facts.pipeline_iid = facts.pipeline_id;
  facts.config_path = config_path;
  facts.variables = std::move(variables);
  facts.explain_rules = options.explain.has_value() || (options.plan && options.json);
  return facts;
}

pipelines::PlanResult Project::plan(const PipelineFile& file, const PipelineFacts& facts) {
  WorkTreeIncludes includes(*repository_);
  WorkTreeQuestions questions(*repository_, facts);
  return pipelines::make_plan(file.name, file.text, facts, includes, questions);
}

std::string no_file_message(const std::string& given) {
  if (!given.empty()) return "no pipeline configuration found: there is no file '" + given + "'";
  return "no pipeline configuration found: there is neither .runner.yml nor .gitlab-ci.yml";
}

}  // namespace runner::cli
