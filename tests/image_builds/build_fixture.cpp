#include "tests/image_builds/build_fixture.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <map>

#include "runner/base/base64.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::builds::testing {
namespace {

namespace fs = std::filesystem;

struct EndEngines : ::testing::Environment {
  void TearDown() override { test::RealEngine::end_shared(); }
};

const auto* const kEndEngines = ::testing::AddGlobalTestEnvironment(new EndEngines);

std::map<std::string, test::RealEngine::TlsRegistry>& registries() {
  static std::map<std::string, test::RealEngine::TlsRegistry> all;
  return all;
}

std::string fetched(const std::string& command) {
  std::string text;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return text;
  std::array<char, 4096> buffer{};
  for (std::size_t got = 0; (got = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
    text.append(buffer.data(), got);
  ::pclose(pipe);
  return text;
}

}  // namespace

std::string Ended::output(const std::string& name) const {
  for (const auto line : split(std::string_view(outputs), '\n'))
    if (line.starts_with(name + "=")) return std::string(line.substr(name.size() + 1));
  return "";
}

Running::Running(const std::vector<std::string>& argv, fs::path dir, const fs::path& cwd)
    : dir_(std::move(dir)) {
  Pipe out = make_pipe();
  posix_spawn_file_actions_t actions{};
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out.write.get(), 1);
  posix_spawn_file_actions_adddup2(&actions, out.write.get(), 2);
  posix_spawn_file_actions_addchdir_np(&actions, cwd.c_str());
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  const int error = ::posix_spawnp(&pid_, words[0], &actions, nullptr, words.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw_errno(error, "cannot start " + argv[0]);
  output_ = std::move(out.read);
}

Running::~Running() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

bool Running::read_more() {
  std::array<char, 4096> piece{};
  ssize_t got = 0;
  do got = ::read(output_.get(), piece.data(), piece.size());
  while (got < 0 && errno == EINTR);
  if (got > 0) log_.append(piece.data(), static_cast<std::size_t>(got));
  return got > 0;
}

bool Running::wait_for(const std::string& text) {
  while (log_.find(text) == std::string::npos)
    if (!read_more()) return false;
  return true;
}

Ended Running::wait() {
  while (read_more()) {
  }
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), log_, read_build_verdict(dir_),
          read_file(dir_ / kOutputsFile).value_or("")};
}

void BuildFixture::SetUp() {
  if (const std::string missing = test::RealEngine::missing(GetParam()); !missing.empty())
    GTEST_SKIP() << missing;
  engine_ = &test::RealEngine::shared(GetParam());
  engine_->load("box:latest");
  if (registries().count(GetParam()) == 0)
    registries()[GetParam()] = engine_->start_tls_registry(kUser, kPassword);
  api_.emplace(engine_->socket());
  make_directories(workspace());
}

const std::string& BuildFixture::host() const {
  return registries().at(GetParam()).host;
}

void BuildFixture::put(const std::string& path, const std::string& content) const {
  make_directories((workspace() / path).parent_path());
  write_file_atomic(workspace() / path, content, 0644, false);
}

BuildRequest BuildFixture::request(const std::string& name) const {
  BuildRequest told;
  told.workspace = workspace();
  told.tags = {host() + "/" + name + ":main"};
  told.push = true;
  told.engine = GetParam() == std::string("podman") ? EngineKind::podman : EngineKind::docker;
  told.socket = engine_->socket();
  told.auth_configs = {R"({"auths": {")" + host() + R"(": {"auth": ")" +
                       to_base64(std::string(kUser) + ":" + kPassword) + R"("}}})"};
  told.authorities = {{host(), registries().at(GetParam()).directory / "ca.pem"}};
  told.revision = "0123456789";
  told.source = "https://git.example/shop";
  told.version = "main";
  told.created = 1700000000;
  return told;
}

std::unique_ptr<Running> BuildFixture::start(const BuildRequest& request) {
  const fs::path dir = dir_.path() / ("build-" + std::to_string(++builds_));
  make_directories(dir, 0700);
  write_build_request(dir, request);
  std::vector<std::string> argv = engine_->in_network();
  argv.insert(argv.end(), {RUNNER_BINARY, kImageBuildWord, dir.native()});
  return std::make_unique<Running>(argv, dir, workspace());
}

std::string BuildFixture::push_base(const std::string& content) {
  engine().load("base-" + content + ":latest", R"({"Env": ["BASE=)" + content + R"("]})");
  const auto name = registry::parse_reference(host() + "/base:1");
  api().tag("base-" + content + ":latest", name, {});
  return api().push(name, registry::Login{kUser, kPassword, ""}, {});
}

std::size_t BuildFixture::asked(const std::string& text) const {
  const std::string log = read_file(registries().at(GetParam()).directory / "log").value_or("");
  std::size_t count = 0;
  // An access log has each request once with this begin.
  for (std::size_t at = log.find("\"" + text); at != std::string::npos; at = log.find("\"" + text, at + 1))
    ++count;
  return count;
}

bool BuildFixture::registry_holds(const std::string& text) const {
  const std::string data = (registries().at(GetParam()).directory / "data").native();
  return !output_of("find " + shell_quote(data) +
                    " -type f -name data | while read -r f; do zcat -f \"$f\" | grep -qaF " +
                    shell_quote(text) + " && echo \"$f\"; done")
              .empty();
}

std::string BuildFixture::digest_of(const std::string& image) const {
  const auto name = registry::parse_reference(image);
  const fs::path link = registries().at(GetParam()).directory / "data/docker/registry/v2/repositories" /
                        name.path / "_manifests/tags" / name.tag / "current/link";
  return read_file(link).value_or("");
}

std::string BuildFixture::output_of(const std::string& command) {
  return fetched(command);
}

}  // namespace runner::builds::testing
