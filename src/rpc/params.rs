//! Arguments of a call, by position or by name, read into types with Bitcoin Core's errors.
use super::{
    envelope::read,
    error::{Code, RpcError},
};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use std::str::FromStr;
use timecoin_chain::{
    address::parse_address,
    codec,
    genesis::Network,
    limits::TX_BYTES_MAX,
    types::{Amount, Lock, Transaction},
};

/// More arguments than any method has.
const ARGUMENTS_MAX: usize = 16;
/// Entries of an argument that is a list.
const LIST_MAX: usize = 1_000;

/// What a method takes.
#[derive(Debug)]
pub(super) struct Param {
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    pub(super) required: bool,
    pub(super) about: &'static str,
}

/// Arguments before it is known which method they are for.
#[derive(Debug)]
pub(super) enum Arguments<'a> {
    Position(Vec<&'a RawValue>),
    Name(Vec<(String, &'a RawValue)>),
}

/// Arguments of a known method. `null` counts as not given.
#[derive(Debug)]
pub(super) struct Params<'a> {
    declared: &'static [Param],
    values: Vec<Option<&'a RawValue>>,
}

impl<'a> Arguments<'a> {
    pub(super) fn read(raw: Option<&'a RawValue>) -> Result<Self, RpcError> {
        let Some(raw) = raw.filter(|raw| raw.get() != "null") else {
            return Ok(Self::Position(Vec::new()));
        };
        match raw.get().as_bytes().first() {
            Some(b'[' | b'{') => read(raw).ok_or_else(|| {
                let text = format!("more than {ARGUMENTS_MAX} arguments");
                RpcError::new(Code::InvalidRequest, text)
            }),
            _ => Err(RpcError::new(Code::InvalidRequest, "Params must be an array or object")),
        }
    }

    /// Puts the arguments in the order in which the method declares them.
    pub(super) fn bind(&self, declared: &'static [Param]) -> Result<Params<'a>, RpcError> {
        let mut values = vec![None; declared.len()];
        match self {
            Self::Position(given) if given.len() > declared.len() => {
                let text = format!(
                    "{} arguments given, at most {} expected: {}",
                    given.len(),
                    declared.len(),
                    usage(declared)
                );
                return Err(RpcError::new(Code::Misc, text).because("usage"));
            }
            Self::Position(given) => {
                for (value, given) in values.iter_mut().zip(given) {
                    *value = Some(*given);
                }
            }
            Self::Name(given) => {
                for (name, given) in given {
                    let place = declared.iter().position(|param| param.name == name);
                    let place = place.ok_or_else(|| {
                        let text = format!(
                            "Unknown named parameter {name}, expected: {}",
                            usage(declared)
                        );
                        RpcError::new(Code::InvalidParameter, text).because("usage")
                    })?;
                    values[place] = Some(*given);
                }
            }
        }
        for value in &mut values {
            *value = value.filter(|raw| raw.get() != "null");
        }
        let missing =
            declared.iter().zip(&values).find(|(param, value)| param.required && value.is_none());
        if let Some((param, _)) = missing {
            let text = format!("argument {} is missing: {}", param.name, usage(declared));
            return Err(RpcError::new(Code::Misc, text).because("usage"));
        }
        Ok(Params { declared, values })
    }
}

/// The parameters on one line: required ones bare, the others in brackets.
pub(super) fn usage(declared: &[Param]) -> String {
    let words: Vec<String> = declared
        .iter()
        .map(|param| if param.required { param.name.into() } else { format!("[{}]", param.name) })
        .collect();
    if words.is_empty() { "no arguments".into() } else { words.join(" ") }
}

impl Params<'_> {
    /// The argument as it was written.
    pub(super) fn raw(&self, name: &str) -> Option<&RawValue> {
        let place = self.declared.iter().position(|param| param.name == name);
        place.and_then(|place| self.values[place])
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, RpcError> {
        self.typed(name, "a whole number")
    }

    pub(super) fn boolean(&self, name: &str) -> Result<Option<bool>, RpcError> {
        self.typed(name, "true or false")
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<String>, RpcError> {
        self.typed(name, "a text")
    }

    pub(super) fn texts(&self, name: &str) -> Result<Option<Vec<String>>, RpcError> {
        let list: Option<Vec<String>> = self.typed(name, "a list of texts")?;
        match list {
            Some(list) if list.len() > LIST_MAX => Err(RpcError::new(
                Code::InvalidParameter,
                format_args!("{name} has {} entries, {LIST_MAX} are allowed", list.len()),
            )),
            list => Ok(list),
        }
    }

    /// A level of detail: a number, or `false` for 0 and `true` for 1.
    pub(super) fn level(&self, name: &str, default: u64) -> Result<u64, RpcError> {
        match self.raw(name).map(RawValue::get) {
            Some("true") => Ok(1),
            Some("false") => Ok(0),
            _ => Ok(self.number(name)?.unwrap_or(default)),
        }
    }

    /// An amount, written as a number or as a text. Read digit by digit.
    pub(super) fn amount(&self, name: &str) -> Result<Option<Amount>, RpcError> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        let text = read::<String>(raw).unwrap_or_else(|| raw.get().into());
        text.parse()
            .map(Some)
            .map_err(|error| RpcError::new(Code::Type, format_args!("{name}: {error}")))
    }

    /// A required id or hash.
    pub(super) fn id<T: FromStr>(&self, name: &str) -> Result<T, RpcError> {
        parse_id(name, &self.text(name)?.unwrap_or_default())
    }

    fn typed<T: for<'de> Deserialize<'de>>(
        &self,
        name: &str,
        expected: &str,
    ) -> Result<Option<T>, RpcError> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        let wrong = || {
            let kind = kind_of(raw);
            RpcError::new(Code::Type, format_args!("{name} must be {expected}, not {kind}"))
        };
        read(raw).map(Some).ok_or_else(wrong)
    }
}

/// Reads 64 hexadecimal characters.
pub(super) fn parse_id<T: FromStr>(name: &str, text: &str) -> Result<T, RpcError> {
    text.parse().map_err(|_| {
        let text = format!(
            "{name} must be 64 hexadecimal characters, `{}` has {}",
            shortened(text),
            text.chars().count()
        );
        RpcError::new(Code::NotFound, text).because("bad-id")
    })
}

/// Reads an address of this network.
pub(super) fn parse_lock(network: Network, text: &str) -> Result<Lock, RpcError> {
    parse_address(network, text).map_err(|error| {
        RpcError::new(Code::NotFound, format_args!("{}: {error}", shortened(text)))
            .because("bad-address")
    })
}

/// Reads the hexadecimal canonical bytes of a transaction.
pub(super) fn parse_transaction(text: &str) -> Result<Transaction, RpcError> {
    let failed = |why: &dyn std::fmt::Display| {
        RpcError::new(Code::Decode, format_args!("TX decode failed: {why}")).because("tx-decode")
    };
    if text.len() > 2 * TX_BYTES_MAX {
        let (bytes, max) = (text.len() / 2, TX_BYTES_MAX);
        return Err(failed(&codec::CodecError::TooLong { bytes, max }));
    }
    let bytes = hex::decode(text).map_err(|error| failed(&error))?;
    codec::decode(&bytes).map_err(|error| failed(&error))
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(80).collect();
    if short.len() < text.len() {
        short.push_str("...");
    }
    short
}

fn kind_of(raw: &RawValue) -> &'static str {
    match raw.get().as_bytes().first() {
        Some(b'"') => "a text",
        Some(b'[') => "a list",
        Some(b'{') => "an object",
        Some(b't' | b'f') => "true or false",
        _ => "that number",
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Arguments<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Arguments<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "at most {ARGUMENTS_MAX} arguments")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut given = Vec::new();
                while let Some(value) = seq.next_element()? {
                    if given.len() == ARGUMENTS_MAX {
                        return Err(serde::de::Error::invalid_length(ARGUMENTS_MAX + 1, &self));
                    }
                    given.push(value);
                }
                Ok(Arguments::Position(given))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut given = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    if given.len() == ARGUMENTS_MAX {
                        return Err(serde::de::Error::invalid_length(ARGUMENTS_MAX + 1, &self));
                    }
                    given.push(entry);
                }
                Ok(Arguments::Name(given))
            }
        }
        from.deserialize_any(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use timecoin_chain::types::TxId;

    const DECLARED: &[Param] = &[
        Param { name: "txid", kind: "hex", required: true, about: "" },
        Param { name: "level", kind: "number", required: false, about: "" },
        Param { name: "fee", kind: "amount", required: false, about: "" },
    ];

    fn with<T>(text: &str, check: impl FnOnce(Result<Params<'_>, RpcError>) -> T) -> T {
        let raw = RawValue::from_string(text.into()).expect("JSON");
        let arguments = Arguments::read(Some(&raw)).expect("arguments");
        check(arguments.bind(DECLARED))
    }

    #[test]
    fn position_and_name_say_the_same() {
        for text in [r#"["ab", 2, null]"#, r#"{"level": 2, "txid": "ab"}"#, r#"["ab", 2]"#] {
            with(text, |params| {
                let params = params.expect(text);
                assert_eq!(params.text("txid"), Ok(Some("ab".into())));
                assert_eq!(params.number("level"), Ok(Some(2)));
                assert_eq!(params.amount("fee"), Ok(None));
            });
        }
    }

    #[test]
    fn a_wrong_count_or_name_shows_the_usage() {
        for (text, code) in [
            ("[]", Code::Misc),
            ("{}", Code::Misc),
            ("[null]", Code::Misc),
            ("[1,2,3,4]", Code::Misc),
            (r#"{"txid":"a","other":1}"#, Code::InvalidParameter),
        ] {
            with(text, |params| {
                let error = params.expect_err(text);
                assert_eq!(error.code, code, "{text}");
                assert!(error.message.contains("txid [level] [fee]"), "{}", error.message);
            });
        }
    }

    #[test]
    fn a_wrong_type_is_named() {
        for text in [r#"["ab", "2"]"#, r#"["ab", -2]"#, r#"["ab", 2.5]"#, r#"["ab", [2]]"#] {
            with(text, |params| {
                let error = params.expect(text).number("level").expect_err(text);
                assert_eq!(error.code, Code::Type, "{text}");
            });
        }
        with("[5]", |params| {
            let error = params.expect("one").id::<TxId>("txid").expect_err("a number");
            assert_eq!(error.message, "txid must be a text, not that number");
        });
    }

    #[test]
    fn an_amount_is_exact_as_number_and_as_text() {
        for (written, units) in [
            ("0.1", 10_000_000),
            ("\"0.1\"", 10_000_000),
            ("0.00000001", 1),
            ("90071992.54740993", 9_007_199_254_740_993),
            ("184467440737.09551615", u64::MAX),
        ] {
            with(&format!(r#"["ab", 0, {written}]"#), |params| {
                assert_eq!(params.expect("three").amount("fee"), Ok(Some(Amount(units))));
            });
        }
        for written in ["-1", "0.000000001", "1e3", "\"much\"", "true", "[1]", "184467440738"] {
            with(&format!(r#"["ab", 0, {written}]"#), |params| {
                let error = params.expect("three").amount("fee").expect_err(written);
                assert_eq!(error.code, Code::Type, "{written}");
            });
        }
    }

    #[test]
    fn a_level_may_be_a_boolean() {
        for (text, level) in [(r#"["a",true]"#, 1), (r#"["a",false]"#, 0), (r#"["a",2]"#, 2)] {
            with(text, |params| {
                assert_eq!(params.expect(text).level("level", 7), Ok(level));
            });
        }
        with(r#"["a"]"#, |params| assert_eq!(params.expect("one").level("level", 7), Ok(7)));
    }

    #[test]
    fn an_id_has_64_hexadecimal_characters() {
        assert_eq!(parse_id::<TxId>("txid", &"0a".repeat(32)), Ok(TxId([10; 32])));
        for text in ["", "zz", &"0a".repeat(31), &"0a".repeat(33), &"zz".repeat(32)] {
            let error = parse_id::<TxId>("txid", text).expect_err(text);
            assert_eq!(error.code, Code::NotFound);
        }
    }

    #[test]
    fn what_is_no_transaction_does_not_decode() {
        for text in ["", "zz", "00", &"0".repeat(2 * TX_BYTES_MAX + 2)] {
            assert_eq!(parse_transaction(text).expect_err("garbage").code, Code::Decode);
        }
    }
}
