#include "runner/engine/masker.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <cstdint>
#include <cstring>

#include "runner/base/text.h"

namespace runner::engine {
namespace {

constexpr std::string_view kMask = "[MASKED]";
constexpr std::size_t kShortestLine = 8;

/// What follows these is a token: a run of [A-Za-z0-9._=-].
constexpr std::string_view kTokenPrefixes[] = {
    "glpat-",   "gldt-",   "glrt-",  "glptt-",  "glcbt-",           "glft-",  "glimt-",
    "glagent-", "glsoat-", "gloas-", "glffct-", "_gitlab_session=", "gltok-", "glrtr-"};
/// What follows these in a URL is a credential, up to the next parameter.
constexpr std::string_view kParameters[] = {"private_token",   "authenticity_token", "rss_token",
                                            "x-amz-signature", "x-amz-credential",   "x-amz-security-token",
                                            "X-Amz-Signature", "X-Amz-Credential",   "X-Amz-Security-Token"};

enum class Kind : std::uint8_t { secret, token, parameter };

struct Pattern {
  std::string text;
  Kind kind = Kind::secret;
};

bool in_token(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
         c == '=' || c == '-';
}

bool in_parameter(char c) {
  return static_cast<unsigned char>(c) > ' ' && c != '&' && c != '"' && c != '\'' && c != '<' && c != '>';
}

std::size_t pair_of(char first, char second) {
  return (static_cast<std::size_t>(static_cast<unsigned char>(first)) << 8U) |
         static_cast<unsigned char>(second);
}

}  // namespace

struct Masker::Impl {
  std::array<std::vector<Pattern>, 256> by_first;  // longest first
  std::bitset<65536> candidate_pairs;              // the first two bytes of some pattern

  // Where the stream stands between two writes.
  std::string held;             // undecided bytes
  std::size_t masked_left = 0;  // so many bytes of `held` are covered by a mask that was written
  enum class Run : std::uint8_t { none, token, parameter } run = Run::none;
  bool run_masked = false;  // the mask of this run was written

  void add(std::string text, Kind kind);
  void process(std::string_view data, bool final, std::string& out);
  std::size_t skip_run(std::string_view data, std::size_t pos, std::string& out);
  std::size_t next_candidate(std::string_view data, std::size_t pos) const;
  /// The longest pattern at the start of `data`; `undecided` when a longer one may still come.
  const Pattern* match(std::string_view data, bool final, bool& undecided) const;
};

void Masker::Impl::add(std::string text, Kind kind) {
  auto& patterns = by_first[static_cast<unsigned char>(text[0])];
  if (text.size() == 1) {
    for (unsigned second = 0; second < 256; ++second) {
      candidate_pairs.set(pair_of(text[0], static_cast<char>(second)));
    }
  } else {
    candidate_pairs.set(pair_of(text[0], text[1]));
  }
  patterns.push_back({std::move(text), kind});
}

std::size_t Masker::Impl::skip_run(std::string_view data, std::size_t pos, std::string& out) {
  const auto inside = run == Run::token ? in_token : in_parameter;
  const std::size_t start = pos;
  while (pos < data.size() && inside(data[pos])) ++pos;
  if (pos > start && !run_masked) {
    out += kMask;
    run_masked = true;
  }
  if (pos < data.size()) run = Run::none;
  return pos;
}

std::size_t Masker::Impl::next_candidate(std::string_view data, std::size_t pos) const {
  const std::size_t last = data.size() - 1;
  while (pos < last && !candidate_pairs[pair_of(data[pos], data[pos + 1])]) ++pos;
  if (pos == last && by_first[static_cast<unsigned char>(data[pos])].empty()) ++pos;
  return pos;
}

const Pattern* Masker::Impl::match(std::string_view data, bool final, bool& undecided) const {
  for (const Pattern& pattern : by_first[static_cast<unsigned char>(data[0])]) {
    const std::size_t length = std::min(pattern.text.size(), data.size());
    if (std::memcmp(pattern.text.data(), data.data(), length) != 0) continue;
    if (length == pattern.text.size()) return &pattern;
    if (!final) {
      undecided = true;
      return nullptr;
    }
  }
  return nullptr;
}

void Masker::Impl::process(std::string_view data, bool final, std::string& out) {
  std::size_t pos = 0;
  std::size_t masked_until = masked_left;  // a mask covers everything before this
  std::size_t plain = masked_left;         // from here on nothing was written yet
  masked_left = 0;
  while (pos < data.size()) {
    if (run != Run::none) {
      pos = skip_run(data, pos, out);
      plain = pos;
      continue;
    }
    pos = next_candidate(data, pos);
    if (pos >= data.size()) break;
    bool undecided = false;
    const Pattern* found = match(data.substr(pos), final, undecided);
    if (undecided) {
      if (pos > plain) out.append(data, plain, pos - plain);
      masked_left = masked_until > pos ? masked_until - pos : 0;
      held.assign(data.substr(pos));
      return;
    }
    const std::size_t start = pos++;
    if (found == nullptr) continue;
    const std::size_t end = start + found->text.size();
    if (found->kind == Kind::secret) {
      // One that begins inside another one lengthens it: no piece of either is shown.
      if (start >= masked_until) {
        out.append(data, plain, start - plain);
        out += kMask;
      }
      masked_until = plain = std::max(masked_until, end);
    } else if (start >= masked_until) {
      out.append(data, plain, end - plain);
      pos = plain = end;
      run = found->kind == Kind::token ? Run::token : Run::parameter;
      run_masked = false;
    }
  }
  if (run == Run::none && plain < data.size()) out.append(data, plain, data.size() - plain);
}

Masker::Masker(const std::vector<std::string>& secrets) : impl_(std::make_unique<Impl>()) {
  for (const std::string& secret : secrets) {
    if (secret.empty()) continue;
    if (secret.find('\n') == std::string::npos) {
      impl_->add(secret, Kind::secret);
      continue;
    }
    for (const std::string_view line : split(secret, '\n')) {
      const std::string_view text = trim(line);
      if (text.size() >= kShortestLine) impl_->add(std::string(text), Kind::secret);
    }
  }
  for (const std::string_view prefix : kTokenPrefixes) impl_->add(std::string(prefix), Kind::token);
  for (const std::string_view name : kParameters) {
    impl_->add("?" + std::string(name) + "=", Kind::parameter);
    impl_->add("&" + std::string(name) + "=", Kind::parameter);
  }
  for (auto& patterns : impl_->by_first) {
    std::stable_sort(patterns.begin(), patterns.end(),
                     [](const Pattern& a, const Pattern& b) { return a.text.size() > b.text.size(); });
  }
}

Masker::~Masker() = default;
Masker::Masker(Masker&&) noexcept = default;
Masker& Masker::operator=(Masker&&) noexcept = default;

void Masker::feed(std::string_view bytes, std::string& out) {
  if (bytes.empty()) return;
  if (impl_->held.empty()) {
    impl_->process(bytes, false, out);
    return;
  }
  std::string data = std::move(impl_->held);
  impl_->held.clear();
  data += bytes;
  impl_->process(data, false, out);
}

void Masker::finish(std::string& out) {
  const std::string data = std::move(impl_->held);
  impl_->held.clear();
  if (!data.empty()) impl_->process(data, true, out);
  // What comes next is another stream.
  impl_->masked_left = 0;
  impl_->run = Impl::Run::none;
}

}  // namespace runner::engine
