//! The node itself, and help.
use crate::{
    api::{Code, Help, Stop, Uptime},
    rpc::{
        catalog::{self, METHODS, Method},
        context::{Context, Serve},
        error::RpcError,
        params,
    },
};
use std::fmt::Write as _;

impl Serve for Uptime {
    async fn serve(self, context: &Context) -> Result<u64, RpcError> {
        Ok(context.node.started.elapsed().as_secs())
    }
}

impl Serve for Stop {
    async fn serve(self, context: &Context) -> Result<String, RpcError> {
        context.node.stop();
        Ok("TimeCoin stopping".into())
    }
}

impl Serve for Help {
    async fn serve(self, _: &Context) -> Result<String, RpcError> {
        let Some(name) = self.command else { return Ok(all()) };
        catalog::find(&name).map(one).ok_or_else(|| {
            let text = format!("help: unknown command: {name}");
            RpcError::new(Code::NotFound, text).because("unknown-method")
        })
    }
}

/// All methods by subject, one line each.
fn all() -> String {
    let (mut text, mut group) = (String::new(), "");
    for method in METHODS {
        if method.group != group {
            let gap = if group.is_empty() { "" } else { "\n" };
            group = method.group;
            line(&mut text, format_args!("{gap}== {group} =="));
        }
        line(&mut text, format_args!("{}", usage(method)));
    }
    text.truncate(text.trim_end().len());
    text
}

/// One method: usage, summary, arguments, answer.
fn one(method: &Method) -> String {
    let mut text = String::new();
    line(&mut text, format_args!("{}\n\n{}", usage(method), method.summary));
    if !method.params.is_empty() {
        line(&mut text, format_args!("\nArguments:"));
    }
    for (index, param) in method.params.iter().enumerate() {
        let need = if param.required { "required" } else { "optional" };
        let (name, kind, about) = (param.name, param.kind, param.about);
        line(&mut text, format_args!("{}. {name} ({kind}, {need}) {about}", index + 1));
    }
    line(&mut text, format_args!("\nResult:\n{}", method.result));
    text.truncate(text.trim_end().len());
    text
}

fn usage(method: &Method) -> String {
    if method.params.is_empty() {
        return method.name.into();
    }
    format!("{} {}", method.name, params::usage(method.params))
}

fn line(text: &mut String, words: std::fmt::Arguments<'_>) {
    writeln!(text, "{words}").expect("writing to a string does not fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_names_every_method_once() {
        let text = all();
        for method in METHODS {
            let lines = text.lines().filter(|line| line.split(' ').next() == Some(method.name));
            assert_eq!(lines.count(), 1, "{}", method.name);
        }
        assert!(text.contains("getblock block [verbosity]"), "{text}");
    }

    #[test]
    fn help_of_one_method_shows_its_arguments() {
        let text = one(catalog::find("getblock").expect("in the table"));
        assert!(text.starts_with("getblock block [verbosity]\n\n"), "{text}");
        assert!(text.contains("1. block (hash or height, required)"), "{text}");
        assert!(text.contains("Result:"), "{text}");
    }
}
