#pragma once
// Archives for tests, honest or not.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace runner::test {

enum class ArchiveFormat : std::uint8_t { tar, tar_gz, tar_xz, tar_zst, zip };
std::string to_string(ArchiveFormat format);

struct MadeEntry {
  std::string path;
  std::string content = {};
  char type = 'f';  // f file, d directory, l symbolic link, h hard link, p FIFO, c character device, s socket
  std::string target = {};
  unsigned mode = 0644;
  std::int64_t modified = 1'700'000'000;
  bool has_size = true;  // without, a zip has data descriptors
};

/// Written just so, with nothing checked.
void make_archive(const std::filesystem::path& file, ArchiveFormat format,
                  const std::vector<MadeEntry>& entries, const std::string& options = "");

}  // namespace runner::test
