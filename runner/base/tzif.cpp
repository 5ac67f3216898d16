// TZif files (RFC 8536). They come with the system, but $TZDIR may point anywhere: every count and index is
// checked.

#include <array>
#include <utility>

#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/base/time_zone.h"

namespace runner {
namespace {

namespace chrono = std::chrono;

constexpr std::string_view kMagic = "TZif";
constexpr std::size_t kHeaderSize = 44;
constexpr std::size_t kMostKinds = 256;
// A far longer one than tzdata has, so that a comparison of times never overflows (RFC 8536 asks for -2^59).
constexpr std::int64_t kMostSeconds = std::int64_t{1} << 59U;

struct Counts {
  std::uint64_t utc_flags = 0;
  std::uint64_t standard_flags = 0;
  std::uint64_t leaps = 0;
  std::uint64_t times = 0;
  std::uint64_t kinds = 0;
  std::uint64_t characters = 0;

  std::uint64_t block_size(std::uint64_t time_size) const noexcept {
    return times * (time_size + 1) + kinds * 6 + characters + leaps * (time_size + 4) + standard_flags +
           utc_flags;
  }
};

}  // namespace

class TzifReader {
 public:
  TzifReader(std::string name, std::string_view file) : file_(file) { zone_.name_ = std::move(name); }

  TimeZone read() {
    char version = read_header();
    std::size_t time_size = 4;
    if (version >= '2') {
      skip(counts_.block_size(time_size));
      version = read_header();
      if (version < '2') refuse("its second part is of version 1");
      time_size = 8;
    } else if (version != '\0') {
      refuse("its version is unknown");
    }
    if (counts_.block_size(time_size) > file_.size()) refuse("it is cut off");
    read_block(time_size);
    if (time_size == 8) read_footer();
    return std::move(zone_);
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(ErrorCode::corrupt,
                "the file of the time zone " + in_quotes(zone_.name_) + " cannot be read: " + why);
  }

  std::string_view skip(std::uint64_t size) {
    if (size > file_.size()) refuse("it is cut off");
    const std::string_view part = file_.substr(0, size);
    file_.remove_prefix(size);
    return part;
  }

  /// Big-endian, two's complement.
  std::int64_t number(std::size_t size) {
    std::uint64_t value = 0;
    for (const char c : skip(size)) value = value << 8U | static_cast<unsigned char>(c);
    return size == 4 ? static_cast<std::int32_t>(static_cast<std::uint32_t>(value))
                     : static_cast<std::int64_t>(value);
  }
  std::uint64_t count() { return static_cast<std::uint32_t>(number(4)); }

  char read_header() {
    if (file_.size() < kHeaderSize || !file_.starts_with(kMagic)) refuse("it is no TZif file");
    const char version = skip(20)[4];
    counts_.utc_flags = count();
    counts_.standard_flags = count();
    counts_.leaps = count();
    counts_.times = count();
    counts_.kinds = count();
    counts_.characters = count();
    return version;
  }

  void read_block(std::size_t time_size) {
    if (counts_.kinds == 0 || counts_.kinds > kMostKinds) refuse("it has no kind of local time, or too many");
    if (counts_.characters == 0) refuse("it has no abbreviations");
    for (const std::uint64_t flags : {counts_.utc_flags, counts_.standard_flags}) {
      if (flags != 0 && flags != counts_.kinds) refuse("its flags do not fit its kinds of local time");
    }
    if (counts_.leaps != 0)
      throw Error(ErrorCode::invalid_input, "the time zone " + in_quotes(zone_.name_) +
                                                " counts leap seconds: take the one without 'right/'");
    read_transitions(time_size);
    read_kinds();
    skip(counts_.standard_flags + counts_.utc_flags);
  }

  void read_transitions(std::size_t time_size) {
    zone_.transitions_.reserve(counts_.times);
    for (std::uint64_t i = 0; i < counts_.times; ++i) {
      const std::int64_t time = number(time_size);
      if (time < -kMostSeconds || time > kMostSeconds) refuse("it has a time out of range");
      const chrono::sys_seconds begin{chrono::seconds(time)};
      if (i > 0 && begin <= zone_.transitions_.back().begin) refuse("its times are not in order");
      zone_.transitions_.push_back({begin, 0});
    }
    for (auto& transition : zone_.transitions_) {
      transition.kind = static_cast<std::uint8_t>(skip(1)[0]);
      if (transition.kind >= counts_.kinds) refuse("it names a kind of local time that it does not have");
    }
  }

  void read_kinds() {
    std::array<std::size_t, kMostKinds> names{};
    for (std::uint64_t i = 0; i < counts_.kinds; ++i) {
      ZoneKind kind;
      kind.offset = chrono::seconds(number(4));
      if (kind.offset <= chrono::hours(-25) || kind.offset >= chrono::hours(26))
        refuse("an offset is out of range");
      const char daylight = skip(1)[0];
      if (daylight != 0 && daylight != 1) refuse("a flag is neither 0 nor 1");
      kind.daylight = daylight == 1;
      names[i] = static_cast<unsigned char>(skip(1)[0]);
      zone_.kinds_.push_back(std::move(kind));
    }
    const std::string_view characters = skip(counts_.characters);
    for (std::size_t i = 0; i < zone_.kinds_.size(); ++i) {
      if (names[i] >= characters.size()) refuse("an abbreviation is missing");
      const auto end = characters.find('\0', names[i]);
      if (end == std::string_view::npos) refuse("an abbreviation has no end");
      zone_.kinds_[i].abbreviation = to_utf8(characters.substr(names[i], end - names[i]));
    }
  }

  void read_footer() {
    if (file_.size() < 2 || file_.front() != '\n' || file_.back() != '\n') refuse("its last line is missing");
    const std::string_view rule = file_.substr(1, file_.size() - 2);
    if (rule.empty()) return;  // nobody knows what comes after the last transition
    zone_.rule_ = parse_posix_zone(rule);
    if (!zone_.rule_) refuse("its last line is no rule of POSIX");
  }

  std::string_view file_;
  Counts counts_;
  TimeZone zone_;
};

TimeZone TimeZone::parse(std::string name, std::string_view file) {
  return TzifReader(std::move(name), file).read();
}

}  // namespace runner
