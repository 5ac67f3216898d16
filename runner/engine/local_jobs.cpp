#include "runner/engine/local_jobs.h"

#include <exception>
#include <utility>

#include "artifacts/artifacts.h"
#include "cache/mount_point.h"
#include "runner/base/error.h"

namespace runner::engine {
namespace {

ArchiveView write_one(const std::filesystem::path& tree, const std::filesystem::path& root,
                      const std::string& name, const Collected& collected,
                      const std::function<bool()>& stop) {
  const artifacts::ArchiveInfo info =
      artifacts::write_archive(tree, root, collected.format, collected.compression, stop);
  return {name, info.path, info.sha256, info.bytes, info.files};
}

}  // namespace

LocalJobs::LocalJobs(EngineOptions options, JobParts parts)
    : options_(std::move(options)),
      parts_(std::move(parts)),
      shell_(find_shell()),
      context_{options_, parts_, shell_} {}

void LocalJobs::run(const JobOrder& order, StopControl& control, const OnEnd& on_end) noexcept {
  JobRunner(context_, order, control).run(on_end);
}

Archives LocalJobs::archive(const ArchiveOrder& order, const Collected& collected,
                            const std::function<bool()>& stop) noexcept {
  return write_archives(order, collected, stop);
}

Archives write_archives(const ArchiveOrder& order, const Collected& collected,
                        const std::function<bool()>& stop) noexcept {
  Archives done;
  try {
    if (collected.layer) {
      done.archive = write_one(collected.layer->layers.front().tree, order.archive_root, collected.name,
                               collected, stop);
    }
    if (collected.reports) {
      done.reports = write_one(reports_tree(*collected.reports), order.archive_root,
                               collected.name + "-reports", collected, stop);
    }
  } catch (Error& e) {
    const std::string full = cache::full_disk_context(e.system(), order.archive_root);
    if (!full.empty()) e.add_context(full + "; " + cache::kFullDiskMend);
    done.error = e.what();
  } catch (const std::exception& e) {
    done.error = e.what();
  }
  return done;
}

}  // namespace runner::engine
