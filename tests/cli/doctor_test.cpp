#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include <cstring>
#include <filesystem>
#include <set>
#include <thread>

#include "cache/layer_store.h"
#include "runner/base/clock.h"
#include "runner/base/fd.h"
#include "runner/base/files.h"
#include "runner/base/text.h"
#include "tests/cli/program.h"

namespace runner::cli {
namespace {

namespace fs = std::filesystem;

/// The line about `topic` that holds `text`; empty when there is none.
std::string line_about(const Ended& ended, std::string_view topic, std::string_view text = {}) {
  for (const std::string_view line : split(ended.out, '\n')) {
    const bool is_about =
        line.substr(std::min<std::size_t>(line.size(), 9)).starts_with(std::string(topic) + ": ");
    if (is_about && line.find(text) != std::string_view::npos) return std::string(line);
  }
  return {};
}

TEST(Doctor, SaysOneLineAboutEachThingAndLeavesNothing) {
  const Sandboxed place("");
  const fs::path data = place.project() / "not/yet/there";
  const Ended ended = place.run({"doctor", "--data", data.string()});
  EXPECT_EQ(ended.err, "");
  EXPECT_FALSE(fs::exists(place.project() / "not"));
  std::set<std::string> topics;
  bool problem = false;
  for (const std::string_view line : split(trim(ended.out), '\n')) {
    const auto words = split_words(line);
    ASSERT_GE(words.size(), 3U) << line;
    EXPECT_TRUE(words[0] == "ok" || words[0] == "warning" || words[0] == "problem") << line;
    EXPECT_EQ(line.find("; ") != std::string_view::npos, words[0] != "ok") << "what to do: " << line;
    problem = problem || words[0] == "problem";
    topics.emplace(words[1].substr(0, words[1].size() - 1));
  }
  EXPECT_EQ(topics, (std::set<std::string>{"kernel", "data", "workspaces", "copies", "layers", "git",
                                           "git-lfs", "shell", "containers"}));
  EXPECT_EQ(ended.code, problem ? 1 : 0);
  EXPECT_NE(line_about(ended, "data", data.string()), "");
  EXPECT_NE(line_about(ended, "layers", "none yet"), "");
}

TEST(Doctor, TellsProgramsTheSame) {
  const Sandboxed place("");
  const Ended text = place.run({"doctor"});
  const Ended ended = place.run({"doctor", "--json"});
  EXPECT_EQ(ended.code, text.code);
  const auto json = nlohmann::json::parse(ended.out);
  EXPECT_EQ(json["healthy"].get<bool>(), ended.code == 0);
  std::size_t lines = 0;
  for (const auto& finding : json["findings"]) {
    ++lines;
    const auto topic = finding["topic"].get<std::string>();
    EXPECT_EQ(finding["mend"].is_null(), finding["health"] == "ok") << topic;
    if (topic == "data") continue;  // its free space changes
    EXPECT_NE(line_about(text, topic, finding["text"].get<std::string>()), "") << topic;
  }
  EXPECT_EQ(lines, split(trim(text.out), '\n').size());
}

TEST(Doctor, ADataDirectoryThatCannotBeIsAProblem) {
  const Sandboxed place("");
  place.write("file", "");
  for (const std::string& data : {std::string("/proc/nowhere"), (place.project() / "file").string(),
                                  (place.project() / "file/below").string()}) {
    const Ended ended = place.run({"doctor", "--data", data});
    EXPECT_EQ(ended.code, 1) << data;
    const std::string line = line_about(ended, "data", data);
    EXPECT_EQ(line.substr(0, 8), "problem ") << ended.out;
    EXPECT_NE(line.find("; choose another place with --data or RUNNER_DATA"), std::string::npos) << line;
    EXPECT_NE(line_about(ended, "shell"), "") << "the other checks are done all the same";
  }
}

TEST(Doctor, ADataDirectoryBehindAClosedOneIsAProblem) {
  const Sandboxed place("");
  fs::create_directories(place.project() / "closed");
  fs::permissions(place.project() / "closed", fs::perms::none);
  // Root without the right to look everywhere.
  const std::string weak = ::geteuid() == 0 ? "setpriv --bounding-set -dac_override,-dac_read_search " : "";
  const Ended ended = place.run_bash(weak + "runner doctor --data closed/data/here");
  fs::permissions(place.project() / "closed", fs::perms::owner_all);
  EXPECT_EQ(ended.code, 1);
  EXPECT_EQ(line_about(ended, "data").substr(0, 8), "problem ") << ended.out << ended.err;
}

TEST(Doctor, OneLineStaysOneLine) {
  const Sandboxed place("");
  const Ended ended = place.run({"doctor", "--data", (place.project() / "line\nend\x1b[31m").string()});
  EXPECT_NE(line_about(ended, "data", "line?end?[31m"), "") << ended.out;
}

TEST(Doctor, TriesMountsWhateverTheEnvironmentWants) {
  Sandboxed place("");
  const Ended plain = place.run({"doctor"});
  place.environment = {"RUNNER_WORKSPACE=nonsense"};
  const Ended odd = place.run({"doctor"});
  EXPECT_EQ(line_about(odd, "workspaces").substr(0, 8), "warning ") << odd.out;
  EXPECT_NE(line_about(odd, "workspaces", "'nonsense'; 'auto', 'overlay' or 'copy' is expected"), "")
      << odd.out;
  if (!line_about(plain, "workspaces", "copy:").empty()) GTEST_SKIP() << "no overlay mounts here";
  place.environment = {"RUNNER_WORKSPACE=copy"};
  const Ended copy = place.run({"doctor"});
  EXPECT_NE(line_about(copy, "workspaces", "they could be mounted; unset it"), "") << copy.out;
}

TEST(Doctor, NamesASizeThatIsNone) {
  Sandboxed place("");
  place.environment = {"RUNNER_CACHE_SIZE=much"};
  const Ended ended = place.run({"doctor"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_NE(line_about(ended, "layers", "RUNNER_CACHE_SIZE is 'much'"), "") << ended.out;
  place.environment = {"RUNNER_CACHE_SIZE=0"};
  EXPECT_NE(line_about(place.run({"doctor"}), "layers", "without a limit"), "");
}

TEST(Doctor, FindsDamagedLayersAndAFullStore) {
  Sandboxed place("");
  const SystemClock clock;
  const auto store = cache::LayerStore::open(place.data() / "layers", clock);
  fs::path tree;
  for (const char* key : {"one", "two"}) {
    cache::Draft draft = store->begin();
    write_file_atomic(draft.tree() / "file", std::string(100'000, 'x') + key, 0644, false);
    cache::NewEntry entry;
    entry.name = {cache::Space::cache, "project", key};
    tree = store->commit(std::move(entry), std::move(draft))->layers.front().tree;
  }
  const Ended healthy = place.run({"doctor"});
  EXPECT_EQ(healthy.code, 0) << healthy.out;
  EXPECT_NE(line_about(healthy, "layers", "2 entries on 2 layers"), "") << healthy.out;
  place.environment = {"RUNNER_CACHE_SIZE=50KB"};
  const Ended full = place.run({"doctor"});
  EXPECT_EQ(full.code, 0);
  EXPECT_EQ(line_about(full, "layers", "of at most 48.8 KiB").substr(0, 8), "warning ") << full.out;
  place.environment.clear();
  remove_tree(tree);
  const Ended damaged = place.run({"doctor"});
  EXPECT_EQ(damaged.code, 1);
  EXPECT_EQ(
      line_about(damaged, "layers", tree.filename() == "tree" ? tree.parent_path().string() : tree.string())
          .substr(0, 8),
      "problem ")
      << damaged.out;
}

/// A socket that answers one question with `answer`; without one it says nothing until it is destroyed.
class FakeEngine {
 public:
  FakeEngine(const fs::path& socket, std::string answer) : answer_(std::move(answer)) {
    make_directories(socket.parent_path());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, socket.c_str(), socket.native().size());
    listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.get(), 1), 0);
    if (!answer_.empty()) thread_ = std::thread([this] { serve(); });
  }
  ~FakeEngine() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
  }
  FakeEngine(const FakeEngine&) = delete;
  FakeEngine& operator=(const FakeEngine&) = delete;

 private:
  void serve() {
    const UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client) return;
    std::string question(1024, '\0');
    const auto got = ::read(client.get(), question.data(), question.size());
    if (got > 0 && question.starts_with("GET /_ping HTTP/1.")) write_all(client.get(), answer_);
  }
  std::string answer_;
  UniqueFd listener_;
  std::thread thread_;
};

TEST(Doctor, AsksContainerEnginesForTheirVersions) {
  Sandboxed place("");
  const TempDir sockets("s-");
  place.environment = {"XDG_RUNTIME_DIR=" + sockets.path().string(),
                       "DOCKER_HOST=unix://" + (sockets.path() / "garbage").string(),
                       "CONTAINER_HOST=unix://" + (sockets.path() / "silent").string()};
  const FakeEngine podman(sockets.path() / "podman/podman.sock",
                          "HTTP/1.0 200 OK\r\nApi-Version: 1.41\r\nserver:  Libpod/4.3.1 (linux) \r\n\r\nOK");
  const FakeEngine garbage(sockets.path() / "garbage",
                           "HTTP/1.0 200 OK\r\nServer: nginx\r\n\r\nServer: Docker/1");
  const FakeEngine silent(sockets.path() / "silent", "");
  const Ended ended = place.run({"doctor"});
  EXPECT_EQ(line_about(ended, "containers", "podman 4.3.1 at '").substr(0, 3), "ok ") << ended.out;
  EXPECT_NE(line_about(ended, "containers", "garbage' does not answer: it tells no version; start it"), "")
      << ended.out;
  EXPECT_NE(line_about(ended, "containers", "silent' does not answer: Connection timed out"), "")
      << ended.out;
}

}  // namespace
}  // namespace runner::cli
