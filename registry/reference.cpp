#include "registry/reference.h"

#include <algorithm>

#include "registry/shown.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::registry {
namespace {

constexpr std::size_t kLongestName = 255;
constexpr std::size_t kLongestTag = 128;
constexpr std::size_t kMostShown = 300;
constexpr std::string_view kHub = "docker.io";

bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_small(char c) {
  return is_lower(c) || is_digit(c);
}
bool is_letter_or_digit(char c) {
  return is_small(c) || is_upper(c);
}
bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f');
}

/// A part of a text, and where it lies in it.
class Part {
 public:
  explicit Part(std::string_view whole) : whole_(whole), text_(whole) {}

  std::string_view text() const { return text_; }
  bool empty() const { return text_.empty(); }
  Part from(std::size_t at, std::size_t count = std::string_view::npos) const {
    Part part(*this);
    part.text_ = text_.substr(at, count);
    part.offset_ = offset_ + at;
    return part;
  }
  [[noreturn]] void refuse(std::size_t at, const std::string& why) const {
    throw Error(ErrorCode::invalid_input, "image " + shown(whole_, kMostShown) + ", character " +
                                              std::to_string(offset_ + at + 1) + ": " + why);
  }

 private:
  std::string_view whole_, text_;
  std::size_t offset_ = 0;
};

void check_port(const Part& part) {
  const auto port = parse_integer(part.text());
  const bool has_digits = !part.empty() && std::all_of(part.text().begin(), part.text().end(), is_digit);
  if (!has_digits || !port || *port < 1 || *port > 65535)
    part.refuse(0, "a port is a number from 1 to 65535");
}

void check_host(const Part& part) {
  std::string_view text = part.text();
  std::size_t end = text.find(':');
  if (text.starts_with('[')) {
    end = text.find(']');
    if (end == std::string_view::npos) part.refuse(text.size(), "the address has no ']'");
    const std::string_view digits = text.substr(1, end - 1);
    const auto wrong = std::find_if_not(digits.begin(), digits.end(), [](char c) {
      return is_hex(c) || (c >= 'A' && c <= 'F') || c == ':' || c == '.';
    });
    if (digits.find(':') == std::string_view::npos || wrong != digits.end())
      part.refuse(1, "an address in brackets is one of IPv6, such as [::1]");
    ++end;
    if (end < text.size() && text[end] != ':') part.refuse(end, "after ']' comes a port, or '/'");
    if (end == text.size()) end = std::string_view::npos;
  }
  if (end != std::string_view::npos) check_port(part.from(end + 1));
  if (text.starts_with('[')) return;
  text = text.substr(0, end);
  std::size_t begin = 0;
  for (const std::string_view label : split(text, '.')) {
    if (label.empty()) part.refuse(begin, "a part of the host is empty");
    for (std::size_t i = 0; i < label.size(); ++i) {
      const bool is_edge = i == 0 || i + 1 == label.size();
      if (!is_letter_or_digit(label[i]) && (is_edge || label[i] != '-'))
        part.refuse(begin + i, "a host has letters, digits, and '-' between them");
    }
    begin += label.size() + 1;
  }
}

void check_component(const Part& part) {
  const std::string_view text = part.text();
  if (text.empty()) part.refuse(0, "a part of the path is empty; take one '/' out, or name it");
  for (std::size_t i = 0; i < text.size();) {
    if (is_small(text[i])) {
      ++i;
      continue;
    }
    if (is_upper(text[i])) part.refuse(i, "a path has no capital letters; write it in small ones");
    const std::size_t end = std::min(
        static_cast<std::size_t>(
            std::find_if(text.begin() + static_cast<std::ptrdiff_t>(i), text.end(), is_small) - text.begin()),
        text.size());
    const std::string_view between = text.substr(i, end - i);
    const bool is_separator = between == "." || between == "_" || between == "__" ||
                              between.find_first_not_of('-') == std::string_view::npos;
    if (!is_separator || i == 0 || end == text.size())
      part.refuse(i, "a path has small letters and digits, and between them '.', '_', '__' or '-'");
    i = end;
  }
}

void check_tag(const Part& part) {
  const std::string_view text = part.text();
  if (text.empty()) part.refuse(0, "the tag is empty; name it, or take the ':' out");
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!is_letter_or_digit(text[i]) && text[i] != '_' && (i == 0 || (text[i] != '.' && text[i] != '-')))
      part.refuse(i, "a tag has letters, digits, '_', '.' and '-', and begins with none of the last two");
  }
  if (text.size() > kLongestTag) part.refuse(kLongestTag, "a tag has at most 128 characters");
}

void check_digest(const Part& part) {
  const std::string_view text = part.text();
  const std::size_t colon = text.find(':');
  const std::string_view algorithm = text.substr(0, colon);
  if (colon == std::string_view::npos || (algorithm != "sha256" && algorithm != "sha512"))
    part.refuse(0, "a digest begins with 'sha256:' or 'sha512:'");
  const std::string_view hex = text.substr(colon + 1);
  const std::size_t wanted = algorithm == "sha256" ? 64 : 128;
  for (std::size_t i = 0; i < hex.size(); ++i) {
    if (!is_hex(hex[i])) part.refuse(colon + 1 + i, "a digest has the digits 0 to 9 and a to f");
  }
  if (hex.size() != wanted)
    part.refuse(colon + 1 + std::min(hex.size(), wanted), "a digest of " + std::string(algorithm) + " has " +
                                                              std::to_string(wanted) + " digits, this has " +
                                                              std::to_string(hex.size()));
}

bool is_host(std::string_view first) {
  return first == "localhost" || first.find_first_of(".:") != std::string_view::npos ||
         std::any_of(first.begin(), first.end(), is_upper);
}

/// As written: "" as the host of names without one.
Reference parse_written(std::string_view text) {
  const Part whole(text);
  if (text.empty()) whole.refuse(0, "there is no name");
  Reference written;
  Part name = whole;
  if (const std::size_t at = text.find('@'); at != std::string_view::npos) {
    check_digest(whole.from(at + 1));
    written.digest = text.substr(at + 1);
    name = whole.from(0, at);
  }
  const std::size_t colon = name.text().rfind(':');
  const std::size_t last_slash = name.text().rfind('/');
  if (colon != std::string_view::npos && (last_slash == std::string_view::npos || colon > last_slash)) {
    check_tag(name.from(colon + 1));
    written.tag = name.text().substr(colon + 1);
    name = name.from(0, colon);
  }
  if (name.empty()) name.refuse(0, "there is no name before the tag or digest");
  std::size_t begin = 0;
  const std::size_t slash = name.text().find('/');
  if (slash != std::string_view::npos && is_host(name.text().substr(0, slash))) {
    check_host(name.from(0, slash));
    written.host = name.text().substr(0, slash);
    begin = slash + 1;
  }
  const Part path = name.from(begin);
  std::size_t offset = 0;
  for (const std::string_view component : split(path.text(), '/')) {
    check_component(path.from(offset, component.size()));
    offset += component.size() + 1;
  }
  written.path = path.text();
  if (name.text().size() > kLongestName) name.refuse(kLongestName, "a name has at most 255 characters");
  if (written.host.empty() && written.path.size() == 64 &&
      std::all_of(written.path.begin(), written.path.end(), is_hex))
    name.refuse(0, "64 hex digits are the id of an image, and no name");
  return written;
}

}  // namespace

std::string Reference::text() const {
  std::string all = repository();
  if (const std::string named = wanted_tag(); !named.empty()) all += ':' + named;
  return digest.empty() ? all : all + '@' + digest;
}

Reference parse_reference(std::string_view text) {
  Reference reference = parse_written(text);
  // The old name of the hub.
  if (reference.host.empty() || reference.host == "index.docker.io") reference.host = kHub;
  if (reference.host == kHub && reference.path.find('/') == std::string::npos)
    reference.path = "library/" + reference.path;
  return reference;
}

void check_digest(std::string_view digest) {
  check_digest(Part(digest));
}

void check_tag(std::string_view tag) {
  check_tag(Part(tag));
}

std::vector<std::string> service_hosts(std::string_view image) {
  const Reference written = parse_written(image);
  // What is in brackets has no name that could be looked up.
  const std::string host = written.host.substr(
      0, written.host.starts_with('[') ? written.host.find(']') + 1 : written.host.find(':'));
  const std::string name = host.empty() ? written.path : host + '/' + written.path;
  std::vector<std::string> hosts = {replace_all(name, "/", "__")};
  if (const std::string other = replace_all(name, "/", "-"); other != hosts.front()) hosts.push_back(other);
  return hosts;
}

}  // namespace runner::registry
