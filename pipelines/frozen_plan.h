#pragma once
// Plans as text, for a database: a server freezes the plan when it creates a pipeline, and goes on with
// exactly that plan after a restart, of this binary or of a newer one.
//
// SECRET: the values of masked variables are part of a plan and of facts. The text must lie where only the
// daemon reads. The caller compresses and seals it; sealing also finds flipped bits, which may well be a
// valid plan here. Messages of errors name places and never hold a value of the text.
//
// The text is one JSON object in UTF-8 without blanks:
//   format       1. Raised when a key changes its meaning or a default changes
//   job_lists    lists of jobs that `artifact_sources` of jobs begin: [list, size]. Lists that jobs share, or
//                share the start of, are here once, and are shared again when thawed
//   need_lists   lists that `needs` of jobs name by their index
//   ...          the other fields of Plan (or PipelineFacts) by their names. A field with its default is left
//   out
// A run of jobs in lists is 4, or [4,9] for 4 to 9; needs without artifacts are [4,9,false]. Enumerators are
// their names, times and durations milliseconds, maps lists of [key, value]. A text that is no UTF-8 is
// {"bytes": TEXT}, where each byte is the character of the same number (U+0000 to U+00FF).
//
// What older binaries left out takes its default. Keys and names that this binary does not know are refused:
// a newer one wrote them, and the plan would be another without them.
//
// Not part of a plan: PlanResult::sources. The places in it (SourceRange) name files by numbers of those.
//
// Pure; any thread. Blocks never. A thousand jobs take some 3 ms to freeze and 40 ms to thaw, twice their
// planning.

#include <cstddef>
#include <string>
#include <string_view>

#include "pipelines/facts.h"
#include "pipelines/plan.h"

namespace runner::pipelines {

inline constexpr int kFrozenFormat = 1;

/// Entries of all `needs` and of the distinct lists of artifact sources together; more than the memory for
/// planning them allows. Bounds what a short damaged text can ask for.
inline constexpr std::size_t kMaxFrozenEdges = 200'000'000;

/// The same plan always gives the same text.
/// Throws Error{invalid_input} over kMaxFrozenEdges, and Error{internal} for an enumerator without a name.
std::string freeze(const Plan& plan);
std::string freeze(const PipelineFacts& facts);

/// What freeze() was given: every field equal, and freeze() of it the same text. All indexes lie within the
/// plan's jobs and stages, whatever the text was.
/// Throws Error{corrupt}: the text is damaged, or is of a newer runner.
Plan thaw(std::string_view text);
PipelineFacts thaw_facts(std::string_view text);

}  // namespace runner::pipelines
