#include "tests/forge/support/fake_forge.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "runner/base/error.h"
#include "runner/http/router.h"

namespace runner::test {
namespace {

using forge::ForgeKind;
using nlohmann::json;

std::string header(const http::Request& request, std::string_view name) {
  const std::string* value = request.headers.find(name);
  return value == nullptr ? std::string() : *value;
}

std::string base_of(ForgeKind kind) {
  if (kind == ForgeKind::gitlab) return "/api/v4";
  return kind == ForgeKind::gitea ? "/api/v1" : "";
}

std::size_t characters(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

/// Bound and not listening: nobody else is given the port, and who connects is refused.
UniqueFd hold_port(std::uint16_t& port) {
  UniqueFd held(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(held.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(held.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(held.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw_errno("cannot take a port");
  port = ntohs(address.sin_port);
  return held;
}

}  // namespace

std::string brief(const ToldStatus& told) {
  return told.name + ": " + told.state;
}

ForgeReply forge_answer(int status, const std::map<std::string, std::string>& fields,
                        const std::string& body) {
  return {status, fields, body};
}

FakeForge::FakeForge(ForgeKind kind) : kind_(kind), place_(hold_port(port_)) {
  start();
}

std::string FakeForge::api() const {
  return "http://127.0.0.1:" + std::to_string(port_) + base_of(kind_);
}

void FakeForge::start() {
  http::ServerOptions options;
  options.tcp.push_back({.address = "127.0.0.1", .port = port_, .tls = {}});
  http::Router router;
  for (const char* method : {"GET", "POST", "PUT", "PATCH", "DELETE"}) {
    router.add({method, "/{path...}", std::string("any_") + method, [this](const http::Request& request) {
                  const ForgeReply reply = answer(request);
                  http::Response response = http::text_response(reply.status, reply.body, "application/json");
                  for (const auto& [name, value] : reply.fields) response.headers.add(name, value);
                  return response;
                }});
  }
  server_ = std::make_unique<http::Server>(std::move(options), std::move(router));
  server_->start();
}

void FakeForge::stop() {
  server_->stop(std::chrono::milliseconds(0));
  server_.reset();
}

void FakeForge::answer_next(const std::vector<ForgeReply>& answers) {
  const std::lock_guard lock(mutex_);
  next_.insert(next_.end(), answers.begin(), answers.end());
}

void FakeForge::answer_all(std::function<ForgeReply()> answer) {
  const std::lock_guard lock(mutex_);
  always_ = std::move(answer);
}

void FakeForge::have(const std::string& path, std::string json) {
  const std::lock_guard lock(mutex_);
  documents_[path] = std::move(json);
}

void FakeForge::complain(const std::string& what) {
  complaints_.push_back(what);
}

ForgeReply FakeForge::answer(const http::Request& request) {
  std::unique_lock lock(mutex_);
  ++requests_;
  changed_.notify_all();
  const std::string secret = header(request, "authorization");
  if (kind_ == ForgeKind::github) {
    if (header(request, "accept") != "application/vnd.github+json") complain("GitHub wants its media type");
    if (header(request, "x-github-api-version") != "2022-11-28") complain("GitHub wants a version");
  }
  if (header(request, "user-agent").empty()) complain("no User-Agent");  // GitHub answers 403 without
  const std::string expected = kind_ == ForgeKind::gitea ? "token " : "Bearer ";
  if (secret != expected + kToken) return forge_answer(401, {}, R"({"message":"Bad credentials"})");
  if (!next_.empty()) {
    ForgeReply reply = std::move(next_.front());
    next_.pop_front();
    return reply;
  }
  if (const auto always = always_) {
    lock.unlock();  // it may ask what was told, or wait
    return always();
  }
  const std::string base = base_of(kind_);
  if (!request.path.starts_with(base + "/")) return forge_answer(404);
  if (request.method == "POST") return take_status(request);
  const auto document = documents_.find(request.path.substr(base.size()));
  return document == documents_.end() ? forge_answer(404) : forge_answer(200, {}, document->second);
}

ForgeReply FakeForge::take_status(const http::Request& request) {
  const bool gitlab = kind_ == ForgeKind::gitlab;
  const std::string prefix =
      base_of(kind_) + (gitlab ? "/projects/team%2Fshop/statuses/" : "/repos/team/shop/statuses/");
  if (!request.path.starts_with(prefix)) return forge_answer(404);
  ToldStatus told;
  told.sha = request.path.substr(prefix.size());
  if (told.sha.size() != 40) complain("'" + told.sha + "' is no commit id");
  if (header(request, "content-type") != "application/json") complain("the body is no JSON by its type");
  const json body = json::parse(request.body, nullptr, false);
  if (!body.is_object()) return forge_answer(400, {}, R"({"message":"Problems parsing JSON"})");
  const std::set<std::string> github{"state", "context", "description", "target_url"},
      in_gitlab{"state", "name", "ref", "description", "target_url"};
  for (const auto& [name, value] : body.items()) {
    if (!(gitlab ? in_gitlab : github).contains(name)) complain("there is no field '" + name + "'");
    if (!value.is_string()) complain("'" + name + "' is no text");
  }
  told.state = body.value("state", "");
  told.name = body.value(gitlab ? "name" : "context", "");
  told.description = body.value("description", "");
  told.target = body.value("target_url", "");
  told.ref = body.value("ref", "");
  const std::set<std::string> states =
      gitlab ? std::set<std::string>{"pending", "running", "success", "failed", "canceled"}
             : std::set<std::string>{"pending", "success", "failure", "error"};
  if (!states.contains(told.state)) return forge_answer(422, {}, R"({"message":"Validation Failed"})");
  if (told.name.empty()) complain("no name");
  if (characters(told.description) > 140) complain("the description is too long");
  if (gitlab) {
    // GitLab has a machine of states, and refuses to go where it is.
    std::string& now = states_[{told.sha, told.name}];
    if (now == told.state) {
      return forge_answer(400, {}, R"({"message":"Cannot transition status via :run from :running"})");
    }
    now = told.state;
  }
  told_.push_back(std::move(told));
  changed_.notify_all();
  return forge_answer(201, {}, R"({"id":1})");
}

std::vector<ToldStatus> FakeForge::told() const {
  const std::lock_guard lock(mutex_);
  return told_;
}

std::map<std::string, std::string> FakeForge::last_of(const std::string& sha) const {
  std::map<std::string, std::string> last;
  for (const ToldStatus& told : told()) {
    if (told.sha == sha) last[told.name] = told.state;
  }
  return last;
}

std::size_t FakeForge::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::vector<std::string> FakeForge::complaints() const {
  const std::lock_guard lock(mutex_);
  return complaints_;
}

bool FakeForge::wait_until(const std::function<bool()>& is_so) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!is_so()) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::milliseconds(20));
    if (std::chrono::steady_clock::now() > deadline) return false;
  }
  return true;
}

}  // namespace runner::test
