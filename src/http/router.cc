#include <algorithm>
#include <set>

#include "base/bytes.h"
#include "base/check.h"
#include "http/http.h"

namespace etesian::http {
namespace {

/// An id of 250 characters of four bytes, each written %XX; nothing we route is longer.
constexpr std::size_t SegmentBytesMax = 3000;

/// The raw segments; nullopt for a path that no route can have.
std::optional<std::vector<std::string_view>> split(std::string_view path) {
  if (path.empty() || path.front() != '/') return std::nullopt;
  path.remove_prefix(1);
  std::vector<std::string_view> segments;
  if (path.empty()) return segments;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    segments.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return segments;
}

/// What a parameter takes.
bool is_plain(std::string_view segment) {
  return !segment.empty() && segment != "." && segment != ".." && segment.size() <= SegmentBytesMax;
}

/// The path from a segment on.
std::string_view rest_from(const std::vector<std::string_view>& segments, std::size_t first) {
  const char* begin = segments[first].data();
  return {begin, static_cast<std::size_t>(segments.back().data() - begin) + segments.back().size()};
}

std::string_view first_segment(std::string_view path) {
  return path.substr(std::min<std::size_t>(1, path.size()), path.find('/', 1) - 1);
}

Response not_authenticated() {
  Response response = error_response(401, "Not authenticated");
  response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

}  // namespace

Router::Pattern Router::pattern_from(std::string_view text) {
  using Kind = Segment::Kind;
  const auto segments = split(text);
  ETESIAN_CHECK(segments.has_value());
  Pattern pattern;
  for (std::string_view segment : *segments) {
    ETESIAN_CHECK(is_plain(segment));
    ETESIAN_CHECK(pattern.empty() || pattern.back().kind != Kind::Rest);
    Kind kind = Kind::Literal;
    if (segment.front() == '{' && segment.back() == '}') {
      segment = segment.substr(1, segment.size() - 2);
      kind = segment.back() == '*' ? Kind::Rest : Kind::Parameter;
      if (kind == Kind::Rest) segment.remove_suffix(1);
    }
    pattern.push_back({kind, std::string(segment)});
  }
  return pattern;
}

void Router::add(Route route) {
  ETESIAN_CHECK(route.handler != nullptr);
  Pattern pattern = pattern_from(route.pattern);
  const auto same = [](const Segment& a, const Segment& b) {
    return a.kind == b.kind && (a.kind != Segment::Kind::Literal || a.text == b.text);
  };
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    ETESIAN_CHECK(routes_[i].method != route.method ||
                  !std::equal(pattern.begin(), pattern.end(), patterns_[i].begin(),
                              patterns_[i].end(), same));
  }
  routes_.push_back(std::move(route));
  patterns_.push_back(std::move(pattern));
}

void Router::set_authenticator(Authenticator authenticator) {
  authenticator_ = std::move(authenticator);
}

/// Indices of the routes on this path, the one with the earlier literal first.
std::vector<std::size_t> Router::matches(const std::vector<std::string_view>& segments) const {
  using Kind = Segment::Kind;
  std::vector<std::size_t> found;
  const auto fits = [](const Segment& pattern, std::string_view segment) {
    return pattern.kind == Kind::Literal ? pattern.text == segment : is_plain(segment);
  };
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    const Pattern& pattern = patterns_[i];
    const bool takes_rest = !pattern.empty() && pattern.back().kind == Kind::Rest;
    const std::size_t fixed = pattern.size() - (takes_rest ? 1 : 0);
    const bool has_length = takes_rest
                                ? segments.size() > fixed && !rest_from(segments, fixed).empty()
                                : segments.size() == fixed;
    if (has_length &&
        std::equal(pattern.begin(), pattern.begin() + static_cast<std::ptrdiff_t>(fixed),
                   segments.begin(), fits)) {
      found.push_back(i);
    }
  }
  const auto more_literal = [](const Segment& a, const Segment& b) { return a.kind < b.kind; };
  std::stable_sort(found.begin(), found.end(), [&](std::size_t a, std::size_t b) {
    return std::lexicographical_compare(patterns_[a].begin(), patterns_[a].end(),
                                        patterns_[b].begin(), patterns_[b].end(), more_literal);
  });
  return found;
}

/// Whether a path without a route for the method may be talked about only with a token.
bool Router::is_guarded(std::string_view path, const std::vector<std::size_t>& matches) const {
  const auto needs_token = [this](std::size_t i) { return routes_[i].access == Access::Token; };
  if (!matches.empty()) return std::any_of(matches.begin(), matches.end(), needs_token);
  const std::string_view first = first_segment(path);
  if (first == "api") return true;
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    if (needs_token(i) && first_segment(routes_[i].pattern) == first) return true;
  }
  return false;
}

std::variant<const Route*, Response> Router::admit(Request& head) const {
  const auto segments = split(head.path);
  const auto found = segments ? matches(*segments) : std::vector<std::size_t>{};
  const auto with_method = [&](std::string_view method) {
    return std::find_if(found.begin(), found.end(),
                        [&](std::size_t i) { return routes_[i].method == method; });
  };
  auto chosen = with_method(head.method);
  if (chosen == found.end() && head.method == "HEAD") chosen = with_method("GET");

  const bool needs_token = chosen != found.end() ? routes_[*chosen].access == Access::Token
                                                 : is_guarded(head.path, found);
  if (needs_token) {
    auto user = authenticator_ ? authenticator_(head) : std::nullopt;
    if (!user) return not_authenticated();
    head.user = std::move(*user);
  }
  if (found.empty()) return error_response(404, "Not Found");
  if (chosen == found.end()) {
    std::set<std::string> methods{"OPTIONS"};
    for (const std::size_t i : found) methods.insert(routes_[i].method);
    if (methods.count("GET") != 0) methods.insert("HEAD");
    std::string allow;
    for (const auto& method : methods) allow += (allow.empty() ? "" : ", ") + method;
    Response response = error_response(405, "Method Not Allowed");
    if (head.method == "OPTIONS") {
      response = Response();
      response.status = 204;
    }
    response.headers.emplace_back("Allow", allow);
    return response;
  }
  const Pattern& pattern = patterns_[*chosen];
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i].kind == Segment::Kind::Literal) continue;
    const bool is_rest = pattern[i].kind == Segment::Kind::Rest;
    auto value = percent_decode(is_rest ? rest_from(*segments, i) : (*segments)[i]);
    if (!value || value->find('\0') != std::string::npos || !is_utf8(*value)) {
      return error_response(400, "path parameter '" + pattern[i].text + "': malformed escape");
    }
    head.params.insert_or_assign(pattern[i].text, std::move(*value));
  }
  const Route& route = routes_[*chosen];
  if (route.guard) {
    if (auto refusal = route.guard(head)) return std::move(*refusal);
  }
  return &route;
}

void Router::handle(Request request, std::shared_ptr<Reply> reply) const {
  auto admitted = admit(request);
  if (auto* refusal = std::get_if<Response>(&admitted)) return reply->send(std::move(*refusal));
  const Route& route = *std::get<const Route*>(admitted);
  if (request.body.size() > route.body_bytes_max) {
    return reply->send(error_response(413, "body too large"));
  }
  route.handler(request, std::move(reply));
}

}  // namespace etesian::http
