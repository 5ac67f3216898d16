#include "runner/base/log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zstd.h>

#include <csignal>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "runner/base/fd.h"
#include "runner/base/files.h"
#include "runner/base/log_file.h"
#include "runner/base/log_line.h"

namespace runner {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const std::chrono::system_clock::time_point kTime{std::chrono::microseconds(1'700'000'000'123'456)};

TEST(Log, WritesOneLineFromItsLevelOn) {
  EXPECT_FALSE(log_enabled(LogLevel::info));
  EXPECT_TRUE(log_enabled(LogLevel::warn));
  testing::internal::CaptureStderr();
  log_info("part", "not shown");
  log_warn("part", "100% {} shown", {{"job_id", 7}, {"result", std::string_view("bad")}});
  const std::string written = testing::internal::GetCapturedStderr();
  EXPECT_THAT(written,
              testing::MatchesRegex("[0-9T:.-]+Z warn part: 100% \\{\\} shown job_id=7 result=bad\n"));
}

TEST(Log, TextStaysOneLine) {
  EXPECT_EQ(text_line({kTime, LogLevel::error, "a", "x\ny\x1b[2J", {{"seconds", 1.5}}}),
            "2023-11-14T22:13:20.123Z error a: x\\ny\\u001b[2J seconds=1.5\n");
}

TEST(Log, JsonIsOneObjectPerLine) {
  const std::string line =
      json_line({kTime,
                 LogLevel::info,
                 "daemon",
                 "say \"hi\"\n\x01 \xff\\",
                 {{"pipeline_id", 7}, {"project", std::string_view("a\tb")}, {"s", 0.25}}});
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  const json read = json::parse(line);
  EXPECT_EQ(read.at("ts"), "2023-11-14T22:13:20.123456Z");
  EXPECT_EQ(read.at("level"), "info");
  EXPECT_EQ(read.at("component"), "daemon");
  EXPECT_EQ(read.at("msg"), "say \"hi\"\n\x01 \xEF\xBF\xBD\\");
  EXPECT_EQ(read.at("pipeline_id"), 7);
  EXPECT_EQ(read.at("project"), "a\tb");
  EXPECT_EQ(read.at("s"), 0.25);
  EXPECT_FALSE(read.contains("truncated"));
}

TEST(Log, LongLinesAreCutAndSaySo) {
  for (const std::string& unit :
       {std::string("x"), std::string("é"), std::string("\x01"), std::string("\xff")}) {
    std::string text;
    while (text.size() < 3 * kLogLineBytes) text += unit;
    const std::string line =
        json_line({kTime, LogLevel::info, "c", text, {{"more", std::string_view(text)}, {"n", 1}}});
    EXPECT_LE(line.size(), kLogLineBytes);
    EXPECT_EQ(line.back(), '\n');
    const json read = json::parse(line);
    EXPECT_EQ(read.at("truncated"), true);
    EXPECT_GT(read.at("msg").get<std::string>().size(), 1'000U);
    EXPECT_EQ(read.at("n"), 1);
    const std::string plain = text_line({kTime, LogLevel::info, "c", text, {}});
    EXPECT_LE(plain.size(), kLogLineBytes);
    EXPECT_EQ(plain.back(), '\n');
  }
}

std::string unpressed(const fs::path& path) {
  const std::string pressed = read_file(path).value();
  std::string out(8UL << 20, '\0');
  const std::size_t size = ZSTD_decompress(out.data(), out.size(), pressed.data(), pressed.size());
  EXPECT_EQ(ZSTD_isError(size), 0U) << path;
  // The stream has no size in its head, so the room is a guess.
  out.resize(ZSTD_isError(size) != 0U ? 0 : size);
  return out;
}

/// How often each line is in the files.
std::map<std::string, int> lines_in(const fs::path& directory) {
  std::map<std::string, int> lines;
  for (const auto& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".part")) continue;
    const std::string text =
        name.ends_with(".zst") ? unpressed(entry.path()) : read_file(entry.path()).value();
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = text.find('\n', at);
      EXPECT_NE(end, std::string::npos) << name << " ends in the middle of a line";
      if (end == std::string::npos) break;
      ++lines[text.substr(at, end - at)];
      at = end + 1;
    }
  }
  return lines;
}

LogFileOptions small(const fs::path& directory, std::uint64_t bytes = 4'096) {
  LogFileOptions options;
  options.path = directory / "logs" / "runner.log";
  options.max_bytes = bytes;
  options.keep = 10'000;
  return options;
}

TEST(LogFile, IsPutAsideAndPressedWhenItIsLarge) {
  const TempDir dir;
  {
    LogFile file(small(dir.path(), 100));
    for (int i = 0; i < 10; ++i)
      EXPECT_TRUE(file.write("line number " + std::to_string(i) + " of some length\n"));
    EXPECT_EQ(file.rotations(), 3U);
  }
  const auto lines = lines_in(dir.path() / "logs");
  EXPECT_EQ(lines.size(), 10U);
  for (const auto& [line, count] : lines) EXPECT_EQ(count, 1) << line;
  std::size_t pressed = 0, plain = 0;
  for (const auto& entry : fs::directory_iterator(dir.path() / "logs"))
    ++(entry.path().extension() == ".zst" ? pressed : plain);
  EXPECT_EQ(pressed, 3U);
  EXPECT_EQ(plain, 1U);
}

TEST(LogFile, OnlyTheNewestAreKept) {
  const TempDir dir;
  LogFileOptions options = small(dir.path(), 10);
  options.keep = 3;
  {
    LogFile file(options);
    for (int i = 0; i < 20; ++i) file.write("line " + std::to_string(i) + "\n");
  }
  const auto lines = lines_in(dir.path() / "logs");
  EXPECT_EQ(lines.size(), 4U);
  EXPECT_TRUE(lines.contains("line 16") && lines.contains("line 19"));
}

TEST(LogFile, WritesOnWhereAnotherMovedItAway) {
  const TempDir dir;
  LogFile file(small(dir.path()));
  const fs::path path = dir.path() / "logs" / "runner.log";
  file.write("one\n");
  fs::rename(path, dir.path() / "moved");
  file.write("two\n");
  EXPECT_TRUE(file.reopen());
  file.write("three\n");
  EXPECT_EQ(read_file(dir.path() / "moved"), "one\ntwo\n");
  EXPECT_EQ(read_file(path), "three\n");
}

TEST(LogFile, FollowsNoLinkAndLeavesOthersFilesAlone) {
  const TempDir dir;
  make_directories(dir.path() / "logs");
  for (const char* name : {"runner.log-old", "runner.log-20260101.zst", "other"})
    write_file_atomic(dir.path() / "logs" / name, "x\n", 0644, false);
  {
    LogFileOptions options = small(dir.path(), 4);
    options.keep = 0;
    LogFile file(options);
    for (int i = 0; i < 5; ++i) file.write("abc\n");
  }
  for (const char* name : {"runner.log-old", "runner.log-20260101.zst", "other"})
    EXPECT_EQ(read_file(dir.path() / "logs" / name), "x\n");
  fs::create_symlink(dir.path() / "victim", dir.path() / "link");
  LogFileOptions linked;
  linked.path = dir.path() / "link";
  EXPECT_ANY_THROW(LogFile{linked});
}

// What was acknowledged is in the files once, wherever the process is killed.
TEST(LogFile, NothingWrittenIsLostOrDoubledWhenItIsKilled) {
  const TempDir dir;
  std::map<std::string, int> told;
  for (int round = 0; round < 12; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    UniqueFd in(ends[0]), out(ends[1]);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      LogFile file(small(dir.path()));
      std::vector<std::thread> writers;
      for (int writer = 0; writer < 4; ++writer) {
        writers.emplace_back([&, writer] {
          for (int i = 0;; ++i) {
            char line[64];
            const int size = std::snprintf(line, sizeof line, "%d.%d.%d of the lines\n", round, writer, i);
            const auto bytes = static_cast<std::size_t>(size);
            if (!file.write({line, bytes}) || ::write(out.get(), line, bytes) != size) ::_exit(1);
          }
        });
      }
      ::pause();
    }
    out.reset();
    std::string acknowledged;
    char buffer[4'096];
    // Killed after some lines, a different number in each round.
    while (acknowledged.size() < 20'000U + (static_cast<std::size_t>(round) * 1'777U)) {
      const ssize_t count = ::read(in.get(), buffer, sizeof buffer);
      ASSERT_GT(count, 0);
      acknowledged.append(buffer, static_cast<std::size_t>(count));
    }
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
    for (ssize_t count = 0; (count = ::read(in.get(), buffer, sizeof buffer)) > 0;)
      acknowledged.append(buffer, static_cast<std::size_t>(count));
    for (std::size_t at = 0, end = 0; (end = acknowledged.find('\n', at)) != std::string::npos; at = end + 1)
      told[acknowledged.substr(at, end - at)] = 1;
  }
  { const LogFile last(small(dir.path())); }  // finishes what was half pressed
  const auto lines = lines_in(dir.path() / "logs");
  for (const auto& [line, count] : lines) ASSERT_EQ(count, 1) << line;
  for (const auto& [line, count] : told) ASSERT_TRUE(lines.contains(line)) << line;
  EXPECT_GT(told.size(), 5'000U);
}

}  // namespace
}  // namespace runner
