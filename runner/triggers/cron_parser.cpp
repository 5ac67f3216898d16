#include <algorithm>
#include <array>
#include <span>
#include <utility>
#include <vector>

#include "runner/base/text.h"
#include "runner/triggers/cron.h"

namespace runner::triggers {
namespace {

constexpr std::size_t kLongestText = 1000;
constexpr std::size_t kFieldCount = 5;

constexpr std::array<std::string_view, 12> kMonthNames = {"jan", "feb", "mar", "apr", "may", "jun",
                                                          "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kWeekdayNames = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

struct FieldForm {
  std::string_view name;
  unsigned low;
  unsigned high;
  std::span<const std::string_view> names;
  std::string_view allowed;
};

constexpr std::array<FieldForm, kFieldCount> kForms = {{
    {"minute", 0, 59, {}, "0-59"},
    {"hour", 0, 23, {}, "0-23"},
    {"day of month", 1, 31, {}, "1-31"},
    {"month", 1, 12, kMonthNames, "1-12 or jan-dec"},
    {"day of week", 0, 7, kWeekdayNames, "0-7 or sun-sat, where 0 and 7 are Sunday"},
}};

constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kMacros = {{
    {"@yearly", "0 0 1 1 *"},
    {"@annually", "0 0 1 1 *"},
    {"@monthly", "0 0 1 * *"},
    {"@weekly", "0 0 * * 0"},
    {"@daily", "0 0 * * *"},
    {"@midnight", "0 0 * * *"},
    {"@hourly", "0 * * * *"},
}};

constexpr std::string_view kExample =
    "write five fields, such as '30 4 * * mon-fri': minute, hour, day of month, "
    "month, day of week";

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// What was found, as a message can show it.
std::string shown(std::string_view text) {
  constexpr std::size_t kLongest = 40;
  return in_quotes(to_utf8(text.substr(0, kLongest)) + (text.size() > kLongest ? "..." : ""));
}

struct FieldValues {
  std::uint64_t bits = 0;
  bool any = false;
};

/// Reads one field; the offsets it reports are into the whole text.
class FieldParser {
 public:
  FieldParser(const FieldForm& form, std::string_view text, std::size_t offset, CronError& error)
      : form_(form), text_(text), offset_(offset), error_(error) {}

  std::optional<FieldValues> parse() {
    FieldValues values;
    values.any = text_.starts_with('*');
    do {
      if (!parse_item(values.bits)) return std::nullopt;
    } while (take(','));
    if (at_ < text_.size()) {
      refuse_here();
      return std::nullopt;
    }
    return values;
  }

 private:
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  bool fail(std::size_t at, std::string message, std::string help) {
    error_ = {std::move(message), std::move(help), offset_ + at};
    return false;
  }
  std::string field() const { return "the field " + in_quotes(form_.name); }
  std::string allowed() const { return std::string(form_.name) + " is " + std::string(form_.allowed); }

  /// Something stands where it does not belong.
  bool refuse_here() {
    if (at_ >= text_.size() || text_[at_] == ',') {
      return fail(at_, field() + " has an empty place in " + shown(text_),
                  allowed() + "; '*' is every one of them");
    }
    const char c = text_[at_];
    const std::string other = "cron has no such sign; " + allowed();
    if (c == '?') return fail(at_, field() + " has '?', which is of other dialects", "write '*' instead");
    if (c == 'L' || c == 'l')
      return fail(at_, field() + " has 'L', which is of other dialects",
                  "there is no last day in cron; run on '28-31' and ask for the date in the job");
    if (c == 'W' || c == '#' || c == 'w' || c == 'H')
      return fail(at_, field() + " has " + shown(text_.substr(at_, 1)) + ", which is of other dialects",
                  other);
    return fail(at_,
                field() + " has " + shown(text_.substr(at_)) + " where a value, ',', '-' or '/' was expected",
                allowed());
  }

  /// "*", "5", "1-5", each of the ranges with "/2" behind it.
  bool parse_item(std::uint64_t& bits) {
    const std::size_t start = at_;
    unsigned low = form_.low;
    unsigned high = form_.high;
    const bool any = take('*');
    bool range = any;
    if (!any) {
      if (!parse_value(low)) return false;
      high = low;
      if (take('-')) {
        range = true;
        if (!parse_value(high)) return false;
        // "sat-sun": as the end of a range Sunday is the 7.
        if (high == 0 && low > 0 && form_.high == 7) high = 7;
        if (high < low)
          return fail(start,
                      field() + " has the range " + shown(text_.substr(start, at_ - start)) +
                          ", which runs backwards",
                      "write it as two: '" + std::to_string(low) + "-" + std::to_string(form_.high) + "," +
                          std::to_string(form_.low) + "-" + std::to_string(high) + "'");
      }
    } else if (form_.high == 7) {
      high = 6;  // else "*/7" would be Sunday twice
    }
    unsigned step = 1;
    if (at_ < text_.size() && text_[at_] == '/' && !parse_step(step, start, range)) return false;
    for (unsigned value = low; value <= high; value += step) {
      bits |= std::uint64_t{1} << (form_.high == 7 && value == 7 ? 0 : value);
    }
    return true;
  }

  bool parse_step(unsigned& step, std::size_t start, bool range) {
    if (!range)
      return fail(at_,
                  field() + " has a step behind the single value " + shown(text_.substr(start, at_ - start)),
                  "write a range: '" + std::string(text_.substr(start, at_ - start)) + "-" +
                      std::to_string(form_.high) + std::string(text_.substr(at_, 4)) + "'");
    const std::size_t before = ++at_;
    if (at_ >= text_.size() || !is_digit(text_[at_]))
      return fail(at_, field() + " has '/' without a step", "write a number behind it, such as '*/5'");
    step = take_number();
    if (step == 0 || step > form_.high)
      return fail(before, field() + " has the step " + shown(text_.substr(before, at_ - before)),
                  "a step is between 1 and " + std::to_string(form_.high) + " here");
    return true;
  }

  /// Digits; what is too large stays too large.
  unsigned take_number() {
    unsigned value = 0;
    for (; at_ < text_.size() && is_digit(text_[at_]); ++at_) {
      value = std::min(value * 10 + static_cast<unsigned>(text_[at_] - '0'), 100'000U);
    }
    return value;
  }

  bool parse_value(unsigned& value) {
    const std::size_t start = at_;
    if (at_ < text_.size() && is_digit(text_[at_])) {
      value = take_number();
      if (value >= form_.low && value <= form_.high) return true;
      return fail(start, field() + " has " + shown(text_.substr(start, at_ - start)), allowed());
    }
    while (at_ < text_.size() && is_letter(text_[at_])) ++at_;
    const std::string word = to_lower(text_.substr(start, at_ - start));
    const auto found = std::find(form_.names.begin(), form_.names.end(), word);
    if (found != form_.names.end()) {
      value = static_cast<unsigned>(found - form_.names.begin()) + form_.low;
      return true;
    }
    // "L" and "W" are words of one letter or stand at the end of others ("5L" ends after its number).
    if (word.size() < 2) {
      at_ = start;
      return refuse_here();
    }
    const auto near = form_.names.empty() ? std::nullopt : nearest(word.substr(0, 3), form_.names);
    return fail(start, field() + " has " + shown(text_.substr(start, at_ - start)),
                near ? "did you mean " + in_quotes(*near) + "? " + allowed() : allowed());
  }

  const FieldForm& form_;
  std::string_view text_;
  std::size_t offset_;
  CronError& error_;
  std::size_t at_ = 0;
};

std::optional<std::string_view> expand_macro(std::string_view text, std::size_t offset, CronError& error) {
  const std::string lower = to_lower(text);
  std::vector<std::string_view> names;
  for (const auto& [name, fields] : kMacros) {
    if (lower == name) return fields;
    names.push_back(name);
  }
  const auto near = nearest(lower, names);
  error = {"there is no " + shown(text),
           "the names are @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually", offset};
  if (near) error.help = "did you mean " + in_quotes(*near) + "? " + error.help;
  if (lower == "@reboot") error.help = "a server has no such moment for a pipeline; " + std::string(kExample);
  return std::nullopt;
}

bool check_count(const std::vector<std::string_view>& words, std::string_view text, CronError& error) {
  if (words.size() == kFieldCount) return true;
  error.message = "expected five fields, got " + std::to_string(words.size());
  error.help = kExample;
  error.offset =
      words.size() > kFieldCount ? static_cast<std::size_t>(words[kFieldCount].data() - text.data()) : 0;
  if (!words.empty() && words.front().find("TZ=") != std::string_view::npos) {
    error.offset = static_cast<std::size_t>(words.front().data() - text.data());
    error.help = "the time zone of a schedule is a setting of its own; " + error.help;
  } else if (words.size() > kFieldCount) {
    error.help = "there are no seconds and no years; " + error.help;
  }
  return false;
}

}  // namespace

std::optional<Cron> Cron::parse(std::string_view text, CronError& error) {
  if (text.size() > kLongestText) {
    error = {"a cron expression of " + format_bytes(text.size()) + " is too long", std::string(kExample),
             kLongestText};
    return std::nullopt;
  }
  Cron cron;
  cron.text_ = trim(text);
  std::string_view fields = text;
  if (cron.text_.starts_with('@')) {
    const auto expanded = expand_macro(cron.text_, text.find('@'), error);
    if (!expanded) return std::nullopt;
    fields = *expanded;
  }
  const auto words = split_words(fields);
  if (!check_count(words, fields, error)) return std::nullopt;
  std::array<FieldValues, kFieldCount> values;
  for (std::size_t i = 0; i < kFieldCount; ++i) {
    const auto offset = static_cast<std::size_t>(words[i].data() - fields.data());
    const auto parsed = FieldParser(kForms[i], words[i], offset, error).parse();
    if (!parsed) return std::nullopt;
    values[i] = *parsed;
  }
  cron.fields_ = {values[0].bits,
                  static_cast<std::uint32_t>(values[1].bits),
                  static_cast<std::uint32_t>(values[2].bits),
                  static_cast<std::uint32_t>(values[3].bits),
                  static_cast<std::uint32_t>(values[4].bits),
                  values[0].any,
                  values[1].any,
                  values[2].any,
                  values[4].any};
  return cron;
}

}  // namespace runner::triggers
