#pragma once
// What the tests of planning share: a world in memory and one-call planning.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/plan.h"
#include "tests/pipelines/reading_support.h"

namespace runner::pipelines {

/// A commit in memory.
class FakeRepository : public RepositoryReader {
 public:
  const std::vector<std::string>& tracked_files() override { return tracked; }
  std::optional<std::vector<std::string>> changed_files() override { return changed; }
  std::optional<std::vector<std::string>> changed_since(std::string_view ref) override;

  std::vector<std::string> tracked;
  std::optional<std::vector<std::string>> changed;
  std::map<std::string, std::vector<std::string>, std::less<>> since;
};

struct PlanWorld {
  PipelineFacts facts;
  FakeIncludes includes;
  FakeRepository repository;

  PlanWorld();
  PlanResult plan(std::string_view text);
};

/// One line per job: "stage/name when [allow] [needs a b] [from a b]"; or "<outcome>", with the ids of
/// errors.
std::string outline(const PlanResult& result);

}  // namespace runner::pipelines
