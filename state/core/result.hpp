// How an expected failure travels: Result<T> holds a T or an Error. A bug never travels in one; it
// aborts. Codes name what the caller can do about it.
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace segmentd {

/// What the caller can do.
enum class Errc {
  kBadInput,       // this input can never succeed: refuse it and go on
  kRetry,          // the world is briefly unavailable: back off, the same again
  kCorrupt,        // our own stored bytes are wrong: stop or rebuild, never guess
  kMisconfigured,  // stop before starting and say which setting
  kUnavailable,    // a broker, topic or file that must be there is not
};

struct Error {
  Errc code;
  std::string what;  // grows on the way up: "state/3: row '8812': checksum differs"

  /// The same error, told from one level further out.
  [[nodiscard]] Error within(const std::string& where) const { return {code, where + ": " + what}; }
};

/// A T or an Error. Ask with `if (!r) return r.error();`.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : held_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : held_(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return held_.index() == 0; }
  T& operator*() & { return std::get<0>(held_); }
  const T& operator*() const& { return std::get<0>(held_); }
  T&& operator*() && { return std::get<0>(std::move(held_)); }
  T* operator->() { return &std::get<0>(held_); }
  const T* operator->() const { return &std::get<0>(held_); }
  const Error& error() const { return std::get<1>(held_); }

 private:
  std::variant<T, Error> held_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)), ok_(false) {}

  explicit operator bool() const { return ok_; }
  const Error& error() const { return error_; }

 private:
  Error error_{};
  bool ok_ = true;
};

}  // namespace segmentd
