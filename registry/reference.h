#pragma once
// What an image is called, read as Docker reads it. Sources: the grammar of github.com/distribution/reference
// (and its "familiar names"), OCI distribution spec 1.1 "Pulling manifests", OCI image spec "Digests"; for
// the names of services the documentation of GitLab CI/CD ("Accessing the services"). Pure; any thread.

#include <string>
#include <string_view>
#include <vector>

namespace runner::registry {

struct Reference {
  std::string host;    // "docker.io", "registry.example:5000", "[::1]:5000"
  std::string path;    // "library/alpine"
  std::string tag;     // "" when none is named
  std::string digest;  // "sha256:..."; "" when none is named

  /// "docker.io/library/alpine".
  std::string repository() const { return host + '/' + path; }
  /// The tag, or "latest" when there is neither tag nor digest.
  std::string wanted_tag() const { return tag.empty() && digest.empty() ? "latest" : tag; }
  /// What a registry is asked for: the digest, else the tag.
  std::string wanted() const { return digest.empty() ? wanted_tag() : digest; }
  /// In full: "docker.io/library/alpine:3.19@sha256:...".
  std::string text() const;

  bool operator==(const Reference&) const = default;
};

/// NAME, NAME:TAG, NAME@DIGEST, NAME:TAG@DIGEST, where NAME is [HOST[:PORT]/]PATH. What stands before the
/// first '/' is a host when it has a '.', a ':' or a capital letter, or is "localhost"; else the host is
/// docker.io, and a path of one part there belongs to "library". Throws Error{invalid_input} with the text,
/// the character where it goes wrong, counted from 1, and the mend.
Reference parse_reference(std::string_view text);

/// "sha256:" and 64 lower-case hex digits, or "sha512:" and 128. Throws Error{invalid_input}.
void check_digest(std::string_view digest);
/// Throws Error{invalid_input} for what is no tag.
void check_tag(std::string_view tag);

/// The names by which jobs reach a service of this image, as written: without tag, digest and the registry's
/// port, '/' as "__", and then as '-' when that differs. "registry.example:5000/ns/db:9" gives
/// "registry.example__ns__db", "registry.example-ns-db". Throws like parse_reference().
std::vector<std::string> service_hosts(std::string_view image);

}  // namespace runner::registry
