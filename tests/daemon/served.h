#pragma once
// A daemon in this process, with a repository of its own.

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "executors/launcher.h"
#include "runner/base/files.h"
#include "runner/daemon/daemon.h"
#include "runner/storage/event_table.h"
#include "runner/storage/store.h"
#include "runner/storage/tables.h"

namespace runner::test {

/// Of the test program; its processes of jobs are real ones.
const executors::Launcher& job_launcher();

class Served {
 public:
  Served();
  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;
  ~Served() { stop(); }

  // The repository, on branch main.
  /// A command of bash in it; what it printed.
  std::string git(const std::string& command) const;
  void write(const std::string& name, std::string_view content) const;
  /// Commits everything; the id.
  std::string commit(const std::string& message = "a change") const;
  const std::filesystem::path& repository() const { return repository_; }

  // The server.
  storage::ProjectRecord add_project(storage::ProjectRecord project = {}, const std::string& token = {});
  void start();
  void stop();
  bool running() const { return daemon_ != nullptr; }
  daemon::Daemon& daemon() { return *daemon_; }
  storage::Store& store() { return *store_; }
  const std::filesystem::path& data() const { return data_; }
  daemon::DaemonOptions options;
  std::chrono::minutes patience{1};  // of those that wait

  // What is in its store.
  /// Waits until `is_so` of the pipelines, newest last. Throws when `patience` is over.
  std::vector<storage::PipelineRecord> wait_until(
      const std::function<bool(const std::vector<storage::PipelineRecord>&)>& is_so);
  /// Waits until there are `count` pipelines and all are over, or wait for a person.
  std::vector<storage::PipelineRecord> wait_for(std::size_t count);
  std::vector<storage::PipelineRecord> pipelines();
  std::vector<storage::JobRecord> jobs(std::int64_t pipeline);
  std::vector<storage::LogRecord> events();
  std::string log(const storage::JobRecord& job) const;

 private:
  TempDir root_{"runner-served-"};
  std::filesystem::path repository_, data_;
  SystemClock clock_;
  std::unique_ptr<storage::Store> store_;
  std::unique_ptr<daemon::Daemon> daemon_;
  std::stop_source end_;
  std::thread thread_;
};

}  // namespace runner::test
