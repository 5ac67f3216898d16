#include "runner/engine/commit_sources.h"

#include <algorithm>

#include "cache/layer_store.h"
#include "runner/base/digest.h"
#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/git/checkout.h"
#include "runner/git/mirror.h"

namespace runner::engine {
namespace {

namespace fs = std::filesystem;

git::SubmoduleStrategy strategy_of(const std::string& text) {
  if (text == "recursive") return git::SubmoduleStrategy::recursive;
  return text == "normal" ? git::SubmoduleStrategy::normal : git::SubmoduleStrategy::none;
}

}  // namespace

fs::path mirror_directory(const fs::path& mirrors, const std::string& address) {
  std::string name = fs::path(address).filename().string();
  if (name.ends_with(".git")) name.resize(name.size() - 4);
  return mirrors / (name + "-" + sha256_hex(address).substr(0, 12) + ".git");
}

CommitSources::CommitSources(std::unique_ptr<git::Mirror> mirror, cache::LayerStore& layers,
                             CommitPlace place)
    : layers_(layers), place_(std::move(place)), mirror_(std::move(mirror)) {}

CommitSources::~CommitSources() = default;

std::unique_ptr<git::Mirror> CommitSources::submodule_mirror(const std::string& url,
                                                             const std::string& commit,
                                                             const std::stop_token& stop) const {
  git::FetchRequest request;
  if (place_.submodule_access) request.access = place_.submodule_access(url);
  request.access.url = url;
  request.wanted = commit;
  request.stop = stop;
  auto mirror = git::Mirror::open(mirror_directory(place_.mirrors, url));
  mirror->fetch(request);
  return mirror;
}

Sources CommitSources::make(const SourceKnobs& knobs, const std::stop_token& stop) {
  const std::lock_guard lock(mutex_);
  if (stop.stop_requested()) throw Error(ErrorCode::cancelled, "the job was stopped");
  const auto known =
      std::find_if(made_.begin(), made_.end(), [&](const auto& made) { return made.first == knobs; });
  if (known != made_.end()) return known->second;
  return made_.emplace_back(knobs, make_new(knobs, stop)).second;
}

Sources CommitSources::make_new(const SourceKnobs& knobs, const std::stop_token& stop) {
  git::CheckoutRequest request;
  request.scope = place_.scope;
  request.commit = place_.commit;
  request.ref = place_.ref;
  request.depth = knobs.depth;
  request.origin_url = place_.origin_url;
  request.fetch_from = place_.fetch_from;
  request.submodules = strategy_of(knobs.submodules);
  request.submodule_paths = knobs.submodule_paths;
  request.submodule_depth = knobs.submodule_depth;
  request.submodule_mirror = [this, &stop](const std::string& url, const std::string& commit) {
    return submodule_mirror(url, commit, stop);
  };
  request.lfs = knobs.lfs;
  Sources sources;
  if (!knobs.checkout) {
    request.attached_branch = place_.default_branch;
    request.ref = "refs/heads/" + place_.default_branch;
    request.commit = mirror_->resolve(request.ref);
    sources.notices.push_back("GIT_CHECKOUT is false: the files are of " + in_quotes(place_.default_branch) +
                              ", not of the commit");
    if (request.commit.empty())
      throw Error(ErrorCode::not_found, "there is no branch " + in_quotes(place_.default_branch));
  }
  git::CheckoutLayers layers = git::checkout_layers(*mirror_, request, layers_);
  sources.lowers = std::move(layers.lowers);
  for (std::string& notice : layers.notices) sources.notices.push_back(std::move(notice));
  sources.held = std::make_shared<std::vector<cache::HeldEntry>>(std::move(layers.held));
  return sources;
}

}  // namespace runner::engine
