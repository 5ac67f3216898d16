#include <unistd.h>

#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <set>

#include "cache/layer_store.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"
#include "runner/base/unpack.h"
#include "runner/cli/artifact_files.h"
#include "runner/cli/artifact_shelf.h"
#include "runner/cli/artifact_text.h"
#include "runner/cli/client_artifact.h"
#include "runner/cli/commands.h"
#include "runner/cli/environment.h"
#include "runner/cli/json_writer.h"
#include "runner/cli/kept_files.h"
#include "runner/cli/local_checkout.h"
#include "runner/cli/messages.h"
#include "runner/cli/project.h"
#include "runner/cli/table.h"

namespace runner::cli {
namespace {

namespace fs = std::filesystem;
using storage::ArtifactKind;
using storage::ArtifactRecord;

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

class ArtifactCommand {
 public:
  explicit ArtifactCommand(const ArtifactOptions& options)
      : options_(options),
        shelf_(data_directory(options.common.data), clock_),
        screen_(detect_screen(STDOUT_FILENO, options.common.no_color)),
        json_([](std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }) {}

  int run() {
    read_records();
    if (options_.action == ArtifactAction::list) return list();
    if (options_.action == ArtifactAction::remove) return remove();
    const auto found = find(options_.words.front());
    if (!found) return exit_failed;
    if (options_.action == ArtifactAction::show) return show(*found);
    const auto file = file_of(*found);
    if (!file) return exit_failed;
    return options_.action == ArtifactAction::download ? download(*found, *file) : extract(*found, *file);
  }

 private:
  void read_records() {
    std::vector<ArtifactRecord> all = shelf_.list(std::nullopt);
    const std::vector<std::int64_t> latest = shelf_.latest_of(all);
    const std::string project = options_.all ? std::string() : Project::open().root().string();
    for (ArtifactRecord& record : all) {
      KnownArtifact known;
      known.there = shelf_.find_file(record).has_value();
      known.latest = std::find(latest.begin(), latest.end(), record.id) != latest.end();
      known.record = std::move(record);
      if (options_.all || known.record.project == project) {
        here_.push_back(known);
      } else {
        elsewhere_.push_back(std::move(known));
      }
    }
  }

  bool wanted(const ArtifactRecord& record) const {
    return (!options_.job || record.job == *options_.job) && (!options_.run || record.run == *options_.run);
  }

  int list() {
    std::vector<KnownArtifact> shown;
    std::copy_if(here_.begin(), here_.end(), std::back_inserter(shown),
                 [&](const KnownArtifact& known) { return wanted(known.record); });
    if (options_.common.json) {
      json_.begin_array();
      for (const KnownArtifact& known : shown) {
        begin_artifact(json_, known);
        json_.end_object();
      }
      json_.end_array();
      return end_json();
    }
    if (options_.quiet) {
      std::set<std::string_view> jobs;
      for (const KnownArtifact& known : shown) {
        if (jobs.insert(known.record.job).second) print(printable(known.record.job) + "\n");
      }
      return exit_success;
    }
    if (!shown.empty()) {
      print(artifact_table(screen_, shown, clock_.now(), options_.all));
    } else if (!here_.empty() && options_.job) {
      return tell_unknown(*options_.job);
    } else {
      print_notice(options_.run         ? "no artifacts of run " + std::to_string(*options_.run)
                   : options_.all       ? "no artifacts"
                   : elsewhere_.empty() ? "no artifacts of this project"
                                        : "no artifacts of this project; '--all' lists those of others");
    }
    return exit_success;
  }

  /// An id, or the newest archive of a job, or its reports when it has none. Null, and said so.
  const KnownArtifact* find(const std::string& word) const {
    const KnownArtifact* best = nullptr;
    for (const KnownArtifact& known : here_) {
      if (known.record.job != word || !wanted(known.record)) continue;
      const bool better = best == nullptr || (known.record.kind == ArtifactKind::archive &&
                                              best->record.kind == ArtifactKind::reports);
      if (better) best = &known;
    }
    if (best != nullptr) return best;
    if (const auto id = parse_integer(word)) {
      for (const auto* records : {&here_, &elsewhere_}) {
        for (const KnownArtifact& known : *records) {
          if (known.record.id == *id && wanted(known.record)) return &known;
        }
      }
    }
    tell_unknown(word);
    return nullptr;
  }

  int tell_unknown(const std::string& word) const {
    std::set<std::string_view> jobs;
    for (const KnownArtifact& known : here_) jobs.insert(known.record.job);
    std::string help = here_.empty() && !elsewhere_.empty() && !options_.all
                           ? "this project has none; '--all' looks at those of others"
                           : "'runner artifact list' shows what there is";
    if (jobs.contains(word)) {
      help = "'runner artifact list --job " + shell_quote(word) + "' shows its runs";
    } else {
      const std::vector<std::string_view> names(jobs.begin(), jobs.end());
      // One of several that `parallel` made of it.
      const auto part = std::find_if(names.begin(), names.end(), [&](std::string_view name) {
        return name.starts_with(word + ": [") || name.starts_with(word + " ");
      });
      if (part != names.end()) {
        help = "did you mean '" + std::string(*part) + "'?";
      } else if (const auto near = nearest(word, names)) {
        help = "did you mean '" + std::string(*near) + "'?";
      }
    }
    const std::string where = options_.run ? " in run " + std::to_string(*options_.run) : "";
    const bool number = parse_integer(word).has_value();
    print_error(
        "no artifacts " + std::string(number ? "of job or with id '" : "of job '") + word + "'" + where,
        help);
    return exit_failed;
  }

  static std::string title(const ArtifactRecord& record) {
    return "'" + record.name + "' of job '" + record.job + "', run " + std::to_string(record.run);
  }

  std::optional<fs::path> file_of(const KnownArtifact& known) const {
    auto file = shelf_.find_file(known.record);
    if (!file) {
      print_error(title(known.record) + " is gone: there is no file " + in_quotes(known.record.path),
                  "'runner artifact remove " + std::to_string(known.record.id) + "' forgets it");
    }
    return file;
  }

  static int tell_damaged(const ArtifactRecord& record) {
    print_error(title(record) + " is damaged: its SHA-256 is not the one that was recorded",
                "run the job again");
    return exit_failed;
  }

  int show(const KnownArtifact& known) {
    std::vector<ArchiveEntry> entries;
    if (known.there) entries = list_archive(*shelf_.find_file(known.record));
    if (options_.common.json) {
      begin_artifact(json_, known);
      write_content(json_.key("contents"), entries);
      json_.end_object();
      return end_json();
    }
    print(artifact_details(screen_, known, clock_.now()));
    if (!entries.empty()) print("\n" + content_table(screen_, entries));
    return exit_success;
  }

  int download(const KnownArtifact& known, const fs::path& file) {
    const ArtifactRecord& record = known.record;
    if (options_.output == "-") {
      return write_verified(file, record.sha256, STDOUT_FILENO) ? exit_success : tell_damaged(record);
    }
    fs::path target = options_.output.empty() ? fs::path(plain_file_name(record.name)) : options_.output;
    std::error_code error;
    if (fs::is_directory(target, error)) target /= plain_file_name(record.name);
    const bool named = target == options_.output;
    if (!named && !options_.overwrite && fs::exists(fs::symlink_status(target, error))) {
      print_error(in_quotes(target.native()) + " exists", "name another with -o, or add --overwrite");
      return exit_failed;
    }
    if (!copy_verified(file, record.sha256, target)) return tell_damaged(record);
    if (options_.common.json) {
      begin_artifact(json_, known);
      json_.member("downloaded_to", fs::absolute(target).string()).end_object();
      return end_json();
    }
    print(fmt::format("{}: {} of '{}', run {}\n", target.string(), format_bytes(record.bytes),
                      printable(record.job), record.run));
    return exit_success;
  }

  int extract(const KnownArtifact& known, const fs::path& file) {
    UnpackOptions unpacking;
    unpacking.overwrite = options_.overwrite;
    unpacking.only.assign(options_.words.begin() + 1, options_.words.end());
    for (std::string& path : unpacking.only) {
      while (path.size() > 1 && path.ends_with('/')) path.pop_back();
      if (path.starts_with("./")) path.erase(0, 2);
    }
    if (!is_intact(file, known.record.sha256)) return tell_damaged(known.record);
    if (!has_all(file, unpacking.only)) return exit_failed;
    const fs::path target = options_.common.directory.empty() ? fs::path(".") : options_.common.directory;
    make_directories(target);
    UnpackReport report;
    try {
      report = unpack(file, target, unpacking);
    } catch (const Error& error) {
      // What an archive holds or a directory has in the way is no failure of the machinery.
      if (error.code() != ErrorCode::invalid_input && error.code() != ErrorCode::corrupt &&
          error.code() != ErrorCode::conflict) {
        throw;
      }
      const bool in_the_way = error.code() == ErrorCode::conflict;
      print_error(error.what(), in_the_way
                                    ? "--overwrite replaces files that exist"
                                    : "what came before it was written; 'runner artifact download' gets "
                                      "the archive as it is");
      return exit_failed;
    }
    if (options_.common.json) {
      json_.begin_object().member("directory", fs::absolute(target).lexically_normal().string());
      json_.member("files", report.files).member("directories", report.directories);
      json_.member("links", report.links).member("bytes", report.bytes).end_object();
      return end_json();
    }
    const std::uint64_t count = report.files + report.links;
    print(fmt::format("{} {}, {}, from run {}\n", count, count == 1 ? "file" : "files",
                      format_bytes(report.bytes), known.record.run));
    return exit_success;
  }

  /// Each path is in the archive, itself or what is below it. False, and said so.
  static bool has_all(const fs::path& file, const std::vector<std::string>& paths) {
    if (paths.empty()) return true;
    std::set<std::string> names;
    for (const ArchiveEntry& entry : list_archive(file)) {
      std::string_view name = entry.path;
      if (name.ends_with('/')) name.remove_suffix(1);
      for (std::size_t slash = name.find('/'); slash != std::string_view::npos;
           slash = name.find('/', slash + 1)) {
        names.emplace(name.substr(0, slash));
      }
      names.emplace(name);
    }
    for (const std::string& path : paths) {
      if (names.contains(path)) continue;
      const std::vector<std::string_view> candidates(names.begin(), names.end());
      const auto near = nearest(path, candidates);
      print_error(
          "no " + in_quotes(path) + " in the archive",
          near ? "did you mean '" + std::string(*near) + "'?" : "'runner artifact show' lists what is in it");
      return false;
    }
    return true;
  }

  int remove() {
    std::vector<ArtifactRecord> records;
    for (const std::string& word : options_.words) {
      const KnownArtifact* found = find(word);
      if (found == nullptr) return exit_failed;
      records.push_back(found->record);
    }
    shelf_.remove(records);
    forget_layers(records);
    if (options_.common.json) {
      json_.begin_array();
      for (const ArtifactRecord& record : records) {
        begin_artifact(json_, KnownArtifact{record, false, false});
        json_.end_object();
      }
      json_.end_array();
      return end_json();
    }
    for (const ArtifactRecord& record : records) print("removed " + printable(title(record)) + "\n");
    return exit_success;
  }

  /// Later jobs would still get the files, and whoever removes them may have a reason.
  void forget_layers(const std::vector<ArtifactRecord>& records) const {
    const fs::path layers = layers_directory(data_directory(options_.common.data));
    if (!fs::exists(layers / "index.db")) return;
    const auto store = cache::LayerStore::open(layers, clock_);
    bool removed = false;
    for (const ArtifactRecord& record : records) {
      if (record.kind != ArtifactKind::archive) continue;
      const cache::EntryName name{cache::Space::artifact, record.project, record.job};
      const cache::HeldEntry entry = store->peek(name);
      const std::string run = " of run " + std::to_string(record.run);
      if (entry && entry->facts.origin.ends_with(run))
        removed = store->remove(name, cache::EvictionReason::removed, "") || removed;
    }
    if (removed) store->collect({});
  }

  int end_json() {
    json_.flush();
    print("\n");
    return exit_success;
  }

  const ArtifactOptions& options_;
  const SystemClock clock_;
  ArtifactShelf shelf_;
  const Screen screen_;
  JsonWriter json_;
  std::vector<KnownArtifact> here_, elsewhere_;
};

}  // namespace

int run_artifact(const ArtifactOptions& options) {
  if (is_remote(options)) return run_remote_artifact(options);
  if (options.action != ArtifactAction::extract) enter_directory(options.common.directory);
  return ArtifactCommand(options).run();
}

}  // namespace runner::cli
