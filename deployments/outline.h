#pragma once
// What a deployment is going to do, for the people who are to agree to it: the phases of the driver's own
// plan (course.h), each with a line in words. Pure; any thread.
//
// Nothing of a target is looked at. What runs there is taken from a snapshot: the deployment's own, or that
// which the deployment before it must have left.

#include <cstddef>
#include <string>
#include <vector>

#include "deployments/course.h"
#include "deployments/journal.h"
#include "pipelines/deploy_spec.h"
#include "runner/storage/deployment_table.h"

namespace runner::deployments {

/// A step of the journal, before it is one: `part`, `n`, `action` and `places` are those that the journal
/// will have.
struct OutlineStep {
  Part part = Part::forward;
  std::size_t n = 0;
  std::string action;
  std::vector<Place> places;  // none: of the whole
  Phase phase;                // of parts that have one
  std::vector<std::string> commands;
  std::size_t batch = 0, batches = 0;  // from 1; 0: there are none
  std::string text;                    // one line
};

struct Outline {
  std::string target, strategy, balancer;
  std::vector<std::string> units;
  bool slots = false;          // each unit has two places
  bool first_release = false;  // nothing of ours runs there
  std::vector<OutlineStep> steps;
  /// Of the way back from the end of the way there: less is undone where less was done.
  std::vector<OutlineStep> back;
  std::vector<std::string> back_when;    // health, smoke, checks, timeout, failure: by itself; abort: always
  std::vector<std::string> cannot_undo;  // sentences
};

/// What `deployment`, which has ended well, put where, by the steps of its journal.
Snapshot left_by(const storage::DeploymentRecord& deployment, const std::vector<storage::StepRecord>& steps);

/// Where `before` says nothing of a unit, nothing runs there. `candidate`: the id of the release, or what it
/// is to be called.
Outline make_outline(const pipelines::DeploySpec& spec, const CourseShape& shape, Snapshot before,
                     const std::string& candidate);

/// A JSON object.
std::string outline_json(const pipelines::DeploySpec& spec, const Outline& outline);

/// "app1 (blue), app2 (blue)".
std::string places_text(const std::vector<Place>& places);

}  // namespace runner::deployments
