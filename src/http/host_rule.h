#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace etesian::http {

/// Which Host headers are answered: a page of another site that rebinds its name to 127.0.0.1 still
/// sends its own name here.
class HostRule {
 public:
  enum class Bound { Loopback, Elsewhere };
  HostRule(Bound bound, const std::vector<std::string>& names);
  /// `host` is the header's value: a name or bracketed address, with or without a port.
  bool allows(std::string_view host) const;

 private:
  bool allows_any_ = false;
  std::vector<std::string> names_;
};

}  // namespace etesian::http
