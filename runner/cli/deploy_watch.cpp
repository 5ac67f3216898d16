#include "runner/cli/deploy_watch.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "runner/base/text.h"
#include "runner/cli/client_times.h"
#include "runner/cli/client_watch.h"
#include "runner/cli/commands.h"
#include "runner/cli/deploy_text.h"
#include "runner/cli/messages.h"
#include "runner/cli/table.h"

namespace runner::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstPause{100}, kLongestPause{1'000};

/// nullopt: it goes on.
std::optional<DeploymentExit> exit_of(const DeploymentAnswer& deployment) {
  struct Known {
    std::string_view state;
    DeploymentExit exit;
  };
  static constexpr Known kKnown[] = {{"succeeded", DeploymentExit::succeeded},
                                     {"failed", DeploymentExit::failed},
                                     {"canceled", DeploymentExit::failed},
                                     {"rolled_back", DeploymentExit::rolled_back},
                                     {"rollback_failed", DeploymentExit::rollback_failed},
                                     {"resolved", DeploymentExit::rollback_failed},
                                     {"rejected", DeploymentExit::refused},
                                     {"expired", DeploymentExit::refused},
                                     {"superseded", DeploymentExit::superseded},
                                     {"waiting_approval", DeploymentExit::waits},
                                     {"paused", DeploymentExit::waits}};
  const auto* found = std::find_if(std::begin(kKnown), std::end(kKnown),
                                   [&](const Known& known) { return known.state == deployment.state; });
  if (found == std::end(kKnown)) return std::nullopt;
  return found->exit;
}

class DeploymentLines {
 public:
  explicit DeploymentLines(const ClientDesk& desk) : desk_(desk) {}

  void show(const DeploymentAnswer& deployment) {
    for (std::size_t at = 0; at < deployment.steps.size(); ++at) {
      const std::string text = step_text(deployment.steps[at]);
      if (at >= told_.size()) told_.emplace_back();
      Told& told = told_[at];
      if (told.text == text) continue;
      // Of what takes no longer than from one look to the next, the end alone is told.
      const bool is_new = !std::exchange(told.seen, true);
      if (is_new && deployment.steps[at].result.empty()) continue;
      told.text = text;
      say("  " + text + "\n");
    }
    if (deployment.state == state_ && deployment.reason == reason_) return;
    state_ = deployment.state;
    reason_ = deployment.reason;
    say(status_text(desk_.screen(), deployment.state) +
        (deployment.reason.empty() ? "" : ": " + printable(deployment.reason)) + "\n");
  }

 private:
  struct Told {
    std::string text;
    bool seen = false;
  };
  const ClientDesk& desk_;
  std::vector<Told> told_;
  std::string state_, reason_;
};

int follow(ClientDesk& desk, std::int64_t id, bool json) {
  const std::string path = "/deployments/" + std::to_string(id);
  DeploymentLines lines(desk);
  milliseconds pause = kFirstPause;
  for (bool first = true;; first = false) {
    const std::string body = ask_patiently(desk, path, first);
    const DeploymentAnswer deployment = read_deployment(body);
    if (!json) lines.show(deployment);
    if (const auto exit = exit_of(deployment)) {
      if (json) say(clean_json(body) + "\n");
      return static_cast<int>(*exit);
    }
    // Whoever read what we say is gone, and so is the reason to ask.
    if (std::ferror(stdout) != 0) return static_cast<int>(DeploymentExit::machinery);
    std::this_thread::sleep_for(pause);
    pause = std::min(pause + pause / 4, kLongestPause);
  }
}

}  // namespace

int watch_deployment(ClientDesk& desk, std::int64_t id, bool json) {
  // The codes of other commands mean something else here.
  try {
    return follow(desk, id, json);
  } catch (const Refused& refused) {
    print_error(refused.what(), refused.help());
    const bool there_is_none = refused.exit_code() == exit_failed;
    return there_is_none ? static_cast<int>(exit_usage) : static_cast<int>(DeploymentExit::not_permitted);
  } catch (const std::exception& error) {
    print_error(error.what(), "");
    return static_cast<int>(DeploymentExit::machinery);
  }
}

}  // namespace runner::cli
