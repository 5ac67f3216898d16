#include "runner/base/base64.h"

#include <gtest/gtest.h>

namespace runner {
namespace {

TEST(Base64, GoesThereAndBack) {
  const struct {
    std::string bytes, text, url;
  } cases[] = {
      {"", "", ""},
      {"f", "Zg==", "Zg=="},
      {"fo", "Zm8=", "Zm8="},
      {"foo", "Zm9v", "Zm9v"},
      {"foob", "Zm9vYg==", "Zm9vYg=="},
      {"\xfb\xff\xbf", "+/+/", "-_-_"},
      {std::string("\0\0", 2), "AAA=", "AAA="},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(to_base64(c.bytes), c.text);
    EXPECT_EQ(to_base64_url(c.bytes), c.url);
    EXPECT_EQ(from_base64(c.text), c.bytes);
    EXPECT_EQ(from_base64(c.url), c.bytes);
    EXPECT_EQ(from_base64(c.text.substr(0, c.text.find('='))), c.bytes);
  }
}

TEST(Base64, WhatIsNoneIsNotTaken) {
  for (const char* text :
       {"A", "AAAAA", "Zg=", "Zg===", "=", "====", "Z=g=", "Zg==Zg==", "Zm 8", "Zm9v\n", "Zm9*"})
    EXPECT_EQ(from_base64(text), std::nullopt) << text;
}

}  // namespace
}  // namespace runner
