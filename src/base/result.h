#pragma once
#include <string>
#include <utility>
#include <variant>

namespace etesian {

/// Reasons a caller can act on. Add a value only with the code that branches on it.
enum class ErrorCode {
  InvalidInput,  ///< The caller's data is wrong; the same call will fail again.
  NotFound,
  Conflict,     ///< Somebody else was first, or the object is in a state that forbids this.
  Unavailable,  ///< Busy, down or full: back off and try again.
  Timeout,
  Corrupt,  ///< Stored data does not parse or fails its checksum.
  Denied,   ///< Authentication or permission.
  TooLarge
};

/// An expected failure: a code to branch on, and one sentence for a person.
struct Error {
  ErrorCode code;
  std::string message;  ///< "<action> <object>: <cause>[; <what to do>]", no final period.
};

/// A T, or the Error that prevented it. Spelled like std::expected, to become one later.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::move(error)) {}  // NOLINT(google-explicit-constructor)
  explicit operator bool() const { return state_.index() == 0; }
  const T& operator*() const& { return std::get<T>(state_); }
  T& operator*() & { return std::get<T>(state_); }
  T&& operator*() && { return std::get<T>(std::move(state_)); }
  const T* operator->() const { return &std::get<T>(state_); }
  T* operator->() { return &std::get<T>(state_); }
  const Error& error() const { return std::get<Error>(state_); }

 private:
  std::variant<T, Error> state_;
};

struct Done {};

}  // namespace etesian
