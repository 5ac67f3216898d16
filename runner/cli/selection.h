#pragma once
// Which jobs of a plan a command line means. Pure; any thread.

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pipelines/plan.h"

namespace runner::cli {

struct Chosen {
  std::vector<std::size_t> jobs;       // in plan order; empty = all
  std::vector<std::size_t> play;       // manual jobs to start
  std::vector<std::string> notices;    // what was named and makes no difference
  std::optional<std::string> problem;  // the command line is wrong
  std::string help;                    // for the problem
};

/// `names`: full name of a job, or base name of a parallel one (all its instances). Naming a manual job
/// starts it, as --manual does. A job that the file has and this pipeline has not is left out with a notice;
/// when none is left, that is a problem.
Chosen choose_jobs(const pipelines::Plan& plan, std::span<const pipelines::ExcludedJob> excluded,
                   std::span<const std::string> names, std::span<const std::string> manual);

/// The job and all it takes artifacts from, directly or not, in plan order.
std::vector<std::size_t> artifact_closure(const pipelines::Plan& plan, std::size_t job);

/// Leaves files or variables for later jobs; other reports are for people.
bool gives_something(const pipelines::ArtifactsSpec& artifacts);

}  // namespace runner::cli
