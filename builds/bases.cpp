#include "builds/bases.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "builds/at_once.h"
#include "builds/build_log.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::builds {
namespace {

using registry::Reference;
using registry::RegistryClient;

class Resolver {
 public:
  Resolver(const BaseSources& sources, std::stop_token stop)
      : sources_(sources),
        stop_(std::move(stop)),
        // The engine may have it: then nobody waits long for a registry that is not there.
        quick_(sources.logins, impatient(sources.options)),
        patient_(sources.logins, sources.options) {}

  Base resolve(const std::string& written) {
    const Reference image = registry::parse_reference(written);
    if (!image.digest.empty()) return {image.digest, "", ""};
    if (image.host == "localhost") return on_this_machine(image, written);
    std::string why;
    bool passing = false;
    try {
      if (const auto found = quick_.find_manifest(image, stop_)) return pinned(image, found->digest);
      why = "its registry has no such image";
    } catch (const Error& error) {
      if (error.code() == ErrorCode::cancelled) throw;
      passing = error.code() == ErrorCode::unavailable || error.code() == ErrorCode::timeout;
      why = error.what();
    }
    if (const auto local = of_engine(image, written))
      return {*local, "", "base " + written + ": the engine's own image is used (" + harmless(why) + ")"};
    if (!passing) throw Error(ErrorCode::invalid_input, "the base " + in_quotes(written) + ": " + why);
    const auto found = patient_.find_manifest(image, stop_);
    if (!found)
      throw Error(ErrorCode::invalid_input,
                  "the base " + in_quotes(written) + ": its registry has no such image");
    return pinned(image, found->digest);
  }

 private:
  // What engines call an image that is from nowhere.
  Base on_this_machine(const Reference& image, const std::string& written) {
    if (const auto local = of_engine(image, written)) return {*local, "", ""};
    throw Error(ErrorCode::invalid_input,
                "the base " + in_quotes(written) +
                    ": the engine has no such image, and names below localhost are in no registry");
  }

  static registry::ClientOptions impatient(registry::ClientOptions options) {
    options.retries.attempts = 1;
    options.waits.connect = std::min(options.waits.connect, std::chrono::milliseconds(5000));
    return options;
  }

  static Base pinned(const Reference& image, const std::string& digest) {
    return {digest, image.repository() + '@' + digest, ""};
  }

  std::optional<std::string> of_engine(const Reference& image, const std::string& written) {
    const std::lock_guard lock(mutex_);
    return sources_.local ? sources_.local(image, written) : std::nullopt;
  }

  const BaseSources& sources_;
  std::stop_token stop_;
  RegistryClient quick_, patient_;
  std::mutex mutex_;
};

}  // namespace

std::map<std::string, Base> resolve_bases(const std::vector<ImageUse>& uses, const std::string& name,
                                          const BaseSources& sources, const std::stop_token& stop) {
  std::vector<const ImageUse*> wanted;
  for (const ImageUse& use : uses)
    if (std::none_of(wanted.begin(), wanted.end(),
                     [&](const auto* known) { return known->image == use.image; }))
      wanted.push_back(&use);
  std::vector<Base> found(wanted.size());
  Resolver resolver(sources, stop);
  at_once(wanted.size(), [&](std::size_t i) {
    try {
      found[i] = resolver.resolve(wanted[i]->image);
    } catch (Error& error) {
      error.add_context(name + ":" + std::to_string(wanted[i]->line));
      throw;
    }
  });
  std::map<std::string, Base> bases;
  for (std::size_t i = 0; i < wanted.size(); ++i) bases.emplace(wanted[i]->image, std::move(found[i]));
  return bases;
}

}  // namespace runner::builds
