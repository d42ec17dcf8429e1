//! What a terminal may be shown: colours only where wanted, and never a control character that a publisher chose.

use std::{borrow::Cow, fmt};

use clap::ValueEnum;

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set or TERM is `dumb`.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl ColorChoice {
    /// Whether to colour, given that output does or does not go to a terminal. `--color` beats NO_COLOR (no-color.org).
    pub(super) fn resolve(self, is_terminal: bool) -> bool {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        self.resolve_with(is_terminal, is_set("NO_COLOR"), std::env::var_os("TERM").is_some_and(|term| term == "dumb"))
    }

    fn resolve_with(self, is_terminal: bool, no_color: bool, dumb: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => is_terminal && !no_color && !dumb,
        }
    }
}

/// A colour of the sixteen every terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colour {
    Dim,
    Green,
    Yellow,
    Blue,
    Cyan,
    Red,
}

/// The text in that colour, or plain.
pub(super) fn paint(colours: bool, colour: Colour, text: &str) -> String {
    let code = match colour {
        Colour::Dim => "2",
        Colour::Red => "31",
        Colour::Green => "32",
        Colour::Yellow => "33",
        Colour::Blue => "34",
        Colour::Cyan => "36",
    };
    if colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// Whether a character would steer a terminal, or reorder or hide what it shows.
///
/// C0, DEL and C1 controls, line and paragraph separators, and the Unicode bidirectional and zero-width controls.
pub(super) fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The text with every unprintable character written out, for example `\u{1b}`.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    // Writing into a `String` cannot fail.
    _ = write_printable(&mut out, text);
    Cow::Owned(out)
}

/// Writes the text with every unprintable character written out.
pub(super) fn write_printable(out: &mut dyn fmt::Write, text: &str) -> fmt::Result {
    text.chars().try_for_each(|character| match character {
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        _ if is_unprintable(character) => write!(out, "\\u{{{:x}}}", u32::from(character)),
        _ => out.write_char(character),
    })
}

/// Valid JSON as one line that is safe on a terminal and means the same.
///
/// Outside strings only blanks can be unprintable, and inside strings every character has a `\u` form.
pub(super) fn printable_json(json: &str) -> Cow<'_, str> {
    if !json.contains(is_unprintable) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        match character {
            '\n' | '\r' | '\t' => out.push(' '),
            // All unprintable characters lie in the basic plane, so four digits are enough.
            _ if is_unprintable(character) => out.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => out.push(character),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_follow_the_choice_then_the_terminal_then_no_color() {
        assert!(ColorChoice::Always.resolve_with(false, true, true));
        assert!(!ColorChoice::Never.resolve_with(true, false, false));
        assert!(ColorChoice::Auto.resolve_with(true, false, false));
        for (terminal, no_color, dumb) in [(false, false, false), (true, true, false), (true, false, true)] {
            assert!(!ColorChoice::Auto.resolve_with(terminal, no_color, dumb));
        }
    }

    #[test]
    fn control_and_direction_characters_are_written_out() {
        assert_eq!(printable("a\x1b[31mb\r\n\u{9b}2J\u{202e}c\x07"), "a\\u{1b}[31mb\\r\\n\\u{9b}2J\\u{202e}c\\u{7}");
        assert!(matches!(printable("K\u{e4}se \u{1f9c0}"), Cow::Borrowed(_)));
    }

    #[test]
    fn json_made_printable_means_the_same_and_is_one_line() {
        let json = "{\"a\":\r\n\t\"x\u{9b}\u{7f}\u{202e}y\",\"n\":1.50}";
        let line = printable_json(json);
        assert!(!line.contains(is_unprintable) && line.contains("1.50"), "{line}");
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("valid");
        assert_eq!(value(json), value(&line));
    }

    #[test]
    fn paint_is_plain_without_colours() {
        assert_eq!(paint(false, Colour::Red, "x"), "x");
        assert_eq!(paint(true, Colour::Red, "x"), "\x1b[31mx\x1b[0m");
    }
}
