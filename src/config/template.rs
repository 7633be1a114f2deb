//! The text of a configuration file: every key with its description; keys that are not set are
//! comments.
use super::{
    ConfigError, Origin,
    fields::{self, FIELDS},
};
use std::fmt::Write;
use toml::Value;

/// A configuration file that sets these keys and shows all others with their defaults.
pub fn render(set: &[(&str, Value)]) -> Result<String, ConfigError> {
    if let Some((key, _)) = set.iter().find(|(key, _)| fields::find(key).is_none()) {
        let (key, near) = ((*key).to_owned(), fields::near(key));
        return Err(ConfigError::UnknownKey { key, origin: Origin::Default, near });
    }
    let mut text = String::from(
        "# Configuration of a TimeCoin node. Lines that begin with # show the default.\n\
         # A flag wins over the environment (TIMECOIN_SECTION__KEY), which wins over this file.\n\
         # Relative paths are relative to this file.\n",
    );
    let mut section = "";
    for field in FIELDS {
        let (in_section, name) = field.key.split_once('.').unwrap_or(("", field.key));
        if in_section != section {
            section = in_section;
            let _ = write!(text, "\n[{section}]");
        }
        let _ = write!(text, "\n# {}\n", field.about);
        match set.iter().find(|(key, _)| *key == field.key) {
            Some((_, value)) => {
                let _ = writeln!(text, "{name} = {value}");
            }
            None => {
                let shown = if field.example.is_empty() { field.default } else { field.example };
                let _ = writeln!(text, "# {name} = {shown}");
            }
        }
    }
    Ok(text)
}
