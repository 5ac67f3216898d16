#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "runner/base/error.h"
#include "runner/http/listen_socket.h"
#include "tests/http/harness.h"

namespace runner::http {
namespace {

using testing::Client;
using testing::get;
using ::testing::HasSubstr;

struct UnixSocketTest : testing::ServerTest {
  std::filesystem::path path = directory.path() / "socket";

  std::string refusal() const {
    try {
      ListenSocket::unix_socket(path, 0660);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::conflict);
      return error.what();
    }
    return "";
  }

  /// What a process leaves that was killed.
  void leave_dead_socket() const {
    const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    path.string().copy(name.sun_path, sizeof name.sun_path - 1);
    ASSERT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
    ASSERT_EQ(::listen(fd.get(), 1), 0);
  }
};

TEST_F(UnixSocketTest, TellsWhoIsAtTheOtherEnd) {
  start({.unix_sockets = {{.path = path}}});
  struct stat about {};
  ASSERT_EQ(::stat(path.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 07777U, 0660U);
  Client client = Client::unix_socket(path);
  client.send(get("/peer"));
  EXPECT_EQ(client.read_answer().body, std::to_string(::getuid()) + " " + std::to_string(::getpid()));
  server.reset();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(UnixSocketTest, TakesThePlaceOfADeadProcess) {
  leave_dead_socket();
  ASSERT_TRUE(std::filesystem::exists(path));
  start({.unix_sockets = {{.path = path}}});
  Client client = Client::unix_socket(path);
  client.send(get("/hello"));
  EXPECT_EQ(client.read_answer().status, 200);
}

TEST_F(UnixSocketTest, IsLeftToALiveProcess) {
  start({.unix_sockets = {{.path = path}}});
  EXPECT_THAT(refusal(), HasSubstr("another process listens there"));
  std::filesystem::remove(path.string() + ".lock");  // somebody tidied up: the socket itself still tells
  EXPECT_THAT(refusal(), HasSubstr("another process listens there"));
  Client client = Client::unix_socket(path);
  client.send(get("/hello"));
  EXPECT_EQ(client.read_answer().status, 200);
}

TEST_F(UnixSocketTest, NeverReplacesAFile) {
  write_file_atomic(path, "precious", 0644, false);
  EXPECT_THAT(refusal(), HasSubstr("no socket"));
  EXPECT_EQ(read_file(path), "precious");
}

TEST_F(UnixSocketTest, NeverReplacesASocketOfAnotherKind) {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  path.string().copy(name.sun_path, sizeof name.sun_path - 1);
  ASSERT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
  try {
    ListenSocket::unix_socket(path, 0600);
    ADD_FAILURE() << "it was replaced";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("cannot find out whether somebody listens"));
  }
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(UnixSocketTest, LeavesTheSocketOfASuccessor) {
  {
    const ListenSocket first = ListenSocket::unix_socket(path, 0600);
    std::filesystem::remove(path);
    leave_dead_socket();
  }
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(UnixSocketTest, HasAPathThatFits) {
  path = directory.path() / std::string(120, 'a');
  EXPECT_THROW(ListenSocket::unix_socket(path, 0600), Error);
}

TEST_F(UnixSocketTest, IsKnownToCurl) {
  start({.unix_sockets = {{.path = path}}});
  const auto ran =
      testing::run_command("curl -sS --unix-socket " + path.string() + " http://localhost/hello");
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(ran.output, "hello\n");
}

}  // namespace
}  // namespace runner::http
