#pragma once
// What every executor must do. An executor's test instantiates ExecutorContract with its harness:
//
//   INSTANTIATE_TEST_SUITE_P(Shell, ExecutorContract, testing::Values(&make_shell_harness), name_of_harness);

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "executors/executor.h"
#include "runner/base/files.h"

namespace runner::executors::test {

/// Keeps what it gets, or only counts it. Thread-safe.
class RecordingSink final : public LogSink {
 public:
  explicit RecordingSink(bool keep = true) : keep_(keep) {}
  void write(Stream stream, std::span<const std::byte> bytes) noexcept override;
  std::string text() const;
  std::uint64_t size() const { return size_; }

 private:
  const bool keep_;
  mutable std::mutex mutex_;
  std::string text_;
  std::atomic<std::uint64_t> size_ = 0;
};

/// One way to run an executor. A harness makes sandboxes that see a workspace with the file `hello` in it.
class Harness {
 public:
  virtual ~Harness() = default;
  /// Not empty: this machine refuses it, with the reason.
  virtual std::string refusal() { return {}; }
  virtual Executor& executor() = 0;
  virtual SandboxSpec sandbox(const std::string& id) = 0;
};

struct HarnessKind {
  std::string name;
  std::function<std::unique_ptr<Harness>()> make;
  friend void PrintTo(const HarnessKind& kind, std::ostream* out) { *out << kind.name; }
};

class ExecutorContract : public testing::TestWithParam<HarnessKind> {
 protected:
  void SetUp() override;
  void TearDown() override;

  StepSpec shell(const std::string& script, const std::string& id = "script");
  std::unique_ptr<Sandbox> prepare(const std::string& id = "job");
  /// Runs to the end in a sandbox of its own; the output is in sink().text().
  StepEnd run(const std::string& script);
  void destroy(const std::string& id = "job");
  std::filesystem::path state_dir(const std::string& id = "job");

  Executor& executor() { return harness_->executor(); }
  RecordingSink& sink() { return sink_; }

  std::unique_ptr<Harness> harness_;
  RecordingSink sink_;
  std::map<std::string, SandboxSpec> specs_;
  std::size_t fds_before_ = 0;
};

/// Lets a script tell the test that it is ready: the script writes a line to the FIFO.
class Gate {
 public:
  Gate();
  std::string path() const { return path_.native(); }
  /// Blocks until somebody has written.
  std::string read() const;

 private:
  TempDir dir_;
  std::filesystem::path path_;
};

/// A name for processes that nobody else uses.
std::string unique_mark();

/// "exited 3", "signaled 9", "stopped", "lost", "oom".
std::string describe(const StepEnd& end);
/// How many processes of this machine hold `mark` in their command line.
std::size_t processes_with(const std::string& mark);
std::size_t open_descriptors();

}  // namespace runner::executors::test
