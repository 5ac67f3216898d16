#include "tests/daemon/served.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <stdexcept>

#include "runner/base/text.h"
#include "runner/daemon/data_directory.h"
#include "runner/storage/credential_table.h"
#include "runner/storage/project_table.h"

namespace runner::test {
namespace {

class LauncherEnvironment final : public testing::Environment {
 public:
  void SetUp() override {
    launcher = std::make_unique<executors::Launcher>(executors::Launcher::start(daemon::job_main));
  }
  void TearDown() override { launcher.reset(); }
  static inline std::unique_ptr<executors::Launcher> launcher;
};

const auto* const kEnvironment = testing::AddGlobalTestEnvironment(new LauncherEnvironment);

bool is_over(pipelines::JobStatus status) {
  return is_completed(status) || status == pipelines::JobStatus::manual;
}

}  // namespace

const executors::Launcher& job_launcher() {
  return *LauncherEnvironment::launcher;
}

Served::Served() : repository_(root_.path() / "shop"), data_(root_.path() / "data") {
  make_directories(repository_);
  make_directories(data_);
  store_ = storage::open_file_store(data_ / "runner.db", clock_);
  git("git init -q -b main . && git config user.name Kim && git config user.email kim@example.com");
  options.data = data_;
  options.port = 0;
  options.engine.capacity = 4;
  options.base_environment = {{"PATH", "/usr/bin:/bin"}, {"HOME", root_.path().native()}};
}

std::string Served::git(const std::string& command) const {
  const std::string line = "cd '" + repository_.native() + "' && { " + command + "; } 2>&1";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(line.c_str(), "re"), ::pclose);
  std::string out;
  std::array<char, 4096> buffer{};
  while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe.get()))
    out.append(buffer.data(), got);
  return std::string(trim(out));
}

void Served::write(const std::string& name, std::string_view content) const {
  make_directories((repository_ / name).parent_path());
  write_file_atomic(repository_ / name, content);
}

std::string Served::commit(const std::string& message) const {
  git("git add -A && git commit -q --allow-empty -m '" + message + "'");
  return git("git rev-parse HEAD");
}

storage::ProjectRecord Served::add_project(storage::ProjectRecord project, const std::string& token) {
  if (project.name.empty()) project.name = "shop";
  if (project.url.empty()) project.url = repository_.native();
  if (project.poll_interval == std::chrono::milliseconds(30'000))
    project.poll_interval = std::chrono::milliseconds(50);
  const storage::Sealer sealer = daemon::open_sealer(data_, *store_);
  store_->write([&](storage::Tx& tx) {
    project.id = storage::Projects(tx).insert(project);
    if (token.empty()) return;
    storage::CredentialRecord credential;
    credential.project = project.id;
    credential.username = "ci";
    storage::Credentials(tx, sealer).insert(credential, token);
  });
  return project;
}

void Served::start() {
  daemon_ = std::make_unique<daemon::Daemon>(options, job_launcher());
  end_ = {};
  thread_ = std::thread([this] { daemon_->run(end_.get_token()); });
}

void Served::stop() {
  if (!thread_.joinable()) return;
  end_.request_stop();
  thread_.join();
  daemon_.reset();
}

std::vector<storage::PipelineRecord> Served::pipelines() {
  std::vector<storage::PipelineRecord> found;
  store_->read([&](storage::Tx& tx) { found = storage::Pipelines(tx).list({}, 1000); });
  return {found.rbegin(), found.rend()};
}

std::vector<storage::PipelineRecord> Served::wait_until(
    const std::function<bool(const std::vector<storage::PipelineRecord>&)>& is_so) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    auto found = pipelines();
    if (is_so(found)) return found;
    if (std::chrono::steady_clock::now() > deadline) {
      std::string states;
      for (const auto& pipeline : found) states += " " + std::string(to_string(pipeline.status));
      throw std::runtime_error("it never came to that; pipelines:" + states);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

std::vector<storage::PipelineRecord> Served::wait_for(std::size_t count) {
  return wait_until([count](const auto& found) {
    return found.size() >= count && std::all_of(found.begin(), found.end(), [](const auto& pipeline) {
             return is_over(pipeline.status);
           });
  });
}

std::vector<storage::JobRecord> Served::jobs(std::int64_t pipeline) {
  std::vector<storage::JobRecord> found;
  store_->read([&](storage::Tx& tx) { found = storage::Jobs(tx).of_pipeline(pipeline); });
  return found;
}

std::vector<storage::LogRecord> Served::events() {
  std::vector<storage::LogRecord> found;
  store_->read([&](storage::Tx& tx) { found = storage::EventLog(tx).after(0, 1000); });
  return found;
}

std::string Served::log(const storage::JobRecord& job) const {
  return read_file(data_ / "logs" / std::to_string(job.pipeline) / (std::to_string(job.id) + ".log"))
      .value_or("");
}

}  // namespace runner::test
