#pragma once
// nginx on this machine, by a file of its servers and a reload (ngx_http_upstream_module). Its configuration
// has   upstream shop { include FILE; }   and we write all of FILE.
//
// A reload ends connections that are kept alive and idle: a client that sends on one of them at that moment
// gets no answer, about once for each such connection and reload. HAProxy loses nothing; prefer it.

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "deployments/balancer.h"

namespace runner::deployments {

struct NginxOptions {
  std::filesystem::path file;              // in a directory where we may make files
  std::map<Place, std::string> addresses;  // HOST:PORT or unix:PATH of each server
  std::vector<std::string> test = {"nginx", "-t"};
  std::vector<std::string> reload = {"nginx", "-s", "reload"};
  std::chrono::milliseconds timeout{30'000};  // of each of them
  /// nginx's own; by it we see when the workers of before the reload have ended. "": `settle` is waited.
  std::filesystem::path pid_file;
  std::chrono::milliseconds settle{10'000};
};

class NginxBalancer final : public Balancer {
 public:
  /// Throws Error{invalid_input}. Reaches nothing.
  explicit NginxBalancer(NginxOptions options);

  bool has_weights() const override { return true; }
  bool has_counters() const override { return false; }
  /// What we wrote; a server that is not in the file is `out`. Throws Error{not_found} for a place without an
  /// address, {corrupt} when somebody else wrote the file.
  std::map<Place, ServerState> observe(const std::vector<Place>& places, std::stop_token stop) override;
  /// One test and one reload, and none when nothing changes. When either fails, the file is again what it
  /// was: Error{conflict} with nginx's words.
  void set(const std::map<Place, ServerState>& states, std::stop_token stop) override;
  /// Whether the workers from before the reload have ended, or `settle` has passed.
  bool wait_drained(const std::vector<Place>& places, std::chrono::milliseconds patience,
                    std::stop_token stop) override;
  /// Throws Error{conflict}: it counts nothing.
  std::map<Place, ServerCounters> counters(const std::vector<Place>& places, std::stop_token stop) override;

 private:
  std::map<Place, ServerState> read() const;
  const std::string& address_of(const Place& place) const;
  std::filesystem::path pending() const;
  void run(const std::vector<std::string>& argv, const std::stop_token& stop) const;
  bool has_old_workers() const;

  NginxOptions options_;
};

}  // namespace runner::deployments
