#pragma once
// Which images of an engine were pulled by us, and when they were used last: a directory with a file for
// each, named by the image's id. What is not in it is somebody else's. Any thread, any process; blocks on the
// engine and on the disk.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "executors/containers/engine_api.h"
#include "executors/executor.h"

namespace runner::executors {

/// An image that we pulled.
struct PulledImage {
  std::string id;                  // "sha256:..."
  std::vector<std::string> names;  // by which it was pulled
  std::chrono::system_clock::time_point used;
};

class ImageRecords {
 public:
  /// `directory` is made when it is needed. Empty: nothing is kept.
  explicit ImageRecords(std::filesystem::path directory) : directory_(std::move(directory)) {}

  bool kept() const noexcept { return !directory_.empty(); }
  /// The ids of all images that the engine has: to be asked before a pull. Throws Error.
  static std::vector<std::string> all_images(const EngineApi& api, const std::stop_token& stop);
  /// What a pull of `name` has brought. An image that was there `before` and is not ours stays somebody
  /// else's; so does one whose pull was not followed by this call. Durable. Throws Error.
  void pulled(const std::string& id, const std::string& name, const std::vector<std::string>& before) const;
  /// The image of this id is used now. Nothing happens when it is not ours. Throws Error.
  void used(const std::string& id) const;

  /// All, least recently used first. Throws Error.
  std::vector<PulledImage> list() const;
  void forget(const std::string& id) const;
  /// nullopt: it is not ours. Throws Error{corrupt}.
  std::optional<PulledImage> find(const std::string& id) const;

 private:
  std::filesystem::path file_of(const std::string& id) const;

  const std::filesystem::path directory_;
};

/// What was removed to keep a budget.
struct Reclaimed {
  std::size_t images = 0;
  std::uint64_t bytes = 0;
  std::vector<std::string> names;  // of the images, for the log
};
/// Removes images that we pulled, those first that were not used for the longest time, until the rest takes
/// no more than `budget` bytes; layers that images share count for each. Kept are images that a container
/// uses, that were used within `recent`, and that have been given names by others. Throws Error.
Reclaimed keep_image_budget(const EngineApi& api, const ImageRecords& records, std::uint64_t budget,
                            std::chrono::seconds recent, Deadline deadline);

/// Removes what builds have cached beyond `budget` bytes, whoever's builds they were. How many bytes that
/// were; 0 of engines that keep no such cache apart. Throws Error.
std::uint64_t keep_build_cache_budget(const EngineApi& api, std::uint64_t budget, Deadline deadline);

}  // namespace runner::executors
