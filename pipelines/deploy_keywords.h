#pragma once
// The keys of `deploy:` as data.

#include "pipelines/keywords.h"

namespace runner::pipelines {

extern const KeywordTable kDeployKeys, kDeployReleaseKeys, kDeploySshKeys, kDeployHostKeys,
    kDeployComposeKeys, kDeployScriptKeys;
extern const KeywordTable kDeployStrategyKeys, kDeployStepKeys, kDeployCheckKeys, kDeployLimitKeys;
extern const KeywordTable kDeployBalancerKeys, kDeployHealthKeys, kDeployHttpKeys, kDeployTcpKeys;
extern const KeywordTable kDeploySmokeKeys, kDeploySmokeCheckKeys, kDeployMigrateKeys, kDeployDrainKeys;
extern const KeywordTable kDeployRollbackKeys, kDeployTimeoutKeys, kDeployPortKeys;

}  // namespace runner::pipelines
