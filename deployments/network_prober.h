#pragma once
// Looks at what was deployed from this machine, over the network.

#include <filesystem>

#include "deployments/probe.h"

namespace runner::deployments {

/// Any thread.
class NetworkProber final : public Prober {
 public:
  /// `workspace`: where commands run.
  explicit NetworkProber(std::filesystem::path workspace) : workspace_(std::move(workspace)) {}

  Look look(const Endpoint& at, const pipelines::ProbeSpec& probe, std::stop_token stop) override;
  Look fetch(const std::string& url, int status_low, int status_high, std::chrono::milliseconds timeout,
             std::stop_token stop) override;
  Look run(const std::string& script, const std::map<std::string, std::string>& env,
           std::chrono::milliseconds timeout, const TellLine& tell, std::stop_token stop) override;

 private:
  std::filesystem::path workspace_;
};

}  // namespace runner::deployments
