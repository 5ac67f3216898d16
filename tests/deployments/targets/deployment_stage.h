#pragma once
// Whole deployments on real parts, whatever their target is: a journal, HAProxy before the servers, and
// clients that count every answer they do not get. A part of fixtures.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "deployments/balancers/haproxy.h"
#include "deployments/driver.h"
#include "deployments/network_prober.h"
#include "runner/base/failpoint.h"
#include "runner/base/files.h"
#include "runner/storage/deployment_table.h"
#include "tests/support/deploy_hosts.h"
#include "tests/support/load_generator.h"

namespace runner::deployments {

class DeploymentStage {
 protected:
  /// What a deployer that dies throws: nothing catches it.
  struct Killed {};

  /// `directory` is for its files, which may be there already.
  void set_stage(const std::filesystem::path& directory, pipelines::DeployStrategy strategy,
                 const std::vector<runner::test::HaproxyServer>& servers,
                 std::chrono::milliseconds patience) {
    using std::chrono::milliseconds;
    directory_ = directory;
    spec_.strategy.type = strategy;
    spec_.strategy.interval = milliseconds(200);
    spec_.strategy.unknown = 10'000;  // a slow machine asks little: nobody is here to be asked
    spec_.health.kind = pipelines::ProbeKind::http;
    spec_.health.path = "/ready";
    spec_.health.status_high = 299;
    spec_.health.interval = milliseconds(100);
    spec_.health.deadline = patience;
    spec_.health.successes = 2;
    spec_.drain_timeout = milliseconds(20'000);
    spec_.stop_grace = milliseconds(5'000);
    haproxy_.emplace(directory / "haproxy", servers);
    balancer_.emplace(HaproxyOptions{{haproxy_->socket()}, "shop", "", milliseconds(5000)});
    store_ = storage::open_file_store(directory / "db", clock_);
  }

  std::int64_t lock(const Release& release) {
    std::int64_t id = 0;
    store_->write([&](storage::Tx& tx) {
      storage::Environments environments(tx);
      const auto environment = environments.of("shop", environment_, clock_.now());
      storage::DeploymentRecord record;
      record.environment = environment.id;
      record.kind = "deploy";
      record.state = to_string(State::locked);
      record.release = release.id;
      record.created_at = clock_.now();
      record.locked_at = clock_.now();
      record = storage::Deployments(tx).insert(record);
      record.fence = environments.lock(environment.id, record.id).value();
      storage::Deployments(tx).replace(record);
      id = record.id;
    });
    return id;
  }
  /// As whoever goes on with it does.
  void take_again(std::int64_t id, std::int64_t at_least = 0) {
    store_->write([&](storage::Tx& tx) {
      auto record = storage::Deployments(tx).find(id).value();
      record.fence = storage::Environments(tx).lock(record.environment, id, at_least).value();
      storage::Deployments(tx).replace(record);
    });
  }

  State carry_out(std::int64_t id, const Release& release, Target& target) {
    DeployOrder order;
    order.spec = spec_;
    order.release = release;
    order.environment = "shop/" + environment_;
    NetworkProber prober(directory_);
    const TellLine tell = [this](const std::string& unit, std::string_view line) {
      const std::lock_guard lock(said_lock_);
      said_ += (unit.empty() ? "" : unit + ": ") + std::string(line) + "\n";
    };
    const DriverParts parts{target, &*balancer_, prober, *store_,
                            clock_, tell,        {},     std::chrono::milliseconds(50)};
    drive(id, order, parts, {});
    store_->read([&](storage::Tx& tx) { last_ = storage::Deployments(tx).find(id).value(); });
    return parse_state(last_.state).value();
  }

  /// The life that `act` is ends at the boundary with this number, from 1, of those whose names begin so.
  /// False: it came to its end before.
  static bool dies_at(int number, std::string_view which, const std::function<void()>& act) {
    set_failpoint_handler([&number, which](std::string_view name) {
      if (name.starts_with(which) && --number == 0) throw Killed();
    });
    bool died = false;
    try {
      act();
    } catch (const Killed&) {
      died = true;
    }
    set_failpoint_handler({});
    return died;
  }

  /// What clients see meanwhile, who were there before and are there after.
  runner::test::Counts counted_while(const std::function<void()>& act, runner::test::Load clients = {}) {
    clients.port = haproxy_->port();
    runner::test::LoadGenerator load(clients);
    load.wait_for_ok(200);
    act();
    load.wait_for_ok(200);
    runner::test::Counts counts = load.stop();
    std::printf("%s: %s\n", ::testing::UnitTest::GetInstance()->current_test_info()->name(),
                counts.text().c_str());
    return counts;
  }

  std::string environment_ = "production";
  SystemClock clock_;
  pipelines::DeploySpec spec_;
  std::optional<runner::test::RealHaproxy> haproxy_;
  std::optional<HaproxyBalancer> balancer_;
  std::unique_ptr<storage::Store> store_;
  storage::DeploymentRecord last_;
  std::string said_;

 private:
  std::filesystem::path directory_;
  std::mutex said_lock_;
};

}  // namespace runner::deployments
