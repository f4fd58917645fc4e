#include "daemon/wire/field_reader.hpp"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include <simdjson.h>

#include "daemon/wire/json_grammar.hpp"
#include "daemon/wire/json_pointer.hpp"

namespace segmentd {
namespace {

namespace lazy = simdjson::ondemand;
using Place = PointerTree::Place;

constexpr std::size_t kPadding = simdjson::SIMDJSON_PADDING;

/// A copy of a document with the room behind it that the parser may read. Grows, never shrinks.
class PaddedText {
 public:
  simdjson::padded_string_view hold(std::string_view text) {
    if (bytes_.size() < text.size() + kPadding) bytes_.resize(2 * (text.size() + kPadding));
    if (!text.empty()) std::memcpy(bytes_.data(), text.data(), text.size());
    std::memset(bytes_.data() + text.size(), 0, kPadding);
    return simdjson::padded_string_view(bytes_.data(), text.size(), bytes_.size());
  }

 private:
  std::vector<char> bytes_;
};

std::string_view trimmed(std::string_view token) {
  const std::size_t last = token.find_last_not_of(" \t\r\n");
  return token.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

/// What a read error means. The bytes themselves decide between the two, because the parser may
/// notice an open string before it notices bad UTF-8.
JsonTrouble trouble_of(std::string_view json) {
  return simdjson::validate_utf8(json.data(), json.size()) ? JsonTrouble::kMalformed
                                                           : JsonTrouble::kInvalidUtf8;
}

}  // namespace

struct FieldReader::Walk {
  explicit Walk(PointerTree pointers) : tree(std::move(pointers)), values(tree.values()) {}

  JsonTrouble document(std::string_view json);
  JsonTrouble object(lazy::object members, Place place, int depth);
  JsonTrouble array(lazy::array elements, Place place, int depth);
  JsonTrouble value(lazy::value json, Place place, int depth);
  JsonTrouble string(lazy::value json, std::string_view token, JsonValue* wanted);

  PointerTree tree;
  std::vector<JsonValue> values;
  PaddedText text;
  lazy::parser parser;
};

JsonTrouble FieldReader::Walk::document(std::string_view json) {
  std::fill(values.begin(), values.end(), JsonValue{});
  lazy::document doc;
  if (parser.iterate(text.hold(json)).get(doc) != simdjson::SUCCESS) return trouble_of(json);
  lazy::object root;
  if (const auto error = doc.get_object().get(root); error != simdjson::SUCCESS) {
    return error == simdjson::INCORRECT_TYPE ? JsonTrouble::kNotAnObject : JsonTrouble::kMalformed;
  }
  const JsonTrouble trouble = object(root, PointerTree::kRoot, 1);
  if (trouble != JsonTrouble::kNone) return trouble;
  // Nothing may follow the object.
  return doc.current_location().error() == simdjson::OUT_OF_BOUNDS ? JsonTrouble::kNone
                                                                   : JsonTrouble::kMalformed;
}

JsonTrouble FieldReader::Walk::object(lazy::object members, Place place, int depth) {
  if (depth > kJsonDepthMax) return JsonTrouble::kTooDeep;
  for (auto next : members) {
    lazy::field field;
    std::string_view name;
    if (std::move(next).get(field) != simdjson::SUCCESS) return JsonTrouble::kMalformed;
    if (field.unescaped_key().get(name) != simdjson::SUCCESS) return JsonTrouble::kMalformed;
    const Place member = tree.member(place, name);
    if (const JsonTrouble trouble = value(field.value(), member, depth + 1);
        trouble != JsonTrouble::kNone) {
      return trouble;
    }
  }
  return JsonTrouble::kNone;
}

JsonTrouble FieldReader::Walk::array(lazy::array elements, Place place, int depth) {
  if (depth > kJsonDepthMax) return JsonTrouble::kTooDeep;
  std::size_t index = 0;
  for (auto next : elements) {
    if (next.error() != simdjson::SUCCESS) return JsonTrouble::kMalformed;
    lazy::value element = next.value_unsafe();
    if (const JsonTrouble trouble = value(element, tree.element(place, index++), depth + 1);
        trouble != JsonTrouble::kNone) {
      return trouble;
    }
  }
  return JsonTrouble::kNone;
}

JsonTrouble FieldReader::Walk::value(lazy::value json, Place place, int depth) {
  // The last of equal members wins: what an earlier one left here or below is void.
  for (const std::size_t i : tree.values_below(place)) values[i] = {};
  const auto wanted = tree.value_at(place);
  JsonValue* const here = wanted ? &values[*wanted] : nullptr;
  const auto put = [here](JsonValue::Kind kind, std::string_view token) {
    if (here != nullptr) *here = {kind, token};
    return JsonTrouble::kNone;
  };
  const std::string_view token = trimmed(json.raw_json_token());
  switch (token.empty() ? '\0' : token.front()) {
    case '{': {
      put(JsonValue::Kind::kContainer, {});
      lazy::object members;
      if (json.get_object().get(members) != simdjson::SUCCESS) return JsonTrouble::kMalformed;
      return object(members, place, depth);
    }
    case '[': {
      put(JsonValue::Kind::kContainer, {});
      lazy::array elements;
      if (json.get_array().get(elements) != simdjson::SUCCESS) return JsonTrouble::kMalformed;
      return array(elements, place, depth);
    }
    case '"':
      return string(json, token, here);
    case 't':
    case 'f':
      if (token != "true" && token != "false") return JsonTrouble::kMalformed;
      return put(JsonValue::Kind::kBool, token);
    case 'n':
      if (token != "null") return JsonTrouble::kMalformed;
      return put(JsonValue::Kind::kNull, {});
    default:
      if (!is_json_number(token)) return JsonTrouble::kMalformed;
      return put(JsonValue::Kind::kNumber, token);
  }
}

JsonTrouble FieldReader::Walk::string(lazy::value json, std::string_view token, JsonValue* wanted) {
  if (wanted == nullptr) {
    // Taken, not skipped: skipping would let `"a":"b":"c"` pass, for it takes "b" for a name.
    const bool taken = json.get_raw_json_string().error() == simdjson::SUCCESS;
    return taken && is_json_string(token) ? JsonTrouble::kNone : JsonTrouble::kMalformed;
  }
  wanted->kind = JsonValue::Kind::kString;
  return json.get_string().get(wanted->text) == simdjson::SUCCESS ? JsonTrouble::kNone
                                                                  : JsonTrouble::kMalformed;
}

Result<FieldReader> FieldReader::for_pointers(std::span<const std::string> pointers) {
  auto tree = PointerTree::of(pointers);
  if (!tree) return tree.error();
  return FieldReader(std::make_unique<Walk>(*std::move(tree)));
}

FieldReader::FieldReader(std::unique_ptr<Walk> walk) : walk_(std::move(walk)) {}
FieldReader::FieldReader(FieldReader&&) noexcept = default;
FieldReader& FieldReader::operator=(FieldReader&&) noexcept = default;
FieldReader::~FieldReader() = default;

JsonTrouble FieldReader::read(std::string_view json) {
  return walk_->document(json);
}

const JsonValue& FieldReader::operator[](std::size_t i) const {
  return walk_->values[walk_->tree.value_of(i)];
}

struct JsonKeyReader::Parts {
  PaddedText text;
  lazy::parser parser;
};

JsonKeyReader::JsonKeyReader() : parts_(std::make_unique<Parts>()) {}
JsonKeyReader::JsonKeyReader(JsonKeyReader&&) noexcept = default;
JsonKeyReader& JsonKeyReader::operator=(JsonKeyReader&&) noexcept = default;
JsonKeyReader::~JsonKeyReader() = default;

JsonValue JsonKeyReader::read(std::string_view json) {
  lazy::document doc;
  if (parts_->parser.iterate(parts_->text.hold(json)).get(doc) != simdjson::SUCCESS) return {};
  std::string_view token;
  if (doc.raw_json_token().get(token) != simdjson::SUCCESS) return {};
  token = trimmed(token);
  if (is_json_number(token) && is_json_integer(token)) {
    // A root that is one token: nothing but blanks may stand around it.
    const bool alone = trimmed(json).ends_with(token) &&
                       json.find_first_not_of(" \t\r\n") == trimmed(json).size() - token.size();
    return alone ? JsonValue{JsonValue::Kind::kNumber, token} : JsonValue{};
  }
  JsonValue value{JsonValue::Kind::kString, {}};
  if (doc.get_string().get(value.text) != simdjson::SUCCESS) return {};
  return doc.current_location().error() == simdjson::OUT_OF_BOUNDS ? value : JsonValue{};
}

}  // namespace segmentd
