#include "pipelines/keywords.h"

#include <algorithm>

namespace runner::pipelines {
namespace {

using enum Support;

constexpr std::string_view kStrings = "a list of strings";
constexpr std::string_view kCommands = "a command or a list of commands";
constexpr std::string_view kAText = "a string";
constexpr std::string_view kABool = "a boolean";
constexpr std::string_view kAMap = "a mapping";
constexpr std::string_view kDuration = "a duration such as '3h 30m'";

constexpr Keyword kWorkflow[] = {
    {"name", kString, kAText},
    {"rules", kList, "a list of rules"},
    {"auto_cancel", kMap, kAMap},
};
constexpr Keyword kWorkflowRule[] = {
    {"if", kString, "an expression in a string"},
    {"changes", kList | kMap, "a list of paths or a mapping"},
    {"exists", kList | kMap, "a list of paths or a mapping"},
    {"when", kString, "'always' or 'never'"},
    {"variables", kMap, "a mapping of names to values"},
    {"auto_cancel", kMap, kAMap},
    {"start_in", kAny, "", accept},
    {"allow_failure", kAny, "", accept},
    {"needs", kAny, "", accept},
    {"interruptible", kAny, "", accept},
};
constexpr Keyword kAutoCancel[] = {
    {"on_new_commit", kString, "'conservative', 'interruptible' or 'none'"},
    {"on_job_failure", kString, "'none' or 'all'"},
};
constexpr Keyword kDefault[] = {
    {"after_script", kString | kList, kCommands},
    {"artifacts", kMap, kAMap},
    {"before_script", kString | kList, kCommands},
    {"cache", kMap | kList, "a mapping or a list of mappings"},
    {"hooks", kMap, kAMap},
    {"id_tokens", kMap, kAMap},
    {"identity", kString, kAText},
    {"image", kString | kMap, "an image name or a mapping"},
    {"interruptible", kBool, kABool},
    {"retry", kInt | kMap, "a number from 0 to 2 or a mapping"},
    {"services", kList, "a list of services"},
    {"tags", kList, kStrings},
    {"timeout", kString | kInt, kDuration},
};
constexpr Keyword kInherit[] = {
    {"default", kBool | kList, "a boolean or a list of keys"},
    {"variables", kBool | kList, "a boolean or a list of names"},
};
constexpr Keyword kRule[] = {
    {"if", kString, "an expression in a string"},
    {"changes", kList | kMap, "a list of paths or a mapping"},
    {"exists", kList | kMap, "a list of paths or a mapping"},
    {"when", kString, "one of on_success, on_failure, always, never, manual, delayed"},
    {"start_in", kString | kInt, kDuration},
    {"allow_failure", kBool | kMap, "a boolean or a mapping with exit_codes"},
    {"variables", kMap, "a mapping of names to values"},
    {"needs", kList, "a list of job names"},
    {"interruptible", kBool, kABool},
};
constexpr Keyword kChanges[] = {
    {"paths", kList, "a list of paths"},
    {"regexp", kString, kAText},
    {"compare_to", kString, "a branch, tag or commit"},
};
constexpr Keyword kExists[] = {
    {"paths", kList, "a list of paths"},
    {"regexp", kString, kAText},
    {"project", kString, kAText},
    {"ref", kString, kAText},
};
constexpr Keyword kPolicy[] = {
    {"refs", kList, kStrings},
    {"variables", kList, "a list of expressions"},
    {"changes", kList, "a list of paths"},
    {"kubernetes", kString, "'active'"},
};
constexpr Keyword kRootVariable[] = {
    {"value", kText, "a scalar"},
    {"description", kText, kAText},
    {"options", kList, kStrings},
    {"expand", kBool, kABool},
};
constexpr Keyword kVariable[] = {
    {"value", kText, "a scalar"},
    {"expand", kBool, kABool},
};
constexpr Keyword kImage[] = {
    {"name", kString, kAText},
    {"entrypoint", kString | kList, kStrings},
    {"pull_policy", kString | kList, "a pull policy or a list of them"},
    {"docker", kMap, kAMap},
    {"kubernetes", kMap, kAMap, accept},
};
constexpr Keyword kBuildImage[] = {
    {"context", kString, "a directory"},
    {"dockerfile", kString, "a file below the context"},
    {"target", kString, "the name of a stage"},
    {"args", kMap, "a mapping of names to values"},
    {"secrets", kMap, "a mapping of ids to names of variables"},
    {"platforms", kString | kList, "a platform such as linux/amd64 or a list of them"},
    {"tags", kString | kList, "an image name or a list of them"},
    {"push", kBool, kABool},
    {"cache", kBool | kMap, "a boolean or a mapping of from and to"},
};
constexpr Keyword kBuildCache[] = {
    {"from", kString | kList, "an image name or a list of them"},
    {"to", kString, "an image name"},
};
constexpr Keyword kService[] = {
    {"name", kString, kAText},
    {"alias", kString, kAText},
    {"entrypoint", kString | kList, kStrings},
    {"command", kString | kList, kStrings},
    {"variables", kMap, "a mapping of names to values"},
    {"pull_policy", kString | kList, "a pull policy or a list of them"},
    {"docker", kMap, kAMap},
    {"kubernetes", kMap, kAMap, accept},
};
constexpr Keyword kDocker[] = {
    {"platform", kString, kAText},
    {"user", kString | kInt, kAText},
};
constexpr Keyword kKubernetes[] = {{"user", kString | kInt, kAText}};
constexpr Keyword kCache[] = {
    {"key", kText | kMap, "a string or a mapping with files"},
    {"paths", kList, kStrings},
    {"untracked", kBool, kABool},
    {"policy", kString, "one of pull-push, pull, push"},
    {"when", kString, "one of on_success, on_failure, always"},
    {"fallback_keys", kList, kStrings},
    {"unprotect", kBool, kABool},
};
constexpr Keyword kCacheKey[] = {
    {"files", kList, "a list of one or two paths"},
    {"files_commits", kList, "a list of one or two paths"},
    {"prefix", kString, kAText},
};
constexpr Keyword kArtifact[] = {
    {"paths", kList, kStrings},
    {"exclude", kList, kStrings},
    {"untracked", kBool, kABool},
    {"name", kString, kAText},
    {"when", kString, "one of on_success, on_failure, always"},
    {"expire_in", kString | kInt, "a duration such as '3 days', or 'never'"},
    {"expose_as", kString, kAText, record},
    {"public", kBool, kABool, record},
    {"access", kString, "one of all, developer, maintainer, none", record},
    {"reports", kMap, kAMap},
};
constexpr Shape kReportShape = kString | kList;
constexpr std::string_view kReportText = "a path or a list of paths";
constexpr Keyword kReport[] = {
    {"junit", kReportShape, kReportText},
    {"dotenv", kReportShape, kReportText},
    {"coverage_report", kMap, "a mapping with coverage_format and path"},
    {"annotations", kReportShape, kReportText, record},
    {"codequality", kReportShape, kReportText, record},
    {"sast", kReportShape, kReportText, record},
    {"secret_detection", kReportShape, kReportText, record},
    {"dependency_scanning", kReportShape, kReportText, record},
    {"container_scanning", kReportShape, kReportText, record},
    {"dast", kReportShape, kReportText, record},
    {"api_fuzzing", kReportShape, kReportText, record},
    {"coverage_fuzzing", kReportShape, kReportText, record},
    {"cyclonedx", kReportShape, kReportText, record},
    {"sarif", kReportShape, kReportText, record},
    {"license_scanning", kReportShape, kReportText, record},
    {"license_management", kReportShape, kReportText, record},
    {"requirements", kReportShape, kReportText, record},
    {"terraform", kReportShape, kReportText, record},
    {"metrics", kReportShape, kReportText, record},
    {"performance", kReportShape, kReportText, record},
    {"browser_performance", kReportShape, kReportText, record},
    {"load_performance", kReportShape, kReportText, record},
    {"accessibility", kReportShape, kReportText, record},
    {"lsif", kReportShape, kReportText, record},
    {"cluster_image_scanning", kReportShape, kReportText, record},
    {"repository_xray", kReportShape, kReportText, record},
};
constexpr Keyword kCoverageReport[] = {
    {"coverage_format", kString, "'cobertura' or 'jacoco'"},
    {"path", kString, "a path"},
};
constexpr Keyword kNeed[] = {
    {"job", kString, "a job name"},
    {"artifacts", kBool, kABool},
    {"optional", kBool, kABool},
    {"parallel", kMap, "a mapping with matrix"},
    {"pipeline", kString | kInt, "a pipeline"},
    {"project", kString, "a project path"},
    {"ref", kString, "a branch or tag"},
};
constexpr Keyword kRuleNeed[] = {
    {"job", kString, "a job name"},
    {"artifacts", kBool, kABool},
    {"optional", kBool, kABool},
    {"parallel", kMap, "a mapping with matrix"},
};
constexpr Keyword kNeedParallel[] = {{"matrix", kList, "a list of mappings"}};
constexpr Keyword kParallel[] = {{"matrix", kList, "a list of mappings"}};
constexpr Keyword kAllowFailure[] = {{"exit_codes", kInt | kList, "an exit code or a list of them"}};
constexpr Keyword kRetry[] = {
    {"max", kInt, "a number from 0 to 2"},
    {"when", kString | kList, "a failure reason or a list of them"},
    {"exit_codes", kInt | kList, "an exit code or a list of them"},
};
constexpr Keyword kHook[] = {{"pre_get_sources_script", kString | kList, kCommands}};
constexpr Keyword kRunStep[] = {
    {"name", kString, kAText},        {"script", kString, "a script in a string"},
    {"step", kString | kMap, kAText}, {"func", kString, kAText},
    {"inputs", kMap, kAMap},          {"env", kMap, kAMap},
};
constexpr Keyword kInput[] = {
    {"type", kString, "one of string, number, boolean, array"},
    {"default", kAny, ""},
    {"description", kString, kAText},
    {"options", kList, "a list"},
    {"regex", kString, kAText},
    {"rules", kList, "a list of rules"},
};
constexpr Keyword kEnvironment[] = {
    {"name", kString, kAText},
    {"url", kString, kAText},
    {"action", kString, "one of start, stop, prepare, verify, access"},
    {"on_stop", kString, "a job name"},
    {"auto_stop_in", kString | kInt, "a duration such as '3 days', or 'never'", record},
    {"deployment_tier", kString, "one of production, staging, testing, development, other"},
    {"kubernetes", kMap, kAMap, accept},
};
constexpr Keyword kRelease[] = {
    {"tag_name", kString, kAText},    {"description", kString, kAText},
    {"name", kString, kAText},        {"ref", kString, kAText},
    {"tag_message", kString, kAText}, {"milestones", kString | kList, kStrings},
    {"released_at", kString, kAText}, {"assets", kMap, kAMap},
};
constexpr Keyword kReleaseAsset[] = {{"links", kList, "a list of mappings"}};
constexpr Keyword kReleaseLink[] = {
    {"name", kString, kAText},
    {"url", kString, kAText},
    {"filepath", kString, kAText},
    {"link_type", kString, "one of other, runbook, image, package"},
    {"type", kString, "one of other, runbook, image, package"},  // an older spelling
};
constexpr Keyword kPages[] = {
    {"publish", kString, "a path"},
    {"path_prefix", kString, kAText},
    {"expire_in", kString | kInt, "a duration such as '3 days', or 'never'"},
};
constexpr Keyword kTrigger[] = {
    {"project", kString, "a project path"},
    {"branch", kString, "a branch"},
    {"include", kString | kList, "a file or a list of files"},
    {"strategy", kString, "'depend' or 'mirror'"},
    {"forward", kMap, kAMap},
    {"inputs", kMap, kAMap},
};
constexpr Keyword kTriggerInclude[] = {
    {"local", kString, "a path"},        {"project", kString, "a project path"},
    {"file", kString | kList, "a path"}, {"ref", kString, "a branch"},
    {"template", kString, "a template"}, {"component", kString, "a component"},
    {"remote", kString, "a URL"},        {"artifact", kString, "a path"},
    {"job", kString, "a job name"},      {"inputs", kMap, kAMap},
    {"integrity", kString, kAText},      {"rules", kList, "a list of rules"},
};
constexpr Keyword kForward[] = {
    {"yaml_variables", kBool, kABool},
    {"pipeline_variables", kBool, kABool},
};
constexpr Keyword kIdToken[] = {{"aud", kString | kList, "a string or a list of strings"}};
constexpr Keyword kSecret[] = {
    {"vault", kString | kMap, "a string or a mapping"},
    {"gcp_secret_manager", kMap, kAMap},
    {"azure_key_vault", kMap, kAMap},
    {"aws_secrets_manager", kString | kMap, "a string or a mapping"},
    {"gitlab_secrets_manager", kMap, kAMap},
    {"akeyless", kMap, kAMap},
    {"file", kBool, kABool},
    {"token", kString, kAText},
};
constexpr Keyword kDast[] = {
    {"site_profile", kString, kAText},
    {"scanner_profile", kString, kAText},
};

}  // namespace

bool fits(Shape shape, NodeKind kind) noexcept {
  switch (kind) {
    case NodeKind::null:
      return true;
    case NodeKind::boolean:
      return (shape & kBool) != 0;
    case NodeKind::integer:
      return (shape & kInt) != 0;
    case NodeKind::real:
      return (shape & kReal) != 0;
    case NodeKind::string:
      return (shape & kString) != 0;
    case NodeKind::sequence:
      return (shape & kList) != 0;
    case NodeKind::mapping:
      return (shape & kMap) != 0;
    default:
      return false;
  }
}

const Keyword* KeywordTable::find(std::string_view name) const noexcept {
  const auto found = std::find_if(keywords.begin(), keywords.end(),
                                  [&](const Keyword& keyword) { return keyword.name == name; });
  return found == keywords.end() ? nullptr : &*found;
}

const KeywordTable kWorkflowKeys{"workflow", kWorkflow};
const KeywordTable kWorkflowRuleKeys{"a rule of workflow", kWorkflowRule};
const KeywordTable kAutoCancelKeys{"auto_cancel", kAutoCancel};
const KeywordTable kDefaultKeys{"default", kDefault};
const KeywordTable kInheritKeys{"inherit", kInherit};
const KeywordTable kRuleKeys{"a rule", kRule};
const KeywordTable kChangesKeys{"changes", kChanges};
const KeywordTable kExistsKeys{"exists", kExists};
const KeywordTable kPolicyKeys{"only and except", kPolicy};
const KeywordTable kRootVariableKeys{"a variable", kRootVariable};
const KeywordTable kVariableKeys{"a variable of a job", kVariable};
const KeywordTable kImageKeys{"image", kImage};
const KeywordTable kBuildImageKeys{"build_image", kBuildImage};
const KeywordTable kBuildCacheKeys{"build_image:cache", kBuildCache};
const KeywordTable kServiceKeys{"a service", kService};
const KeywordTable kDockerKeys{"docker", kDocker};
const KeywordTable kKubernetesKeys{"kubernetes", kKubernetes};
const KeywordTable kCacheKeys{"cache", kCache};
const KeywordTable kCacheKeyKeys{"cache:key", kCacheKey};
const KeywordTable kArtifactKeys{"artifacts", kArtifact};
const KeywordTable kReportKeys{"artifacts:reports", kReport};
const KeywordTable kCoverageReportKeys{"coverage_report", kCoverageReport};
const KeywordTable kNeedKeys{"needs", kNeed};
const KeywordTable kRuleNeedKeys{"rules:needs", kRuleNeed};
const KeywordTable kNeedParallelKeys{"needs:parallel", kNeedParallel};
const KeywordTable kParallelKeys{"parallel", kParallel};
const KeywordTable kAllowFailureKeys{"allow_failure", kAllowFailure};
const KeywordTable kRetryKeys{"retry", kRetry};
const KeywordTable kHookKeys{"hooks", kHook};
const KeywordTable kRunStepKeys{"a step of run", kRunStep};
const KeywordTable kInputKeys{"an input", kInput};
const KeywordTable kEnvironmentKeys{"environment", kEnvironment};
const KeywordTable kReleaseKeys{"release", kRelease};
const KeywordTable kReleaseAssetKeys{"release:assets", kReleaseAsset};
const KeywordTable kReleaseLinkKeys{"a link of release:assets", kReleaseLink};
const KeywordTable kPagesKeys{"pages", kPages};
const KeywordTable kTriggerKeys{"trigger", kTrigger};
const KeywordTable kTriggerIncludeKeys{"trigger:include", kTriggerInclude};
const KeywordTable kForwardKeys{"trigger:forward", kForward};
const KeywordTable kIdTokenKeys{"id_tokens", kIdToken};
const KeywordTable kSecretKeys{"secrets", kSecret};
const KeywordTable kDastKeys{"dast_configuration", kDast};

}  // namespace runner::pipelines
