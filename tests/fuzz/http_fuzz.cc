// Whatever bytes a client sends: the head parser, the router and the codecs neither crash nor let a
// request without a token reach a token route.
#include <cstdint>
#include <cstdlib>

#include "http/chunk_decoder.h"
#include "http/encoding.h"
#include "http/http.h"
#include "http/request_head.h"

namespace {

using namespace etesian::http;

class NullReply final : public Reply {
 public:
  void send(Response) override {}
  std::shared_ptr<Stream> stream(Response) override { return nullptr; }
};

Router make_router() {
  const Handler open = [](const Request&, std::shared_ptr<Reply>) {};
  const Handler closed = [](const Request& request, std::shared_ptr<Reply>) {
    if (request.header("authorization") != "Bearer t") std::abort();
    for (const auto& [name, value] : request.params) {
      if (value.empty() || value.find('\0') != std::string::npos) std::abort();
    }
  };
  Router router;
  router.set_authenticator([](const Request& request) -> std::optional<std::string> {
    if (request.header("authorization") == "Bearer t") return "user";
    return std::nullopt;
  });
  router.add({"GET", "/api/v2/version", Access::Open, open, "version"});
  router.add({"GET", "/api/v2/dags/{dag_id}", Access::Token, closed, "dag"});
  router.add({"POST", "/api/v2/dags/{dag_id}/dagRuns", Access::Token, closed, "run"});
  return router;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Router router = make_router();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (percent_decode(percent_encode(text)) != text) std::abort();
  (void)percent_decode(text);
  (void)parse_query(text);

  Request bare;
  bare.method = "GET";
  bare.path = text;
  router.handle(bare, std::make_shared<NullReply>());

  const HeadScan scan = scan_head(text, 0);
  if (scan.state == HeadScan::State::Complete) {
    if (auto head = parse_request_head(text.substr(0, scan.end))) {
      router.handle(std::move(head->request), std::make_shared<NullReply>());
    }
  }

  // Cut in two anywhere, a chunked body means the same.
  std::string whole;
  const auto once = ChunkDecoder().feed(text, whole, 1 << 16);
  if (once.state == ChunkDecoder::State::Done && size > 0) {
    ChunkDecoder decoder;
    std::string halves;
    const std::size_t cut = data[0] % once.consumed;
    decoder.feed(text.substr(0, cut), halves, 1 << 16);
    if (decoder.feed(text.substr(cut), halves, 1 << 16).state != ChunkDecoder::State::Done)
      std::abort();
    if (halves != whole) std::abort();
  }
  return 0;
}
