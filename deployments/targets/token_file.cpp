#include "deployments/targets/token_file.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

#include "deployments/pause.h"
#include "deployments/targets/ssh_script.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::deployments {
namespace {

constexpr std::chrono::milliseconds kBetweenTries{50};

struct Kept {
  std::uint64_t token = 0;
  std::string deployment, environment;
};

Kept read_kept(const std::filesystem::path& file) {
  const auto text = read_file(file, 4096);
  if (!text) return {};
  const auto words = split_words(*text);
  const auto token = words.size() == 3 ? parse_integer(words[0]) : std::nullopt;
  if (!token || *token < 0)
    throw Error(ErrorCode::corrupt,
                in_quotes(file.native()) + " holds no token; remove it when no deployment runs");
  return {static_cast<std::uint64_t>(*token), from_word(words[1]), from_word(words[2])};
}

}  // namespace

TokenFile::TokenFile(std::filesystem::path directory) : directory_(std::move(directory)) {
  make_directories(directory_, 0700);
}

std::uint64_t TokenFile::seen() const {
  return read_kept(directory_ / "token").token;
}

UniqueFd TokenFile::hold(const std::string& unit, const Fence& fence, const std::string& what,
                         std::chrono::milliseconds patience, const std::stop_token& stop) const {
  const auto until = std::chrono::steady_clock::now() + patience;
  UniqueFd lock(::open((directory_ / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) throw_errno("cannot open " + in_quotes((directory_ / "lock").native()));
  while (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) throw_errno("cannot lock " + in_quotes((directory_ / "lock").native()));
    if (std::chrono::steady_clock::now() >= until) {
      const std::string text = read_file(directory_ / "holder", 4096).value_or("");
      const auto words = split_words(text);
      throw Error(ErrorCode::timeout, words.size() == 2
                                          ? "deployment " + from_word(words[0]) + " still runs " +
                                                in_quotes(from_word(words[1])) + " on " + in_quotes(unit)
                                          : "another deployment works on " + in_quotes(unit));
    }
    pause_for(kBetweenTries, stop);
  }
  const Kept kept = read_kept(directory_ / "token");
  if (kept.token != 0 && kept.environment != fence.environment)
    throw Error(ErrorCode::conflict, in_quotes(directory_.native()) + " belongs to the environment " +
                                         in_quotes(kept.environment) + "; give " +
                                         in_quotes(fence.environment) + " a directory of its own");
  if (kept.token > fence.token || (kept.token == fence.token && kept.deployment != fence.deployment))
    throw StaleFence(unit, kept.token, kept.deployment);
  if (kept.token < fence.token)
    write_file_atomic(directory_ / "token",
                      std::to_string(fence.token) + " " + as_word(fence.deployment) + " " +
                          as_word(fence.environment) + "\n",
                      0600, true);
  write_file_atomic(directory_ / "holder", as_word(fence.deployment) + " " + as_word(what) + "\n", 0600,
                    false);
  return lock;
}

}  // namespace runner::deployments
