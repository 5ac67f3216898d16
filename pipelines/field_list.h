#pragma once
// The fields of a struct as data, for what must treat each of them alike. Internal to frozen plans and their
// tests.
//
// A list that lacks a field does not compile: fields() compares its length with the number of values that
// initialise the struct. Counting by a value that converts to anything is how Boost.PFR does it.

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace runner::pipelines {

template <typename Owner, typename Member>
struct Field {
  std::string_view name;  // in frozen text: never changes
  Member Owner::*member;
};

template <typename Owner, typename Member>
constexpr Field<Owner, Member> field(std::string_view name, Member Owner::*member) {
  return {name, member};
}

/// Converts to whatever a field is. Never called.
struct AnyField {
  template <typename Member>
  operator Member() const;
};
template <std::size_t>
using AnyFieldAt = AnyField;

template <typename T, std::size_t... Index>
constexpr bool takes_values(std::index_sequence<Index...>) {
  return requires {
    T{AnyFieldAt<Index>{}...};
  };
}

/// The aggregate T has so many fields.
template <typename T, std::size_t Count>
inline constexpr bool kHasFields = takes_values<T>(std::make_index_sequence<Count>{}) &&
                                   !takes_values<T>(std::make_index_sequence<Count + 1>{});

template <typename Owner, typename... Members>
constexpr auto fields(Field<Owner, Members>... list) {
  static_assert(kHasFields<Owner, sizeof...(list)>,
                "the list does not have every field of the struct: add what is missing to it");
  return std::make_tuple(list...);
}

/// Specialised with `static constexpr auto kList = fields(field("name", &T::name), ...)`.
template <typename T>
struct Fields {};

template <typename T>
concept Described = requires {
  Fields<T>::kList;
};

/// Calls `act(field)` for each field, in the order of the list.
template <Described T, typename Act>
void for_each_field(Act&& act) {
  std::apply([&](const auto&... one) { (act(one), ...); }, Fields<T>::kList);
}

// Equality of described structs and of what holds them; declared before use, as these types nest.
template <typename T>
bool same(const T& a, const T& b);
template <typename T>
bool same(const std::vector<T>& a, const std::vector<T>& b);
template <typename T>
bool same(const std::optional<T>& a, const std::optional<T>& b);

template <typename T>
bool same(const T& a, const T& b) {
  if constexpr (Described<T>) {
    return std::apply([&](const auto&... one) { return (same(a.*one.member, b.*one.member) && ...); },
                      Fields<T>::kList);
  } else {
    return a == b;
  }
}

template <typename T>
bool same(const std::vector<T>& a, const std::vector<T>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const T& one, const T& other) { return same(one, other); });
}

template <typename T>
bool same(const std::optional<T>& a, const std::optional<T>& b) {
  return a.has_value() == b.has_value() && (!a || same(*a, *b));
}

}  // namespace runner::pipelines
