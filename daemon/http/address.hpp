// The address a server listens on: its parts, and why it cannot be taken.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "state/core/result.hpp"

namespace segmentd::http {

struct ListenAddress {
  std::string host;  // without brackets
  std::uint16_t port = 0;

  /// As it is written: `127.0.0.1:9464`, `[::1]:9464`.
  std::string text() const;
  bool is_v6() const { return host.find(':') != std::string::npos; }
};

/// Reads `127.0.0.1:9464`, `[::1]:9464` or `name:9464`. kMisconfigured for anything else; the text
/// names the setting `http.address`.
Result<ListenAddress> parse_listen_address(std::string_view text);

/// Tries to bind the address and lets it go again; the error says in a person's words why it is not
/// possible. To explain a failure, not to foresee one: it may be taken between this and the use.
Result<void> probe_listen_address(const ListenAddress& address);

/// Connects and closes at once, without waiting for an answer; whether it worked is not told.
void knock(const ListenAddress& address);

}  // namespace segmentd::http
