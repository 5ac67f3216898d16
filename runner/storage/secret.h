#pragma once
// Secrets in memory, and where their bytes come from. Any thread; one object is one thread's at a time.

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

namespace runner::storage {

/// Owns bytes and wipes them when it goes. Move-only: a copy is made where one is meant, with copy_of().
/// Never printed, logged or put into the message of an error.
class Secret {
 public:
  Secret() noexcept = default;
  /// `size` zeros.
  explicit Secret(std::size_t size);
  static Secret copy_of(std::string_view bytes);
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret();

  std::size_t size() const noexcept { return size_; }
  /// Both point into this object.
  std::string_view text() const noexcept { return {bytes_.get(), size_}; }
  std::span<char> bytes() noexcept { return {bytes_.get(), size_}; }

 private:
  void wipe() noexcept;
  // No std::string: a short one leaves its bytes behind when it is moved.
  std::unique_ptr<char[]> bytes_;
  std::size_t size_ = 0;
};

/// Random bytes of the kernel (getrandom(2)). Blocks only before the kernel has entropy, early at boot.
/// Throws Error.
void fill_random(std::span<char> bytes);

}  // namespace runner::storage
