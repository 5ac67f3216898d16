#include "runner/engine/planned_caches.h"

#include <string_view>
#include <utility>

#include "runner/base/layered_tree.h"

namespace runner::engine {

CacheKeyFacts cache_key_facts(const JobEnvironment& environment, const Checkout& checkout,
                              bool ref_protected) {
  CacheKeyFacts facts;
  facts.expand = [&environment](std::string_view text) { return environment.expand(text); };
  facts.blob_id = checkout.blob_id;
  facts.last_commit = checkout.last_commit;
  facts.ref_protected = ref_protected;
  facts.fallback_key = environment.value("CACHE_FALLBACK_KEY");
  facts.secrets = environment.secrets();
  facts.tracked = [&checkout](std::string_view pattern) {
    std::vector<std::string> paths;
    const std::string one[] = {std::string(pattern)};
    for (TreeEntry& entry : match_paths(LayeredTree(checkout.lowers), one, "").entries) {
      if (checkout.is_tracked && checkout.is_tracked(entry.path)) paths.push_back(std::move(entry.path));
    }
    return paths;
  };
  return facts;
}

std::vector<PlannedCache> planned_caches(const PipelineRequest& request, std::size_t job,
                                         const std::filesystem::path& scratch) {
  const pipelines::PlanJob& planned = request.plan.jobs[job];
  RunFacts run;
  run.project_dir = request.checkout.project_dir;
  run.builds_dir = request.checkout.builds_dir;
  run.private_dir = scratch;
  const JobEnvironment environment(request.plan, planned, request.facts, request.base_environment, {}, run);
  const CacheKeyFacts facts = cache_key_facts(environment, request.checkout, request.facts.ref_protected);
  std::vector<PlannedCache> caches;
  for (std::size_t i = 0; i < planned.caches.size(); ++i) {
    const pipelines::CacheSpec& spec = planned.caches[i];
    if (spec.paths.empty() && !spec.untracked) continue;
    caches.push_back({&spec, cache_keys(spec, i, facts), environment.expand(spec.policy)});
  }
  return caches;
}

}  // namespace runner::engine
