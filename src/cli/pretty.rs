//! JSON with line breaks and spaces. Tokens stay as they are, so that no number loses a digit.

/// The same JSON over several lines.
pub(super) fn pretty(json: &str) -> String {
    let (mut text, mut depth) = (String::with_capacity(2 * json.len()), 0_usize);
    let (mut in_text, mut escaped) = (false, false);
    let mut characters = json.chars().peekable();
    while let Some(character) = characters.next() {
        if in_text {
            text.push(character);
            in_text = escaped || character != '"';
            escaped = !escaped && character == '\\';
            continue;
        }
        match character {
            '{' | '[' => {
                while characters.next_if(|next| next.is_ascii_whitespace()).is_some() {}
                text.push(character);
                if let Some(close) = characters.next_if(|next| matches!(next, '}' | ']')) {
                    text.push(close);
                } else {
                    depth += 1;
                    break_line(&mut text, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                break_line(&mut text, depth);
                text.push(character);
            }
            ',' => {
                text.push(character);
                break_line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            space if space.is_ascii_whitespace() => {}
            '"' => {
                in_text = true;
                text.push(character);
            }
            other => text.push(other),
        }
    }
    text
}

fn break_line(text: &mut String, depth: usize) {
    text.push('\n');
    text.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_stay_as_they_are() {
        let json = r#"{"a":[1.00000000,{}],"b":"x, \"{y}\" \\","c":[ ],"d":90071992.54740993}"#;
        let expected = "{\n  \"a\": [\n    1.00000000,\n    {}\n  ],\n  \"b\": \"x, \\\"{y}\\\" \\\\\",\n  \
                        \"c\": [],\n  \"d\": 90071992.54740993\n}";
        assert_eq!(pretty(json), expected);
        assert_eq!(pretty(expected), expected);
        assert_eq!(pretty("12.50000000"), "12.50000000");
    }
}
