#include "pipelines/deploy_keywords.h"

namespace runner::pipelines {
namespace {

constexpr std::string_view kAText = "a string";
constexpr std::string_view kAMap = "a mapping";
constexpr std::string_view kABool = "true or false";
constexpr std::string_view kACount = "a whole number";
constexpr std::string_view kATime = "a duration such as 30s";
constexpr std::string_view kTexts = "a string or a list of strings";
constexpr Shape kTime = kInt | kString;
constexpr Shape kTextList = kString | kList;

constexpr Keyword kDeploy[] = {
    {"release", kMap, kAMap},    {"target", kString, "script, ssh or compose"},
    {"ssh", kMap, kAMap},        {"compose", kMap, kAMap},
    {"script", kMap, kAMap},     {"swarm", kMap, kAMap},
    {"kubernetes", kMap, kAMap}, {"strategy", kString | kMap, "the name of a strategy or a mapping"},
    {"balancer", kMap, kAMap},   {"health", kMap, kAMap},
    {"smoke", kMap, kAMap},      {"migrate", kMap, kAMap},
    {"drain", kMap, kAMap},      {"rollback", kMap, kAMap},
    {"timeout", kMap, kAMap},    {"outputs", kMap, kAMap}};
constexpr Keyword kRelease[] = {{"image", kString, "the name of an image"},
                                {"artifact", kString, "a path in the workspace"},
                                {"config", kTextList, kTexts}};
constexpr Keyword kHost[] = {{"address", kString, "[USER@]NAME[:PORT]"},
                             {"root", kString, "a directory on the host"},
                             {"ports", kInt | kMap, "a port, or one for blue and one for green"}};
constexpr Keyword kSsh[] = {{"hosts", kString | kList, "addresses, or mappings with address, root and ports"},
                            {"user", kString, kAText},
                            {"key", kString, "secret:VARIABLE"},
                            {"known_hosts", kString, "secret:VARIABLE or a file"},
                            {"jump", kString, kAText},
                            {"root", kString, "a directory on the hosts"},
                            {"service", kString, "the name of a systemd unit"},
                            {"start", kString, "a command"},
                            {"stop", kString, "a command"},
                            {"status", kString, "a command"},
                            {"ports", kInt | kMap, "a port, or one for blue and one for green"},
                            {"keep_releases", kInt, kACount}};
constexpr Keyword kCompose[] = {
    {"file", kString, "a file in the workspace"},
    {"service", kString, kAText},
    {"host", kString, kAText},
    {"image_variable", kString, "the name of a variable"},
    {"port_variable", kString, "the name of a variable"},
    {"ports", kInt | kMap | kList, "a port, one for blue and one for green, or a list with one a replica"}};
constexpr Keyword kScript[] = {{"prepare", kTextList, kTexts},
                               {"activate", kTextList, kTexts},
                               {"verify", kTextList, kTexts},
                               {"rollback", kTextList, kTexts}};
constexpr Keyword kStrategy[] = {{"type", kString, "recreate, rolling, blue_green or canary"},
                                 {"max_parallel", kInt | kString, "a number or a percentage"},
                                 {"pause_between", kTime, kATime},
                                 {"order", kString, "start_first or stop_first"},
                                 {"steps", kList, "a list of steps"},
                                 {"checks", kList, "a list of checks"},
                                 {"limits", kMap, kAMap}};
constexpr Keyword kStep[] = {
    {"weight", kInt | kString, "a percentage"}, {"hold", kTime, kATime}, {"approve", kBool, kABool}};
constexpr Keyword kCheck[] = {{"name", kString, kAText},
                              {"of", kString, "candidate or stable"},
                              {"metric", kString, "http_5xx_ratio or http_mean_seconds"},
                              {"max", kInt | kReal, "a number"},
                              {"max_ratio_to", kString, "stable"},
                              {"ratio", kInt | kReal, "a number"},
                              {"min_samples", kInt, kACount}};
constexpr Keyword kLimit[] = {
    {"failures", kInt, kACount}, {"unknown", kInt, kACount}, {"interval", kTime, kATime}};
constexpr Keyword kBalancer[] = {{"type", kString, "haproxy, nginx or none"},
                                 {"socket", kTextList, "a path or HOST:PORT, or a list of them"},
                                 {"backend", kString, kAText},
                                 {"server", kString, "a pattern such as %unit-%slot"},
                                 {"upstream_file", kString, "a file that is written"},
                                 {"reload", kString, "a command"},
                                 {"test", kString, "a command"}};
constexpr Keyword kHealth[] = {{"http", kMap, kAMap},           {"tcp", kMap, kAMap},
                               {"exec", kString, "a command"},  {"interval", kTime, kATime},
                               {"timeout", kTime, kATime},      {"successes", kInt, kACount},
                               {"start_period", kTime, kATime}, {"deadline", kTime, kATime}};
constexpr Keyword kHttp[] = {{"path", kString, "a path"},
                             {"port", kInt, "a port"},
                             {"host", kString, kAText},
                             {"status", kInt | kString, "a status such as 200, or 200-299"}};
constexpr Keyword kTcp[] = {{"port", kInt, "a port"}};
constexpr Keyword kSmoke[] = {{"before_switch", kString | kList, "a list of commands and URLs"},
                              {"after_switch", kString | kList, "a list of commands and URLs"},
                              {"timeout", kTime, kATime}};
constexpr Keyword kSmokeCheck[] = {{"http", kString, "a URL"},
                                   {"status", kInt | kString, "a status such as 200, or 200-299"}};
constexpr Keyword kMigrate[] = {
    {"run", kTextList, kTexts},    {"on", kString, "one"},        {"list", kTextList, kTexts},
    {"compatible", kBool, kABool}, {"down", kTextList, kTexts},   {"backup_before", kBool, kABool},
    {"backup", kTextList, kTexts}, {"idempotent", kBool, kABool}, {"timeout", kTime, kATime}};
constexpr Keyword kDrain[] = {{"timeout", kTime, kATime}, {"stop_grace", kTime, kATime}};
// Not `on`: YAML 1.1 reads that as true.
constexpr Keyword kRollback[] = {{"auto", kBool, kABool},
                                 {"when", kTextList, "out of health, smoke, checks and timeout"},
                                 {"keep_old", kTime, kATime},
                                 {"on_restart", kString, "resume, rollback or hold"}};
constexpr Keyword kTimeout[] = {
    {"progress", kTime, kATime}, {"total", kTime, kATime}, {"lock", kTime, kATime}};
constexpr Keyword kPort[] = {{"blue", kInt, "a port"}, {"green", kInt, "a port"}};

}  // namespace

const KeywordTable kDeployKeys{"deploy", kDeploy};
const KeywordTable kDeployReleaseKeys{"deploy:release", kRelease};
const KeywordTable kDeploySshKeys{"deploy:ssh", kSsh};
const KeywordTable kDeployHostKeys{"deploy:ssh:hosts", kHost};
const KeywordTable kDeployComposeKeys{"deploy:compose", kCompose};
const KeywordTable kDeployScriptKeys{"deploy:script", kScript};
const KeywordTable kDeployStrategyKeys{"deploy:strategy", kStrategy};
const KeywordTable kDeployStepKeys{"a step of deploy:strategy", kStep};
const KeywordTable kDeployCheckKeys{"a check of deploy:strategy", kCheck};
const KeywordTable kDeployLimitKeys{"deploy:strategy:limits", kLimit};
const KeywordTable kDeployBalancerKeys{"deploy:balancer", kBalancer};
const KeywordTable kDeployHealthKeys{"deploy:health", kHealth};
const KeywordTable kDeployHttpKeys{"deploy:health:http", kHttp};
const KeywordTable kDeployTcpKeys{"deploy:health:tcp", kTcp};
const KeywordTable kDeploySmokeKeys{"deploy:smoke", kSmoke};
const KeywordTable kDeploySmokeCheckKeys{"a check of deploy:smoke", kSmokeCheck};
const KeywordTable kDeployMigrateKeys{"deploy:migrate", kMigrate};
const KeywordTable kDeployDrainKeys{"deploy:drain", kDrain};
const KeywordTable kDeployRollbackKeys{"deploy:rollback", kRollback};
const KeywordTable kDeployTimeoutKeys{"deploy:timeout", kTimeout};
const KeywordTable kDeployPortKeys{"deploy:ports", kPort};

}  // namespace runner::pipelines
