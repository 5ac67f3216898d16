#include "tests/executors/shell_harness.h"

#include "executors/shell_executor.h"

namespace runner::executors::test {
namespace {

namespace fs = std::filesystem;

// The launcher must be there before the first test makes a thread.
class LauncherEnvironment final : public testing::Environment {
 public:
  void SetUp() override { launcher = std::make_unique<Launcher>(Launcher::start()); }
  void TearDown() override { launcher.reset(); }
  static inline std::unique_ptr<Launcher> launcher;
};

const auto* const kEnvironment = testing::AddGlobalTestEnvironment(new LauncherEnvironment);

class ShellHarness final : public Harness {
 public:
  explicit ShellHarness(Mount mount) : mount_(mount), executor_(test_launcher()) {}

  std::string refusal() override {
    if (mount_ == Mount::none) return {};
    const SandboxSpec spec = sandbox("try");
    return test_launcher().try_overlay(*spec.overlay).value_or("");
  }

  Executor& executor() override { return executor_; }

  SandboxSpec sandbox(const std::string& id) override {
    const fs::path base = dir_.path() / id;
    SandboxSpec spec;
    spec.id.value = id;
    spec.state_dir = base / "state";
    spec.workspace = base / "workspace";
    for (const char* name : {"state", "workspace", "lower", "upper", "work"})
      make_directories(base / name, 0700);
    if (mount_ == Mount::none) {
      write_file_atomic(spec.workspace / "hello", "hello\n", 0644, false);
      return spec;
    }
    write_file_atomic(base / "lower" / "hello", "hello\n", 0644, false);
    spec.overlay = OverlayMount{
        {base / "lower"}, base / "upper", base / "work", spec.workspace, mount_ == Mount::user_namespace};
    return spec;
  }

 private:
  const Mount mount_;
  TempDir dir_;
  ShellExecutor executor_;
};

}  // namespace

const Launcher& test_launcher() {
  return *LauncherEnvironment::launcher;
}

HarnessKind shell_harness(Mount mount) {
  const char* const names[] = {"Plain", "Overlay", "UserNamespace"};
  return {names[static_cast<int>(mount)], [mount] { return std::make_unique<ShellHarness>(mount); }};
}

}  // namespace runner::executors::test
