#pragma once
// `runner serve`: everything together. One per data directory.
//
// Threads: the caller's is the engine; a few look at repositories; the HTTP server has its own; housekeeping
// of layers one, and one tells forges of commits. Jobs are processes of their own (job_process.h).

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "cache/workspace.h"
#include "executors/launcher.h"
#include "runner/daemon/commit_statuses.h"
#include "runner/daemon/config_file.h"
#include "runner/daemon/project_watch.h"
#include "runner/daemon/retention.h"
#include "runner/engine/engine.h"
#include "runner/http/server.h"

namespace runner::daemon {

struct DaemonOptions {
  std::filesystem::path data;  // absolute
  std::string address = "127.0.0.1";
  std::uint16_t port = 8080;  // 0 = any that is free
  std::optional<http::TlsFiles> tls;
  engine::EngineOptions engine;  // data_dir and durable are set here
  cache::MountMode mount_mode = cache::MountMode::copy;
  std::map<std::string, std::string> base_environment;  // jobs start from it
  WatchOptions watch;
  RetentionOptions retention;
  StatusOptions statuses;
  bool shell_only = false;  // jobs that want an image run in the shell of this machine; else they are refused
  std::string version, commit;       // of the program
  std::optional<ConfigFile> config;  // its projects and schedules; of the server itself the options above say
  std::set<std::string> overridden;  // keys of the file that count less than what the command line says
};

class Daemon {
 public:
  /// Takes the data directory, opens what is in it, and goes on with what was under way. The launcher's main
  /// is job_main() and it outlives the daemon. Throws Error: {conflict} when another daemon has the
  /// directory.
  Daemon(DaemonOptions options, const executors::Launcher& launcher);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  /// Where it listens: "127.0.0.1:8080".
  std::string address() const;
  const std::filesystem::path& socket() const;
  /// Called by run() once requests are answered.
  void on_ready(std::function<void()> told);
  /// Reads the configuration file again. Blocks on the disk and the store. Any thread, while run() runs.
  void reload() noexcept;
  /// Until `stop`; then nothing new is taken, and what runs is left to the next daemon. Throws Error when it
  /// cannot go on.
  void run(const std::stop_token& stop);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// What a process of a job does (executors::ForkedMain).
void job_main(const executors::AwaitWork& next);

}  // namespace runner::daemon
