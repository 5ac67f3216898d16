#pragma once
// The keys of the dialect as data: per kind of mapping which keys there are, which shape each has, and how
// far it is carried out here. Shapes are checked from these tables before any value is read.

#include <cstdint>
#include <span>
#include <string_view>

#include "pipelines/node.h"

namespace runner::pipelines {

/// Kinds of value that a key takes, as bits; null is always allowed and means "not set".
using Shape = std::uint16_t;
inline constexpr Shape kBool = 1, kInt = 2, kReal = 4, kString = 8, kList = 16, kMap = 32;
inline constexpr Shape kText = kBool | kInt | kReal | kString;  // any scalar
inline constexpr Shape kAny = kText | kList | kMap;
bool fits(Shape shape, NodeKind kind) noexcept;

enum class Support : std::uint8_t {
  full,
  record,       // kept and shown, nothing happens
  accept,       // checked, then ignored
  unsupported,  // the job fails when its turn comes
};

struct Keyword {
  std::string_view name;
  Shape shape = kAny;
  std::string_view expected;  // "a list of job names"
  Support support = Support::full;
};

struct KeywordTable {
  std::string_view of;  // "a job", "artifacts"
  std::span<const Keyword> keywords;

  const Keyword* find(std::string_view name) const noexcept;
};

extern const KeywordTable kWorkflowKeys, kWorkflowRuleKeys, kAutoCancelKeys, kDefaultKeys, kInheritKeys;
extern const KeywordTable kRuleKeys, kChangesKeys, kExistsKeys, kPolicyKeys;
extern const KeywordTable kRootVariableKeys, kVariableKeys;
extern const KeywordTable kImageKeys, kServiceKeys, kDockerKeys, kKubernetesKeys;
extern const KeywordTable kBuildImageKeys, kBuildCacheKeys;
extern const KeywordTable kCacheKeys, kCacheKeyKeys, kArtifactKeys, kReportKeys, kCoverageReportKeys;
extern const KeywordTable kNeedKeys, kRuleNeedKeys, kNeedParallelKeys, kParallelKeys;
extern const KeywordTable kAllowFailureKeys, kRetryKeys, kHookKeys, kRunStepKeys, kInputKeys;
extern const KeywordTable kEnvironmentKeys, kReleaseKeys, kReleaseAssetKeys, kReleaseLinkKeys, kPagesKeys;
extern const KeywordTable kTriggerKeys, kTriggerIncludeKeys, kForwardKeys;
extern const KeywordTable kIdTokenKeys, kSecretKeys, kDastKeys;

}  // namespace runner::pipelines
