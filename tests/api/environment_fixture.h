#pragma once
// A server with a project `shop`, people who may deploy and approve, and deployments at its gate.

#include <nlohmann/json.hpp>
#include <string>

#include "deployments/gate.h"
#include "deployments/people.h"
#include "tests/api/api_harness.h"

namespace runner::api {

inline constexpr const char* kEnvironments = "/api/v1/projects/shop/environments";
inline constexpr const char* kProduction = "/api/v1/projects/shop/environments/production";

class ApiEnvironmentTest : public ApiTest {
 protected:
  ApiEnvironmentTest() {
    for (const char* name : {"dan", "eli"}) {
      users_[name] = add_user(name, storage::Role::developer);
      tokens_[name] = add_token(users_[name], storage::Role::developer);
    }
    // An admin's token that may less than the admin.
    tokens_["anna_low"] = add_token(users_["anna"], storage::Role::developer);
  }

  deployments::Gate gate() { return {*store_, clock_, deployments::people_now(*store_)}; }

  nlohmann::json protect(const std::string& protection, const std::string& path = kProduction) {
    const Asked put = ask("PUT", path, R"({"protection":)" + protection + "}");
    EXPECT_EQ(put.status, 200) << put.body;
    actions_.take();
    return put.json();
  }

  /// One that dora started and the gate has looked at.
  std::int64_t add(const std::string& environment = "production", const std::string& by = "dora") {
    deployments::NewDeployment wanted;
    wanted.project = "shop";
    wanted.environment = environment;
    wanted.kind = "job";
    wanted.pipeline = ++pipeline_;
    wanted.job = "deploy";
    wanted.ref = "main";
    wanted.sha = std::string(40, 'c');
    wanted.triggered_by = by;
    wanted.release = "r" + std::to_string(pipeline_);
    wanted.plan = R"({"hosts":2})";
    const auto added = gate().add(wanted);
    environment_ = added.environment;
    gate().advance(environment_);
    return added.id;
  }
  /// What the server does once it is woken.
  void advance() { gate().advance(environment_); }

  static std::string path(std::int64_t id, const std::string& verb = {}) {
    return "/api/v1/deployments/" + std::to_string(id) + (verb.empty() ? "" : "/" + verb);
  }
  std::string state(std::int64_t id) { return ask("GET", path(id), "", "vera").json().at("state"); }

  Asked at_socket(const std::string& method, const std::string& at, const std::string& body = {}) {
    auto client = http::testing::Client::unix_socket(dir_.path() / "socket");
    client.send(method + " " + at + " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) +
                "\r\n\r\n" + body);
    const auto answer = client.read_answer();
    return {answer.status, answer.headers, answer.body};
  }

  std::int64_t environment_ = 0;
  std::int64_t pipeline_ = 0;
};

}  // namespace runner::api
