#pragma once
// Whole deployments of a service of a compose file: a real engine, HAProxy, and clients that count.

#include <memory>
#include <string>
#include <vector>

#include "tests/deployments/targets/compose/compose_fixture.h"
#include "tests/deployments/targets/deployment_stage.h"

namespace runner::deployments {

class ComposeStage : public ComposeFixture, protected DeploymentStage {
 protected:
  void build_with(ComposeOptions options, pipelines::DeployStrategy strategy,
                  const std::vector<test::HaproxyServer>& servers) {
    environment_ = project;
    options_ = std::move(options);
    set_stage(top.path(), strategy, servers, std::chrono::milliseconds(60'000));
    spec_.compose.emplace();
  }
  /// Of each port of the list there is a replica.
  ComposeOptions replicas(const std::vector<std::uint16_t>& ports) const {
    ComposeOptions all = options(false);
    all.ports.clear();
    all.replicas = ports;
    return all;
  }

  /// By a target of its own, which knows nothing but what the engine says.
  State carry_out(std::int64_t id, const Release& release) {
    ComposeOptions own = options_;
    own.directory = top.path() / ("life-" + std::to_string(++lives_));
    ComposeTarget target(own);
    return DeploymentStage::carry_out(id, release, target);
  }
  State deploy(const Release& release) { return carry_out(lock(release), release); }

  test::Counts counted_while(const std::function<void()>& act) {
    test::Load clients;
    clients.clients = 4;
    clients.pause = std::chrono::milliseconds(2);
    return DeploymentStage::counted_while(act, clients);
  }

  ComposeOptions options_;

 private:
  int lives_ = 0;
};

}  // namespace runner::deployments
