#include "tests/containers/engine_fixture.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include <array>
#include <chrono>
#include <cstdio>
#include <thread>

#include "runner/base/text.h"

namespace runner::test {
namespace {

struct EndEngines : testing::Environment {
  void TearDown() override { RealEngine::end_shared(); }
};

const auto* const kEndEngines = testing::AddGlobalTestEnvironment(new EndEngines);

}  // namespace

void EngineFixture::SetUp() {
  if (const std::string missing = RealEngine::missing(GetParam()); !missing.empty()) GTEST_SKIP() << missing;
  engine_ = &RealEngine::shared(GetParam());
  engine_->load("box:latest");
  engine_->load("talker:latest",
                R"({"Entrypoint": ["/bin/sh", "-c", "echo entered; exec \"$@\"", "entry"]})");
}

void EngineFixture::TearDown() {
  if (engine_ == nullptr) return;
  wait_until_empty();
  EXPECT_THAT(things(), testing::IsEmpty());
}

std::string EngineFixture::push_box(const std::string& registry) {
  const std::string name = registry + "/team/box";
  engine_->load(name + ":1");
  const auto tell = [&](const char* method, const std::string& path) {
    run_program({"curl", "-sf", "-o", "/dev/null", "--unix-socket", engine_->socket().native(), "-X", method,
                 "-H", "X-Registry-Auth: e30=", "http://engine" + path});
  };
  tell("POST", "/images/" + name + "/push?tag=1");
  tell("DELETE", "/images/" + name + ":1");
  return name + ":1";
}

std::string EngineFixture::ask(const std::string& path) const {
  const std::string command =
      "curl -sf --unix-socket " + engine_->socket().native() + " " + shell_quote("http://engine" + path);
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return "";
  std::string text;
  std::array<char, 4096> buffer{};
  for (std::size_t got = 0; (got = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
    text.append(buffer.data(), got);
  ::pclose(pipe);
  return text;
}

std::vector<std::string> EngineFixture::things() const {
  const std::string filter = "filters=%7B%22label%22%3A%5B%22io.runner.owner%22%5D%7D";
  std::vector<std::string> found;
  for (const auto& each : nlohmann::json::parse(ask("/containers/json?all=1&" + filter)))
    found.push_back("container " + each.at("Names").at(0).get<std::string>());
  const auto volumes = nlohmann::json::parse(ask("/volumes?" + filter)).at("Volumes");
  if (volumes.is_array()) {
    for (const auto& each : volumes) found.push_back("volume " + each.at("Name").get<std::string>());
  }
  for (const auto& each : nlohmann::json::parse(ask("/networks?" + filter)))
    found.push_back("network " + each.at("Name").get<std::string>());
  return found;
}

void EngineFixture::wait_until_empty() const {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(90);
  while (!things().empty() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
}

}  // namespace runner::test
