#include "http/host_rule.h"

#include <algorithm>

#include "http/encoding.h"

namespace etesian::http {

HostRule::HostRule(Bound bound, const std::vector<std::string>& names)
    : allows_any_(bound == Bound::Elsewhere && names.empty()) {
  for (const auto& name : names) names_.push_back(to_lower(name));
  if (bound == Bound::Loopback) names_.insert(names_.end(), {"localhost", "127.0.0.1", "[::1]"});
}

bool HostRule::allows(std::string_view host) const {
  if (allows_any_) return true;
  // The colons of a bracketed address are not the port's.
  const std::size_t bracket = std::min(host.find(']'), host.size());
  const std::size_t colon = host.find(':', host.starts_with('[') ? bracket : 0);
  if (colon != std::string_view::npos) {
    const std::string_view port = host.substr(colon + 1);
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (port.empty() || port.size() > 5 || !std::all_of(port.begin(), port.end(), is_digit))
      return false;
  }
  const std::string name = to_lower(host.substr(0, colon));
  return std::find(names_.begin(), names_.end(), name) != names_.end();
}

}  // namespace etesian::http
