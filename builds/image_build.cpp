#include "builds/image_build.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "builds/bases.h"
#include "builds/build_context.h"
#include "builds/build_engine.h"
#include "builds/build_log.h"
#include "builds/context_key.h"
#include "builds/dockerfile.h"
#include "builds/image_builder.h"
#include "builds/input_key.h"
#include "builds/oci_labels.h"
#include "builds/publish.h"
#include "builds/request_parts.h"
#include "registry/registry_client.h"
#include "runner/base/digest.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::builds {
namespace {

namespace fs = std::filesystem;
using registry::Reference;
using Steady = std::chrono::steady_clock;

class ImageBuild {
 public:
  ImageBuild(const BuildRequest& request, fs::path place, std::stop_token stop)
      : request_(request),
        place_(std::move(place)),
        stop_(std::move(stop)),
        logins_(logins_of(request)),
        client_(logins_, options_of(request)),
        engine_(request.socket, request.insecure),
        tags_(tags_of(request)),
        platforms_(request.platforms) {
    if (platforms_.empty()) platforms_.emplace_back();
  }

  BuildOutputs run() {
    context_ = open_context(request_);
    look_at_inputs();
    if (!request_.rebuild)
      if (auto outputs = request_.push ? unchanged_in_registry() : unchanged_in_engine()) return *outputs;
    say_why();
    return request_.push ? build_and_push() : build_here();
  }

 private:
  // What is read of the disk and what is asked of registries, at the same time.
  void look_at_inputs() {
    auto context = std::async(std::launch::async, [this] {
      return request_.context_key.empty()
                 ? "files:" + read_context_key(context_.directory.get(), context_.rules, stop_).digest
                 : "given:" + request_.context_key;
    });
    std::vector<ImageUse> uses;
    for (const std::string& platform : platforms_) {
      facts_.push_back(read_dockerfile(context_.dockerfile,
                                       {context_.dockerfile_name, request_.args, request_.target, platform}));
      uses.insert(uses.end(), facts_.back().images.begin(), facts_.back().images.end());
    }
    check_secrets();
    const BaseSources sources = {logins_, options_of(request_), local_digests()};
    bases_ = resolve_bases(uses, context_.dockerfile_name, sources, stop_);
    inputs_.context = context.get();
    inputs_.dockerfile = "sha256:" + sha256_hex(context_.dockerfile);
    inputs_.target = request_.target;
    inputs_.platforms = request_.platforms;
    for (const auto& [name, value] : request_.args) inputs_.args[name] = argument_digest(name, value);
    for (const ImageUse& use : uses)
      inputs_.bases[use.platform.empty() ? use.image : use.image + " for " + use.platform] =
          bases_.at(use.image).digest;
    key_ = input_key(inputs_);
    key_tag_ = tags_.front();
    key_tag_.tag = key_tag(key_);
    for (const auto& [image, base] : bases_)
      if (!base.remark.empty()) say(base.remark);
    for (const std::size_t line : facts_.front().fetches)
      say(context_.dockerfile_name + ":" + std::to_string(line) +
          ": what ADD fetches from elsewhere is no input of the build; give its version as an argument, and "
          "a new one counts");
  }

  void check_secrets() const {
    const bool used =
        std::any_of(facts_.begin(), facts_.end(), [](const auto& each) { return each.mounts_secrets; });
    if (!request_.secrets.empty() && !used)
      say("NOTE: no RUN of " + context_.dockerfile_name + " mounts a secret; they are given and not used");
  }

  LocalDigest local_digests() {
    if (request_.socket.empty()) return {};
    return [this](const Reference& image, const std::string& written) -> std::optional<std::string> {
      const auto found = engine_.find(written, stop_);
      if (!found) return std::nullopt;
      // The same as the registry would say, if the image came from there.
      for (const std::string& known : found->repo_digests) {
        const Reference named = registry::parse_reference(known);
        if (named.repository() == image.repository()) return named.digest;
      }
      return found->id;
    };
  }

  std::optional<BuildOutputs> unchanged_in_registry() {
    const auto manifest = find_published(client_, key_tag_, stop_);
    if (!manifest) return std::nullopt;
    say("Unchanged: " + key_tag_.text() + " is made of the same inputs");
    return publish(*manifest);
  }

  std::optional<BuildOutputs> unchanged_in_engine() {
    const auto image = engine_.find_by_key(key_, stop_);
    if (!image) return std::nullopt;
    say("Unchanged: the engine has " + *image + " of the same inputs");
    for (const Reference& tag : tags_) engine_.tag(*image, tag, stop_);
    return outputs_here(*image);
  }

  void say_why() {
    if (request_.rebuild) return say("Building, as a rebuild is asked for");
    std::optional<BuildInputs> before;
    if (request_.push) {
      before = published_inputs(client_, tags_.front(), registry::this_platform(), stop_);
    } else if (const auto image = engine_.find(tags_.front().text(), stop_)) {
      const auto label = image->labels.find(kInputsLabel);
      if (label != image->labels.end()) before = parse_inputs(label->second);
    }
    if (!before)
      return say("Building: there is no image yet at " + tags_.front().text() + " that says its inputs");
    say("Building, as inputs differ from those of " + tags_.front().text() + ":");
    for (const std::string& line : changed_inputs(*before, inputs_)) say("  " + line);
  }

  /// The id of the image for one platform.
  std::string build(std::size_t platform) {
    const fs::path place = place_ / ("build." + std::to_string(platform));
    make_directories(place, 0700);
    const DockerfileFacts& facts = facts_[platform];
    std::vector<std::string> pinned;
    for (const ImageUse& use : facts.images) pinned.push_back(bases_.at(use.image).pinned);
    const bool podman = engine_.version(stop_).podman;
    auto labels = all_labels();
    std::vector<ImageUse> uses = facts.images;
    if (podman) {
      // Buildah makes a layer for each label that it is given, and one for all of an instruction.
      if (auto instruction = label_at_end(facts, labels)) {
        uses.push_back({"", "", facts.end, facts.end, 0});
        pinned.push_back(std::move(*instruction));
        labels.clear();
      }
    }
    const BuildOrder order = {request_,
                              context_,
                              with_images(context_.dockerfile, uses, pinned),
                              platforms_[platform],
                              std::move(labels),
                              pull_logins(facts),
                              place};
    if (!platforms_[platform].empty()) say("Platform " + platforms_[platform]);
    const auto begun = Steady::now();
    std::string image =
        podman ? build_with_podman(engine_, order, stop_) : build_with_docker(engine_, order, stop_);
    const auto facts_of = engine_.find(image, stop_);
    say("Built " + image + (facts_of ? ", " + format_bytes(facts_of->bytes) : "") + ", in " +
        format_duration(std::chrono::duration_cast<std::chrono::milliseconds>(Steady::now() - begun)));
    return image;
  }

  std::optional<std::string> label_at_end(const DockerfileFacts& facts,
                                          const std::map<std::string, std::string>& labels) const {
    // A last line that goes on would go on into ours.
    const std::string_view before = trim(std::string_view(context_.dockerfile).substr(0, facts.end));
    if (before.ends_with(facts.escape)) return std::nullopt;
    return label_instruction(labels, facts.escape);
  }

  std::map<std::string, std::string> all_labels() const {
    auto labels = oci_labels(request_);
    labels[kKeyLabel] = key_;
    labels[kInputsLabel] = inputs_text(inputs_);
    return labels;
  }

  std::map<std::string, registry::Login> pull_logins(const DockerfileFacts& facts) const {
    std::vector<std::string> images = request_.cache.from;
    images.push_back(request_.tags.front());
    if (!request_.cache.to.empty()) images.push_back(request_.cache.to);
    for (const ImageUse& use : facts.images) images.push_back(use.image);
    std::map<std::string, registry::Login> logins;
    for (const std::string& image : images) {
      const Reference reference = registry::parse_reference(image);
      if (const auto login = logins_.find(reference, stop_)) logins[reference.host] = *login;
    }
    return logins;
  }

  BuildOutputs build_here() {
    const std::string image = build(0);
    for (const Reference& tag : tags_) engine_.tag(image, tag, stop_);
    return outputs_here(image);
  }

  BuildOutputs outputs_here(const std::string& image) const {
    for (const Reference& tag : tags_) say("Tag " + tag.text());
    return {tags_.front().text(), image, tags_.front().text(), key_};
  }

  BuildOutputs build_and_push() {
    std::vector<std::pair<std::string, registry::Descriptor>> images;
    registry::Manifest last;
    for (std::size_t i = 0; i < platforms_.size(); ++i) {
      Reference name = key_tag_;
      if (platforms_.size() > 1) name.tag += '-' + replace_all(platforms_[i], "/", "-");
      const std::string image = built_before().value_or("");
      last = push(image.empty() ? build(i) : image, name);
      images.emplace_back(platforms_[i], last.descriptor);
    }
    if (platforms_.size() > 1) {
      last = make_index(images);
      client_.put_manifest(key_tag_, last, stop_);
    }
    return publish(last);
  }

  // By a run that ended before its push did.
  std::optional<std::string> built_before() {
    if (request_.rebuild || platforms_.size() > 1) return std::nullopt;
    auto image = engine_.find_by_key(key_, stop_);
    if (image) say("The engine has " + *image + " of the same inputs: it was not pushed");
    return image;
  }

  registry::Manifest push(const std::string& image, const Reference& name) {
    // From here on a later run finds it.
    engine_.tag(image, name, stop_);
    say("Pushing " + name.text());
    registry::Manifest manifest = push_verified(engine_, client_, name, logins_.find(name, stop_), stop_);
    if (platforms_.size() == 1)
      for (const Reference& tag : tags_) engine_.tag(image, tag, stop_);
    try {
      engine_.untag(name, stop_);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::cancelled) throw;
      say("NOTE: " + harmless(error.what()));
    }
    return manifest;
  }

  // What is in the registry under the key gets its names.
  BuildOutputs publish(const registry::Manifest& manifest) {
    const std::string& digest = manifest.descriptor.digest;
    const auto moved = name_all(client_, key_tag_, manifest, tags_, stop_);
    for (const Reference& tag : tags_)
      say("Tag " + tag.text() +
          (std::find(moved.begin(), moved.end(), tag) == moved.end() ? " is there" : " moved"));
    say("Digest " + digest);
    return {tags_.front().repository() + '@' + digest, digest, tags_.front().text(), key_};
  }

  const BuildRequest& request_;
  const fs::path place_;
  const std::stop_token stop_;
  const registry::Logins logins_;
  registry::RegistryClient client_;
  BuildEngine engine_;
  const std::vector<Reference> tags_;
  std::vector<std::string> platforms_;
  BuildContext context_;
  std::vector<DockerfileFacts> facts_;  // by platform
  std::map<std::string, Base> bases_;
  BuildInputs inputs_;
  std::string key_;
  Reference key_tag_;
};

}  // namespace

BuildOutputs build_image(const BuildRequest& request, const fs::path& place, const std::stop_token& stop) {
  if (const std::string fault = fault_of(request); !fault.empty())
    throw Error(ErrorCode::invalid_input, fault);
  return ImageBuild(request, place, stop).run();
}

}  // namespace runner::builds
