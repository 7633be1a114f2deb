//! A shrunk failure as Rust, to be pasted into `tests/regressions.rs`.
use super::Shrunk;
use crate::{faults::Faults, world::Options};
use std::fmt::Write as _;

/// A test that fails until the failure is fixed.
pub fn regression_test(shrunk: &Shrunk) -> String {
    let Shrunk { seed, options, property, .. } = shrunk;
    let name: String =
        property.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let mut text = format!("#[test]\nfn {}_holds_in_seed_{seed}() {{\n", name.to_lowercase());
    let _ = writeln!(text, "    let options = Options {{\n{}", fields_of(options));
    let _ = writeln!(text, "        ..Options::default()\n    }};");
    let _ = writeln!(text, "    assert_eq!(world::run({seed}, &options).violation, None);\n}}");
    text
}

fn fields_of(options: &Options) -> String {
    let Options {
        masternodes,
        heights,
        real_signatures,
        faults,
        degree,
        counts_traffic: _,
        only,
        byzantine,
        twins,
        fork,
        is_flood: _,
        flaw,
        until,
        trace: _,
    } = options;
    let default = Options::default();
    let mut lines = vec![format!("masternodes: {masternodes}"), format!("heights: {heights}")];
    if *real_signatures {
        lines.push("real_signatures: true".into());
    }
    if let Some(faults) = faults {
        lines.push(format!("faults: Some({})", faults_text(faults)));
    }
    if let Some(degree) = degree {
        lines.push(format!("degree: Some({degree})"));
    }
    if let Some(only) = only {
        let only: Vec<String> =
            only.iter().map(|(class, number)| format!("(Class::{class:?}, {number})")).collect();
        lines.push(format!("only: Some(vec![{}])", only.join(", ")));
    }
    if *flaw != default.flaw {
        lines.push(format!("flaw: Flaw::{flaw:?}"));
    }
    if let Some(role) = byzantine {
        lines.push(format!("byzantine: Some({role:?})"));
    }
    if let Some(scenario) = twins {
        let text = format!("{scenario:?}").replace('[', "vec![");
        lines.push(format!("twins: Some({text})"));
    }
    if let Some(plot) = fork {
        lines.push(format!("fork: Some(Plot::{plot:?})"));
    }
    if let Some(until) = until {
        lines.push(format!("until: Some({until})"));
    }
    lines.iter().map(|line| format!("        {line},")).collect::<Vec<_>>().join("\n")
}

/// The fields in which faults differ from a quiet network.
fn faults_text(faults: &Faults) -> String {
    let (text, calm) = (format!("{faults:?}"), format!("{:?}", Faults::none()));
    let calm = fields(&calm);
    let differing: Vec<&str> =
        fields(&text).into_iter().filter(|field| !calm.contains(field)).collect();
    match differing.is_empty() {
        true => "Faults::none()".into(),
        false => format!("Faults {{ {}, ..Faults::none() }}", differing.join(", ")),
    }
}

/// The fields of a struct as `Debug` writes it.
fn fields(text: &str) -> Vec<&str> {
    let inner = text.split_once('{').map_or("", |(_, rest)| rest).trim().trim_end_matches('}');
    let mut depth = 0;
    let at_top = move |c: char| {
        match c {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    };
    inner.split(at_top).map(str::trim).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::{Rhythm, Unsynced};

    #[test]
    fn only_what_differs_is_written() {
        let crash = Some(Rhythm { every: 7, lasts: 8 });
        let faults = Faults { crash, unsynced: Unsynced::Subset, ..Faults::none() };
        assert_eq!(
            faults_text(&faults),
            "Faults { crash: Some(Rhythm { every: 7, lasts: 8 }), unsynced: Unsynced::Subset, \
             ..Faults::none() }"
        );
        assert_eq!(faults_text(&Faults::none()), "Faults::none()");
    }
}
