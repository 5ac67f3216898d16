#pragma once
// The API behind a real server, with a store in memory, files in a directory of its own, and actions that are
// only written down.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json_fwd.hpp>

#include "runner/api/api.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/synchronized.h"
#include "runner/http/server.h"
#include "runner/storage/access_table.h"
#include "runner/storage/records.h"
#include "tests/http/client.h"

namespace runner::api {

/// Stands still until it is moved.
class FakeClock final : public Clock {
 public:
  TimePoint now() const override { return TimePoint(std::chrono::milliseconds(now_)); }
  SteadyPoint steady_now() const override { return SteadyPoint(std::chrono::milliseconds(steady_)); }
  void set(TimePoint now) { now_ = now.time_since_epoch().count(); }
  void pass(std::chrono::milliseconds time) {
    now_ += time.count();
    steady_ += time.count();
  }

 private:
  std::atomic<std::int64_t> now_ = 1'771'844'400'123;  // 23 February 2026, 11:00:00.123 UTC
  std::atomic<std::int64_t> steady_ = 1'000'000;
};

class FakeActions final : public Actions {
 public:
  std::int64_t start_pipeline(const storage::ProjectRecord& project, const StartRequest& request) override;
  void cancel_pipeline(std::int64_t pipeline) override {
    note("cancel pipeline " + std::to_string(pipeline));
  }
  void retry_pipeline(std::int64_t pipeline) override { note("retry pipeline " + std::to_string(pipeline)); }
  void play_job(std::int64_t pipeline, std::size_t index) override;
  void cancel_job(std::int64_t pipeline, std::size_t index) override;
  ReachReport test_project(const storage::ProjectRecord& project) override;
  void set_resource_mode(const storage::ProjectRecord& project, const std::string& group,
                         engine::ResourceMode mode) override {
    note("mode of " + project.name + " " + group + " " + std::string(to_string(mode)));
  }
  std::optional<LookReport> last_look(std::int64_t) override { return look; }
  void projects_changed() override { note("projects changed"); }
  void schedules_changed() override { note("schedules changed"); }
  void environments_changed() override { note("environments changed"); }
  std::optional<DeploymentWork> deployment_work(const storage::DeploymentRecord& deployment,
                                                const deployments::Snapshot& before) override;
  git::CommitRange commits_between(const storage::ProjectRecord& project, const std::string& from,
                                   const std::string& to, std::size_t limit) override;
  void delivery_stored(std::int64_t project) override { note("delivery " + std::to_string(project)); }
  std::string refuses_work() override { return *refusal.lock(); }
  HealthAnswer health(const HealthQuestion& question) override;
  std::string metrics() override { return "runner_ready 1\n"; }

  /// What was done since the last call, in order.
  std::vector<std::string> take();

  std::function<std::int64_t(const storage::ProjectRecord&, const StartRequest&)> start;
  ReachReport reach;
  std::optional<LookReport> look;
  Synchronized<std::map<std::int64_t, DeploymentWork>> works;                            // by deployment
  Synchronized<std::map<std::pair<std::string, std::string>, git::CommitRange>> ranges;  // from, to
  Synchronized<std::vector<deployments::Snapshot>> befores;  // that were asked with
  Synchronized<std::string> refusal;
  Synchronized<HealthAnswer> how_it_is;
  Synchronized<std::vector<HealthQuestion>> health_questions;

 private:
  void note(std::string call) { calls_.lock()->push_back(std::move(call)); }
  Synchronized<std::vector<std::string>> calls_;
};

class FakeKeys final : public KeyActions {
 public:
  DataKeyReport data_keys() override { return *report.lock(); }
  std::string change_data_key() override;
  void remove_data_key(const std::string& id) override;

  Synchronized<DataKeyReport> report;
};

struct Asked {
  int status = 0;
  std::map<std::string, std::string> headers;
  std::string body;

  nlohmann::json json() const;
  /// Of a problem: the fields it complains of.
  std::vector<std::string> fields() const;
};

/// Users "vera" (viewer), "dora" (developer), "anna" (admin) with a token each; project "shop".
class ApiTest : public ::testing::Test {
 protected:
  ApiTest();
  ~ApiTest() override;

  http::testing::Client connect() const { return http::testing::Client::tcp(server_->port()); }
  /// One request on a connection of its own. Every answer is checked against the OpenAPI document.
  Asked ask(const std::string& method, const std::string& path, const std::string& body = {},
            const std::string& who = "anna");
  Asked ask_with(const std::string& method, const std::string& path, const std::string& fields,
                 const std::string& body = {});
  /// The header line with the token of a user, or with `who` as the token itself; "" for nobody.
  std::string shown(const std::string& who) const;

  std::int64_t add_user(const std::string& name, storage::Role role);
  std::string add_token(std::int64_t user, storage::Role role);
  std::int64_t add_project(const std::string& name);
  std::int64_t add_pipeline(pipelines::JobStatus status = pipelines::JobStatus::running,
                            const std::string& ref = "main", const std::string& source = "push");
  storage::JobRecord add_job(std::int64_t pipeline, std::size_t index, pipelines::JobStatus status,
                             int attempt = 1);
  /// Changes the row, and tells nobody.
  void set_status(const storage::JobRecord& job, pipelines::JobStatus status);
  void append_log(const storage::JobRecord& job, const std::string& text);
  void append_event(const std::string& kind, const std::string& payload,
                    std::optional<std::int64_t> project = {}, std::optional<std::int64_t> pipeline = {});

  TempDir dir_{"api-test-"};
  FakeClock clock_;
  std::unique_ptr<storage::Store> store_;
  storage::Sealer sealer_;
  const storage::AuditKey audit_key_{storage::Secret::copy_of(std::string(storage::kDataKeySize, 'a'))};
  FakeActions actions_;
  FakeKeys keys_;
  std::map<std::string, std::string> tokens_;
  std::map<std::string, std::int64_t> users_;
  std::int64_t shop_ = 0;
  std::unique_ptr<Api> api_;
  std::vector<http::RouteInfo> routes_;
  std::unique_ptr<http::Server> server_;
};

struct SentEvent {
  std::string type, id, data;
};

/// Reads an event stream.
class EventReader {
 public:
  EventReader(http::testing::Client client, const std::string& path, const std::string& fields);
  int status() const { return status_; }
  /// nullopt: the stream ended.
  std::optional<SentEvent> next();

 private:
  http::testing::Client client_;
  int status_ = 0;
  std::string text_;
};

}  // namespace runner::api
