// A test program without a framework: prints each failure, ends with their number.
#include <cstdio>

#include "semver/semver.h"

static int failures = 0;

static void expect(bool condition, const char* what, const char* detail) {
  if (condition) return;
  std::printf("FAILED: %s: %s\n", what, detail);
  ++failures;
}

static void valid_versions_come_back_unchanged() {
  for (const char* text : {"0.0.0", "1.2.3", "10.20.30", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-0.3.7", "1.0.0-x-y-z.4",
                           "1.0.0+build.7", "1.0.0-rc.1+5114f85", "1.0.0+0--1", "18446744073709551615.0.0"}) {
    const auto version = semver::parse(text);
    expect(version && semver::to_string(*version) == text, "comes back", text);
  }
}

static void what_is_no_version_is_refused() {
  for (const char* text : {"", "1", "1.2", "1.2.3.4", "01.2.3", "1.02.3", "1.2.3-", "1.2.3-a..b", "1.2.3-01", "1.2.3+",
                           "1.2.3+a..b", "a.b.c", "1.2.x", " 1.2.3", "-1.2.3", "18446744073709551616.0.0"}) {
    expect(!semver::parse(text), "refused", text);
  }
}

static void order_is_that_of_the_standard() {
  const char* ordered[] = {"0.9.9",      "1.0.0-1",     "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta",
                           "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0",         "1.0.1",            "1.1.0",
                           "2.0.0",      "10.0.0"};
  const int count = sizeof ordered / sizeof *ordered;
  for (int i = 0; i < count; ++i) {
    for (int j = 0; j < count; ++j) {
      const int order = semver::compare(*semver::parse(ordered[i]), *semver::parse(ordered[j]));
      expect((order < 0) == (i < j) && (order > 0) == (i > j), ordered[i], ordered[j]);
    }
  }
  expect(semver::compare(*semver::parse("1.0.0+a"), *semver::parse("1.0.0+b")) == 0, "build does not count", "1.0.0");
}

int main() {
  valid_versions_come_back_unchanged();
  what_is_no_version_is_refused();
  order_is_that_of_the_standard();
  if (failures == 0) std::puts("all passed");
  return failures == 0 ? 0 : 1;
}
