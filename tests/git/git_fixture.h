#pragma once
// Repositories made by the real git, with a configuration and a home of their own.

#include <filesystem>
#include <string>
#include <string_view>

#include "runner/base/files.h"

namespace runner::git::testing {

class GitFixture {
 public:
  GitFixture();

  const std::filesystem::path& top() const noexcept { return top_.path(); }
  /// Where commands run unless told otherwise; made, but no repository yet.
  std::filesystem::path work() const { return top_.path() / "work"; }

  /// Runs one shell command in `directory` with an isolated environment; its standard output without the last
  /// line end. A failing command fails the test.
  std::string run(const std::string& command, const std::filesystem::path& directory) const;
  std::string run(const std::string& command) const { return run(command, work()); }

  void write(const std::string& path, std::string_view content) const;
  std::string read(const std::string& path) const;
  /// `git init` on branch main.
  void init() const;
  /// Everything added and committed; the id.
  std::string commit(const std::string& message) const;

 private:
  TempDir top_;
};

}  // namespace runner::git::testing
