#include "runner/base/copy_content.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/files.h"

namespace runner {
namespace {

namespace fs = std::filesystem;

struct Copy {
  std::string content;
  blkcnt_t blocks = 0;
};

/// Copies `from` with its size plus `more`.
Copy duplicate(const fs::path& from, const fs::path& to, off_t more = 0) {
  const UniqueFd source(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  const UniqueFd target(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  struct stat info {};
  if (!source || !target || ::fstat(source.get(), &info) != 0) throw_errno("cannot open");
  copy_content(source.get(), target.get(), info.st_size + more, from);
  if (::fstat(target.get(), &info) != 0) throw_errno("cannot look");
  return {read_file(to).value(), info.st_blocks};
}

TEST(CopyContent, CopiesEveryByte) {
  const TempDir dir;
  int number = 0;
  for (const std::size_t size : {0U, 1U, 4095U, 4096U, 4097U, 3'000'000U}) {
    std::string content(size, '\0');
    for (std::size_t i = 0; i < size; ++i) content[i] = static_cast<char>(i * 31 + i / 256);
    write_file_atomic(dir.path() / "from", content);
    EXPECT_EQ(duplicate(dir.path() / "from", dir.path() / std::to_string(number++)).content, content) << size;
  }
}

TEST(CopyContent, HolesStayHoles) {
  const TempDir dir;
  const fs::path from = dir.path() / "from";
  const UniqueFd file(::open(from.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(::pwrite(file.get(), "begin", 5, 0), 5);
  ASSERT_EQ(::pwrite(file.get(), "middle", 6, 8 << 20), 6);
  ASSERT_EQ(::ftruncate(file.get(), 16 << 20), 0);
  const Copy result = duplicate(from, dir.path() / "to");
  EXPECT_EQ(result.content, read_file(from).value());
  struct stat info {};
  ASSERT_EQ(::stat(from.c_str(), &info), 0);
  EXPECT_LE(result.blocks, info.st_blocks);
}

TEST(CopyContent, AFileThatBecameShorterEndsInZeros) {
  const TempDir dir;
  write_file_atomic(dir.path() / "from", "short");
  EXPECT_EQ(duplicate(dir.path() / "from", dir.path() / "to", 3).content, std::string("short\0\0\0", 8));
}

TEST(CopyContent, ErrorsNameTheFile) {
  const TempDir dir;
  write_file_atomic(dir.path() / "file", "text");
  const UniqueFd only_written(::open((dir.path() / "file").c_str(), O_WRONLY | O_CLOEXEC));
  const UniqueFd target(::open((dir.path() / "to").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  try {
    copy_content(only_written.get(), target.get(), 4, "its/name");
    FAIL() << "a file that cannot be read was copied";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("'its/name'"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace runner
