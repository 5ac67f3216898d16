#include "artifacts/zip_format.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "runner/base/error.h"

namespace runner::artifacts::zip {
namespace {

constexpr std::uint64_t kFourGiB = std::uint64_t{1} << 32U;

/// `count` bytes from `at` on, little endian.
std::uint64_t number(const std::string& bytes, std::size_t at, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = count; i > 0; --i)
    value = value << 8U | static_cast<unsigned char>(bytes.at(at + i - 1));
  return value;
}

Entry file(std::uint64_t size) {
  Entry entry;
  entry.path = "f";
  entry.mode = S_IFREG | 0644;
  entry.size = entry.packed = size;
  return entry;
}

TEST(ZipFormat, SizesBeyondFourGiBGoToTheExtraField) {
  Entry entry = file(kFourGiB + 5);
  EXPECT_EQ(number(local_header(file(7)), 4, 2), 20U);
  const std::string local = local_header(entry);
  EXPECT_EQ(number(local, 4, 2), 45U) << "version needed";
  EXPECT_EQ(number(local, 18, 4), 0xffffffffU);
  EXPECT_EQ(number(local, 30 + 1 + 9, 2), 1U) << "behind name and time";
  EXPECT_EQ(number(local, 30 + 1 + 9 + 4, 8), kFourGiB + 5);
  entry.offset = kFourGiB;
  const std::string header = directory_header(entry);
  EXPECT_EQ(number(header, 42, 4), 0xffffffffU);
  EXPECT_EQ(number(header, 46 + 1 + 9 + 2, 2), 24U) << "size, packed size and offset";
  EXPECT_EQ(number(header, 46 + 1 + 9 + 4 + 16, 8), kFourGiB);
}

TEST(ZipFormat, DescriptorIsAsWideAsItsHeaderSays) {
  Entry entry = file(100);
  entry.streamed = true;
  EXPECT_EQ(descriptor(entry).size(), 16U);
  EXPECT_EQ(number(local_header(entry), 6, 2) & 8U, 8U);
  EXPECT_EQ(number(local_header(entry), 22, 4), 0U) << "not known yet";
  // It may become larger than its content, so it is wide a little earlier.
  entry.size = kFourGiB - 2;
  EXPECT_EQ(descriptor(entry).size(), 24U);
  EXPECT_EQ(number(local_header(entry), 4, 2), 45U);
}

TEST(ZipFormat, ManyEntriesNeedTheLargeEnd) {
  EXPECT_EQ(end_records(65534, 100, 100).size(), 22U);
  const std::string end = end_records(65535, 100, 200);
  ASSERT_EQ(end.size(), 56U + 20U + 22U);
  EXPECT_EQ(number(end, 24, 8), 65535U);
  EXPECT_EQ(number(end, 56 + 8, 8), 300U) << "where the large end starts";
  EXPECT_EQ(end_records(1, 100, kFourGiB).size(), 98U);
}

TEST(ZipFormat, OnlyNamesThatAreUtf8AreMarkedSo) {
  Entry entry = file(0);
  EXPECT_EQ(number(local_header(entry), 6, 2) & 0x800U, 0U);
  entry.path = "\xC3\xA4";
  EXPECT_EQ(number(local_header(entry), 6, 2) & 0x800U, 0x800U);
  EXPECT_EQ(number(directory_header(entry), 8, 2) & 0x800U, 0x800U);
  entry.path = "\xFF";
  EXPECT_EQ(number(local_header(entry), 6, 2) & 0x800U, 0U);
  entry.path = std::string(70000, 'x');
  EXPECT_THROW(local_header(entry), Error);
}

TEST(ZipFormat, TimesOutsideOfTheFormatAreTheNearest) {
  Entry entry = file(0);
  const auto dos = [&](std::int64_t time) {
    entry.modified = time;
    return number(local_header(entry), 10, 4);
  };
  EXPECT_EQ(dos(0), 0x00210000U) << "1980-01-01";
  EXPECT_EQ(dos(1600000000), (40U << 9U | 9U << 5U | 13U) << 16U | 12U << 11U | 26U << 5U | 20U);
  EXPECT_EQ(dos(std::int64_t{1} << 40U) >> 25U, 127U) << "2107";
  EXPECT_EQ(number(local_header(entry), 28, 2), 0U) << "and no extra time that does not fit";
  EXPECT_EQ(number(directory_header(file(0)), 38, 4), std::uint64_t{S_IFREG | 0644} << 16U);
}

}  // namespace
}  // namespace runner::artifacts::zip
