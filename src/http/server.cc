#include <sys/resource.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <thread>

#include "base/check.h"
#include "base/log.h"
#include "http/connection.h"
#include "http/encoding.h"
#include "http/http.h"

namespace etesian::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

/// How long to leave accept() alone when descriptors have run out and no connection can be closed.
constexpr auto AcceptRetryTime = std::chrono::milliseconds(50);
/// Descriptors left for files, the store and executors.
constexpr std::size_t DescriptorsReserved = 256;

std::size_t connections_allowed(std::size_t wanted) {
  rlimit limit{};
  ETESIAN_CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const std::size_t total = limit.rlim_cur;
  return std::min(wanted, total - std::min(DescriptorsReserved, total / 2));
}

class AsioServer final : public Server {
 public:
  AsioServer(const ServerOptions& options, std::shared_ptr<const Router> router,
             std::shared_ptr<Loop> loop, tcp::acceptor acceptor)
      : loop_(std::move(loop)),
        work_(asio::make_work_guard(loop_->context)),
        acceptor_(std::move(acceptor)),
        retry_(loop_->context),
        port_(acceptor_.local_endpoint().port()),
        connections_max_(connections_allowed(options.connections_max)),
        site_{.options = options,
              .router = std::move(router),
              .loop = loop_,
              .host_rule = HostRule(acceptor_.local_endpoint().address().is_loopback()
                                        ? HostRule::Bound::Loopback
                                        : HostRule::Bound::Elsewhere,
                                    options.host_names),
              .roster = Roster(loop_->context, options),
              .date = {}} {
    acceptor_.non_blocking(true);
    await_client();
    thread_ = std::thread([this] { loop_->context.run(); });
  }
  AsioServer(const AsioServer&) = delete;
  AsioServer& operator=(const AsioServer&) = delete;

  ~AsioServer() override {
    ETESIAN_CHECK(std::this_thread::get_id() != thread_.get_id());
    loop_->stop([this] {
      error_code ignored;
      acceptor_.close(ignored);
      retry_.cancel();
      site_.roster.close_all();
      work_.reset();
    });
    thread_.join();
  }

  std::uint16_t port() const override { return port_; }

 private:
  /// Waits for a client before it calls accept(): out of descriptors, accept() fails whether
  /// anybody waits or not, and idle connections would be closed for nobody.
  void await_client() {
    acceptor_.async_wait(tcp::acceptor::wait_read, [this](const error_code& error) {
      if (!error) accept_one();
    });
  }

  void accept_one() {
    error_code error;
    tcp::endpoint peer;
    tcp::socket socket = acceptor_.accept(peer, error);
    if (is_shortage(error) && !site_.roster.close_most_idle()) {
      retry_.expires_after(AcceptRetryTime);
      return retry_.async_wait([this](const error_code& cancelled) {
        if (!cancelled) await_client();
      });
    }
    if (!error) {
      std::make_shared<Connection>(site_, std::move(socket), peer.address().to_string())->start();
      // With every other connection at work the new one is the most idle, and goes.
      if (site_.roster.size() > connections_max_) site_.roster.close_most_idle();
    }
    await_client();
  }

  static bool is_shortage(const error_code& error) {
    return error == asio::error::no_descriptors || error == asio::error::no_memory ||
           error == asio::error::no_buffer_space ||
           error == boost::system::errc::too_many_files_open_in_system;
  }

  const std::shared_ptr<Loop> loop_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  tcp::acceptor acceptor_;
  asio::steady_timer retry_;
  const std::uint16_t port_;
  const std::size_t connections_max_;
  Site site_;
  std::thread thread_;
};

Error listen_error(const ServerOptions& options, const error_code& cause) {
  std::string message = "listen on " + options.host + ":" + std::to_string(options.port) + ": " +
                        to_lower(cause.message());
  if (cause == asio::error::address_in_use) message += "; choose another --port";
  if (cause == asio::error::access_denied) message += "; choose a --port above 1023";
  if (cause == boost::system::errc::address_not_available || cause == asio::error::host_not_found) {
    message += "; choose an address of this machine";
  }
  return {ErrorCode::Unavailable, message};
}

}  // namespace

Result<std::unique_ptr<Server>> Server::start(const ServerOptions& options,
                                              std::shared_ptr<const Router> router) {
  auto loop = std::make_shared<Loop>();
  error_code error;
  auto address = asio::ip::make_address(options.host, error);
  if (error) {
    const auto found = tcp::resolver(loop->context).resolve(options.host, "", error);
    if (error) return listen_error(options, error);
    address = found.begin()->endpoint().address();
  }
  const tcp::endpoint endpoint(address, options.port);
  tcp::acceptor acceptor(loop->context);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return listen_error(options, error);
  return std::unique_ptr<Server>(std::make_unique<AsioServer>(
      options, std::move(router), std::move(loop), std::move(acceptor)));
}

}  // namespace etesian::http
