#include "runner/base/digest.h"

#include <gtest/gtest.h>

#include "runner/base/clock.h"

namespace runner {
namespace {

TEST(Digest, KnownVectors) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha1_hex("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
}

TEST(Digest, StreamGivesTheDigestOfTheWhole) {
  Sha256 stream;
  stream.update("a");
  Sha256 moved = std::move(stream);
  moved.update("");
  moved.update("bc");
  EXPECT_EQ(moved.finish_hex(), sha256_hex("abc"));
}

TEST(Clock, FormatsUtc) {
  EXPECT_EQ(format_iso8601(TimePoint(std::chrono::milliseconds(0))), "1970-01-01T00:00:00Z");
  EXPECT_EQ(format_iso8601(TimePoint(std::chrono::milliseconds(1769878075999))), "2026-01-31T16:47:55Z");
  EXPECT_EQ(format_iso8601(TimePoint(std::chrono::milliseconds(-1))), "1969-12-31T23:59:59Z");
}

TEST(Clock, SystemClockMovesForward) {
  const SystemClock clock;
  const auto before = clock.steady_now();
  EXPECT_LE(before, clock.steady_now());
  EXPECT_GT(clock.now(), TimePoint(std::chrono::milliseconds(1700000000000)));
}

}  // namespace
}  // namespace runner
