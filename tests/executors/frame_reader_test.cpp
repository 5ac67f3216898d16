#include "executors/containers/frame_reader.h"

#include <gtest/gtest.h>

#include "runner/base/error.h"

namespace runner::executors {
namespace {

std::string frame(char stream, const std::string& text) {
  const auto size = static_cast<std::uint32_t>(text.size());
  std::string bytes = {stream, 0, 0, 0};
  for (const unsigned shift : {24U, 16U, 8U, 0U}) bytes += static_cast<char>(size >> shift & 255U);
  return bytes + text;
}

/// "o:text|e:text|", neighbours of one stream joined.
struct Heard {
  void operator()(Stream stream, std::string_view bytes) {
    auto& text = stream == Stream::out ? out : err;
    text += bytes;
    order += bytes;
  }
  std::string out, err, order;
};

TEST(FrameReader, FramesAreTheSameWhereverTheStreamIsCut) {
  const std::string binary("\0\1\2\377\n", 5);
  const std::string bytes = frame(1, "first") + frame(2, "error") + frame(1, "") + frame(0, "old") +
                            frame(3, "engine") + frame(1, binary) + frame(2, std::string(300, 'x'));
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    FrameReader reader;
    Heard heard;
    const auto take = [&](Stream stream, std::string_view text) { heard(stream, text); };
    for (std::size_t at = 0; at < bytes.size(); at += piece)
      reader.feed(std::string_view(bytes).substr(at, piece), take);
    EXPECT_TRUE(reader.at_boundary());
    EXPECT_EQ(heard.out, "firstold" + binary);
    EXPECT_EQ(heard.err, "errorengine" + std::string(300, 'x'));
    EXPECT_EQ(heard.order, "firsterrorold" + std::string("engine") + binary + std::string(300, 'x')) << piece;
  }
}

TEST(FrameReader, BytesArePassedOnBeforeTheirFrameIsComplete) {
  FrameReader reader;
  Heard heard;
  // A frame that says it has four gibibytes takes no memory.
  reader.feed(std::string("\1\0\0\0\377\377\377\377", 8) + "begin",
              [&](Stream stream, std::string_view text) { heard(stream, text); });
  EXPECT_EQ(heard.out, "begin");
  EXPECT_FALSE(reader.at_boundary());
}

TEST(FrameReader, StreamThatIsCutOffIsNoticed) {
  const std::string bytes = frame(1, "text");
  for (std::size_t size = 1; size < bytes.size(); ++size) {
    FrameReader reader;
    reader.feed(std::string_view(bytes).substr(0, size), [](Stream, std::string_view) {});
    EXPECT_FALSE(reader.at_boundary()) << size;
  }
}

TEST(FrameReader, DamageIsAnErrorAfterWhatCameBefore) {
  const std::string damages[] = {std::string("\4\0\0\0\0\0\0\1x", 9), std::string("\1\1\0\0\0\0\0\1x", 9),
                                 std::string("\1\0\0\1\0\0\0\1x", 9), "HTTP/1.1 500 Internal", "plain text"};
  for (const std::string& damage : damages) {
    FrameReader reader;
    Heard heard;
    try {
      reader.feed(frame(1, "good") + damage,
                  [&](Stream stream, std::string_view text) { heard(stream, text); });
      ADD_FAILURE() << "nothing was thrown";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::corrupt);
    }
    EXPECT_EQ(heard.out, "good");
  }
}

}  // namespace
}  // namespace runner::executors
