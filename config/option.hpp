// One setting, one declaration. An option is a member of a struct derived from OptionSet (or of a
// section of it), knows its key, type, range and help text, and registers itself there; the file,
// the environment, the flags, the help, the reference page and every refusal are made from what it
// knows. Not thread-safe while values are being set; constant and freely shared after that.
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace segmentd::config {

/// The origin of a value nobody has set.
inline constexpr const char* kOriginDefault = "default";
/// What is shown in place of a secret.
inline constexpr const char* kSecretShown = "[secret]";

/// One thing wrong with what was configured.
struct Problem {
  std::string key;     // the setting, environment variable, flag or file it is about
  std::string value;   // as written, a secret already masked; may be empty
  std::string origin;  // `segmentd.toml:12`, `SEGMENTD_MODEL__K`, `--set`; empty if there is none
  std::string reason;  // what is wrong and what is allowed

  /// `model.k = '9' (segmentd.toml:12): is outside 2 .. 8`. A long value is cut.
  [[nodiscard]] std::string text() const;
};

/// Traits of a setting, to be added up.
enum Trait : unsigned {
  kPlain = 0,
  kRequired = 1,  // no default: missing is a problem
  kSecret = 2,    // never shown
  kMeaning = 4,   // part of the fingerprint: gives stored state its meaning
};

struct About {
  const char* key;   // `section.snake_case`
  const char* help;  // sentences; what comes before the first `. `, `; ` or `: ` is the summary
  unsigned traits = kPlain;
};

/// What a text must fulfil.
struct Rule {
  const char* allowed;  // completes "must be ..."
  bool (*holds)(std::string_view);
};

class OptionSet;

/// A setting of any type. Every `set` returns why the value was refused; empty = taken. A refused
/// value changes nothing.
class OptionBase {
 public:
  OptionBase(OptionSet& set, const About& about);
  OptionBase(const OptionBase&) = delete;
  OptionBase& operator=(const OptionBase&) = delete;
  virtual ~OptionBase() = default;

  [[nodiscard]] const std::string& key() const { return key_; }
  [[nodiscard]] const std::string& help() const { return help_; }
  /// The help, and for a setting that gives stored state its meaning that it is fixed by then.
  [[nodiscard]] std::string help_in_full() const;
  /// The help's first clause, without its full stop.
  [[nodiscard]] std::string summary() const;
  [[nodiscard]] const std::string& origin() const { return origin_; }
  [[nodiscard]] bool has(Trait trait) const { return (traits_ & trait) != 0; }
  [[nodiscard]] bool is_default() const { return origin_ == kOriginDefault; }

  /// Takes a value written as text, as in the environment or behind --set.
  [[nodiscard]] std::string set(std::string_view text, std::string_view origin);
  /// Takes a list; refused by everything that is not one.
  [[nodiscard]] std::string set_items(const std::vector<std::string>& items,
                                      std::string_view origin);
  /// Takes value and origin of the same setting of another set.
  void copy_from(const OptionBase& other);

  /// `integer`, `duration`, ...
  [[nodiscard]] virtual std::string type() const = 0;
  /// The values that are taken, in words; empty = any.
  [[nodiscard]] virtual std::string allowed() const = 0;
  /// The value in its one canonical form; `set` takes it back.
  [[nodiscard]] virtual std::string text() const = 0;
  /// The value as TOML writes it. Not masked.
  [[nodiscard]] virtual std::string toml() const = 0;

 protected:
  virtual std::string take(std::string_view text) = 0;
  virtual std::string take_items(const std::vector<std::string>& items);
  virtual void copy_value(const OptionBase& other) = 0;

 private:
  const std::string key_;
  const std::string help_;
  const unsigned traits_;
  std::string origin_ = kOriginDefault;
};

/// Settings in the order of their declaration. Derive from it before any option is a member.
class OptionSet {
 public:
  OptionSet() = default;
  OptionSet(const OptionSet&) = delete;
  OptionSet& operator=(const OptionSet&) = delete;

  [[nodiscard]] std::vector<const OptionBase*> options() const;
  /// nullptr = no setting has this key.
  [[nodiscard]] OptionBase* find(std::string_view key);
  [[nodiscard]] const OptionBase* find(std::string_view key) const;

 protected:
  ~OptionSet() = default;
  /// Takes all values of a set of the same type.
  void copy_values(const OptionSet& other);

 private:
  friend class OptionBase;
  std::vector<OptionBase*> options_;  // members of the derived struct; they live as long as it
};

/// An option that holds a T; `settings.model.k()` reads it.
template <class T>
class TypedOption : public OptionBase {
 public:
  TypedOption(OptionSet& set, const About& about, T value)
      : OptionBase(set, about), value_(std::move(value)) {}
  const T& operator()() const { return value_; }

 protected:
  void copy_value(const OptionBase& other) final {
    value_ = static_cast<const TypedOption&>(other).value_;
  }
  T value_;
};

/// Text without control characters that fulfils a rule. A default need not fulfil it: it stands for
/// "not set".
class StringOption final : public TypedOption<std::string> {
 public:
  StringOption(OptionSet& set, const About& about, std::string value, const Rule& rule);
  std::string type() const override;
  std::string allowed() const override;
  std::string text() const override;
  std::string toml() const override;

 private:
  std::string take(std::string_view text) override;
  const Rule rule_;
};

class IntegerOption final : public TypedOption<std::int64_t> {
 public:
  /// smallest and largest are allowed themselves; so below.
  IntegerOption(OptionSet& set, const About& about, std::int64_t value, std::int64_t smallest,
                std::int64_t largest);
  std::string type() const override;
  std::string allowed() const override;
  std::string text() const override;
  std::string toml() const override;

 private:
  std::string take(std::string_view text) override;
  const std::int64_t smallest_;
  const std::int64_t largest_;
};

class BoolOption final : public TypedOption<bool> {
 public:
  using TypedOption::TypedOption;
  std::string type() const override;
  std::string allowed() const override;
  std::string text() const override;
  std::string toml() const override;

 private:
  std::string take(std::string_view text) override;
};

class NumberOption final : public TypedOption<double> {
 public:
  NumberOption(OptionSet& set, const About& about, double value, double smallest, double largest);
  std::string type() const override;
  std::string allowed() const override;
  std::string text() const override;
  std::string toml() const override;

 private:
  std::string take(std::string_view text) override;
  const double smallest_;
  const double largest_;
};

class DurationOption final : public TypedOption<std::chrono::milliseconds> {
 public:
  DurationOption(OptionSet& set, const About& about, std::chrono::milliseconds value,
                 std::chrono::milliseconds smallest, std::chrono::milliseconds largest);
  std::string type() const override;
  std::string allowed() const override;
  std::string text() const override;
  std::string toml() const override;

 private:
  std::string take(std::string_view text) override;
  const std::chrono::milliseconds smallest_;
  const std::chrono::milliseconds largest_;
};

class BytesOption final : public TypedOption<std::int64_t> {
 public:
  BytesOption(OptionSet& set, const About& about, std::int64_t value, std::int64_t smallest,
              std::int64_t largest);
  std::string type() const override;
  std::string allowed() const override;
  std::string text() const override;
  std::string toml() const override;

 private:
  std::string take(std::string_view text) override;
  const std::int64_t smallest_;
  const std::int64_t largest_;
};

/// One of a closed list of words; use it as Choice<Enum>.
class ChoiceOption : public TypedOption<std::size_t> {
 public:
  ChoiceOption(OptionSet& set, const About& about, std::size_t value,
               std::initializer_list<const char*> words);
  std::string type() const final;
  std::string allowed() const final;
  std::string text() const final;
  std::string toml() const final;

 private:
  std::string take(std::string_view text) final;
  const std::vector<std::string> words_;
};

/// A ChoiceOption read as an enumeration whose enumerators count from 0 in the order of the words.
template <class Enum>
class Choice final : public ChoiceOption {
 public:
  Choice(OptionSet& set, const About& about, Enum value, std::initializer_list<const char*> words)
      : ChoiceOption(set, about, static_cast<std::size_t>(value), words) {}
  Enum operator()() const { return static_cast<Enum>(value_); }
};

/// Texts that each fulfil a rule. Written as a TOML array, or in one text separated by commas
/// (blanks around an item do not count).
class ListOption final : public TypedOption<std::vector<std::string>> {
 public:
  enum class Kind {
    kOrdered,
    kCaseless,  // a set of words: kept in lower case (ASCII), their order means nothing
  };
  ListOption(OptionSet& set, const About& about, std::vector<std::string> value, Kind kind,
             const Rule& rule);
  std::string type() const override;
  std::string allowed() const override;
  /// Of a set: sorted, each once.
  std::string text() const override;
  std::string toml() const override;

 private:
  std::string take(std::string_view text) override;
  std::string take_items(const std::vector<std::string>& items) override;
  const Kind kind_;
  const Rule rule_;
};

/// A TOML basic string: quoted and escaped.
std::string toml_quoted(std::string_view text);

}  // namespace segmentd::config
