#include "registry/registry_client.h"

#include <algorithm>
#include <set>

#include "registry/blob_fetch.h"
#include "registry/blob_upload.h"
#include "registry/channel.h"
#include "registry/retry.h"
#include "registry/shown.h"
#include "registry/tag_list.h"
#include "runner/base/digest.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::registry {
namespace {

constexpr std::size_t kMostPages = 10'000;
constexpr std::string_view kPageSize = "1000";

/// What a digest is checked by here.
void check_sha256(const std::string& digest) {
  check_digest(digest);
  if (!digest.starts_with("sha256:"))
    throw Error(ErrorCode::invalid_input, "only digests of sha256 are verified here; name the image by one");
}

Call call_for(const Reference& image, std::string_view method, const std::string& what) {
  Call call;
  call.image = image;
  call.method = method;
  call.target = image.path + what;
  return call;
}

Call manifest_call(const Reference& image, std::string_view method) {
  Call call = call_for(image, method, "/manifests/" + image.wanted());
  for (const std::string& type : manifest_types()) call.fields.push_back("Accept: " + type);
  return call;
}

bool is_digest(const std::string& text) {
  try {
    check_digest(text);
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

struct RegistryClient::Impl {
  Impl(const Logins& logins, ClientOptions told)
      : options(std::move(told)),
        clock(options.clock != nullptr ? *options.clock : system_clock),
        channel(logins, options, clock) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() = default;

  /// Tries `body`, and says what it was about when it fails.
  template <typename Body>
  auto run(const std::string& doing, const std::stop_token& stop, Body body) {
    try {
      Retry retry(options, clock, stop);
      return body(retry);
    } catch (Error& error) {
      error.add_context(doing);
      throw;
    }
  }

  Manifest fetch(const Reference& image, const std::stop_token& stop) {
    Answer answer = channel.expect(manifest_call(image, "GET"), {200}, stop);
    Manifest manifest;
    manifest.bytes = answer.body(options.manifest_bytes);
    Descriptor& own = manifest.descriptor;
    own.digest = "sha256:" + sha256_hex(manifest.bytes);
    own.size = manifest.bytes.size();
    const std::string told = answer.field("docker-content-digest");
    const std::string& wanted = image.digest.empty() ? told : image.digest;
    if (!image.digest.empty()) check_sha256(image.digest);
    if (wanted.starts_with("sha256:") && wanted != own.digest)
      throw Error(ErrorCode::corrupt, "the manifest that came has the digest " + own.digest + " and not " +
                                          shown(wanted) + "; look at the registry and at proxies before it");
    own.media_type = manifest_type(manifest.bytes, answer.head().content_type);
    return manifest;
  }

  std::optional<Descriptor> find(const Reference& image, const std::stop_token& stop) {
    Answer answer = channel.send(manifest_call(image, "HEAD"), stop);
    const long status = answer.head().status;
    if (status == 404) return std::nullopt;
    if (status == 429 || status >= 500) answer.refuse();
    // Other answers to HEAD have no words; what can be wrong is said by the answer to GET.
    const std::string told = answer.field("docker-content-digest");
    if (status == 200 && is_digest(told)) {
      if (!image.digest.empty() && told != image.digest)
        throw Error(ErrorCode::corrupt, "the registry answers with " + shown(told) + " when asked for " +
                                            image.digest + "; look at proxies before it");
      const std::string type(
          trim(std::string_view(answer.head().content_type).substr(0, answer.head().content_type.find(';'))));
      const auto size = parse_integer(answer.field("content-length"));
      if (std::find(manifest_types().begin(), manifest_types().end(), type) != manifest_types().end())
        return Descriptor{type, told, size && *size > 0 ? static_cast<std::uint64_t>(*size) : 0};
    }
    try {
      return fetch(image, stop).descriptor;
    } catch (const Error& error) {
      if (error.code() == ErrorCode::not_found) return std::nullopt;
      throw;
    }
  }

  void put(const Reference& to, const Manifest& manifest, const std::stop_token& stop) {
    Call call = call_for(to, "PUT", "/manifests/" + to.wanted());
    call.actions = "pull,push";
    call.fields = {"Content-Type: " + manifest.descriptor.media_type};
    call.body = manifest.bytes;
    const Answer answer = channel.expect(call, {200, 201, 202}, stop);
    const std::string told = answer.field("docker-content-digest");
    if (told.starts_with("sha256:") && told != manifest.descriptor.digest)
      throw Error(ErrorCode::corrupt, "the registry keeps " + shown(told) + " and not " +
                                          manifest.descriptor.digest + ", which it was sent");
  }

  SystemClock system_clock;
  ClientOptions options;
  const Clock& clock;
  Channel channel;
};

RegistryClient::RegistryClient(const Logins& logins, ClientOptions options)
    : impl_(std::make_unique<Impl>(logins, std::move(options))) {}
RegistryClient::~RegistryClient() = default;

std::optional<Descriptor> RegistryClient::find_manifest(const Reference& image, const std::stop_token& stop) {
  return impl_->run("cannot look for image " + in_quotes(image.text()), stop, [&](Retry& retry) {
    return with_retries(retry, [&] { return impl_->find(image, stop); });
  });
}

Manifest RegistryClient::fetch_manifest(const Reference& image, const std::stop_token& stop) {
  return impl_->run("cannot read the manifest of image " + in_quotes(image.text()), stop, [&](Retry& retry) {
    return with_retries(retry, [&] { return impl_->fetch(image, stop); });
  });
}

Resolved RegistryClient::resolve(const Reference& image, const Platform& platform,
                                 const std::stop_token& stop) {
  return impl_->run("cannot resolve image " + in_quotes(image.text()), stop, [&](Retry& retry) {
    return with_retries(retry, [&] {
      const std::optional<Descriptor> named = impl_->find(image, stop);
      if (!named)
        throw Error(ErrorCode::not_found,
                    "there is no such image, or it is hidden; check its name and tag, or give a login");
      Resolved resolved{*named, *named};
      if (!is_index(named->media_type)) return resolved;
      // By its digest: the tag may be moved meanwhile.
      Reference index = image;
      index.digest = named->digest;
      const Manifest manifest = impl_->fetch(index, stop);
      resolved.platform = choose_platform(parse_index(manifest.bytes), platform).manifest;
      return resolved;
    });
  });
}

void RegistryClient::put_manifest(const Reference& to, const Manifest& manifest,
                                  const std::stop_token& stop) {
  impl_->run("cannot put a manifest as " + in_quotes(to.text()), stop, [&](Retry& retry) {
    if ("sha256:" + sha256_hex(manifest.bytes) != manifest.descriptor.digest)
      throw Error(ErrorCode::corrupt, "its bytes do not have the digest " + manifest.descriptor.digest);
    return with_retries(retry, [&] { impl_->put(to, manifest, stop); });
  });
}

Descriptor RegistryClient::move_tag(const Reference& image, const std::string& tag,
                                    const std::stop_token& stop) {
  check_tag(tag);
  const Manifest manifest = fetch_manifest(image, stop);
  Reference to = image;
  to.digest.clear();
  to.tag = tag;
  put_manifest(to, manifest, stop);
  return manifest.descriptor;
}

std::vector<std::string> RegistryClient::list_tags(const Reference& image, const std::stop_token& stop) {
  return impl_->run("cannot list the tags of " + in_quotes(image.repository()), stop, [&](Retry& retry) {
    std::vector<std::string> tags;
    Call call = call_for(image, "GET", "/tags/list?n=" + std::string(kPageSize));
    std::set<std::string> seen;
    for (std::size_t pages = 0;; ++pages) {
      std::optional<Url> next;
      std::string page;
      with_retries(retry, [&] {
        Answer answer = impl_->channel.expect(call, {200}, stop);
        page = answer.body(impl_->options.manifest_bytes);
        next = next_page(answer.url(), answer.field("link"));
      });
      for (std::string& tag : parse_tags(page)) tags.push_back(std::move(tag));
      if (tags.size() > impl_->options.tags)
        throw Error(ErrorCode::invalid_input, "there are more than " + std::to_string(impl_->options.tags) +
                                                  " tags, the limit; have old ones removed there");
      if (!next) {
        // As the specification wants it, and not all do it.
        std::sort(tags.begin(), tags.end());
        tags.erase(std::unique(tags.begin(), tags.end()), tags.end());
        return tags;
      }
      if (!seen.insert(next->text()).second || pages >= kMostPages)
        throw Error(ErrorCode::corrupt, "the pages of the list have no end; look at what answers there");
      call.url = next;
      retry.progress();
    }
  });
}

std::optional<std::uint64_t> RegistryClient::find_blob(const Reference& image, const std::string& digest,
                                                       const std::stop_token& stop) {
  return impl_->run(
      "cannot look for " + shown(digest) + " in " + in_quotes(image.repository()), stop, [&](Retry& retry) {
        check_digest(digest);
        return with_retries(retry, [&] { return find_blob_once(impl_->channel, image, digest, stop); });
      });
}

std::string RegistryClient::read_blob(const Reference& image, const Descriptor& blob, std::size_t most,
                                      const std::stop_token& stop) {
  return impl_->run(
      "cannot read " + shown(blob.digest) + " of " + in_quotes(image.repository()), stop, [&](Retry& retry) {
        check_sha256(blob.digest);
        return with_retries(retry, [&] {
          Call call = call_for(image, "GET", "/blobs/" + blob.digest);
          std::string bytes = impl_->channel.expect(call, {200}, stop).body(most);
          if ("sha256:" + sha256_hex(bytes) != blob.digest)
            throw Error(ErrorCode::corrupt, "what came has another digest; look at the registry");
          return bytes;
        });
      });
}

void RegistryClient::fetch_blob(const Reference& image, const Descriptor& blob,
                                const std::filesystem::path& file, const std::stop_token& stop) {
  impl_->run("cannot fetch " + shown(blob.digest) + " of " + in_quotes(image.repository()), stop,
             [&](Retry& retry) {
               check_sha256(blob.digest);
               BlobFetch(impl_->channel, impl_->options, image, blob).into(file, retry);
             });
}

Descriptor RegistryClient::push_blob(const Reference& to, const std::filesystem::path& file,
                                     const std::stop_token& stop) {
  return impl_->run("cannot push " + in_quotes(file.string()) + " to " + in_quotes(to.repository()), stop,
                    [&](Retry& retry) {
                      BlobUpload upload(impl_->channel, impl_->options, to, file);
                      upload.run(retry);
                      return upload.blob();
                    });
}

void RegistryClient::copy_blob(const Reference& from, const Reference& to, const Descriptor& blob,
                               const std::stop_token& stop) {
  const std::string doing = "cannot copy " + shown(blob.digest) + " to " + in_quotes(to.repository());
  const bool is_there = impl_->run(doing, stop, [&](Retry& retry) {
    check_sha256(blob.digest);
    return with_retries(retry, [&] { return mount_blob(impl_->channel, from, to, blob.digest, stop); });
  });
  if (is_there) return;
  const TempDir place("blob-");
  fetch_blob(from, blob, place.path() / "blob", stop);
  push_blob(to, place.path() / "blob", stop);
}

}  // namespace runner::registry
