#pragma once
// Whether what was started is fit to be used: one look at a time, with three answers.

#include <chrono>
#include <map>
#include <memory>
#include <stop_token>
#include <string>

#include "deployments/target.h"
#include "pipelines/deploy_spec.h"

namespace runner::deployments {

/// Unknown is no failure and no success: whoever looks looks again, until a deadline.
enum class Verdict : std::uint8_t { pass, fail, unknown };

struct Look {
  Verdict verdict = Verdict::unknown;
  std::string why;  // one line for people, unless it passed
};

/// Any thread; blocks for the probe's timeout at most, and ends early when it is asked to stop.
class Prober {
 public:
  virtual ~Prober() = default;
  /// http or tcp. A refused connection is a failure: it is not up yet.
  virtual Look look(const Endpoint& at, const pipelines::ProbeSpec& probe, std::stop_token stop) = 0;
  /// A URL, by its status.
  virtual Look fetch(const std::string& url, int status_low, int status_high,
                     std::chrono::milliseconds timeout, std::stop_token stop) = 0;
  /// A command on this machine, in the job's workspace. Exit code 75: unknown.
  virtual Look run(const std::string& script, const std::map<std::string, std::string>& env,
                   std::chrono::milliseconds timeout, const TellLine& tell, std::stop_token stop) = 0;
};

}  // namespace runner::deployments
