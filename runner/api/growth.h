#pragma once
// Tells when files grow, by inotify(7). One thread: that of the followers. Internal to this folder.

#include <cstddef>
#include <map>
#include <memory>

#include "runner/base/fd.h"

namespace runner::api {

/// Without it (a machine has a limited number of watches) nothing is told, and who follows looks every now
/// and then as well.
class Growth {
 public:
  Growth();

  /// Readable when a watched file has grown; -1 when none ever will be.
  int fd() const noexcept { return state_->notify.get(); }
  /// Forgets what has grown so far. False when nothing had.
  bool clear() noexcept;

 private:
  struct State {
    UniqueFd notify;
    std::map<int, std::size_t> watches;  // of the kernel, one for each file, and how many want it
  };

 public:
  /// Ends with this object, which may outlive the Growth.
  class Watch {
   public:
    Watch() = default;
    Watch(Watch&& other) noexcept : state_(std::move(other.state_)), id_(other.id_) {}
    Watch& operator=(Watch&& other) noexcept;
    ~Watch() { end(); }

   private:
    friend class Growth;
    void end() noexcept;

    std::shared_ptr<State> state_;
    int id_ = -1;
  };
  Watch watch(int file);

 private:
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace runner::api
