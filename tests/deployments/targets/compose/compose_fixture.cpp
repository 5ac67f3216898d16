#include "tests/deployments/targets/compose/compose_fixture.h"

#include <fcntl.h>
#include <sched.h>

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>

#include "runner/base/digest.h"
#include "runner/base/fd.h"
#include "runner/base/text.h"
#include "tests/support/load_client.h"

namespace runner::deployments {
namespace {

using Json = nlohmann::json;

struct EndEngines : testing::Environment {
  void TearDown() override { test::RealEngine::end_shared(); }
};
const auto* const kEndEngines = testing::AddGlobalTestEnvironment(new EndEngines);

std::string output_of(const std::string& command) {
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return "";
  std::string text;
  std::array<char, 4096> buffer{};
  for (std::size_t got = 0; (got = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
    text.append(buffer.data(), got);
  ::pclose(pipe);
  return text;
}

/// One for all tests of the engine.
std::string& registry_of(test::RealEngine& engine) {
  static std::map<test::RealEngine*, std::string> registries;
  std::string& registry = registries[&engine];
  if (registry.empty()) registry = engine.start_registry();
  return registry;
}

void enter_network(test::RealEngine& engine) {
  const std::vector<std::string> words = engine.in_network();
  const std::string path = words.at(1).substr(words[1].find('=') + 1);
  const UniqueFd network(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!network || ::setns(network.get(), CLONE_NEWNET) != 0) throw_errno("cannot enter the engine's network");
}

/// HAProxy makes a server of few lines, which keeps connections and takes every method.
std::string application(const std::string& version, bool broken) {
  return "global\n  maxconn 300\n  hard-stop-after 1s\ndefaults\n  mode http\n  timeout client 20s\n  "
         "timeout server 20s\n"
         "  timeout connect 2s\nfrontend all\n  bind :8080\n"
         "  http-request return status " +
         std::string(broken ? "503" : "200") +
         " content-type text/plain string ready if { path /ready }\n"
         "  http-request return status 200 content-type text/plain string \"version=" +
         version + "\"\n";
}

}  // namespace

void ComposeFixture::SetUp() {
  if (const std::string missing = test::RealEngine::missing(GetParam()); !missing.empty())
    GTEST_SKIP() << missing;
  for (const char* program : {"docker-compose", "docker-registry", "haproxy", "curl"})
    if (!test::has_program(program)) GTEST_SKIP() << "needs " << program;
  engine_ = &test::RealEngine::shared(GetParam());
  enter_network(*engine_);
  static int number = 0;
  project = "test" + std::to_string(++number);
  single_port = static_cast<std::uint16_t>(8000 + number * 10);
  blue_port = static_cast<std::uint16_t>(single_port + 1);
  green_port = static_cast<std::uint16_t>(single_port + 2);
  write_compose_file();
}

void ComposeFixture::TearDown() {
  if (engine_ == nullptr) return;
  if (HasFailure()) std::printf("docker-compose said:\n%s\n", told.c_str());
  for (const std::string& id : containers("io.runner.deploy.unit=" + project + "/shop")) {
    if (HasFailure())
      std::printf("%s said:\n%s\n", id.c_str(),
                  to_utf8(ask("/containers/" + id + "/logs?stdout=1&stderr=1")).c_str());
    tell("DELETE", "/containers/" + id + "?force=1&v=1");
  }
}

void ComposeFixture::write_compose_file(const std::string& more) const {
  write_file_atomic(top.path() / "compose.yml",
                    "services:\n  shop:\n    image: ${IMAGE}\n    ports: ['127.0.0.1:${PORT}:8080']\n"
                    "    environment: {GREETING: 'hello $$you', LEVEL: \"${LEVEL}\"}\n"
                    "    ulimits: {nofile: {soft: 1024, hard: 4096}, nproc: {soft: 1024, hard: 4096}}\n" +
                        more,
                    0600, false);
}

ComposeOptions ComposeFixture::options(bool slots) const {
  ComposeOptions options;
  options.socket = engine_->socket();
  options.project = project;
  options.service = kUnit;
  if (slots)
    options.ports = {{Slot::blue, blue_port}, {Slot::green, green_port}};
  else
    options.ports = {{Slot::single, single_port}};
  options.variables = {{"LEVEL", "staging"}};
  options.directory = top.path() / "own";
  options.tell = [this](const std::string&, std::string_view line) { told += std::string(line) + "\n"; };
  return options;
}

std::unique_ptr<ComposeTarget> ComposeFixture::target(bool slots) const {
  return std::make_unique<ComposeTarget>(options(slots));
}

Fence ComposeFixture::fence(std::uint64_t token, const std::string& deployment) const {
  return {"shop/" + project, token, deployment};
}

std::unique_ptr<ComposeTarget> ComposeFixture::claimed(bool slots, std::uint64_t token,
                                                       const std::string& deployment) const {
  auto made = target(slots);
  made->claim(kUnit, fence(token, deployment), std::chrono::seconds(10), never);
  return made;
}

std::string ComposeFixture::image(const std::string& version, bool broken) const {
  static std::map<std::string, std::string> known;
  const std::string& registry = registry_of(*engine_);
  const std::string name = registry + "/team/shop";
  std::string& digest = known[GetParam() + version + (broken ? "-broken" : "")];
  if (digest.empty()) {
    const auto config = top.path() / ("app-" + version);
    write_file_atomic(config, application(version, broken), 0644, false);
    const std::string tag = version + (broken ? "-broken" : "");
    engine_->load(name + ":" + tag, R"({"Entrypoint": ["/haproxy", "-db", "-f", "/app.cfg"], "Cmd": []})",
                  {"haproxy=/usr/sbin/haproxy", "app.cfg=" + config.native()});
    test::run_program({"curl", "-sf", "-o", "/dev/null", "--unix-socket", engine_->socket().native(), "-X",
                       "POST", "-H",
                       "X-Registry-Auth: e30=", "http://engine/images/" + name + "/push?tag=" + tag});
    tell("DELETE", "/images/" + name + ":" + tag + "?force=1");
    const std::string head = output_of(
        "curl -sfI -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' -H 'Accept: "
        "application/vnd.oci.image.manifest.v1+json' http://" +
        registry + "/v2/team/shop/manifests/" + tag);
    const std::size_t at = head.find("sha256:");
    if (at == std::string::npos) throw Error(ErrorCode::unavailable, "the registry has no digest: " + head);
    digest = name + "@" + head.substr(at, 71);
  }
  return digest;
}

void ComposeFixture::remove_from_registry(const std::string& image) const {
  const std::size_t at = image.find('@');
  test::run_program({"curl", "-sf", "-o", "/dev/null", "-X", "DELETE",
                     "http://" + registry_of(*engine_) + "/v2/team/shop/manifests/" + image.substr(at + 1)});
}

Release ComposeFixture::release(const std::string& version, bool broken) const {
  Release release;
  release.image = image(version, broken);
  const auto file = top.path() / "compose.yml";
  release.config.push_back({"compose.yml", file, sha256_hex(read_file(file).value())});
  release.id = sha256_hex(release.image + release.config[0].sha256).substr(0, 32);
  return release;
}

std::string ComposeFixture::answer_of(std::uint16_t port) const {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (std::chrono::steady_clock::now() < deadline) {
    const auto answer =
        test::LoadClient(port, std::chrono::milliseconds(2000)).ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    if (answer.status == 200) return answer.version;
    std::this_thread::yield();
  }
  return "no answer";
}

std::string ComposeFixture::ask(const std::string& path) const {
  return output_of("curl -sf --unix-socket " + engine_->socket().native() + " " +
                   shell_quote("http://engine" + path));
}

void ComposeFixture::tell(const std::string& method, const std::string& path, const std::string& body) const {
  output_of("curl -s --unix-socket " + engine_->socket().native() + " -X " + method +
            " -H 'Content-Type: application/json' -d " + shell_quote(body) + " " +
            shell_quote("http://engine" + path));
}

std::vector<std::string> ComposeFixture::containers(const std::string& label) const {
  std::vector<std::string> ids;
  const Json all = Json::parse(
      ask("/containers/json?all=1&filters=%7B%22label%22%3A%5B%22" + label + "%22%5D%7D"), nullptr, false);
  if (!all.is_array()) return ids;
  for (const Json& one : all) ids.push_back(one.at("Id").get<std::string>());
  return ids;
}

}  // namespace runner::deployments
