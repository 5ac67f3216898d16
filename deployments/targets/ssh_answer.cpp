#include "deployments/targets/ssh_answer.h"

#include <algorithm>
#include <array>

#include "deployments/target.h"
#include "deployments/targets/ssh_script.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::deployments {
namespace {

constexpr std::string_view kMark = "runner:";
constexpr int kOwnFailure = 255;  // exit status of ssh when it is not that of the command
constexpr int kBusy = 75, kStale = 76;
constexpr std::size_t kMostFacts = 100;
constexpr std::size_t kMostLines = 20, kLongestLine = 400;

struct Meaning {
  std::string_view said;  // lower case
  ErrorCode code;
  std::string_view mend;
};

/// What ssh says of itself. The first that fits counts.
constexpr std::array<Meaning, 8> kMeanings = {{
    {"host identification has changed", ErrorCode::invalid_input,
     "its key has changed: somebody may be in between. If its operator confirms the new key, replace its "
     "line in "
     "'known_hosts'"},
    {"host key is known", ErrorCode::invalid_input,
     "its key is not in 'known_hosts': compare what 'ssh-keyscan' prints with what its operator says, and "
     "add it"},
    {"host key verification failed", ErrorCode::invalid_input,
     "its key is not the one in 'known_hosts': compare what 'ssh-keyscan' prints with what its operator "
     "says"},
    {"permission denied", ErrorCode::invalid_input,
     "it refuses the key: see that its public half is in ~/.ssh/authorized_keys there, that it has no "
     "passphrase, "
     "and the user name"},
    {"load key", ErrorCode::invalid_input, "the private key is not one, or has a passphrase"},
    {"could not resolve", ErrorCode::unavailable, "mend its name, or the name service"},
    {"timed out", ErrorCode::unavailable,
     "it cannot be reached: see the address, the network and the firewall"},
    {"connect to host", ErrorCode::unavailable,
     "it cannot be reached: see the address, and that sshd runs there"},
}};

void keep(std::deque<std::string>& lines, std::string_view line) {
  lines.push_back(to_utf8(strip_ansi(line.substr(0, kLongestLine))));
  if (lines.size() > kMostLines) lines.pop_front();
}

std::string joined(const std::deque<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += (text.empty() ? "" : "; ") + std::string(trim(line));
  return text;
}

ErrorCode code_of(std::string_view name) {
  for (const ErrorCode code : {ErrorCode::invalid_input, ErrorCode::not_found, ErrorCode::conflict,
                               ErrorCode::unavailable, ErrorCode::corrupt})
    if (to_string(code) == name) return code;
  return ErrorCode::internal;
}

[[noreturn]] void fail_connection(const std::string& verb, const std::string& said) {
  const std::string lower = to_lower(said);
  for (const Meaning& meaning : kMeanings)
    if (lower.find(meaning.said) != std::string::npos)
      throw Error(meaning.code, "ssh says: " + said + "; " + std::string(meaning.mend));
  throw Error(ErrorCode::unavailable, "the connection ended in the middle of '" + verb + "'" +
                                          (said.empty() ? "" : ": " + said) +
                                          "; look at the network and at sshd's log");
}

}  // namespace

void SshReply::add(std::string_view line) {
  if (line.substr(0, kMark.size()) != kMark) return keep(said, line);
  line.remove_prefix(kMark.size());
  const auto words = split_words(line);
  if (words.empty() || facts.size() >= kMostFacts) return;
  if (words[0] == "error" && words.size() > 1) {
    error_code = words[1];
    error_text = to_utf8(line.substr(static_cast<std::size_t>(words[1].end() - line.begin())));
    return;
  }
  facts.emplace_back(words.begin(), words.end());
}

void SshReply::keep_output(std::string_view line) {
  keep(output, line);
}

bool SshReply::has(std::string_view fact) const {
  return std::any_of(facts.begin(), facts.end(), [&](const auto& words) { return words[0] == fact; });
}

void SshReply::check(const std::string& unit, const std::string& verb, int code) const {
  for (const auto& words : facts) {
    if (code == kStale && words[0] == "stale" && words.size() > 1)
      throw StaleFence(unit, static_cast<std::uint64_t>(parse_integer(words[1]).value_or(0)),
                       words.size() > 2 ? from_word(words[2]) : "");
    if (code == kBusy && words[0] == "busy")
      throw Error(ErrorCode::timeout, words.size() > 2
                                          ? "deployment " + from_word(words[1]) + " still runs '" +
                                                from_word(words[2]) +
                                                "' there; wait for it, or end it there and try again"
                                          : "another deployment works there; wait for it, then try again");
  }
  if (!error_code.empty()) {
    // What was said besides is of the commands that failed.
    const std::string more = joined(output);
    throw Error(code_of(error_code),
                std::string(trim(error_text)) + (more.empty() ? "" : "; it said: " + more));
  }
  // A call that the watchdog ended has told so.
  if (has("done") || has("timeout")) return;
  const std::string text = joined(said);
  if (code == kOwnFailure || code >= 128) fail_connection(verb, text);
  throw Error(ErrorCode::unavailable,
              "'" + verb + "' ended with status " + std::to_string(code) + (text.empty() ? "" : ": " + text) +
                  "; the user there needs a POSIX shell, and may write below the root");
}

}  // namespace runner::deployments
