// build_image: docs/image-builds.md.

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "pipelines/job_model.h"
#include "pipelines/variables.h"

namespace runner::pipelines {
namespace {

/// BuildKit and Buildah take the same: they become names of files.
bool is_secret_id(std::string_view id) {
  return !id.empty() && id.front() != '.' && std::all_of(id.begin(), id.end(), [](unsigned char c) {
    return c == '_' || c == '-' || c == '.' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z');
  });
}

void read_build_secrets(Shapes& in, const Node& map, ImageBuildSpec& spec) {
  for (const MapEntry& entry : map.entries()) {
    const std::string path = "build_image:secrets:" + std::string(entry.key);
    if (!is_secret_id(entry.key)) {
      in.error("bad-value", entry.key_range, path + ": an id has letters, digits, '_', '-' and '.'");
      continue;
    }
    const auto name = in.string(path, *entry.value);
    if (!name) continue;
    if (is_variable_name(*name)) {
      spec.secrets.emplace(entry.key, *name);
      continue;
    }
    // A value here would be in the plan, and in the file.
    std::string_view bare = *name;
    if (bare.starts_with("${") && bare.ends_with('}')) bare = bare.substr(2, bare.size() - 3);
    if (bare.starts_with('$')) bare.remove_prefix(1);
    in.error("bad-value", entry.value->range(), path + ": expected the name of a variable, not its value",
             is_variable_name(bare) && bare != *name ? "write " + std::string(bare) : std::string());
  }
}

void read_build_cache(Shapes& in, const Node& node, ImageBuildSpec& spec) {
  if (node.kind() == NodeKind::boolean) {
    spec.cache = node.boolean();
    return;
  }
  in.check_keys("build_image:cache", kBuildCacheKeys, node);
  if (const Node* from = in.get(kBuildCacheKeys, node, "from"))
    spec.cache_from = in.strings("build_image:cache:from", *from);
  if (const Node* to = in.get(kBuildCacheKeys, node, "to"))
    spec.cache_to = in.with_inputs(to->text(), to->range());
}

/// Refused here what no variable can mend: the rest is known when the job runs.
void check_below(Shapes& in, std::string_view path, const Node* node) {
  if (node == nullptr || node->text().find('$') != std::string_view::npos) return;
  const std::string_view text = node->text();
  if (text.empty()) in.error("empty-value", node->range(), std::string(path) + " must not be empty");
  if (text.starts_with('/'))
    in.error("bad-value", node->range(), std::string(path) + " must be relative, not " + std::string(text));
}

}  // namespace

void read_build_image(JobBuild& build, const MapEntry& entry) {
  Shapes& in = build.in;
  const Node& node = *entry.value;
  ImageBuildSpec& spec = build.job.job.image_build.emplace();
  build.job.has_script = true;
  in.check_keys("build_image", kBuildImageKeys, node);
  const auto get = [&](std::string_view key) { return in.get(kBuildImageKeys, node, key); };
  const auto text = [&](std::string_view key, const char* otherwise) {
    const Node* value = get(key);
    return value == nullptr ? std::string(otherwise) : in.with_inputs(value->text(), value->range());
  };
  spec.context = text("context", ".");
  spec.dockerfile = text("dockerfile", "");
  spec.target = text("target", "");
  check_below(in, "build_image:context", get("context"));
  check_below(in, "build_image:dockerfile", get("dockerfile"));
  if (const Node* args = get("args"))
    spec.args = read_variables(in, "build_image:args", *args, VariableForm::job, VariableSource::job);
  if (const Node* secrets = get("secrets")) read_build_secrets(in, *secrets, spec);
  if (const Node* platforms = get("platforms"))
    spec.platforms = in.strings("build_image:platforms", *platforms);
  if (const Node* tags = get("tags")) spec.tags = in.strings("build_image:tags", *tags);
  if (const Node* push = get("push")) spec.push = push->boolean();
  if (const Node* cache = get("cache")) read_build_cache(in, *cache, spec);
}

}  // namespace runner::pipelines
