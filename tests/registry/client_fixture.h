#pragma once
// What tests of the client share: a clock that stands still until somebody sleeps, images, errors as text.

#include <chrono>
#include <string>
#include <vector>

#include "registry/registry_client.h"
#include "runner/base/clock.h"
#include "runner/base/digest.h"
#include "runner/base/error.h"

namespace runner::registry::testing {

/// Time passes only by sleeping.
class StillClock final : public Clock {
 public:
  TimePoint now() const override { return {}; }
  SteadyPoint steady_now() const override { return now_; }
  void pass(std::chrono::milliseconds time) { now_ += time; }

 private:
  SteadyPoint now_{std::chrono::hours(100)};
};

/// A client whose waits take no time, and are remembered.
struct StillClient {
  explicit StillClient(LoginFile file = {}) { logins.add(std::move(file)); }

  ClientOptions options() {
    ClientOptions told = base;
    told.clock = &clock;
    told.sleep = [this](std::chrono::milliseconds time, const std::stop_token&) {
      slept.push_back(time);
      clock.pass(time);
    };
    told.chance = [] { return 1.0; };
    return told;
  }
  RegistryClient& get() {
    if (!client) client = std::make_unique<RegistryClient>(logins, options());
    return *client;
  }
  RegistryClient* operator->() { return &get(); }

  Logins logins;
  ClientOptions base;  // changed before the first call
  StillClock clock;
  std::vector<std::chrono::milliseconds> slept;
  std::unique_ptr<RegistryClient> client;
};

inline std::string digest_of(std::string_view bytes) {
  return "sha256:" + sha256_hex(bytes);
}

inline Descriptor descriptor_of(std::string_view bytes,
                                const std::string& type = "application/octet-stream") {
  return {type, digest_of(bytes), bytes.size()};
}

inline const std::string kImageType = "application/vnd.oci.image.manifest.v1+json";
inline const std::string kIndexType = "application/vnd.oci.image.index.v1+json";

inline std::string json_of(const Descriptor& part) {
  return R"({"mediaType":")" + part.media_type + R"(","digest":")" + part.digest + R"(","size":)" +
         std::to_string(part.size) + "}";
}

/// Of one configuration and one layer.
inline Manifest image_of(const std::string& config, const std::string& layer) {
  Manifest manifest;
  manifest.bytes = R"({"schemaVersion":2,"mediaType":")" + kImageType + R"(","config":)" +
                   json_of(descriptor_of(config, "application/vnd.oci.image.config.v1+json")) +
                   R"(,"layers":[)" +
                   json_of(descriptor_of(layer, "application/vnd.oci.image.layer.v1.tar")) + "]}";
  manifest.descriptor = descriptor_of(manifest.bytes, kImageType);
  return manifest;
}

template <typename Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return std::string(to_string(error.code())) + ": " + error.what();
  }
  return "";
}

}  // namespace runner::registry::testing
