#include "tests/executors/containers/container_fixture.h"

#include <sys/stat.h>

#include <fstream>

#include "executors/containers/engine_things.h"
#include "runner/base/error.h"
#include "tests/executors/shell_harness.h"

namespace runner::executors::test {
namespace {

constexpr std::chrono::seconds kDestroyTime{60};

class EndEngines final : public testing::Environment {
 public:
  void TearDown() override { runner::test::RealEngine::end_shared(); }
};
const auto* const kEndEngines = testing::AddGlobalTestEnvironment(new EndEngines);

}  // namespace

ContainerGate::ContainerGate(const SandboxSpec& spec, std::string name)
    : name_(std::move(name)), file_(spec.container->binds.front().source / name_) {
  if (::mkfifo(file_.c_str(), 0600) != 0) throw_errno("cannot make a FIFO");
}

std::string ContainerGate::read() const {
  std::ifstream file(file_);
  std::string line;
  std::getline(file, line);
  return line;
}

void ContainerGate::write() const {
  std::ofstream(file_) << "go\n";
}

void ContainerFixture::SetUp() {
  if (const std::string reason = runner::test::RealEngine::missing(GetParam()); !reason.empty())
    GTEST_SKIP() << reason;
  owner_ = unique_mark();
  use_engine(runner::test::RealEngine::shared(GetParam()));
}

void ContainerFixture::use_engine(runner::test::RealEngine& engine) {
  engine_ = &engine;
  engine.load(kBusybox);
  ContainerOptions options = container_options(engine.socket(), owner_);
  options.program = CONTAINER_PROGRAM;
  executor_ = std::make_unique<ContainerExecutor>(test_launcher(), options);
}

void ContainerFixture::TearDown() {
  if (IsSkipped() || engine_ == nullptr) return;
  for (const auto& [id, spec] : specs_) destroy(id);
  EXPECT_EQ(things(), 0U) << "the engine keeps something";
}

SandboxSpec& ContainerFixture::sandbox(const std::string& id) {
  return specs_[id] = container_sandbox(dir_.path(), id);
}

StepSpec ContainerFixture::shell(const std::string& script, const std::string& id) {
  StepSpec step;
  step.id.value = id;
  step.argv = {"sh", "-c", script};
  return step;
}

void ContainerFixture::destroy(const std::string& id) {
  executor().destroy(SandboxId{id}, specs_.at(id).state_dir, std::chrono::steady_clock::now() + kDestroyTime);
}

std::size_t ContainerFixture::things() {
  EngineApi api(engine_->socket());
  api.agree();
  return find_things(api, owner_, std::nullopt, std::chrono::steady_clock::now() + kDestroyTime).size();
}

ErrorCode error_of(const std::function<void()>& act, std::string* text) {
  try {
    act();
  } catch (const Error& error) {
    if (text != nullptr) *text = error.what();
    return error.code();
  }
  ADD_FAILURE() << "nothing was thrown";
  return ErrorCode::internal;
}

}  // namespace runner::executors::test
