#include "runner/cli/output.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <thread>

namespace runner::cli {
namespace {

TEST(Output, AllOfALongTextArrives) {
  Pipe pipe = make_pipe();
  const std::string text(1U << 20U, 'x');
  std::string got;
  std::thread reader([&] {
    char buffer[10000];
    while (true) {
      const ssize_t count = ::read(pipe.read.get(), buffer, sizeof buffer);
      if (count <= 0) return;
      got.append(buffer, static_cast<std::size_t>(count));
    }
  });
  Output output(pipe.write.get());
  output.write(text);
  pipe.write.reset();
  reader.join();
  EXPECT_EQ(got, text);
}

TEST(Output, AReaderThatIsGoneIsNoError) {
  std::signal(SIGPIPE, SIG_IGN);
  Pipe pipe = make_pipe();
  pipe.read.reset();
  Output output(pipe.write.get());
  output.write("lost");
  output.write("too");
}

TEST(Output, GivingUpEndsAWriteThatBlocks) {
  Pipe pipe = make_pipe();
  Output output(pipe.write.get());
  std::thread writer([&] { output.write(std::string(1U << 20U, 'x')); });
  output.give_up();
  writer.join();
}

TEST(Output, WhatFitsIsWrittenAfterGivingUp) {
  Pipe pipe = make_pipe();
  Output output(pipe.write.get());
  output.give_up();
  output.write("summary");
  char buffer[16];
  EXPECT_EQ(::read(pipe.read.get(), buffer, sizeof buffer), 7);
}

}  // namespace
}  // namespace runner::cli
