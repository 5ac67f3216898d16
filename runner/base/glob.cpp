#include "runner/base/glob.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "runner/base/glob_program.h"

namespace runner {
namespace {

using glob_detail::Instruction;
using glob_detail::Op;
using glob_detail::Program;

/// How a place in the program was reached; what `**` means depends on it.
enum class Mode : std::uint8_t {
  inside,       // within a path part
  at_start,     // at the start of a path part, in the pattern and in the path
  deep_start,   // on a `**` that is a whole part, at the start of a path part
  deep_inside,  // the same, within a path part
  skip_slash,   // behind such a `**`: the '/' that follows in the pattern is matched already
};
constexpr std::size_t kModes = 5;

/// All places the automaton can be at. Adding one adds everything that is reached from it without a
/// character.
class States {
 public:
  States(const Program& program, GlobDialect dialect) : program_(&program), dialect_(dialect) {
    seen_.resize(program.code.size() * kModes);
  }

  bool empty() const noexcept { return places_.empty(); }
  void clear() {
    for (const auto& [at, mode] : places_) seen_[index(at, mode)] = false;
    places_.clear();
    expanded_ = 0;
  }

  void add(std::size_t at, Mode mode) {
    push(at, mode);
    // places_ is also the work list; what it grows by is looked at in turn.
    while (expanded_ < places_.size()) expand(places_[expanded_++]);
  }

  /// The states after reading `c` go to `next`, which is empty before.
  void advance(char32_t c, States& next) const {
    for (const auto& [at, mode] : places_) advance_one(at, mode, c, next);
  }

  bool accepts() const {
    for (const auto& [at, mode] : places_) {
      const bool deep = mode == Mode::deep_start || mode == Mode::deep_inside;
      if (deep ? deep_end_follows(at) : mode != Mode::skip_slash && accepts_at(at)) return true;
    }
    return false;
  }

 private:
  using Place = std::pair<std::size_t, Mode>;

  static std::size_t index(std::size_t at, Mode mode) { return at * kModes + static_cast<std::size_t>(mode); }

  void push(std::size_t at, Mode mode) {
    const std::size_t i = index(at, mode);
    if (seen_[i]) return;
    seen_[i] = true;
    places_.emplace_back(at, mode);
  }

  void expand(Place place) {
    const auto [at, mode] = place;
    const Instruction& step = program_->code[at];
    if (mode == Mode::deep_start) push(at + 1, Mode::skip_slash);
    if (mode == Mode::deep_start || mode == Mode::deep_inside) return;
    switch (step.op) {
      case Op::jump:
        push(step.value, mode);
        return;
      case Op::fork:
        push(at + 1, mode);
        for (const std::size_t target : program_->targets[step.value]) push(target, mode);
        return;
      case Op::character:
        if (mode == Mode::skip_slash && step.value == U'/') push(at + 1, Mode::at_start);
        return;
      case Op::globstar:
        if (mode == Mode::at_start) push(at, Mode::deep_start);
        [[fallthrough]];
      case Op::star:
        if (mode != Mode::skip_slash) push(at + 1, Mode::inside);
        return;
      default:
        return;
    }
  }

  void advance_one(std::size_t at, Mode mode, char32_t c, States& next) const {
    const bool slash = c == U'/';
    if (mode == Mode::skip_slash) return;
    if (mode == Mode::deep_start || mode == Mode::deep_inside) {
      return next.add(at, slash ? Mode::deep_start : Mode::deep_inside);
    }
    const Instruction& step = program_->code[at];
    switch (step.op) {
      case Op::character:
        if (step.value == c) next.add(at + 1, slash ? Mode::at_start : Mode::inside);
        return;
      case Op::any:
        if (!slash) next.add(at + 1, Mode::inside);
        return;
      case Op::star:
      case Op::globstar:
        if (!slash) next.add(at, Mode::inside);
        return;
      case Op::set:
        if (!slash && program_->sets[step.value].contains(c)) next.add(at + 1, Mode::inside);
        return;
      default:
        return;
    }
  }

  /// The path ends here: so does the pattern, or it goes on with a whole part `**` that may be no directory
  /// at all.
  bool accepts_at(std::size_t at) const {
    const Instruction& step = program_->code[at];
    if (step.op == Op::end) return true;
    if (dialect_ != GlobDialect::paths || step.op != Op::character || step.value != U'/') return false;
    States after(*program_, dialect_);
    after.add(at + 1, Mode::at_start);
    for (const auto& [deep_at, mode] : after.places_) {
      if (mode == Mode::deep_start && deep_end_follows(deep_at)) return true;
    }
    return false;
  }

  /// The pattern can end right behind the `**` at `at`, and `**` at the end has the meaning of all below.
  bool deep_end_follows(std::size_t at) const {
    if (dialect_ != GlobDialect::paths) return false;
    States after(*program_, dialect_);
    after.add(at + 1, Mode::skip_slash);
    for (const auto& [end_at, mode] : after.places_) {
      if (mode == Mode::skip_slash && program_->code[end_at].op == Op::end) return true;
    }
    return false;
  }

  const Program* program_;
  GlobDialect dialect_;
  std::vector<bool> seen_;
  std::vector<Place> places_;
  std::size_t expanded_ = 0;
};

/// The states after the whole of `text`, from the start of the pattern.
States run(const Program& program, GlobDialect dialect, std::string_view text) {
  States now(program, dialect);
  States next(program, dialect);
  now.add(0, Mode::at_start);
  for (std::size_t at = 0; at < text.size() && !now.empty();) {
    now.advance(glob_detail::next_code_point(text, at), next);
    std::swap(now, next);
    next.clear();
  }
  return now;
}

}  // namespace

struct Glob::Impl {
  std::string pattern;
  GlobDialect dialect;
  Program program;
};

Glob::Glob(std::string_view pattern, GlobDialect dialect)
    : impl_(std::make_unique<Impl>(Impl{std::string(pattern), dialect, glob_detail::compile(pattern)})) {}
Glob::Glob(Glob&&) noexcept = default;
Glob& Glob::operator=(Glob&&) noexcept = default;
Glob::~Glob() = default;

bool Glob::matches(std::string_view path) const {
  const std::string& plain = impl_->program.plain;
  if (impl_->program.literal) return !path.empty() && path == plain;
  // `dir/**` matches `dir` too: the slash before the first magic character may be missing at the end.
  const bool begins = path.substr(0, plain.size()) == plain ||
                      (!plain.empty() && plain.back() == '/' && path == plain.substr(0, plain.size() - 1));
  if (path.empty() || !begins) return false;
  return run(impl_->program, impl_->dialect, path).accepts();
}

bool Glob::could_match_below(std::string_view dir) const {
  if (impl_->pattern.empty()) return false;
  if (dir.empty()) return true;
  const std::string& plain = impl_->program.plain;
  const std::size_t common = std::min(plain.size(), dir.size());
  if (dir.substr(0, common) != std::string_view(plain).substr(0, common)) return false;
  const std::string inside = std::string(dir) + "/";
  return !run(impl_->program, impl_->dialect, inside).empty();
}

bool Glob::is_literal() const noexcept {
  return impl_->program.literal;
}

const std::string& Glob::pattern() const noexcept {
  return impl_->pattern;
}

}  // namespace runner
