// A balancer that dies, hangs or talks nonsense on its socket.
#include "deployments/balancers/runtime_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <thread>

#include "deployments/balancers/haproxy.h"
#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/files.h"

namespace runner::deployments {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

/// Takes one connection, reads a line, says `answer`, and hangs up or waits for the other side to do so.
class OddServer {
 public:
  OddServer(const std::string& path, std::string answer, bool hangs_up)
      : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.get(), 1), 0);
    thread_ = std::thread([this, answer = std::move(answer), hangs_up] {
      const UniqueFd one(::accept(listener_.get(), nullptr, nullptr));
      std::array<char, 512> piece{};
      static_cast<void>(::recv(one.get(), piece.data(), piece.size(), 0));
      for (std::size_t at = 0; at < answer.size();) {
        const ssize_t put = ::send(one.get(), answer.data() + at, answer.size() - at, MSG_NOSIGNAL);
        if (put <= 0) return;
        at += static_cast<std::size_t>(put);
      }
      if (!hangs_up) static_cast<void>(::recv(one.get(), piece.data(), piece.size(), 0));
    });
  }
  ~OddServer() { thread_.join(); }
  OddServer(const OddServer&) = delete;
  OddServer& operator=(const OddServer&) = delete;

 private:
  UniqueFd listener_;
  std::thread thread_;
};

struct OddCase {
  const char* name;
  std::string answer;
  bool hangs_up;
  const char* says;
};

class OddAnswerTest : public ::testing::TestWithParam<OddCase> {};

TEST_P(OddAnswerTest, IsAnErrorThatSaysWhat) {
  const TempDir top("deploy-");
  const std::string path = (top.path() / "s").string();
  const OddServer server(path, GetParam().answer, GetParam().hangs_up);
  const bool waits = !GetParam().hangs_up && GetParam().answer.size() < (1U << 20U);
  HaproxyBalancer haproxy(
      {.sockets = {path}, .backend = "shop", .server = "", .timeout = milliseconds(waits ? 300 : 60'000)});
  try {
    haproxy.observe({{"a", Slot::single}}, {});
    FAIL() << "took it";
  } catch (const Error& error) {
    EXPECT_THAT(std::string(to_string(error.code())) + ": " + error.what(), HasSubstr(GetParam().says));
  }
}

const std::string kHead = "1\n# be_id be_name srv_name srv_admin_state srv_uweight srv_iweight\n";

INSTANTIATE_TEST_SUITE_P(
    Of, OddAnswerTest,
    ::testing::Values(
        OddCase{"Nothing", "", true, "unavailable: HAProxy at"},
        OddCase{"ALineThatIsCut", kHead + "2 shop a", true, "ended in the middle of its answer"},
        OddCase{"ATableThatIsCutBetweenRows", kHead + "2 shop a 0 1 1\n", true, "ended in the middle"},
        OddCase{"NoEnd", kHead + "2 shop a 0 1 1\n\n", false, "timeout: HAProxy at"},
        OddCase{"Silence", "", false, "does not answer"},
        OddCase{"ARowThatIsTooShort", kHead + "2 shop a\n\n", true, "corrupt: "},
        OddCase{"NoTable", "HTTP/1.0 400 Bad\n\n", true, "is no table"},
        OddCase{"NoSuchColumn", "# be_name srv_id\nshop 1\n\n", true, "no column 'srv_name'"},
        OddCase{"NoNumber", kHead + "2 shop a x 1 1\n\n", true, "has 'x' as srv_admin_state"},
        OddCase{"TooMuch", std::string(17U << 20U, 'x'), false, "more than 16 MiB"}),
    [](const auto& one) { return one.param.name; });

TEST(RuntimeSocketTest, SaysWhyAPortCannotBeReached) {
  try {
    ask_runtime_socket("127.0.0.1:1", "help", milliseconds(2000), {});
    FAIL() << "somebody answered";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unavailable);
    EXPECT_THAT(error.what(), HasSubstr("'stats socket'"));
  }
}

TEST(RuntimeSocketTest, IsLeftAtOnceWhenItIsToStop) {
  const TempDir top("deploy-");
  const std::string path = (top.path() / "s").string();
  const OddServer server(path, "", false);
  std::stop_source stop;
  std::thread later([&] { stop.request_stop(); });
  try {
    ask_runtime_socket(path, "help", milliseconds(60'000), stop.get_token());
    FAIL() << "somebody answered";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::cancelled);
  }
  later.join();
}

}  // namespace
}  // namespace runner::deployments
