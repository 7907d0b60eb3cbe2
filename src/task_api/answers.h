#pragma once
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/http.h"
#include "model/state.h"

namespace etesian::task_api {

http::Response ok(std::string json);
http::Response created(std::string_view message);  ///< 201 {"message": …}
http::Response nothing(int status);                ///< No body.

/// {"detail": {"reason": …, "message": …}}, the shape that workers understand.
http::Response refused(int status, std::string_view reason, std::string_view message);
/// The same with more members in the detail, as JSON text: `,"previous_state":"running"`.
http::Response refused(int status, std::string_view reason, std::string_view message,
                       std::string_view more);
http::Response no_such_instance();  ///< 404
/// 503: workers ask again after it, for minutes. For everything that is bound to pass.
http::Response try_later(std::string_view cause);
/// What an engine or store says where the handler has no better word for it. A Conflict is one
/// there: what it belongs to was dropped and can be repeated.
http::Response failure(const Error& error);

/// A state as JSON text: null for None.
std::string state_text(TaskState state);

}  // namespace etesian::task_api
