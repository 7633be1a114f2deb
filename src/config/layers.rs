//! Merges file, environment, flags and defaults: for each key one value and its origin.
use super::{
    error::{ConfigError, Origin},
    fields::{self, FIELDS, Form},
};
use serde::de::DeserializeOwned;
use std::{
    collections::BTreeMap,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};
use timecoin_network::{Multiaddr, PeerId};
use toml::{Table, Value};

const PREFIX: &str = "TIMECOIN_";

/// For each key the effective value and its origin.
#[derive(Debug)]
pub(super) struct Layers {
    values: BTreeMap<&'static str, (Value, Origin)>,
    directory: PathBuf,
}

impl Layers {
    pub(super) fn new(
        file: &Path,
        text: &str,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: &[(String, String)],
    ) -> Result<Self, ConfigError> {
        let directory = file.parent().unwrap_or(Path::new("")).to_owned();
        let mut layers = Self { values: BTreeMap::new(), directory };
        layers.add_defaults()?;
        let table: Table = text.parse().map_err(|error: toml::de::Error| ConfigError::Syntax {
            file: file.into(),
            reason: error.to_string().trim_end().to_owned(),
        })?;
        layers.add_table("", table, &Origin::File(file.into()))?;
        for (variable, value) in environment {
            if let Some(key) = key_of_variable(&variable) {
                layers.add_text(&key, &value, Origin::Environment(variable))?;
            }
        }
        for (key, value) in flags {
            layers.add_text(key, value, Origin::Flag)?;
        }
        Ok(layers)
    }

    /// The value of a key that has a default.
    pub(super) fn get<T: DeserializeOwned>(&self, key: &'static str) -> Result<T, ConfigError> {
        self.optional(key)?.ok_or_else(|| ConfigError::Value {
            key: key.into(),
            origin: Origin::Default,
            reason: "a value is needed".into(),
        })
    }

    /// The value of a key that may have none.
    pub(super) fn optional<T: DeserializeOwned>(
        &self,
        key: &str,
    ) -> Result<Option<T>, ConfigError> {
        let Some((value, _)) = self.values.get(key) else { return Ok(None) };
        value.clone().try_into().map(Some).map_err(|error: toml::de::Error| {
            self.wrong(key, error.to_string().trim_end().replace('\n', " "))
        })
    }

    /// A whole number within bounds.
    pub(super) fn number<T: TryFrom<u64>>(
        &self,
        key: &'static str,
        range: RangeInclusive<u64>,
    ) -> Result<T, ConfigError> {
        let number: u64 = self.get(key)?;
        let within = Some(number).filter(|number| range.contains(number));
        within.and_then(|number| T::try_from(number).ok()).ok_or_else(|| {
            let reason = format!("{number} is not between {} and {}", range.start(), range.end());
            self.wrong(key, reason)
        })
    }

    /// A path, relative to where it was written.
    pub(super) fn path(&self, key: &'static str) -> Result<PathBuf, ConfigError> {
        self.optional_path(key)?.ok_or_else(|| self.wrong(key, "a path is needed".into()))
    }

    /// A path that may be missing or empty.
    pub(super) fn optional_path(&self, key: &str) -> Result<Option<PathBuf>, ConfigError> {
        let text: Option<String> = self.optional(key)?;
        let origin = self.values.get(key).map(|(_, origin)| origin);
        let directory = match origin {
            Some(Origin::Environment(_) | Origin::Flag) => Path::new(""),
            _ => self.directory.as_path(),
        };
        Ok(text.filter(|text| !text.is_empty()).map(|text| directory.join(text)))
    }

    /// Multiaddresses.
    pub(super) fn addresses(&self, key: &'static str) -> Result<Vec<Multiaddr>, ConfigError> {
        let texts: Vec<String> = self.get(key)?;
        let parse = |text: &String| {
            timecoin_network::parse_address(text)
                .map_err(|error| self.wrong(key, error.to_string()))
        };
        texts.iter().map(parse).collect()
    }

    /// Peer ids.
    pub(super) fn peers(&self, key: &'static str) -> Result<Vec<PeerId>, ConfigError> {
        let texts: Vec<String> = self.get(key)?;
        let parse = |text: &String| {
            text.parse().map_err(|_| {
                self.wrong(key, format!("{text:?} is not a peer id, such as 12D3KooW..."))
            })
        };
        texts.iter().map(parse).collect()
    }

    fn add_defaults(&mut self) -> Result<(), ConfigError> {
        for field in FIELDS.iter().filter(|field| !field.default.is_empty()) {
            let value = literal(field.key, field.default, &Origin::Default)?;
            self.values.insert(field.key, (value, Origin::Default));
        }
        Ok(())
    }

    fn add_table(
        &mut self,
        section: &str,
        table: Table,
        origin: &Origin,
    ) -> Result<(), ConfigError> {
        for (name, value) in table {
            let key = if section.is_empty() { name } else { format!("{section}.{name}") };
            match value {
                Value::Table(inner) if section.is_empty() && is_section(&key) => {
                    self.add_table(&key, inner, origin)?;
                }
                value => {
                    let field = known(&key, origin)?;
                    self.values.insert(field.key, (value, origin.clone()));
                }
            }
        }
        Ok(())
    }

    fn add_text(&mut self, key: &str, text: &str, origin: Origin) -> Result<(), ConfigError> {
        let field = known(key, &origin)?;
        let value = match field.form {
            Form::Text => Value::String(text.into()),
            Form::List if !text.trim_start().starts_with('[') => {
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                Value::Array(parts.map(|part| Value::String(part.into())).collect())
            }
            Form::List | Form::Literal => literal(field.key, text, &origin)?,
        };
        self.values.insert(field.key, (value, origin));
        Ok(())
    }

    /// The error for a value that cannot be used.
    pub(super) fn wrong(&self, key: &str, reason: String) -> ConfigError {
        let origin = self.values.get(key).map_or(Origin::Default, |(_, origin)| origin.clone());
        ConfigError::Value { key: key.into(), origin, reason }
    }
}

fn known(key: &str, origin: &Origin) -> Result<&'static fields::Field, ConfigError> {
    fields::find(key).ok_or_else(|| ConfigError::UnknownKey {
        key: key.into(),
        origin: origin.clone(),
        near: fields::near(key),
    })
}

fn is_section(name: &str) -> bool {
    FIELDS.iter().any(|field| field.key.split_once('.').is_some_and(|(section, _)| section == name))
}

/// `TIMECOIN_RPC__LISTEN` is `rpc.listen`; `TIMECOIN_DATA_DIR` is `data_dir`. A variable without
/// `__` that is not a key belongs to another program: container platforms set such variables for
/// every service.
fn key_of_variable(variable: &str) -> Option<String> {
    let name = variable.strip_prefix(PREFIX)?.to_lowercase();
    match name.split_once("__") {
        Some((section, key)) => Some(format!("{section}.{key}")),
        None => fields::find(&name).map(|field| field.key.to_owned()),
    }
}

fn literal(key: &str, text: &str, origin: &Origin) -> Result<Value, ConfigError> {
    let wrong = || ConfigError::Value {
        key: key.into(),
        origin: origin.clone(),
        reason: format!("`{text}` is not a value here"),
    };
    let mut table: Table = format!("value = {text}").parse().map_err(|_| wrong())?;
    table.remove("value").filter(|_| table.is_empty()).ok_or_else(wrong)
}
