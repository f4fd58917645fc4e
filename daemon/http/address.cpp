#include "daemon/http/address.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

namespace segmentd::http {
namespace {

Error misconfigured(std::string what) {
  return {Errc::kMisconfigured, "http.address " + std::move(what)};
}

bool is_host_char(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
         c == '-' || c == '_' || c == ':';
}

Error bind_error(const ListenAddress& address, int code) {
  const std::string where = address.text();
  switch (code) {
    case EADDRINUSE:
      return misconfigured(where + " is in use by another process; stop it or choose another port");
    case EACCES:
      return misconfigured(where + " is not allowed for this user; ports below 1024 need root");
    case EADDRNOTAVAIL:
      return misconfigured(where + " is not an address of this machine");
    default:
      return misconfigured(where + " cannot be listened on: " + std::strerror(code));
  }
}

using AddressInfo = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

/// Null with a code of getaddrinfo when the host is not known.
AddressInfo resolve(const ListenAddress& address, int flags, int& code) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* found = nullptr;
  code = getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
  return {code == 0 ? found : nullptr, freeaddrinfo};
}

}  // namespace

std::string ListenAddress::text() const {
  return (is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<ListenAddress> parse_listen_address(std::string_view text) {
  const std::string shown = "'" + std::string(text) + "'";
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return misconfigured(shown + " has no port; write host:port, as in 127.0.0.1:9464");
  }
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const bool has_colon = host.find(':') != std::string_view::npos;
  if (host.empty() || bracketed != has_colon ||
      !std::all_of(host.begin(), host.end(), is_host_char)) {
    return misconfigured(shown + " has no usable host; write 127.0.0.1:9464 or [::1]:9464");
  }
  std::uint16_t number = 0;
  const auto read = std::from_chars(port.data(), port.data() + port.size(), number);
  if (port.empty() || read.ec != std::errc{} || read.ptr != port.data() + port.size()) {
    return misconfigured(shown + " has no usable port; it is a number from 0 to 65535");
  }
  return ListenAddress{std::string(host), number};
}

Result<void> probe_listen_address(const ListenAddress& address) {
  int resolved = 0;
  const AddressInfo found = resolve(address, AI_PASSIVE, resolved);
  if (!found) {
    return misconfigured(address.text() + " is not a known host: " + gai_strerror(resolved));
  }
  const int fd = socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC, found->ai_protocol);
  if (fd < 0) return bind_error(address, errno);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const bool bound = bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, 1) == 0;
  const int code = errno;
  close(fd);
  if (!bound) return bind_error(address, code);
  return {};
}

void knock(const ListenAddress& address) {
  int resolved = 0;
  const AddressInfo found = resolve(address, 0, resolved);
  if (!found) return;
  const int type = found->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK;
  const int fd = socket(found->ai_family, type, found->ai_protocol);
  if (fd < 0) return;
  // In progress or refused: either is fine.
  static_cast<void>(connect(fd, found->ai_addr, found->ai_addrlen));
  close(fd);
}

}  // namespace segmentd::http
