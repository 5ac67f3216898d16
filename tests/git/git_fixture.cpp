#include "tests/git/git_fixture.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>

#include "runner/base/error.h"
#include "runner/base/text.h"

#ifdef __SANITIZE_THREAD__
/// libgit2 asks for the local time when it notes a fetch. glibc locks what it keeps of the time zone, in a
/// way that the sanitizer does not see.
extern "C" const char* __tsan_default_suppressions() {
  return "race:tzset_internal\n";
}
#endif

namespace runner::git::testing {
namespace fs = std::filesystem;

GitFixture::GitFixture() : top_("git-test-") {
  make_directories(work());
  make_directories(top() / "home");
}

std::string GitFixture::run(const std::string& command, const fs::path& directory) const {
  const std::string home = shell_quote((top() / "home").string());
  const std::string whole =
      "cd " + shell_quote(directory.string()) + " && env -i PATH=\"$PATH\" LC_ALL=C HOME=" + home +
      " GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME='Ann Author' GIT_AUTHOR_EMAIL=ann@example.org"
      " GIT_COMMITTER_NAME='Carl Committer' GIT_COMMITTER_EMAIL=carl@example.org"
      " GIT_AUTHOR_DATE='1700000000 +0100' GIT_COMMITTER_DATE=\"${WHEN:-1700003600 -0330}\" sh -ec " +
      shell_quote(command) + " 2>&1";
  std::FILE* pipe = ::popen(whole.c_str(), "r");
  if (pipe == nullptr) throw Error(ErrorCode::internal, "cannot start a shell");
  std::string output;
  std::array<char, 4096> buffer;
  for (std::size_t got = 0; (got = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    output.append(buffer.data(), got);
  }
  EXPECT_EQ(::pclose(pipe), 0) << command << "\n" << output;
  while (output.ends_with('\n')) output.pop_back();
  return output;
}

void GitFixture::write(const std::string& path, std::string_view content) const {
  make_directories((work() / path).parent_path());
  write_file_atomic(work() / path, content, 0644, false);
}

std::string GitFixture::read(const std::string& path) const {
  return read_file(work() / path).value_or("<missing>");
}

void GitFixture::init() const {
  run("git init -q -b main .");
}

std::string GitFixture::commit(const std::string& message) const {
  run("git add -A && git commit -q --allow-empty -m " + shell_quote(message));
  return run("git rev-parse HEAD");
}

}  // namespace runner::git::testing
