//! Arguments of a call, by position or by name, read into a request with Bitcoin Core's errors.
use super::error::RpcError;
use crate::api::Code;
use serde::{
    Deserialize, Deserializer,
    de::{
        DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor,
        value::StrDeserializer,
    },
    forward_to_deserialize_any,
};
use serde_json::value::RawValue;
use std::{fmt, str::FromStr};
use timecoin_chain::{
    address::parse_address,
    codec,
    genesis::Network,
    limits::TX_BYTES_MAX,
    types::{Amount, Lock, Transaction},
};

/// More arguments than any method has.
const ARGUMENTS_MAX: usize = 16;

/// What a method takes.
#[derive(Debug)]
pub(super) struct Param {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) required: bool,
    pub(super) about: &'static str,
}

/// What an argument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Address,
    Amount,
    Block,
    Boolean,
    Hex,
    Level,
    List(&'static str),
    Number,
    Text,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "address",
            Self::Amount => "amount",
            Self::Block => "hash or height",
            Self::Boolean => "boolean",
            Self::Hex => "hex",
            Self::Level => "boolean or number",
            Self::List(entries) => return write!(f, "list of {entries}"),
            Self::Number => "number",
            Self::Text => "text",
        })
    }
}

impl Kind {
    /// The JSON that is expected, in words.
    fn expected(self) -> &'static str {
        match self {
            Self::Address | Self::Hex | Self::Text => "a text",
            Self::Amount => "an amount",
            Self::Block => "a text or a whole number",
            Self::Boolean => "true or false",
            Self::Level => "true, false or a whole number",
            Self::List(_) => "a list of texts",
            Self::Number => "a whole number",
        }
    }
}

/// Arguments before their method is known.
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
    /// The arguments as a request.
    pub(super) fn read<A: DeserializeOwned>(&self) -> Result<A, RpcError> {
        A::deserialize(Given { params: self, next: 0 }).map_err(|Wrong(error)| error)
    }
}

/// Arguments on their way into a request, by name.
struct Given<'p, 'a> {
    params: &'p Params<'a>,
    next: usize,
}

/// The client's error for an argument that does not fit.
#[derive(Debug)]
struct Wrong(RpcError);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Wrong {}

impl serde::de::Error for Wrong {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self(RpcError::new(Code::Type, text))
    }
}

impl<'de> Deserializer<'de> for Given<'_, '_> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_map(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> MapAccess<'de> for Given<'_, '_> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Wrong> {
        while let Some(value) = self.params.values.get(self.next) {
            if value.is_some() {
                let name: StrDeserializer<'_, Wrong> =
                    self.params.declared[self.next].name.into_deserializer();
                return seed.deserialize(name).map(Some);
            }
            self.next += 1;
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        let param = &self.params.declared[self.next];
        let raw = self.params.values[self.next].expect("next_key_seed stops at a value only");
        self.next += 1;
        let mut value = serde_json::Deserializer::from_reader(raw.get().as_bytes());
        seed.deserialize(&mut value).map_err(|_| Wrong(wrong(param, raw)))
    }
}

/// Why an argument does not fit.
fn wrong(param: &Param, raw: &RawValue) -> RpcError {
    let name = param.name;
    let amount = raw.get().trim_matches('"').parse::<Amount>();
    let text = match (param.kind, amount) {
        (Kind::Amount, Err(error)) => format!("{name}: {error}"),
        (kind, _) => format!("{name} must be {}, not {}", kind.expected(), kind_of(raw)),
    };
    RpcError::new(Code::Type, text)
}

/// Reads a value that is known to be JSON; none if it has another shape.
pub(super) fn read<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
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
    use crate::api::{JsonAmount, Level};
    use timecoin_chain::types::TxId;

    const DECLARED: &[Param] = &[
        Param { name: "txid", kind: Kind::Hex, required: true, about: "" },
        Param { name: "level", kind: Kind::Number, required: false, about: "" },
        Param { name: "fee", kind: Kind::Amount, required: false, about: "" },
        Param { name: "detail", kind: Kind::Level, required: false, about: "" },
    ];

    #[derive(Debug, PartialEq, Eq, Deserialize)]
    struct Asked {
        txid: String,
        level: Option<u64>,
        fee: Option<JsonAmount>,
        detail: Option<Level>,
    }

    fn asked(text: &str) -> Result<Asked, RpcError> {
        let raw = RawValue::from_string(text.into()).expect("JSON");
        Arguments::read(Some(&raw)).expect("arguments").bind(DECLARED)?.read()
    }

    #[test]
    fn position_and_name_say_the_same() {
        let expected = Asked { txid: "ab".into(), level: Some(2), fee: None, detail: None };
        for text in [r#"["ab", 2, null]"#, r#"{"level": 2, "txid": "ab"}"#, r#"["ab", 2]"#] {
            assert_eq!(asked(text).as_ref(), Ok(&expected), "{text}");
        }
    }

    #[test]
    fn a_wrong_count_or_name_shows_the_usage() {
        for (text, code) in [
            ("[]", Code::Misc),
            ("{}", Code::Misc),
            ("[null]", Code::Misc),
            ("[1,2,3,4,5]", Code::Misc),
            (r#"{"txid":"a","other":1}"#, Code::InvalidParameter),
        ] {
            let error = asked(text).expect_err(text);
            assert_eq!(error.code, code, "{text}");
            assert!(error.message.contains("txid [level] [fee]"), "{}", error.message);
        }
    }

    #[test]
    fn a_wrong_type_is_named() {
        for (text, message) in [
            (r#"["ab", "2"]"#, "level must be a whole number, not a text"),
            (r#"["ab", -2]"#, "level must be a whole number, not that number"),
            (r#"["ab", 2.5]"#, "level must be a whole number, not that number"),
            (r#"["ab", [2]]"#, "level must be a whole number, not a list"),
            ("[5]", "txid must be a text, not that number"),
            (r#"["ab", 2, 1, "x"]"#, "detail must be true, false or a whole number, not a text"),
        ] {
            let error = asked(text).expect_err(text);
            assert_eq!((error.code, error.message.as_str()), (Code::Type, message), "{text}");
        }
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
            let fee = asked(&format!(r#"["ab", 0, {written}]"#)).expect("three").fee;
            assert_eq!(fee, Some(JsonAmount(Amount(units))));
        }
        for written in ["-1", "0.000000001", "1e3", "\"much\"", "true", "[1]", "184467440738"] {
            let error = asked(&format!(r#"["ab", 0, {written}]"#)).expect_err(written);
            assert_eq!(error.code, Code::Type, "{written}");
            assert!(error.message.starts_with("fee: "), "{}", error.message);
        }
    }

    #[test]
    fn a_level_may_be_a_boolean() {
        for (written, level) in [("true", 1), ("false", 0), ("2", 2)] {
            let asked = asked(&format!(r#"["a", null, null, {written}]"#)).expect("four");
            assert_eq!(asked.detail.map(Level::number), Some(level));
        }
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
