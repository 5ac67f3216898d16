// Logs: whole, in parts, followed.
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/api/api_harness.h"

namespace runner::api {
namespace {

using http::testing::Client;
using nlohmann::json;
using pipelines::JobStatus;
using ::testing::ElementsAre;

class ApiLogTest : public ApiTest {
 protected:
  storage::JobRecord job_ = add_job(add_pipeline(), 0, JobStatus::running);
  std::string log_ = "/api/v1/jobs/" + std::to_string(job_.id) + "/log";

  EventReader follow(const std::string& last = {}, int receive_buffer = 0) {
    return {Client::tcp(server_->port(), "127.0.0.1", receive_buffer), log_ + "/follow",
            shown("vera") + (last.empty() ? "" : "Last-Event-ID: " + last + "\r\n")};
  }
  void end(JobStatus status = JobStatus::success) { set_status(job_, status); }
};

/// Reads to the end; checks that offsets and ids fit together.
std::string read_log(EventReader& reader, std::size_t offset = 0, std::string* status = nullptr) {
  std::string text;
  while (const auto event = reader.next()) {
    const json data = json::parse(event->data);
    if (event->type == "end") {
      EXPECT_EQ(event->id, std::to_string(offset));
      if (status != nullptr) *status = data.at("status");
      EXPECT_FALSE(reader.next());
      return text;
    }
    EXPECT_EQ(event->type, "log");
    EXPECT_EQ(data.at("offset"), offset);
    const std::string piece = data.at("text");
    text += piece;
    offset += piece.size();
    EXPECT_EQ(event->id, std::to_string(offset));
  }
  ADD_FAILURE() << "the log had no end";
  return text;
}

TEST_F(ApiLogTest, LogIsServedWholeAndInParts) {
  EXPECT_EQ(ask("GET", log_, "", "vera").status, 200);  // there is none yet
  EXPECT_EQ(ask("GET", log_, "", "vera").body, "");
  append_log(job_, "0123456789");
  const Asked whole = ask("GET", log_, "", "vera");
  EXPECT_EQ(whole.body, "0123456789");
  EXPECT_EQ(whole.headers.at("content-type"), "text/plain; charset=utf-8");
  EXPECT_EQ(whole.headers.at("x-content-type-options"), "nosniff");
  EXPECT_EQ(whole.headers.at("cache-control"), "no-cache");
  const Asked part = ask_with("GET", log_, shown("vera") + "Range: bytes=7-\r\n");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, "789");
  EXPECT_EQ(part.headers.at("content-range"), "bytes 7-9/10");
  EXPECT_EQ(ask_with("GET", log_, shown("vera") + "Range: bytes=10-\r\n").status, 416);
  EXPECT_EQ(ask_with("HEAD", log_, shown("vera")).headers.at("content-length"), "10");
  EXPECT_EQ(ask("GET", "/api/v1/jobs/999/log").status, 404);
}

TEST_F(ApiLogTest, LinkInPlaceOfALogIsNotFollowed) {
  append_log(job_, "x");
  const auto path = dir_.path() / "logs" / std::to_string(job_.pipeline) / (std::to_string(job_.id) + ".log");
  std::filesystem::remove(path);
  write_file_atomic(dir_.path() / "other", "not a log");
  std::filesystem::create_symlink(dir_.path() / "other", path);
  const Asked asked = ask("GET", log_);
  EXPECT_EQ(asked.status, 500);
  EXPECT_EQ(asked.body.find("not a log"), std::string::npos);
}

TEST_F(ApiLogTest, FollowerSeesTheLogGrowWithoutAWordFromOthers) {
  EventReader reader = follow();
  ASSERT_EQ(reader.status(), 200);
  append_log(job_, "one\n");  // only the timer sees it
  EXPECT_EQ(json::parse(reader.next()->data), json::parse(R"({"offset":0,"text":"one\n"})"));
  append_log(job_, "two\n");
  api_->changed();
  const auto second = reader.next();
  EXPECT_EQ(json::parse(second->data), json::parse(R"({"offset":4,"text":"two\n"})"));
  EXPECT_EQ(second->id, "8");
  append_log(job_, "three\n");
  end(JobStatus::failed);
  api_->changed();
  std::string status;
  EXPECT_EQ(read_log(reader, 8, &status), "three\n");
  EXPECT_EQ(status, "failed");
}

TEST_F(ApiLogTest, EndIsSeenAfterASecondWithoutAWord) {
  EventReader reader = follow();
  end();
  clock_.pass(std::chrono::seconds(2));
  EXPECT_EQ(reader.next()->type, "end");
}

TEST_F(ApiLogTest, FollowerGoesOnFromTheLastEventItSaw) {
  append_log(job_, "0123456789");
  end();
  for (const char* last : {"4", "10", "0"}) {
    EventReader reader = follow(last);
    const auto offset = static_cast<std::size_t>(std::stoi(last));
    EXPECT_EQ(read_log(reader, offset), std::string("0123456789").substr(offset));
  }
  for (const char* last : {"-1", "x", "1.5"})
    EXPECT_THAT(ask_with("GET", log_ + "/follow", shown("vera") + "Last-Event-ID: " + last + "\r\n").fields(),
                ElementsAre("Last-Event-ID"));
}

TEST_F(ApiLogTest, CharactersAreNotCutAndWhatIsNoneIsReplaced) {
  EventReader reader = follow();
  append_log(job_, "a\xe2\x82");
  EXPECT_EQ(json::parse(reader.next()->data).at("text"), "a");
  append_log(job_, "\xac!");
  EXPECT_EQ(json::parse(reader.next()->data).at("text"), "\xe2\x82\xac!");
  append_log(job_, "\xf0\x9f");
  end();
  api_->changed();
  const auto last = reader.next();  // the job ended in the middle of one
  EXPECT_EQ(json::parse(last->data).at("text"), "\ufffd\ufffd");
  EXPECT_EQ(last->id, "7");
  EXPECT_EQ(reader.next()->type, "end");
}

std::string long_text(std::size_t lines) {
  std::string text;
  for (std::size_t at = 0; at < lines; ++at)
    text += std::to_string(at) + " \x1b[31m \"quoted\" \u20ac and plain text to fill the line\n";
  return text;
}

// The log is far larger than what a follower may hold and what sockets buffer: if it were not read by need,
// the stream would overflow and be cut.
TEST_F(ApiLogTest, SlowReaderGetsAllOfALongLogAndHoldsUpNobody) {
  const std::string text = long_text(100'000);
  append_log(job_, text);
  end();
  EventReader slow = follow({}, 4096);
  EventReader quick = follow();
  EXPECT_TRUE(read_log(quick) == text);
  EXPECT_TRUE(read_log(slow) == text);
}

TEST_F(ApiLogTest, WriterAndManyFollowersAtOnceLoseNothing) {
  const std::string text = long_text(2000);
  std::vector<std::string> got(8);
  std::vector<std::thread> readers;
  for (std::string& each : got) {
    readers.emplace_back([&] {
      EventReader reader = follow();
      each = read_log(reader);
    });
  }
  for (std::size_t at = 0; at < text.size(); at += 1000) {
    append_log(job_, text.substr(at, 1000));
    api_->changed();
  }
  end();
  api_->changed();
  for (std::thread& reader : readers) reader.join();
  for (const std::string& each : got) EXPECT_TRUE(each == text);
}

TEST_F(ApiLogTest, FollowersThatGoAndServersThatStopLeaveNothingBehind) {
  { const EventReader gone = follow(); }
  Client head = connect();
  head.send("HEAD " + log_ + "/follow HTTP/1.1\r\nHost: x\r\n" + shown("vera") + "\r\n");
  EXPECT_EQ(head.read_answer(true).status, 200);
  head.close();
  {
    EventReader reader = follow();
    server_->request_stop(std::chrono::seconds(5));
    EXPECT_FALSE(reader.next());
  }
  EXPECT_TRUE(server_->stop(std::chrono::seconds(5)));
}

}  // namespace
}  // namespace runner::api
