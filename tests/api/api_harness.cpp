#include "tests/api/api_harness.h"

#include <fcntl.h>

#include <nlohmann/json.hpp>

#include "runner/base/text.h"
#include "runner/storage/access_token.h"
#include "runner/storage/event_table.h"
#include "runner/storage/tables.h"
#include "tests/api/schema_check.h"

namespace runner::api {

using http::testing::Client;
using storage::Role;

std::int64_t FakeActions::start_pipeline(const storage::ProjectRecord& project, const StartRequest& request) {
  std::string call =
      "start " + project.name + " '" + request.ref + "' by " + request.started_by + " from " + request.source;
  for (const auto& [name, value] : request.variables) call.append(" ").append(name).append("=").append(value);
  if (request.priority) call += " priority " + std::to_string(*request.priority);
  note(call);
  return start(project, request);
}

void FakeActions::play_job(std::int64_t pipeline, std::size_t index) {
  note("play " + std::to_string(pipeline) + "/" + std::to_string(index));
}

void FakeActions::cancel_job(std::int64_t pipeline, std::size_t index) {
  note("cancel " + std::to_string(pipeline) + "/" + std::to_string(index));
}

std::optional<DeploymentWork> FakeActions::deployment_work(const storage::DeploymentRecord& deployment,
                                                           const deployments::Snapshot& before) {
  befores.lock()->push_back(before);
  auto known = works.lock();
  const auto found = known->find(deployment.id);
  return found == known->end() ? std::nullopt : std::optional(found->second);
}

git::CommitRange FakeActions::commits_between(const storage::ProjectRecord&, const std::string& from,
                                              const std::string& to, std::size_t) {
  auto known = ranges.lock();
  const auto found = known->find({from, to});
  return found == known->end() ? git::CommitRange() : found->second;
}

ReachReport FakeActions::test_project(const storage::ProjectRecord& project) {
  note("test " + project.name);
  return reach;
}

HealthAnswer FakeActions::health(const HealthQuestion& question) {
  health_questions.lock()->push_back(question);
  return *how_it_is.lock();
}

std::vector<std::string> FakeActions::take() {
  return std::exchange(*calls_.lock(), {});
}

nlohmann::json Asked::json() const {
  return nlohmann::json::parse(body);
}

std::vector<std::string> Asked::fields() const {
  std::vector<std::string> names;
  const nlohmann::json problem = json();
  for (const auto& error : problem.value("errors", nlohmann::json::array()))
    names.push_back(error.at("field"));
  return names;
}

std::string FakeKeys::change_data_key() {
  auto locked = report.lock();
  for (DataKeyReport::Key& key : locked->keys) key.seals = false;
  const std::string id = "key" + std::to_string(locked->keys.size() + 1);
  locked->keys.insert(locked->keys.begin(), {id, TimePoint(), true, 0});
  locked->renewing = true;
  return id;
}

void FakeKeys::remove_data_key(const std::string& id) {
  auto locked = report.lock();
  for (auto key = locked->keys.begin(); key != locked->keys.end(); ++key) {
    if (key->id != id) continue;
    if (key->seals || key->values > 0) throw Error(ErrorCode::conflict, "it is needed");
    locked->keys.erase(key);
    return;
  }
  throw Error(ErrorCode::not_found, "there is no data key '" + id + "'");
}

ApiTest::ApiTest()
    : store_(storage::make_memory_store(clock_)),
      sealer_(storage::Secret::copy_of(std::string(storage::kDataKeySize, 'k'))) {
  for (const auto& [name, role] : std::map<std::string, Role>{
           {"vera", Role::viewer}, {"dora", Role::developer}, {"anna", Role::admin}}) {
    users_[name] = add_user(name, role);
    tokens_[name] = add_token(users_[name], role);
  }
  shop_ = add_project("shop");
  api_ = std::make_unique<Api>(ApiParts{.store = *store_,
                                        .sealer = sealer_,
                                        .audit_key = audit_key_,
                                        .clock = clock_,
                                        .actions = actions_,
                                        .keys = keys_,
                                        .data_dir = dir_.path(),
                                        .version = "1.2.3",
                                        .commit = "abc"});
  actions_.start = [this](const storage::ProjectRecord&, const StartRequest& request) {
    return add_pipeline(pipelines::JobStatus::created, request.ref, request.source);
  };
  http::Router router;
  api_->add_routes(router);
  routes_ = router.table();
  server_ = std::make_unique<http::Server>(
      http::ServerOptions{.tcp = {{}}, .unix_sockets = {{.path = dir_.path() / "socket"}}},
      std::move(router));
  server_->start();
}

ApiTest::~ApiTest() {
  server_.reset();
  api_.reset();
}

std::string ApiTest::shown(const std::string& who) const {
  if (who.empty()) return {};
  const auto found = tokens_.find(who);
  return "Authorization: Bearer " + (found == tokens_.end() ? who : found->second) + "\r\n";
}

Asked ApiTest::ask(const std::string& method, const std::string& path, const std::string& body,
                   const std::string& who) {
  return ask_with(method, path, shown(who), body);
}

Asked ApiTest::ask_with(const std::string& method, const std::string& path, const std::string& fields,
                        const std::string& body) {
  Client client = connect();
  client.send(method + " " + path + " HTTP/1.1\r\nHost: x\r\n" + fields +
              (method == "GET" ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n") + "\r\n" +
              body);
  const auto answer = client.read_answer(method == "HEAD");
  check_against_document(method, path, answer.status, answer.header("content-type"), answer.body);
  return {answer.status, answer.headers, answer.body};
}

std::int64_t ApiTest::add_user(const std::string& name, Role role) {
  std::int64_t id = 0;
  store_->write([&](storage::Tx& tx) {
    id = storage::Users(tx).insert(
        {.id = 0, .name = name, .role = role, .created_at = clock_.now(), .disabled_at = {}});
  });
  return id;
}

std::string ApiTest::add_token(std::int64_t user, Role role) {
  const auto made = storage::make_token();
  storage::TokenRecord token;
  token.user = user;
  token.name = "test";
  token.hash = made.hash;
  token.role = role;
  token.created_at = clock_.now();
  store_->write([&](storage::Tx& tx) { storage::Tokens(tx).insert(token); });
  return std::string(made.text.text());
}

std::int64_t ApiTest::add_project(const std::string& name) {
  storage::ProjectRecord project;
  project.name = name;
  project.url = "https://forge.example/" + name + ".git";
  project.created_at = clock_.now();
  std::int64_t id = 0;
  store_->write([&](storage::Tx& tx) { id = storage::Projects(tx).insert(project); });
  return id;
}

std::int64_t ApiTest::add_pipeline(pipelines::JobStatus status, const std::string& ref,
                                   const std::string& source) {
  storage::PipelineRecord pipeline;
  pipeline.project = "shop";
  pipeline.project_id = shop_;
  pipeline.name = "Build";
  pipeline.source = source;
  pipeline.ref = ref;
  pipeline.sha = std::string(40, 'a');
  pipeline.status = status;
  pipeline.created_at = clock_.now();
  std::int64_t id = 0;
  store_->write([&](storage::Tx& tx) { id = storage::Pipelines(tx).insert(pipeline); });
  return id;
}

storage::JobRecord ApiTest::add_job(std::int64_t pipeline, std::size_t index, pipelines::JobStatus status,
                                    int attempt) {
  storage::JobRecord job;
  job.pipeline = pipeline;
  job.plan_index = index;
  job.attempt = attempt;
  job.name = "job" + std::to_string(index);
  job.stage = "test";
  job.status = status;
  job.created_at = clock_.now();
  if (status == pipelines::JobStatus::failed) job.failure = pipelines::FailureReason::script_failure;
  store_->write([&](storage::Tx& tx) {
    job.id = tx.take_ids("jobs", 1);
    storage::Jobs(tx).insert(job);
  });
  return job;
}

void ApiTest::set_status(const storage::JobRecord& job, pipelines::JobStatus status) {
  storage::JobRecord next = job;
  next.status = status;
  next.version = job.version + 1;
  bool done = false;
  store_->write([&](storage::Tx& tx) { done = storage::Jobs(tx).replace(next, job.version); });
  EXPECT_TRUE(done);
}

void ApiTest::append_log(const storage::JobRecord& job, const std::string& text) {
  const auto folder = dir_.path() / "logs" / std::to_string(job.pipeline);
  make_directories(folder);
  const UniqueFd fd(::open((folder / (std::to_string(job.id) + ".log")).c_str(),
                           O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  write_all(fd.get(), text);
}

void ApiTest::append_event(const std::string& kind, const std::string& payload,
                           std::optional<std::int64_t> project, std::optional<std::int64_t> pipeline) {
  storage::LogRecord event;
  event.kind = kind;
  event.payload = payload;
  event.project = project;
  event.pipeline = pipeline;
  event.at = clock_.now();
  store_->write([&](storage::Tx& tx) { storage::EventLog(tx).append(event); });
}

EventReader::EventReader(Client client, const std::string& path, const std::string& fields)
    : client_(std::move(client)) {
  client_.send("GET " + path + " HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n");
  const auto head = client_.read_head();
  status_ = head.status;
  EXPECT_EQ(head.header("content-type"), "text/event-stream");
}

std::optional<SentEvent> EventReader::next() {
  for (;;) {
    const std::size_t end = text_.find("\n\n");
    if (end == std::string::npos) {
      const auto chunk = client_.read_chunk();
      if (!chunk || chunk->empty()) return {};
      text_ += *chunk;
      continue;
    }
    const std::string block = text_.substr(0, end);
    text_.erase(0, end + 2);
    SentEvent event;
    for (const std::string_view line : split(std::string_view(block), '\n')) {
      if (line.starts_with("event: ")) event.type = line.substr(7);
      if (line.starts_with("id: ")) event.id = line.substr(4);
      if (line.starts_with("data: ")) event.data += line.substr(6);
    }
    if (!event.type.empty()) return event;  // else a comment
  }
}

}  // namespace runner::api
