#include "runner/daemon/commit_recipe.h"

#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "runner/base/error.h"
#include "runner/engine/commit_sources.h"
#include "runner/git/local_repository.h"
#include "runner/git/mirror.h"

namespace runner::daemon {
namespace {

using nlohmann::json;

CommitRecipe decode(const std::string& text) {
  CommitRecipe recipe;
  try {
    const json value = json::parse(text);
    const auto get = [&](const char* key) { return value.at(key).get<std::string>(); };
    recipe.mirror = get("mirror");
    recipe.mirrors = get("mirrors");
    recipe.scope = get("scope");
    recipe.commit = get("commit");
    recipe.ref = get("ref");
    recipe.default_branch = get("default_branch");
    recipe.url = get("url");
    recipe.username = get("username");
    recipe.secret = get("secret");
    recipe.known_hosts = get("known_hosts");
    recipe.project_dir = get("project_dir");
    recipe.builds_dir = get("builds_dir");
  } catch (const json::exception& error) {
    throw Error(ErrorCode::corrupt, std::string("a job's recipe cannot be read: ") + error.what());
  }
  return recipe;
}

/// "https://host:port" of a URL; "" of what has no scheme.
std::string_view server_of(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  return url.substr(0, url.find('/', scheme + 3));
}

/// What a checkout asks its commit, opened when it is asked first. Any thread.
class Questions {
 public:
  explicit Questions(const CommitRecipe& recipe) : mirror_(recipe.mirror), commit_(recipe.commit) {}
  git::LocalRepository& get() {
    std::call_once(once_, [this] { repository_ = git::LocalRepository::open_at(mirror_, commit_); });
    return *repository_;
  }

 private:
  const std::filesystem::path mirror_;
  const std::string commit_;
  std::once_flag once_;
  std::unique_ptr<git::LocalRepository> repository_;
};

}  // namespace

std::string encode(const CommitRecipe& recipe) {
  const json value{{"mirror", recipe.mirror.native()},
                   {"mirrors", recipe.mirrors.native()},
                   {"scope", recipe.scope},
                   {"commit", recipe.commit},
                   {"ref", recipe.ref},
                   {"default_branch", recipe.default_branch},
                   {"url", recipe.url},
                   {"username", recipe.username},
                   {"secret", recipe.secret},
                   {"known_hosts", recipe.known_hosts.native()},
                   {"project_dir", recipe.project_dir.native()},
                   {"builds_dir", recipe.builds_dir.native()}};
  return value.dump();
}

engine::Checkout checkout_of_commit(const std::string& text, cache::LayerStore& layers) {
  const CommitRecipe recipe = decode(text);
  engine::CommitPlace place;
  place.scope = recipe.scope;
  place.commit = recipe.commit;
  place.ref = recipe.ref;
  place.default_branch = recipe.default_branch;
  place.origin_url = recipe.url;
  place.mirrors = recipe.mirrors;
  place.submodule_access = [recipe](const std::string& url) {
    git::RemoteAccess access;
    access.known_hosts = recipe.known_hosts;
    access.host_keys = git::HostKeyPolicy::accept_new;
    // Whom the project trusts with its token, its submodules may ask too; nobody else.
    if (!server_of(recipe.url).empty() && server_of(url) == server_of(recipe.url)) {
      access.username = recipe.username;
      access.secret = recipe.secret;
    }
    return access;
  };
  const auto sources =
      std::make_shared<engine::CommitSources>(git::Mirror::open(recipe.mirror), layers, std::move(place));
  const auto questions = std::make_shared<Questions>(recipe);
  engine::Checkout checkout;
  checkout.project_dir = recipe.project_dir;
  checkout.builds_dir = recipe.builds_dir;
  checkout.sources = [sources](const engine::SourceKnobs& knobs, const std::stop_token& stop) {
    return sources->make(knobs, stop);
  };
  checkout.blob_id = [questions](std::string_view path) { return questions->get().blob_id(path); };
  checkout.last_commit = [questions](std::string_view path) { return questions->get().last_commit(path); };
  checkout.is_tracked = [questions](std::string_view path) { return questions->get().is_tracked(path); };
  return checkout;
}

}  // namespace runner::daemon
