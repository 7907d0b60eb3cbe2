#include <fmt/format.h>

#include <algorithm>

#include "api/handlers.h"
#include "api/query.h"

namespace etesian::api {
namespace {

// [api_auth] jwt_cli_expiration_time of Airflow.
constexpr Duration CommandLineTokenLife = std::chrono::hours(1);

std::string retry_after(Duration wait) {
  return fmt::format("{}", std::chrono::ceil<std::chrono::seconds>(wait).count());
}

std::string form_text(std::string_view text) {
  std::string plain(text);
  std::replace(plain.begin(), plain.end(), '+', ' ');
  return http::percent_decode(plain).value_or("");
}

http::Response answer_of(const Accounts::LoginResult& result) {
  using Kind = Accounts::LoginResult::Kind;
  switch (result.kind) {
    case Kind::Granted: return created(json::object{{"access_token", result.token}});
    case Kind::WrongPassword: return http::error_response(401, "Invalid credentials");
    case Kind::TooMany:
    case Kind::Busy: {
      auto response = http::error_response(
          result.kind == Kind::TooMany ? 429 : 503,
          fmt::format("Too many logins; try again in {} s", retry_after(result.retry_after)));
      response.headers.emplace_back("Retry-After", retry_after(result.retry_after));
      return response;
    }
    case Kind::Failed: break;
  }
  return refusal({ErrorCode::Unavailable, "log in: the token could not be stored"});
}

}  // namespace

void accept_login_form(http::Request& request) {
  for (auto& [name, value] : request.headers) {
    if (name != "content-type" || !value.starts_with("application/x-www-form-urlencoded")) continue;
    value = "application/json";
    json::object body;
    std::string_view rest = request.body;
    while (!rest.empty()) {
      const std::string_view pair = rest.substr(0, rest.find('&'));
      rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
      const auto key = form_text(pair.substr(0, pair.find('=')));
      // OAuth2 clients send grant_type and more; two members count.
      if (key != "username" && key != "password") continue;
      const auto equals = pair.find('=');
      body[key] = form_text(equals == std::string_view::npos ? "" : pair.substr(equals + 1));
    }
    request.body = json::serialize(body);
  }
}

void log_in(std::shared_ptr<Call> call, std::shared_ptr<http::Reply> reply) {
  Accounts::Login login;
  login.name = *body_text(call->body, "username");
  login.password = *body_text(call->body, "password");
  login.address = call->request.peer;
  login.life = call->request.path.ends_with("/cli") ? CommandLineTokenLife
                                                    : call->service->options.token_life;
  call->service->accounts->log_in(std::move(login), [reply](Accounts::LoginResult result) {
    auto response = answer_of(result);
    response.headers.emplace_back("Cache-Control", "no-store");
    reply->send(std::move(response));
  });
}

void log_out(std::shared_ptr<Call> call, std::shared_ptr<http::Reply> reply) {
  call->service->accounts->log_out(call->request, [reply](Result<Done> done) {
    reply->send(done ? no_content() : refusal(done.error()));
  });
}

}  // namespace etesian::api
