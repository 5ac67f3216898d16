#pragma once
// Artifacts as text and as JSON. Pure; any thread.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runner/base/unpack.h"
#include "runner/cli/json_writer.h"
#include "runner/cli/screen.h"
#include "runner/storage/artifact_table.h"

namespace runner::cli {

/// A record, and what is known of it beside.
struct KnownArtifact {
  storage::ArtifactRecord record;
  bool there = true;    // its file is
  bool latest = false;  // the newest success of its job: stays past its time
};

/// "3 d ago", "2 h 05 m ago", "just now".
std::string age_text(TimePoint then, TimePoint now);
/// "never", "in 29 d", "kept", "now".
std::string expiry_text(const KnownArtifact& artifact, TimePoint now);

/// One line each under a heading. `projects`: whose they are too.
std::string artifact_table(const Screen& screen, std::span<const KnownArtifact> artifacts, TimePoint now,
                           bool projects);
/// Everything about one, one fact a line.
std::string artifact_details(const Screen& screen, const KnownArtifact& artifact, TimePoint now);
/// One line for each entry, as `ls -l` has it.
std::string content_table(const Screen& screen, std::span<const ArchiveEntry> entries);

/// An object that is still open: the caller may add members, and ends it.
void begin_artifact(JsonWriter& json, const KnownArtifact& artifact);
void write_content(JsonWriter& json, std::span<const ArchiveEntry> entries);

}  // namespace runner::cli
