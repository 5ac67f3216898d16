#include "runner/cli/commit_sources.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <utility>

#include "runner/base/digest.h"
#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/cli/work_place.h"
#include "runner/git/checkout.h"
#include "runner/git/mirror.h"

namespace runner::cli {
namespace {

namespace fs = std::filesystem;

/// One directory for each address; the name begins so that people know which is which.
fs::path mirror_directory(const fs::path& data, const std::string& address) {
  std::string name = fs::path(address).filename().string();
  if (name.ends_with(".git")) name.resize(name.size() - 4);
  return data / "git" / (name + "-" + sha256_hex(address).substr(0, 12) + ".git");
}

git::SubmoduleStrategy strategy_of(const std::string& text) {
  if (text == "recursive") return git::SubmoduleStrategy::recursive;
  return text == "normal" ? git::SubmoduleStrategy::normal : git::SubmoduleStrategy::none;
}

}  // namespace

CommitSources::CommitSources(git::LocalRepository& repository, cache::LayerStore& layers, Place place)
    : repository_(repository), layers_(layers), place_(std::move(place)) {
  mirror_ = git::Mirror::open(mirror_directory(fs::canonical(place_.data), repository.root().string()));
  mirror_->take_local(repository.common_dir(), repository.commit());
}

CommitSources::~CommitSources() = default;

std::unique_ptr<git::Mirror> CommitSources::submodule_mirror(const std::string& url,
                                                             const std::string& commit,
                                                             const std::stop_token& stop) const {
  git::FetchRequest request;
  request.access.url = url;
  request.access.own_ssh = true;  // as `git submodule update` would
  request.wanted = commit;
  request.stop = stop;
  auto mirror = git::Mirror::open(mirror_directory(fs::canonical(place_.data), url));
  mirror->fetch(request);
  return mirror;
}

engine::Sources CommitSources::make(const engine::SourceKnobs& knobs, const std::stop_token& stop) {
  const std::lock_guard lock(mutex_);
  if (stop.stop_requested()) throw Error(ErrorCode::cancelled, "the job was stopped");
  const auto known =
      std::find_if(made_.begin(), made_.end(), [&](const auto& made) { return made.first == knobs; });
  if (known != made_.end()) return known->second;
  return made_.emplace_back(knobs, make_new(knobs, stop)).second;
}

engine::Sources CommitSources::make_new(const engine::SourceKnobs& knobs, const std::stop_token& stop) {
  const git::LocalFacts& facts = repository_.facts();
  git::CheckoutRequest request;
  request.scope = place_.scope;
  request.commit = repository_.commit();
  request.ref = place_.ref;
  request.depth = knobs.depth;
  request.origin_url = facts.origin_url.empty() ? repository_.root().string() : facts.origin_url;
  // Where the repository is, jobs see their workspace; and nothing of theirs is to get into the repository.
  if (facts.origin_url.empty()) request.fetch_from = mirror_->directory().string();
  request.submodules = strategy_of(knobs.submodules);
  request.submodule_paths = knobs.submodule_paths;
  request.submodule_depth = knobs.submodule_depth;
  request.submodule_mirror = [this, &stop](const std::string& url, const std::string& commit) {
    return submodule_mirror(url, commit, stop);
  };
  request.lfs = knobs.lfs;
  engine::Sources sources;
  if (!knobs.checkout) {
    request.attached_branch = facts.default_branch;
    request.ref = "refs/heads/" + facts.default_branch;
    request.commit = mirror_->resolve(request.ref);
    sources.notices.push_back("GIT_CHECKOUT is false: the files are of " + in_quotes(facts.default_branch) +
                              ", not of the commit");
    if (request.commit.empty())
      throw Error(ErrorCode::not_found, "there is no branch " + in_quotes(facts.default_branch));
  }
  git::CheckoutLayers layers = git::checkout_layers(*mirror_, request, layers_);
  sources.lowers = std::move(layers.lowers);
  for (std::string& notice : layers.notices) sources.notices.push_back(std::move(notice));
  sources.held = std::make_shared<std::vector<cache::HeldEntry>>(std::move(layers.held));
  return sources;
}

}  // namespace runner::cli
