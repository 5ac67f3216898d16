// Processes that are forked beforehand: work goes to them, none is lost when there is none, none stays.
#include "executors/launcher.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "runner/base/files.h"

namespace runner::executors {
namespace {

constexpr int kBurst = 8;

std::string g_words;  // a FIFO: what processes say of themselves

/// To nobody, once the test has ended: a process that waits may end a moment after its launcher.
void say(const char* word) {
  const UniqueFd fifo(::open(g_words.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  if (fifo) write_all(fifo.get(), word);
}

void talking_main(const AwaitWork& next) {
  say("ready ");
  std::vector<UniqueFd> fds = next();
  if (fds.empty()) return say("idle ");
  write_all(fds.at(0).get(), "work");
}

/// In a process with one thread.
int with_launcher(const std::function<void(const Launcher&)>& act) {
  const pid_t child = ::fork();
  if (child == 0) {
    {
      const Launcher launcher = Launcher::start(talking_main);
      act(launcher);
    }
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

std::string answer_of(const Launcher& launcher) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return "no pipe";
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const int passed[] = {writer.get()};
  launcher.fork_main(passed);
  writer.reset();
  std::string text(16, '\0');
  std::size_t have = 0;
  while (have < text.size()) {
    const ssize_t got = ::read(reader.get(), text.data() + have, text.size() - have);
    if (got <= 0) break;
    have += static_cast<std::size_t>(got);
  }
  return text.substr(0, have);
}

class Launchers : public testing::Test {
 protected:
  Launchers() {
    g_words = (dir_.path() / "words").native();
    EXPECT_EQ(::mkfifo(g_words.c_str(), 0600), 0);
    // Writers never wait and never fail.
    words_.reset(::open(g_words.c_str(), O_RDWR | O_CLOEXEC));
  }

  /// Blocks until so much was said.
  std::string heard(std::size_t size) const {
    std::string text(size, '\0');
    std::size_t have = 0;
    while (have < size) {
      const ssize_t got = ::read(words_.get(), text.data() + have, size - have);
      if (got > 0) have += static_cast<std::size_t>(got);
    }
    return text;
  }

 private:
  TempDir dir_;
  UniqueFd words_;
};

TEST_F(Launchers, AProcessWaitsBeforeThereIsWork) {
  const int status = with_launcher([this](const Launcher& launcher) {
    if (heard(6) != "ready ") ::_exit(1);
    if (answer_of(launcher) != "work") ::_exit(2);
    if (heard(6) != "ready ") ::_exit(3);  // and so does the next one
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(heard(5), "idle ") << "the one that waits ends with the launcher";
}

TEST_F(Launchers, WorkIsDoneThoughNobodyWaitsForIt) {
  EXPECT_EQ(with_launcher([](const Launcher& launcher) {
              for (int i = 0; i < kBurst; ++i) {
                if (answer_of(launcher) != "work") ::_exit(1);
              }
            }),
            0);
}

}  // namespace
}  // namespace runner::executors
